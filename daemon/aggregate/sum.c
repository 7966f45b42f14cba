/*
 * measure: {total: sum(amount)}: the sum, of the kind and unit of what is
 * summed.
 *
 * Eight bytes rather than sixteen, because most keys of most rules keep a sum:
 * one that leaves the range of 64 bits is refused instead (in fen, that is 92
 * quadrillion yuan).
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static bool add(void *state, const struct contribution *c) {
	return sum_add(state, c->x);
}

static void retract(void *state, const struct contribution *c) {
	sum_retract(state, c->x);
}

static bool merge(void *into, const void *from, struct value like) {
	return sum_merge(into, from, like);
}

static struct value result(const void *state, struct value constant,
			   struct value like) {
	(void)constant;
	return sum_value(state, like);
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)arena;
	return scan_by_folding(&sum_aggregate, c, n, constant, like);
}

const struct aggregate sum_aggregate = {
	.name = "sum",
	.summary = "The sum; of money it is money.",
	.signature = "sum(x: int|double|money|duration): type of x",
	.takes_x = true,
	.kinds = NUMBER_KINDS,
	.zero_when_empty = true,
	.aligns = true,
	.result_kind = KIND_MISSING,
	.folds = NUMBER_KINDS,
	.retracts = EXACT_KINDS,
	.state_size = sizeof(union sum),
	.adds = EXACT_KINDS,
	.add = add,
	.retract = retract,
	.merge = merge,
	.result = result,
	.scan = scan,
};
