/*
 * measure: {now_at: last(price)}: the value with the greatest event time; of
 * equal times the greatest coordinates.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static bool add(void *state, const struct contribution *c) {
	struct standing *kept = state;
	struct standing x = standing_of(c);

	if (!kept->n || standing_order(&x, kept) > 0)
		*kept = x;
	return true;
}

static bool merge(void *into, const void *from, struct value like) {
	struct standing *kept = into;
	const struct standing *x = from;

	(void)like;
	if (x->n && (!kept->n || standing_order(x, kept) > 0))
		*kept = *x;
	return true;
}

static struct value result(const void *state, struct value constant,
			   struct value like) {
	(void)constant;
	return standing_value(state, like);
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)constant, (void)like, (void)arena;
	return n ? c[n - 1].x : value_missing(MISSING_EMPTY);
}

const struct aggregate last_aggregate = {
	.name = "last",
	.summary = "The value with the greatest event time in the window.",
	.signature = "last(x): type of x",
	.takes_x = true,
	.kinds = SCALAR_KINDS,
	.result_kind = KIND_MISSING,
	.folds = FIXED_KINDS,
	.state_size = sizeof(struct standing),
	.add = add,
	.merge = merge,
	.result = result,
	.scan = scan,
};
