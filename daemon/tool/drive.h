/*
 * Drive: an engine, its events and a place for what comes out, until all is
 * taken. The engine pauses when its outbox is full; this is the loop around it.
 */
#pragma once

#include "engine/engine.h"

struct driver {
	struct engine *engine;
	int64_t poll_time; /* both clocks of max_skew, seconds since 1970 */
	/* One transition; it is dropped afterwards. */
	void (*item)(void *ctx, const struct outbox_item *item);
	/* One dead letter; may be NULL. */
	void (*dead)(void *ctx, const struct dead_letter *dead);
	void *ctx;
};

void drive_events(struct driver *driver, struct event *const *events, size_t n);
void drive_decision(struct driver *driver, const struct decision *decision);
