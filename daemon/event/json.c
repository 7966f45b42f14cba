#include "event/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/number.h"
#include "base/util.h"
#include "event/simdjson.h"
#include "event/token.h"

struct reader {
	struct arena *arena;
	const char *text, *end;
	const uint32_t *at; /* the token that is next */
	const uint32_t *stop;
};

static int read_value(struct reader *reader, struct json *json, int depth);

/* The next token's first byte; 0 at the end (a NUL is no token of JSON). */
static char peek(const struct reader *reader) {
	return reader->at < reader->stop ? reader->text[*reader->at] : '\0';
}

static int read_string(struct reader *reader, const char **ret, size_t *len) {
	const char *s = reader->text + *reader->at++ + 1;
	const char *close;
	bool escaped;
	char *copy;

	close = token_string(s, reader->end, &escaped);
	if (!close)
		return -EBADMSG;
	*len = (size_t)(close - s);
	copy = arena_strndup(reader->arena, s, *len);
	if (escaped) {
		*len = token_unescape(copy, s, *len);
		copy[*len] = '\0';
	}
	*ret = copy;
	return 0;
}

/* Many members and a quadratic search would be an invitation. */
static int names_differ(const struct json *object) {
	size_t cap = 16;
	const struct json **seen;
	int r = 0;

	if (object->n < 2)
		return 0;
	while (cap < object->n * 2)
		cap *= 2;
	seen = calloc(cap, sizeof(struct json *));
	if (!seen)
		return -ENOMEM;
	for (const struct json *it = object->first; it && !r; it = it->next) {
		size_t i = hash64(it->name, it->name_len, 0) & (cap - 1);

		for (; seen[i]; i = (i + 1) & (cap - 1)) {
			if (seen[i]->name_len == it->name_len &&
			    !memcmp(seen[i]->name, it->name, it->name_len))
				r = -EBADMSG;
		}
		seen[i] = it;
	}
	free(seen);
	return r;
}

static int read_children(struct reader *reader, struct json *json, int depth) {
	bool object = json->kind == JSON_OBJECT;
	char close = object ? '}' : ']';
	const struct json **link = &json->first;
	int r;

	if (depth > JSON_MAX_DEPTH)
		return -E2BIG;
	reader->at++;
	if (peek(reader) == close) {
		reader->at++;
		return 0;
	}
	for (;;) {
		struct json *child = arena_new(reader->arena, struct json);

		if (object) {
			if (peek(reader) != '"')
				return -EBADMSG;
			r = read_string(reader, &child->name, &child->name_len);
			if (r < 0)
				return r;
			if (peek(reader) != ':')
				return -EBADMSG;
			reader->at++;
		}
		r = read_value(reader, child, depth);
		if (r < 0)
			return r;
		*link = child;
		link = &child->next;
		json->n++;
		if (peek(reader) == close)
			break;
		if (peek(reader) != ',')
			return -EBADMSG;
		reader->at++;
	}
	reader->at++;
	return object ? names_differ(json) : 0;
}

static int read_scalar(struct reader *reader, struct json *json) {
	const char *s = reader->text + *reader->at++;
	const char *end;

	end = token_number(s, reader->end);
	if (end) {
		json->kind = JSON_NUMBER;
		json->len = (size_t)(end - s);
		json->text = arena_strndup(reader->arena, s, json->len);
		return 0;
	}
	if (!token_word(s, reader->end))
		return -EBADMSG;
	json->kind = *s == 'n' ? JSON_NULL : JSON_BOOL;
	json->truth = *s == 't';
	return 0;
}

static int read_value(struct reader *reader, struct json *json, int depth) {
	switch (peek(reader)) {
	case '\0':
		return -EBADMSG;
	case '{':
		json->kind = JSON_OBJECT;
		return read_children(reader, json, depth + 1);
	case '[':
		json->kind = JSON_ARRAY;
		return read_children(reader, json, depth + 1);
	case '"':
		json->kind = JSON_STRING;
		return read_string(reader, &json->text, &json->len);
	default:
		return read_scalar(reader, json);
	}
}

static void json_index_freep(struct json_index **index) {
	json_index_free(*index);
}

int json_parse(const struct json **ret, struct arena *arena, const char *text,
	       size_t len) {
	CLEANUP(json_index_freep) struct json_index *index = NULL;
	struct reader reader = { .arena = arena,
				 .text = text,
				 .end = text + len };
	struct json *json;
	size_t n;
	int r;

	r = json_index_new(&index, len);
	if (r < 0)
		return r;
	r = json_index_build(index, text, len, &reader.at, &n);
	if (r < 0)
		return r;
	reader.stop = reader.at + n;

	json = arena_new(arena, struct json);
	r = read_value(&reader, json, 0);
	if (r < 0)
		return r;
	if (reader.at != reader.stop)
		return -EBADMSG;

	*ret = json;
	return 0;
}

const struct json *json_get(const struct json *json, const char *name) {
	size_t len = strlen(name);

	if (!json || json->kind != JSON_OBJECT)
		return NULL;
	for (const struct json *it = json->first; it; it = it->next) {
		if (it->name_len == len && !memcmp(it->name, name, len))
			return it;
	}
	return NULL;
}

const char *json_text(const struct json *json) {
	if (!json || (json->kind != JSON_STRING && json->kind != JSON_NUMBER))
		return NULL;
	return json->text;
}

bool json_int(const struct json *json, int64_t *ret) {
	return json && json->kind == JSON_NUMBER &&
	       !number_parse_plain(ret, json->text, json->len, 0);
}

bool json_double(const struct json *json, double *ret) {
	return json && json->kind == JSON_NUMBER &&
	       !number_parse_double(ret, json->text, json->len);
}
