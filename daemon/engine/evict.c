/*
 * Evict: who floods pays.
 *
 * At its cap a plan gives up the key with the oldest clock, and without a
 * standing alert, among those of the first `by` value that holds the most
 * keys; ties go by creation ordinal. So a supplier who invents a million
 * accounts pushes out his own, not the others'.
 *
 * Nothing of this is kept before the cap is reached the first time; then all
 * keys are looked at once, and from there on groups are counted as keys come
 * and go. Clocks only rise, so a heap with stale clocks is put right when its
 * least entry is taken.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>
#include <stdlib.h>

struct candidate {
	usec_t clock; /* at or before the key's */
	uint64_t created;
	handle_t key;
	uint32_t hash;
};

struct group {
	uint64_t hash; /* of the first by value */
	uint64_t ordinal;
	uint64_t n_keys;
	struct candidate *heap;
	size_t n, cap;
};

struct evictor {
	struct group **table; /* open addressing by hash */
	size_t mask, n;
	struct group **by_count; /* most keys first, as a heap */
	size_t *place;           /* of a group in by_count, by ordinal */
	size_t cap;
	size_t n_candidates; /* noted since it was built */
};

static bool older(const struct candidate *a, const struct candidate *b) {
	return a->clock != b->clock ? a->clock < b->clock
				    : a->created < b->created;
}

static void group_push(struct group *group, struct candidate new) {
	size_t i = group->n++, up;

	if (group->n > group->cap) {
		group->cap = group->cap ? group->cap * 2 : 8;
		group->heap = reallocarray(group->heap, group->cap,
					   sizeof(*group->heap));
		assert(group->heap);
	}
	for (; i && older(&new, &group->heap[up = (i - 1) / 2]); i = up)
		group->heap[i] = group->heap[up];
	group->heap[i] = new;
}

static struct candidate group_pop(struct group *group) {
	struct candidate least = group->heap[0], last;
	size_t i = 0, child;

	last = group->heap[--group->n];
	while ((child = i * 2 + 1) < group->n) {
		if (child + 1 < group->n &&
		    older(&group->heap[child + 1], &group->heap[child]))
			child++;
		if (!older(&group->heap[child], &last))
			break;
		group->heap[i] = group->heap[child];
		i = child;
	}
	group->heap[i] = last;
	return least;
}

/* More keys first; then the group that was seen first. */
static bool larger(const struct group *a, const struct group *b) {
	return a->n_keys != b->n_keys ? a->n_keys > b->n_keys
				      : a->ordinal < b->ordinal;
}

static void put(struct evictor *evictor, size_t i, struct group *group) {
	evictor->by_count[i] = group;
	evictor->place[group->ordinal] = i;
}

