#include "aggregate/parts.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/type.h"

static bool is_exact(struct value x) {
	return EXACT_KINDS & BIT(x.kind);
}

static bool add_exact(int64_t *sum, int64_t x) {
	int64_t more;

	if (__builtin_add_overflow(*sum, x, &more))
		return false;
	*sum = more;
	return true;
}

static bool add_inexact(double *sum, double x) {
	double more = *sum + x;

	if (!isfinite(more))
		return false;
	*sum = more;
	return true;
}

bool sum_add(union sum *sum, struct value x) {
	if (is_exact(x))
		return add_exact(&sum->exact, x.i);
	return add_inexact(&sum->inexact, x.d);
}

/*
 * Modulo 2^64: taking a great negative out of a great sum may leave the range
 * and the next one out bring it back.
 */
void sum_retract(union sum *sum, struct value x) {
	assert(is_exact(x));
	sum->exact = (int64_t)((uint64_t)sum->exact - (uint64_t)x.i);
}

bool sum_merge(union sum *into, const union sum *from, struct value like) {
	if (is_exact(like))
		return add_exact(&into->exact, from->exact);
	return add_inexact(&into->inexact, from->inexact);
}

struct value sum_value(const union sum *sum, struct value like) {
	return is_exact(like) ? value_like(like, sum->exact)
			      : value_double(sum->inexact);
}

bool total_add(struct total *total, struct value x) {
	double sum;

	if (is_exact(x)) {
		/* 2^64 terms of 2^63 stay below 2^127. */
		total->exact = wide_of(wide_get(total->exact) + x.i);
		total->n++;
		return true;
	}
	sum = total->inexact + x.d;
	if (!isfinite(sum))
		return false;
	total->inexact = sum;
	total->n++;
	return true;
}

void total_retract(struct total *total, struct value x) {
	assert(is_exact(x) && total->n);
	total->exact = wide_of(wide_get(total->exact) - x.i);
	total->n--;
}

bool total_merge(struct total *into, const struct total *from,
		 struct value like) {
	double sum;

	if (is_exact(like)) {
		into->exact =
			wide_of(wide_get(into->exact) + wide_get(from->exact));
		into->n += from->n;
		return true;
	}
	sum = into->inexact + from->inexact;
	if (!isfinite(sum))
		return false;
	into->inexact = sum;
	into->n += from->n;
	return true;
}

static u128 square(int64_t x) {
	u128 a = x < 0 ? -(u128)x : (u128)x;

	return a * a;
}

static bool moments_add_inexact(struct moments *moments, double x) {
	double n = (double)(moments->n + 1);
	double delta = x - moments->inexact.mean;
	double mean = moments->inexact.mean + delta / n;
	double distances = moments->inexact.distances + delta * (x - mean);

	if (!isfinite(mean) || !isfinite(distances))
		return false;
	moments->inexact.mean = mean;
	moments->inexact.distances = distances;
	moments->n++;
	return true;
}

bool moments_add(struct moments *moments, struct value x) {
	u128 squares;

	if (!is_exact(x))
		return moments_add_inexact(moments, x.d);
	if (__builtin_add_overflow((u128)wide_get(moments->exact.squares),
				   square(x.i), &squares))
		return false;
	moments->exact.squares = wide_of((i128)squares);
	moments->exact.sum = wide_of(wide_get(moments->exact.sum) + x.i);
	moments->n++;
	return true;
}

void moments_retract(struct moments *moments, struct value x) {
	u128 squares = (u128)wide_get(moments->exact.squares);

	assert(is_exact(x) && moments->n);
	moments->exact.squares = wide_of((i128)(squares - square(x.i)));
	moments->exact.sum = wide_of(wide_get(moments->exact.sum) - x.i);
	moments->n--;
}

static bool moments_merge_inexact(struct moments *into,
				  const struct moments *from) {
	double a = (double)into->n;
	double b = (double)from->n;
	double delta = from->inexact.mean - into->inexact.mean;
	double mean = into->inexact.mean + delta * (b / (a + b));
	double distances = into->inexact.distances + from->inexact.distances +
			   delta * delta * (a * (b / (a + b)));

	if (!isfinite(mean) || !isfinite(distances))
		return false;
	into->inexact.mean = mean;
	into->inexact.distances = distances;
	into->n += from->n;
	return true;
}

