/*
 * Schema: the streams that a package declares, typed and closed.
 *
 * One topic is one stream. The loader fills these; the decoder and the engine
 * read them. All of it lives in the ruleset's arena.
 */
#pragma once

#include "base/calendar.h"
#include "base/charset.h"
#include "base/diag.h"
#include "base/number.h"
#include "base/type.h"

enum mask { MASK_NONE, MASK_LAST4, MASK_ALL };

/* How a time is written. */
enum time_form {
	TIME_RFC3339, /* with offset; a bare date is midnight in the zone */
	TIME_DATE,
	TIME_EPOCH_S,
	TIME_EPOCH_MS,
	TIME_PATTERN /* strptime; without %z in the zone */
};

struct field {
	const char *name;
	struct type type;
	/* JSON pointer ("/pay/amt"; "/name" by default) or CSV column. */
	const char *path;
	enum mask mask;
	enum time_form time_form;
	const char *time_pattern;
	struct place place;
	bool used;     /* some rule or the stream itself reads it */
	uint16_t slot; /* in an event's slots, if used */
};

enum stream_format { FORMAT_JSON, FORMAT_CSV };

struct stream {
	const char *name;
	const char *package;
	const char *topic;
	/* A source is a stream of its own to all but rules, which read @base:
	 * the same fields in the same slots, written otherwise. Itself if it is
	 * no source. */
	const struct stream *base;
	uint16_t index; /* in the ruleset */
	bool is_read;   /* some rule that is loaded asks for it */
	enum stream_format format;
	const struct charset *charset; /* NULL: UTF-8 */
	char delimiter;                /* of CSV; 0: a comma */
	const char *const *columns;    /* of CSV without a header */
	size_t n_columns;              /* 0: not said */
	struct field *fields;
	size_t n_fields;
	uint16_t n_slots; /* used fields, then elements */
	/* Of lists that rules go through (`each`): a slot for the one at hand,
	 * which no decoder fills. */
	struct field **elements;
	size_t n_elements;
	const struct field *time;
	const struct field *id; /* NULL: no duplicates are looked for */
	usec_t id_for;
	usec_t max_delay;
	usec_t idle_after;
	usec_t max_skew;
	struct number_format numbers;
	const struct calendar *calendar; /* zone of dates; never NULL */
	size_t max_bytes; /* a larger event is refused; default 1 MiB */
	struct place place;
};

/* The field, or the element of a list, that lies in @slot; NULL. */
const struct field *stream_slot(const struct stream *stream, int32_t slot);
struct field *stream_field(const struct stream *stream, const char *name);
