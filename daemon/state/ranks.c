#include "state/ranks.h"

#include <assert.h>
#include <string.h>

#define BLOCK_CAP 256u
#define KEY_BYTES (sizeof(int64_t) + sizeof(uint32_t))
#define BLOCK_BYTES (BLOCK_CAP * KEY_BYTES)
/*
 * Two neighbours that fit half a block become one, so RANKS_MOST keys take
 * 1,024 blocks at most, and the top fits a cell.
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

static struct block block_write(struct pages *pages, handle_t handle) {
	uint32_t cap = block_cap(pages, handle);

	return block_in(pages_write(pages, handle), cap);
}

/* The first that is not below @key. */
static uint32_t lower_bound(const int64_t *keys, uint32_t n, int64_t key) {
	const int64_t *from = keys;
	uint32_t half;

	for (; n > 1; n -= half) {
		half = n / 2;
		from += from[half - 1] < key ? half : 0;
	}
	return (uint32_t)(from - keys) + (n && *from < key);
}

/* The first whose sum is above @k. */
static uint32_t sum_above(const uint32_t *upto, uint32_t n, uint32_t k) {
	const uint32_t *from = upto;
	uint32_t half;

	for (; n > 1; n -= half) {
		half = n / 2;
		from += from[half - 1] <= k ? half : 0;
	}
	return (uint32_t)(from - upto);
}

/* The block in which @key is, or would be. */
static uint32_t rung_of(const struct rung *rungs, uint32_t n, int64_t key) {
	uint32_t low = 0, high = n, mid;

	while (high - low > 1) {
		mid = (low + high) / 2;
		if (rungs[mid].least <= key)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static uint32_t rung_above(const struct rung *rungs, uint32_t n, uint32_t k) {
	uint32_t low = 0, high = n - 1, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (rungs[mid].upto > k)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* --- asking --- */

static uint32_t block_upto(const struct pages *pages, handle_t handle,
			   uint32_t cap, uint32_t n, int64_t key) {
	const int64_t *keys = pages_read(pages, handle);
	const uint32_t *upto = (const uint32_t *)(const void *)(keys + cap);
	uint32_t i = lower_bound(keys, n, key);

	if (i < n && keys[i] == key)
		return upto[i];
	return i ? upto[i - 1] : 0;
}

uint32_t ranks_upto(const struct ranks *ranks, const struct pages *pages,
		    int64_t key) {
	const struct rung *rungs;
	uint32_t r;

	if (!ranks->root)
		return 0;
	if (!ranks->is_top)
		return block_upto(pages, ranks->root,
				  block_cap(pages, ranks->root), ranks->n_root,
				  key);
	rungs = pages_read(pages, ranks->root);
	r = rung_of(rungs, ranks->n_root, key);
	return (r ? rungs[r - 1].upto : 0) +
	       block_upto(pages, rungs[r].block, BLOCK_CAP, rungs[r].n, key);
}

int64_t ranks_at(const struct ranks *ranks, const struct pages *pages,
		 uint32_t k, uint32_t *upto) {
	uint32_t n = ranks->n_root, before = 0, cap, r, i;
	handle_t block = ranks->root;
	const struct rung *rungs;
	const uint32_t *sums;
	const int64_t *keys;

	assert(k < ranks->n);
	if (ranks->is_top) {
		rungs = pages_read(pages, ranks->root);
		r = rung_above(rungs, n, k);
		before = r ? rungs[r - 1].upto : 0;
		block = rungs[r].block;
		n = rungs[r].n;
		cap = BLOCK_CAP;
	} else {
		cap = block_cap(pages, block);
	}
	keys = pages_read(pages, block);
	sums = (const uint32_t *)(const void *)(keys + cap);
	i = sum_above(sums, n, k - before);
	*upto = before + sums[i];
	return keys[i];
}

/* --- room --- */

/* Moves what lies in @handle into a cell of @bytes; 0: no memory. */
static handle_t block_grow(struct pages *pages, handle_t handle, uint32_t n) {
	uint32_t cap = block_cap(pages, handle);
	size_t bytes = 2 * pages_cell_bytes(pages, handle);
	struct block from, to;
	handle_t larger;

	larger = pages_alloc(pages, bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES);
	if (!larger)
		return 0;
	from = block_in(pages_write(pages, handle), cap);
	to = block_write(pages, larger);
	memcpy(to.keys, from.keys, n * sizeof(*to.keys));
	memcpy(to.upto, from.upto, n * sizeof(*to.upto));
	pages_release(pages, handle);
	return larger;
}

/* The only block gets a top above it. */
static bool top_make(struct ranks *ranks, struct pages *pages) {
	handle_t top = pages_alloc(pages, RUNGS_FIRST * sizeof(struct rung));
	struct block block;

	if (!top)
		return false;
	block = block_write(pages, ranks->root);
	*(struct rung *)pages_write(pages, top) =
		(struct rung){ .least = block.keys[0],
			       .upto = ranks->n,
			       .n = ranks->n_root,
			       .block = ranks->root };
	ranks->root = top;
	ranks->n_root = 1;
	ranks->is_top = true;
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
	handle_t larger;

	if (ranks->is_top)
		return split(ranks, pages, r);
	if (ranks->n_root == BLOCK_CAP)
		return top_make(ranks, pages) && split(ranks, pages, 0);
	larger = block_grow(pages, ranks->root, ranks->n_root);
	if (larger)
		ranks->root = larger;
	return larger;
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

	if (ranks->is_top) {
		p.rungs = pages_write(pages, ranks->root);
		p.r = rung_of(p.rungs, ranks->n_root, key);
		p.n = &p.rungs[p.r].n;
		p.block = block_in(pages_write(pages, p.rungs[p.r].block),
				   BLOCK_CAP);
	} else {
		p.block = block_write(pages, ranks->root);
	}
	p.i = lower_bound(p.block.keys, *p.n, key);
	p.is_there = p.i < *p.n && p.block.keys[p.i] == key;
	return p;
}

static void sums_move(struct ranks *ranks, const struct place *p, uint32_t by) {
	uint32_t i;

	for (i = p->i; i < *p->n; i++)
		p->block.upto[i] += by;
	for (i = p->r; p->rungs && i < ranks->n_root; i++)
		p->rungs[i].upto += by;
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
	ranks->is_top = false;
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
	if (ranks->is_top)
		join_neighbours(ranks, pages, p.r);
	else if (!*p.n)
		ranks_free(ranks, pages);
	return true;
}

void ranks_free(struct ranks *ranks, struct pages *pages) {
	const struct rung *rungs;
	uint32_t r;

	if (ranks->is_top) {
		rungs = pages_read(pages, ranks->root);
		for (r = 0; r < ranks->n_root; r++)
			pages_release(pages, rungs[r].block);
	}
	pages_release(pages, ranks->root);
	*ranks = (struct ranks){ 0 };
}
