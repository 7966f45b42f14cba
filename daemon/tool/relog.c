#include "tool/relog.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "feed/kafka.h"
#include "lane/archive.h"
#include "lane/statedir.h"

#define AHEAD 256u /* records of a partition that are in hand */
#define QUEUE_BYTES ((size_t)64 << 20)
#define PATIENCE_MS 30000
#define LOOK_MS 100
#define TRIES 3 /* at a journal that is being written */

/* A partition of the journal, in the order of its decisions. */
struct part {
	char *topic;
	int32_t partition;
	bool is_needed;
	int64_t begin, end; /* offsets that the journal has of it */
	int64_t next;       /* behind the last record that was handed out */
	size_t number;      /* in the feed */
	struct feed_record records[AHEAD];
	size_t n, at;
};

struct relog {
	char *dir;
	struct journal_reader *reader;
	struct feed feed;
	struct part *parts;
	size_t n_parts;
	uint64_t last; /* ordinal behind which nothing is read */
	struct journal_entry entry;
	bool has_entry;
	size_t run;     /* of the entry, at hand */
	uint64_t taken; /* records of it */
	uint64_t ordinal;
};

/* --- what the journal asks for --- */

static void forget_parts(struct relog *relog) {
	for (size_t i = 0; i < relog->n_parts; i++)
		free(relog->parts[i].topic);
	free(relog->parts);
	relog->parts = NULL;
	relog->n_parts = 0;
}

static void add_part(struct relog *relog, const struct decision *decision) {
	struct part *more =
		reallocarray(relog->parts, relog->n_parts + 1, sizeof(*more));

	if (!more)
		abort();
	relog->parts = more;
	more[relog->n_parts] =
		(struct part){ .topic = strdup(decision->topic),
			       .partition = decision->partition };
	if (!more[relog->n_parts++].topic)
		abort();
}

static void note_run(struct relog *relog, const struct journal_run *run) {
	struct part *part = &relog->parts[run->partition];

	assert(run->partition < relog->n_parts);
	if (!part->is_needed || run->first < part->begin)
		part->begin = run->first;
	if (!part->is_needed || run->next > part->end)
		part->end = run->next;
	part->is_needed = true;
}

/* Its beginning was removed: a checkpoint stands for it. */
static int say_trimmed(const struct journal_reader *reader, struct buf *why) {
	const struct journal_partition *partitions;
	const char *comma = ": ";
	size_t n;

	partitions = journal_read_partitions(reader, &n);
	buf_printf(why,
		   "the order of inputs %" PRIu64 " to %" PRIu64
		   " was removed, a checkpoint stands for it",
		   journal_read_header(reader)->first_ordinal,
		   journal_read_ordinal(reader));
	for (size_t i = 0; i < n; i++) {
		if (partitions[i].next == partitions[i].first)
			continue;
		buf_printf(why, "%s%s/%d offsets %" PRId64 " to %" PRId64,
			   comma, partitions[i].topic,
			   (int)partitions[i].partition, partitions[i].first,
			   partitions[i].next - 1);
		comma = ", ";
	}
	return -ENODATA;
}

static int scan(struct relog *relog, struct journal_reader *reader,
		struct buf *why) {
	struct journal_entry entry;
	int r;

	if (journal_read_is_trimmed(reader))
		return say_trimmed(reader, why);
	while ((r = journal_read(reader, &entry, why)) > 0) {
		if (entry.kind == JOURNAL_DECISION &&
		    entry.decision.kind == DECISION_PARTITION)
			add_part(relog, &entry.decision);
		for (size_t i = 0;
		     entry.kind == JOURNAL_TURN && i < entry.n_runs; i++)
			note_run(relog, &entry.runs[i]);
	}
	relog->last = journal_read_ordinal(reader);
	return r;
}

/*
 * Who reads while the daemon writes may see what it wrote last and not yet
 * what it wrote before that, which looks like damage: then once more.
 */
static int scan_live(struct relog *relog, struct buf *why) {
	int r = -EBADMSG;

	for (int i = 0; r == -EBADMSG && i < TRIES; i++) {
		struct journal_reader *reader = NULL;

		buf_reset(why);
		forget_parts(relog);
		r = journal_read_open(&reader, relog->dir, why);
		if (r == 0)
			r = scan(relog, reader, why);
		journal_read_close(reader);
	}
	return r;
}

/* --- what Kafka has --- */

