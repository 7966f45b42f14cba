/*
 * Sample: what sorted values say of the middle and the spread.
 *
 * Nothing is copied: the k-th value is asked for by number, be it of past
 * periods in an array or of a cohort without one group, and each statistic
 * asks for as few as it can.
 */
#include "engine/internal.h"

#include "aggregate/parts.h"

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

/* --- spots --- */

/*
 * A spot in a sample. What is asked for next is mostly a step or two away.
 *
 * Of a cohort without one group it is a spot in each: in the group that of
 * the first value that is not below. As the group is a part of the whole, the
 * k-th of what remains stands at k of the whole, or as much higher as the
 * group has below it.
 */
struct spot {
	const struct sample *sample;
	bool is_set;
	struct ranks_walk all, without;
	/* Of what remains: how many are below the value, and at or below. */
	uint32_t below, upto;
};
#define STEPS 8u
#define GUESSES 4u

static const struct ranks *without_of(const struct sample *sample) {
	return sample->without && sample->without->n ? sample->without : NULL;
}

static void count(struct spot *p) {
	const struct ranks_walk *all = &p->all, *w = &p->without;

	p->below = all->below;
	p->upto = all->upto;
	if (!without_of(p->sample))
		return;
	p->below -= w->below;
	p->upto -= !w->is_behind && w->key == all->key ? w->upto : w->below;
}

static void jump(struct spot *p, uint32_t at) {
	const struct sample *sample = p->sample;

	p->is_set = true;
	ranks_walk_at(&p->all, sample->all, sample->pages, at);
	if (without_of(sample))
		ranks_walk_to(&p->without, sample->without, sample->pages,
			      p->all.key);
	count(p);
}

static void step_up(struct spot *p) {
	ranks_next(&p->all);
	if (without_of(p->sample) && !p->without.is_behind &&
	    p->without.key < p->all.key)
		ranks_next(&p->without);
	count(p);
}

static void step_down(struct spot *p) {
	ranks_prev(&p->all);
	if (without_of(p->sample) && ranks_prev(&p->without) &&
	    p->without.key < p->all.key)
		ranks_next(&p->without);
	count(p);
}

/* False: it is further away than a few steps. */
static bool walk_to(struct spot *p, uint32_t k) {
	unsigned steps;

	for (steps = 0; steps < STEPS; steps++) {
		if (k < p->below)
			step_down(p);
		else if (k >= p->upto)
			step_up(p);
		else
			return true;
	}
	return false;
}

/* Each look bounds it on one side. */
static void seek(struct spot *p, uint32_t k) {
	const struct sample *sample = p->sample;
	const struct ranks *without = without_of(sample);
	uint32_t n = without ? without->n : 0, low = k, high = k + n, looks;
	uint32_t at = k + (uint32_t)((uint64_t)n * k / sample->n);

	for (looks = 1;; looks++) {
		jump(p, at);
		if (walk_to(p, k))
			return;
		if (k < p->below)
			high = at = k + p->all.below - p->below;
		else
			low = at = k + p->all.upto - p->upto;
		if (looks >= GUESSES)
			at = low + (high - low) / 2;
	}
}

/* The value at @k of the sample. */
static struct value value_at(struct spot *p, size_t k) {
	if (p->sample->sorted)
		return p->sample->sorted[k];
	if (!p->is_set || !walk_to(p, (uint32_t)k))
		seek(p, (uint32_t)k);
	return value_of_key(p->sample->like, p->all.key);
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
	int64_t rest, parts;
};

static struct between between(const struct sample *sample, int64_t part,
			      int64_t of) {
	i128 rank = (i128)(sample->n - 1) * part;
	struct between ret = { .rest = (int64_t)(rank % of), .parts = of };
	struct spot p = { .sample = sample };
	size_t k = (size_t)(rank / of);

	ret.low = ret.high = value_at(&p, k);
	if (ret.rest)
		ret.high = value_at(&p, k + 1);
	return ret;
}

static double inexact_between(const struct between *b) {
	double rest = (double)b->rest / (double)b->parts;

	return b->low.d + (b->high.d - b->low.d) * rest;
}

/* Over one denominator, so that a half is seen from zero. */
static i128 exact_between(const struct between *b) {
	return (i128)b->low.i * b->parts +
	       ((i128)b->high.i - b->low.i) * b->rest;
}

static struct value value_between(const struct between *b) {
	struct value ret = b->low;

	if (ret.kind == KIND_DOUBLE)
		return value_finite(inexact_between(b));
	ret.i = (int64_t)i128_divide_even(exact_between(b), b->parts);
	return ret;
}

struct value sample_quantile(const struct sample *sample, int64_t part,
			     int64_t of) {
	struct between b = between(sample, part, of);

	return value_between(&b);
}

/* In major units and not rounded before a bound is. */
void sample_quartiles(const struct sample *sample, struct value *q1,
		      struct value *q3, struct value *spread) {
	struct between low = between(sample, 1, 4);
	struct between high = between(sample, 3, 4);
	double scale = 4 * money_scale(sample->like), a, b;

	if (sample->like.kind == KIND_DOUBLE) {
		a = inexact_between(&low);
		b = inexact_between(&high);
		*spread = value_finite(b - a);
	} else {
		a = i128_to_double(exact_between(&low)) / scale;
		b = i128_to_double(exact_between(&high)) / scale;
		*spread = value_double(i128_to_double(exact_between(&high) -
						      exact_between(&low)) /
				       scale);
	}
	*q1 = value_finite(a);
	*q3 = value_finite(b);
}

/* --- median absolute deviation --- */

