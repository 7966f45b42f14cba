/*
 * Index: from a 32-bit hash to handles, growing step by step.
 *
 * Open addressing over eight-byte slots. A table that doubles at once would
 * stall the lane for a second at ten million keys, so the old table stays
 * beside the new one and every insertion moves a few slots across. The price
 * is that a look-up may probe twice while that lasts.
 *
 * Keys are not here: whoever looks up compares the bytes that a handle leads
 * to. Never iterated, so its order cannot reach a result.
 */
#pragma once

#include "base/pages.h"

#include <stdbool.h>

#define INDEX_TOMBSTONE UINT32_MAX /* a handle, only in the old table */

struct index_slot {
	uint32_t hash;
	handle_t handle; /* 0: empty */
};

/* All zero bytes are a valid empty index. */
struct index {
	struct index_slot *slots;
	uint32_t mask; /* size - 1 */
	uint32_t n;    /* in both tables */
	struct index_slot *old;
	uint32_t old_mask;
	uint32_t moved;            /* slots of old that were moved across */
	handle_t table, old_table; /* of both, among the pages */
};

struct index_cursor {
	uint32_t at;
	bool in_old;
};

/* The first and the next handle with this hash; 0: no more. */
handle_t index_first(const struct index *index, uint32_t hash,
		     struct index_cursor *cursor);
handle_t index_next(const struct index *index, uint32_t hash,
		    struct index_cursor *cursor);
void index_add(struct index *index, struct pages *pages, uint32_t hash,
	       handle_t handle);
/* The handle must be there. */
void index_remove(struct index *index, struct pages *pages, uint32_t hash,
		  handle_t handle);
size_t index_bytes(const struct index *index);

/* Where its tables lie among the pages; -EBADMSG: nowhere in them. */
void index_save(const struct index *index, struct buf *out);
int index_restore(struct index *index, const struct pages *pages,
		  struct saved *from);
/* Adds where they are to @tables, which has room for two; how many. */
size_t index_tables(const struct index *index, struct pages_table *tables);

static inline void index_prefetch(const struct index *index, uint32_t hash) {
	if (index->slots)
		__builtin_prefetch(&index->slots[hash & index->mask]);
}
