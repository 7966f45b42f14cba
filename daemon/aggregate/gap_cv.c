/*
 * measure: {ladder: gap_cv(price)}: the values in the order of their size, and
 * how unequal the steps between neighbours are: stdev ÷ mean of the steps.
 * Prices that somebody made up as a ladder are near zero, prices that were
 * reckoned are not. Missing below three values and when all are equal.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

#include "base/arena.h"

/* False: it leaves the range. */
static bool step(struct value low, struct value high, struct value *ret) {
	i128 between = (i128)high.i - low.i;

	if (low.kind == KIND_DOUBLE) {
		*ret = value_double(high.d - low.d);
		return true;
	}
	*ret = value_int((int64_t)between);
	return i64_fits(between);
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	struct value *sorted = values_sorted(c, n, arena);
	struct contribution *steps;

	if (n < 3)
		return value_missing(MISSING_EMPTY);
	steps = arena_array(arena, struct contribution, n - 1);
	for (size_t i = 0; i + 1 < n; i++)
		if (!step(sorted[i], sorted[i + 1], &steps[i].x))
			return value_missing(MISSING_OVERFLOW);
	(void)like;
	return scan_by_folding(&cv_aggregate, steps, n - 1, constant,
			       steps[0].x);
}

const struct aggregate gap_cv_aggregate = {
	.name = "gap_cv",
	.summary = "How unequal the steps between the sorted values are: "
		   "stdev / mean of them.",
	.signature = "gap_cv(x: number|date|timestamp): double",
	.takes_x = true,
	.kinds = NUMBER_KINDS | BIT(KIND_DATE) | BIT(KIND_TIMESTAMP),
	.result_kind = KIND_DOUBLE,
	.scan = scan,
};
