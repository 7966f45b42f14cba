/*
 * A world for a lane: a log and a sink in memory, and a folder for its state.
 *
 * The log outlives lanes, so a lane that is freed and made again finds what
 * Kafka would still have. The sink keeps what it was given beside its fence
 * and drops what it has, as the script in Redis does.
 */
#pragma once

#include "lane/journal.h"
#include "lane/lane.h"
#include "lane/statedir.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PARTITIONS 2
#define RECORDS 20000
#define NOON INT64_C(1767225600) /* 2026-01-01T00:00:00Z */

struct log_partition {
	struct feed_partition is;
	char *payloads[RECORDS];
	size_t n;
	bool started, hangs; /* has more, but sends nothing */
	size_t at;
};

struct memory_sink {
	enum sink_state state;
	struct sink_fence fence;
	bool away;
	char *entries[RECORDS]; /* by seq - 1 */
	size_t n_entries;
	struct coordinates dead[RECORDS];
	uint64_t dead_ordinals[RECORDS];
	size_t n_dead;
	size_t acked_items, acked_dead;
	struct sink_counters counters;
};

struct world {
	char dir[64];
	char state[80];
	char rules_path[96];
	struct ruleset *rules;
	struct log_partition log[PARTITIONS];
	size_t n_partitions;
	struct memory_sink sink;
	uint8_t rules_hash;
	size_t outbox;
	bool loss_halts;
	enum gap_policy on_gap;
	usec_t checkpoint_every, journal_keep, sent_keep;
	uint64_t replay_most;
	bool archives;
	int64_t later; /* microseconds by which the clocks are ahead */
	int stop_fd;
	struct lane *lane;
	const char *reported; /* why it is not ready, as it said last */
	struct buf delivered; /* "seq change level;" of each */
};

static struct world world;

/* The log. */

static int log_fd(const void *self) {
	(void)self;
	return -1;
}

static void log_nothing(void *self) {
	(void)self;
}

static bool log_settled(const void *self) {
	(void)self;
	return true;
}

static size_t log_n(const void *self) {
	(void)self;
	return world.n_partitions;
}

static const struct feed_partition *log_partition(const void *self, size_t i) {
	(void)self;
	return &world.log[i].is;
}

static int log_start(void *self, size_t i, int64_t offset) {
	struct log_partition *p = &world.log[i];

	(void)self;
	p->started = true;
	p->is.at_end = false;
	p->is.gone = offset < p->is.low || offset > (int64_t)p->n;
	p->at = (size_t)offset;
	return 0;
}

static size_t log_read(void *self, size_t i, struct feed_record *records,
		       size_t n) {
	struct log_partition *p = &world.log[i];
	size_t taken = 0;

	(void)self;
	if (p->hangs || p->is.gone || p->is.missing)
		return 0;
	/* In small helpings, so that batches end anywhere. */
	while (taken < n && taken < 37 && p->at < p->n) {
		records[taken++] = (struct feed_record){
			.payload = p->payloads[p->at],
			.len = strlen(p->payloads[p->at]),
			.offset = (int64_t)p->at,
			.timestamp_ms = -1,
		};
		p->at++;
	}
	p->is.at_end = !taken;
	p->is.high = (int64_t)p->n;
	return taken;
}

static void log_release(void *self, struct feed_record *records, size_t n) {
	(void)self;
	(void)records;
	(void)n;
}

static void log_acknowledge(void *self, size_t i, int64_t offset) {
	(void)self;
	(void)i;
	(void)offset;
}

static const char *log_trouble(const void *self) {
	(void)self;
	return NULL;
}

static const struct feed_class log_class = {
	.name = "log",
	.fd = log_fd,
	.quieten = log_nothing,
	.serve = log_nothing,
	.settled = log_settled,
	.n_partitions = log_n,
	.partition = log_partition,
	.start = log_start,
	.read = log_read,
	.release = log_release,
	.acknowledge = log_acknowledge,
	.trouble = log_trouble,
};

/* The sink. */

static int sink_fd(const void *self) {
	(void)self;
	return -1;
}

