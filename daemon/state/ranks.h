/*
 * Ranks: sorted keys that know how many of them are at or below one, and
 * which is the k-th.
 *
 *   top ─► [least, upto, block] [least, upto, block] …   once there are many
 *               │
 *               ▼
 *            keys 3 5 8 …      a block of at most 64, each key once
 *            upto 1 4 5 …      5 is there three times
 *
 * Running sums rather than counts: whoever asks searches twice by halves. The
 * price is that adding touches the sums behind its place, as it must move the
 * keys there anyway.
 */
#pragma once

#include "base/pages.h"

#include <stdbool.h>

#define RANKS_MOST 16384u /* different keys that surely find room */

/* All zero bytes are valid and empty. */
struct ranks {
	handle_t root;   /* the only block, or the top */
	uint32_t n;      /* keys, each as often as it was added */
	uint32_t n_root; /* different keys of the block, or blocks of the top */
	uint32_t cap;    /* keys that the only block has room for; 0: a top */
};

/* False: no memory, nothing was changed. */
bool ranks_add(struct ranks *ranks, struct pages *pages, int64_t key);
/* Takes one out; false: it is not there. */
bool ranks_remove(struct ranks *ranks, struct pages *pages, int64_t key);
void ranks_free(struct ranks *ranks, struct pages *pages);

/*
 * A place among the keys: at one of them, or behind the last. It holds until
 * something is added or removed. Neighbours are a step away.
 */
struct ranks_walk {
	const struct ranks *ranks;
	const struct pages *pages;
	const int64_t *keys; /* of the block */
	const uint32_t *sums;
	uint32_t n, before; /* keys of it; keys of all blocks before it */
	uint32_t block, i;
	/* Of the key: so many are below, so many at or below it. */
	int64_t key;
	uint32_t below, upto;
	bool is_behind; /* then below and upto are all of them */
};

/* To the key at @k < n: below <= k < upto. */
void ranks_walk_at(struct ranks_walk *walk, const struct ranks *ranks,
		   const struct pages *pages, uint32_t k);
/* To the first key that is not below @key. */
void ranks_walk_to(struct ranks_walk *walk, const struct ranks *ranks,
		   const struct pages *pages, int64_t key);
void ranks_next(struct ranks_walk *walk); /* not from behind the last */
bool ranks_prev(struct ranks_walk *walk); /* false: it is the first */
