#include "state/wheel.h"

#include <assert.h>
#include <string.h>

/* The first bucket whose end is at or after @at. */
static int64_t bucket_of(const struct wheel *wheel, usec_t at) {
	int64_t n = at / wheel->width;

	if (at % wheel->width > 0)
		n++;
	return n;
}

void wheel_init(struct wheel *wheel, usec_t width, size_t next_offset,
		size_t prev_offset) {
	*wheel = (struct wheel){ .width = width > 0 ? width : 1,
				 .next_offset = next_offset,
				 .prev_offset = prev_offset };
}

static handle_t link_get(const struct pages *pages, handle_t cell,
			 size_t offset) {
	const uint8_t *bytes = pages_read(pages, cell);
	handle_t ret;

	memcpy(&ret, bytes + offset, sizeof(ret));
	return ret;
}

static void link_set(struct pages *pages, handle_t cell, size_t offset,
		     handle_t to) {
	uint8_t *bytes = pages_write(pages, cell);

	memcpy(bytes + offset, &to, sizeof(to));
}

void wheel_add(struct wheel *wheel, struct pages *pages, handle_t cell,
	       usec_t due) {
	int64_t bucket = bucket_of(wheel, due);
	handle_t *head, *tail;

	if (!wheel->begun) {
		/* What comes next may well be earlier. */
		wheel->begun = true;
		wheel->first = bucket - WHEEL_BUCKETS / 4;
	}
	if (bucket < wheel->first)
		bucket = wheel->first;
	if (bucket >= wheel->first + WHEEL_BUCKETS)
		bucket = wheel->first + WHEEL_BUCKETS - 1;
	head = &wheel->head[(uint64_t)bucket % WHEEL_BUCKETS];
	tail = &wheel->tail[(uint64_t)bucket % WHEEL_BUCKETS];
	link_set(pages, cell, wheel->next_offset, 0);
	if (wheel->prev_offset)
		link_set(pages, cell, wheel->prev_offset, *tail);
	if (*tail)
		link_set(pages, *tail, wheel->next_offset, cell);
	else
		*head = cell;
	*tail = cell;
}

static unsigned bucket_with(const handle_t ends[], handle_t cell) {
	unsigned i = 0;

	while (ends[i] != cell)
		assert(++i < WHEEL_BUCKETS);
	return i;
}

void wheel_remove(struct wheel *wheel, struct pages *pages, handle_t cell) {
	handle_t next = link_get(pages, cell, wheel->next_offset);
	handle_t prev = link_get(pages, cell, wheel->prev_offset);
	unsigned i;

	if (!prev) {
		i = bucket_with(wheel->head, cell);
		wheel->head[i] = next;
		if (!next)
			wheel->tail[i] = 0;
	} else {
		link_set(pages, prev, wheel->next_offset, next);
		if (!next)
			wheel->tail[bucket_with(wheel->tail, cell)] = prev;
	}
	if (next)
		link_set(pages, next, wheel->prev_offset, prev);
}

handle_t wheel_pop(struct wheel *wheel, const struct pages *pages) {
	uint64_t bucket = (uint64_t)wheel->first, i = 0;
	handle_t cell;

	assert(!wheel->prev_offset);
	while (i < WHEEL_BUCKETS && !wheel->head[(bucket + i) % WHEEL_BUCKETS])
		i++;
	if (i == WHEEL_BUCKETS)
		return 0;
	bucket = (bucket + i) % WHEEL_BUCKETS;
	cell = wheel->head[bucket];
	wheel->head[bucket] = link_get(pages, cell, wheel->next_offset);
	if (!wheel->head[bucket])
		wheel->tail[bucket] = 0;
	return cell;
}

handle_t wheel_take(struct wheel *wheel, usec_t now) {
	uint64_t bucket;
	handle_t cell;
	int64_t last;
	unsigned i;

	if (!wheel->begun)
		return 0;
	last = now / wheel->width;
	if (now < 0 && now % wheel->width)
		last--;
	for (i = 0; i < WHEEL_BUCKETS && wheel->first <= last; i++) {
		bucket = (uint64_t)wheel->first % WHEEL_BUCKETS;
		cell = wheel->head[bucket];
		if (cell) {
			wheel->head[bucket] = wheel->tail[bucket] = 0;
			return cell;
		}
		wheel->first++;
	}
	/* All buckets were empty: jump, however long the silence was. */
	if (wheel->first <= last)
		wheel->first = last + 1;
	return 0;
}
