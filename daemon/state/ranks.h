/*
 * Ranks: sorted keys that know how many of them are at or below one, and
 * which is the k-th.
 *
 *   top ─► [least, upto, block] [least, upto, block] …   once there are many
 *               │
 *               ▼
 *            keys 3 5 8 …      a block of at most 256, each key once
 *            upto 1 4 5 …      5 is there three times
 *
 * Running sums rather than counts: whoever asks searches twice by halves. The
 * price is that adding touches the sums behind its place, as it must move the
 * keys there anyway.
 */
#pragma once

#include "base/pages.h"

#include <stdbool.h>

#define RANKS_MOST 65536u /* different keys that surely find room */

/* All zero bytes are valid and empty. */
struct ranks {
	handle_t root;   /* the only block, or the top */
	uint32_t n;      /* keys, each as often as it was added */
	uint32_t n_root; /* different keys of the block, or blocks of the top */
	uint32_t is_top;
};

/* False: no memory, nothing was changed. */
bool ranks_add(struct ranks *ranks, struct pages *pages, int64_t key);
/* Takes one out; false: it is not there. */
bool ranks_remove(struct ranks *ranks, struct pages *pages, int64_t key);
/* How many are at or below @key. */
uint32_t ranks_upto(const struct ranks *ranks, const struct pages *pages,
		    int64_t key);
/* The key with @k < n before it in the order; *upto: ranks_upto() of it. */
int64_t ranks_at(const struct ranks *ranks, const struct pages *pages,
		 uint32_t k, uint32_t *upto);
void ranks_free(struct ranks *ranks, struct pages *pages);
