#include "state/chain.h"

#include <assert.h>
#include <string.h>

struct chunk {
	handle_t next, prev;
	uint16_t first, n, cap, unused;
};
_Static_assert(sizeof(struct chunk) == 16,
	       "entries follow, eight-byte aligned");

#define CHUNK_FIRST 2u
#define CHUNK_MOST 64u

static uint8_t *slot_of(const struct chunk *chunk, size_t size, uint32_t i) {
	return (uint8_t *)(uintptr_t)(chunk + 1) + (chunk->first + i) * size;
}

static struct entry *entry_at(const struct chunk *chunk, size_t size,
			      uint32_t i) {
	return (struct entry *)(void *)slot_of(chunk, size, i);
}

static bool before(const struct entry *a, const struct entry *b) {
	if (a->time != b->time)
		return a->time < b->time;
	return a->coordinates < b->coordinates;
}

static uint32_t chunk_cap(size_t size, uint32_t n) {
	uint32_t cap = n < CHUNK_FIRST ? CHUNK_FIRST : n;
	size_t room;

	if (cap > CHUNK_MOST)
		cap = CHUNK_MOST;
	/* Take all that the size class gives. */
	room = (pages_class_bytes(sizeof(struct chunk) + cap * size) -
		sizeof(struct chunk)) /
	       size;
	return room > CHUNK_MOST ? CHUNK_MOST : (uint32_t)room;
}

/* A new chunk behind @prev (0: in front of all). */
static handle_t chunk_new(struct chain *chain, struct pages *pages, size_t size,
			  handle_t prev) {
	uint32_t cap = chunk_cap(size, chain->n);
	handle_t handle, next;
	struct chunk *chunk;

	handle = pages_alloc(pages, sizeof(struct chunk) + cap * size);
	if (!handle)
		return 0;
	next = prev ? ((const struct chunk *)pages_read(pages, prev))->next
		    : chain->head;
	chunk = pages_write(pages, handle);
	*chunk = (struct chunk){ .next = next,
				 .prev = prev,
				 .cap = (uint16_t)cap };
	if (prev)
		((struct chunk *)pages_write(pages, prev))->next = handle;
	else
		chain->head = handle;
	if (next)
		((struct chunk *)pages_write(pages, next))->prev = handle;
	else
		chain->tail = handle;
	return handle;
}

/* The last chunk whose first entry is not after @at; else the first one. */
static handle_t chunk_for(const struct chain *chain, const struct pages *pages,
			  size_t size, const struct entry *at) {
	const struct chunk *chunk;
	handle_t handle = chain->tail;

	for (;;) {
		chunk = pages_read(pages, handle);
		if (!chunk->prev || !before(at, entry_at(chunk, size, 0)))
			return handle;
		handle = chunk->prev;
	}
}

/* Moves the upper half into a new chunk behind; 0: no memory. */
static handle_t split(struct chain *chain, struct pages *pages, size_t size,
		      handle_t handle) {
	handle_t right = chunk_new(chain, pages, size, handle);
	struct chunk *from, *to;
	uint16_t keep;

	if (!right)
		return 0;
	from = pages_write(pages, handle);
	to = pages_write(pages, right);
	keep = from->n / 2;
	if (from->n - keep > to->cap)
		keep = (uint16_t)(from->n - to->cap);
	to->n = (uint16_t)(from->n - keep);
	memcpy(slot_of(to, size, 0), slot_of(from, size, keep), to->n * size);
	from->n = keep;
	return right;
}

static void close_front(struct chunk *chunk, size_t size) {
	memmove(chunk + 1, slot_of(chunk, size, 0), chunk->n * size);
	chunk->first = 0;
}

struct entry *chain_insert(struct chain *chain, struct pages *pages,
			   size_t entry_size, const struct entry *at) {
	struct chunk *chunk;
	struct entry *entry;
	handle_t handle, right;
	uint32_t i;

	if (!chain->head && !chunk_new(chain, pages, entry_size, 0))
		return NULL;
	handle = chunk_for(chain, pages, entry_size, at);
	chunk = pages_write(pages, handle);
	i = chunk->n;
	while (i && before(at, entry_at(chunk, entry_size, i - 1)))
		i--;
	if (chunk->first + chunk->n == chunk->cap && chunk->first) {
		close_front(chunk, entry_size);
	} else if (chunk->n == chunk->cap && i == chunk->n) {
		handle = chunk_new(chain, pages, entry_size, handle);
		if (!handle)
			return NULL;
		chunk = pages_write(pages, handle);
		i = 0;
	} else if (chunk->n == chunk->cap) {
		right = split(chain, pages, entry_size, handle);
		if (!right)
			return NULL;
		chunk = pages_write(pages, handle);
		if (i > chunk->n) {
			i -= chunk->n;
			chunk = pages_write(pages, right);
		}
	}
	if (i < chunk->n)
		memmove(slot_of(chunk, entry_size, i + 1),
			slot_of(chunk, entry_size, i),
			(chunk->n - i) * entry_size);
	entry = entry_at(chunk, entry_size, i);
	memset(entry, 0, entry_size);
	*entry = *at;
	chunk->n++;
	chain->n++;
	return entry;
}

const struct entry *chain_oldest(const struct chain *chain,
				 const struct pages *pages, size_t entry_size) {
	assert(chain->n);
	return entry_at(pages_read(pages, chain->head), entry_size, 0);
}

const struct entry *chain_newest(const struct chain *chain,
				 const struct pages *pages, size_t entry_size) {
	const struct chunk *chunk;

	assert(chain->n);
	chunk = pages_read(pages, chain->tail);
	return entry_at(chunk, entry_size, chunk->n - 1u);
}

void chain_pop(struct chain *chain, struct pages *pages) {
	struct chunk *chunk;
	handle_t handle = chain->head;

	assert(chain->n);
	chunk = pages_write(pages, handle);
	chunk->first++;
	chunk->n--;
	chain->n--;
	if (chunk->n)
		return;
	chain->head = chunk->next;
	if (chain->head)
		((struct chunk *)pages_write(pages, chain->head))->prev = 0;
	else
		chain->tail = 0;
	pages_release(pages, handle);
}

void chain_begin(struct chain_walk *walk, const struct chain *chain,
		 const struct pages *pages, size_t entry_size) {
	*walk = (struct chain_walk){ .pages = pages,
				     .entry_size = entry_size,
				     .chunk = chain->head };
	if (chain->n)
		walk->entry = chain_oldest(chain, pages, entry_size);
}

void chain_step(struct chain_walk *walk) {
	const struct chunk *chunk = pages_read(walk->pages, walk->chunk);

	if (++walk->i == chunk->n) {
		walk->i = 0;
		walk->chunk = chunk->next;
		if (!walk->chunk) {
			walk->entry = NULL;
			return;
		}
		chunk = pages_read(walk->pages, walk->chunk);
	}
	walk->entry = entry_at(chunk, walk->entry_size, walk->i);
}

void chain_resume(struct chain_walk *walk, const struct pages *pages,
		  size_t entry_size, handle_t chunk, uint32_t i) {
	*walk = (struct chain_walk){ .pages = pages,
				     .entry_size = entry_size,
				     .chunk = chunk,
				     .i = i,
				     .entry = entry_at(pages_read(pages, chunk),
						       entry_size, i) };
}
