/*
 * measure: {same: max_repeat(price)}: how often the most frequent value occurs.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	struct tally tally;
	size_t most = 0;

	(void)constant, (void)like;
	tally_count(&tally, c, n, arena);
	for (size_t i = 0; i < tally.n; i++)
		most = tally.times[i] > most ? tally.times[i] : most;
	return value_int((int64_t)most);
}

const struct aggregate max_repeat_aggregate = {
	.name = "max_repeat",
	.summary = "How often the most frequent value occurs.",
	.signature = "max_repeat(x): int",
	.takes_x = true,
	.kinds = SCALAR_KINDS,
	.zero_when_empty = true,
	.result_kind = KIND_INT,
	.scan = scan,
};
