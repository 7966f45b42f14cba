#include "event/event.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event/decoder.h"

#define MAX_BYTES (1024u * 1024)
#define PADDING 64 /* what may be read behind a text that is padded */

const char *refusal_name(enum refusal refusal) {
	static const char *const names[REFUSED_MAX] = {
		[REFUSED_NOT] = "not_refused",
		[REFUSED_EMPTY] = "empty",
		[REFUSED_TOO_LARGE] = "too_large",
		[REFUSED_NOT_UTF8] = "not_utf8",
		[REFUSED_NOT_JSON] = "not_json",
		[REFUSED_TOO_DEEP] = "too_deep",
		[REFUSED_DUPLICATE_KEY] = "duplicate_key",
		[REFUSED_MISSING_FIELD] = "missing_field",
		[REFUSED_WRONG_TYPE] = "wrong_type",
		[REFUSED_BAD_ENUM] = "bad_enum",
		[REFUSED_BAD_TIME] = "bad_time",
		[REFUSED_BAD_NUMBER] = "bad_number",
		[REFUSED_TOO_MANY_DIGITS] = "too_many_digits",
		[REFUSED_OVERFLOW] = "overflow",
		[REFUSED_FAR_FUTURE] = "far_future",
		[REFUSED_CONFLICT] = "conflict",
		[REFUSED_BAD_ROW] = "bad_row",
		[REFUSED_BAD_ENCODING] = "bad_encoding",
	};

	assert(refusal < REFUSED_MAX);
	return names[refusal];
}

/* A step of a path while the tree is made. */
struct step {
	const char *key;
	size_t len;
	int32_t raw;
	const char *detail;
	struct step *first, *last, *next; /* children; beside this one */
	uint32_t n;
};

size_t pointer_unescape(char *out, const char *s, size_t len) {
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '~' && i + 1 < len && s[i + 1] == '1') {
			out[n++] = '/';
			i++;
		} else if (s[i] == '~' && i + 1 < len && s[i + 1] == '0') {
			out[n++] = '~';
			i++;
		} else {
			out[n++] = s[i];
		}
	}
	return n;
}

static struct step *step_into(struct arena *arena, struct step *parent,
			      const char *s, size_t len, const char *detail) {
	char *key = arena_strndup(arena, s, len);
	struct step *step;

	len = pointer_unescape(key, s, len);
	for (step = parent->first; step; step = step->next) {
		if (step->len == len && !memcmp(step->key, key, len))
			return step;
	}
	step = arena_new(arena, struct step);
	*step = (struct step){
		.key = key, .len = len, .raw = -1, .detail = detail
	};
	if (parent->last)
		parent->last->next = step;
	else
		parent->first = step;
	parent->last = step;
	parent->n++;
	return step;
}

/* The raw of the value at a field's path; a new one if it is the first. */
static uint32_t add_path(struct decoder *decoder, struct step *root,
			 const struct field *field) {
	const char *s = field->path ? field->path : field->name;
	struct step *step = root;

	if (*s == '/')
		s++;
	for (;;) {
		size_t len = strcspn(s, "/");

		step = step_into(&decoder->arena, step, s, len, field->name);
		decoder->n_nodes++;
		if (!s[len])
			break;
		s += len + 1;
	}
	if (step->raw < 0)
		step->raw = (int32_t)decoder->n_raws++;
	return (uint32_t)step->raw;
}

/* Breadth first, so that children stand side by side. */
static void place_nodes(struct decoder *decoder, const struct step *root) {
	struct arena *arena = &decoder->arena;
	const struct step **queue =
		arena_array(arena, const struct step *, decoder->n_nodes + 1);
	uint32_t n = 0;

	decoder->nodes =
		arena_array(arena, struct path_node, decoder->n_nodes + 1);
	queue[n++] = root;
	for (uint32_t i = 0; i < n; i++) {
		struct path_node *node = &decoder->nodes[i];

		node->key = queue[i]->key;
		node->len = (uint32_t)queue[i]->len;
		node->raw = queue[i]->raw;
		node->detail = queue[i]->detail;
		node->first_child = n;
		node->n_children = queue[i]->n;
		for (const struct step *it = queue[i]->first; it; it = it->next)
			queue[n++] = it;
	}
	decoder->n_nodes = n;
}

static void compile(struct decoder *decoder, const struct stream *stream) {
	struct step root = { .raw = -1 };

	decoder->wanted =
		arena_array(&decoder->arena, struct wanted, stream->n_fields);
	for (size_t i = 0; i < stream->n_fields; i++) {
		const struct field *field = &stream->fields[i];

		if (!field->used && field != stream->time &&
		    field != stream->id)
			continue;
		decoder->wanted[decoder->n_wanted++] = (struct wanted){
			.field = field,
			.raw = add_path(decoder, &root, field),
		};
	}
	place_nodes(decoder, &root);
	decoder->raws =
		arena_array(&decoder->arena, struct raw, decoder->n_raws);
}

/* The loader has found a column for all that must have one. */
static void place_columns(struct decoder *decoder) {
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct stream *stream = decoder->stream;
	int r = header_place(decoder, stream->columns, stream->n_columns, &text,
			     &text);

	assert(r == 0);
}

int decoder_new(struct decoder **ret, const struct stream *stream,
		uint64_t hash_seed) {
	struct decoder *decoder = calloc(1, sizeof(*decoder));
	int r;

	if (!decoder)
		return -ENOMEM;
	decoder->stream = stream;
	decoder->seed = hash_seed;
	decoder->max_bytes = stream->max_bytes ? stream->max_bytes : MAX_BYTES;
	decoder->day = INT64_MIN;
	decoder->shape = shape_new();
	r = decoder->shape
		    ? json_index_new(&decoder->index,
				     (stream->charset ? CHARSET_GROWTH : 1) *
					     decoder->max_bytes)
		    : -ENOMEM;
	if (r < 0) {
		decoder_free(decoder);
		return r;
	}
	compile(decoder, stream);
	decoder->format = stream->format;
	decoder->delimiter = stream->delimiter ? stream->delimiter : ',';
	if (stream->n_columns)
		place_columns(decoder);

	*ret = decoder;
	return 0;
}