static unsigned sink_events(const void *self) {
	(void)self;
	return 0;
}

static int64_t sink_wake(const void *self) {
	(void)self;
	return INT64_MAX;
}

static void sink_serve(void *self, int64_t now) {
	struct memory_sink *sink = self;

	(void)now;
	if (sink->away)
		sink->state = SINK_AWAY;
	else if (sink->state == SINK_AWAY)
		sink->state = SINK_MET;
}

static enum sink_state sink_state(const void *self) {
	return ((const struct memory_sink *)self)->state;
}

static const struct sink_fence *sink_fence(const void *self) {
	return &((const struct memory_sink *)self)->fence;
}

static void sink_claim(void *self, uint64_t epoch, const uint8_t rules[32]) {
	struct memory_sink *sink = self;

	(void)rules;
	sink->state = epoch < sink->fence.epoch ? SINK_FENCED : SINK_OPEN;
	if (sink->state == SINK_OPEN)
		sink->fence.epoch = epoch;
}

static void sink_ask(void *self, const uint8_t *ids, size_t n) {
	(void)self;
	(void)ids;
	(void)n;
}

static void sink_forget(void *self) {
	(void)self;
}

static bool sink_records(const void *self, const char *const **records,
			 const size_t **lens, size_t *n) {
	(void)self;
	*records = NULL;
	*lens = NULL;
	*n = 0;
	return true;
}

static void sink_send(void *self, const struct outbox *outbox, size_t items,
		      size_t dead, int64_t now) {
	struct memory_sink *sink = self;

	(void)now;
	if (sink->state != SINK_OPEN)
		return;
	for (size_t i = sink->acked_items; i < items; i++) {
		const struct outbox_item *item = outbox_at(outbox, i);

		if (item->seq <= sink->fence.mark)
			continue;
		assert_int_equal(item->seq, sink->fence.mark + 1);
		sink->entries[sink->n_entries++] = strdup(item->json);
		sink->fence.mark = item->seq;
		memcpy(sink->fence.hash, item->hash, 32);
		sink->fence.has_hash = true;
	}
	for (size_t i = sink->acked_dead; i < dead; i++) {
		const struct dead_letter *letter = outbox_dead_at(outbox, i);

		if (letter->ordinal <= sink->fence.dead)
			continue;
		sink->dead_ordinals[sink->n_dead] = letter->ordinal;
		sink->dead[sink->n_dead++] = letter->at;
		sink->fence.dead = letter->ordinal;
	}
	sink->fence.exists = true;
	sink->acked_items = items;
	sink->acked_dead = dead;
}

static void sink_acknowledged(void *self, size_t *items, size_t *dead) {
	struct memory_sink *sink = self;

	*items = sink->acked_items;
	*dead = sink->acked_dead;
	sink->acked_items = sink->acked_dead = 0;
}

static void sink_drop(void *self) {
	struct memory_sink *sink = self;

	sink->acked_items = sink->acked_dead = 0;
	if (sink->state != SINK_FENCED)
		sink->state = SINK_AWAY;
}

static void sink_status(void *self, const char *const *pairs, size_t n) {
	(void)self;
	(void)pairs;
	(void)n;
}

static const struct sink_counters *sink_counters(const void *self) {
	return &((const struct memory_sink *)self)->counters;
}

/* As after a FLUSHALL. */
static inline void empty_sink(void) {
	for (size_t i = 0; i < world.sink.n_entries; i++)
		free(world.sink.entries[i]);
	world.sink.n_entries = world.sink.n_dead = 0;
	world.sink.fence = (struct sink_fence){ 0 };
}

static const struct sink_class sink_class = {
	.name = "memory",
	.fd = sink_fd,
	.events = sink_events,
	.wake = sink_wake,
	.serve = sink_serve,
	.state = sink_state,
	.fence = sink_fence,
	.claim = sink_claim,
	.ask_records = sink_ask,
	.records = sink_records,
	.forget_records = sink_forget,
	.send = sink_send,
	.acknowledged = sink_acknowledged,
	.drop = sink_drop,
	.status = sink_status,
	.counters = sink_counters,
};

