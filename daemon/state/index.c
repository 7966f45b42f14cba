#include "state/index.h"

#include "base/util.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_SIZE 64u
#define STEP 32u

static struct index_slot *slots_new(uint32_t size) {
	struct index_slot *slots = calloc(size, sizeof(*slots));

	/* Out of memory half-way through an event has no sensible outcome. */
	assert(slots);
	return slots;
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

static void put(struct index *index, struct index_slot new) {
	uint32_t at = new.hash;

	while (index->slots[at & index->mask].handle)
		at++;
	index->slots[at & index->mask] = new;
}

static void move_some(struct index *index) {
	struct index_slot *slot;
	uint32_t i;

	for (i = 0; i < STEP && index->moved <= index->old_mask; i++) {
		slot = &index->old[index->moved++];
		if (!slot->handle || slot->handle == INDEX_TOMBSTONE)
			continue;
		put(index, *slot);
		slot->handle = INDEX_TOMBSTONE;
	}
	if (index->moved <= index->old_mask)
		return;
	free(index->old);
	index->old = NULL;
}

static void grow(struct index *index) {
	uint32_t size = (index->mask + 1) * 2;

	assert(!index->old && size);
	index->old = index->slots;
	index->old_mask = index->mask;
	index->moved = 0;
	index->slots = slots_new(size);
	index->mask = size - 1;
}

void index_add(struct index *index, uint32_t hash, handle_t handle) {
	if (!index->slots) {
		index->slots = slots_new(FIRST_SIZE);
		index->mask = FIRST_SIZE - 1;
	}
	if (index->old)
		move_some(index);
	else if ((uint64_t)index->n * 4 >= ((uint64_t)index->mask + 1) * 3)
		grow(index);
	put(index, (struct index_slot){ hash, handle });
	index->n++;
}

/* Closes the gap, so that probing never meets a tombstone here. */
static void close_gap(struct index *index, uint32_t gap) {
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
		index->slots[gap] = slot;
		gap = at;
	}
	index->slots[gap] = (struct index_slot){ 0 };
}

void index_remove(struct index *index, uint32_t hash, handle_t handle) {
	struct index_cursor cursor = { 0 };
	handle_t found = index_first(index, hash, &cursor);

	while (found != handle) {
		assert(found);
		found = index_next(index, hash, &cursor);
	}
	index->n--;
	if (cursor.in_old)
		index->old[cursor.at & index->old_mask].handle =
			INDEX_TOMBSTONE;
	else
		close_gap(index, cursor.at & index->mask);
}

size_t index_bytes(const struct index *index) {
	size_t slots = 0;

	if (index->slots)
		slots += (size_t)index->mask + 1;
	if (index->old)
		slots += (size_t)index->old_mask + 1;
	return slots * sizeof(struct index_slot);
}

void index_free(struct index *index) {
	free(index->slots);
	free(index->old);
	*index = (struct index){ 0 };
}
