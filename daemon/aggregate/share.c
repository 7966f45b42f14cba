/*
 * measure: {alone: share(bidders <= 1)}: count_if(condition) ÷ count().
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

struct share {
	uint64_t n;
	uint64_t satisfied;
};

static bool add(void *state, const struct contribution *c) {
	struct share *share = state;

	share->n++;
	share->satisfied += c->truth;
	return true;
}

static void retract(void *state, const struct contribution *c) {
	struct share *share = state;

	share->n--;
	share->satisfied -= c->truth;
}

static bool merge(void *into, const void *from, struct value like) {
	struct share *share = into;
	const struct share *more = from;

	(void)like;
	share->n += more->n;
	share->satisfied += more->satisfied;
	return true;
}

static struct value result(const void *state, struct value constant,
			   struct value like) {
	const struct share *share = state;

	(void)constant, (void)like;
	if (!share->n)
		return value_missing(MISSING_EMPTY);
	return value_double((double)share->satisfied / (double)share->n);
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	(void)arena;
	return scan_by_folding(&share_aggregate, c, n, constant, like);
}

const struct aggregate share_aggregate = {
	.name = "share",
	.summary = "The share of events that satisfy the condition, 0 to 1.",
	.signature = "share(condition: bool): double",
	.takes_condition = true,
	.result_kind = KIND_DOUBLE,
	.folds = UINT32_MAX,
	.retracts = UINT32_MAX,
	.state_size = sizeof(struct share),
	.add = add,
	.retract = retract,
	.merge = merge,
	.result = result,
	.scan = scan,
};
