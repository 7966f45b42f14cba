/*
 * measure: {swings: transitions(state)}: how many neighbours in time differ.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"
#include "base/type.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	int64_t changes = 0;

	(void)constant, (void)like, (void)arena;
	if (!n)
		return value_missing(MISSING_EMPTY);
	for (size_t i = 1; i < n; i++)
		changes += !value_equal(c[i - 1].x, c[i].x);
	return value_int(changes);
}

const struct aggregate transitions_aggregate = {
	.name = "transitions",
	.summary = "How often a value differs from the one before it.",
	.signature = "transitions(x): int",
	.takes_x = true,
	.kinds = SCALAR_KINDS,
	.result_kind = KIND_INT,
	.scan = scan,
};
