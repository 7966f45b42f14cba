#include "base/pages.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"

/*
 * All pages have their addresses from the beginning, so that a handle is an
 * offset and a table never moves; memory comes behind them so many at a time.
 * Fresh ones are zero, and cost nothing until they are touched.
 */
#define CHUNK_PAGES 16u
#define PAGE_COUNT_MAX (1u << 20)
#define LEAST_PAGES 1024u
#define ROOM_FOR_TABLES 16384u
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

/*
 * A class for each size and kind, and one kind more for tables that are small.
 * A page of no class is empty, or one of those that a large table has.
 */
#define KIND_TABLE PAGES_KINDS
#define ALL_CLASSES ((PAGES_KINDS + 1) * SIZES)
#define IN_TABLE (PAGES_EMPTY - 1)
#define NO_PAGE UINT32_MAX
_Static_assert(ALL_CLASSES < IN_TABLE, "a class is not a mark");

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

/*
 * Tables double and are only as many as keys and timers need: with what they
 * leave behind they come to no more than a few times the cells that they lead
 * to. An engine without a limit may need every page that has a number.
 */
static uint32_t most_pages(size_t limit_bytes) {
	uint64_t most = limit_bytes / PAGE_BYTES * 4 + ROOM_FOR_TABLES;

	if (!limit_bytes || limit_bytes / PAGE_BYTES >= PAGE_COUNT_MAX ||
	    most > PAGE_COUNT_MAX)
		return PAGE_COUNT_MAX;
	return (uint32_t)most;
}

/*
 * Where addresses are rationed, fewer. Twice as many are asked for and half
 * given back, so that as many again are left for all else.
 */
