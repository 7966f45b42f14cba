/*
 * measure: {mix: entropy(supplier)}: Shannon's entropy of the values, −Σ p·log2
 * p in bits (Shannon, 1948). 0 when all are the same, log2 n when n values are
 * equally frequent.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	struct tally tally;
	double bits = 0;

	(void)constant, (void)like;
	if (!n)
		return value_missing(MISSING_EMPTY);
	tally_count(&tally, c, n, arena);
	for (size_t i = 0; i < tally.n; i++) {
		double p = (double)tally.times[i] / (double)n;

		bits -= p * binary_log(p);
	}
	return value_double(bits);
}

const struct aggregate entropy_aggregate = {
	.name = "entropy",
	.summary = "How mixed the values are: their entropy in bits.",
	.signature = "entropy(x): double",
	.takes_x = true,
	.kinds = SCALAR_KINDS,
	.result_kind = KIND_DOUBLE,
	.scan = scan,
};
