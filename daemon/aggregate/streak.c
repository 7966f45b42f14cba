/*
 * measure: {run: streak(supplier)}: how often the newest value stands at the
 * end in a row.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"
#include "base/type.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	size_t run = 0;

	(void)constant, (void)like, (void)arena;
	while (run < n && value_equal(c[n - 1 - run].x, c[n - 1].x))
		run++;
	return value_int((int64_t)run);
}

const struct aggregate streak_aggregate = {
	.name = "streak",
	.summary = "How often the newest value stands at the end in a row.",
	.signature = "streak(x): int",
	.takes_x = true,
	.kinds = SCALAR_KINDS,
	.zero_when_empty = true,
	.result_kind = KIND_INT,
	.scan = scan,
};
