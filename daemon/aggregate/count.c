/*
 * measure: {cnt: count()}: how many events.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static bool add(void *state, const struct contribution *c) {
	uint64_t *n = state;

	(void)c;
	++*n;
	return true;
}

static void retract(void *state, const struct contribution *c) {
	uint64_t *n = state;

	(void)c;
	--*n;
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
	return scan_by_folding(&count_aggregate, c, n, constant, like);
}

const struct aggregate count_aggregate = {
	.name = "count",
	.summary = "How many events.",
	.signature = "count(): int",
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
