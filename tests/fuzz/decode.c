/*
 * Any bytes as an event: kept or refused with a reason, never more.
 *
 * One decoder lives through the whole run, so that what it learns from one
 * document meets the next; a fresh one must say the same of the same bytes.
 */
#include "base/text.h"
#include "event/decoder.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 8 };

static struct arena eternal;
static struct calendar calendar;
static struct field fields[FIELDS];
static struct stream stream;
static struct decoder *seasoned;

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
	if (kind == KIND_MONEY)
		field->type.unit = (uint16_t)currency_find("CNY", 3);
	if (kind == KIND_LIST)
		field->type.elem = KIND_STRING;
}

static void prepare(void) {
	if (seasoned)
		return;
	assert(calendar_init(&calendar, "cn", "Asia/Shanghai", &eternal) == 0);
	add("at", "/at", KIND_TIMESTAMP, false);
	add("id", "/id", KIND_STRING, false);
	add("sum", "/pay/sum", KIND_MONEY, false);
	add("n", "/n", KIND_INT, true);
	add("x", "/x", KIND_DOUBLE, true);
	add("ok", "/ok", KIND_BOOL, true);
	add("day", "/day", KIND_DATE, true);
	add("tags", "/tags", KIND_LIST, true);
	stream.name = "fuzz";
	stream.calendar = &calendar;
	stream.fields = fields;
	stream.time = &fields[0];
	stream.id = &fields[1];
	stream.max_bytes = 1 << 16;
	assert(decoder_new(&seasoned, &stream, 7) == 0);
}

static bool same(struct value a, struct value b) {
	if (a.kind != b.kind)
		return false;
	switch (a.kind) {
	case KIND_MISSING:
		return a.reason == b.reason;
	case KIND_STRING:
		return a.len == b.len && !memcmp(a.s, b.s, a.len);
	case KIND_LIST:
		for (uint32_t i = 0; i < a.len && a.len == b.len; i++)
			if (!same(a.list[i], b.list[i]))
				return false;
		return a.len == b.len;
	default:
		return a.i == b.i && a.unit == b.unit;
	}
}

/* The same bytes in another encoding: what is kept is UTF-8. */
static void try_encoding(enum charset_kind kind, const char *payload,
			 size_t size) {
	static struct charset charsets[CHARSET_MAX];
	static struct decoder *decoders[CHARSET_MAX];
	static struct stream streams[CHARSET_MAX];
	struct event event = { .stream = &streams[kind], .timestamp_ms = -1 };
	struct arena batch = { 0 };

	if (!decoders[kind]) {
		assert(charset_load(&charsets[kind], kind, &eternal) == 0);
		streams[kind] = stream;
		streams[kind].charset = &charsets[kind];
		assert(decoder_new(&decoders[kind], &streams[kind], 7) == 0);
	}
	decoder_decode(decoders[kind], &event, payload, size, false, &batch);
	for (int i = 0; i < FIELDS && !event.refusal; i++)
		if (event.slots[i].kind == KIND_STRING)
			assert(utf8_is_valid(event.slots[i].s,
					     event.slots[i].len));
	arena_free(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct event events[2];
	struct decoder *fresh;
	struct arena batch = { 0 };
	/* Exactly as many bytes as there are: a read beyond them shows. */
	char *payload = malloc(size + 1);

	prepare();
	memcpy(payload, data, size);
	assert(decoder_new(&fresh, &stream, 7) == 0);
	for (int i = 0; i < 2; i++) {
		events[i] =
			(struct event){ .stream = &stream, .timestamp_ms = -1 };
		decoder_decode(i ? fresh : seasoned, &events[i], payload, size,
			       false, &batch);
	}
	assert(events[0].refusal == events[1].refusal);
	assert(events[0].payload_hash == events[1].payload_hash);
	if (!events[0].refusal) {
		assert(events[0].time == events[1].time);
		for (int i = 0; i < FIELDS; i++)
			assert(same(events[0].slots[i], events[1].slots[i]));
	} else {
		assert(refusal_name(events[0].refusal));
	}
	try_encoding(CHARSET_GB18030, payload, size);
	try_encoding(CHARSET_LATIN1, payload, size);
	decoder_free(fresh);
	arena_free(&batch);
	free(payload);
	return 0;
}
