/*
 * A log as Kafka keeps it: partitions that grow, and lose their beginning.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define UNITS 5u

const char log_topic[] = "pays";
size_t log_partitions;

static struct partition {
	char **payloads;
	size_t n;
	int64_t low;
} partitions[PARTITIONS];
static size_t produced;

/* How a process reads it. */
static struct reader {
	struct feed_partition is[PARTITIONS];
	size_t n;       /* that it has found */
	size_t at_once; /* that it finds before it has looked around */
	bool is_away;
	int64_t next[PARTITIONS];
} readers[PROCESSES];

void log_begin(void) {
	log_partitions = 1 + chance(PARTITIONS);
}

size_t log_end(size_t partition) {
	return partitions[partition].n;
}

const char *log_payload(size_t partition, int64_t offset) {
	return partitions[partition].payloads[offset];
}

static void add(size_t partition, const char *payload) {
	struct partition *p = &partitions[partition];

	p->payloads = reallocarray(p->payloads, p->n + 1, sizeof(char *));
	if (!p->payloads || !(p->payloads[p->n++] = strdup(payload)))
		abort();
}

/* Time goes on by what comes; some are late, come twice or make no sense. */
void log_produce(void) {
	size_t partition = chance(log_partitions);
	struct partition *p = &partitions[partition];
	int64_t at = NOON + (int64_t)produced++ * 120;
	char text[128];

	if (one_in(20)) {
		add(partition, one_in(2) ? "nonsense" : "{\"unit\":7}");
		return;
	}
	if (p->n && one_in(12)) {
		add(partition, p->payloads[chance(p->n)]);
		return;
	}
	at -= (int64_t)(one_in(8) ? chance(7200) : chance(60));
	snprintf(
		text, sizeof(text),
		"{\"unit\":\"U-%llu\",\"nr\":\"N-%zu\",\"n\":%llu,\"at\":%lld}",
		(unsigned long long)chance(UNITS), produced,
		(unsigned long long)chance(100), (long long)at);
	add(partition, text);
}

void log_expire(size_t partition, int64_t low) {
	partitions[partition].low = low;
}

void log_set_away(unsigned number, bool away) {
	readers[number].is_away = away;
}

/* --- the feed --- */

static int feed_fd(const void *self) {
	(void)self;
	return -1;
}

static void feed_quieten(void *self) {
	(void)self;
}

/* Partitions are found one by one. */
static void feed_serve(void *self) {
	struct reader *reader = self;

	if (reader->is_away)
		return;
	if (reader->n < log_partitions && one_in(3)) {
		reader->is[reader->n] = (struct feed_partition){
			.topic = log_topic,
			.partition = (int32_t)reader->n,
			.low = partitions[reader->n].low,
		};
		reader->n++;
	}
	for (size_t i = 0; i < reader->n; i++)
		reader->is[i].high = (int64_t)partitions[i].n;
}

static bool feed_settled(const void *self) {
	const struct reader *reader = self;

	return reader->n >= reader->at_once;
}

static size_t feed_n(const void *self) {
	return ((const struct reader *)self)->n;
}

static const struct feed_partition *feed_partition(const void *self, size_t i) {
	return &((const struct reader *)self)->is[i];
}

static int feed_start(void *self, size_t i, int64_t offset) {
	struct reader *reader = self;
	struct feed_partition *is = &reader->is[i];

	point("start of a partition");
	is->at_end = false;
	is->low = partitions[i].low;
	is->gone = offset < is->low || offset > (int64_t)partitions[i].n;
	reader->next[i] = offset;
	return 0;
}

static size_t feed_read(void *self, size_t i, struct feed_record *records,
			size_t n) {
	struct reader *reader = self;
	struct feed_partition *is = &reader->is[i];
	int64_t *next = &reader->next[i];
	size_t most = chance(24), taken = 0;

	if (reader->is_away || is->gone)
		return 0;
	if (*next < partitions[i].low) {
		is->low = partitions[i].low;
		is->gone = true;
		return 0;
	}
	while (taken < n && taken < most && *next < (int64_t)partitions[i].n) {
		char *payload = partitions[i].payloads[*next];

		records[taken++] = (struct feed_record){ .payload = payload,
							 .len = strlen(payload),
							 .offset = (*next)++,
							 .timestamp_ms = -1 };
	}
	is->at_end = *next == (int64_t)partitions[i].n;
	return taken;
}

static void feed_release(void *self, struct feed_record *records, size_t n) {
	(void)self;
	(void)records;
	(void)n;
}

static void feed_acknowledge(void *self, size_t i, int64_t offset) {
	(void)self;
	(void)i;
	(void)offset;
}

static const char *feed_trouble(const void *self) {
	return ((const struct reader *)self)->is_away ? "away" : NULL;
}

static const struct feed_class feed_class = {
	.name = "simulated",
	.fd = feed_fd,
	.quieten = feed_quieten,
	.serve = feed_serve,
	.settled = feed_settled,
	.n_partitions = feed_n,
	.partition = feed_partition,
	.start = feed_start,
	.read = feed_read,
	.release = feed_release,
	.acknowledge = feed_acknowledge,
	.trouble = feed_trouble,
};

struct feed log_feed(unsigned number) {
	bool away = readers[number].is_away;

	readers[number] =
		(struct reader){ .is_away = away, .at_once = log_partitions };
	return (struct feed){ &feed_class, &readers[number] };
}
