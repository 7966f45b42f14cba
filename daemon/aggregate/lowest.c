/*
 * measure: {second: "lowest(price, 2)"}: the k-th lowest value, equal ones
 * counted one by one; how far the second bid is from the first. Missing while
 * there are fewer.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	size_t k = (size_t)constant.i;

	(void)like;
	if (!k || k > n)
		return value_missing(MISSING_EMPTY);
	return values_sorted(c, n, arena)[k - 1];
}

const struct aggregate lowest_aggregate = {
	.name = "lowest",
	.summary = "The k-th lowest value, equal ones counted one by one.",
	.signature = "lowest(x: number|date|timestamp, k: int): type of x",
	.takes_x = true,
	.takes_constant = true,
	.constant = { .whole = true, .least = 1, .most = 65536 },
	.kinds = NUMBER_KINDS | BIT(KIND_DATE) | BIT(KIND_TIMESTAMP),
	.result_kind = KIND_MISSING,
	.scan = scan,
};
