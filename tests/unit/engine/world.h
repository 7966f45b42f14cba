/*
 * A world for the engine: rules from text, events from JSON, alerts as lines.
 *
 *   fired yellow firing U-1 @2026-03-02T00:00:00Z {"total":"12.00"}
 */
#pragma once

#include "engine/engine.h"

#include "base/util.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	struct ruleset *set;
	struct engine *engine;
	struct decoder *decoders[8];
	struct arena arena;
	struct buf out;
	int64_t offsets[8][4];
	char dir[64];
};

/* What most tests declare: payments of units in yuan, named by no id. */
#define WORLD_STREAMS                                                          \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars:\n"                                                         \
	"  cn: {tz: Asia/Shanghai}\n"                                          \
	"streams:\n"                                                           \
	"  pays:\n"                                                            \
	"    topic: pays\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: 0s\n"                                                  \
	"    fields: {unit: string, payee: string optional, amount: "          \
	"money(CNY), x: double optional, n: int optional, at: timestamp}\n"

static inline void world_write(const char *dir, const char *name,
			       const char *text) {
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* A file beside the rules: a table, a calendar. */
struct world_file {
	const char *name, *text;
};

static inline void world_remove(const char *dir, const char *name) {
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

/* Loads rules with files beside them; the complaints, or NULL. Freed by who
 * calls. */
static inline char *world_try(struct world *world, const char *yaml,
			      const struct world_file *files, size_t n) {
	struct ruleset_options options = { 0 };
	struct diag diag = { 0 };
	struct buf text = { 0 };
	const char *paths[1];
	char path[128], *complaints = NULL;
	size_t i;

	*world = (struct world){ 0 };
	strcpy(world->dir, "/tmp/tocsin-engine-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	world_write(world->dir, "rules.yaml", yaml);
	for (i = 0; i < n; i++)
		world_write(world->dir, files[i].name, files[i].text);
	snprintf(path, sizeof(path), "%s/rules.yaml", world->dir);
	paths[0] = path;
	if (ruleset_load(&world->set, paths, 1, &options, &diag) < 0) {
		diag_print(&diag, &text, false);
		complaints = strdup(buf_cstr(&text));
	}
	buf_free(&text);
	diag_free(&diag);
	for (i = 0; i < n; i++)
		world_remove(world->dir, files[i].name);
	world_remove(world->dir, "rules.yaml");
	rmdir(world->dir);
	return complaints;
}

static inline void world_load_with(struct world *world, const char *yaml,
				   const struct world_file *files, size_t n) {
	char *complaints = world_try(world, yaml, files, n);
	size_t i;

	if (complaints)
		fail_msg("%s", complaints);
	for (i = 0; i < world->set->n_streams; i++)
		assert_int_equal(decoder_new(&world->decoders[i],
					     world->set->streams[i], 1),
				 0);
}

static inline void world_load(struct world *world, const char *yaml) {
	world_load_with(world, yaml, NULL, 0);
}

/* The loader says no, and says this. */
static inline void assert_refused(const char *yaml, const char *saying) {
	struct world world;
	char *complaints = world_try(&world, yaml, NULL, 0);

	assert_non_null(complaints);
	if (!strstr(complaints, saying))
		fail_msg("not `%s`: %s", saying, complaints);
	free(complaints);
}

static inline void world_start(struct world *world,
			       const struct engine_options *options) {
	struct engine_options defaults = { .shadow = true, .seed = 1 };
	struct decision catch_up = { .kind = DECISION_CATCH_UP };

	assert_int_equal(engine_new(&world->engine, world->set,
				    options ? options : &defaults),
			 0);
	assert_true(engine_decide(world->engine, &catch_up));
}

static inline void world_open(struct world *world, const char *yaml) {
	world_load(world, yaml);
	world_start(world, NULL);
}

static inline void world_open_with(struct world *world, const char *yaml,
				   const struct world_file *files, size_t n) {
	world_load_with(world, yaml, files, n);
	world_start(world, NULL);
}

static inline void world_close(struct world *world) {
	size_t i;

	engine_free(world->engine);
	for (i = 0; i < ARRAY_SIZE(world->decoders); i++)
		decoder_free(world->decoders[i]);
	ruleset_free(world->set);
	arena_free(&world->arena);
	buf_free(&world->out);
}

static inline struct event *world_event_in(struct world *world,
					   const char *stream,
					   int32_t partition,
					   const char *json) {
	const struct stream *s = ruleset_stream(world->set, stream);
	struct event *event = arena_new(&world->arena, struct event);

	assert_non_null(s);
	event->stream = s;
	event->at.topic = s->topic;
	event->at.partition = partition;
	event->at.offset = world->offsets[s->index][partition]++;
	event->timestamp_ms = -1;
	decoder_decode(world->decoders[s->index], event,
		       arena_strdup(&world->arena, json), strlen(json), false,
		       &world->arena);
	return event;
}

static inline struct event *world_event(struct world *world, const char *stream,
					const char *json) {
	return world_event_in(world, stream, 0, json);
}

static inline void world_take_in(struct world *world, const char *stream,
				 int32_t partition, const char *json) {
	struct event *event = world_event_in(world, stream, partition, json);

	assert_int_equal(engine_run(world->engine, &event, 1, 0), 1);
}

static inline void world_take(struct world *world, const char *json) {
	world_take_in(world, "pays", 0, json);
}

/* pay(world, "U-1", "12.00", "2026-03-02", ",\"payee\":\"P\"") */
static inline void pay_with(struct world *world, const char *unit,
			    const char *amount, const char *at,
			    const char *more) {
	char json[512];

	snprintf(json, sizeof(json),
		 "{\"unit\":\"%s\",\"amount\":%s,\"at\":\"%s\"%s}", unit,
		 amount, at, more);
	world_take(world, json);
}

static inline void pay(struct world *world, const char *unit,
		       const char *amount, const char *at) {
	pay_with(world, unit, amount, at, "");
}

static inline usec_t instant(const char *text) {
	usec_t at;

	assert_int_equal(time_parse_rfc3339(&at, text, strlen(text)), 0);
	return at;
}

static inline void advance(struct world *world, const char *at) {
	struct decision decision = { .kind = DECISION_ADVANCE,
				     .at = instant(at) };

	assert_true(engine_decide(world->engine, &decision));
}

static inline void world_decide(struct world *world, enum decision_kind kind,
				const char *topic, int32_t partition) {
	struct decision decision = { .kind = kind,
				     .topic = topic,
				     .partition = partition };

	assert_true(engine_decide(world->engine, &decision));
}

static inline const struct rule_counters *counters(const struct world *world) {
	return engine_rule_counters(world->engine, 0);
}

static inline void write_now(struct buf *out, const struct outbox_item *item) {
	const char *now = strstr(item->json, "\"now\":"), *end;

	assert_non_null(now);
	end = strchr(now, '}');
	assert_non_null(end);
	buf_add(out, now + 6, (size_t)(end - now - 5));
}

/* All alerts since the last call, a line each. */
static inline const char *alerts(struct world *world) {
	struct outbox *outbox = engine_outbox(world->engine);
	struct buf *out = &world->out;
	size_t i;

	buf_reset(out);
	for (i = 0; i < outbox->n; i++) {
		const struct outbox_item *item = outbox_at(outbox, i);

		buf_printf(out, "%s %s %s %s %s @",
			   alert_change_name(item->change),
			   alert_why_name(item->why), level_name(item->level),
			   alert_state_name(item->state), item->key);
		time_format_rfc3339(out, item->at, NULL);
		buf_putc(out, ' ');
		write_now(out, item);
		buf_putc(out, '\n');
	}
	outbox_drop(outbox, outbox->n);
	return buf_cstr(out);
}

#define assert_alerts(world, expected)                                         \
	assert_string_equal(alerts(world), expected)
