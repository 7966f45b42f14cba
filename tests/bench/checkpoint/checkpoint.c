/*
 * What checkpoints cost, and how long a start takes: one rule of payment.h over
 * KEYS accounts, which come evenly or as money does, few of them often.
 *
 *   bench-checkpoint FOLDER KEYS even|zipf SECONDS EVERY
 *
 * First every account is seen once, then events are taken for SECONDS, with a
 * checkpoint every EVERY seconds (0: none); seconds are those of the lane, by
 * the clock, without the making of payloads. Then the last checkpoint is
 * restored. FOLDER is where they are written, and is left as it is.
 *
 * Prints one JSON object.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "bench/payment.h"
#include "engine/engine.h"
#include "lane/checkpoint.h"

#define BATCH 1024
#define PADDING 64
#define PAUSES 100000
#define BEGIN INT64_C(1767225600) /* 2026-01-01 */
#define EVENTS_PER_SECOND 100

struct bench {
	struct ruleset *set;
	struct engine *engine;
	struct engine_options options;
	struct decoder *decoder;
	struct checkpointer *checkpointer;
	struct arena arena;
	char *payloads;
	size_t lens[BATCH];
	struct event events[BATCH];
	struct event *pointers[BATCH];
	uint64_t next, keys, random;
	bool zipf;
	double seconds, cpu; /* of the lane */
	double longest;      /* batch */
	double pauses[PAUSES];
	size_t n_pauses;
};

static void die(const char *what) {
	fprintf(stderr, "bench-checkpoint: %s\n", what);
	exit(2);
}

static double now(clockid_t clock) {
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void load(struct bench *bench) {
	char path[] = "/tmp/tocsin-bench-XXXXXX.yaml";
	const char *paths[] = { path };
	struct ruleset_options options = { 0 };
	struct diag diag = { 0 };
	struct buf text = { 0 };
	int fd = mkstemps(path, 5);

	payment_rules(&text, 1, "utf8");
	if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)
		die(path);
	close(fd);
	if (ruleset_load(&bench->set, paths, 1, &options, &diag) < 0)
		die("the rules do not load");
	unlink(path);
	diag_free(&diag);
	buf_free(&text);
}

static void set_up(struct bench *bench) {
	struct decision catch_up = { .kind = DECISION_CATCH_UP };
	const struct stream *stream;

	load(bench);
	stream = ruleset_stream(bench->set, "payments");
	bench->options =
		(struct engine_options){ .seed = 1,
					 .max_keys_per_rule = 2 * bench->keys };
	if (decoder_new(&bench->decoder, stream, 1) < 0 ||
	    engine_new(&bench->engine, bench->set, &bench->options) < 0)
		die("no memory");
	engine_decide(bench->engine, &catch_up);
	bench->payloads = malloc((size_t)BATCH * PAYMENT_BYTES + PADDING);
	if (!bench->payloads)
		die("no memory");
	for (size_t i = 0; i < BATCH; i++) {
		bench->events[i].stream = stream;
		bench->pointers[i] = &bench->events[i];
	}
}

/* Evenly, by a stride; or the k-th account in proportion to 1/k. */
static uint64_t account_of(struct bench *bench, bool all) {
	if (all || !bench->zipf)
		return bench->next * 7919 % bench->keys;
	bench->random = bench->random * UINT64_C(6364136223846793005) +
			UINT64_C(1442695040888963407);
	return (uint64_t)exp((double)(bench->random >> 11) * 0x1p-53 *
			     log((double)bench->keys)) *
	       UINT64_C(7919) % bench->keys;
}

static void make_batch(struct bench *bench, size_t n, bool all) {
	for (size_t i = 0; i < n; i++) {
		bench->lens[i] = payment_write(
			bench->payloads + i * PAYMENT_BYTES,
			&(struct payment){
				.number = bench->next,
				.account = account_of(bench, all),
				.voucher = bench->next,
				.amount = bench->next * 7919 % 90000 + 100,
				.paid_at =
					BEGIN + (int64_t)(bench->next /
							  EVENTS_PER_SECOND) });
		bench->events[i] =
			(struct event){ .stream = bench->events[i].stream,
					.at = { "fin.payments", 0,
						(int64_t)bench->next },
					.timestamp_ms = -1 };
		bench->next++;
	}
}

static void run_batch(struct bench *bench, size_t n, bool all) {
	double begin, cpu, took;

	make_batch(bench, n, all);
	begin = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < n; i++)
		decoder_decode(bench->decoder, bench->pointers[i],
			       bench->payloads + i * PAYMENT_BYTES,
			       bench->lens[i], true, &bench->arena);
	if (engine_run(bench->engine, bench->pointers, n, 0) != n)
		die("an alert was raised");
	arena_reset(&bench->arena);
	took = now(CLOCK_MONOTONIC) - begin;
	bench->seconds += took;
	bench->cpu += now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	if (took > bench->longest)
		bench->longest = took;
}

