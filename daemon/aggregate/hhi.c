/*
 * measure: {concentration: hhi(supplier, amount)}: the Herfindahl-Hirschman
 * index, the sum of the squares of all shares: 1 when everything goes to one,
 * 1/n when n have the same. Shares are of the weight, or of the events.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	struct shares shares;
	double sum = 0;

	(void)constant, (void)like;
	if (!n)
		return value_missing(MISSING_EMPTY);
	if (!shares_count(&shares, c, n, arena))
		return value_missing(shares.reason);
	for (size_t i = 0; i < shares.n; i++)
		sum += shares.items[i] * shares.items[i];
	return value_double(sum);
}

const struct aggregate hhi_aggregate = {
	.name = "hhi",
	.summary = "How concentrated the values are: the sum of the squares "
		   "of their shares, by count or by weight.",
	.signature = "hhi(x, weight: int|double|money optional): double",
	.takes_x = true,
	.takes_weight = true,
	.kinds = SCALAR_KINDS,
	.result_kind = KIND_DOUBLE,
	.scan = scan,
};
