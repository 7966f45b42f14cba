/*
 * Streams: what comes in by a topic, typed and closed.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "event/event.h"
#include "rule/load.h"

#define MAX_TOPICS 64 /* coordinates have six bits for them */

static const struct shape_key stream_keys[] = {
	{ "topic", "text", "the stream's name", "Kafka's topic" },
	{ "format", "json|csv", "json", "of the records" },
	{ "encoding", "utf8|gb18030|latin1", "utf8", "of the texts" },
	{ "delimiter", "text", "a comma",
	  "one character between the columns of CSV" },
	{ "columns", "[text]", NULL,
	  "of CSV, in order: records of Kafka have no header" },
	{ "time", "text", "required",
	  "the field that says when it happened: event time" },
	{ "max_delay", "fixed", "0s",
	  "how late an event may come; the watermark stays so far behind" },
	{ "idle_after", "fixed", "10m",
	  "a partition silent for so long no longer holds the watermark" },
	{ "max_skew", "fixed", "1d",
	  "an event this far in the future is refused" },
	{ "id", "text", NULL,
	  "the field by which a second record of one event is known" },
	{ "id_for", "fixed", "the longest window, at most 90d",
	  "how long ids are remembered" },
	{ "on_same_id", "refuse", "refuse",
	  "what happens to another content under a known id" },
	{ "fields", "{type or <field>}", "required",
	  "what a record has; a name that is not here does not load" },
	{ "calendar", "text", "the only or `default`",
	  "whose days and periods these are" },
	{ "numbers", "<numbers>", NULL, "how numbers are written in texts" },
	{ "max_bytes", "64..67108864", "1048576",
	  "a longer record is refused" },
	{ "void_if", SHAPE_LATER },
	{ "replaces", SHAPE_LATER },
};
const struct shape stream_shape = { "stream", stream_keys,
				    ARRAY_SIZE(stream_keys) };

static const struct shape_key field_keys[] = {
	{ "type", "type", "required",
	  "string, int, double, bool, date, timestamp, money(CNY), enum[a, b] "
	  "or list(T); ` optional` behind it" },
	{ "path", "text", "its name",
	  "where it stands in the record: /pay/amt, or a column of CSV" },
	{ "mask", "none|last4|all", "none",
	  "what of it may be shown or published" },
	{ "format", "text", "rfc3339",
	  "of a time: rfc3339, date, epoch_s, epoch_ms or a pattern such as "
	  "%Y/%m/%d" },
};
const struct shape field_shape = { "field", field_keys,
				   ARRAY_SIZE(field_keys) };

static const struct shape_key number_keys[] = {
	{ "decimal", "text", ".", "one character before the decimals" },
	{ "thousands", "text", NULL, "characters that group digits" },
	{ "signs", "[text]", NULL,
	  "what may stand around a number, such as ¥" },
	{ "negative", "[minus|parentheses|trailing]", "[minus]",
	  "how it is marked as negative" },
};
const struct shape numbers_shape = { "numbers", number_keys,
				     ARRAY_SIZE(number_keys) };

uint16_t field_slot(struct stream *stream, struct field *field) {
	if (!field->used) {
		field->used = true;
		field->slot = stream->n_slots++;
	}
	return field->slot;
}

const struct field *element_field(struct loader *l, struct stream *stream,
				  struct field *list) {
	struct field **elements;
	struct field *mine;

	for (size_t i = 0; i < stream->n_elements; i++)
		if (!strcmp(stream->elements[i]->name, list->name))
			return stream->elements[i];
	field_slot(stream, list);
	mine = arena_new(l->arena, struct field);
	*mine = *list;
	mine->type = (struct type){ .kind = list->type.elem,
				    .unit = list->type.unit };
	mine->slot = stream->n_slots++;
	elements =
		arena_array(l->arena, struct field *, stream->n_elements + 1);
	for (size_t i = 0; i < stream->n_elements; i++)
		elements[i] = stream->elements[i];
	elements[stream->n_elements++] = mine;
	stream->elements = elements;
	return mine;
}