void decoder_format(struct decoder *decoder, enum stream_format format) {
	decoder->format = format;
}

void decoder_free(struct decoder *decoder) {
	if (!decoder)
		return;
	json_index_free(decoder->index);
	shape_free(decoder->shape);
	arena_free(&decoder->arena);
	free(decoder);
}

/* The shape is a guess; what it does not fit is walked through. */
static enum refusal read_document(struct decoder *decoder, const char *payload,
				  size_t len, bool padded, struct arena *arena,
				  const char **detail) {
	enum refusal refusal;

	if (shape_match(decoder, payload, len, padded))
		return REFUSED_NOT;
	refusal = walk_document(decoder, payload, len, arena, detail);
	if (!refusal)
		shape_learn(decoder, payload, len);
	return refusal;
}

static enum refusal read_text(struct decoder *decoder, const char *payload,
			      size_t len, bool padded, struct arena *arena,
			      const char **detail) {
	if (decoder->format == FORMAT_CSV)
		return decoder->columns ? csv_row(decoder, payload, len, arena)
					: REFUSED_BAD_ROW;
	return read_document(decoder, payload, len, padded, arena, detail);
}

/*
 * All that follows reads UTF-8. Most payloads of a stream in another encoding
 * hold a name that needs it; what is ASCII stays where it is.
 */
static enum refusal read_raws(struct decoder *decoder, const char *payload,
			      size_t len, bool padded, struct arena *arena,
			      const char **detail) {
	const struct charset *charset = decoder->stream->charset;
	char *text;

	if (len == 0)
		return REFUSED_EMPTY;
	if (len > decoder->max_bytes)
		return REFUSED_TOO_LARGE;
	if (!charset || text_is_ascii(payload, len))
		return read_text(decoder, payload, len, padded, arena, detail);
	text = arena_alloc_raw(arena, CHARSET_GROWTH * len + PADDING, 1);
	len = charset_decode(charset, text, payload, len);
	if (len == SIZE_MAX)
		return REFUSED_BAD_ENCODING;
	return read_text(decoder, text, len, true, arena, detail);
}

/* The id's text: as it stands, but an integer has one spelling. */
static struct hash128 id_hash(const struct decoder *decoder,
			      const struct raw *raw, struct value value,
			      struct arena *arena) {
	struct value text = value;
	char digits[24];

	if (value.kind == KIND_INT) {
		uint64_t n =
			value.i < 0 ? -(uint64_t)value.i : (uint64_t)value.i;
		size_t at = sizeof(digits);

		do {
			digits[--at] = (char)('0' + n % 10);
			n /= 10;
		} while (n);
		if (value.i < 0)
			digits[--at] = '-';
		text = value_string(digits + at,
				    (uint32_t)(sizeof(digits) - at));
	} else if (value.kind != KIND_STRING) {
		text = raw_text(raw, arena);
	}
	return hash128(text.s, text.len, decoder->seed);
}

static usec_t event_time(struct decoder *decoder, struct value value) {
	return value.kind == KIND_DATE ? day_start(decoder, value.i) : value.i;
}

static enum refusal read_field(struct decoder *decoder, struct event *event,
			       const struct wanted *wanted,
			       struct arena *arena) {
	const struct field *field = wanted->field;
	const struct raw *raw = &decoder->raws[wanted->raw];
	struct value elsewhere;
	struct value *value =
		field->used ? &event->slots[field->slot] : &elsewhere;
	enum refusal refusal;

	if (raw->kind == RAW_ABSENT || raw->kind == RAW_NULL) {
		if (!field->type.optional || field == decoder->stream->time)
			return REFUSED_MISSING_FIELD;
		*value = value_missing(MISSING_FIELD);
		return REFUSED_NOT;
	}
	refusal = field_value(decoder, field, raw, arena, value);
	if (refusal)
		return refusal;
	if (field == decoder->stream->time)
		event->time = event_time(decoder, *value);
	if (field == decoder->stream->id)
		event->id = id_hash(decoder, raw, *value, arena);
	return REFUSED_NOT;
}

static enum refusal read_fields(struct decoder *decoder, struct event *event,
				struct arena *arena) {
	event->slots = arena_alloc_raw(
		arena, decoder->stream->n_slots * sizeof(struct value),
		_Alignof(struct value));
	for (size_t i = 0; i < decoder->n_wanted; i++) {
		const struct wanted *wanted = &decoder->wanted[i];
		enum refusal refusal =
			read_field(decoder, event, wanted, arena);

		if (refusal) {
			event->detail = wanted->field->name;
			return refusal;
		}
	}
	return REFUSED_NOT;
}

void decoder_decode(struct decoder *decoder, struct event *event,
		    const char *payload, size_t len, bool padded,
		    struct arena *arena) {
	enum refusal refusal;

	event->time = 0;
	event->id = (struct hash128){ 0 };
	event->detail = NULL;
	event->slots = NULL;
	event->payload_hash = (uint32_t)hash64(payload, len, decoder->seed);
	refusal =
		read_raws(decoder, payload, len, padded, arena, &event->detail);
	if (!refusal)
		refusal = read_fields(decoder, event, arena);
	event->refusal = (uint8_t)refusal;
	if (refusal) {
		event->time = 0;
		event->id = (struct hash128){ 0 };
	}
}
