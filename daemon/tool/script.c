#include "tool/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "event/json.h"
#include "event/token.h"

#define MAX_LIKE 16 /* tests that stand on each other */

static const struct shape_key test_keys[] = {
	{ "name", "text", "required", "what it shows, in a sentence" },
	{ "like", "text", NULL, "a test that it begins as" },
	{ "tables", "{[{any}]}", NULL, "rows instead of those of the file" },
	{ "change", "{{any}}", NULL,
	  "fields of events of `like`, by the id of the event" },
	{ "given", "[{any}]", NULL,
	  "events, {stream: {field: value}}, and {advance: 3d} between them" },
	{ "file", "text", NULL, "JSON lines of such events" },
	{ "advance", "duration", NULL, "time that passes at the end" },
	{ "expect", "[<expect>]", "required",
	  "transitions in order; whatever else comes fails the test" },
};
const struct shape test_shape = { "test", test_keys, ARRAY_SIZE(test_keys) };

static struct step *add_step(struct script *script, struct place place) {
	struct step *steps;

	if (script->n == script->cap) {
		script->cap = script->cap ? script->cap * 2 : 16;
		steps = arena_array(script->arena, struct step, script->cap);
		if (script->n)
			memcpy(steps, script->steps,
			       script->n * sizeof(struct step));
		script->steps = steps;
	}
	steps = &script->steps[script->n++];
	*steps = (struct step){ .place = place };
	return steps;
}

static const struct stream *find_stream(const struct script *script,
					const struct rule_test *test,
					const char *name) {
	for (size_t i = 0; test->rule && i < script->set->n_streams; i++) {
		const struct stream *stream = script->set->streams[i];

		if (!strcmp(stream->name, name) &&
		    !strcmp(stream->package, test->rule->package))
			return stream;
	}
	return ruleset_stream(script->set, name);
}

static int no_stream(const struct script *script, struct place place,
		     const char *name) {
	const char **names = arena_array(script->arena, const char *,
					 script->set->n_streams + 1);
	const char *near;

	for (size_t i = 0; i < script->set->n_streams; i++)
		names[i] = script->set->streams[i]->name;
	near = diag_nearest(name, names, script->set->n_streams);
	return diag_at(script->diag, place, "E502",
		       "there is no stream `%s`%s%s%s", name,
		       near ? " (did you mean `" : "", near ? near : "",
		       near ? "`?)" : "");
}

static int no_field(const struct script *script, const struct stream *stream,
		    const struct yaml_node *key) {
	const char **names =
		arena_array(script->arena, const char *, stream->n_fields + 1);
	const char *near;

	for (size_t i = 0; i < stream->n_fields; i++)
		names[i] = stream->fields[i].name;
	near = diag_nearest(key->text, names, stream->n_fields);
	return diag_at(script->diag, key->place, "E502",
		       "stream `%s` has no field `%s`%s%s%s", stream->name,
		       key->text, near ? " (did you mean `" : "",
		       near ? near : "", near ? "`?)" : "");
}

static int check_fields(const struct script *script,
			const struct stream *stream,
			const struct yaml_node *fields) {
	int r = 0;

	if (fields->kind != YAML_MAP)
		return diag_at(script->diag, fields->place, "E503",
			       "an event is a map of fields, not %s",
			       yaml_kind_name(fields));
	for (size_t i = 0; i < fields->n; i++) {
		const struct yaml_node *key = fields->pairs[i].key;

		if (!stream_field(stream, key->text))
			r = no_field(script, stream, key);
	}
	return r;
}

static int add_advance(struct script *script, const struct yaml_node *node) {
	struct span span;

	if (node->kind != YAML_SCALAR ||
	    span_parse(&span, node->text, node->len) < 0)
		return diag_at(script->diag, node->place, "E503",
			       "`advance` is a duration, such as 30d");
	add_step(script, node->place)->advance = span;
	return 0;
}

/* {orders: {…}}, or {advance: 3d} between two events. */
static int add_given(struct script *script, const struct rule_test *test,
		     const struct yaml_node *item) {
	const struct stream *stream;
	struct step *step;
	int r;

	if (item->kind != YAML_MAP || item->n != 1)
		return diag_at(script->diag, item->place, "E503",
			       "each item of `given` is one stream and its "
			       "event: {payments: {…}}");
	if (!strcmp(item->pairs[0].key->text, "advance"))
		return add_advance(script, item->pairs[0].value);
	stream = find_stream(script, test, item->pairs[0].key->text);
	if (!stream)
		return no_stream(script, item->pairs[0].key->place,
				 item->pairs[0].key->text);
	r = check_fields(script, stream, item->pairs[0].value);
	if (r < 0)
		return r;
	step = add_step(script, item->place);
	step->stream = stream;
	step->fields = item->pairs[0].value;
	return 0;
}

