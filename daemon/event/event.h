/*
 * Event: one record of a topic, decoded into typed slots.
 *
 * An event borrows every byte it points to: the strings of its slots lie in
 * the payload or in the arena that was handed to the decoder. Whoever wants to
 * remember a field copies it.
 */
#pragma once

#include "base/arena.h"
#include "base/hash.h"
#include "event/schema.h"

/* Why an event is refused. The slugs stand in event_refusal(). */
enum refusal {
	REFUSED_NOT,
	REFUSED_EMPTY,     /* no payload */
	REFUSED_TOO_LARGE, /* beyond max_bytes */
	REFUSED_NOT_UTF8,
	REFUSED_NOT_JSON, /* broken, truncated, NUL, not an object */
	REFUSED_TOO_DEEP,
	REFUSED_DUPLICATE_KEY, /* of a field that is read */
	REFUSED_MISSING_FIELD, /* required and absent or null */
	REFUSED_WRONG_TYPE,
	REFUSED_BAD_ENUM,
	REFUSED_BAD_TIME, /* not a time, or outside years 0001-9999 */
	REFUSED_BAD_NUMBER,
	REFUSED_TOO_MANY_DIGITS,
	REFUSED_OVERFLOW,
	REFUSED_FAR_FUTURE,   /* max_skew; the engine's verdict */
	REFUSED_CONFLICT,     /* same id, other content; the engine's */
	REFUSED_BAD_ROW,      /* CSV: another number of columns, bad quotes */
	REFUSED_BAD_ENCODING, /* not of the encoding that the stream names */
	REFUSED_MAX
};
const char *refusal_name(enum refusal refusal);

/* Where a record lies. For files: the topic of the stream, the number of the
 * file among those of the stream, the row's number from 0. */
struct coordinates {
	const char *topic; /* interned by the feed; compared by bytes */
	int32_t partition;
	int64_t offset;
};

struct event {
	const struct stream *stream;
	struct coordinates at;
	int64_t timestamp_ms;  /* of the Kafka record, -1: none */
	uint32_t payload_hash; /* of the payload's bytes, as they came */
	uint8_t refusal;       /* enum refusal: the slots are not valid */
	const char *detail;    /* the field that was refused, or NULL */
	usec_t time;           /* event time; valid unless refused */
	struct hash128 id;     /* of the id's text; zero without id */
	struct value *slots;   /* stream->n_slots of them */
};

/*
 * Decoder: compiled from a stream once, used by one thread.
 */
struct decoder;
int decoder_new(struct decoder **ret, const struct stream *stream,
		uint64_t hash_seed);
void decoder_free(struct decoder *decoder);
/*
 * Fills time, id, payload_hash, slots, refusal and detail of @event, whose
 * stream, at and timestamp_ms are set by the caller. Slots and strings lie in
 * @arena or in @payload, which must stay until the event has been taken, and
 * must be readable SIMDJSON_PADDING bytes beyond its end if @padded.
 * An event that is refused but whose time could be read keeps time 0.
 */
void decoder_decode(struct decoder *decoder, struct event *event,
		    const char *payload, size_t len, bool padded,
		    struct arena *arena);
/* What the payloads are, if it is not what the stream says: files may differ.
 */
void decoder_format(struct decoder *decoder, enum stream_format format);
/*
 * CSV: the header must be given before the first row, unless the stream says
 * its `columns`. 0, or -EINVAL with @why: a field that is read and may not be
 * absent has no column, or two, or the header is broken. To @notes goes what is
 * worth a look, a line each: other fields without a column, and columns that
 * are no field, which are passed over.
 */
int decoder_csv_header(struct decoder *decoder, const char *line, size_t len,
		       struct buf *notes, struct buf *why);
/* Which of the columns is the field, -1: none. */
int32_t header_find(const struct stream *stream, const struct field *field,
		    const char *const *columns, size_t n);
