/*
 * Sample: what sorted values say of the middle and the spread.
 *
 * Nothing is copied: the k-th value is asked for by number, be it of past
 * periods in an array or of a cohort without one group, and each statistic
 * asks for as few as it can.
 */
#include "engine/internal.h"

#include <math.h>

/* A double's bits in the order of doubles; both zeros are one. */
int64_t sample_key(struct value v) {
	int64_t bits;

	if (v.kind != KIND_DOUBLE)
		return v.i;
	if (v.d == 0)
		return 0;
	memcpy(&bits, &v.d, sizeof(bits));
	return bits < 0 ? INT64_MIN - bits : bits;
}

static struct value value_of_key(struct value like, int64_t key) {
	int64_t bits = key < 0 ? INT64_MIN - key : key;

	if (like.kind == KIND_DOUBLE)
		memcpy(&like.d, &bits, sizeof(bits));
	else
		like.i = key;
	return like;
}

/*
 * The k-th of what is in @all and not in @without. As that is a part of the
 * whole, it lies at k there, or as much higher as has been taken away.
 */
static int64_t difference_at(const struct sample *sample, uint32_t k) {
	uint32_t low = k, high = k + sample->without->n, mid, upto;
	int64_t key;

	while (low < high) {
		mid = low + (high - low) / 2;
		key = ranks_at(sample->all, sample->pages, mid, &upto);
		if (upto - ranks_upto(sample->without, sample->pages, key) > k)
			high = mid;
		else
			low = mid + 1;
	}
	return ranks_at(sample->all, sample->pages, low, &upto);
}

struct value sample_at(const struct sample *sample, size_t k) {
	uint32_t upto;
	int64_t key;

	if (sample->sorted)
		return sample->sorted[k];
	if (sample->without)
		key = difference_at(sample, (uint32_t)k);
	else
		key = ranks_at(sample->all, sample->pages, (uint32_t)k, &upto);
	return value_of_key(sample->like, key);
}

/* How often the value after @k others is there. */
static size_t times_at(const struct sample *sample, size_t k) {
	int64_t key = sample_key(sample_at(sample, k));
	uint32_t upto = ranks_upto(sample->all, sample->pages, key);

	if (sample->without)
		upto -= ranks_upto(sample->without, sample->pages, key);
	return upto - k;
}

static double money_scale(struct value v) {
	double scale = 1;
	unsigned digits;

	if (v.kind != KIND_MONEY)
		return 1;
	for (digits = currency_digits(v.unit); digits; digits--)
		scale *= 10;
	return scale;
}

/* --- quantiles, Hyndman-Fan type 7 --- */

/* Where (n − 1)·part/of lies: between which values, and how far. */
struct between {
	struct value low, high;
	int64_t rest; /* of @of */
};

static struct between between(const struct sample *sample, int64_t part,
			      int64_t of) {
	i128 rank = (i128)(sample->n - 1) * part;
	struct between ret = { .rest = (int64_t)(rank % of) };
	size_t k = (size_t)(rank / of);

	ret.low = ret.high = sample_at(sample, k);
	if (ret.rest)
		ret.high = sample_at(sample, k + 1);
	return ret;
}

static double inexact_between(const struct between *b, int64_t of) {
	double rest = (double)b->rest / (double)of;

	return b->low.d + (b->high.d - b->low.d) * rest;
}

/* Over one denominator, so that a half is seen from zero. */
static i128 exact_between(const struct between *b, int64_t of) {
	return (i128)b->low.i * of + ((i128)b->high.i - b->low.i) * b->rest;
}

struct value sample_quantile(const struct sample *sample, int64_t part,
			     int64_t of) {
	struct between b = between(sample, part, of);
	double d;

	if (sample->like.kind == KIND_DOUBLE) {
		d = inexact_between(&b, of);
		return isfinite(d) ? value_double(d)
				   : value_missing(MISSING_OVERFLOW);
	}
	b.low.i = (int64_t)i128_divide_even(exact_between(&b, of), of);
	return b.low;
}

/* In major units and not rounded before a bound is. */
void sample_quartiles(const struct sample *sample, struct value *q1,
		      struct value *q3, struct value *spread) {
	struct between low = between(sample, 1, 4);
	struct between high = between(sample, 3, 4);
	double scale = 4 * money_scale(sample->like), a, b;

	if (sample->like.kind == KIND_DOUBLE) {
		a = inexact_between(&low, 4);
		b = inexact_between(&high, 4);
		*spread = value_double(b - a);
	} else {
		a = i128_to_double(exact_between(&low, 4)) / scale;
		b = i128_to_double(exact_between(&high, 4)) / scale;
		*spread = value_double(i128_to_double(exact_between(&high, 4) -
						      exact_between(&low, 4)) /
				       scale);
	}
	*q1 = value_double(a);
	*q3 = value_double(b);
}

/* --- median absolute deviation --- */