static void reserve(struct pages *pages) {
	uint32_t n = most_pages(pages->limit_bytes);
	size_t bytes;
	uint8_t *base;

	for (; n >= LEAST_PAGES; n /= 2) {
		bytes = (size_t)n * PAGE_BYTES;
		base = mmap(NULL, 2 * bytes, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (base == MAP_FAILED)
			continue;
		munmap(base + bytes, bytes);
		pages->base = base;
		pages->reserved = n;
		return;
	}
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
	reserve(pages);
}

void pages_free(struct pages *pages) {
	if (pages->base)
		munmap(pages->base, (size_t)pages->reserved * PAGE_BYTES);
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

/*
 * Memory behind the first @n pages. The kernel refusing it is like reaching
 * the limit.
 */
static bool pages_map(struct pages *pages, uint32_t n) {
	uint32_t most = (n + CHUNK_PAGES - 1) / CHUNK_PAGES * CHUNK_PAGES;

	if (n <= pages->mapped)
		return true;
	if (most > pages->reserved ||
	    mprotect(pages_at(pages, pages->mapped),
		     (size_t)(most - pages->mapped) * PAGE_BYTES,
		     PROT_READ | PROT_WRITE) < 0)
		return false;
	pages->mapped = most;
	if (most <= pages->cap)
		return true;
	while (pages->cap < most)
		pages->cap = pages->cap ? 2 * pages->cap : CHUNK_PAGES;
	pages->generation =
		grow(pages->generation, pages->cap, sizeof(*pages->generation));
	pages->class_of =
		grow(pages->class_of, pages->cap, sizeof(*pages->class_of));
	pages->cells = grow(pages->cells, pages->cap, sizeof(*pages->cells));
	return true;
}

void pages_touch(struct pages *pages, uint32_t page) {
	if (pages->touched)
		pages->touched(pages->context, page);
	pages->generation[page] = pages->now;
}

uint32_t pages_flip(struct pages *pages) {
	return pages->now++;
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

/* Pages at the end, of one piece; NO_PAGE: there are none. */
static uint32_t pages_add(struct pages *pages, uint32_t n) {
	uint32_t first = pages->n;

	if (n > pages->reserved - first || !pages_map(pages, first + n))
		return NO_PAGE;
	for (uint32_t i = first; i < first + n; i++) {
		pages->generation[i] = pages->now;
		pages->cells[i] = (struct page_cells){ 0 };
		pages->class_of[i] = IN_TABLE;
	}
	pages->n += n;
	return first;
}

/* A page without cells, zeroed; NO_PAGE: there is none. */
static uint32_t page_take(struct pages *pages) {
	uint32_t number = pages->empty;

	if (number == NO_PAGE)
		return pages_add(pages, 1);
	unlink_page(pages, &pages->empty, number);
	if (pages->generation[number] != pages->now)
		pages_touch(pages, number);
	memset(pages_at(pages, number), 0, PAGE_BYTES);
	return number;
}

static bool is_table(unsigned class) {
	return class / SIZES == KIND_TABLE;
}

static bool page_begin(struct pages *pages, unsigned class) {
	struct size_class *c = &pages->classes[class];
	uint32_t number, first;

	if (!is_table(class) && pages->limit_bytes &&
	    (size_t)(pages->in_use + 1) * PAGE_BYTES > pages->limit_bytes)
		return false;
	number = page_take(pages);
	if (number == NO_PAGE)
		return false;
	/* Handle 0 means none, so the first cell of page 0 is not given out. */
	first = number ? 0 : c->bytes / PAGE_UNIT;
	pages->in_use += !is_table(class);
	pages->class_of[number] = (uint16_t) class;
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

static handle_t cell_alloc(struct pages *pages, unsigned class) {
	struct size_class *c = &pages->classes[class];
	struct page_cells *cells;
	handle_t handle;

	if (c->roomy == NO_PAGE && !page_begin(pages, class))
		return 0;
	cells = &pages->cells[c->roomy];
	handle = take_cell(pages, cells, c->bytes);
	cells->used++;
	if (!has_room(cells))
		unlink_page(pages, &c->roomy, c->roomy);
	return handle;
}

handle_t pages_alloc_kind(struct pages *pages, size_t size, unsigned kind) {
	unsigned class = kind * (unsigned)SIZES + class_of(size);
	uint32_t bytes = pages->classes[class].bytes;
	handle_t handle;

	assert(size <= CELL_MAX && kind < PAGES_KINDS);
	handle = cell_alloc(pages, class);
	if (!handle)
		return 0;
	pages->used_bytes += bytes;
	pages->taken += bytes;
	if (pages->account)
		*pages->account += bytes;
	return handle;
}

handle_t pages_alloc(struct pages *pages, size_t size) {
	return pages_alloc_kind(pages, size, 0);
}

static void page_empty(struct pages *pages, uint32_t number) {
	link_front(pages, &pages->empty, number);
	pages->class_of[number] = PAGES_EMPTY;
}

/*
 * A page that emptied goes to whoever needs one, unless it is the only one of
 * its class with room: then it is soon wanted again.
 */
static void page_end(struct pages *pages, struct size_class *c,
		     uint32_t number) {
	unlink_page(pages, &c->roomy, number);
	pages->in_use -= !is_table(pages->class_of[number]);
	page_empty(pages, number);
}

static void page_has_room(struct pages *pages, struct size_class *c,
			  uint32_t number) {
	if (c->roomy != NO_PAGE && !pages->cells[c->roomy].used)
		page_end(pages, c, c->roomy);
	link_front(pages, &c->roomy, number);
}

static void cell_release(struct pages *pages, handle_t handle) {
	uint32_t number = handle >> 12;
	struct page_cells *cells = &pages->cells[number];
	struct size_class *c;

	assert(number < pages->n && pages->class_of[number] < ALL_CLASSES);
	c = &pages->classes[pages->class_of[number]];
	if (!has_room(cells))
		page_has_room(pages, c, number);
	memcpy(pages_write(pages, handle), &cells->free, sizeof(cells->free));
	cells->free = handle;
	if (!--cells->used && (c->roomy != number || cells->next != NO_PAGE))
		page_end(pages, c, number);
}

void pages_release(struct pages *pages, handle_t handle) {
	size_t bytes;

	if (!handle)
		return;
	bytes = pages_cell_bytes(pages, handle);
	cell_release(pages, handle);
	pages->used_bytes -= bytes;
	if (pages->account)
		*pages->account -= bytes;
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
	return class / SIZES == kind && class < ALL_CLASSES &&
	       (handle & 0xfff) * PAGE_UNIT % pages->classes[class].bytes == 0;
}

static uint32_t table_pages(size_t bytes) {
	return (uint32_t)((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
}

handle_t pages_table(struct pages *pages, size_t bytes) {
	uint32_t first;

	if (bytes <= CELL_MAX)
		return cell_alloc(pages, KIND_TABLE * (unsigned)SIZES +
						 class_of(bytes));
	if (bytes / PAGE_BYTES >= PAGE_COUNT_MAX)
		return 0;
	/* Page 0 has no handle at its beginning. */
	if (!pages->n && pages_add(pages, 1) == 0)
		page_empty(pages, 0);
	first = pages_add(pages, table_pages(bytes));
	return first == NO_PAGE ? 0 : first << 12;
}

/*
 * The pages of a table are cells' from then on. Tables double, so all that
 * one has left behind is no more than it has now.
 */
void pages_table_release(struct pages *pages, handle_t table, size_t bytes) {
	if (!table)
		return;
	if (bytes <= CELL_MAX) {
		cell_release(pages, table);
		return;
	}
	for (uint32_t i = table_pages(bytes); i-- > 0;)
		page_empty(pages, (table >> 12) + i);
}

static void save(struct buf *out, const void *bytes, size_t len) {
	buf_add(out, bytes, len);
}

void pages_save(const struct pages *pages, struct buf *out) {
	const uint64_t head[] = { pages->n, pages->in_use, pages->empty,
				  pages->used_bytes, pages->taken };

	save(out, head, sizeof(head));
	for (unsigned i = 0; i < ALL_CLASSES; i++)
		save(out, &pages->classes[i].roomy, sizeof(uint32_t));
	save(out, pages->class_of, pages->n * sizeof(*pages->class_of));
	save(out, pages->cells, pages->n * sizeof(*pages->cells));
}

/* Cells of the page that were ever given out, and what page 0 never gives. */
static uint32_t begun_of(const struct pages *pages, uint32_t number) {
	return PAGE_BYTES / pages->classes[pages->class_of[number]].bytes -
	       pages->cells[number].n_fresh;
}

static uint32_t units_of(const struct pages *pages, uint32_t number) {
	return pages->classes[pages->class_of[number]].bytes / PAGE_UNIT;
}

/* A cell of the page that was given out begins there. */
static bool was_given(const struct pages *pages, uint32_t number,
		      handle_t handle) {
	uint32_t units = units_of(pages, number), unit = handle & 0xfff;

	return handle && handle >> 12 == number && unit % units == 0 &&
	       unit / units >= !number &&
	       unit / units < begun_of(pages, number);
}

static uint32_t n_free(const struct pages *pages, uint32_t number) {
	return begun_of(pages, number) - !number - pages->cells[number].used;
}

/* What the page says that it has to give is what it can have. */
static bool gives_what_it_has(const struct pages *pages, uint32_t number) {
	const struct page_cells *cells = &pages->cells[number];
	uint32_t most =
		PAGE_BYTES / pages->classes[pages->class_of[number]].bytes -
		!number;
	uint32_t begun;

	if (cells->n_fresh > most || cells->used > most - cells->n_fresh)
		return false;
	begun = begun_of(pages, number);
	if (cells->fresh != (number << 12) + begun * units_of(pages, number))
		return false;
	if (!cells->free)
		return n_free(pages, number) == 0;
	return n_free(pages, number) && was_given(pages, number, cells->free);
}

/*
 * Counts the pages of a list, all of @class; SIZE_MAX: it is broken. Each
 * names the one before it, so none can come twice.
 */
static size_t list_length(const struct pages *pages, uint32_t head,
			  unsigned class) {
	uint32_t before = NO_PAGE, at = head;
	size_t n = 0;

	for (; at != NO_PAGE; at = pages->cells[at].next) {
		if (at >= pages->n || pages->class_of[at] != class ||
		    pages->cells[at].prev != before)
			return SIZE_MAX;
		if (class != PAGES_EMPTY && !has_room(&pages->cells[at]))
			return SIZE_MAX;
		before = at;
		n++;
	}
	return n;
}

static bool lists_hold(const struct pages *pages, size_t listed) {
	size_t all = list_length(pages, pages->empty, PAGES_EMPTY), n;

	if (all == SIZE_MAX)
		return false;
	for (unsigned i = 0; i < ALL_CLASSES; i++) {
		n = list_length(pages, pages->classes[i].roomy, i);
		if (n == SIZE_MAX)
			return false;
		all += n;
	}
	return all == listed;
}

/*
 * All that the numbers say agrees, so that nothing which is given out later
 * lies outside of memory or is given twice.
 */
static bool is_whole(const struct pages *pages) {
	size_t listed = 0, used_bytes = 0;
	uint32_t in_use = 0;

	for (uint32_t i = 0; i < pages->n; i++) {
		unsigned class = pages->class_of[i];

		listed += class == PAGES_EMPTY;
		if (class == PAGES_EMPTY || (class == IN_TABLE && i))
			continue;
		if (class >= ALL_CLASSES || !gives_what_it_has(pages, i))
			return false;
		listed += has_room(&pages->cells[i]);
		if (is_table(class))
			continue;
		in_use++;
		used_bytes += (size_t)pages->cells[i].used *
			      pages->classes[class].bytes;
	}
	return in_use == pages->in_use && used_bytes == pages->used_bytes &&
	       lists_hold(pages, listed);
}

bool pages_free_cells_hold(const struct pages *pages, uint32_t page) {
	uint64_t seen[UNITS / 64] = { 0 };
	uint32_t left;
	handle_t at;

	if (pages->class_of[page] >= ALL_CLASSES)
		return true;
	at = pages->cells[page].free;
	for (left = n_free(pages, page); left; left--) {
		uint32_t unit = at & 0xfff;

		if (!was_given(pages, page, at) ||
		    seen[unit / 64] >> unit % 64 & 1)
			return false;
		seen[unit / 64] |= UINT64_C(1) << unit % 64;
		memcpy(&at, pages_read(pages, at), sizeof(at));
	}
	return !at;
}

static bool is_free(const struct pages *pages, handle_t cell) {
	handle_t at = pages->cells[cell >> 12].free;

	while (at && at != cell)
		memcpy(&at, pages_read(pages, at), sizeof(at));
	return at != 0;
}

static bool table_is_there(const struct pages *pages,
			   const struct pages_table *table) {
	uint32_t page = table->at >> 12, n = table_pages(table->bytes);

	if (!table->at || page >= pages->n)
		return false;
	if (table->bytes <= CELL_MAX)
		return pages->class_of[page] ==
			       KIND_TABLE * SIZES + class_of(table->bytes) &&
		       was_given(pages, page, table->at) &&
		       !is_free(pages, table->at);
	if (table->at & 0xfff || n > pages->n - page)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (pages->class_of[page + i] != IN_TABLE)
			return false;
	return true;
}

static int by_place(const void *a, const void *b) {
	const struct pages_table *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* Tables are this many cells and whole pages. */
static bool tables_are(const struct pages *pages, uint64_t n_cells,
		       uint64_t n_pages) {
	for (uint32_t i = 0; i < pages->n; i++) {
		unsigned class = pages->class_of[i];

		if (class == IN_TABLE)
			n_pages--;
		else if (class < ALL_CLASSES && is_table(class))
			n_cells -= pages->cells[i].used;
	}
	return !n_cells && !n_pages;
}

bool pages_tables_hold(const struct pages *pages, struct pages_table *tables,
		       size_t n) {
	uint64_t n_cells = 0, n_pages = 0, end = 0;

	if (n)
		qsort(tables, n, sizeof(*tables), by_place);
	for (size_t i = 0; i < n; i++) {
		uint64_t from = (uint64_t)tables[i].at * PAGE_UNIT;

		if (!table_is_there(pages, &tables[i]) || from < end)
			return false;
		end = from + tables[i].bytes;
		if (tables[i].bytes <= CELL_MAX)
			n_cells++;
		else
			n_pages += table_pages(tables[i].bytes);
	}
	return tables_are(pages, n_cells, n_pages);
}

int pages_restore(struct pages *pages, struct saved *from) {
	size_t each = sizeof(*pages->class_of) + sizeof(*pages->cells);
	uint32_t n = (uint32_t)saved_count(from, each);

	pages->in_use = saved_number32(from);
	pages->empty = saved_number32(from);
	pages->used_bytes = saved_number(from);
	pages->taken = saved_number(from);
	for (unsigned i = 0; i < ALL_CLASSES; i++)
		saved_take(from, &pages->classes[i].roomy, sizeof(uint32_t));
	if (from->is_bad)
		return -EBADMSG;
	if (!pages_map(pages, n))
		return -ENOMEM;
	pages->n = n;
	saved_take(from, pages->class_of, n * sizeof(*pages->class_of));
	saved_take(from, pages->cells, n * sizeof(*pages->cells));
	if (n)
		memset(pages->generation, 0, n * sizeof(*pages->generation));
	return !from->is_bad && is_whole(pages) ? 0 : -EBADMSG;
}
