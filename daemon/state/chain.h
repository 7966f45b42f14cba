/*
 * Chain: the raw entries of one key's window, oldest first.
 *
 *   chain ─► chunk ─► chunk ─► chunk     ordered by (time, coordinates);
 *            ··eee    eeeee    ee···     leaves on the left, enters mostly on
 *                                        the right, late ones in between
 *
 * Chunks are small at first, because most keys see a handful of events, and
 * grow to 64 entries. What stands behind the fixed head of an entry is the
 * engine's: see engine/layout.h.
 */
#pragma once

#include "base/pages.h"
#include "base/util.h"

#include <stdbool.h>

struct entry {
	usec_t time;
	uint64_t coordinates;
	uint32_t payload; /* hash of the payload */
	uint32_t flags;   /* ENTRY_LATE …; the upper half is the engine's */
};
#define ENTRY_LATE 1u
#define ENTRY_CLOSE 2u /* ends a window and is not in it */

/* All zero bytes are a valid empty chain. */
struct chain {
	handle_t head, tail;
	uint32_t n;
	uint32_t unused;
};

/*
 * A new zeroed entry at its place, its head filled from @at; NULL: no memory.
 * The pointer holds until the next call that changes the chain.
 */
struct entry *chain_insert(struct chain *chain, struct pages *pages,
			   size_t entry_size, const struct entry *at);
/* The oldest entry; the chain is not empty. */
const struct entry *chain_oldest(const struct chain *chain,
				 const struct pages *pages, size_t entry_size);
const struct entry *chain_newest(const struct chain *chain,
				 const struct pages *pages, size_t entry_size);
/* Takes the oldest entry out. */
void chain_pop(struct chain *chain, struct pages *pages);

/* From the oldest to the newest: for (chain_begin(…); walk.entry; chain_step)
 */
struct chain_walk {
	const struct pages *pages;
	size_t entry_size;
	handle_t chunk;
	uint32_t i;
	const struct entry *entry;
};
void chain_begin(struct chain_walk *walk, const struct chain *chain,
		 const struct pages *pages, size_t entry_size);
void chain_step(struct chain_walk *walk);
/* From where a walk stood; what entered behind it has not moved that. */
void chain_resume(struct chain_walk *walk, const struct pages *pages,
		  size_t entry_size, handle_t chunk, uint32_t i);
