/*
 * Archive: all that a lane took, in its order, kept for those who must be able
 * to compute an alert again years later.
 *
 * ARCHIVE.md describes the files. The lane hands over what it puts into its
 * journal, with the bytes of the records; a thread of its own compresses and
 * writes. What a replay takes again is known by its ordinal and is not written
 * twice.
 */
#pragma once

#include "base/buf.h"
#include "lane/journal.h"

#include <stdbool.h>
#include <stdint.h>

#define ARCHIVE_VERSION 1u

/* --- rules --- */

/* What output depends on besides the order of inputs. */
struct archive_rules {
	const uint8_t *ruleset; /* its hash */
	const char *lane;
	int64_t memory, keys_per_rule, entries_per_rule, ids_per_stream;
	uint8_t mask_key[32];
};
void archive_rules_hash(const struct archive_rules *rules, uint8_t hash[32]);

struct archive_file {
	const char *path, *text;
	size_t len;
};
/*
 * Keeps files under their hashes in STATE/archive, and a manifest that names
 * them under @hash; durable on return. @why gets a sentence.
 */
int archive_keep_rules(const char *state, const uint8_t hash[32],
		       const struct archive_rules *rules,
		       const struct archive_file *files, size_t n,
		       struct buf *why);

/* What a table or list has: keeps it under its SHA-256; durable on return. */
int archive_keep_content(const char *state, const char *text, size_t len);
/* Into @text. -ENOENT; -EBADMSG: it is not what its name says. */
int archive_content(const char *state, const uint8_t hash[32],
		    struct buf *text);

/* --- writing --- */

struct archive;

struct archive_counters {
	uint64_t raw_bytes, bytes; /* written since it was opened */
};

/* Where in its journal a lane stands. */
struct archive_place {
	uint32_t journal;
	const struct journal_header *header;
	uint64_t next; /* ordinal of the input that is handed over next */
	uint64_t end;  /* … and of the journal's last one */
	/* That were decided before, with the offsets that come next. */
	const struct journal_partition *partitions;
	size_t n_partitions;
};

/*
 * Goes on with the archive of a journal. What it has already is not written
 * again. @keep_s: segments that were last written longer ago go.
 */
int archive_open(struct archive **ret, const char *state,
		 const struct archive_place *place, int64_t keep_s);
/*
 * The ordinal behind what the archive of a journal holds; UINT64_MAX: it has
 * none, not even an empty one.
 */
uint64_t archive_next(const char *state, uint32_t journal);
/* Waits for what was handed over; what waits for the journal is dropped. */
void archive_close(struct archive *archive);

void archive_record(struct archive *archive, uint32_t partition, int64_t offset,
		    int64_t timestamp, int64_t poll_time, const char *payload,
		    size_t len);
void archive_decide(struct archive *archive, const struct decision *decision,
		    int64_t first_offset);
/*
 * What was handed over lies in the journal up to @position. It is written once
 * the journal is durable up to there, so that the archive never knows an order
 * that may be made anew: archive_pump() says how far that is.
 */
void archive_note(struct archive *archive, uint64_t position);
void archive_pump(struct archive *archive, uint64_t durable);
/* Asks for all that was handed over to become durable. */
void archive_sync(struct archive *archive);
/* Up to this ordinal it is on disk. */
uint64_t archive_durable(const struct archive *archive);
uint64_t archive_backlog(const struct archive *archive); /* bytes */
/* As journal_error(). */
int archive_error(const struct archive *archive);
struct archive_counters archive_counters(const struct archive *archive);

/* --- reading --- */

struct archive_entry {
	uint64_t ordinal;
	bool is_record;
	const char *topic; /* of both, "" if a decision has none */
	int32_t partition;
	/* A record; it holds until the next call. */
	int64_t offset, timestamp, poll_time;
	const char *payload; /* NULL: none */
	size_t len;
	/* A decision. */
	struct decision decision;
	int64_t first_offset;
};

struct archive_reader;

/* "STATE/archive/journal-GGGGGGGG"; the caller frees. */
char *archive_dir(const char *state, uint32_t journal);
/* Numbers of the journals that have an archive, greatest first. */
int archive_list(const char *state, uint32_t **ret, size_t *n);
/* -ENOENT: nothing is in @dir. */
int archive_read_open(struct archive_reader **ret, const char *dir,
		      struct buf *why);
const struct journal_header *
archive_read_header(const struct archive_reader *reader);
/*
 * 1: an entry; 0: the end; -ENODATA: inputs are missing before the next one;
 * -EBADMSG: damaged. @why gets a sentence.
 */
int archive_read(struct archive_reader *reader, struct archive_entry *entry,
		 struct buf *why);
void archive_read_close(struct archive_reader *reader);
