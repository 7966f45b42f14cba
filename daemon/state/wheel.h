/*
 * Wheel: cells that end some time after they fell due, cheaply.
 *
 * Keys whose windows have emptied and ids that need no longer be remembered
 * must go, but nobody waits for the moment: four bytes in the cell and a list
 * per bucket of time replace a heap entry of 40. What is taken out is looked
 * at and, if it lives on, put back. Exact times are decided by whoever looks.
 * Within a bucket what was added first comes first.
 */
#pragma once

#include "base/pages.h"
#include "base/util.h"

#include <stdbool.h>

#define WHEEL_BUCKETS 128u

struct wheel {
	usec_t width;  /* of a bucket; > 0 */
	int64_t first; /* number of the oldest bucket that may hold something */
	bool begun;
	size_t next_offset; /* of the handle_t in a cell that links the list */
	size_t prev_offset; /* likewise backwards; 0: nothing is removed */
	handle_t head[WHEEL_BUCKETS], tail[WHEEL_BUCKETS];
};

void wheel_init(struct wheel *wheel, usec_t width, size_t next_offset,
		size_t prev_offset);
/* A @due before what was taken out already goes into the next bucket. */
void wheel_add(struct wheel *wheel, struct pages *pages, handle_t cell,
	       usec_t due);
/* Takes a cell out that was added and not yet taken. */
void wheel_remove(struct wheel *wheel, struct pages *pages, handle_t cell);
/* Takes the first cell of the oldest bucket out, due or not; 0: none. */
handle_t wheel_pop(struct wheel *wheel, const struct pages *pages);
/* The first of a list of cells due at or before @now, unlinked; 0: none. */
handle_t wheel_take(struct wheel *wheel, usec_t now);
