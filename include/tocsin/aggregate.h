/*
 * Aggregate: one way of summing up the events of a window.
 *
 * An aggregate is only functions. What it remembers about one key is a
 * fixed-size state that the engine allocates, caps and evicts. The fixed size
 * is the point: memory is keys times state_size, two numbers an operator can
 * read off a dashboard. All zero bytes are a valid empty state.
 *
 * Two ways, and an aggregate has one or both:
 * - fold: add, merge and, if it can, retract. For windows made of periods or
 *   panes, and for sliding windows when it can retract.
 * - scan: all contributions of the window at once, in the order of (event
 *   time, coordinates). For sliding windows of raw entries when it cannot
 *   retract exactly (doubles, extremes, order, distinct values).
 * The loader picks: what can only scan keeps raw entries, and says what that
 * costs.
 *
 * Aggregates never look at a clock. Time arrives in events, so the same events
 * raise the same alerts whether they are live or replayed.
 */
#pragma once

#include "tocsin/value.h"

#include <stddef.h>

struct arena;

/* One contribution of one event. */
struct contribution {
	int64_t time;         /* event time, microseconds */
	uint64_t coordinates; /* packed; orders equal times */
	struct value x;       /* the argument; count: any; never missing */
	struct value weight;  /* missing: none was asked for */
	bool truth;           /* of the condition (count_if, sum_if, share) */
};

struct aggregate {
	const char *name;      /* what a rule calls it */
	const char *summary;   /* one sentence for the manual */
	const char *signature; /* "sum(x: int|double|money): type of x" */
	/*
	 * Arguments: has x; has a condition (the last argument); a constant;
	 * may have a weight behind x.
	 */
	bool takes_x, takes_condition, takes_constant, takes_weight;
	/* What the constant may be: a whole number is an int, else a double. */
	struct {
		bool whole;
		double least, most;
	} constant;
	/* Bits of 1 << enum kind that x may have; 0: any. */
	uint32_t kinds;
	bool by_condition_only; /* only contributions whose truth holds enter */
	bool zero_when_empty;   /* else missing over no events */
	bool aligns;            /* a baseline may compare it to date */
	/* Kind of the result, KIND_MISSING: that of x. */
	uint8_t result_kind;
	/* Kinds of x that fold without scan (1 << kind), 0: never; then there
	 * is no add, merge or result. All bits: whatever x is. */
	uint32_t folds;
	/* Kinds of x that retract exactly. */
	uint32_t retracts;
	size_t state_size; /* multiple of 8; 0 if nothing folds */
	/*
	 * Kinds of x of which the state is one whole number of 64 bits, and
	 * merge() adds it up: then it may be kept in less.
	 */
	uint32_t adds;

	/* Folds @c in; false: overflow, the state is as before. */
	bool (*add)(void *state, const struct contribution *c);
	/* Takes @c back out: only what add() took. NULL if retracts is 0. */
	void (*retract)(void *state, const struct contribution *c);
	/*
	 * Joins @from into @into; false: overflow, @into is as before. @like
	 * here and below is any value of x's kind and unit (its zero, say): a
	 * state of 8 bytes has no room to remember which.
	 */
	bool (*merge)(void *into, const void *from, struct value like);
	/* @constant is quantile's p, nth's k. */
	struct value (*result)(const void *state, struct value constant,
			       struct value like);
	/*
	 * Over @n contributions in order; scratch memory from @arena. What
	 * overflows is left out. The result may borrow a string of @c.
	 */
	struct value (*scan)(const struct contribution *c, size_t n,
			     struct value constant, struct value like,
			     struct arena *arena);
	/*
	 * An aggregate with several results (b.n, b.mad) has none of its own:
	 * each is an aggregate here, by its name, up to one without a name.
	 * They fold one and the same state, which is kept once, and take back
	 * exactly all that they fold, so nothing ever scans them.
	 */
	const struct aggregate *(*members)(struct value constant);
};

/* Sorted by name, NULL-terminated. */
extern const struct aggregate *const all_aggregates[];
const struct aggregate *aggregate_find(const char *name);
