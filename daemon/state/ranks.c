#include "state/ranks.h"

#include <assert.h>
#include <string.h>

#define BLOCK_CAP 64u
#define KEY_BYTES (sizeof(int64_t) + sizeof(uint32_t))
#define BLOCK_BYTES (BLOCK_CAP * KEY_BYTES)
/*
 * Two neighbours that fit half a block become one, so RANKS_MOST keys take
 * 1,024 blocks at most, and the top fits a cell. Blocks are small, for what a
 * search touches of a large one is not in the cache.
 */
#define JOIN_MOST (BLOCK_CAP / 2)

struct rung {
	int64_t least; /* no key of the block is below; may be lower */
	uint32_t upto; /* keys of this block and all before it */
	uint32_t n;    /* different keys of the block */
	handle_t block;
	uint32_t unused;
};
#define RUNGS_FIRST 8u
#define RUNGS_MOST (CELL_MAX / sizeof(struct rung))
_Static_assert(2 * RANKS_MOST / JOIN_MOST <= RUNGS_MOST, "the top fits");

/* A block as it lies in its cell: cap keys, then cap sums. */
struct block {
	int64_t *keys;
	uint32_t *upto;
	uint32_t cap;
};

static uint32_t block_cap(const struct pages *pages, handle_t handle) {
	size_t cap = pages_cell_bytes(pages, handle) / KEY_BYTES;

	return cap < BLOCK_CAP ? (uint32_t)cap : BLOCK_CAP;
}

static struct block block_in(void *cell, uint32_t cap) {
	int64_t *keys = cell;

	return (struct block){ keys, (uint32_t *)(void *)(keys + cap), cap };
}

/*
 * Searching by halves, without branches: which half it is nobody can foresee,
 * and a wrong guess of the machine costs more than all the rest.
 */

/* The first that is not below @key. */
static inline uint32_t lower_bound(const int64_t *keys, uint32_t n,
				   int64_t key) {
	const int64_t *from = keys;
	uint32_t half;

	for (; n > 1; n -= half) {
		half = n / 2;
		from += (uint32_t)(from[half - 1] < key) * half;
	}
	return (uint32_t)(from - keys) + (n && *from < key);
}

/* The first whose sum is above @k. */
static inline uint32_t sum_above(const uint32_t *upto, uint32_t n, uint32_t k) {
	const uint32_t *from = upto;
	uint32_t half;

	for (; n > 1; n -= half) {
		half = n / 2;
		from += (uint32_t)(from[half - 1] <= k) * half;
	}
	return (uint32_t)(from - upto);
}

/* The block in which @key is, or would be: the last that begins at or below. */
static inline uint32_t rung_of(const struct rung *rungs, uint32_t n,
			       int64_t key) {
	const struct rung *from = rungs;
	uint32_t half;

	for (; n > 1; n -= half) {
		half = n / 2;
		from += (uint32_t)(from[half].least <= key) * half;
	}
	return (uint32_t)(from - rungs);
}

static inline uint32_t rung_above(const struct rung *rungs, uint32_t n,
				  uint32_t k) {
	const struct rung *from = rungs;
	uint32_t half;

	for (; n > 1; n -= half) {
		half = n / 2;
		from += (uint32_t)(from[half - 1].upto <= k) * half;
	}
	return (uint32_t)(from - rungs);
}

/* --- walking --- */

static inline void read_block(struct ranks_walk *walk, uint32_t block) {
	const struct ranks *ranks = walk->ranks;
	const struct rung *rungs;
	handle_t handle = ranks->root;
	uint32_t cap = ranks->cap;

	walk->block = block;
	walk->n = ranks->n_root;
	walk->before = 0;
	if (!cap) {
		rungs = pages_read(walk->pages, ranks->root);
		cap = BLOCK_CAP;
		handle = rungs[block].block;
		walk->n = rungs[block].n;
		walk->before = block ? rungs[block - 1].upto : 0;
	}
	walk->keys = pages_read(walk->pages, handle);
	walk->sums = (const uint32_t *)(const void *)(walk->keys + cap);
}