static int64_t now_ms(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Lets the feed do what is due; -ETIMEDOUT: @until is over. */
static int wait_feed(struct relog *relog, int64_t until, struct buf *why) {
	const struct feed *feed = &relog->feed;
	struct pollfd fd = { .fd = feed->class->fd(feed->self),
			     .events = POLLIN };
	const char *trouble;

	if (now_ms() >= until) {
		trouble = feed->class->trouble(feed->self);
		buf_printf(why, "%s", trouble ? trouble : "kafka: no answer");
		return -ETIMEDOUT;
	}
	poll(&fd, 1, LOOK_MS);
	feed->class->quieten(feed->self);
	feed->class->serve(feed->self);
	return 0;
}

static const struct feed_partition *find(const struct relog *relog,
					 struct part *part) {
	const struct feed *feed = &relog->feed;

	for (size_t i = 0; i < feed->class->n_partitions(feed->self); i++) {
		const struct feed_partition *is =
			feed->class->partition(feed->self, i);

		part->number = i;
		if (!is->missing && is->partition == part->partition &&
		    !strcmp(is->topic, part->topic))
			return is;
	}
	return NULL;
}

static bool has_all(const struct relog *relog) {
	for (size_t i = 0; i < relog->n_parts; i++)
		if (relog->parts[i].is_needed && !find(relog, &relog->parts[i]))
			return false;
	return true;
}

static bool is_new_topic(const struct relog *relog, size_t at) {
	for (size_t i = 0; i < at; i++)
		if (relog->parts[i].is_needed &&
		    !strcmp(relog->parts[i].topic, relog->parts[at].topic))
			return false;
	return relog->parts[at].is_needed;
}

static int open_feed(struct relog *relog, const struct config *config,
		     struct buf *why) {
	const char **topics = calloc(relog->n_parts + 1, sizeof(*topics));
	struct kafka_options options = {
		.brokers = config->brokers,
		.lane = config->lane,
		.properties = config->properties,
		.n_properties = config->n_properties,
		.topics = topics,
		.queue_bytes = QUEUE_BYTES,
	};
	int64_t until = now_ms() + PATIENCE_MS;
	int r;

	if (!topics)
		abort();
	for (size_t i = 0; i < relog->n_parts; i++)
		if (is_new_topic(relog, i))
			topics[options.n_topics++] = relog->parts[i].topic;
	r = options.n_topics ? kafka_feed_new(&relog->feed, &options, why) : 0;
	free(topics);
	while (r == 0 && options.n_topics &&
	       !relog->feed.class->settled(relog->feed.self))
		r = wait_feed(relog, until, why);
	/* A broker that has just begun may not know all its topics yet. */
	until = now_ms() + config->align_wait / USEC_PER_MSEC;
	while (r == 0 && !has_all(relog) && now_ms() < until)
		r = wait_feed(relog, INT64_MAX, why);
	return r;
}

static void say_lost(const struct part *part, int64_t first, int64_t next,
		     struct buf *lost) {
	buf_printf(lost, "%s%s/%d offsets %" PRId64 " to %" PRId64,
		   lost->len ? ", " : "Kafka lacks what was taken: ",
		   part->topic, (int)part->partition, first, next - 1);
}

/* All that is not there (any more), so that nobody need try again to know. */
static int check_bounds(struct relog *relog, struct buf *why) {
	CLEANUP(buf_free) struct buf lost = { 0 };

	for (size_t i = 0; i < relog->n_parts; i++) {
		struct part *part = &relog->parts[i];
		int64_t begin = part->begin, end = part->end;
		const struct feed_partition *is;

		if (!part->is_needed)
			continue;
		is = find(relog, part);
		if (!is) {
			say_lost(part, begin, end, &lost);
			continue;
		}
		if (is->low > begin)
			say_lost(part, begin, is->low < end ? is->low : end,
				 &lost);
		if (is->high < end)
			say_lost(part, is->high > begin ? is->high : begin, end,
				 &lost);
	}
	buf_add(why, lost.data, lost.len);
	return lost.len ? -ENODATA : 0;
}

static int begin_reading(struct relog *relog) {
	const struct feed *feed = &relog->feed;
	int r = 0;

	for (size_t i = 0; r == 0 && i < relog->n_parts; i++)
		if (relog->parts[i].is_needed)
			r = feed->class->start(feed->self,
					       relog->parts[i].number,
					       relog->parts[i].begin);
	return r;
}

static void relog_closep(struct relog **relog) {
	relog_close(*relog);
}

int relog_open(struct relog **ret, const struct config *config, uint32_t number,
	       struct buf *why) {
	CLEANUP(relog_closep)
	struct relog *relog = calloc(1, sizeof(*relog));
	int r;

	if (!relog)
		abort();
	relog->dir = statedir_journal(config->state, number);
	r = scan_live(relog, why);
	if (r == 0)
		r = open_feed(relog, config, why);
	if (r == 0)
		r = check_bounds(relog, why);
	if (r == 0)
		r = begin_reading(relog);
	if (r == 0)
		r = journal_read_open(&relog->reader, relog->dir, why);
	if (r < 0)
		return r;
	*ret = TAKE(relog);
	return 0;
}

const struct journal_header *relog_header(const struct relog *relog) {
	return journal_read_header(relog->reader);
}

/* --- reading --- */

static void drop(struct relog *relog, struct part *part) {
	relog->feed.class->release(relog->feed.self, part->records, part->n);
	part->n = part->at = 0;
}

static bool is_over(const struct relog *relog, const struct part *part) {
	const struct feed_partition *is =
		relog->feed.class->partition(relog->feed.self, part->number);

	return is->gone || is->missing || is->at_end;
}

/* The next record of a partition; -ENODATA: it has none. */
static int next_record(struct relog *relog, struct part *part,
		       const struct feed_record **ret, struct buf *why) {
	const struct feed *feed = &relog->feed;
	int64_t until = now_ms() + PATIENCE_MS;
	int r;

	if (part->at == part->n)
		drop(relog, part);
	while (!part->n) {
		part->n = feed->class->read(feed->self, part->number,
					    part->records, AHEAD);
		if (part->n)
			break;
		if (is_over(relog, part))
			return -ENODATA;
		r = wait_feed(relog, until, why);
		if (r < 0)
			return r;
	}
	*ret = &part->records[part->at++];
	return 1;
}

/*
 * What is left of the run, or all of it, if it came to its end with fewer
 * records than were taken: then one in its midst was compacted away.
 */
static int lacks_record(const struct part *part, const struct journal_run *run,
			struct buf *why) {
	CLEANUP(buf_free) struct buf lost = { 0 };
	bool midst = part->next > run->first && part->next < run->next;

	say_lost(part, midst ? part->next : run->first, run->next, &lost);
	buf_add(why, lost.data, lost.len);
	return -ENODATA;
}

static int take_record(struct relog *relog, struct archive_entry *entry,
		       struct buf *why) {
	const struct journal_run *run = &relog->entry.runs[relog->run];
	struct part *part = &relog->parts[run->partition];
	const struct feed_record *record = NULL;
	int r = next_record(relog, part, &record, why);

	if (r == -ENODATA || (r > 0 && (record->offset < run->first ||
					record->offset >= run->next)))
		return lacks_record(part, run, why);
	if (r < 0)
		return r;
	relog->taken++;
	part->next = record->offset + 1;
	*entry = (struct archive_entry){
		.ordinal = relog->ordinal++,
		.is_record = true,
		.topic = part->topic,
		.partition = part->partition,
		.offset = record->offset,
		.timestamp = record->timestamp_ms,
		.poll_time = relog->entry.poll_time,
		.payload = record->payload,
		.len = record->len,
	};
	return 1;
}

static int take_decision(struct relog *relog, struct archive_entry *entry) {
	const struct decision *decision = &relog->entry.decision;

	relog->has_entry = false;
	*entry = (struct archive_entry){
		.ordinal = relog->ordinal++,
		.topic = decision->topic,
		.partition = decision->partition,
		.decision = *decision,
		.first_offset = relog->entry.first_offset,
	};
	return 1;
}

static int next_entry(struct relog *relog, struct buf *why) {
	int r;

	if (journal_read_ordinal(relog->reader) >= relog->last)
		return 0;
	r = journal_read(relog->reader, &relog->entry, why);
	if (r <= 0)
		return r;
	relog->has_entry = true;
	relog->run = 0;
	relog->taken = 0;
	relog->ordinal = relog->entry.ordinal;
	return 1;
}

int relog_read(struct relog *relog, struct archive_entry *entry,
	       struct buf *why) {
	for (;;) {
		const struct journal_entry *is = &relog->entry;
		int r = relog->has_entry ? 1 : next_entry(relog, why);

		if (r <= 0)
			return r;
		if (is->kind == JOURNAL_DECISION)
			return take_decision(relog, entry);
		if (relog->run == is->n_runs) {
			relog->has_entry = false;
		} else if (relog->taken == is->runs[relog->run].count) {
			relog->run++;
			relog->taken = 0;
		} else {
			return take_record(relog, entry, why);
		}
	}
}

void relog_close(struct relog *relog) {
	if (!relog)
		return;
	for (size_t i = 0; i < relog->n_parts && relog->feed.class; i++)
		drop(relog, &relog->parts[i]);
	if (relog->feed.class)
		relog->feed.class->free(relog->feed.self);
	forget_parts(relog);
	journal_read_close(relog->reader);
	free(relog->dir);
	free(relog);
}
