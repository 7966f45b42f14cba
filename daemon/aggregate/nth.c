/*
 * measure: {third: nth(amount, 3)}: the k-th value of the window, the oldest
 * being the first. Missing while there are fewer.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	size_t k = (size_t)constant.i;

	(void)like, (void)arena;
	return k && k <= n ? c[k - 1].x : value_missing(MISSING_EMPTY);
}

const struct aggregate nth_aggregate = {
	.name = "nth",
	.summary = "The k-th value in the window, the oldest being the first.",
	.signature = "nth(x, k: int): type of x",
	.takes_x = true,
	.takes_constant = true,
	.constant = { .whole = true, .least = 1, .most = 65536 },
	.kinds = SCALAR_KINDS,
	.result_kind = KIND_MISSING,
	.scan = scan,
};