static inline void read_key(struct ranks_walk *walk, uint32_t i) {
	walk->i = i;
	walk->key = walk->keys[i];
	walk->below = walk->before + (i ? walk->sums[i - 1] : 0);
	walk->upto = walk->before + walk->sums[i];
	walk->is_behind = false;
}

static inline bool is_last_block(const struct ranks_walk *walk) {
	return walk->ranks->cap || walk->block + 1 == walk->ranks->n_root;
}

/* To the key at @i of the block, which may be the first of the next one. */
static void settle(struct ranks_walk *walk, uint32_t i) {
	if (i < walk->n) {
		read_key(walk, i);
	} else if (!is_last_block(walk)) {
		read_block(walk, walk->block + 1);
		read_key(walk, 0);
	} else {
		walk->i = i;
		walk->below = walk->upto = walk->ranks->n;
		walk->is_behind = true;
	}
}

void ranks_walk_at(struct ranks_walk *walk, const struct ranks *ranks,
		   const struct pages *pages, uint32_t k) {
	uint32_t block = 0;

	assert(k < ranks->n);
	walk->ranks = ranks;
	walk->pages = pages;
	if (!ranks->cap)
		block = rung_above(pages_read(pages, ranks->root),
				   ranks->n_root, k);
	read_block(walk, block);
	read_key(walk, sum_above(walk->sums, walk->n, k - walk->before));
}

void ranks_walk_to(struct ranks_walk *walk, const struct ranks *ranks,
		   const struct pages *pages, int64_t key) {
	uint32_t block = 0;

	assert(ranks->n);
	walk->ranks = ranks;
	walk->pages = pages;
	if (!ranks->cap)
		block = rung_of(pages_read(pages, ranks->root), ranks->n_root,
				key);
	read_block(walk, block);
	settle(walk, lower_bound(walk->keys, walk->n, key));
}

void ranks_next(struct ranks_walk *walk) {
	assert(!walk->is_behind);
	settle(walk, walk->i + 1);
}

bool ranks_prev(struct ranks_walk *walk) {
	if (walk->i) {
		read_key(walk, walk->i - 1);
		return true;
	}
	if (!walk->block)
		return false;
	read_block(walk, walk->block - 1);
	read_key(walk, walk->n - 1);
	return true;
}

/* --- room --- */

/* The only block moves to a cell twice as large. */
static bool block_grow(struct ranks *ranks, struct pages *pages) {
	size_t bytes = 2 * pages_cell_bytes(pages, ranks->root);
	struct block from, to;
	handle_t larger;
	uint32_t cap;

	larger = pages_alloc(pages, bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES);
	if (!larger)
		return false;
	cap = block_cap(pages, larger);
	from = block_in(pages_write(pages, ranks->root), ranks->cap);
	to = block_in(pages_write(pages, larger), cap);
	memcpy(to.keys, from.keys, ranks->n_root * sizeof(*to.keys));
	memcpy(to.upto, from.upto, ranks->n_root * sizeof(*to.upto));
	pages_release(pages, ranks->root);
	ranks->root = larger;
	ranks->cap = cap;
	return true;
}

/* The only block gets a top above it. */
static bool top_make(struct ranks *ranks, struct pages *pages) {
	handle_t top = pages_alloc(pages, RUNGS_FIRST * sizeof(struct rung));
	const int64_t *keys;

	if (!top)
		return false;
	keys = pages_read(pages, ranks->root);
	*(struct rung *)pages_write(pages, top) =
		(struct rung){ .least = keys[0],
			       .upto = ranks->n,
			       .n = ranks->n_root,
			       .block = ranks->root };
	ranks->root = top;
	ranks->n_root = 1;
	ranks->cap = 0;
	return true;
}

