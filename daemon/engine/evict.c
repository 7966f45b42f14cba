/*
 * Evict: who floods pays.
 *
 * A plan that has to give a key up gives the one with the oldest clock, and
 * without a standing alert, among those of the first `by` value that holds
 * the most keys; ties go by creation ordinal. So a supplier who invents a
 * million accounts pushes out his own, not the others'. If each key has an
 * alert, one goes all the same, chosen alike, and leaves its alert stale.
 *
 * Nothing of this is kept before a limit is reached the first time; then all
 * keys are looked at once, in whatever order they lie, because what is chosen
 * depends on none. From there on groups are counted as keys come and go.
 * Clocks only rise, so a key stands at or before its place, and is put right
 * when it comes to the top. The price is 32 bytes a key and 36 a group, beside
 * the pages and not counted among them.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>
#include <stdlib.h>

/* A key in a pairing heap: cheap to add to, and most are never taken out. */
struct node {
	usec_t clock; /* at or before the key's */
	uint64_t created;
	handle_t key;
	uint32_t child, next; /* 0: none */
};

/* The keys of one first `by` value. */
struct group {
	uint64_t hash;
	uint32_t n_keys;
	uint32_t place; /* in the order */
	/* The oldest on top; 0: none. Where an alert rang when it was looked
	 * at, and where none did: the former must not be in the way. */
	uint32_t quiet, ringing;
};

struct evictor {
	struct node *nodes; /* from 1 */
	uint32_t n_nodes, cap_nodes;
	uint32_t spare; /* of nodes, linked by next */
	uint32_t in_use;
	struct group *groups;
	uint32_t *table; /* group + 1 by hash, open addressing */
	uint32_t *order; /* groups as a heap, who pays first on top */
	uint32_t n_groups, cap_groups;
};

static void *grow(void *array, size_t n, size_t size) {
	array = reallocarray(array, n, size);
	assert(array);
	return array;
}

/* --- nodes --- */

static bool older(const struct evictor *evictor, uint32_t a, uint32_t b) {
	const struct node *x = &evictor->nodes[a], *y = &evictor->nodes[b];

	return x->clock != y->clock ? x->clock < y->clock
				    : x->created < y->created;
}

static uint32_t meld(struct evictor *evictor, uint32_t a, uint32_t b) {
	uint32_t swap = a;

	if (!a || !b)
		return a ? a : b;
	if (older(evictor, b, a)) {
		a = b;
		b = swap;
	}
	evictor->nodes[b].next = evictor->nodes[a].child;
	evictor->nodes[a].child = b;
	return a;
}

/* Siblings in pairs from the left, then the pairs from the right. */
static uint32_t meld_all(struct evictor *evictor, uint32_t first) {
	struct node *nodes = evictor->nodes;
	uint32_t pairs = 0, other, rest;

	for (; first; first = rest) {
		other = nodes[first].next;
		rest = other ? nodes[other].next : 0;
		first = meld(evictor, first, other);
		nodes[first].next = pairs;
		pairs = first;
	}
	for (first = 0; pairs; pairs = rest) {
		rest = nodes[pairs].next;
		first = meld(evictor, first, pairs);
	}
	if (first)
		nodes[first].next = 0;
	return first;
}

static uint32_t node_new(struct evictor *evictor, handle_t key,
			 const struct key *record) {
	uint32_t node = evictor->spare;

	if (node) {
		evictor->spare = evictor->nodes[node].next;
	} else {
		if (evictor->n_nodes + 1 >= evictor->cap_nodes) {
			evictor->cap_nodes += evictor->cap_nodes / 2 + 256;
			evictor->nodes =
				grow(evictor->nodes, evictor->cap_nodes,
				     sizeof(*evictor->nodes));
		}
		node = ++evictor->n_nodes;
	}
	evictor->nodes[node] = (struct node){ .clock = record->clock,
					      .created = record->created,
					      .key = key };
	evictor->in_use++;
	return node;
}

static void node_pop(struct evictor *evictor, uint32_t *heap) {
	uint32_t node = *heap;

	*heap = meld_all(evictor, evictor->nodes[node].child);
	evictor->nodes[node].next = evictor->spare;
	evictor->spare = node;
	evictor->in_use--;
}

/* --- groups --- */

/* Who has a key to give without an alert; who has more keys; the older. */
static bool pays_first(const struct evictor *evictor, uint32_t x, uint32_t y) {
	const struct group *a = &evictor->groups[x], *b = &evictor->groups[y];
	uint32_t top = a->quiet ? a->quiet : a->ringing;
	uint32_t other = b->quiet ? b->quiet : b->ringing;

	if (!a->quiet != !b->quiet)
		return a->quiet != 0;
	if (a->n_keys != b->n_keys)
		return a->n_keys > b->n_keys;
	if (!top || !other)
		return top != 0;
	return older(evictor, top, other);
}

