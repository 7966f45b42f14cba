/*
 * measure: {v: variance(amount)}: the variance of the sample, Σ(x − mean)² ÷ (n
 * − 1); of money in major units squared. Missing below two events.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

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
	return value_finite(variance);
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)arena;
	return scan_by_folding(&variance_aggregate, c, n, constant, like);
}

const struct aggregate variance_aggregate = {
	.name = "variance",
	.summary =
		"The variance of the sample; of money in major units squared.",
	.signature = "variance(x: int|double|money|duration): double",
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
