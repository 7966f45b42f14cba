/*
 * measure: {trend: slope(amount)}: by how much x rises a day, as the line of
 * least squares through (event time, x) has it: Σ(t − t̄)(x − x̄) ÷ Σ(t − t̄)²;
 * of money in major units. Missing without two different times.
 *
 * Times count from the oldest event and both means are taken first, because
 * squares of microseconds since 1970 would leave a double no digits.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

#define DAY 86400e6 /* microseconds */

static double number_of(struct value x) {
	return x.kind == KIND_DOUBLE ? x.d : (double)x.i;
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	double time = 0, mean = 0, product = 0, squares = 0;

	(void)constant, (void)arena;
	for (size_t i = 0; i < n; i++) {
		time += (double)(c[i].time - c[0].time) / (double)n;
		mean += number_of(c[i].x) / (double)n;
	}
	for (size_t i = 0; i < n; i++) {
		double t = (double)(c[i].time - c[0].time) - time;

		product += t * (number_of(c[i].x) - mean);
		squares += t * t;
	}
	if (!n || c[n - 1].time == c[0].time)
		return value_missing(MISSING_EMPTY);
	return value_finite(product / squares * DAY /
			    (double)major_units(like));
}

const struct aggregate slope_aggregate = {
	.name = "slope",
	.summary = "By how much x rises a day, by least squares.",
	.signature = "slope(x: int|double|money|duration): double",
	.takes_x = true,
	.kinds = NUMBER_KINDS,
	.result_kind = KIND_DOUBLE,
	.scan = scan,
};