static void put_json(struct buf *out, const struct json *json) {
	switch (json->kind) {
	case JSON_NULL:
		buf_puts(out, "null");
		break;
	case JSON_BOOL:
		buf_puts(out, json->truth ? "true" : "false");
		break;
	case JSON_NUMBER:
		buf_add(out, json->text, json->len);
		break;
	case JSON_STRING:
		buf_json_string(out, json->text, json->len);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
	default:
		buf_putc(out, json->kind == JSON_ARRAY ? '[' : '{');
		for (const struct json *it = json->first; it; it = it->next) {
			buf_comma(out);
			if (it->name) {
				buf_json_string(out, it->name, it->name_len);
				buf_putc(out, ':');
			}
			put_json(out, it);
		}
		buf_putc(out, json->kind == JSON_ARRAY ? ']' : '}');
	}
}

/* A row of a file is {"orders": {…}}, the event as it would come by Kafka. */
static int add_row(struct script *script, const struct rule_test *test,
		   const struct yaml_node *file, const char *line, size_t len,
		   size_t number) {
	CLEANUP(buf_free) struct buf payload = { 0 };
	const struct stream *stream;
	const struct json *row;
	struct step *step;

	if (json_parse(&row, script->arena, line, len) < 0 ||
	    row->kind != JSON_OBJECT || row->n != 1)
		return diag_at(script->diag, file->place, "E503",
			       "line %zu of %s is not one stream and its "
			       "event: {\"payments\": {…}}",
			       number, file->text);
	stream = find_stream(script, test, row->first->name);
	if (!stream)
		return no_stream(script, file->place, row->first->name);
	put_json(&payload, row->first);
	step = add_step(script, file->place);
	step->stream = stream;
	step->payload = arena_strndup(script->arena, payload.data, payload.len);
	step->len = payload.len;
	return 0;
}

/* Beside the file of rules in which the test stands. */
static const char *beside(const struct script *script, struct place place,
			  const char *name) {
	const char *slash =
		place.source ? strrchr(place.source->path, '/') : NULL;

	if (*name == '/' || !slash)
		return name;
	return arena_printf(script->arena, "%.*s/%s",
			    (int)(slash - place.source->path),
			    place.source->path, name);
}

static int add_file(struct script *script, const struct rule_test *test,
		    const struct yaml_node *file) {
	const struct source *source;
	const char *at, *end;
	int r;

	if (file->kind != YAML_SCALAR)
		return diag_at(script->diag, file->place, "E503",
			       "`file` is the name of a file");
	r = diag_source(script->diag, beside(script, file->place, file->text),
			&source);
	if (r < 0)
		return diag_at(script->diag, file->place, "E502",
			       "%s cannot be read: %s", file->text,
			       strerror(-r));
	at = source->text;
	end = source->text + source->len;
	for (size_t number = 1; at < end; number++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);

		if (len && *at != '\r')
			r = add_row(script, test, file, at, len, number);
		if (r < 0)
			return r;
		at += len + 1;
	}
	return 0;
}

/* The last word on a field, or NULL. */
static const struct yaml_node *field_of(const struct step *step,
					const char *name) {
	for (size_t i = step->n_changes; i > 0; i--) {
		const struct yaml_node *node =
			yaml_get(step->changes[i - 1], name);

		if (node)
			return node;
	}
	return yaml_get(step->fields, name);
}

static void add_change(struct script *script, struct step *step,
		       const struct yaml_node *change) {
	const struct yaml_node **changes = arena_array(
		script->arena, const struct yaml_node *, step->n_changes + 1);

	if (step->n_changes)
		memcpy(changes, step->changes,
		       step->n_changes * sizeof(struct yaml_node *));
	changes[step->n_changes++] = change;
	step->changes = changes;
}

/* {p1: {amount: 3}}: every event whose id is p1. */
static int change_event(struct script *script, const struct yaml_pair *pair) {
	int r = -ENOENT;

	for (size_t i = 0; i < script->n; i++) {
		struct step *step = &script->steps[i];
		const struct yaml_node *id;

		if (!step->fields || !step->stream->id)
			continue;
		id = field_of(step, step->stream->id->name);
		if (!yaml_is_text(id, pair->key->text))
			continue;
		r = check_fields(script, step->stream, pair->value);
		if (r < 0)
			return r;
		add_change(script, step, pair->value);
	}
	if (r == -ENOENT)
		return diag_at(script->diag, pair->key->place, "E502",
			       "no event before this has the id `%s`",
			       pair->key->text);
	return r;
}

