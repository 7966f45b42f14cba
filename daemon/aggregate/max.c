/*
 * measure: {high: max(price)}: the greatest.
 *
 * An extreme that leaves the window says nothing of the next one, so it cannot
 * be taken back: a sliding window is scanned.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"
#include "base/type.h"

static void keep(struct standing *kept, const struct standing *x,
		 struct value like) {
	struct value a = standing_value(x, like);

	if (!kept->n || value_compare(a, standing_value(kept, like)) > 0)
		*kept = *x;
}

static bool add(void *state, const struct contribution *c) {
	struct standing x = standing_of(c);

	keep(state, &x, c->x);
	return true;
}

static bool merge(void *into, const void *from, struct value like) {
	const struct standing *x = from;

	if (x->n)
		keep(into, x, like);
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
	struct value kept = value_missing(MISSING_EMPTY);

	(void)constant, (void)like, (void)arena;
	for (size_t i = 0; i < n; i++) {
		if (!i || value_compare(c[i].x, kept) > 0)
			kept = c[i].x;
	}
	return kept;
}

const struct aggregate max_aggregate = {
	.name = "max",
	.summary = "The greatest; strings by their bytes.",
	.signature = "max(x: number|string|date|timestamp): type of x",
	.takes_x = true,
	.kinds = SCALAR_KINDS & ~BIT(KIND_BOOL),
	.result_kind = KIND_MISSING,
	.folds = FIXED_KINDS & ~BIT(KIND_BOOL),
	.state_size = sizeof(struct standing),
	.add = add,
	.merge = merge,
	.result = result,
	.scan = scan,
};
