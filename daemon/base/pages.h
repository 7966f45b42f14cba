/*
 * Pages: where the state of keys lies.
 *
 * Fixed-size pages of 64 KiB, addressed by 32-bit handles, never by pointers,
 * so that a page can be written to a file and read back as it is. A handle is
 * page << 12 | unit of 16 bytes; handle 0 is "none" (page 0, unit 0 is never
 * given out). A page holds cells of one size class (multiples of 16 bytes up
 * to 1 KiB, then steps of about a quarter up to 32 KiB).
 *
 * All writes go through pages_write(), which marks the page's generation: a
 * checkpoint writes the pages that changed since the last one. Freed cells are
 * handed out again, last in first out, and a page all of whose cells came back
 * can become one of another size: state that shrinks here makes room for what
 * grows there. The same calls give the same handles.
 *
 * Cells of a kind lie in pages of their own, so that who kept a handle longer
 * than its cell was kept can tell (pages_has).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t handle_t;

#define PAGE_BYTES 65536u
#define PAGE_UNIT 16u
#define CELL_MAX 32768u
#define PAGES_KINDS 3u

struct pages {
	uint8_t **page;           /* base address of each page */
	uint32_t *generation;     /* last change of each page */
	uint8_t *class_of;        /* size class and kind of each page */
	struct page_cells *cells; /* what each page has to give */
	uint32_t n, cap;
	uint32_t empty; /* the first of the pages without a cell */
	uint32_t now;   /* the generation that writes are marked with */
	struct size_class *classes;
	size_t used_bytes;  /* of cells handed out */
	uint64_t taken;     /* bytes of all that were ever handed out */
	size_t limit_bytes; /* of pages; 0: none */
	uint64_t *account;  /* of whoever has cells now; NULL: nobody */
};

void pages_init(struct pages *pages, size_t limit_bytes);
void pages_free(struct pages *pages);

/* A zeroed cell of at least @size bytes, or 0 if the limit is reached. */
handle_t pages_alloc(struct pages *pages, size_t size); /* of kind 0 */
handle_t pages_alloc_kind(struct pages *pages, size_t size, unsigned kind);
void pages_release(struct pages *pages, handle_t handle);
/* How large the cell really is. */
size_t pages_cell_bytes(const struct pages *pages, handle_t handle);
size_t pages_class_bytes(size_t size); /* what a request of @size costs */
/*
 * A cell of @kind begins at @handle. Whether it is the one that was meant is
 * for its owner to say, by what is written in it: behind the first four bytes
 * a cell is as it was when it was given back.
 */
bool pages_has(const struct pages *pages, handle_t handle, unsigned kind);

static inline const void *pages_read(const struct pages *pages,
				     handle_t handle) {
	return pages->page[handle >> 12] + (handle & 0xfff) * PAGE_UNIT;
}

static inline void *pages_write(struct pages *pages, handle_t handle) {
	pages->generation[handle >> 12] = pages->now;
	return pages->page[handle >> 12] + (handle & 0xfff) * PAGE_UNIT;
}
