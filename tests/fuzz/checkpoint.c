/*
 * Any bytes as a manifest whose CRC is right, and a state that engine_save()
 * wrote with some bytes changed: both are taken or refused, nothing else.
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
static const struct engine_options options = { .seed = 1 };

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
	engine_save(engine, &saved);
	engine_free(engine);
}

static int no_page(void *context, uint32_t number, uint8_t *bytes) {
	(void)context;
	memset(bytes, (int)number, PAGE_BYTES);
	return 0;
}

/* Patches of two bytes of place and one of value. */
static void restore(const uint8_t *data, size_t size) {
	struct engine *engine;
	struct buf bytes = { 0 };

	buf_add(&bytes, saved.data, saved.len);
	for (size_t i = 0; i + 3 <= size; i += 3)
		bytes.data[(data[i] | (size_t)data[i + 1] << 8) % bytes.len] =
			(char)data[i + 2];
	if (engine_restore(&engine, rules, &options, bytes.data, bytes.len,
			   no_page, NULL) == 0)
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
