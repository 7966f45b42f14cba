/*
 * measure: {cash: sum_if(amount, method == 'cash')}: the sum over the events
 * that satisfy the condition; see sum.c.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static bool add(void *state, const struct contribution *c) {
	return !c->truth || sum_add(state, c->x);
}

static void retract(void *state, const struct contribution *c) {
	if (c->truth)
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
	return scan_by_folding(&sum_if_aggregate, c, n, constant, like);
}

const struct aggregate sum_if_aggregate = {
	.name = "sum_if",
	.summary = "The sum over the events that satisfy the condition.",
	.signature = "sum_if(x: int|double|money|duration, condition: bool): "
		     "type of x",
	.takes_condition = true,
	.by_condition_only = true,
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