static bool is_name(const char *s) {
	if (!(*s == '_' || (*s >= 'a' && *s <= 'z') ||
	      (*s >= 'A' && *s <= 'Z')))
		return false;
	for (; *s; s++)
		if (!(*s == '_' || (*s >= 'a' && *s <= 'z') ||
		      (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9')))
			return false;
	return true;
}

static int field_time(struct loader *l, const struct yaml_node *node,
		      struct field *field) {
	static const struct {
		const char *name;
		enum time_form form;
	} forms[] = {
		{ "rfc3339", TIME_RFC3339 },   { "date", TIME_DATE },
		{ "epoch_s", TIME_EPOCH_S },   { "epoch", TIME_EPOCH_S },
		{ "epoch_ms", TIME_EPOCH_MS },
	};
	const char *text = NULL;
	int r = shape_text(l->diag, node, "format", &text);

	if (r < 0 || !text)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (!strcmp(forms[i].name, text)) {
			field->time_form = forms[i].form;
			return 0;
		}
	if (!strchr(text, '%'))
		return diag_at(l->diag, node->place, "E301",
			       "`format` is rfc3339, date, epoch_s, epoch_ms "
			       "or a pattern such as %%Y/%%m/%%d, not `%s`",
			       text);
	field->time_form = TIME_PATTERN;
	field->time_pattern = text;
	return 0;
}

/* Where the data have it, and how times are written there. */
static void field_form(struct loader *l, const struct yaml_node *node,
		       struct field *field) {
	const struct yaml_node *format = yaml_get(node, "format");

	shape_text(l->diag, yaml_get(node, "path"), "path", &field->path);
	if (format && field->type.kind != KIND_TIMESTAMP &&
	    field->type.kind != KIND_DATE)
		diag_at(l->diag, format->place, "E305",
			"`format` is for timestamps and dates");
	else
		field_time(l, format, field);
}

static void field_options(struct loader *l, const struct yaml_node *node,
			  struct field *field) {
	static const char *const masks[] = { "none", "last4", "all" };
	unsigned mask = MASK_NONE;

	shape_keys(l->diag, node, "a field", field_keys,
		   ARRAY_SIZE(field_keys));
	if (!shape_choice(l->diag, yaml_get(node, "mask"), "mask", masks,
			  ARRAY_SIZE(masks), &mask))
		field->mask = (enum mask)mask;
	field_form(l, node, field);
}

static int declare_field(struct loader *l, const struct yaml_pair *pair,
			 struct field *field) {
	const struct yaml_node *type = pair->value;
	int r;

	field->name = pair->key->text;
	field->place = pair->key->place;
	if (!is_name(field->name))
		return diag_at(l->diag, pair->key->place, "E232",
			       "`%s` cannot be the name of a field: letters, "
			       "digits and _ only; give `path` for what it is "
			       "called in the data",
			       field->name);
	if (type->kind == YAML_MAP) {
		type = yaml_get(type, "type");
		if (!type)
			return diag_at(l->diag, pair->value->place, "E112",
				       "field `%s` lacks `type`", field->name);
	}
	r = parse_type(l, type, &field->type);
	if (r < 0)
		return r;
	if (pair->value->kind == YAML_MAP)
		field_options(l, pair->value, field);
	if (field->type.kind == KIND_DATE && field->time_form == TIME_RFC3339)
		field->time_form = TIME_DATE;
	if (!field->path)
		field->path = arena_printf(l->arena, "/%s", field->name);
	return 0;
}

static int declare_fields(struct loader *l, struct stream *stream,
			  const struct yaml_node *node) {
	size_t n = 0;

	if (!node)
		return diag_at(l->diag, stream->place, "E112",
			       "stream `%s` lacks `fields`", stream->name);
	if (shape_is(l->diag, node, YAML_MAP, "fields") < 0)
		return -EINVAL;
	stream->fields = arena_array(l->arena, struct field, node->n);
	for (size_t i = 0; i < node->n; i++)
		if (!declare_field(l, &node->pairs[i], &stream->fields[n]))
			n++;
		else
			stream->fields[n] = (struct field){ 0 };
	stream->n_fields = n;
	return 0;
}

static struct field *named_field(struct loader *l, const struct stream *stream,
				 const struct yaml_node *node,
				 const char *key) {
	CLEANUP(buf_free) struct buf what = { 0 };
	const char **names;
	struct field *field;

	if (shape_is(l->diag, node, YAML_SCALAR, key) < 0)
		return NULL;
	field = stream_field(stream, node->text);
	if (field)
		return field;
	names = arena_array(l->arena, const char *, stream->n_fields);
	for (size_t i = 0; i < stream->n_fields; i++)
		names[i] = stream->fields[i].name;
	buf_printf(&what, "stream `%s` has no field", stream->name);
	shape_unknown(l->diag, node->place, buf_cstr(&what), node->text, names,
		      stream->n_fields);
	return NULL;
}

static void stream_time(struct loader *l, struct stream *stream,
			const struct yaml_node *node) {
	struct field *field;

	if (!node) {
		diag_at(l->diag, stream->place, "E112",
			"stream `%s` lacks `time`: which field says when it "
			"happened",
			stream->name);
		return;
	}
	field = named_field(l, stream, node, "time");
	if (!field)
		return;
	if (field->type.kind != KIND_TIMESTAMP && field->type.kind != KIND_DATE)
		diag_at(l->diag, node->place, "E206",
			"`time` must be a timestamp or a date");
	else if (field->type.optional)
		diag_at(l->diag, node->place, "E206",
			"`time` may not be optional");
	stream->time = field;
}

static void stream_id(struct loader *l, struct stream *stream,
		      const struct yaml_node *node) {
	struct field *field;

	if (!node)
		return;
	field = named_field(l, stream, node, "id");
	if (!field)
		return;
	if (field->type.optional || field->type.kind == KIND_LIST)
		diag_at(l->diag, node->place, "E206",
			"`id` must be a field that every event has, and no "
			"list");
	stream->id = field;
}

static char one_mark(struct loader *l, const struct yaml_node *node,
		     const char *key) {
	if (!node || shape_is(l->diag, node, YAML_SCALAR, key) < 0)
		return 0;
	if (node->len == 1)
		return node->text[0];
	diag_at(l->diag, node->place, "E301", "`%s` is one character, not `%s`",
		key, node->text);
	return 0;
}

static void number_signs(struct loader *l, struct number_format *numbers,
			 const struct yaml_node *node) {
	const char **signs;

	if (!node || shape_is(l->diag, node, YAML_LIST, "signs") < 0)
		return;
	signs = arena_array(l->arena, const char *, node->n + 1);
	for (size_t i = 0; i < node->n; i++)
		shape_text(l->diag, node->items[i], "signs", &signs[i]);
	numbers->signs = signs;
}

static void number_negative(struct loader *l, struct number_format *numbers,
			    const struct yaml_node *node) {
	static const char *const forms[] = { "minus", "parentheses",
					     "trailing" };

	if (!node || shape_is(l->diag, node, YAML_LIST, "negative") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		unsigned form = 0;

		shape_choice(l->diag, node->items[i], "negative", forms,
			     ARRAY_SIZE(forms), &form);
		numbers->parentheses = numbers->parentheses || form == 1;
		numbers->trailing_minus = numbers->trailing_minus || form == 2;
	}
}

static void stream_numbers(struct loader *l, struct stream *stream,
			   const struct yaml_node *node) {
	struct number_format *numbers = &stream->numbers;
	const struct yaml_node *marks;

	if (!node || shape_is(l->diag, node, YAML_MAP, "numbers") < 0)
		return;
	shape_keys(l->diag, node, "`numbers`", number_keys,
		   ARRAY_SIZE(number_keys));
	numbers->decimal = one_mark(l, yaml_get(node, "decimal"), "decimal");
	marks = yaml_get(node, "thousands");
	if (marks && !shape_is(l->diag, marks, YAML_SCALAR, "thousands")) {
		if (marks->len > sizeof(numbers->thousands))
			diag_at(l->diag, marks->place, "E301",
				"`thousands` is at most %zu characters",
				sizeof(numbers->thousands));
		else
			memcpy(numbers->thousands, marks->text, marks->len);
	}
	number_signs(l, numbers, yaml_get(node, "signs"));
	number_negative(l, numbers, yaml_get(node, "negative"));
}

static void stream_delimiter(struct loader *l, struct stream *stream,
			     const struct yaml_node *node) {
	char mark = one_mark(l, node, "delimiter");

	if (mark && (mark == '"' || mark == '\r' || mark == '\n' || mark < 0))
		diag_at(l->diag, node->place, "E301",
			"`delimiter` can be no quote, no line's end and "
			"nothing beyond ASCII");
	else
		stream->delimiter = mark;
}

static void need_column(struct loader *l, const struct stream *stream,
			const struct yaml_node *node,
			const struct field *field) {
	CLEANUP(buf_free) struct buf what = { 0 };

	if (field->type.optional ||
	    header_find(stream, field, stream->columns, stream->n_columns) >= 0)
		return;
	buf_printf(&what, "no column for the field");
	shape_unknown(l->diag, node->place, buf_cstr(&what), field->name,
		      stream->columns, stream->n_columns);
}

/* Records of Kafka have no header: the stream says what stands where. */
static void stream_columns(struct loader *l, struct stream *stream,
			   const struct yaml_node *node) {
	const char **columns;
	size_t before = l->diag->n_errors;

	if (!node || shape_is(l->diag, node, YAML_LIST, "columns") < 0)
		return;
	if (stream->format != FORMAT_CSV) {
		diag_at(l->diag, node->place, "E305",
			"`columns` are those of `format: csv`");
		return;
	}
	columns = arena_array(l->arena, const char *, node->n + 1);
	for (size_t i = 0; i < node->n; i++) {
		columns[i] = "";
		shape_text(l->diag, node->items[i], "columns", &columns[i]);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(columns[k], columns[i]))
				diag_at(l->diag, node->items[i]->place, "E231",
					"column `%s` stands here twice",
					columns[i]);
	}
	if (l->diag->n_errors > before)
		return;
	stream->columns = columns;
	stream->n_columns = node->n;
	for (size_t i = 0; i < stream->n_fields; i++)
		need_column(l, stream, node, &stream->fields[i]);
}

static void stream_format(struct loader *l, struct stream *stream,
			  const struct yaml_node *node) {
	static const char *const formats[] = { "json", "csv" };
	static const char *const later[] = { "avro", "protobuf", "debezium" };
	unsigned format = FORMAT_JSON;

	for (size_t i = 0; node && i < ARRAY_SIZE(later); i++)
		if (yaml_is_text(node, later[i])) {
			shape_later(l->diag, node->place, later[i]);
			return;
		}
	shape_choice(l->diag, node, "format", formats, ARRAY_SIZE(formats),
		     &format);
	stream->format = (enum stream_format)format;
}

/* One table for all streams that need it. */
static const struct charset *charset_of(struct loader *l,
					const struct yaml_node *node,
					enum charset_kind kind) {
	struct charset **known = &l->charsets[kind];

	if (*known)
		return *known;
	*known = arena_new(l->arena, struct charset);
	if (charset_load(*known, kind, l->arena) < 0)
		diag_at(l->diag, node->place, "E310",
			"the C library of this machine does not know `%s`",
			node->text);
	return *known;
}

static void stream_encoding(struct loader *l, struct stream *stream,
			    const struct yaml_node *node) {
	static const char *const words[] = { "utf8", "gb18030", "latin1" };
	static const struct {
		const char *theirs, *ours;
	} hints[] = {
		{ "utf-8", "utf8" },       { "gbk", "gb18030" },
		{ "gb2312", "gb18030" },   { "iso-8859-1", "latin1" },
		{ "iso8859-1", "latin1" },
	};
	unsigned kind = CHARSET_UTF8;

	for (size_t i = 0; node && i < ARRAY_SIZE(hints); i++) {
		if (node->kind != YAML_SCALAR ||
		    strcasecmp(node->text, hints[i].theirs) != 0)
			continue;
		diag_at(l->diag, node->place, "E301",
			"`encoding` is utf8, gb18030 or latin1, not `%s`; "
			"`%s` reads it",
			node->text, hints[i].ours);
		return;
	}
	shape_choice(l->diag, node, "encoding", words, ARRAY_SIZE(words),
		     &kind);
	if (kind != CHARSET_UTF8)
		stream->charset = charset_of(l, node, (enum charset_kind)kind);
}

static void stream_same_id(struct loader *l, const struct yaml_node *node) {
	static const char *const words[] = { "refuse", "replace" };
	unsigned word = 0;

	shape_choice(l->diag, node, "on_same_id", words, ARRAY_SIZE(words),
		     &word);
	if (word == 1)
		shape_later(l->diag, node->place, "on_same_id: replace");
}

static bool topic_is_new(struct loader *l, const struct stream *stream,
			 const struct yaml_node *node) {
	if (l->streams.n == MAX_TOPICS)
		diag_at(l->diag, stream->place, "E302",
			"more than %d topics: streams and sources", MAX_TOPICS);
	for (size_t i = 0; i < l->streams.n; i++) {
		const struct stream *other = l->streams.items[i];

		if (strcmp(other->topic, stream->topic) != 0)
			continue;
		diag_at(l->diag, node ? node->place : stream->place, "E231",
			"topic `%s` is read by stream `%s` already (line %u); "
			"one topic is one stream",
			stream->topic, other->name, other->place.line);
		return false;
	}
	return true;
}

static void stream_times(struct loader *l, struct stream *stream,
			 const struct yaml_node *node) {
	shape_fixed(l->diag, yaml_get(node, "max_delay"), "max_delay",
		    &stream->max_delay);
	shape_fixed(l->diag, yaml_get(node, "idle_after"), "idle_after",
		    &stream->idle_after);
	shape_fixed(l->diag, yaml_get(node, "max_skew"), "max_skew",
		    &stream->max_skew);
}

static void declare_stream(struct loader *l, struct package *p,
			   const struct yaml_pair *pair) {
	const struct yaml_node *node = pair->value;
	struct stream *stream = arena_new(l->arena, struct stream);
	int64_t bytes = 1 << 20;

	stream->name = pair->key->text;
	stream->package = p->name;
	stream->place = pair->key->place;
	stream->topic = stream->name;
	stream->base = stream;
	stream->idle_after = 10 * USEC_PER_MIN;
	stream->max_skew = USEC_PER_DAY;
	if (!is_name(stream->name) || !strcmp(stream->name, "alerts"))
		diag_at(l->diag, pair->key->place, "E232",
			"`%s` cannot be the name of a stream", stream->name);
	if (shape_is(l->diag, node, YAML_MAP, stream->name) < 0)
		return;
	shape_keys(l->diag, node, "a stream", stream_keys,
		   ARRAY_SIZE(stream_keys));
	shape_text(l->diag, yaml_get(node, "topic"), "topic", &stream->topic);
	stream_format(l, stream, yaml_get(node, "format"));
	stream_encoding(l, stream, yaml_get(node, "encoding"));
	if (!declare_fields(l, stream, yaml_get(node, "fields"))) {
		stream_time(l, stream, yaml_get(node, "time"));
		stream_id(l, stream, yaml_get(node, "id"));
	}
	stream_delimiter(l, stream, yaml_get(node, "delimiter"));
	stream_columns(l, stream, yaml_get(node, "columns"));
	stream_times(l, stream, node);
	shape_fixed(l->diag, yaml_get(node, "id_for"), "id_for",
		    &stream->id_for);
	stream_same_id(l, yaml_get(node, "on_same_id"));
	stream_numbers(l, stream, yaml_get(node, "numbers"));
	shape_number(l->diag, yaml_get(node, "max_bytes"), "max_bytes", 64,
		     INT64_C(64) << 20, &bytes);
	stream->max_bytes = (size_t)bytes;
	stream->calendar = find_calendar(l, p, yaml_get(node, "calendar"),
					 stream->place, "stream");
	topic_is_new(l, stream, yaml_get(node, "topic"));
	map_put(&p->streams, l->arena, stream->name, strlen(stream->name),
		stream);
	pointers_add(&l->streams, l->arena, stream);
}

/*** sources ***/

static const struct shape_key source_keys[] = {
	{ "stream", "text", "required", "whose events these are" },
	{ "topic", "text", "the source's name", "Kafka's topic" },
	{ "format", "json|csv", "the stream's", "of the records" },
	{ "encoding", "utf8|gb18030|latin1", "the stream's", "of the texts" },
	{ "delimiter", "text", "a comma",
	  "one character between the columns of CSV" },
	{ "columns", "[text]", NULL,
	  "of CSV, in order: records of Kafka have no header" },
	{ "fields", "{text or <source_field>}", NULL,
	  "where this source writes a field otherwise than the stream" },
	{ "numbers", "<numbers>", "the stream's",
	  "how numbers are written in texts" },
	{ "max_delay", "fixed", "the stream's",
	  "how late an event may come; the watermark stays so far behind" },
	{ "idle_after", "fixed", "the stream's",
	  "a partition silent for so long no longer holds the watermark" },
	{ "max_skew", "fixed", "the stream's",
	  "an event this far in the future is refused" },
	{ "max_bytes", "64..67108864", "the stream's",
	  "a longer record is refused" },
};
const struct shape source_shape = { "source", source_keys,
				    ARRAY_SIZE(source_keys) };

static const struct shape_key source_field_keys[] = {
	{ "path", "text", "its name",
	  "where it stands in the record: /pay/amt, or a column of CSV" },
	{ "format", "text", "the stream's",
	  "of a time: rfc3339, date, epoch_s, epoch_ms or a pattern such as "
	  "%Y/%m/%d" },
};
const struct shape source_field_shape = { "source_field", source_field_keys,
					  ARRAY_SIZE(source_field_keys) };

/* Where a source writes a field, and how its times look: nothing else. */
static void source_field(struct loader *l, struct stream *source,
			 const struct yaml_pair *pair) {
	struct field *field = named_field(l, source, pair->key, "fields");

	if (!field)
		return;
	if (pair->value->kind == YAML_SCALAR) {
		shape_text(l->diag, pair->value, "path", &field->path);
	} else if (!shape_is(l->diag, pair->value, YAML_MAP, field->name)) {
		shape_keys(l->diag, pair->value, "a field of a source",
			   source_field_keys, ARRAY_SIZE(source_field_keys));
		field_form(l, pair->value, field);
	}
}

static void source_fields(struct loader *l, struct stream *source,
			  const struct yaml_node *node) {
	const struct stream *base = source->base;

	source->fields = arena_array(l->arena, struct field, base->n_fields);
	if (base->n_fields)
		memcpy(source->fields, base->fields,
		       base->n_fields * sizeof(struct field));
	if (base->time)
		source->time = &source->fields[base->time - base->fields];
	if (base->id)
		source->id = &source->fields[base->id - base->fields];
	if (!node || shape_is(l->diag, node, YAML_MAP, "fields") < 0)
		return;
	for (size_t i = 0; i < node->n; i++)
		source_field(l, source, &node->pairs[i]);
}

static const struct stream *base_of(struct loader *l, struct package *p,
				    const struct yaml_pair *pair) {
	const struct yaml_node *node = yaml_get(pair->value, "stream");
	const struct stream *base;

	if (!node) {
		diag_at(l->diag, pair->key->place, "E112",
			"source `%s` lacks `stream`: which one it is part of",
			pair->key->text);
		return NULL;
	}
	if (shape_is(l->diag, node, YAML_SCALAR, "stream") < 0)
		return NULL;
	base = map_get(&p->streams, node->text, node->len);
	if (!base)
		shape_unknown(l->diag, node->place, "there is no stream",
			      node->text, p->streams.keys, p->streams.n);
	return base;
}

static bool source_is_new(struct loader *l, struct package *p,
			  const struct yaml_node *key) {
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	struct map *const maps[] = { &p->streams, &p->sources };

	if (!*key->text || key->text[strspn(key->text, letters)]) {
		diag_at(l->diag, key->place, "E232",
			"`%s` cannot be the name of a source: letters, "
			"digits, _ and - only",
			key->text);
		return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		const struct stream *first =
			map_get(maps[i], key->text, key->len);

		if (first && !declare_new(l, maps[i], "stream or source", key,
					  first->place))
			return false;
	}
	return true;
}

static void declare_source(struct loader *l, struct package *p,
			   const struct yaml_pair *pair) {
	const struct yaml_node *node = pair->value;
	struct stream *source = arena_new(l->arena, struct stream);
	const struct yaml_node *numbers;
	const struct stream *base;
	int64_t bytes;

	if (shape_is(l->diag, node, YAML_MAP, pair->key->text) < 0)
		return;
	shape_keys(l->diag, node, "a source", source_keys,
		   ARRAY_SIZE(source_keys));
	base = base_of(l, p, pair);
	if (!base)
		return;
	*source = *base;
	source->name = pair->key->text;
	source->place = pair->key->place;
	source->topic = source->name;
	source->columns = NULL;
	source->n_columns = 0;
	shape_text(l->diag, yaml_get(node, "topic"), "topic", &source->topic);
	if (yaml_get(node, "format"))
		stream_format(l, source, yaml_get(node, "format"));
	if (yaml_get(node, "encoding")) {
		source->charset = NULL;
		stream_encoding(l, source, yaml_get(node, "encoding"));
	}
	source_fields(l, source, yaml_get(node, "fields"));
	stream_delimiter(l, source, yaml_get(node, "delimiter"));
	stream_columns(l, source, yaml_get(node, "columns"));
	numbers = yaml_get(node, "numbers");
	if (numbers)
		source->numbers = (struct number_format){ 0 };
	stream_numbers(l, source, numbers);
	stream_times(l, source, node);
	bytes = (int64_t)source->max_bytes;
	shape_number(l->diag, yaml_get(node, "max_bytes"), "max_bytes", 64,
		     INT64_C(64) << 20, &bytes);
	source->max_bytes = (size_t)bytes;
	topic_is_new(l, source, yaml_get(node, "topic"));
	map_put(&p->sources, l->arena, source->name, strlen(source->name),
		source);
	pointers_add(&l->streams, l->arena, source);
}

void declare_sources(struct loader *l, struct package *p,
		     const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_MAP, "sources") < 0)
		return;
	for (size_t i = 0; i < node->n; i++)
		if (source_is_new(l, p, node->pairs[i].key))
			declare_source(l, p, &node->pairs[i]);
}

void source_finish(struct stream *stream) {
	const struct stream *base = stream->base;

	if (base == stream)
		return;
	for (size_t i = 0; i < base->n_fields; i++) {
		stream->fields[i].used = base->fields[i].used;
		stream->fields[i].slot = base->fields[i].slot;
	}
	stream->n_slots = base->n_slots;
	stream->elements = base->elements;
	stream->n_elements = base->n_elements;
	stream->is_read = base->is_read;
}

/*** streams ***/

void declare_streams(struct loader *l, struct package *p,
		     const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_MAP, "streams") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct stream *first =
			map_get(&p->streams, pair->key->text, pair->key->len);

		if (declare_new(l, &p->streams, "stream", pair->key,
				first ? first->place : pair->key->place))
			declare_stream(l, p, pair);
	}
}
