/*
 * Feed: where records come from, partition by partition.
 *
 * A feed hands out the records of each partition in the order of their offsets
 * and says where a partition ends for now. It merges nothing and remembers
 * nothing: which record is taken next, and from where reading begins, is the
 * lane's business. Records are borrowed until release().
 *
 * All slots are called from the lane's thread and never block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feed_record {
	const char *payload; /* NULL: none (a tombstone) */
	size_t len;
	int64_t offset;
	int64_t timestamp_ms; /* -1: none */
	void *handle;         /* the feed's own */
};

/* Partitions are numbered as they were found; numbers stay. */
struct feed_partition {
	const char *topic; /* interned: one address per topic */
	int32_t partition;
	int64_t low;  /* the first offset, when it was found or gone last */
	int64_t high; /* behind the last one, as far as is known */
	bool at_end;  /* read to its end after the last record handed out */
	bool gone;    /* what start() asked for is not there (any more) */
	bool missing; /* nobody has it now, as if its topic was deleted */
};

struct feed_class {
	const char *name;
	/* Readable when something may have come; quieten() before reading. */
	int (*fd)(const void *self);
	void (*quieten)(void *self);
	/* Does what is due; may find partitions. */
	void (*serve)(void *self);
	/*
	 * Every topic has been looked for, and low and high are of after a
	 * partition was found to be gone.
	 */
	bool (*settled)(const void *self);
	size_t (*n_partitions)(const void *self);
	const struct feed_partition *(*partition)(const void *self, size_t i);
	/* Begins to read at @offset, also if it was being read elsewhere. */
	int (*start)(void *self, size_t i, int64_t offset);
	/* At most @n records; 0: nothing now. */
	size_t (*read)(void *self, size_t i, struct feed_record *records,
		       size_t n);
	void (*release)(void *self, struct feed_record *records, size_t n);
	/* Everything below @offset has had its effect: for lag tools. */
	void (*acknowledge)(void *self, size_t i, int64_t offset);
	/* What keeps it from being complete; NULL: nothing. */
	const char *(*trouble)(const void *self);
	void (*free)(void *self);
};

struct feed {
	const struct feed_class *class;
	void *self;
};
