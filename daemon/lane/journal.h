/*
 * Journal: the order in which a lane took its inputs, kept for replay.
 *
 * JOURNAL.md describes the format. A journal is written by the lane's thread
 * and carried to disk by a thread of its own: journal_sync() asks, the
 * descriptor of journal_fd() says when something has become durable. Until
 * then the lane goes on; what may not leave before that is the caller's affair.
 *
 * A reader hands out the entries of a journal that nobody writes, and a
 * writer takes over where a reader has come to the end.
 */
#pragma once

#include "base/buf.h"
#include "engine/engine.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_VERSION 3 /* and 1 and 2 are read */

/* What a table or list has, see struct content. */
struct journal_content {
	const char *name;
	uint8_t sha256[32];
};

struct journal_header {
	const char *lane;
	uint8_t rules[32];
	uint64_t seed;
	uint64_t first_ordinal;
	const char *seam; /* why the journal begins with a seam; NULL: it does
			     not */
	const struct journal_content *contents; /* at its beginning */
	size_t n_contents;
};

/* Where a journal stands: enough to read on without what lies before. */
struct journal_state {
	uint64_t ordinal; /* of the next input */
	bool has_seam;    /* its own was decided */
	uint64_t seam_seq;
};

/* So many records of one partition, in a row. */
struct journal_run {
	uint32_t partition;  /* in the order of the partition decisions */
	int64_t first, next; /* offsets: the first one, the one behind */
	uint64_t count;
};

/* A partition as its decision introduced it. */
struct journal_partition {
	char *topic;
	int32_t partition;
	int64_t first; /* where the lane begins to read */
	int64_t next;  /* behind the last run */
};

struct journal_entry {
	enum { JOURNAL_TURN, JOURNAL_DECISION } kind;
	uint64_t ordinal; /* of its first input */
	int64_t poll_time;
	const struct journal_run *runs;
	size_t n_runs;
	/* Its topic, reason and records are the reader's. */
	struct decision decision;
	int64_t first_offset; /* of a partition decision */
};

/* The disk or its owner's share of it has no room. */
static inline bool is_full(int error) {
	return error == -ENOSPC || error == -EDQUOT;
}

struct journal_reader;

/*
 * -ENOENT: no journal there, or its header was never finished; -EPROTO: of
 * another format version; -EBADMSG: not a journal. @why gets a sentence.
 */
int journal_read_open(struct journal_reader **ret, const char *dir,
		      struct buf *why);
/*
 * The same, and goes to @position, behind an entry that the journal has.
 * -ENODATA: it has none there (any more).
 */
int journal_read_open_at(struct journal_reader **ret, const char *dir,
			 uint64_t position, struct buf *why);
/* What lay before its first segment was removed. */
bool journal_read_is_trimmed(const struct journal_reader *reader);
const struct journal_state *journal_read_state(const struct journal_reader *);
const struct journal_header *journal_read_header(const struct journal_reader *);
/*
 * 1: an entry, valid until the next call; 0: the end; -EBADMSG: corruption
 * below what was durable, @why says where.
 */
int journal_read(struct journal_reader *reader, struct journal_entry *entry,
		 struct buf *why);
/* At its end: makes what was read durable, so that it may have effects. */
int journal_read_sync(const struct journal_reader *reader);
uint64_t journal_read_position(const struct journal_reader *reader);
const struct journal_partition *
journal_read_partitions(const struct journal_reader *reader, size_t *n);
/* Of the last input that was read. */
uint64_t journal_read_ordinal(const struct journal_reader *reader);
void journal_read_close(struct journal_reader *reader);

struct journal;

/* Makes @dir and writes the header, durable on return; or leaves nothing. */
int journal_create(struct journal **ret, const char *dir,
		   const struct journal_header *header);
/*
 * Removes segments that lie wholly below @position and have not been written
 * to since @before (seconds since 1970).
 */
int journal_trim(const char *dir, uint64_t position, int64_t before);
/* Goes on where @reader has ended, cuts off what lies behind. */
int journal_append(struct journal **ret, struct journal_reader *reader);
/* Waits for what was handed over, without a last sync. */
void journal_close(struct journal *journal);

void journal_turn(struct journal *journal, int64_t poll_time,
		  const struct journal_run *runs, size_t n);
void journal_decide(struct journal *journal, const struct decision *decision,
		    int64_t first_offset);

/* Positions: behind the last entry, and up to where the disk has it. */
uint64_t journal_position(const struct journal *journal);
uint64_t journal_durable(const struct journal *journal);
/* Asks for everything written so far to become durable. */
void journal_sync(struct journal *journal);
/* Hands over what is written so far, without asking for more. */
void journal_flush(struct journal *journal);
/* Bytes on their way: more than a few MiB, and the disk does not keep up. */
uint64_t journal_backlog(const struct journal *journal);
/* Readable when journal_durable() or journal_error() has changed. */
int journal_fd(const struct journal *journal);
void journal_acknowledge(struct journal *journal); /* quietens the descriptor */
/*
 * 0; is_full(): there is no room, it is tried again each second; any other:
 * the disk has failed, and nothing becomes durable any more.
 */
int journal_error(const struct journal *journal);
/* Microseconds that the last sync took. */
uint64_t journal_sync_usec(const struct journal *journal);

/* The whole journal as JSON lines, see JOURNAL.md. */
int journal_dump(const char *dir, struct buf *why,
		 void (*line)(void *context, const char *text, size_t len),
		 void *context);

const char *decision_name(enum decision_kind kind);