static void settle(struct evictor *evictor, struct group *group) {
	size_t i = evictor->place[group->ordinal], next;

	while (i && larger(group, evictor->by_count[(i - 1) / 2])) {
		put(evictor, i, evictor->by_count[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	while ((next = i * 2 + 1) < evictor->n) {
		if (next + 1 < evictor->n && larger(evictor->by_count[next + 1],
						    evictor->by_count[next]))
			next++;
		if (!larger(evictor->by_count[next], group))
			break;
		put(evictor, i, evictor->by_count[next]);
		i = next;
	}
	put(evictor, i, group);
}

static void evictor_grow(struct evictor *evictor) {
	struct group **old = evictor->table;
	size_t size = evictor->cap ? evictor->cap * 2 : 256, i, at;

	evictor->table = calloc(size * 2, sizeof(struct group *));
	evictor->by_count =
		reallocarray(evictor->by_count, size, sizeof(struct group *));
	evictor->place =
		reallocarray(evictor->place, size, sizeof(*evictor->place));
	assert(evictor->table && evictor->by_count && evictor->place);
	evictor->cap = size;
	evictor->mask = size * 2 - 1;
	for (i = 0; i < evictor->n; i++) {
		at = evictor->by_count[i]->hash & evictor->mask;
		while (evictor->table[at])
			at = (at + 1) & evictor->mask;
		evictor->table[at] = evictor->by_count[i];
	}
	free(old);
}

/* Groups by a 64-bit hash: a collision would only join two for eviction. */
static uint64_t first_hash(const struct engine *engine,
			   const struct plan_state *ps, handle_t key) {
	const uint8_t *bytes =
		(const uint8_t *)pages_read(&engine->pages, key) + ps->at.key;
	size_t len = 8;

	if (!ps->plan->n_by)
		return 0;
	if (ps->plan->n_by == 1)
		len = key_read(engine, key)->len;
	else if (ps->plan->by_types[0].kind == KIND_STRING)
		len = 2u + bytes[0] + ((size_t)bytes[1] << 8);
	return hash64(bytes, len, 0);
}

static uint32_t index_hash(const struct engine *engine,
			   const struct plan_state *ps, handle_t key) {
	const uint8_t *bytes = pages_read(&engine->pages, key);

	return key_hash(engine, bytes + ps->at.key, key_read(engine, key)->len);
}

static struct group *group_of(struct evictor *evictor, uint64_t hash) {
	struct group *group;
	size_t at;

	if (evictor->n == evictor->cap)
		evictor_grow(evictor);
	for (at = hash & evictor->mask; evictor->table[at];
	     at = (at + 1) & evictor->mask)
		if (evictor->table[at]->hash == hash)
			return evictor->table[at];
	group = calloc(1, sizeof(*group));
	assert(group);
	group->hash = hash;
	group->ordinal = evictor->n;
	evictor->table[at] = group;
	put(evictor, evictor->n++, group);
	return group;
}

void evict_note(const struct engine *engine, struct plan_state *ps,
		handle_t handle) {
	const struct key *key = key_read(engine, handle);
	struct group *group;

	if (!ps->evictor)
		return;
	group = group_of(ps->evictor, first_hash(engine, ps, handle));
	group_push(group, (struct candidate){ key->clock, key->created, handle,
					      index_hash(engine, ps, handle) });
	ps->evictor->n_candidates++;
	group->n_keys++;
	settle(ps->evictor, group);
}

/* Its candidate stays in the heap and is recognised as gone later. */
void evict_forget(const struct engine *engine, struct plan_state *ps,
		  handle_t handle) {
	struct group *group;

	if (!ps->evictor)
		return;
	group = group_of(ps->evictor, first_hash(engine, ps, handle));
	group->n_keys--;
	settle(ps->evictor, group);
}

struct found {
	uint64_t created;
	handle_t key;
};

static int by_creation(const void *a, const void *b) {
	const struct found *x = a, *y = b;

	return x->created < y->created ? -1 : x->created > y->created;
}

static size_t collect(const struct engine *engine,
		      const struct index_slot *slots, size_t n,
		      struct found *all) {
	size_t i, found = 0;

	for (i = 0; slots && i < n; i++)
		if (slots[i].handle && slots[i].handle != INDEX_TOMBSTONE)
			all[found++] = (struct found){
				key_read(engine, slots[i].handle)->created,
				slots[i].handle
			};
	return found;
}

/* Sorted, because the index's order must not reach a result. */
static void build(const struct engine *engine, struct plan_state *ps) {
	const struct index *index = &ps->index;
	struct found *all = calloc((size_t)index->n + 1, sizeof(*all));
	size_t n, i;

	ps->evictor = calloc(1, sizeof(*ps->evictor));
	assert(all && ps->evictor);
	n = collect(engine, index->slots, (size_t)index->mask + 1, all);
	n += collect(engine, index->old, (size_t)index->old_mask + 1, all + n);
	qsort(all, n, sizeof(*all), by_creation);
	for (i = 0; i < n; i++)
		evict_note(engine, ps, all[i].key);
	free(all);
}

static bool is_there(const struct engine *engine, const struct plan_state *ps,
		     const struct candidate *candidate) {
	struct index_cursor cursor = { 0 };
	handle_t at = index_first(&ps->index, candidate->hash, &cursor);

	while (at && at != candidate->key)
		at = index_next(&ps->index, candidate->hash, &cursor);
	return at && key_read(engine, at)->created == candidate->created;
}

/* Those that stay, until a victim is found. */
struct held {
	struct candidate *items;
	size_t n, cap;
};

static void hold(struct held *held, struct arena *arena, struct candidate new) {
	struct candidate *items;

	if (held->n == held->cap) {
		held->cap = held->cap ? held->cap * 2 : 16;
		items = arena_alloc_raw(arena, held->cap * sizeof(*items), 16);
		if (held->n)
			memcpy(items, held->items, held->n * sizeof(*items));
		held->items = items;
	}
	held->items[held->n++] = new;
}

/* The group's oldest key without a standing alert; 0: all have one. */
static handle_t choose(const struct engine *engine, struct plan_state *ps,
		       struct group *group, struct arena *arena) {
	struct held held = { 0 };
	struct candidate candidate;
	handle_t chosen = 0;

	while (group->n && !chosen) {
		candidate = group_pop(group);
		if (!is_there(engine, ps, &candidate))
			continue;
		if (key_read(engine, candidate.key)->clock > candidate.clock) {
			candidate.clock =
				key_read(engine, candidate.key)->clock;
			group_push(group, candidate);
		} else if (key_is_taken(engine, candidate.key) ||
			   key_has_alert(engine, ps, candidate.key)) {
			hold(&held, arena, candidate);
		} else {
			chosen = candidate.key;
		}
	}
	while (held.n)
		group_push(group, held.items[--held.n]);
	return chosen;
}

/* Groups and candidates of keys long gone would pile up for ever. */
static bool is_stale(const struct plan_state *ps) {
	return ps->evictor->n_candidates > 4 * (size_t)ps->index.n + 1024;
}

/* Makes room for one key; false: every key has a standing alert. */
bool evict(struct engine *engine, struct plan_state *ps,
	   enum engine_limit limit) {
	handle_t key;
	size_t i;

	if (ps->evictor && is_stale(ps)) {
		evictor_free(ps->evictor);
		ps->evictor = NULL;
	}
	if (!ps->evictor)
		build(engine, ps);
	/* The root is the largest; others only if all of its keys ring. */
	for (i = 0; i < ps->evictor->n; i++) {
		key = choose(engine, ps, ps->evictor->by_count[i],
			     &engine->scratch);
		if (!key)
			continue;
		COUNT(engine, ps->plan, evicted[limit], 1);
		key_evict(engine, ps, key);
		return true;
	}
	return false;
}

void evictor_free(struct evictor *evictor) {
	size_t i;

	if (!evictor)
		return;
	for (i = 0; i < evictor->n; i++) {
		free(evictor->by_count[i]->heap);
		free(evictor->by_count[i]);
	}
	free(evictor->table);
	free(evictor->by_count);
	free(evictor->place);
	free(evictor);
}
