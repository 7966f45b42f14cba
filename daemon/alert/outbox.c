#include "alert/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int outbox_init(struct outbox *outbox, size_t cap, size_t dead_cap) {
	struct outbox_item *items;
	struct dead_letter *dead;

	assert(cap && dead_cap);
	items = calloc(cap, sizeof(*items));
	dead = calloc(dead_cap, sizeof(*dead));
	if (!items || !dead) {
		free(items);
		free(dead);
		return -ENOMEM;
	}
	*outbox = (struct outbox){ .items = items,
				   .cap = cap,
				   .size = cap,
				   .dead = dead,
				   .dead_cap = dead_cap };
	return 0;
}

void outbox_free(struct outbox *outbox) {
	outbox_drop(outbox, outbox->n);
	free(outbox->items);
	free(outbox->dead);
	*outbox = (struct outbox){ 0 };
}

bool outbox_has_room(const struct outbox *outbox) {
	return outbox->n < outbox->cap && outbox->dead_n < outbox->dead_cap;
}

/* What an item keeps from being freed. */
static size_t item_bytes(const struct outbox_item *item) {
	return item->json_len + (item->key ? strlen(item->key) : 0);
}

/* The ring twice as large, its oldest item first. */
static void grow(struct outbox *outbox) {
	struct outbox_item *items = calloc(outbox->size * 2, sizeof(*items));
	size_t i;

	assert(items);
	for (i = 0; i < outbox->n; i++)
		items[i] = *outbox_at(outbox, i);
	free(outbox->items);
	outbox->items = items;
	outbox->head = 0;
	outbox->size *= 2;
}

void outbox_add(struct outbox *outbox, const struct outbox_item *item) {
	if (outbox->n == outbox->size)
		grow(outbox);
	outbox->items[(outbox->head + outbox->n++) % outbox->size] = *item;
	outbox->bytes += item_bytes(item);
}

void outbox_add_dead(struct outbox *outbox, const struct dead_letter *dead) {
	size_t at = (outbox->dead_head + outbox->dead_n) % outbox->dead_cap;

	assert(outbox->dead_n < outbox->dead_cap);
	outbox->dead[at] = *dead;
	outbox->dead_n++;
}

struct outbox_item *outbox_at(const struct outbox *outbox, size_t i) {
	assert(i < outbox->n);
	return &outbox->items[(outbox->head + i) % outbox->size];
}

const struct dead_letter *outbox_dead_at(const struct outbox *outbox,
					 size_t i) {
	assert(i < outbox->dead_n);
	return &outbox->dead[(outbox->dead_head + i) % outbox->dead_cap];
}

void outbox_drop(struct outbox *outbox, size_t n) {
	assert(n <= outbox->n);
	for (; n; n--) {
		struct outbox_item *item = &outbox->items[outbox->head];

		outbox->bytes -= item_bytes(item);
		free(item->key);
		free(item->json);
		*item = (struct outbox_item){ 0 };
		outbox->head = (outbox->head + 1) % outbox->size;
		outbox->n--;
	}
}

void outbox_drop_dead(struct outbox *outbox, size_t n) {
	assert(n <= outbox->dead_n);
	if (!n)
		return;
	outbox->dead_head = (outbox->dead_head + n) % outbox->dead_cap;
	outbox->dead_n -= n;
}
