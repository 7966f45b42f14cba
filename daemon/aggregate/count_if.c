/*
 * measure: {near: count_if(amount >= limit * 0.8)}: how many events satisfy it.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static bool add(void *state, const struct contribution *c) {
	uint64_t *n = state;

	*n += c->truth;
	return true;
}

static void retract(void *state, const struct contribution *c) {
	uint64_t *n = state;

	*n -= c->truth;
}

static bool merge(void *into, const void *from, struct value like) {
	uint64_t *n = into;
	const uint64_t *more = from;

	(void)like;
	*n += *more;
	return true;
}

static struct value result(const void *state, struct value constant,
			   struct value like) {
	const uint64_t *n = state;

	(void)constant, (void)like;
	return value_int((int64_t)*n);
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)arena;
	return scan_by_folding(&count_if_aggregate, c, n, constant, like);
}

const struct aggregate count_if_aggregate = {
	.name = "count_if",
	.summary = "How many events satisfy the condition.",
	.signature = "count_if(condition: bool): int",
	.takes_condition = true,
	.by_condition_only = true,
	.zero_when_empty = true,
	.aligns = true,
	.result_kind = KIND_INT,
	.folds = UINT32_MAX,
	.retracts = UINT32_MAX,
	.state_size = sizeof(uint64_t),
	.adds = UINT32_MAX,
	.add = add,
	.retract = retract,
	.merge = merge,
	.result = result,
	.scan = scan,
};
