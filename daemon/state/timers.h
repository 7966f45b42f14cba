/*
 * Timers: what falls due in event time, in one order that all machines share.
 *
 * The order is (due, rule, creation ordinal of the key, kind, period); kinds
 * in the order of the enum (SEMANTICS.md, S2). There is no cancelling: a timer
 * that is no longer wanted is recognised when it fires, or when so many have
 * gathered that all of them are looked at.
 */
#pragma once

#include "base/pages.h"
#include "base/util.h"

#include <stdbool.h>

enum timer_kind {
	TIMER_WINDOW_EXIT,
	TIMER_COOLDOWN_END,
	TIMER_EVERY,
	TIMER_PERIOD_END,
	TIMER_REVIEW_END
};

struct timer {
	usec_t due;
	uint64_t created;
	int64_t period;
	handle_t target;
	uint16_t rule;
	uint8_t kind;
};

/* All zero bytes are a valid empty heap. */
struct timers {
	struct timer *heap; /* four children each */
	size_t n, cap;
	handle_t table; /* where it lies among the pages */
};

void timers_add(struct timers *timers, struct pages *pages,
		const struct timer *timer);
/* The first one, or NULL. */
const struct timer *timers_first(const struct timers *timers);
void timers_pop(struct timers *timers, struct pages *pages);
/* Keeps those that @wanted says. */
void timers_prune(struct timers *timers, struct pages *pages,
		  bool (*wanted)(const void *context,
				 const struct timer *timer),
		  const void *context);

/* -EBADMSG: what was saved is not among the pages. */
void timers_save(const struct timers *timers, struct buf *out);
int timers_restore(struct timers *timers, const struct pages *pages,
		   struct saved *from);
/* Adds where the heap is to @tables, which has room for one; how many. */
size_t timers_tables(const struct timers *timers, struct pages_table *tables);
