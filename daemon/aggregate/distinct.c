/*
 * measure: {suppliers: distinct(supplier)}: how many different values.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	struct tally tally;

	(void)constant, (void)like;
	tally_count(&tally, c, n, arena);
	return value_int((int64_t)tally.n);
}

const struct aggregate distinct_aggregate = {
	.name = "distinct",
	.summary = "How many different values.",
	.signature = "distinct(x): int",
	.takes_x = true,
	.kinds = SCALAR_KINDS,
	.zero_when_empty = true,
	.result_kind = KIND_INT,
	.scan = scan,
};
