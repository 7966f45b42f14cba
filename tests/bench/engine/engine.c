/*
 * The engine in memory: how many events a second one core decodes and judges,
 * and what a key costs. Nothing is read from anywhere and nothing goes out.
 *
 *   bench-engine WINDOW KEYS EVENTS   one rule, of "10m" or "{session: 1m}"
 *   bench-engine "peers 25m, peers: [unit]" KEYS EVENTS   one rule that looks
 *                                     at others, all but those of one account
 *   bench-engine RULES KEYS EVENTS [ENCODING]      RULES 0: decode only
 *
 * payment.h says what the rules are; KEYS is the number of accounts. No alert
 * is raised. First every account is seen once, then EVENTS are timed: the
 * thread's CPU time of decoding and judging, not that of making the payloads.
 *
 * Prints one JSON object.
 */
#include <errno.h>
#include <iconv.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "bench/payment.h"
#include "engine/engine.h"

#define BATCH 1024
#define PADDING 64
#define BEGIN INT64_C(1767225600) /* 2026-01-01 */
#define EVENTS_PER_SECOND 100

struct bench {
	struct ruleset *set;
	struct engine *engine; /* NULL: decode only */
	struct decoder *decoder;
	struct arena arena;
	char *payloads;
	const char *encoding; /* of the stream and of the payloads */
	iconv_t to;
	size_t lens[BATCH];
	struct event events[BATCH];
	struct event *pointers[BATCH];
	uint64_t next; /* number of the next event */
	uint64_t keys;
	uint64_t bytes; /* of all payloads that were timed */
	double seconds;
};

static void die(const char *what) {
	fprintf(stderr, "bench-engine: %s\n", what);
	exit(2);
}

