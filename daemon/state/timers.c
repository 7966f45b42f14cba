#include "state/timers.h"

#include <assert.h>
#include <stdlib.h>

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

void timers_add(struct timers *timers, const struct timer *timer) {
	size_t i = timers->n, parent;

	if (timers->n == timers->cap) {
		timers->cap = timers->cap ? timers->cap * 2 : 256;
		timers->heap = reallocarray(timers->heap, timers->cap,
					    sizeof(*timers->heap));
		assert(timers->heap);
	}
	timers->n++;
	for (; i; i = parent) {
		parent = (i - 1) / 4;
		if (!before(timer, &timers->heap[parent]))
			break;
		timers->heap[i] = timers->heap[parent];
	}
	timers->heap[i] = *timer;
}

void timers_prune(struct timers *timers,
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
			timers_add(timers, &timer);
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

void timers_pop(struct timers *timers) {
	const struct timer *last;
	size_t i = 0, child;

	assert(timers->n);
	last = &timers->heap[--timers->n];
	while (i * 4 + 1 < timers->n) {
		child = least_child(timers, i);
		if (!before(&timers->heap[child], last))
			break;
		timers->heap[i] = timers->heap[child];
		i = child;
	}
	timers->heap[i] = *last;
}

void timers_free(struct timers *timers) {
	free(timers->heap);
	*timers = (struct timers){ 0 };
}
