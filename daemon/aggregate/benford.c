/*
 * measure: {b: "benford(amount, 1)"}: how far the leading digits are from
 * Benford's law, by which they are d with probability log10(1 + 1/d) (Benford,
 * 1938). d is of one or of two digits. Three results:
 * - b.n: how many values have digits at all; zeros have none;
 * - b.mad: the mean absolute deviation of the shares from the law; above 0.015
 *   the first digits do not conform (Nigrini, 2012);
 * - b.chi2: Pearson's Σ(observed − expected)² ÷ expected; with one digit, 8
 *   degrees of freedom, 15.51 is exceeded by chance one time in twenty.
 *
 * Only whole numbers and money: a double has the digits of its neighbour.
 * One counter per digit, so a quarter of payments needs no entries.
 */
#include "aggregate/list.h"
#include "aggregate/parts.h"

#define ONES 9  /* 1 to 9 */
#define TENS 90 /* 10 to 99 */
#define KINDS (BIT(KIND_INT) | BIT(KIND_MONEY))

struct ones {
	uint32_t of[ONES + 1]; /* the last is there for the size */
};
struct tens {
	uint32_t of[TENS];
};

/* The place of @x among numbers of @n digits; -1: it has no digits. */
static int place_of(int64_t x, unsigned n) {
	uint64_t u = x < 0 ? -(uint64_t)x : (uint64_t)x;
	uint64_t least = n == ONES ? 1 : 10;

	if (!u)
		return -1;
	while (u >= 10 * least)
		u /= 10;
	return (int)((u < least ? u * 10 : u) - least);
}

static bool count(uint32_t *of, unsigned n, const struct contribution *c,
		  uint32_t by) {
	int place = place_of(c->x.i, n);

	if (place >= 0)
		of[place] += by;
	return true;
}

static bool join(uint32_t *into, const uint32_t *from, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		into[i] += from[i];
	return true;
}

static bool add_ones(void *state, const struct contribution *c) {
	return count(((struct ones *)state)->of, ONES, c, 1);
}

static void retract_ones(void *state, const struct contribution *c) {
	count(((struct ones *)state)->of, ONES, c, UINT32_MAX);
}

static bool merge_ones(void *into, const void *from, struct value like) {
	(void)like;
	return join(((struct ones *)into)->of, ((const struct ones *)from)->of,
		    ONES);
}

static bool add_tens(void *state, const struct contribution *c) {
	return count(((struct tens *)state)->of, TENS, c, 1);
}

static void retract_tens(void *state, const struct contribution *c) {
	count(((struct tens *)state)->of, TENS, c, UINT32_MAX);
}

static bool merge_tens(void *into, const void *from, struct value like) {
	(void)like;
	return join(((struct tens *)into)->of, ((const struct tens *)from)->of,
		    TENS);
}

/* What the counters come to. */
struct finding {
	uint64_t n;
	double mad, chi2;
};

static struct finding find(const uint32_t *of, unsigned n) {
	double first = n == ONES ? 1 : 10;
	struct finding ret = { 0 };

	for (unsigned i = 0; i < n; i++)
		ret.n += of[i];
	for (unsigned i = 0; ret.n && i < n; i++) {
		double law = binary_log(1 + 1 / (first + i)) / binary_log(10);
		double share = (double)of[i] / (double)ret.n;
		double off = share > law ? share - law : law - share;

		ret.mad += off / n;
		ret.chi2 += (double)ret.n * off * off / law;
	}
	return ret;
}

static struct finding find_in(const void *state, struct value constant) {
	if (constant.i == 2)
		return find(((const struct tens *)state)->of, TENS);
	return find(((const struct ones *)state)->of, ONES);
}

static struct value result_n(const void *state, struct value constant,
			     struct value like) {
	(void)like;
	return value_int((int64_t)find_in(state, constant).n);
}

static struct value result_mad(const void *state, struct value constant,
			       struct value like) {
	struct finding found = find_in(state, constant);

	(void)like;
	return found.n ? value_double(found.mad) : value_missing(MISSING_EMPTY);
}

static struct value result_chi2(const void *state, struct value constant,
				struct value like) {
	struct finding found = find_in(state, constant);

	(void)like;
	return found.n ? value_double(found.chi2)
		       : value_missing(MISSING_EMPTY);
}

#define MEMBER(member, kind, empty, digits)                                    \
	{                                                                      \
		.name = #member, .takes_x = true, .takes_constant = true,      \
		.kinds = KINDS, .zero_when_empty = (empty),                    \
		.result_kind = (kind), .folds = KINDS, .retracts = KINDS,      \
		.state_size = sizeof(struct digits), .add = add_##digits,      \
		.retract = retract_##digits, .merge = merge_##digits,          \
		.result = result_##member,                                     \
	}

static const struct aggregate one_digit[] = {
	MEMBER(chi2, KIND_DOUBLE, false, ones),
	MEMBER(mad, KIND_DOUBLE, false, ones),
	MEMBER(n, KIND_INT, true, ones),
	{ 0 },
};
static const struct aggregate two_digits[] = {
	MEMBER(chi2, KIND_DOUBLE, false, tens),
	MEMBER(mad, KIND_DOUBLE, false, tens),
	MEMBER(n, KIND_INT, true, tens),
	{ 0 },
};

static const struct aggregate *members(struct value constant) {
	return constant.i == 2 ? two_digits : one_digit;
}

const struct aggregate benford_aggregate = {
	.name = "benford",
	.summary = "How far leading digits are from Benford's law: .n values, "
		   "mean absolute deviation .mad, Pearson's .chi2.",
	.signature = "benford(x: int|money, digits: 1 or 2): .chi2 .mad .n",
	.takes_x = true,
	.takes_constant = true,
	.constant = { .whole = true, .least = 1, .most = 2 },
	.kinds = KINDS,
	.members = members,
};
