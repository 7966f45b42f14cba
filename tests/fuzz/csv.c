/*
 * Any bytes as CSV: the first line is the header, each other a row. A row is
 * kept or refused with a reason, never more, and the same row means the same
 * whatever came before it.
 */
#include "base/text.h"
#include "event/decoder.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 5 };

static struct arena eternal;
static struct calendar calendar;
static struct charset charset;
static struct field fields[FIELDS];
static struct stream stream;

static void add(const char *name, const char *path, uint8_t kind,
		bool optional) {
	struct field *field = &fields[stream.n_fields++];

	*field = (struct field){
		.name = name,
		.path = path,
		.type = { .kind = kind, .optional = optional },
		.used = true,
		.slot = stream.n_slots++,
	};
	if (kind == KIND_LIST)
		field->type.elem = KIND_STRING;
}

static void prepare(void) {
	if (stream.n_fields)
		return;
	assert(calendar_init(&calendar, "cn", "Asia/Shanghai", &eternal) == 0);
	assert(charset_load(&charset, CHARSET_GB18030, &eternal) == 0);
	add("at", "/at", KIND_DATE, false);
	fields[0].time_form = TIME_DATE;
	add("id", "the id", KIND_STRING, true);
	add("n", "/n~1m", KIND_INT, true);
	add("memo", "/memo", KIND_STRING, true);
	add("tags", "/tags", KIND_LIST, true);
	stream.name = "fuzz";
	stream.calendar = &calendar;
	stream.fields = fields;
	stream.time = &fields[0];
	stream.format = FORMAT_CSV;
	stream.max_bytes = 1 << 16;
}

/* In memory of its own: a read beyond the row shows. */
static enum refusal decode(struct decoder *decoder, struct event *event,
			   const char *row, size_t len, struct arena *batch) {
	char *copy = malloc(len + 1);
	enum refusal refusal;

	memcpy(copy, row, len);
	*event = (struct event){ .stream = &stream, .timestamp_ms = -1 };
	decoder_decode(decoder, event, copy, len, false, batch);
	refusal = event->refusal;
	for (int i = 0; i < FIELDS && !refusal; i++)
		if (event->slots[i].kind == KIND_STRING)
			assert(utf8_is_valid(event->slots[i].s,
					     event->slots[i].len));
	free(copy);
	return refusal;
}

static void try_rows(struct decoder *decoder, const char *s, const char *end) {
	struct arena batch = { 0 };

	while (s < end) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));
		size_t len = (size_t)((stop ? stop : end) - s);
		struct event first, again;

		assert(decode(decoder, &first, s, len, &batch) ==
		       decode(decoder, &again, s, len, &batch));
		assert(first.time == again.time);
		assert(first.payload_hash == again.payload_hash);
		s += len + 1;
	}
	arena_free(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct buf notes = { 0 }, why = { 0 };
	struct decoder *decoder;
	const char *s = (const char *)data + 1;
	const char *stop, *end = (const char *)data + size;

	if (size < 2)
		return 0;
	prepare();
	stream.charset = data[0] & 1 ? &charset : NULL;
	stream.delimiter = data[0] & 2 ? ';' : 0;
	assert(decoder_new(&decoder, &stream, 7) == 0);
	stop = memchr(s, '\n', (size_t)(end - s));
	if (!stop)
		stop = end;
	if (decoder_csv_header(decoder, s, (size_t)(stop - s), &notes, &why))
		assert(why.len);
	else
		assert(!why.len);
	if (stop < end)
		try_rows(decoder, stop + 1, end);
	decoder_free(decoder);
	buf_free(&notes);
	buf_free(&why);
	return 0;
}
