/*
 * measure: {moved: changed(account)}: the newest value differs from the one
 * before. Missing while there is none before: the first account of a payee is
 * no change of it.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"
#include "base/type.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)constant, (void)like, (void)arena;
	if (n < 2)
		return value_missing(n ? MISSING_PREVIOUS : MISSING_EMPTY);
	return value_bool(!value_equal(c[n - 2].x, c[n - 1].x));
}

const struct aggregate changed_aggregate = {
	.name = "changed",
	.summary = "Whether the newest value differs from the one before it.",
	.signature = "changed(x): bool",
	.takes_x = true,
	.kinds = SCALAR_KINDS,
	.result_kind = KIND_BOOL,
	.scan = scan,
};
