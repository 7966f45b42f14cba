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
	handle_t *head;

	if (!wheel->begun) {
		wheel->begun = true;
		wheel->first = bucket;
	}
	if (bucket < wheel->first)
		bucket = wheel->first;
	if (bucket >= wheel->first + WHEEL_BUCKETS)
		bucket = wheel->first + WHEEL_BUCKETS - 1;
	head = &wheel->head[(uint64_t)bucket % WHEEL_BUCKETS];
	link_set(pages, cell, wheel->next_offset, *head);
	if (wheel->prev_offset) {
		link_set(pages, cell, wheel->prev_offset, 0);
		if (*head)
			link_set(pages, *head, wheel->prev_offset, cell);
	}
	*head = cell;
}

void wheel_remove(struct wheel *wheel, struct pages *pages, handle_t cell) {
	handle_t next = link_get(pages, cell, wheel->next_offset);
	handle_t prev = link_get(pages, cell, wheel->prev_offset);
	unsigned i = 0;

	if (next)
		link_set(pages, next, wheel->prev_offset, prev);
	if (prev) {
		link_set(pages, prev, wheel->next_offset, next);
		return;
	}
	while (wheel->head[i] != cell)
		assert(++i < WHEEL_BUCKETS);
	wheel->head[i] = next;
}

handle_t wheel_take(struct wheel *wheel, usec_t now) {
	handle_t *head, cell;
	int64_t last;
	unsigned i;

	if (!wheel->begun)
		return 0;
	last = now / wheel->width;
	if (now < 0 && now % wheel->width)
		last--;
	for (i = 0; i < WHEEL_BUCKETS && wheel->first <= last; i++) {
		head = &wheel->head[(uint64_t)wheel->first % WHEEL_BUCKETS];
		if (*head) {
			cell = *head;
			*head = 0;
			return cell;
		}
		wheel->first++;
	}
	/* All buckets were empty: jump, however long the silence was. */
	if (wheel->first <= last)
		wheel->first = last + 1;
	return 0;
}
