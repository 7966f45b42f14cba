/*
 * What the reader and the writer of archives share; ARCHIVE.md has the layout.
 */
#pragma once

#include "lane/archive.h"
#include "lane/varint.h"

#define FRAME_MAGIC 0x31524154u /* "TAR1" */

struct frame {
	uint32_t magic, raw_len, len; /* of the compressed bytes */
	uint32_t crc;                 /* of all else here, and of them */
	uint64_t first, end;          /* ordinals: the one behind */
};
uint32_t frame_crc(const struct frame *frame, const void *packed);

/* Against what the next numbers of a segment are told apart. */
struct archive_partition {
	char *topic;
	int32_t partition;
	int64_t next; /* offset */
};
struct archive_state {
	struct archive_partition *partitions;
	size_t n;
	int64_t timestamp, poll_time;
};

void archive_state_add(struct archive_state *state, const char *topic,
		       int32_t partition, int64_t next);
void archive_state_free(struct archive_state *state);
/* Of a partition or a gap: what it means for the offsets that follow. */
void archive_state_decide(struct archive_state *state,
			  const struct decision *decision,
			  int64_t first_offset);

void archive_put_start(struct buf *out, const struct journal_header *header,
		       uint64_t ordinal, const struct archive_state *state);
void archive_put_record(struct buf *out, struct archive_state *state,
			uint32_t partition, int64_t offset, int64_t timestamp,
			int64_t poll_time, const char *payload, size_t len);
void archive_put_decision(struct buf *out, struct archive_state *state,
			  const struct decision *decision,
			  int64_t first_offset);

/* "DIR/OOOOOOOOOOOOOOOO.tar1", by its first ordinal; the caller frees. */
char *archive_segment(const char *dir, uint64_t first);
int archive_segments(const char *dir, uint64_t **ret, size_t *n);

/* Begins with the last segment in which anything is whole. */
int archive_read_open_last(struct archive_reader **ret, const char *dir,
			   struct buf *why);
/* How things stand behind the last entry that was read. */
void archive_read_take_state(struct archive_reader *reader,
			     struct archive_state *state);
/*
 * Cuts what lies behind the last whole frame out of the segment. What is left
 * is durable on return: what comes next comes into another file, and may not
 * outlive it.
 */
int archive_read_cut(struct archive_reader *reader);