bool moments_merge(struct moments *into, const struct moments *from,
		   struct value like) {
	u128 squares;

	if (!from->n)
		return true;
	if (!into->n) {
		*into = *from;
		return true;
	}
	if (!is_exact(like))
		return moments_merge_inexact(into, from);
	if (__builtin_add_overflow((u128)wide_get(into->exact.squares),
				   (u128)wide_get(from->exact.squares),
				   &squares))
		return false;
	into->exact.squares = wide_of((i128)squares);
	into->exact.sum =
		wide_of(wide_get(into->exact.sum) + wide_get(from->exact.sum));
	into->n += from->n;
	return true;
}

/* 256 bits, for n·Σx² and (Σx)². */
struct u256 {
	u128 hi, lo;
};

static struct u256 multiply(u128 a, u128 b) {
	u128 a0 = (uint64_t)a, a1 = a >> 64;
	u128 b0 = (uint64_t)b, b1 = b >> 64;
	u128 low = a0 * b0;
	u128 one = a1 * b0 + (low >> 64);
	u128 two = a0 * b1 + (uint64_t)one;

	return (struct u256){ .hi = a1 * b1 + (one >> 64) + (two >> 64),
			      .lo = two << 64 | (uint64_t)low };
}

static struct u256 subtract(struct u256 a, struct u256 b) {
	return (struct u256){ .hi = a.hi - b.hi - (a.lo < b.lo),
			      .lo = a.lo - b.lo };
}

/*
 * The nearest double to a / b. What does not fit 127 bits is shifted until it
 * does, its lowest bit standing for all that fell off, so that a tie is not
 * taken for one when it is not.
 */
static double ratio(struct u256 a, i128 b) {
	int shift = 0;

	while (a.hi || a.lo >> 127) {
		bool lost = a.lo & 1;

		a.lo = a.lo >> 1 | a.hi << 127 | lost;
		a.hi >>= 1;
		shift++;
	}
	return ldexp(i128_ratio((i128)a.lo, b), shift);
}

bool moments_variance(const struct moments *moments, struct value like,
		      int64_t scale, double *ret) {
	i128 n = (i128)moments->n;
	i128 sum = wide_get(moments->exact.sum);
	u128 magnitude = sum < 0 ? -(u128)sum : (u128)sum;
	struct u256 spread;

	if (n < 2)
		return false;
	if (!is_exact(like)) {
		*ret = moments->inexact.distances / (double)(n - 1);
		return true;
	}
	spread = subtract(
		multiply((u128)n, (u128)wide_get(moments->exact.squares)),
		multiply(magnitude, magnitude));
	*ret = ratio(spread, n * (n - 1) * scale * scale);
	return true;
}

int64_t major_units(struct value like) {
	int64_t units = 1;

	if (like.kind != KIND_MONEY)
		return 1;
	for (unsigned i = currency_digits(like.unit); i; i--)
		units *= 10;
	return units;
}

struct value value_like(struct value like, int64_t i) {
	return (struct value){ .kind = like.kind, .unit = like.unit, .i = i };
}

struct value value_finite(double d) {
	return isfinite(d) ? value_double(d) : value_missing(MISSING_OVERFLOW);
}

struct standing standing_of(const struct contribution *c) {
	return (struct standing){ .time = c->time,
				  .coordinates = c->coordinates,
				  .i = c->x.i,
				  .n = 1 };
}

struct value standing_value(const struct standing *standing,
			    struct value like) {
	return standing->n ? value_like(like, standing->i)
			   : value_missing(MISSING_EMPTY);
}

int standing_order(const struct standing *a, const struct standing *b) {
	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return (a->coordinates > b->coordinates) -
	       (a->coordinates < b->coordinates);
}

#define STATE_MAX_BYTES 64

struct value scan_by_folding(const struct aggregate *aggregate,
			     const struct contribution *c, size_t n,
			     struct value constant, struct value like) {
	uint64_t state[STATE_MAX_BYTES / 8] = { 0 };

	assert(aggregate->state_size <= sizeof(state));
	for (size_t i = 0; i < n; i++)
		aggregate->add(state, &c[i]);
	return aggregate->result(state, constant, like);
}

/* Equal values have equal hashes: both zeros, and every NaN, are one. */
static uint64_t hash_value(struct value x) {
	if (x.kind == KIND_STRING)
		return hash64(x.s, x.len, x.kind);
	if (x.kind == KIND_DOUBLE && isnan(x.d))
		x.d = (double)NAN;
	if (x.kind == KIND_DOUBLE && x.d == 0.0)
		x.d = 0.0;
	return hash64(&x.i, sizeof(x.i), x.kind);
}

