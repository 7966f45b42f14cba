/*
 * measure: {budget: latest(line.amount)}: the value with the greatest event
 * time that the key has ever seen. What makes it differ from last() is where
 * the engine keeps it: with the key, not with the window.
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

const struct aggregate latest_aggregate = {
	.name = "latest",
	.summary =
		"The value with the greatest event time ever seen for the key.",
	.signature = "latest(x): type of x",
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
