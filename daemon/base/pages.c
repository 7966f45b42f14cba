#include "base/pages.h"

#include <assert.h>
#include <stdbool.h>
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
#define CLASSES (SMALL_CLASSES + ARRAY_SIZE(large_bytes))

/*
 * Cells that came back are linked through their first four bytes, newest
 * first; cells that were never used are cut off the newest page of the class.
 */
struct size_class {
	handle_t free;
	handle_t fresh; /* next cell that was never used, or 0 */
	uint32_t left;  /* of those */
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
	*pages = (struct pages){ .limit_bytes = limit_bytes, .now = 1 };
	pages->classes = calloc(CLASSES, sizeof(*pages->classes));
	if (!pages->classes)
		abort();
	for (unsigned i = 0; i < CLASSES; i++)
		pages->classes[i].bytes = class_bytes(i);
}

void pages_free(struct pages *pages) {
	for (uint32_t i = 0; i < pages->cap; i += CHUNK_PAGES)
		munmap(pages->page[i], (size_t)CHUNK_PAGES * PAGE_BYTES);
	free(pages->page);
	free(pages->generation);
	free(pages->class_of);
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
	}
	for (uint32_t i = 0; i < CHUNK_PAGES; i++)
		pages->page[pages->cap + i] = chunk + (size_t)i * PAGE_BYTES;
	pages->cap = cap;
	return true;
}

static bool pages_add(struct pages *pages, unsigned class) {
	struct size_class *c = &pages->classes[class];
	uint32_t first;
	uint32_t number;

	if (pages->limit_bytes &&
	    (size_t)(pages->n + 1) * PAGE_BYTES > pages->limit_bytes)
		return false;
	if (pages->n == pages->cap && !pages_map(pages))
		return false;
	number = pages->n++;
	pages->generation[number] = pages->now;
	pages->class_of[number] = (uint8_t) class;
	/* Handle 0 means none, so the first cell of page 0 is not given out. */
	first = number ? 0 : c->bytes / PAGE_UNIT;
	c->fresh = number << 12 | first;
	c->left = PAGE_BYTES / c->bytes - !number;
	return true;
}

static handle_t take_free(struct pages *pages, struct size_class *c) {
	handle_t handle = c->free;
	void *cell = pages_write(pages, handle);

	memcpy(&c->free, cell, sizeof(c->free));
	memset(cell, 0, c->bytes);
	return handle;
}

static handle_t take_fresh(struct pages *pages, struct size_class *c) {
	handle_t handle = c->fresh;

	c->fresh = --c->left ? handle + c->bytes / PAGE_UNIT : 0;
	pages_write(pages, handle);
	return handle;
}

handle_t pages_alloc(struct pages *pages, size_t size) {
	unsigned class = class_of(size);
	struct size_class *c = &pages->classes[class];
	handle_t handle;

	assert(size <= CELL_MAX);
	if (c->free) {
		handle = take_free(pages, c);
	} else {
		if (!c->left && !pages_add(pages, class))
			return 0;
		handle = take_fresh(pages, c);
	}
	pages->used_bytes += c->bytes;
	return handle;
}

void pages_release(struct pages *pages, handle_t handle) {
	struct size_class *c;

	if (!handle)
		return;
	assert(handle >> 12 < pages->n);
	c = &pages->classes[pages->class_of[handle >> 12]];
	memcpy(pages_write(pages, handle), &c->free, sizeof(c->free));
	c->free = handle;
	pages->used_bytes -= c->bytes;
}

size_t pages_cell_bytes(const struct pages *pages, handle_t handle) {
	assert(handle && handle >> 12 < pages->n);
	return pages->classes[pages->class_of[handle >> 12]].bytes;
}