static void collect(struct bench *bench) {
	uint64_t number;
	int r = checkpointer_collect(bench->checkpointer, &number);

	if (r < 0)
		die(strerror(-r));
	if (r > 0 && number > 1)
		checkpointer_forget(bench->checkpointer, number - 1, NULL, 0,
				    0);
}

static void take_checkpoint(struct bench *bench) {
	struct checkpoint_head head = { .taken = 1 };

	checkpointer_begin(bench->checkpointer, bench->engine, &head);
	bench->pauses[bench->n_pauses++ % PAUSES] =
		(double)checkpointer_counters(bench->checkpointer)->pause_usec *
		1e-6;
}

static uint64_t run(struct bench *bench, double seconds, double every) {
	double due = every, last = 0.0;
	uint64_t begin = bench->next;

	bench->seconds = bench->cpu = bench->longest = 0.0;
	while (bench->seconds < seconds) {
		run_batch(bench, BATCH, false);
		if (every <= 0.0)
			continue;
		last = now(CLOCK_MONOTONIC);
		collect(bench);
		if (bench->seconds >= due &&
		    !checkpointer_is_busy(bench->checkpointer)) {
			take_checkpoint(bench);
			due = bench->seconds + every;
		}
		bench->seconds += now(CLOCK_MONOTONIC) - last;
	}
	return bench->next - begin;
}

static int ascending(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double restore(struct bench *bench, const char *folder) {
	struct checkpoint *checkpoint;
	struct buf why = { 0 };
	uint64_t *numbers;
	const void *saved;
	double begin;
	size_t n, len;
	int r;

	while (checkpointer_is_busy(bench->checkpointer))
		collect(bench);
	take_checkpoint(bench);
	while (checkpointer_is_busy(bench->checkpointer))
		collect(bench);
	checkpointer_free(TAKE(bench->checkpointer));
	engine_free(TAKE(bench->engine));
	begin = now(CLOCK_MONOTONIC);
	if (checkpoint_list(folder, &numbers, &n) < 0 || !n ||
	    checkpoint_open(&checkpoint, folder, numbers[0], &why) < 0)
		die("no checkpoint");
	saved = checkpoint_saved(checkpoint, &len);
	r = engine_restore(&bench->engine, bench->set, &bench->options, saved,
			   len, checkpoint_page, checkpoint);
	if (r < 0)
		die(strerror(-r));
	checkpoint_close(checkpoint);
	free(numbers);
	return now(CLOCK_MONOTONIC) - begin;
}

int main(int argc, char **argv) {
	static struct bench bench;
	const struct checkpointer_counters *counters;
	uint64_t events, pages, bytes, taken, left;
	double restored, usec;

	if (argc != 6)
		die("usage: bench-checkpoint FOLDER KEYS even|zipf SECONDS "
		    "EVERY");
	bench.keys = strtoull(argv[2], NULL, 10);
	bench.zipf = !strcmp(argv[3], "zipf");
	set_up(&bench);
	if (checkpointer_new(&bench.checkpointer, argv[1], (size_t)512 << 20,
			     NULL) < 0)
		die(argv[1]);
	for (left = bench.keys; left;) {
		size_t n = left < BATCH ? (size_t)left : BATCH;

		run_batch(&bench, n, true);
		left -= n;
	}
	events = run(&bench, strtod(argv[4], NULL), strtod(argv[5], NULL));
	qsort(bench.pauses, bench.n_pauses, sizeof(double), ascending);
	counters = checkpointer_counters(bench.checkpointer);
	pages = counters->pages;
	bytes = counters->state_bytes;
	taken = counters->taken;
	usec = (double)counters->usec;
	printf("{\"keys\":%s,\"events_per_second\":%.0f,\"cpu_ns\":%.1f,"
	       "\"longest_batch_ms\":%.3f,\"checkpoints\":%" PRIu64
	       ",\"pages\":%" PRIu64 ",\"state_bytes\":%" PRIu64
	       ",\"write_s\":%.3f,\"pause_p99_ms\":%.3f,"
	       "\"pause_most_ms\":%.3f",
	       argv[2], (double)events / bench.seconds,
	       bench.cpu * 1e9 / (double)events, bench.longest * 1e3, taken,
	       pages, bytes, usec * 1e-6,
	       bench.n_pauses
		       ? 1e3 * bench.pauses[(bench.n_pauses - 1) * 99 / 100]
		       : 0.0,
	       bench.n_pauses ? 1e3 * bench.pauses[bench.n_pauses - 1] : 0.0);
	restored = restore(&bench, argv[1]);
	printf(",\"restore_s\":%.3f}\n", restored);
	engine_free(bench.engine);
	decoder_free(bench.decoder);
	ruleset_free(bench.set);
	arena_free(&bench.arena);
	free(bench.payloads);
	return 0;
}