/* The world. */

static const char rule_text[] =
	"apiversion: 1\n"
	"package: test\n"
	"streams:\n"
	"  pays:\n"
	"    topic: pays\n"
	"    format: json\n"
	"    time: at\n"
	"    max_delay: 1m\n"
	"    idle_after: 10m\n"
	"    fields: {unit: string, n: int, at: {type: timestamp, format: "
	"epoch_s}}\n"
	"rules:\n"
	"- rule: many\n"
	"  title: {zh: 多, en: many}\n"
	"  from: pays\n"
	"  by: [unit]\n"
	"  window: 1h\n"
	"  measure: {cnt: count()}\n"
	"  alert_if: cnt >= 3\n"
	"  status: live\n";

static const char with_orders[] =
	"apiversion: 1\n"
	"package: test\n"
	"streams:\n"
	"  pays:\n"
	"    topic: pays\n"
	"    format: json\n"
	"    time: at\n"
	"    max_delay: 1m\n"
	"    fields: {unit: string, n: int, at: {type: timestamp, format: "
	"epoch_s}}\n"
	"  orders:\n"
	"    topic: orders\n"
	"    format: json\n"
	"    time: at\n"
	"    max_delay: 1m\n"
	"    fields: {unit: string, n: int, at: {type: timestamp, format: "
	"epoch_s}}\n"
	"rules:\n"
	"- rule: ordered\n"
	"  title: {zh: 多, en: many}\n"
	"  from: orders\n"
	"  by: [unit]\n"
	"  window: 1h\n"
	"  measure: {cnt: count()}\n"
	"  alert_if: cnt >= 3\n"
	"  status: live\n";

/* As the files are now; the caller frees. */
static struct ruleset *read_rules(void) {
	const char *const paths[] = { world.rules_path };
	struct ruleset *rules = NULL;
	struct buf out = { 0 };
	struct diag diag = { 0 };

	if (ruleset_load(&rules, paths, 1, &(struct ruleset_options){ 0 },
			 &diag) < 0) {
		diag_print(&diag, &out, false);
		fail_msg("%s", buf_cstr(&out));
	}
	diag_free(&diag);
	return rules;
}

