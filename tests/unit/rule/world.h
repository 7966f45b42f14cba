/*
 * World: rules from text, in a folder of their own, loaded.
 */
#pragma once

#include "rule/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

struct world {
	char folder[64];
	char files[8][128];
	size_t n_files;
	struct diag diag;
	struct ruleset *set;
};

static inline int setup(void **state) {
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		return -1;
	snprintf(world->folder, sizeof(world->folder),
		 "/tmp/tocsin-rule-XXXXXX");
	*state = world;
	return mkdtemp(world->folder) ? 0 : -1;
}

static inline int teardown(void **state) {
	struct world *world = *state;

	ruleset_free(world->set);
	diag_free(&world->diag);
	for (size_t i = 0; i < world->n_files; i++)
		unlink(world->files[i]);
	rmdir(world->folder);
	free(world);
	return 0;
}

static inline void put_file(struct world *world, const char *name,
			    const char *text) {
	char path[sizeof(world->files[0])];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", world->folder, name);
	memcpy(world->files[world->n_files++], path, sizeof(path));
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static inline int load_with(struct world *world,
			    const struct ruleset_options *options) {
	const char *paths[] = { world->folder };
	struct ruleset *set = NULL;
	int r = ruleset_load(&set, paths, 1, options, &world->diag);

	ruleset_free(world->set);
	world->set = set;
	return r;
}

/* All complaints, one a line: file:line:column+width code text. */
static inline void complaints(const struct world *world, struct buf *out) {
	for (size_t i = 0; i < world->diag.n; i++) {
		const struct complaint *item = &world->diag.items[i];
		const struct place *at = &item->place;
		const char *name =
			at->source ? strrchr(at->source->path, '/') : NULL;

		buf_printf(out, "%s:%u:%u+%u %s %s\n", name ? name + 1 : "",
			   at->line, at->column, at->width, item->code,
			   item->text);
	}
}

static inline void expect(const struct world *world, const char *want) {
	CLEANUP(buf_free) struct buf got = { 0 };

	complaints(world, &got);
	assert_string_equal(buf_cstr(&got), want);
}

/* Loads, and shows the complaints if there are any. */
static inline void load(struct world *world) {
	CLEANUP(buf_free) struct buf got = { 0 };

	load_with(world, NULL);
	diag_print(&world->diag, &got, false);
	if (!world->set)
		print_message("%s", buf_cstr(&got));
	assert_non_null(world->set);
}

static inline const struct rule *rule(const struct world *world,
				      const char *name) {
	for (size_t i = 0; i < world->set->n_rules; i++)
		if (!strcmp(world->set->rules[i]->name, name))
			return world->set->rules[i];
	fail_msg("no rule %s", name);
	abort();
}

/* What the rules of these tests are about; 18 lines. */
#define STREAMS                                                                \
	"apiversion: 1\n"                                                      \
	"package: p\n"                                                         \
	"calendars: {cn: {tz: Asia/Shanghai}}\n"                               \
	"streams:\n"                                                           \
	"  payments:\n"                                                        \
	"    topic: fin.payments\n"                                            \
	"    time: paid_at\n"                                                  \
	"    max_delay: 3d\n"                                                  \
	"    id: doc\n"                                                        \
	"    fields:\n"                                                        \
	"      doc: string\n"                                                  \
	"      unit: string\n"                                                 \
	"      payee: {type: string, mask: last4}\n"                           \
	"      amount: money(CNY)\n"                                           \
	"      state: enum[open, paid, void]\n"                                \
	"      memo: string optional\n"                                        \
	"      bidders: int\n"                                                 \
	"      paid_at: timestamp\n"