/*
 * The values below the middle are ever further from it leftwards, those above
 * it rightwards. So the h + 1 least deviations are i from the left and the
 * others from the right, where no more than four of them say that i is right:
 *
 *   4 3 2 1 | 1 2 3 4 5      places from the middle out
 *     ◄─ i ─►◄ h+1−i ►       the last two taken are not above the next two
 *
 * With integers all is done on doubled values, for the middle may be a half.
 */
struct spread {
	const struct sample *sample;
	size_t left, right; /* how many on either side */
	i128 twice;         /* the middle, doubled */
	double middle;
	struct spot spot[2]; /* on either side */
};

union deviation {
	i128 exact;
	double inexact;
};

static union deviation from_middle(struct spread *s, int side, size_t k) {
	struct value v = value_at(&s->spot[side], k);
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

static bool is_above(const struct spread *s, union deviation a,
		     union deviation b) {
	return s->sample->like.kind == KIND_DOUBLE ? a.inexact > b.inexact
						   : a.exact > b.exact;
}

/* With @i of @taken from the left: the greatest taken, the least not. */
struct cut {
	bool has_last[2], has_next[2]; /* left, right */
	union deviation last[2], next[2];
};

static struct cut cut_at(struct spread *s, size_t taken, size_t i) {
	struct cut cut = { .has_last = { i > 0, taken > i },
			   .has_next = { i < s->left, taken - i < s->right } };
	size_t left = s->left - i, right = s->left + taken - i;

	if (cut.has_last[0])
		cut.last[0] = from_middle(s, 0, left);
	if (cut.has_next[0])
		cut.next[0] = from_middle(s, 0, left - 1);
	if (cut.has_last[1])
		cut.last[1] = from_middle(s, 1, right - 1);
	if (cut.has_next[1])
		cut.next[1] = from_middle(s, 1, right);
	return cut;
}

/* Too many were taken from @side: the last of it is above the other's next. */
static bool is_over(const struct spread *s, const struct cut *cut, int side) {
	return cut->has_last[side] && cut->has_next[!side] &&
	       is_above(s, cut->last[side], cut->next[!side]);
}

/*
 * Where it was the last time is where it will be, or near: looked for from
 * there, ever further away, then by halves.
 */
static struct cut cut_find(struct spread *s, size_t taken, uint32_t *hint) {
	size_t low = taken > s->right ? taken - s->right : 0;
	size_t high = taken < s->left ? taken : s->left;
	size_t at = *hint, step = 1;
	bool was[2] = { false, false }; /* over, on that side */
	struct cut cut;

	for (;; step *= 2) {
		at = at < low ? low : at > high ? high : at;
		cut = cut_at(s, taken, at);
		if (is_over(s, &cut, 0)) {
			was[0] = true;
			high = at - 1;
			at = high - low >= step ? high + 1 - step : low;
		} else if (is_over(s, &cut, 1)) {
			was[1] = true;
			low = at + 1;
			at = high - low >= step ? low - 1 + step : high;
		} else {
			*hint = (uint32_t)at;
			return cut;
		}
		if (was[0] && was[1])
			at = low + (high - low) / 2;
	}
}

static union deviation greatest(const struct spread *s, const struct cut *cut) {
	if (!cut->has_last[0] || !cut->has_last[1])
		return cut->last[!cut->has_last[0]];
	return cut->last[is_above(s, cut->last[1], cut->last[0])];
}

static union deviation least(const struct spread *s, const struct cut *cut) {
	if (!cut->has_next[0] || !cut->has_next[1])
		return cut->next[!cut->has_next[0]];
	return cut->next[is_above(s, cut->next[0], cut->next[1])];
}

struct value sample_mad(const struct sample *sample, struct value *mid) {
	size_t n = sample->n, taken = (n + 1) / 2;
	struct between b = between(sample, 1, 2);
	struct value v = b.low;
	struct spread s = { .sample = sample,
			    .left = taken,
			    .right = n / 2,
			    .spot = { { .sample = sample },
				      { .sample = sample } } };
	union deviation low, high;
	uint32_t none = (uint32_t)(taken / 2);
	struct cut cut;

	*mid = value_between(&b);
	if (v.kind == KIND_DOUBLE)
		s.middle = (v.d + b.high.d) / 2;
	else
		s.twice = (i128)v.i + b.high.i;
	cut = cut_find(&s, taken, sample->hint ? sample->hint : &none);
	low = high = greatest(&s, &cut);
	if (n % 2 == 0)
		high = least(&s, &cut);
	if (v.kind == KIND_DOUBLE)
		return value_finite(1.4826 *
				    ((low.inexact + high.inexact) / 2));
	return value_double(1.4826 * (i128_to_double(low.exact + high.exact) /
				      (4 * money_scale(v))));
}

/* --- mean and deviation --- */

/*
 * Of doubles in the order of their size, so that it does not matter in which
 * they came; of all else by sums, see peers.c.
 */
void sample_moments(const struct sample *sample, double *mean,
		    double *deviation) {
	double sum = 0, squares = 0, n = (double)sample->n, d;
	struct spot p = { .sample = sample };
	size_t k;

	for (k = 0; k < sample->n; k = p.upto) {
		d = value_at(&p, k).d;
		sum += d * (p.upto - p.below);
	}
	*mean = sum / n;
	p.is_set = false;
	for (k = 0; k < sample->n; k = p.upto) {
		d = value_at(&p, k).d - *mean;
		squares += d * d * (p.upto - p.below);
	}
	*deviation = sqrt(squares / (n - 1));
}