static bool top_grow(struct ranks *ranks, struct pages *pages) {
	size_t bytes = pages_cell_bytes(pages, ranks->root);
	size_t used = ranks->n_root * sizeof(struct rung);
	handle_t larger;

	if (used + sizeof(struct rung) <= bytes)
		return true;
	if (bytes == CELL_MAX)
		return false;
	larger =
		pages_alloc(pages, 2 * bytes < CELL_MAX ? 2 * bytes : CELL_MAX);
	if (!larger)
		return false;
	memcpy(pages_write(pages, larger), pages_read(pages, ranks->root),
	       used);
	pages_release(pages, ranks->root);
	ranks->root = larger;
	return true;
}

/* The upper half of block @r becomes a block of its own. */
static bool split(struct ranks *ranks, struct pages *pages, uint32_t r) {
	uint32_t keep = BLOCK_CAP / 2, i;
	struct rung *rungs, *left;
	struct block from, to;
	handle_t right;

	if (!top_grow(ranks, pages))
		return false;
	right = pages_alloc(pages, BLOCK_BYTES);
	if (!right)
		return false;
	rungs = pages_write(pages, ranks->root);
	left = &rungs[r];
	memmove(left + 2, left + 1,
		(ranks->n_root - r - 1) * sizeof(struct rung));
	ranks->n_root++;
	from = block_in(pages_write(pages, left->block), BLOCK_CAP);
	to = block_in(pages_write(pages, right), BLOCK_CAP);
	left[1] = (struct rung){ .least = from.keys[keep],
				 .upto = left->upto,
				 .n = left->n - keep,
				 .block = right };
	left->upto -= from.upto[left->n - 1] - from.upto[keep - 1];
	left->n = keep;
	memcpy(to.keys, from.keys + keep, left[1].n * sizeof(*to.keys));
	for (i = 0; i < left[1].n; i++)
		to.upto[i] = from.upto[keep + i] - from.upto[keep - 1];
	return true;
}

/* A full block makes room for one key more. */
static bool make_room(struct ranks *ranks, struct pages *pages, uint32_t r) {
	if (!ranks->cap)
		return split(ranks, pages, r);
	if (ranks->n_root == BLOCK_CAP)
		return top_make(ranks, pages) && split(ranks, pages, 0);
	return block_grow(ranks, pages);
}

/* --- adding --- */

struct place {
	struct rung *rungs; /* NULL: there is no top */
	uint32_t r;
	uint32_t *n; /* different keys of the block */
	struct block block;
	uint32_t i;
	bool is_there;
};

static struct place place_of(struct ranks *ranks, struct pages *pages,
			     int64_t key) {
	struct place p = { .n = &ranks->n_root };

	if (ranks->cap) {
		p.block = block_in(pages_write(pages, ranks->root), ranks->cap);
	} else {
		p.rungs = pages_write(pages, ranks->root);
		p.r = rung_of(p.rungs, ranks->n_root, key);
		p.n = &p.rungs[p.r].n;
		p.block = block_in(pages_write(pages, p.rungs[p.r].block),
				   BLOCK_CAP);
	}
	p.i = lower_bound(p.block.keys, *p.n, key);
	p.is_there = p.i < *p.n && p.block.keys[p.i] == key;
	return p;
}

static void sums_move(struct ranks *ranks, const struct place *p, uint32_t by) {
	uint32_t *upto = p->block.upto, n = *p->n, i;
	struct rung *rungs = p->rungs;

	for (i = p->i; i < n; i++)
		upto[i] += by;
	n = rungs ? ranks->n_root : 0;
	for (i = p->r; i < n; i++)
		rungs[i].upto += by;
	ranks->n += by;
}

static void insert(const struct place *p, int64_t key) {
	int64_t *keys = p->block.keys + p->i;
	uint32_t *upto = p->block.upto + p->i;
	uint32_t behind = *p->n - p->i;

	memmove(keys + 1, keys, behind * sizeof(*keys));
	memmove(upto + 1, upto, behind * sizeof(*upto));
	*keys = key;
	*upto = p->i ? upto[-1] : 0;
	++*p->n;
	if (p->rungs && p->rungs[p->r].least > key)
		p->rungs[p->r].least = key;
}

