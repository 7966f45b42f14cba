/*
 * measure: {lead: top_share(supplier, amount)}: the greatest share that one
 * value has, of the weight or of the events.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	struct shares shares;
	double top = 0;

	(void)constant, (void)like;
	if (!n)
		return value_missing(MISSING_EMPTY);
	if (!shares_count(&shares, c, n, arena))
		return value_missing(shares.reason);
	for (size_t i = 0; i < shares.n; i++)
		top = shares.items[i] > top ? shares.items[i] : top;
	return value_double(top);
}

const struct aggregate top_share_aggregate = {
	.name = "top_share",
	.summary = "The greatest share of one value, by count or by weight.",
	.signature = "top_share(x, weight: int|double|money optional): double",
	.takes_x = true,
	.takes_weight = true,
	.kinds = SCALAR_KINDS,
	.result_kind = KIND_DOUBLE,
	.scan = scan,
};
