/*
 * Checkpoint: a lane's state in files, so that a start need not take again
 * what the journal says from its beginning.
 *
 * CHECKPOINT.md describes the files. A checkpoint is begun between two turns,
 * and written by a thread of its own while the lane goes on: the lane stops
 * only for what lies beside the pages. Before it changes a page that is still
 * to be written it copies it.
 */
#pragma once

#include "base/buf.h"
#include "base/pages.h"
#include "base/util.h"
#include "lane/journal.h"

#include <stdbool.h>
#include <stdint.h>

#define CHECKPOINT_VERSION 2u

struct engine;

/* A partition, in the order of the journal's decisions. */
struct checkpoint_partition {
	char *topic;
	int32_t partition;
	bool idle;
	int64_t next;    /* behind the last record taken */
	usec_t greatest; /* event time taken */
	/* The record before, to know the log again; offset -1: none. */
	int64_t last_offset, last_timestamp;
	uint32_t last_crc; /* CRC-32C of its payload */
};

struct checkpoint_head {
	uint64_t number; /* of this journal's checkpoints, from 1 */
	int64_t taken;   /* microseconds since 1970 */
	uint8_t rules[32];
	uint64_t seed;     /* of the journal's header */
	uint64_t position; /* of the journal */
	uint64_t ordinal, seq;
	uint8_t hash[32]; /* of the record at seq */
	uint64_t dead;    /* ordinal of the last dead letter */
	bool catching_up;
	struct checkpoint_partition *partitions;
	size_t n_partitions;
	struct journal_content *contents; /* of tables and lists, then */
	size_t n_contents;
};

/* --- reading --- */

struct checkpoint;

/* Numbers of what is in @dir, greatest first; the caller frees. */
int checkpoint_list(const char *dir, uint64_t **ret, size_t *n);
/*
 * -ENOENT; -EPROTO: of another version; -EBADMSG: not whole. @why gets a
 * sentence. Pages are looked at only when they are read.
 */
int checkpoint_open(struct checkpoint **ret, const char *dir, uint64_t number,
		    struct buf *why);
const struct checkpoint_head *checkpoint_head(const struct checkpoint *);
/* What engine_save() wrote. */
const void *checkpoint_saved(const struct checkpoint *, size_t *len);
uint32_t checkpoint_pages(const struct checkpoint *);
bool checkpoint_has_page(const struct checkpoint *, uint32_t page);
/* Bytes of the files that it needs. */
uint64_t checkpoint_bytes(const struct checkpoint *);
/* The files that hold pages: how many, and the path and the pages of one, of
 * which some may be dead. The caller frees the path. */
size_t checkpoint_n_files(const struct checkpoint *);
char *checkpoint_file_path(const struct checkpoint *, size_t file,
			   uint64_t *pages);
/* Which of them a page that is there lies in. */
size_t checkpoint_file_of(const struct checkpoint *, uint32_t page);
/* For engine_restore(): fills in one page. @context: a struct checkpoint. */
int checkpoint_page(void *context, uint32_t page, uint8_t *bytes);
void checkpoint_close(struct checkpoint *checkpoint);
/* The manifest, and what no other manifest needs. */
int checkpoint_remove(const char *dir, uint64_t number);

/* --- writing --- */

struct checkpointer;

struct checkpointer_counters {
	uint64_t taken, failed;
	int64_t last_taken;              /* microseconds since 1970; 0: none */
	uint64_t pages;                  /* that the last one wrote */
	uint64_t state_bytes;            /* of all its pages */
	uint64_t usec;                   /* that it took to write */
	uint64_t pause_usec, pause_most; /* for which the lane stood still */
	uint64_t copied; /* pages that the lane had to copy, ever */
	int error;       /* of the last one; 0: none */
};

/*
 * Writes into @dir, which it makes if need be. What lies there already and is
 * not @base is left until it is no longer needed. At most @memory bytes of
 * pages wait for the disk; then the lane waits.
 */
int checkpointer_new(struct checkpointer **ret, const char *dir, size_t memory,
		     const struct checkpoint *base);
void checkpointer_free(struct checkpointer *checkpointer);
bool checkpointer_is_busy(const struct checkpointer *checkpointer);
/* Not while it is busy. @head is copied; its number is given here. */
void checkpointer_begin(struct checkpointer *checkpointer,
			struct engine *engine,
			const struct checkpoint_head *head);
/*
 * Collects one that was written since the last call: 1, and its number; 0:
 * none; negative errno: it could not be written, the one before stands.
 */
int checkpointer_collect(struct checkpointer *checkpointer, uint64_t *number);
/* Removes all before @number, and segments of the journal in @journal below
 * @position that were last written before @before; with the next one. */
void checkpointer_forget(struct checkpointer *checkpointer, uint64_t number,
			 const char *journal, uint64_t position,
			 int64_t before);
const struct checkpointer_counters *
checkpointer_counters(const struct checkpointer *checkpointer);
