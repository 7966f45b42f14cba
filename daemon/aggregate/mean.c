/*
 * measure: {usual: mean(amount)}: the arithmetic mean.
 *
 * It has the type of what it is of; int, money and durations are rounded half
 * to even. num(x) asks for decimals.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static bool add(void *state, const struct contribution *c) {
	return total_add(state, c->x);
}

static void retract(void *state, const struct contribution *c) {
	total_retract(state, c->x);
}

static bool merge(void *into, const void *from, struct value like) {
	return total_merge(into, from, like);
}

static struct value result(const void *state, struct value constant,
			   struct value like) {
	const struct total *total = state;
	i128 mean;

	(void)constant;
	if (!total->n)
		return value_missing(MISSING_EMPTY);
	if (like.kind == KIND_DOUBLE)
		return value_finite(total->inexact / (double)total->n);
	mean = i128_divide_even(wide_get(total->exact), (i128)total->n);
	return value_like(like, (int64_t)mean);
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)arena;
	return scan_by_folding(&mean_aggregate, c, n, constant, like);
}

const struct aggregate mean_aggregate = {
	.name = "mean",
	.summary = "The arithmetic mean, rounded half to even.",
	.signature = "mean(x: int|double|money|duration): type of x",
	.takes_x = true,
	.kinds = NUMBER_KINDS,
	.result_kind = KIND_MISSING,
	.folds = NUMBER_KINDS,
	.retracts = EXACT_KINDS,
	.state_size = sizeof(struct total),
	.add = add,
	.retract = retract,
	.merge = merge,
	.result = result,
	.scan = scan,
};
