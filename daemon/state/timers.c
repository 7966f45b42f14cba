#include "state/timers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b)                                                          \
	do {                                                                   \
		if ((a) != (b))                                                \
			return (a) < (b);                                      \
	} while (0)

static bool before(const struct timer *a, const struct timer *b) {
	COMPARE(a->due, b->due);
	COMPARE(a->rule, b->rule);
	COMPARE(a->created, b->created);
	COMPARE(a->kind, b->kind);
	COMPARE(a->period, b->period);
	return a->target < b->target;
}

#define FIRST_CAP 256u

static size_t table_bytes(size_t cap) {
	return cap * sizeof(struct timer);
}

static struct timer *heap_at(const struct pages *pages, handle_t table) {
	return (struct timer *)(void *)(pages->base +
					(size_t)table * PAGE_UNIT);
}

static void grow(struct timers *timers, struct pages *pages) {
	size_t cap = timers->cap ? timers->cap * 2 : FIRST_CAP;
	handle_t table = pages_table(pages, table_bytes(cap));

	/* Out of memory half-way through an event has no sensible outcome. */
	if (!table)
		abort();
	if (timers->n)
		memcpy(heap_at(pages, table), timers->heap,
		       table_bytes(timers->n));
	pages_table_release(pages, timers->table, table_bytes(timers->cap));
	timers->heap = heap_at(pages, table);
	timers->cap = cap;
	timers->table = table;
}

static void put(struct timers *timers, struct pages *pages, size_t i,
		const struct timer *timer) {
	pages_change(pages, &timers->heap[i], sizeof(*timer));
	timers->heap[i] = *timer;
}

void timers_add(struct timers *timers, struct pages *pages,
		const struct timer *timer) {
	size_t i = timers->n, parent;

	if (timers->n == timers->cap)
		grow(timers, pages);
	timers->n++;
	for (; i; i = parent) {
		parent = (i - 1) / 4;
		if (!before(timer, &timers->heap[parent]))
			break;
		put(timers, pages, i, &timers->heap[parent]);
	}
	put(timers, pages, i, timer);
}

void timers_prune(struct timers *timers, struct pages *pages,
		  bool (*wanted)(const void *context,
				 const struct timer *timer),
		  const void *context) {
	size_t n = timers->n, i;
	struct timer timer;

	/* What is kept never comes to stand behind where it stood. */
	timers->n = 0;
	for (i = 0; i < n; i++) {
		timer = timers->heap[i];
		if (wanted(context, &timer))
			timers_add(timers, pages, &timer);
	}
}

const struct timer *timers_first(const struct timers *timers) {
	return timers->n ? &timers->heap[0] : NULL;
}

static size_t least_child(const struct timers *timers, size_t i) {
	size_t child = i * 4 + 1, end = child + 4, least = child;

	if (end > timers->n)
		end = timers->n;
	for (child++; child < end; child++)
		if (before(&timers->heap[child], &timers->heap[least]))
			least = child;
	return least;
}

void timers_pop(struct timers *timers, struct pages *pages) {
	const struct timer *last;
	size_t i = 0, child;

	assert(timers->n);
	last = &timers->heap[--timers->n];
	while (i * 4 + 1 < timers->n) {
		child = least_child(timers, i);
		if (!before(&timers->heap[child], last))
			break;
		put(timers, pages, i, &timers->heap[child]);
		i = child;
	}
	put(timers, pages, i, last);
}

void timers_save(const struct timers *timers, struct buf *out) {
	const uint64_t said[] = { timers->table, timers->n, timers->cap };

	buf_add(out, said, sizeof(said));
}

int timers_restore(struct timers *timers, const struct pages *pages,
		   struct saved *from) {
	uint64_t table = saved_number(from), n = saved_number(from);
	uint64_t cap = saved_number(from);
	uint64_t all = (uint64_t)pages->n * PAGE_BYTES;

	if (table > UINT32_MAX || cap > all / sizeof(struct timer) || n > cap ||
	    !table != !cap || table * PAGE_UNIT + table_bytes(cap) > all ||
	    (cap && (cap < FIRST_CAP || cap & (cap - 1))))
		return -EBADMSG;
	*timers =
		(struct timers){ .n = n, .cap = cap, .table = (handle_t)table };
	if (table)
		timers->heap = heap_at(pages, timers->table);
	return 0;
}

size_t timers_tables(const struct timers *timers, struct pages_table *tables) {
	if (!timers->table)
		return 0;
	*tables =
		(struct pages_table){ timers->table, table_bytes(timers->cap) };
	return 1;
}