bool ranks_add(struct ranks *ranks, struct pages *pages, int64_t key) {
	struct place p;

	if (!ranks->root) {
		ranks->root = pages_alloc(pages, KEY_BYTES);
		if (!ranks->root)
			return false;
		ranks->cap = block_cap(pages, ranks->root);
	}
	p = place_of(ranks, pages, key);
	if (!p.is_there && *p.n == p.block.cap) {
		if (!make_room(ranks, pages, p.r))
			return false;
		p = place_of(ranks, pages, key);
	}
	if (!p.is_there)
		insert(&p, key);
	sums_move(ranks, &p, 1);
	return true;
}

/* --- taking out --- */

static void rung_remove(struct ranks *ranks, struct pages *pages, uint32_t r) {
	struct rung *rungs = pages_write(pages, ranks->root);
	handle_t last;

	pages_release(pages, rungs[r].block);
	memmove(rungs + r, rungs + r + 1,
		(ranks->n_root - r - 1) * sizeof(*rungs));
	if (--ranks->n_root > 1)
		return;
	last = rungs[0].block;
	ranks->n_root = rungs[0].n;
	ranks->cap = BLOCK_CAP;
	pages_release(pages, ranks->root);
	ranks->root = last;
}

/* Block @r + 1 goes into block @r. */
static void join(struct ranks *ranks, struct pages *pages, uint32_t r) {
	struct rung *rungs = pages_write(pages, ranks->root);
	struct rung *left = &rungs[r], *right = &rungs[r + 1];
	struct block to = block_in(pages_write(pages, left->block), BLOCK_CAP);
	struct block from =
		block_in(pages_write(pages, right->block), BLOCK_CAP);
	uint32_t before = left->n ? to.upto[left->n - 1] : 0, i;

	memcpy(to.keys + left->n, from.keys, right->n * sizeof(*to.keys));
	for (i = 0; i < right->n; i++)
		to.upto[left->n + i] = before + from.upto[i];
	left->n += right->n;
	left->upto = right->upto;
	rung_remove(ranks, pages, r + 1);
}

static void join_neighbours(struct ranks *ranks, struct pages *pages,
			    uint32_t r) {
	const struct rung *rungs = pages_read(pages, ranks->root);

	if (r + 1 < ranks->n_root && rungs[r].n + rungs[r + 1].n <= JOIN_MOST)
		join(ranks, pages, r);
	else if (r && rungs[r - 1].n + rungs[r].n <= JOIN_MOST)
		join(ranks, pages, r - 1);
}

bool ranks_remove(struct ranks *ranks, struct pages *pages, int64_t key) {
	struct place p;
	uint32_t behind;

	if (!ranks->root)
		return false;
	p = place_of(ranks, pages, key);
	if (!p.is_there)
		return false;
	sums_move(ranks, &p, UINT32_MAX);
	if (p.block.upto[p.i] > (p.i ? p.block.upto[p.i - 1] : 0))
		return true;
	behind = *p.n - p.i - 1;
	memmove(p.block.keys + p.i, p.block.keys + p.i + 1,
		behind * sizeof(*p.block.keys));
	memmove(p.block.upto + p.i, p.block.upto + p.i + 1,
		behind * sizeof(*p.block.upto));
	--*p.n;
	if (!ranks->cap && !*p.n)
		rung_remove(ranks, pages, p.r);
	else if (!ranks->cap)
		join_neighbours(ranks, pages, p.r);
	else if (!*p.n)
		ranks_free(ranks, pages);
	return true;
}

void ranks_free(struct ranks *ranks, struct pages *pages) {
	const struct rung *rungs;
	uint32_t r;

	if (ranks->root && !ranks->cap) {
		rungs = pages_read(pages, ranks->root);
		for (r = 0; r < ranks->n_root; r++)
			pages_release(pages, rungs[r].block);
	}
	pages_release(pages, ranks->root);
	*ranks = (struct ranks){ 0 };
}
