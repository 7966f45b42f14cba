#include "state/index.h"

#include "base/util.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FIRST_SIZE 64u
#define STEP 32u

static size_t table_bytes(uint32_t mask) {
	return ((size_t)mask + 1) * sizeof(struct index_slot);
}

static struct index_slot *slots_at(const struct pages *pages, handle_t table) {
	return (struct index_slot *)(void *)(pages->base +
					     (size_t)table * PAGE_UNIT);
}

static void slots_new(struct index *index, struct pages *pages, uint32_t size) {
	index->mask = size - 1;
	index->table = pages_table(pages, table_bytes(index->mask));
	/* Out of memory half-way through an event has no sensible outcome. */
	if (!index->table)
		abort();
	index->slots = slots_at(pages, index->table);
}

static void slot_write(struct pages *pages, struct index_slot *at,
		       struct index_slot slot) {
	pages_change(pages, at, sizeof(*at));
	*at = slot;
}

static handle_t probe_old(const struct index *index, uint32_t hash,
			  struct index_cursor *cursor) {
	const struct index_slot *slot;

	for (;; cursor->at++) {
		slot = &index->old[cursor->at & index->old_mask];
		if (!slot->handle)
			return 0;
		if (slot->hash == hash && slot->handle != INDEX_TOMBSTONE)
			return slot->handle;
	}
}

static handle_t probe(const struct index *index, uint32_t hash,
		      struct index_cursor *cursor) {
	const struct index_slot *slot;

	if (cursor->in_old)
		return probe_old(index, hash, cursor);
	for (;; cursor->at++) {
		slot = &index->slots[cursor->at & index->mask];
		if (!slot->handle)
			break;
		if (slot->hash == hash)
			return slot->handle;
	}
	if (!index->old)
		return 0;
	cursor->in_old = true;
	cursor->at = hash;
	return probe_old(index, hash, cursor);
}

handle_t index_first(const struct index *index, uint32_t hash,
		     struct index_cursor *cursor) {
	if (!index->slots)
		return 0;
	cursor->at = hash;
	cursor->in_old = false;
	return probe(index, hash, cursor);
}

handle_t index_next(const struct index *index, uint32_t hash,
		    struct index_cursor *cursor) {
	cursor->at++;
	return probe(index, hash, cursor);
}

static void put(struct index *index, struct pages *pages,
		struct index_slot new) {
	uint32_t at = new.hash;

	while (index->slots[at & index->mask].handle)
		at++;
	slot_write(pages, &index->slots[at & index->mask], new);
}

static void bury(struct pages *pages, struct index_slot *slot) {
	slot_write(pages, slot,
		   (struct index_slot){ slot->hash, INDEX_TOMBSTONE });
}

static void move_some(struct index *index, struct pages *pages) {
	struct index_slot *slot;
	uint32_t i;

	for (i = 0; i < STEP && index->moved <= index->old_mask; i++) {
		slot = &index->old[index->moved++];
		if (!slot->handle || slot->handle == INDEX_TOMBSTONE)
			continue;
		put(index, pages, *slot);
		bury(pages, slot);
	}
	if (index->moved <= index->old_mask)
		return;
	pages_table_release(pages, index->old_table,
			    table_bytes(index->old_mask));
	index->old = NULL;
	index->old_table = 0;
}

static void grow(struct index *index, struct pages *pages) {
	uint32_t size = (index->mask + 1) * 2;

	assert(!index->old && size);
	index->old = index->slots;
	index->old_mask = index->mask;
	index->old_table = index->table;
	index->moved = 0;
	slots_new(index, pages, size);
}

void index_add(struct index *index, struct pages *pages, uint32_t hash,
	       handle_t handle) {
	if (!index->slots)
		slots_new(index, pages, FIRST_SIZE);
	if (index->old)
		move_some(index, pages);
	else if ((uint64_t)index->n * 4 >= ((uint64_t)index->mask + 1) * 3)
		grow(index, pages);
	put(index, pages, (struct index_slot){ hash, handle });
	index->n++;
}

/* Closes the gap, so that probing never meets a tombstone here. */
static void close_gap(struct index *index, struct pages *pages, uint32_t gap) {
	uint32_t at = gap;
	struct index_slot slot;

	for (;;) {
		at = (at + 1) & index->mask;
		slot = index->slots[at];
		if (!slot.handle)
			break;
		if (((at - slot.hash) & index->mask) <
		    ((at - gap) & index->mask))
			continue;
		slot_write(pages, &index->slots[gap], slot);
		gap = at;
	}
	slot_write(pages, &index->slots[gap], (struct index_slot){ 0 });
}

void index_remove(struct index *index, struct pages *pages, uint32_t hash,
		  handle_t handle) {
	struct index_cursor cursor = { 0 };
	handle_t found = index_first(index, hash, &cursor);

	while (found != handle) {
		assert(found);
		found = index_next(index, hash, &cursor);
	}
	index->n--;
	if (cursor.in_old)
		bury(pages, &index->old[cursor.at & index->old_mask]);
	else
		close_gap(index, pages, cursor.at & index->mask);
}

size_t index_bytes(const struct index *index) {
	size_t slots = 0;

	if (index->slots)
		slots += (size_t)index->mask + 1;
	if (index->old)
		slots += (size_t)index->old_mask + 1;
	return slots * sizeof(struct index_slot);
}

void index_save(const struct index *index, struct buf *out) {
	const uint32_t said[] = {
		index->table,     index->slots ? index->mask : 0,   index->n,
		index->old_table, index->old ? index->old_mask : 0, index->moved
	};

	buf_add(out, said, sizeof(said));
}

/* A table of this size is there, and begins where one can. */
static bool is_table(const struct pages *pages, handle_t table, uint32_t mask) {
	uint64_t end = (uint64_t)table * PAGE_UNIT + table_bytes(mask);

	return table && mask < UINT32_MAX / 2 && !(mask & (mask + 1)) &&
	       mask + 1 >= FIRST_SIZE && end <= (uint64_t)pages->n * PAGE_BYTES;
}

int index_restore(struct index *index, const struct pages *pages,
		  struct saved *from) {
	uint32_t said[6];

	saved_take(from, said, sizeof(said));
	*index = (struct index){ .table = said[0],
				 .mask = said[1],
				 .n = said[2],
				 .old_table = said[3],
				 .old_mask = said[4],
				 .moved = said[5] };
	if (index->table && !is_table(pages, index->table, index->mask))
		return -EBADMSG;
	if (index->old_table &&
	    (!index->table ||
	     !is_table(pages, index->old_table, index->old_mask) ||
	     index->mask != index->old_mask * 2 + 1 ||
	     index->moved > index->old_mask))
		return -EBADMSG;
	/* Probing ends at an empty slot, so one must be left. */
	if (index->n > (index->table ? index->mask : 0))
		return -EBADMSG;
	if (index->table)
		index->slots = slots_at(pages, index->table);
	if (index->old_table)
		index->old = slots_at(pages, index->old_table);
	return 0;
}

size_t index_tables(const struct index *index, struct pages_table *tables) {
	size_t n = 0;

	if (index->table)
		tables[n++] = (struct pages_table){ index->table,
						    table_bytes(index->mask) };
	if (index->old_table)
		tables[n++] =
			(struct pages_table){ index->old_table,
					      table_bytes(index->old_mask) };
	return n;
}
