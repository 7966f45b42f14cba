/*
 * measure: {high: quantile(amount, 0.9)}: the value that a share p of all do
 * not exceed, by Hyndman-Fan type 7. It has the type of x, rounded half to
 * even.
 *
 * 0.9 is not nine tenths in binary, and (n − 1)·p would miss the rank that it
 * means. So p counts in parts of 10⁹, and all that follows is exact.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

#define PARTS INT64_C(1000000000)

static int64_t parts_of(struct value p) {
	double d = p.kind == KIND_INT ? (double)p.i : p.d;
	int64_t parts;

	if (!double_to_i64_even(d * (double)PARTS, &parts) || parts < 0)
		return 0;
	return parts < PARTS ? parts : PARTS;
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	return quantile_of(c, n, parts_of(constant), PARTS, like, arena);
}

const struct aggregate quantile_aggregate = {
	.name = "quantile",
	.summary = "The value that a share p of all do not exceed.",
	.signature = "quantile(x: number|date|timestamp, p: double): type of x",
	.takes_x = true,
	.takes_constant = true,
	.constant = { .least = 0, .most = 1 },
	.kinds = NUMBER_KINDS | BIT(KIND_DATE) | BIT(KIND_TIMESTAMP),
	.result_kind = KIND_MISSING,
	.scan = scan,
};
