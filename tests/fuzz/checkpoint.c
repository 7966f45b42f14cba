/*
 * Any bytes as a manifest whose CRC is right, and a state that engine_save()
 * wrote with some bytes of it and of its pages changed or cut off: both are
 * taken or refused, nothing else. An unchanged one is taken as it was.
 */
#include "lane/checkpoint.h"
#include "base/hash.h"
#include "engine/engine.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64], path[96];
static struct ruleset *rules;
static struct buf saved;
static uint8_t *pages;
static uint32_t n_pages;
static const struct engine_options options = { .seed = 1 };

static const char text[] =
	"apiversion: 1\n"
	"package: f\n"
	"streams:\n"
	"  pays: {topic: pays, time: at, id: nr, max_delay: 0s, fields: {nr: "
	"string, unit: "
	"string, amount: int, at: timestamp}}\n"
	"tables:\n"
	"  known: {stream: pays, key: unit}\n"
	"calendars: {cn: {tz: Asia/Shanghai}}\n"
	"rules:\n"
	"- rule: many\n"
	"  from: pays\n"
	"  by: [unit]\n"
	"  window: 1h\n"
	"  measure: {cnt: count(), top: max(amount)}\n"
	"  alert_if: cnt >= 3 && has(known(unit))\n";

static void clean_up(void) {
	unlink(path);
	rmdir(dir);
}

static void load_rules(void) {
	char file[96];
	const char *paths[] = { file };
	struct diag diag = { 0 };
	FILE *out;

	snprintf(file, sizeof(file), "%s/rules.yaml", dir);
	out = fopen(file, "w");
	assert(out);
	fputs(text, out);
	fclose(out);
	assert(ruleset_load(&rules, paths, 1, &(struct ruleset_options){ 0 },
			    &diag) == 0);
	diag_free(&diag);
	unlink(file);
}

/*
 * Enough keys, ids, windows and timers that pages of cells, indexes that
 * outgrew a cell and a heap stand in what is saved.
 */
static void feed(struct engine *engine) {
	const struct stream *stream = rules->streams[0];
	struct arena arena = { 0 };
	struct decoder *decoder;

	assert(decoder_new(&decoder, stream, 1) == 0);
	for (int i = 0; i < 4000; i++) {
		struct event event = { .stream = stream,
				       .at = { stream->topic, 0, i },
				       .timestamp_ms = -1 };
		struct event *one = &event;
		const char *json = arena_printf(
			&arena,
			"{\"nr\":\"n%d\",\"unit\":\"u%d\",\"amount\":%d,"
			"\"at\":\"2026-03-02T0%d:%02d:00Z\"}",
			i, i % 900, i, i / 600, i / 10 % 60);

		decoder_decode(decoder, &event, json, strlen(json), false,
			       &arena);
		assert(engine_run(engine, &one, 1, 0) == 1);
		outbox_drop(engine_outbox(engine), engine_outbox(engine)->n);
		arena_reset(&arena);
	}
	decoder_free(decoder);
	arena_free(&arena);
}

static void keep(struct engine *engine) {
	const struct pages *from = engine_pages(engine);

	engine_save(engine, &saved);
	n_pages = from->n;
	pages = malloc((size_t)n_pages * PAGE_BYTES);
	assert(n_pages > 4 && pages);
	memcpy(pages, pages_at(from, 0), (size_t)n_pages * PAGE_BYTES);
}

static void prepare(void) {
	struct engine *engine;

	if (rules)
		return;
	snprintf(dir, sizeof(dir), "/tmp/tocsin-fuzz-XXXXXX");
	assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/manifest-00000001", dir);
	atexit(clean_up);
	load_rules();
	assert(engine_new(&engine, rules, &options) == 0);
	feed(engine);
	keep(engine);
	engine_free(engine);
}

struct input {
	const uint8_t *data;
	size_t size;
};

/* Pages as they were, but for the bytes that the input has for them. */
static int page_of(void *context, uint32_t number, uint8_t *bytes) {
	const struct input *input = context;

	if (number < n_pages)
		memcpy(bytes, pages + (size_t)number * PAGE_BYTES, PAGE_BYTES);
	for (size_t i = 0; i + 4 <= input->size; i += 4)
		if (input->data[i] & 1)
			bytes[input->data[i + 1] | (size_t)input->data[i + 2]
							   << 8] =
				input->data[i + 3];
	return 0;
}

/*
 * Pieces of four bytes: of the pages, or of what stands beside them; a place;
 * what is written there.
 */
static void patch(struct buf *bytes, const struct input *input) {
	size_t place;

	for (size_t i = 0; i + 4 <= input->size; i += 4) {
		place = (input->data[i] >> 2 & 0x3fu) << 16 |
			(size_t)input->data[i + 2] << 8 | input->data[i + 1];
		if (input->data[i] & 1)
			continue;
		if (input->data[i] & 2)
			bytes->len -= place % bytes->len;
		else
			bytes->data[place % bytes->len] =
				(char)input->data[i + 3];
	}
}

static void is_as_it_was(const struct engine *engine) {
	struct buf again = { 0 };

	engine_save(engine, &again);
	assert(again.len == saved.len &&
	       !memcmp(again.data, saved.data, saved.len));
	buf_free(&again);
}

static void restore(const uint8_t *data, size_t size) {
	struct input input = { data, size };
	struct engine *engine;
	struct buf bytes = { 0 };
	int r;

	buf_add(&bytes, saved.data, saved.len);
	patch(&bytes, &input);
	r = engine_restore(&engine, rules, &options, bytes.data, bytes.len,
			   page_of, &input);
	assert(size >= 4 || r == 0);
	if (r == 0 && size < 4)
		is_as_it_was(engine);
	if (r == 0)
		engine_free(engine);
	buf_free(&bytes);
}

static void open_manifest(const uint8_t *data, size_t size) {
	static const uint64_t head[] = { UINT64_C(0x314b434e4953434f),
					 CHECKPOINT_VERSION, 1 };
	struct checkpoint *checkpoint;
	struct buf bytes = { 0 }, why = { 0 };
	uint8_t *page = malloc(PAGE_BYTES);
	uint32_t crc;
	int fd;

	buf_add(&bytes, head, sizeof(head));
	buf_add(&bytes, data, size);
	crc = crc32c(0, bytes.data, bytes.len);
	buf_add(&bytes, &crc, sizeof(crc));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert(fd >= 0 &&
	       write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
	close(fd);
	if (checkpoint_open(&checkpoint, dir, 1, &why) == 0) {
		for (uint32_t i = 0; i < checkpoint_pages(checkpoint); i++)
			assert(checkpoint_page(checkpoint, i, page) < 0);
		checkpoint_close(checkpoint);
	}
	free(page);
	buf_free(&bytes);
	buf_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (!size)
		return 0;
	prepare();
	if (data[0] & 1)
		open_manifest(data + 1, size - 1);
	else
		restore(data + 1, size - 1);
	return 0;
}
