/*
 * Decoder, inside: from bytes to raw texts, from raw texts to values.
 *
 * Three ways lead to the raw texts of the fields that are read: walk.c (any
 * JSON), shape.c (JSON that looks like the document before it) and csv.c. One
 * way leads on, field.c, so a field means the same however it arrived.
 */
#pragma once

#include "event/event.h"
#include "event/simdjson.h"

enum raw_kind {
	RAW_ABSENT,
	RAW_NULL,
	RAW_STRING,  /* between the quotes, no escapes */
	RAW_ESCAPED, /* between the quotes, with escapes */
	RAW_NUMBER,
	RAW_TRUE,
	RAW_FALSE,
	RAW_ARRAY, /* with its brackets */
	RAW_OBJECT,
	RAW_CELL /* of CSV, quotes taken off */
};

struct raw {
	const char *s;
	uint32_t len;
	uint8_t kind; /* enum raw_kind */
};

/* A step of a path. Children of a node stand side by side. */
struct path_node {
	const char *key;
	uint32_t len;
	uint32_t first_child, n_children;
	int32_t raw;        /* what ends here is read into it; -1: nothing */
	const char *detail; /* the field below that is named in complaints */
	uint64_t seen;      /* number of the last document that had it */
};

/* A field that is read; fields with the same path share a raw. */
struct wanted {
	const struct field *field;
	uint32_t raw;
};

struct shape;

/* "2026-03-01T08:00:00+08:00", and which bytes are clock and offset. */
#define TIME_BYTES 25
#define CLOCK_AT 11
#define OFFSET_AT 19
#define OFFSET_BYTES 6

struct time_memo {
	char text[TIME_BYTES]; /* of a time that was read */
	usec_t midnight;       /* of its day at its offset */
};

struct decoder {
	const struct stream *stream;
	uint64_t seed;
	size_t max_bytes;
	struct arena arena; /* of all below */
	struct wanted *wanted;
	size_t n_wanted;
	struct path_node *nodes; /* the first is the root */
	size_t n_nodes;
	struct raw *raws; /* of the document at hand */
	size_t n_raws;
	uint64_t document; /* number of the one at hand */
	struct json_index *index;
	struct shape *shape;
	uint64_t fitted; /* documents that the shape was right about */
	enum stream_format
		format; /* of what comes: the stream's, or a file's */
	char delimiter;
	/* CSV: column → raw, -1: not read; NULL: no header was given. */
	int32_t *columns;
	size_t n_columns;
	/* The last bare date, as a day's rows tend to stand together. */
	int64_t day;
	usec_t day_start;
	struct time_memo memo;
};

/* walk.c: the raws of any JSON document; @detail of a refusal. */
enum refusal walk_document(struct decoder *decoder, const char *text,
			   size_t len, struct arena *scratch,
			   const char **detail);
/*
 * shape.c: the raws of a document that looks like one that was learned; false:
 * it does not, and nothing is said about it.
 */
struct shape *shape_new(void);
void shape_free(struct shape *shape);
bool shape_match(struct decoder *decoder, const char *text, size_t len,
		 bool padded);
/* To be told of each document that walk.c has found whole. */
void shape_learn(struct decoder *decoder, const char *text, size_t len);
/*
 * csv.c: one cell; @at is moved behind it and its delimiter. 1: more follow,
 * 0: it was the last, -EINVAL: a quote where none may stand. What is doubled
 * in it makes a copy in @arena.
 */
int csv_cell(const char **at, const char *end, char delimiter,
	     struct arena *arena, struct raw *ret);
/* A line's end at the end of the text is none of the row. */
const char *csv_row_end(const char *text, size_t len);
/* header.c: columns by name, instead of decoder_csv_header(). */
int header_place(struct decoder *decoder, const char *const *columns, size_t n,
		 struct buf *notes, struct buf *why);
/* decode.c: "~1" is "/" and "~0" is "~" in a JSON pointer; the length. */
size_t pointer_unescape(char *out, const char *s, size_t len);
/* csv.c: the raws of one row. */
enum refusal csv_row(struct decoder *decoder, const char *text, size_t len,
		     struct arena *scratch);
/* field.c: the value of a raw that is not absent or null. */
enum refusal field_value(struct decoder *decoder, const struct field *field,
			 const struct raw *raw, struct arena *arena,
			 struct value *ret);
/* Midnight that begins the day, in the zone of the stream. */
usec_t day_start(struct decoder *decoder, int64_t days);
/* The plain text of a string or cell, or the raw text of all else. */
struct value raw_text(const struct raw *raw, struct arena *arena);