void tally_count(struct tally *ret, const struct contribution *c, size_t n,
		 struct arena *arena) {
	struct tally tally = { 0 };
	size_t cap = 16;
	uint32_t *index;

	while (cap < 2 * n)
		cap *= 2;
	index = arena_array(arena, uint32_t, cap);
	tally.values = arena_array(arena, struct value, n);
	tally.times = arena_array(arena, size_t, n);
	tally.which = arena_array(arena, size_t, n);
	for (size_t i = 0; i < n; i++) {
		size_t slot = hash_value(c[i].x) & (cap - 1);

		while (index[slot] &&
		       !value_equal(tally.values[index[slot] - 1], c[i].x))
			slot = (slot + 1) & (cap - 1);
		if (!index[slot]) {
			tally.values[tally.n] = c[i].x;
			index[slot] = (uint32_t)++tally.n;
		}
		tally.which[i] = index[slot] - 1;
		tally.times[tally.which[i]]++;
	}
	*ret = tally;
}

/* Each in whole units, so that no share depends on the order. */
static bool shares_exact(struct shares *ret, const struct tally *tally,
			 const struct contribution *c, size_t n,
			 struct arena *arena) {
	i128 *sums = arena_array(arena, i128, tally->n);
	i128 total = 0;

	for (size_t i = 0; i < n; i++)
		sums[tally->which[i]] += c[i].weight.kind ? c[i].weight.i : 1;
	for (size_t i = 0; i < tally->n; i++)
		total += sums[i] > 0 ? sums[i] : 0;
	for (size_t i = 0; total && i < tally->n; i++)
		if (sums[i] > 0)
			ret->items[ret->n++] = i128_ratio(sums[i], total);
	ret->reason = MISSING_ZERO;
	return ret->n;
}

static bool shares_inexact(struct shares *ret, const struct tally *tally,
			   const struct contribution *c, size_t n,
			   struct arena *arena) {
	double *sums = arena_array(arena, double, tally->n);
	double total = 0;

	for (size_t i = 0; i < n; i++)
		sums[tally->which[i]] += c[i].weight.d;
	for (size_t i = 0; i < tally->n; i++)
		total += sums[i] > 0 ? sums[i] : 0;
	for (size_t i = 0; isfinite(total) && i < tally->n; i++)
		if (sums[i] > 0)
			ret->items[ret->n++] = sums[i] / total;
	ret->reason = isfinite(total) ? MISSING_ZERO : MISSING_OVERFLOW;
	return ret->n;
}

bool shares_count(struct shares *ret, const struct contribution *c, size_t n,
		  struct arena *arena) {
	struct tally tally;

	tally_count(&tally, c, n, arena);
	*ret = (struct shares){ .items = arena_array(arena, double, tally.n) };
	if (n && c[0].weight.kind == KIND_DOUBLE)
		return shares_inexact(ret, &tally, c, n, arena);
	return shares_exact(ret, &tally, c, n, arena);
}

#define ROOT_HALF 0.70710678118654752440
#define LN_2 0.69314718055994530942

/*
 * ln m = 2·artanh((m − 1) ÷ (m + 1)) with m within a factor √2 of 1, where
 * twelve terms of the series reach the last digit of a double.
 */
double binary_log(double x) {
	int exponent;
	double m = frexp(x, &exponent);
	double s, square, sum = 0;

	if (m < ROOT_HALF) {
		m *= 2;
		exponent--;
	}
	s = (m - 1) / (m + 1);
	square = s * s;
	for (int k = 23; k > 0; k -= 2)
		sum = sum * square + 1.0 / k;
	return exponent + 2 * s * sum / LN_2;
}

static int compare_values(const void *a, const void *b) {
	return value_compare(*(const struct value *)a,
			     *(const struct value *)b);
}

struct value *values_sorted(const struct contribution *c, size_t n,
			    struct arena *arena) {
	struct value *sorted = arena_array(arena, struct value, n);

	for (size_t i = 0; i < n; i++)
		sorted[i] = c[i].x;
	if (n)
		qsort(sorted, n, sizeof(*sorted), compare_values);
	return sorted;
}

struct value quantile_of(const struct contribution *c, size_t n, int64_t part,
			 int64_t of, struct value like, struct arena *arena) {
	struct value *sorted = values_sorted(c, n, arena);
	struct value low, high;
	i128 rank, rest;

	if (!n)
		return value_missing(MISSING_EMPTY);
	rank = (i128)(n - 1) * part;
	rest = rank % of;
	low = sorted[rank / of];
	high = rest ? sorted[rank / of + 1] : low;
	if (like.kind == KIND_DOUBLE)
		return value_finite(
			low.d + (high.d - low.d) * ((double)rest / (double)of));
	/* Over one denominator, so that the half is seen from zero. */
	return value_like(
		like,
		(int64_t)i128_divide_even(
			(i128)low.i * of + ((i128)high.i - low.i) * rest, of));
}
