/*
 * measure: {fresh: new(supplier)}: the newest value was not seen before it in
 * the window. The first value of a window is new.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"
#include "base/type.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	size_t i = 0;

	(void)constant, (void)like, (void)arena;
	if (!n)
		return value_missing(MISSING_EMPTY);
	while (!value_equal(c[i].x, c[n - 1].x))
		i++;
	return value_bool(i == n - 1);
}

const struct aggregate new_aggregate = {
	.name = "new",
	.summary = "Whether the window had not seen the newest value before.",
	.signature = "new(x): bool",
	.takes_x = true,
	.kinds = SCALAR_KINDS,
	.result_kind = KIND_BOOL,
	.scan = scan,
};
