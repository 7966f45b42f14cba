/*
 * measure: {usual: median(amount)}: the middle value, of an even number the
 * mean of the two in the middle. It has the type of x, rounded half to even.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)constant;
	return quantile_of(c, n, 1, 2, like, arena);
}

const struct aggregate median_aggregate = {
	.name = "median",
	.summary = "The middle value.",
	.signature = "median(x: number|date|timestamp): type of x",
	.takes_x = true,
	.kinds = NUMBER_KINDS | BIT(KIND_DATE) | BIT(KIND_TIMESTAMP),
	.result_kind = KIND_MISSING,
	.scan = scan,
};