static void put(struct evictor *evictor, uint32_t place, uint32_t group) {
	evictor->order[place] = group;
	evictor->groups[group].place = place;
}

/* The group may have come to stand at the wrong place. */
static void settle(struct evictor *evictor, uint32_t group) {
	uint32_t i = evictor->groups[group].place, next;
	const uint32_t *order = evictor->order;

	while (i && pays_first(evictor, group, order[(i - 1) / 2])) {
		put(evictor, i, order[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	while ((next = i * 2 + 1) < evictor->n_groups) {
		if (next + 1 < evictor->n_groups &&
		    pays_first(evictor, order[next + 1], order[next]))
			next++;
		if (!pays_first(evictor, order[next], group))
			break;
		put(evictor, i, order[next]);
		i = next;
	}
	put(evictor, i, group);
}

static uint32_t *slot_of(const struct evictor *evictor, uint64_t hash) {
	uint32_t mask = evictor->cap_groups * 2 - 1, at = (uint32_t)hash & mask;

	while (evictor->table[at] &&
	       evictor->groups[evictor->table[at] - 1].hash != hash)
		at = (at + 1) & mask;
	return &evictor->table[at];
}

static void groups_grow(struct evictor *evictor) {
	uint32_t cap = evictor->cap_groups ? evictor->cap_groups * 2 : 256, i;

	evictor->groups = grow(evictor->groups, cap, sizeof(*evictor->groups));
	evictor->order = grow(evictor->order, cap, sizeof(*evictor->order));
	free(evictor->table);
	evictor->table = calloc((size_t)cap * 2, sizeof(*evictor->table));
	assert(evictor->table);
	evictor->cap_groups = cap;
	for (i = 0; i < evictor->n_groups; i++)
		*slot_of(evictor, evictor->groups[i].hash) = i + 1;
}

static uint32_t group_of(struct evictor *evictor, uint64_t hash) {
	uint32_t group = evictor->n_groups, *slot;

	if (group == evictor->cap_groups)
		groups_grow(evictor);
	slot = slot_of(evictor, hash);
	if (*slot)
		return *slot - 1;
	*slot = group + 1;
	evictor->groups[group] = (struct group){ .hash = hash, .place = group };
	evictor->order[group] = group;
	evictor->n_groups++;
	return group;
}

/*
 * By a 64-bit hash: a collision would only join two groups for eviction. Of a
 * key of one part each would be a group of its own: they are one, and the
 * oldest of all goes.
 */
static uint64_t first_hash(const struct engine *engine,
			   const struct plan_state *ps, handle_t key) {
	const uint8_t *bytes =
		(const uint8_t *)pages_read(&engine->pages, key) + ps->at.key;
	size_t len = 8;

	if (ps->plan->n_by < 2)
		return 0;
	if (ps->plan->by_types[0].kind == KIND_STRING)
		len = 2u + bytes[0] + ((size_t)bytes[1] << 8);
	return hash64(bytes, len, 0);
}

/* --- keys that come and go --- */

/*
 * Nodes and groups of keys long gone would pile up for ever, so all of it goes
 * and is built anew if it is needed again.
 */
static bool is_stale(const struct plan_state *ps) {
	size_t most = 2 * (size_t)ps->index.n + 1024;

	return ps->evictor->in_use > most || ps->evictor->n_groups > most;
}

/* A place among those without an alert, beside others that it may have. */
static void note(struct evictor *evictor, uint32_t group, handle_t key,
		 const struct key *record) {
	struct group *g = &evictor->groups[group];

	g->quiet = meld(evictor, g->quiet, node_new(evictor, key, record));
	settle(evictor, group);
}

static void drop_stale(struct plan_state *ps) {
	if (!is_stale(ps))
		return;
	evictor_free(ps->evictor);
	ps->evictor = NULL;
}

static void note_new(const struct engine *engine, struct plan_state *ps,
		     handle_t key) {
	uint32_t group = group_of(ps->evictor, first_hash(engine, ps, key));

	ps->evictor->groups[group].n_keys++;
	note(ps->evictor, group, key, key_read(engine, key));
}

void evict_note(const struct engine *engine, struct plan_state *ps,
		handle_t key) {
	if (!ps->evictor)
		return;
	note_new(engine, ps, key);
	drop_stale(ps);
}

void evict_note_quiet(const struct engine *engine, struct plan_state *ps,
		      handle_t key) {
	if (!ps->evictor || key_has_alert(engine, ps, key))
		return;
	note(ps->evictor, group_of(ps->evictor, first_hash(engine, ps, key)),
	     key, key_read(engine, key));
	drop_stale(ps);
}

/* Its nodes stay and are recognised as nobody's later. */
void evict_forget(const struct engine *engine, struct plan_state *ps,
		  handle_t key) {
	uint32_t group;

	if (!ps->evictor)
		return;
	group = group_of(ps->evictor, first_hash(engine, ps, key));
	ps->evictor->groups[group].n_keys--;
	settle(ps->evictor, group);
}

static void note_all(const struct engine *engine, struct plan_state *ps,
		     const struct index_slot *slots, size_t n) {
	size_t i;

	for (i = 0; slots && i < n; i++)
		if (slots[i].handle && slots[i].handle != INDEX_TOMBSTONE)
			note_new(engine, ps, slots[i].handle);
}

static void build(const struct engine *engine, struct plan_state *ps) {
	const struct index *index = &ps->index;

	ps->evictor = calloc(1, sizeof(*ps->evictor));
	assert(ps->evictor);
	note_all(engine, ps, index->slots, (size_t)index->mask + 1);
	note_all(engine, ps, index->old, (size_t)index->old_mask + 1);
}

/* --- choosing --- */

/* What is on top is that of no key, or not where the key belongs. */
static bool put_right(const struct engine *engine, struct plan_state *ps,
		      struct group *group, uint32_t *heap) {
	struct evictor *evictor = ps->evictor;
	struct node node = evictor->nodes[*heap];
	const struct key *key;
	uint32_t *to = heap;

	if (!key_is(engine, node.key, node.created)) {
		node_pop(evictor, heap);
		return true;
	}
	key = key_read(engine, node.key);
	if (key_has_alert(engine, ps, node.key) != (heap == &group->ringing))
		to = heap == &group->quiet ? &group->ringing : &group->quiet;
	else if (key->clock == node.clock)
		return false;
	node_pop(evictor, heap);
	*to = meld(evictor, *to, node_new(evictor, node.key, key));
	return true;
}

/* Those that the event at hand is folded into, until another is found. */
struct held {
	handle_t *keys;
	size_t n;
};

static void hold(struct held *held, handle_t key) {
	size_t i;

	for (i = 0; i < held->n; i++)
		if (held->keys[i] == key)
			return; /* it may be noted twice */
	held->keys[held->n++] = key;
}

static handle_t choose(const struct engine *engine, struct plan_state *ps,
		       struct held *held) {
	struct evictor *evictor = ps->evictor;
	uint32_t *heap, at;
	struct group *group;
	handle_t key;

	for (;;) {
		if (!evictor->n_groups)
			return 0;
		at = evictor->order[0];
		group = &evictor->groups[at];
		heap = group->quiet ? &group->quiet : &group->ringing;
		if (!*heap)
			return 0;
		key = evictor->nodes[*heap].key;
		if (!put_right(engine, ps, group, heap)) {
			if (!key_is_taken(engine, key))
				return key;
			hold(held, key);
			node_pop(evictor, heap);
		}
		settle(evictor, at);
	}
}

/* Whoever looks at a coarser key hears of it, too. */
static void count(struct engine *engine, const struct plan *plan,
		  enum engine_limit limit) {
	size_t i;

	COUNT(engine, plan, evicted[limit], 1);
	for (i = 0; i < plan->n_watchers; i++)
		engine->rules[plan->watchers[i]->rank]
			.counters.evicted[limit]++;
}

bool evict(struct engine *engine, struct plan_state *ps,
	   enum engine_limit limit) {
	struct held held = { .n = 0 };
	handle_t key;
	size_t i;

	held.keys =
		arena_array(&engine->scratch, handle_t, engine->n_taking + 1);
	if (!ps->evictor)
		build(engine, ps);
	key = choose(engine, ps, &held);
	for (i = 0; i < held.n; i++)
		note(ps->evictor,
		     group_of(ps->evictor,
			      first_hash(engine, ps, held.keys[i])),
		     held.keys[i], key_read(engine, held.keys[i]));
	if (!key)
		return false;
	count(engine, ps->plan, limit);
	judge_evicted(engine, ps, key);
	key_evict(engine, ps, key);
	return true;
}

void evictor_free(struct evictor *evictor) {
	if (!evictor)
		return;
	free(evictor->nodes);
	free(evictor->groups);
	free(evictor->table);
	free(evictor->order);
	free(evictor);
}
