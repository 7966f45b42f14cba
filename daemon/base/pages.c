#include "base/pages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"

/*
 * Pages are mapped so many at a time: fresh ones are zero, and cost nothing
 * until they are touched.
 */
#define CHUNK_PAGES 16u
#define PAGE_COUNT_MAX (1u << 20)
#define UNITS (PAGE_BYTES / PAGE_UNIT)

/*
 * 64 classes of 16 bytes up to 1 KiB, then steps of about a quarter, chosen so
 * that whole cells fill a page.
 */
#define SMALL_MAX 1024u
static const uint16_t large_bytes[] = {
	1280, 1632, 2048,  2608,  3264,  4096,  5040,
	6544, 8192, 10912, 13104, 16384, 21840, 32768,
};
#define SMALL_CLASSES (SMALL_MAX / PAGE_UNIT)
#define SIZES (SMALL_CLASSES + ARRAY_SIZE(large_bytes))

/* A class for each size and kind; pages of none are empty. */
#define ALL_CLASSES (PAGES_KINDS * SIZES)
#define NO_CLASS UINT8_MAX
#define NO_PAGE UINT32_MAX
_Static_assert(ALL_CLASSES < NO_CLASS, "a class is a byte");

/*
 * What a page has to give: cells that came back, linked through their first
 * four bytes, newest first, and those that were never used, in a row.
 */
struct page_cells {
	handle_t free;
	handle_t fresh;
	uint16_t n_fresh;
	uint16_t used;
	uint32_t next, prev; /* pages with room of the class; empty ones */
};

struct size_class {
	uint32_t roomy; /* the first page that has a cell to give */
	uint32_t bytes;
};

static unsigned class_of(size_t size) {
	unsigned class = SMALL_CLASSES;

	if (size <= SMALL_MAX)
		return size ? (unsigned)((size - 1) / PAGE_UNIT) : 0;
	while (large_bytes[class - SMALL_CLASSES] < size)
		class ++;
	return class;
}

static uint32_t class_bytes(unsigned class) {
	return class < SMALL_CLASSES ? (class + 1) * PAGE_UNIT
				     : large_bytes[class - SMALL_CLASSES];
}

size_t pages_class_bytes(size_t size) {
	assert(size <= CELL_MAX);
	return class_bytes(class_of(size));
}

void pages_init(struct pages *pages, size_t limit_bytes) {
	*pages = (struct pages){ .limit_bytes = limit_bytes,
				 .now = 1,
				 .empty = NO_PAGE };
	pages->classes = calloc(ALL_CLASSES, sizeof(*pages->classes));
	if (!pages->classes)
		abort();
	for (unsigned i = 0; i < ALL_CLASSES; i++)
		pages->classes[i] =
			(struct size_class){ .roomy = NO_PAGE,
					     .bytes = class_bytes(i % SIZES) };
}

void pages_free(struct pages *pages) {
	for (uint32_t i = 0; i < pages->cap; i += CHUNK_PAGES)
		munmap(pages->page[i], (size_t)CHUNK_PAGES * PAGE_BYTES);
	free(pages->page);
	free(pages->generation);
	free(pages->class_of);
	free(pages->cells);
	free(pages->classes);
	*pages = (struct pages){ 0 };
}

static void *grow(void *array, size_t n, size_t size) {
	array = reallocarray(array, n, size);
	if (!array)
		abort();
	return array;
}

