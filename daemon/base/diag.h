/*
 * Diag: what is wrong with files that people wrote, all of it at once.
 *
 *   rules/split.yaml:14:26: error E203: stream `orders` has no field `ammount`
 * (did you mean `amount`?) 14 |   where: uncompeted && ammount < limit |
 * ^~~~~~~
 *
 * A complaint is collected, never printed on the spot, so that one run says
 * everything and tests can compare exact texts. Codes: E1xx YAML and shape,
 * E2xx names and types, E3xx values and limits, E4xx files beside the rules
 * (tables, lists, calendars), E5xx tests, W6xx warnings, E9xx tocsin.yaml.
 * Each code stands once in diag_codes.c with a sentence for the manual.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file whose lines can be quoted; lives as long as the diag. */
struct source {
	const char *path; /* as the user wrote it */
	const char *text;
	size_t len;
	uint32_t number; /* in order of opening; 0 if no diag opened it */
	const struct source *before; /* that was opened before it */
};

/* Where: lines and columns count from 1, columns in code points. */
struct place {
	const struct source *source; /* NULL: nowhere in a file */
	uint32_t line;
	uint32_t column;
	uint32_t width; /* code points to underline; 0 and 1 are a caret */
};

struct complaint {
	const char *code; /* "E203"; a warning starts with W */
	struct place place;
	const char *text; /* the whole sentence, hint included */
};

/* Nobody reads more, and to quote a line is to walk its file. */
#define DIAG_MOST 1000

/* Of this line nothing is quoted from there on. */
struct hidden {
	const struct source *source;
	uint32_t line;
	size_t from; /* bytes */
};

struct diag {
	struct arena arena;
	struct complaint *items; /* in order of arrival; see diag_sort() */
	size_t n;
	size_t cap;
	size_t n_errors; /* of which errors; the others are warnings */
	uint32_t n_sources;
	const struct source *last_source; /* and by it all others */
	struct hidden *hidden;
	size_t n_hidden, cap_hidden;
};

struct diag_code {
	const char *code;
	const char *sentence; /* what it means, whatever the file */
	const char *cure;
};

extern const struct diag_code diag_codes[]; /* sorted */
extern const size_t diag_n_codes;

/* The sentence of a code, or NULL. */
const char *diag_explain(const char *code);

/* Reads a file to quote from; negative errno. The diag owns the result. */
int diag_source(struct diag *diag, const char *path, const struct source **ret);
/* The same from memory (copied). */
const struct source *diag_source_text(struct diag *diag, const char *path,
				      const char *text, size_t len);

/*
 * Complains. Returns -EINVAL always, so that a complaint and an exit are one
 * line: return diag_at(diag, place, "E203", "…", …);
 */
int diag_at(struct diag *diag, struct place place, const char *code,
	    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A secret begins there: no complaint quotes the rest of that line. */
void diag_hide(struct diag *diag, const struct source *source, uint32_t line,
	       size_t from);

/*
 * By file (in order of opening; what has no file comes first), line, column;
 * equal ones stay in order.
 */
void diag_sort(struct diag *diag);
/*
 * As in the drawing above, with colour if asked. Control characters and broken
 * UTF-8 of the file are shown as U+FFFD, a long line around the place alone.
 */
void diag_print(const struct diag *diag, struct buf *out, bool colour);
/* An array of {code, severity, file, line, column, width, message}. */
void diag_json(const struct diag *diag, struct buf *out);
void diag_free(struct diag *diag);

/* The candidate nearest to @name by edit distance, or NULL if none is near. */
const char *diag_nearest(const char *name, const char *const *candidates,
			 size_t n);