static double cpu_seconds(void) {
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Resident memory, by the kernel's count. */
static uint64_t resident_bytes(void) {
	FILE *file = fopen("/proc/self/statm", "re");
	uint64_t all = 0, resident = 0;

	if (!file || fscanf(file, "%" SCNu64 " %" SCNu64, &all, &resident) != 2)
		die("/proc/self/statm");
	fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void set_encoding(struct bench *bench, const char *encoding) {
	bench->encoding = encoding;
	if (!strcmp(encoding, "utf8"))
		return;
	bench->to = iconv_open(encoding, "UTF-8");
	if (bench->to == (iconv_t)-1)
		die(encoding);
}

/* A payload in UTF-8, written anew in the encoding that is measured. */
static size_t encode(struct bench *bench, char *payload, size_t len) {
	char text[PAYMENT_BYTES];
	char *in = text, *out = payload;
	size_t left = PAYMENT_BYTES;

	if (!bench->to)
		return len;
	memcpy(text, payload, len);
	if (iconv(bench->to, &in, &len, &out, &left) || len)
		die("iconv");
	return PAYMENT_BYTES - left;
}

static bool is_number(const char *text) {
	return *text && strspn(text, "0123456789") == strlen(text);
}

static uint64_t number(const char *text) {
	if (!is_number(text))
		die("a number is not one");
	return strtoull(text, NULL, 10);
}

static void load(struct bench *bench, const char *rules) {
	char path[] = "/tmp/tocsin-bench-XXXXXX.yaml";
	const char *paths[] = { path };
	struct ruleset_options options = { 0 };
	struct diag diag = { 0 };
	struct buf text = { 0 };
	int fd = mkstemps(path, 5);

	if (is_number(rules))
		payment_rules(&text, (size_t)number(rules), bench->encoding);
	else if (!strncmp(rules, "peers ", 6))
		payment_peers(&text, rules + 6, bench->encoding);
	else
		payment_window(&text, rules, bench->encoding);
	if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)
		die(path);
	close(fd);
	if (ruleset_load(&bench->set, paths, 1, &options, &diag) < 0) {
		buf_reset(&text);
		diag_print(&diag, &text, false);
		die(buf_cstr(&text));
	}
	unlink(path);
	diag_free(&diag);
	buf_free(&text);
}

static void set_up(struct bench *bench, const char *rules) {
	bool decodes_only = !strcmp(rules, "0");
	struct engine_options options = { .seed = 1 };
	struct decision catch_up = { .kind = DECISION_CATCH_UP };
	const struct stream *stream;

	/* Decode only decodes what ten rules read. */
	load(bench, decodes_only ? "10" : rules);
	stream = ruleset_stream(bench->set, "payments");
	if (decoder_new(&bench->decoder, stream, 1) < 0)
		die("decoder_new");
	if (!decodes_only) {
		if (engine_new(&bench->engine, bench->set, &options) < 0)
			die("engine_new");
		engine_decide(bench->engine, &catch_up);
	}
	bench->payloads = malloc((size_t)BATCH * PAYMENT_BYTES + PADDING);
	if (!bench->payloads)
		die("no memory");
	for (size_t i = 0; i < BATCH; i++) {
		bench->events[i].stream = stream;
		bench->pointers[i] = &bench->events[i];
	}
}

/*
 * Accounts in an order that is neither sorted nor random: a stride that has no
 * divisor in common with their number meets each once in a round.
 */
static uint64_t account_of(const struct bench *bench, uint64_t i) {
	return i * 7919 % bench->keys;
}

static void make_batch(struct bench *bench, size_t n) {
	for (size_t i = 0; i < n; i++) {
		struct event *event = &bench->events[i];

		bench->lens[i] = payment_write(
			bench->payloads + i * PAYMENT_BYTES,
			&(struct payment){
				.number = bench->next,
				.account = account_of(bench, bench->next),
				.voucher = bench->next,
				.amount = bench->next * 7919 % 90000 + 100,
				.paid_at =
					BEGIN + (int64_t)(bench->next /
							  EVENTS_PER_SECOND) });
		bench->lens[i] =
			encode(bench, bench->payloads + i * PAYMENT_BYTES,
			       bench->lens[i]);
		*event = (struct event){ .stream = event->stream,
					 .at = { "fin.payments", 0,
						 (int64_t)bench->next },
					 .timestamp_ms = -1 };
		bench->bytes += bench->lens[i];
		bench->next++;
	}
}

static void run_batch(struct bench *bench, size_t n) {
	for (size_t i = 0; i < n; i++) {
		decoder_decode(bench->decoder, bench->pointers[i],
			       bench->payloads + i * PAYMENT_BYTES,
			       bench->lens[i], true, &bench->arena);
		if (bench->events[i].refusal)
			die(refusal_name(
				(enum refusal)bench->events[i].refusal));
	}
	if (bench->engine &&
	    engine_run(bench->engine, bench->pointers, n, 0) != n)
		die("an alert was raised");
	arena_reset(&bench->arena);
}

static void run(struct bench *bench, uint64_t events) {
	bench->bytes = 0;
	bench->seconds = 0.0;
	while (events) {
		size_t n = events < BATCH ? (size_t)events : BATCH;
		double begin;

		make_batch(bench, n);
		begin = cpu_seconds();
		run_batch(bench, n);
		bench->seconds += cpu_seconds() - begin;
		events -= n;
	}
}

static double state_bytes_per_key(const struct bench *bench) {
	for (size_t i = 0; bench->engine && i < bench->set->n_plans; i++) {
		const struct plan *plan = bench->set->plans[i];
		const struct plan_counters *counters =
			engine_plan_counters(bench->engine, i);

		if (plan->n_by == 1 && !strcmp(plan->by[0], "payee_account"))
			return (double)counters->bytes / (double)counters->keys;
	}
	return 0.0;
}

int main(int argc, char **argv) {
	static struct bench bench;
	uint64_t before, after, events;
	double first;

	if (argc != 4 && argc != 5)
		die("usage: bench-engine RULES KEYS EVENTS [ENCODING]");
	set_encoding(&bench, argc == 5 ? argv[4] : "utf8");
	bench.keys = number(argv[2]);
	events = number(argv[3]);
	set_up(&bench, argv[1]);

	before = resident_bytes();
	run(&bench, bench.keys);
	first = bench.seconds;
	after = resident_bytes();
	run(&bench, events);
	printf("{\"rules\":\"%s\",\"keys\":%s,\"events\":%" PRIu64
	       ",\"bytes_per_event\":%.0f,\"events_per_second\":%.0f,"
	       "\"new_keys_per_second\":%.0f,\"state_bytes_per_key\":%.1f,"
	       "\"resident_bytes_per_key\":%.1f}\n",
	       argv[1], argv[2], events, (double)bench.bytes / (double)events,
	       (double)events / bench.seconds, (double)bench.keys / first,
	       state_bytes_per_key(&bench),
	       (double)(after - before) / (double)bench.keys);

	engine_free(bench.engine);
	decoder_free(bench.decoder);
	ruleset_free(bench.set);
	if (bench.to)
		iconv_close(bench.to);
	arena_free(&bench.arena);
	free(bench.payloads);
	return 0;
}