/* One chunk more. The kernel refusing memory is like reaching the limit. */
static bool pages_map(struct pages *pages) {
	uint32_t cap = pages->cap + CHUNK_PAGES;
	uint8_t *chunk;

	if (cap > PAGE_COUNT_MAX)
		return false;
	chunk = mmap(NULL, (size_t)CHUNK_PAGES * PAGE_BYTES,
		     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	if (chunk == MAP_FAILED)
		return false;
	/* Doubled, so that growing page by page stays linear. */
	if (!(pages->cap & (pages->cap - 1))) {
		uint32_t n = pages->cap ? 2 * pages->cap : CHUNK_PAGES;

		pages->page = grow(pages->page, n, sizeof(*pages->page));
		pages->generation =
			grow(pages->generation, n, sizeof(*pages->generation));
		pages->class_of =
			grow(pages->class_of, n, sizeof(*pages->class_of));
		pages->cells = grow(pages->cells, n, sizeof(*pages->cells));
	}
	for (uint32_t i = 0; i < CHUNK_PAGES; i++)
		pages->page[pages->cap + i] = chunk + (size_t)i * PAGE_BYTES;
	pages->cap = cap;
	return true;
}

static void link_front(struct pages *pages, uint32_t *head, uint32_t number) {
	pages->cells[number].prev = NO_PAGE;
	pages->cells[number].next = *head;
	if (*head != NO_PAGE)
		pages->cells[*head].prev = number;
	*head = number;
}

static void unlink_page(struct pages *pages, uint32_t *head, uint32_t number) {
	const struct page_cells *cells = &pages->cells[number];

	if (cells->prev == NO_PAGE)
		*head = cells->next;
	else
		pages->cells[cells->prev].next = cells->next;
	if (cells->next != NO_PAGE)
		pages->cells[cells->next].prev = cells->prev;
}

/* A page without cells, zeroed; NO_PAGE: there is none. */
static uint32_t page_take(struct pages *pages) {
	uint32_t number = pages->empty;

	if (number != NO_PAGE) {
		unlink_page(pages, &pages->empty, number);
		memset(pages->page[number], 0, PAGE_BYTES);
		return number;
	}
	if (pages->limit_bytes &&
	    (size_t)(pages->n + 1) * PAGE_BYTES > pages->limit_bytes)
		return NO_PAGE;
	if (pages->n == pages->cap && !pages_map(pages))
		return NO_PAGE;
	return pages->n++;
}

static bool page_begin(struct pages *pages, unsigned class) {
	struct size_class *c = &pages->classes[class];
	uint32_t number = page_take(pages);
	/* Handle 0 means none, so the first cell of page 0 is not given out. */
	uint32_t first = number ? 0 : c->bytes / PAGE_UNIT;

	if (number == NO_PAGE)
		return false;
	pages->generation[number] = pages->now;
	pages->class_of[number] = (uint8_t) class;
	pages->cells[number] = (struct page_cells){
		.fresh = number << 12 | first,
		.n_fresh = (uint16_t)(PAGE_BYTES / c->bytes - !number)
	};
	link_front(pages, &c->roomy, number);
	return true;
}

static bool has_room(const struct page_cells *cells) {
	return cells->free || cells->n_fresh;
}

static handle_t take_cell(struct pages *pages, struct page_cells *cells,
			  uint32_t bytes) {
	handle_t handle = cells->free;
	void *cell;

	if (!handle) {
		handle = cells->fresh;
		cells->fresh += bytes / PAGE_UNIT;
		cells->n_fresh--;
		pages_write(pages, handle);
		return handle;
	}
	cell = pages_write(pages, handle);
	memcpy(&cells->free, cell, sizeof(cells->free));
	memset(cell, 0, bytes);
	return handle;
}

handle_t pages_alloc_kind(struct pages *pages, size_t size, unsigned kind) {
	unsigned class = kind * (unsigned)SIZES + class_of(size);
	struct size_class *c = &pages->classes[class];
	struct page_cells *cells;
	handle_t handle;

	assert(size <= CELL_MAX && kind < PAGES_KINDS);
	if (c->roomy == NO_PAGE && !page_begin(pages, class))
		return 0;
	cells = &pages->cells[c->roomy];
	handle = take_cell(pages, cells, c->bytes);
	cells->used++;
	pages->used_bytes += c->bytes;
	pages->taken += c->bytes;
	if (pages->account)
		*pages->account += c->bytes;
	if (!has_room(cells))
		unlink_page(pages, &c->roomy, c->roomy);
	return handle;
}

handle_t pages_alloc(struct pages *pages, size_t size) {
	return pages_alloc_kind(pages, size, 0);
}

/*
 * A page that emptied goes to whoever needs one, unless it is the only one of
 * its class with room: then it is soon wanted again.
 */
static void page_end(struct pages *pages, struct size_class *c,
		     uint32_t number) {
	unlink_page(pages, &c->roomy, number);
	link_front(pages, &pages->empty, number);
	pages->class_of[number] = NO_CLASS;
}

static void page_has_room(struct pages *pages, struct size_class *c,
			  uint32_t number) {
	if (c->roomy != NO_PAGE && !pages->cells[c->roomy].used)
		page_end(pages, c, c->roomy);
	link_front(pages, &c->roomy, number);
}

void pages_release(struct pages *pages, handle_t handle) {
	uint32_t number = handle >> 12;
	struct page_cells *cells;
	struct size_class *c;

	if (!handle)
		return;
	assert(number < pages->n && pages->class_of[number] != NO_CLASS);
	cells = &pages->cells[number];
	c = &pages->classes[pages->class_of[number]];
	if (!has_room(cells))
		page_has_room(pages, c, number);
	memcpy(pages_write(pages, handle), &cells->free, sizeof(cells->free));
	cells->free = handle;
	pages->used_bytes -= c->bytes;
	if (pages->account)
		*pages->account -= c->bytes;
	if (!--cells->used && (c->roomy != number || cells->next != NO_PAGE))
		page_end(pages, c, number);
}

size_t pages_cell_bytes(const struct pages *pages, handle_t handle) {
	assert(handle && handle >> 12 < pages->n);
	return pages->classes[pages->class_of[handle >> 12]].bytes;
}

bool pages_has(const struct pages *pages, handle_t handle, unsigned kind) {
	unsigned class;

	if (!handle || handle >> 12 >= pages->n)
		return false;
	class = pages->class_of[handle >> 12];
	return class / SIZES == kind &&
	       (handle & 0xfff) * PAGE_UNIT % pages->classes[class].bytes == 0;
}
