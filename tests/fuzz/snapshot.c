/*
 * A state with keys, alerts, ids and a table, as engine_save() wrote it, with
 * bytes changed, and its pages with bytes changed too: it is taken or refused.
 * Where it is taken, cells of every size can be had and given back.
 */
#include "base/pages.h"
#include "engine/engine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ruleset *rules;
static struct engine *original;
static struct buf saved;
static const struct engine_options options = { .seed = 1, .shadow = true };

static const char text[] =
	"apiversion: 1\n"
	"package: f\n"
	"streams:\n"
	"  pays: {topic: pays, time: at, id: nr, fields: {nr: string, unit: "
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
	"  alert_if: cnt >= 3 && has(known(unit))\n"
	"- rule: big\n"
	"  from: pays\n"
	"  by: [unit]\n"
	"  alert_if: amount > 90\n"
	"  review_within: 2d\n";

static void load_rules(void) {
	char dir[] = "/tmp/tocsin-fuzz-XXXXXX", file[96];
	const char *paths[] = { file };
	struct diag diag = { 0 };
	FILE *out;

	assert(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/rules.yaml", dir);
	out = fopen(file, "w");
	assert(out);
	fputs(text, out);
	fclose(out);
	assert(ruleset_load(&rules, paths, 1, &(struct ruleset_options){ 0 },
			    &diag) == 0);
	diag_free(&diag);
	unlink(file);
	rmdir(dir);
}

static void take(struct decoder *decoder, struct arena *arena, int i) {
	struct event *event = arena_new(arena, struct event);
	char json[160];

	snprintf(json, sizeof(json),
		 "{\"nr\":\"N%d\",\"unit\":\"U%d\",\"amount\":%d,"
		 "\"at\":\"2026-03-02T%02d:%02d:00Z\"}",
		 i, i * 7 % 90, i * 13 % 100, i / 60, i % 60);
	event->stream = rules->streams[0];
	event->at.topic = event->stream->topic;
	event->at.offset = i;
	event->timestamp_ms = -1;
	decoder_decode(decoder, event, arena_strdup(arena, json), strlen(json),
		       false, arena);
	assert(engine_run(original, &event, 1, 0) == 1);
}

static void prepare(void) {
	struct decoder *decoder;
	struct arena arena = { 0 };

	if (original)
		return;
	load_rules();
	assert(decoder_new(&decoder, rules->streams[0], 1) == 0);
	assert(engine_new(&original, rules, &options) == 0);
	for (int i = 0; i < 600; i++)
		take(decoder, &arena, i);
	decoder_free(decoder);
	arena_free(&arena);
	engine_save(original, &saved);
}

/* Patches of two bytes of place and one of value. */
struct patches {
	const uint8_t *data;
	size_t size;
};

static void patch(const struct patches *patches, uint8_t *bytes, size_t len) {
	const uint8_t *at = patches->data;

	for (size_t i = 0; i + 3 <= patches->size; i += 3)
		bytes[(at[i] | (size_t)at[i + 1] << 8) % len] = at[i + 2];
}

static int give_page(void *context, uint32_t number, uint8_t *bytes) {
	const struct pages *pages = engine_pages(original);

	if (number >= pages->n)
		return -1;
	memcpy(bytes, pages_at(pages, number), PAGE_BYTES);
	if (context)
		patch(context, bytes, PAGE_BYTES);
	return 0;
}

static void use_cells(struct pages *pages) {
	handle_t cells[2 * CELL_MAX / 1024];
	size_t n = 0;

	for (size_t size = 16; size <= CELL_MAX; size += 1024)
		cells[n++] = pages_alloc(pages, size);
	while (n)
		pages_release(pages, cells[--n]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct patches patches;
	struct engine *engine;
	struct buf bytes = { 0 };
	bool of_pages;

	if (!size)
		return 0;
	prepare();
	of_pages = data[0] & 1;
	patches = (struct patches){ data + 1, size - 1 };
	buf_add(&bytes, saved.data, saved.len);
	if (!of_pages)
		patch(&patches, (uint8_t *)bytes.data, bytes.len);
	if (engine_restore(&engine, rules, &options, bytes.data, bytes.len,
			   give_page, of_pages ? &patches : NULL) == 0) {
		use_cells(engine_pages(engine));
		engine_free(engine);
	}
	buf_free(&bytes);
	return 0;
}