static void write_text(const char *path, const char *text) {
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Judged by from now on; of another hash than the ones before. */
static void rules_are(const char *text) {
	ruleset_free(world.rules);
	world.rules_hash++;
	write_text(world.rules_path, text);
	world.rules = read_rules();
}

static int world_begin(void **state) {
	(void)state;
	memset(&world, 0, sizeof(world));
	snprintf(world.dir, sizeof(world.dir), "/tmp/tocsin-lane-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	snprintf(world.state, sizeof(world.state), "%s/state", world.dir);
	snprintf(world.rules_path, sizeof(world.rules_path), "%s/rules.yaml",
		 world.dir);
	rules_are(rule_text);
	world.n_partitions = PARTITIONS;
	world.stop_fd = -1;
	for (int32_t i = 0; i < PARTITIONS; i++)
		world.log[i].is = (struct feed_partition){ .topic = "pays",
							   .partition = i };
	return 0;
}

static int world_end(void **state) {
	char command[96];

	(void)state;
	lane_free(world.lane);
	for (size_t i = 0; i < PARTITIONS; i++)
		for (size_t k = 0; k < world.log[i].n; k++)
			free(world.log[i].payloads[k]);
	for (size_t i = 0; i < world.sink.n_entries; i++)
		free(world.sink.entries[i]);
	ruleset_free(world.rules);
	buf_free(&world.delivered);
	snprintf(command, sizeof(command), "rm -rf %s", world.dir);
	return system(command);
}

static void produce(size_t partition, const char *payload) {
	struct log_partition *p = &world.log[partition];

	p->payloads[p->n] = strdup(payload);
	p->is.high = (int64_t)++p->n;
}

/* One event, so many seconds after noon. */
static inline void pay(size_t partition, const char *unit, int64_t second) {
	char text[128];

	snprintf(text, sizeof(text), "{\"unit\":\"%s\",\"n\":1,\"at\":%lld}",
		 unit, (long long)(NOON + second));
	produce(partition, text);
}

static int64_t wall(void) {
	return (NOON + 86400) * USEC_PER_SEC + world.later;
}

static int64_t monotonic(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000 +
	       world.later;
}

static void on_report(void *context, const struct lane *lane) {
	struct lane_view view;

	(void)context;
	lane_view(lane, &view);
	world.reported = view.not_ready;
}

static void on_delivered(void *context, const struct outbox_item *item) {
	(void)context;
	buf_printf(&world.delivered, "%llu %s %s;",
		   (unsigned long long)item->seq,
		   alert_change_name(item->change), level_name(item->level));
}

static void lane_start(void) {
	struct lane_options options = {
		.rules = world.rules,
		.rules_hash = { world.rules_hash },
		.lane = "0",
		.state = world.state,
		.feed = { &log_class, &world },
		.sink = { &sink_class, &world.sink },
		.engine = { .outbox = world.outbox },
		.align_wait = 20 * USEC_PER_MSEC,
		.stop_timeout = 100 * USEC_PER_MSEC,
		.stop_fd = world.stop_fd,
		.wall_clock = true,
		.loss_halts = world.loss_halts,
		.on_gap = world.on_gap,
		.checkpoint_every = world.checkpoint_every,
		.checkpoint_memory = 1 << 20,
		.replay_most = world.replay_most,
		.journal_keep = world.journal_keep,
		.archives = world.archives,
		.archive_keep_s = INT32_MAX,
		.sent_keep = world.sent_keep,
		.sent_most = UINT64_MAX,
		.wall = wall,
		.monotonic = monotonic,
		.report = on_report,
		.delivered = on_delivered,
	};
	struct buf why = { 0 };

	world.sink.state = SINK_AWAY;
	world.sink.acked_items = world.sink.acked_dead = 0;
	assert_int_equal(lane_new(&world.lane, &options, &why), 0);
	buf_free(&why);
}

static void lane_stop(void) {
	lane_free(world.lane);
	world.lane = NULL;
}

static bool at_rest(void) {
	struct lane_view view;

	lane_view(world.lane, &view);
	if (view.phase != PHASE_LIVE || view.catching_up || view.waiting ||
	    view.waiting_dead || view.n_partitions < world.n_partitions)
		return false;
	for (size_t i = 0; i < view.n_partitions; i++) {
		struct lane_partition_view p;

		lane_partition(world.lane, i, &p);
		if (p.next < (int64_t)world.log[p.partition].n)
			return false;
	}
	return true;
}

/* Turns until everything is taken and delivered; false: it has ended. */
static bool lane_rest(void) {
	for (int i = 0; i < 200000; i++) {
		if (!lane_turn(world.lane))
			return false;
		if (at_rest())
			return true;
		if (i % 50 == 0)
			usleep(200); /* the journal's thread has work to do */
	}
	fail_msg("the lane does not come to rest");
	return false;
}

/* The state folder as it was before, as if restored from a backup. */
static inline void keep_state(const char *command) {
	char text[256];

	snprintf(text, sizeof(text), "cd %s && %s", world.dir, command);
	assert_int_equal(system(text), 0);
}

static void journal_line(void *context, const char *text, size_t len) {
	buf_add(context, text, len);
	buf_putc(context, '\n');
}

/* The newest journal as text; the lane must have been stopped. */
static void journal_text(struct buf *out) {
	struct buf why = { 0 };
	uint32_t *numbers;
	size_t n;
	char *dir;

	assert_int_equal(statedir_journals(world.state, &numbers, &n), 0);
	assert_true(n > 0);
	dir = statedir_journal(world.state, numbers[0]);
	assert_int_equal(journal_dump(dir, &why, journal_line, out), 0);
	buf_cstr(out);
	free(dir);
	free(numbers);
	buf_free(&why);
}

static inline bool journal_says(const char *text) {
	struct buf out = { 0 };
	bool found;

	journal_text(&out);
	found = strstr(out.data, text) != NULL;
	buf_free(&out);
	return found;
}
