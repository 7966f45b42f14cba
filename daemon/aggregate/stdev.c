/*
 * measure: {spread: stdev(amount)}: the standard deviation of the sample, the
 * root of variance.c; of money in major units. Missing below two events.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

#include <math.h>

static bool add(void *state, const struct contribution *c) {
	return moments_add(state, c->x);
}

static void retract(void *state, const struct contribution *c) {
	moments_retract(state, c->x);
}

static bool merge(void *into, const void *from, struct value like) {
	return moments_merge(into, from, like);
}

static struct value result(const void *state, struct value constant,
			   struct value like) {
	double variance;

	(void)constant;
	if (!moments_variance(state, like, major_units(like), &variance))
		return value_missing(MISSING_EMPTY);
	return value_finite(sqrt(variance));
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)arena;
	return scan_by_folding(&stdev_aggregate, c, n, constant, like);
}

const struct aggregate stdev_aggregate = {
	.name = "stdev",
	.summary = "The standard deviation of the sample; of money in major "
		   "units.",
	.signature = "stdev(x: int|double|money|duration): double",
	.takes_x = true,
	.kinds = NUMBER_KINDS,
	.result_kind = KIND_DOUBLE,
	.folds = NUMBER_KINDS,
	.retracts = EXACT_KINDS,
	.state_size = sizeof(struct moments),
	.add = add,
	.retract = retract,
	.merge = merge,
	.result = result,
	.scan = scan,
};
