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
 * checkpoint writes the pages that changed since the last one, and is told
 * before a page changes for the first time in a generation, so that it can
 * still take what was there. Freed cells are handed out again, last in first
 * out, and a page all of whose cells came back can become one of another size:
 * state that shrinks here makes room for what grows there. The same calls give
 * the same handles.
 *
 * Cells of a kind lie in pages of their own, so that who kept a handle longer
 * than its cell was kept can tell (pages_has).
 *
 * Tables are flat arrays beside the cells: of one piece and at one place for as
 * long as they stand. They count towards no limit and no account.
 */
#pragma once

#include "base/buf.h"
#include "base/saved.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t handle_t;

#define PAGE_BYTES 65536u
#define PAGE_UNIT 16u
#define CELL_MAX 32768u
#define PAGES_KINDS 3u
#define PAGES_EMPTY UINT16_MAX /* class_of a page that holds nothing */

struct pages {
	uint8_t *base;            /* of page 0; the others lie behind it */
	uint32_t *generation;     /* last change of each page */
	uint16_t *class_of;       /* size class and kind of each page */
	struct page_cells *cells; /* what each page has to give */
	uint32_t n;               /* pages that were ever used */
	uint32_t mapped;          /* have memory behind them */
	uint32_t reserved;        /* have an address */
	uint32_t cap;             /* of the arrays above */
	uint32_t in_use;          /* pages that hold cells */
	uint32_t empty;           /* the first of the pages without a cell */
	uint32_t now; /* the generation that writes are marked with */
	struct size_class *classes;
	size_t used_bytes;  /* of cells handed out */
	uint64_t taken;     /* bytes of all that were ever handed out */
	size_t limit_bytes; /* of pages; 0: none */
	uint64_t *account;  /* of whoever has cells now; NULL: nobody */
	/* Before a page changes for the first time since pages_flip(). */
	void (*touched)(void *context, uint32_t page);
	void *context;
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

/* A zeroed array of @bytes > 0; 0: no memory. */
handle_t pages_table(struct pages *pages, size_t bytes);
void pages_table_release(struct pages *pages, handle_t table, size_t bytes);

/* Ends a generation and returns its number: what is written from now on is
 * marked with a greater one. */
uint32_t pages_flip(struct pages *pages);
void pages_touch(struct pages *pages, uint32_t page);

/*
 * What stands beside the pages, without which their bytes mean nothing: 22
 * bytes a page. pages_restore() takes it into what pages_init() made; the
 * bytes of all pages that are not empty are the caller's to fill in, at
 * pages_at(). -EBADMSG: it cannot be; -ENOMEM.
 */
void pages_save(const struct pages *pages, struct buf *out);
int pages_restore(struct pages *pages, struct saved *from);
/* The bytes of @page are there, and its free cells are those it counts. */
bool pages_free_cells_hold(const struct pages *pages, uint32_t page);
/*
 * Once all bytes are there: these are all tables that there are, each in a
 * place of its own. Sorts them.
 */
struct pages_table {
	handle_t at;
	size_t bytes;
};
bool pages_tables_hold(const struct pages *pages, struct pages_table *tables,
		       size_t n);

static inline uint8_t *pages_at(const struct pages *pages, uint32_t page) {
	return pages->base + (size_t)page * PAGE_BYTES;
}

static inline const void *pages_read(const struct pages *pages,
				     handle_t handle) {
	return pages->base + (size_t)handle * PAGE_UNIT;
}

static inline void *pages_write(struct pages *pages, handle_t handle) {
	if (pages->generation[handle >> 12] != pages->now)
		pages_touch(pages, handle >> 12);
	return pages->base + (size_t)handle * PAGE_UNIT;
}

/* Before the @len bytes at @at, which lie in a table, are changed. */
static inline void pages_change(struct pages *pages, const void *at,
				size_t len) {
	size_t from = (size_t)((const uint8_t *)at - pages->base);
	uint32_t page = (uint32_t)(from / PAGE_BYTES);
	uint32_t last = (uint32_t)((from + len - 1) / PAGE_BYTES);

	for (; page <= last; page++)
		if (pages->generation[page] != pages->now)
			pages_touch(pages, page);
}