static int change_events(struct script *script,
			 const struct yaml_node *change) {
	if (change->kind != YAML_MAP)
		return diag_at(script->diag, change->place, "E503",
			       "`change` is a map from an event's id to its "
			       "new fields");
	for (size_t i = 0; i < change->n; i++) {
		int r = change_event(script, &change->pairs[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static void add_rows(struct script *script, struct table_rows rows) {
	struct table_rows *copy;

	for (size_t i = 0; i < script->n_rows; i++) {
		if (!strcmp(script->rows[i].table, rows.table)) {
			script->rows[i] = rows;
			return;
		}
	}
	if (script->n_rows == script->cap_rows) {
		script->cap_rows = script->cap_rows * 2 + 4;
		copy = arena_array(script->arena, struct table_rows,
				   script->cap_rows);
		if (script->n_rows)
			memcpy(copy, script->rows,
			       script->n_rows * sizeof(rows));
		script->rows = copy;
	}
	script->rows[script->n_rows++] = rows;
}

static const struct table *find_table(const struct ruleset *set,
				      const char *name) {
	for (size_t i = 0; i < set->n_tables; i++) {
		if (!strcmp(set->tables[i]->name, name))
			return set->tables[i];
	}
	return NULL;
}

/* Any package will do for a test that stands under no rule. */
static const char *package_of(const struct script *script,
			      const struct rule_test *test) {
	if (test->rule)
		return test->rule->package;
	return script->set->n_streams ? script->set->streams[0]->package : "";
}

static int replace_tables(struct script *script, const struct rule_test *test,
			  const struct yaml_node *tables) {
	if (tables->kind != YAML_MAP)
		return diag_at(script->diag, tables->place, "E503",
			       "`tables` is a map from a table to its rows");
	for (size_t i = 0; i < tables->n; i++) {
		const struct yaml_pair *pair = &tables->pairs[i];

		if (!find_table(script->set, pair->key->text))
			return diag_at(script->diag, pair->key->place, "E502",
				       "there is no table `%s`",
				       pair->key->text);
		if (pair->value->kind != YAML_LIST)
			return diag_at(script->diag, pair->value->place, "E503",
				       "rows of a table are a list");
		add_rows(script, (struct table_rows){
					 .package = package_of(script, test),
					 .table = pair->key->text,
					 .rows = pair->value,
				 });
	}
	return 0;
}

/* The test of that name nearest by: under the same rule, else anywhere. */
static const struct rule_test *find_test(const struct script *script,
					 const struct rule_test *test,
					 const char *name) {
	const struct rule_test *other = NULL;

	for (size_t i = 0; i < script->set->n_tests; i++) {
		const struct rule_test *it = &script->set->tests[i];

		if (strcmp(it->name, name))
			continue;
		if (it->rule == test->rule)
			return it;
		other = other ? other : it;
	}
	return other;
}

static int gather(struct script *script, const struct rule_test *test,
		  unsigned depth);

static int gather_like(struct script *script, const struct rule_test *test,
		       const struct yaml_node *like, unsigned depth) {
	const struct rule_test *other = NULL;

	if (like->kind == YAML_SCALAR)
		other = find_test(script, test, like->text);
	if (!other)
		return diag_at(script->diag, like->place, "E502",
			       "there is no test `%s`",
			       like->text ? like->text : "");
	if (depth == MAX_LIKE)
		return diag_at(script->diag, like->place, "E503",
			       "tests are like each other in a circle");
	return gather(script, other, depth + 1);
}

static int check_keys(const struct script *script,
		      const struct rule_test *test) {
	size_t before = script->diag->n_errors;

	if (test->node->kind != YAML_MAP)
		return diag_at(script->diag, test->node->place, "E503",
			       "a test is a map, not %s",
			       yaml_kind_name(test->node));
	shape_keys(script->diag, test->node, "a test", test_keys,
		   ARRAY_SIZE(test_keys));
	return script->diag->n_errors > before ? -EINVAL : 0;
}

static int gather_own(struct script *script, const struct rule_test *test) {
	const struct yaml_node *node = yaml_get(test->node, "given");
	int r = 0;

	if (node && node->kind != YAML_LIST)
		return diag_at(script->diag, node->place, "E503",
			       "`given` is a list of events");
	for (size_t i = 0; node && i < node->n && r == 0; i++)
		r = add_given(script, test, node->items[i]);
	node = yaml_get(test->node, "file");
	if (r == 0 && node)
		r = add_file(script, test, node);
	node = yaml_get(test->node, "advance");
	if (r == 0 && node)
		r = add_advance(script, node);
	return r;
}

static int gather(struct script *script, const struct rule_test *test,
		  unsigned depth) {
	const struct yaml_node *node;
	int r = check_keys(script, test);

	if (r < 0)
		return r;
	node = yaml_get(test->node, "like");
	if (node)
		r = gather_like(script, test, node, depth);
	node = yaml_get(test->node, "tables");
	if (r == 0 && node)
		r = replace_tables(script, test, node);
	node = yaml_get(test->node, "change");
	if (r == 0 && node)
		r = change_events(script, node);
	return r < 0 ? r : gather_own(script, test);
}

int script_gather(struct script *script, const struct rule_test *test) {
	return gather(script, test, 0);
}

/* A field of a payload while it is written. */
struct member {
	const struct field *field;
	const struct yaml_node *value;
	const char *path; /* what is left of it */
	bool done;
};

static bool is_number(const struct yaml_node *node) {
	return node->plain &&
	       token_number(node->text, node->text + node->len) ==
		       node->text + node->len;
}

static bool wants_number(const struct field *field, uint8_t kind) {
	return kind == KIND_INT || kind == KIND_DOUBLE || kind == KIND_MONEY ||
	       (kind == KIND_TIMESTAMP && (field->time_form == TIME_EPOCH_S ||
					   field->time_form == TIME_EPOCH_MS));
}

static void put_value(struct buf *out, const struct field *field, uint8_t kind,
		      const struct yaml_node *node) {
	if (node->kind == YAML_LIST) {
		buf_putc(out, '[');
		for (size_t i = 0; i < node->n; i++) {
			buf_comma(out);
			put_value(out, field, field->type.elem, node->items[i]);
		}
		buf_putc(out, ']');
	} else if (node->kind == YAML_MAP) {
		buf_puts(out, "{}");
	} else if (yaml_is_null(node)) {
		buf_puts(out, "null");
	} else if (node->plain &&
		   ((kind == KIND_BOOL && (yaml_is_text(node, "true") ||
					   yaml_is_text(node, "false"))) ||
		    (wants_number(field, kind) && is_number(node)))) {
		buf_add(out, node->text, node->len);
	} else {
		buf_json_string(out, node->text, node->len);
	}
}

/* One step of a pointer: "~1" is "/" and "~0" is "~". */
static void put_key(struct buf *out, const char *s, size_t len) {
	CLEANUP(buf_free) struct buf key = { 0 };

	for (size_t i = 0; i < len; i++) {
		bool escape = s[i] == '~' && i + 1 < len &&
			      (s[i + 1] == '0' || s[i + 1] == '1');

		buf_putc(&key, !escape ? s[i] : s[i + 1] == '1' ? '/' : '~');
		i += escape;
	}
	buf_json_string(out, key.len ? key.data : "", key.len);
	buf_putc(out, ':');
}

static void put_object(struct buf *out, struct arena *arena,
		       struct member *members, size_t n) {
	struct member *below = arena_array(arena, struct member, n + 1);

	buf_putc(out, '{');
	for (size_t i = 0; i < n; i++) {
		const char *path = members[i].path;
		size_t len = strcspn(path, "/"), n_below = 0;

		if (members[i].done)
			continue;
		buf_comma(out);
		put_key(out, path, len);
		if (!path[len]) {
			put_value(out, members[i].field,
				  members[i].field->type.kind,
				  members[i].value);
			continue;
		}
		for (size_t k = i; k < n; k++) {
			if (strncmp(members[k].path, path, len + 1) != 0)
				continue;
			below[n_below] = members[k];
			below[n_below++].path += len + 1;
			members[k].done = true;
		}
		put_object(out, arena, below, n_below);
	}
	buf_putc(out, '}');
}

int script_payload(struct buf *out, const struct script *script,
		   const struct step *step) {
	const struct stream *stream = step->stream;
	struct member *members;
	size_t n = 0;

	if (step->payload) {
		buf_add(out, step->payload, step->len);
		return 0;
	}
	members = arena_array(script->arena, struct member, stream->n_fields);
	for (size_t i = 0; i < stream->n_fields; i++) {
		const struct field *field = &stream->fields[i];
		const struct yaml_node *value = field_of(step, field->name);
		const char *path = field->path ? field->path : field->name;

		if (!value)
			continue;
		members[n++] = (struct member){
			.field = field,
			.value = value,
			.path = *path == '/' ? path + 1 : path,
		};
	}
	put_object(out, script->arena, members, n);
	return 0;
}
