/*
 * Sent, inside: sent.c writes, sent_read.c reads.
 */
#pragma once

#include "lane/segment.h"
#include "lane/sent.h"
#include "lane/varint.h"

#ifndef SENT_SEGMENT_BYTES /* a simulation has smaller ones */
#define SENT_SEGMENT_BYTES (8u << 20)
#endif

enum sent_kind {
	SENT_HEADER = 16, /* none of a journal's */
	SENT_ALERT = 17,
	SENT_DEAD = 18
};

/* A file, and what lies before it. */
struct sent_segment {
	uint64_t seq; /* of the last alert before it */
	bool has_hash;
	uint8_t hash[32]; /* of that one */
	uint64_t missing; /* dead letters up to here may not be in the log */
	uint64_t dead;    /* the last dead letter before it, ever */
	uint64_t bytes;
	int64_t closed; /* microseconds since 1970; 0: it is written to */
};

/* The folder, and the path of a file; the caller frees. */
char *sent_folder(const char *state);
char *sent_path(const char *folder, const struct sent_segment *segment);

void sent_put_header(struct buf *out, const char *lane,
		     const struct sent_segment *segment);
void sent_put_item(struct buf *out, uint64_t position,
		   const struct outbox_item *item);
void sent_put_dead(struct buf *out, uint64_t position,
		   const struct dead_letter *dead);

/* -EBADMSG; -EPROTO: of another version; -EXDEV: of another lane. */
int sent_get_header(const struct record *record, const char *lane,
		    struct sent_segment *ret);
/* What the log comes to with it; false: not what may come next. */
bool sent_get_point(const struct record *record, struct sent_point *point);

/* Of the open log: its files, oldest first. */
const struct sent_segment *sent_segments(const struct sent *sent, size_t *n);
const char *sent_dir(const struct sent *sent);
const char *sent_lane(const struct sent *sent);
/* Waits until all that was added can be read. */
int sent_flush(struct sent *sent);