/*
 * The values below the middle are ever further from it leftwards, those above
 * it rightwards. So the h + 1 least deviations are i from the left and the
 * others from the right, and i is found by halving: no deviation is computed
 * that the search does not look at.
 *
 *   3 2 1 0 | 0 1 2 3 4      numbers from the middle out
 *       ◄─i─►◄─h+1−i─►
 *
 * With integers all is done on doubled values, for the middle may be a half.
 */
struct spread {
	const struct sample *sample;
	size_t left, right; /* how many on either side */
	i128 twice;         /* the middle, doubled */
	double middle;
};

union deviation {
	i128 exact;
	double inexact;
};

static union deviation from_middle(const struct spread *s, size_t k) {
	struct value v = sample_at(s->sample, k);
	union deviation ret;

	if (v.kind == KIND_DOUBLE) {
		ret.inexact = fabs(v.d - s->middle);
		return ret;
	}
	ret.exact = (i128)v.i * 2 - s->twice;
	if (ret.exact < 0)
		ret.exact = -ret.exact;
	return ret;
}

static union deviation leftwards(const struct spread *s, size_t j) {
	return from_middle(s, s->left - 1 - j);
}

static union deviation rightwards(const struct spread *s, size_t j) {
	return from_middle(s, s->left + j);
}

static bool is_less(const struct spread *s, union deviation a,
		    union deviation b) {
	return s->sample->like.kind == KIND_DOUBLE ? a.inexact < b.inexact
						   : a.exact < b.exact;
}

/* Whether @i from the left are enough. */
static bool is_enough(const struct spread *s, size_t h, size_t i) {
	if (i == s->left || i > h)
		return true;
	return !is_less(s, leftwards(s, i), rightwards(s, h - i));
}

/*
 * The least number that is enough. Where it was the last time is where it
 * will be, or near: looked for from there, ever further away, then by halves.
 */
static size_t enough(const struct spread *s, size_t h, uint32_t *hint) {
	size_t low = h + 1 > s->right ? h + 1 - s->right : 0;
	size_t high = h + 1 < s->left ? h + 1 : s->left;
	size_t at = *hint, step = 1;

	at = at < low ? low : at > high ? high : at;
	if (is_enough(s, h, at)) {
		high = at;
		while (high - low > step && is_enough(s, h, high - step)) {
			high -= step;
			step *= 2;
		}
		if (high - low > step)
			low = high - step + 1;
	} else {
		low = at + 1;
		while (high - low > step && !is_enough(s, h, low + step - 1)) {
			low += step;
			step *= 2;
		}
		if (high - low > step)
			high = low + step - 1;
	}
	while (low < high) {
		at = low + (high - low) / 2;
		if (is_enough(s, h, at))
			high = at;
		else
			low = at + 1;
	}
	*hint = (uint32_t)low;
	return low;
}

/* The greatest of the h + 1 least. */
static union deviation last_of(const struct spread *s, size_t h, size_t i) {
	union deviation left, right;

	if (i > h)
		return leftwards(s, i - 1);
	right = rightwards(s, h - i);
	if (!i)
		return right;
	left = leftwards(s, i - 1);
	return is_less(s, left, right) ? right : left;
}

/* The least of all others. */
static union deviation next_of(const struct spread *s, size_t h, size_t i) {
	union deviation left, right;

	if (i == s->left)
		return rightwards(s, h + 1 - i);
	left = leftwards(s, i);
	if (h + 1 - i == s->right)
		return left;
	right = rightwards(s, h + 1 - i);
	return is_less(s, left, right) ? left : right;
}

struct value sample_mad(const struct sample *sample) {
	size_t n = sample->n, h = (n - 1) / 2, i;
	struct value a = sample_at(sample, h), b = a;
	struct spread s = { sample, n - n / 2, n / 2, 0, 0 };
	union deviation low, high;
	uint32_t none = (uint32_t)(h / 2);

	if (n % 2 == 0)
		b = sample_at(sample, n / 2);
	if (a.kind == KIND_DOUBLE)
		s.middle = (a.d + b.d) / 2;
	else
		s.twice = (i128)a.i + b.i;
	i = enough(&s, h, sample->hint ? sample->hint : &none);
	low = high = last_of(&s, h, i);
	if (n % 2 == 0)
		high = next_of(&s, h, i);
	if (a.kind == KIND_DOUBLE)
		return value_double(1.4826 *
				    ((low.inexact + high.inexact) / 2));
	return value_double(1.4826 * (i128_to_double(low.exact + high.exact) /
				      (4 * money_scale(a))));
}

/* --- mean and deviation --- */

/*
 * Of doubles in the order of their size, so that it does not matter in which
 * they came; of all else by sums, see peers.c.
 */
void sample_moments(const struct sample *sample, double *mean,
		    double *deviation) {
	double sum = 0, squares = 0, n = (double)sample->n, d;
	size_t k, times;

	for (k = 0; k < sample->n; k += times) {
		times = times_at(sample, k);
		sum += sample_at(sample, k).d * (double)times;
	}
	*mean = sum / n;
	for (k = 0; k < sample->n; k += times) {
		times = times_at(sample, k);
		d = sample_at(sample, k).d - *mean;
		squares += d * d * (double)times;
	}
	*deviation = sqrt(squares / (n - 1));
}
