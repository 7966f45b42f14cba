/*
 * measure: {spread: cv(price)}: the coefficient of variation, stdev ÷ mean. It
 * has no unit. Missing below two events and when the mean is zero.
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

static double mean_of(const struct moments *moments, struct value like) {
	if (like.kind == KIND_DOUBLE)
		return moments->inexact.mean;
	return i128_ratio(wide_get(moments->exact.sum), (i128)moments->n);
}

static struct value result(const void *state, struct value constant,
			   struct value like) {
	double variance;
	double mean;

	(void)constant;
	if (!moments_variance(state, like, 1, &variance))
		return value_missing(MISSING_EMPTY);
	mean = mean_of(state, like);
	if (mean == 0.0)
		return value_missing(MISSING_ZERO);
	return value_finite(sqrt(variance) / mean);
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)arena;
	return scan_by_folding(&cv_aggregate, c, n, constant, like);
}

const struct aggregate cv_aggregate = {
	.name = "cv",
	.summary = "The coefficient of variation: stdev(x) / mean(x).",
	.signature = "cv(x: int|double|money|duration): double",
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
