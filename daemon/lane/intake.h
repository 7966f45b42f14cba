/*
 * Intake: one partition as the lane reads it, and the merge over several.
 *
 * Records are read and decoded in batches ahead of being taken; a intake has
 * two of them, because what a turn hands to the engine must stand until the
 * engine has taken it while the next records already lie ready. Whoever wants
 * a third batch in one turn ends the turn first.
 */
#pragma once

#include "base/util.h"
#include "engine/engine.h"
#include "tocsin/feed.h"

#define INTAKE_BATCH 512u

struct intake_batch {
	struct feed_record records[INTAKE_BATCH];
	struct event events[INTAKE_BATCH];
	struct arena arena;
	size_t n, at;
};

/* The last record that was taken, to know the log again by. */
struct intake_last {
	int64_t offset; /* -1: none */
	int64_t timestamp;
	uint32_t crc; /* CRC-32C of its payload */
};

struct intake {
	struct feed feed;
	size_t index;    /* the feed's number of it */
	uint32_t number; /* the journal's */
	const char *topic;
	int32_t partition;
	const struct stream *stream;
	struct decoder *decoder;
	struct intake_batch *batches[2];
	unsigned current;
	int64_t next;          /* behind the last record taken */
	bool idle;             /* as the last decision about it said */
	int64_t last_taken;    /* monotonic, when a record was last taken */
	int64_t waited_since;  /* for records, while merging; 0: it does not */
	bool went_on;          /* and the wait was given up */
	int64_t missing_since; /* monotonic; 0: it is not */
	int64_t target;        /* of this round of catching up */
	int64_t acknowledged;  /* behind the last record of a snapshot */
	usec_t greatest;       /* event time taken; INT64_MIN: none */
	int64_t read;          /* records handed over by the feed */
	struct intake_last last;
	const struct feed_record *taken; /* since intake_note_last() */
	bool looks_back; /* the next one is the last one, or another log */
	bool is_foreign; /* it was another */
};

struct intake *intake_new(struct feed feed, size_t index, uint32_t number,
			  const struct stream *stream, uint64_t seed);
void intake_free(struct intake *intake);

/* Reads on at @offset, as if all before it had been taken. */
int intake_restart(struct intake *intake, int64_t offset);

/* Reads and decodes what there is room for. */
void intake_fill(struct intake *intake);
/* Gives back the batches whose events were all taken. */
void intake_release(struct intake *intake);
/* The next event, or NULL. */
struct event *intake_head(struct intake *intake);
/* Takes the head. */
void intake_take(struct intake *intake);
/* Keeps in mind what was taken last, while it still stands. */
void intake_note_last(struct intake *intake);
/* Without a head: no, it is only that both batches are in use. */
bool intake_is_pinned(const struct intake *intake);
/* Read to its end, and nothing is left here either. */
bool intake_at_end(struct intake *intake);

/*
 * Whether @event goes first whatever its time: it has no valid one, or one
 * that the engine will refuse because it lies in the future.
 */
bool event_goes_at_once(const struct event *event, int64_t wall);

enum merge_mode {
	MERGE_PRESENT, /* among the heads that are there */
	MERGE_ALIGNED  /* wait for whoever is behind and has none */
};

struct merge {
	struct intake *missing; /* whom an aligned merge waits for, or NULL */
	const struct event *bound; /* the least head of the others, or NULL */
	int64_t wall;
	bool once; /* the head goes at once, whatever comes behind it */
};

/*
 * The intake whose head comes next: one that goes at once, else the least
 * (time, topic, partition, offset). NULL if none has a head or, aligned, if an
 * intake is behind, has none and has not been given up: merge->missing.
 */
struct intake *merge_next(struct intake *const *intakes, size_t n, int64_t wall,
			  enum merge_mode mode, struct merge *merge);
/* After @intake's head was taken: does the one behind it come next as well?
 * Saves looking at all the others, which have not changed. */
bool merge_goes_on(const struct merge *merge, struct intake *intake);
