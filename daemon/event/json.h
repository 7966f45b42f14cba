/*
 * Json: a text as a tree, for cold paths.
 *
 * Records that come back from Redis, `--given` of the tool, rows of tests. The
 * way of events is decode.c, which builds nothing. Numbers keep the text in
 * which they were written, so money stays exact; strings are plain UTF-8 with
 * a NUL behind them (and may hold others). All of it lies in the arena and
 * does not need the text any more.
 */
#pragma once

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json {
	enum json_kind kind;
	bool truth;       /* JSON_BOOL */
	const char *text; /* JSON_NUMBER as written; JSON_STRING */
	size_t len;       /* of text */
	const char *name; /* of a member of an object, else NULL */
	size_t name_len;
	size_t n;                 /* items or members */
	const struct json *first; /* of them, in the order of the text */
	const struct json *next;  /* beside this one */
};

/*
 * 0, or why not: -EILSEQ not UTF-8, -EBADMSG not JSON (a name given twice in
 * one object is not), -E2BIG nested deeper than 64.
 */
int json_parse(const struct json **ret, struct arena *arena, const char *text,
	       size_t len);

/* The member, or NULL: also if @json is NULL or not an object. */
const struct json *json_get(const struct json *json, const char *name);
/* The text of a string or number; NULL for NULL and all else. */
const char *json_text(const struct json *json);
/* An integer that is exact in 64 bits ("12", "1.2e1"), else false. */
bool json_int(const struct json *json, int64_t *ret);
/* A number, rounded to the nearest double; false if it is none. */
bool json_double(const struct json *json, double *ret);
