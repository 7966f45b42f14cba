/*
 * Parts: what several aggregates are made of.
 *
 * Integers (int, money, duration) are summed exactly, so their sums do not
 * depend on the order and can be taken back. Doubles are summed in the order
 * in which they come and never taken back: 1e300 + 1 - 1e300 is 0.
 */
#pragma once

#include "base/number.h"
#include "tocsin/aggregate.h"

#define BIT(kind) (1u << (kind))
/* Kinds that are counted in whole units, exactly. */
#define EXACT_KINDS (BIT(KIND_INT) | BIT(KIND_MONEY) | BIT(KIND_DURATION))
#define NUMBER_KINDS (EXACT_KINDS | BIT(KIND_DOUBLE))
/* Kinds that have an order and a fixed size. */
#define FIXED_KINDS                                                            \
	(NUMBER_KINDS | BIT(KIND_BOOL) | BIT(KIND_DATE) | BIT(KIND_TIMESTAMP))
#define SCALAR_KINDS (FIXED_KINDS | BIT(KIND_STRING))

/* An i128 in a state that is aligned to 8 bytes. */
struct wide {
	uint64_t lo;
	uint64_t hi;
};

static inline i128 wide_get(struct wide wide) {
	return (i128)((u128)wide.hi << 64 | wide.lo);
}

static inline struct wide wide_of(i128 n) {
	return (struct wide){ .lo = (uint64_t)(u128)n,
			      .hi = (uint64_t)((u128)n >> 64) };
}

/* A sum of x's kind. False: it would leave its range. */
union sum {
	int64_t exact;
	double inexact;
};

bool sum_add(union sum *sum, struct value x);
void sum_retract(union sum *sum, struct value x);
bool sum_merge(union sum *into, const union sum *from, struct value like);
struct value sum_value(const union sum *sum, struct value like);

/* n and the sum of all x: what a mean is made of. */
struct total {
	uint64_t n;
	union {
		struct wide exact;
		double inexact;
	};
};

bool total_add(struct total *total, struct value x);
void total_retract(struct total *total, struct value x);
bool total_merge(struct total *into, const struct total *from,
		 struct value like);

/*
 * n, the sum of all x and of all x²: what a variance is made of. Doubles keep
 * mean and sum of squared distances instead (Welford; joined as by Chan,
 * Golub and LeVeque, 1979), because x² cancels.
 */
struct moments {
	uint64_t n;
	union {
		struct {
			struct wide sum;
			struct wide squares; /* unsigned */
		} exact;
		struct {
			double mean;
			double distances;
		} inexact;
	};
};

bool moments_add(struct moments *moments, struct value x);
void moments_retract(struct moments *moments, struct value x);
bool moments_merge(struct moments *into, const struct moments *from,
		   struct value like);
/*
 * Variance of the sample; false below two. Of exact kinds the double nearest
 * to (n·Σx² − (Σx)²) / (n·(n−1)·@scale²).
 */
bool moments_variance(const struct moments *moments, struct value like,
		      int64_t scale, double *ret);

/* How many minor units a major one has; 1 but for money. */
int64_t major_units(struct value like);
/* A value of @like's kind and unit. */
struct value value_like(struct value like, int64_t i);
/* A double, or missing if it left its range. */
struct value value_finite(double d);

/* One remembered value and where it stood. */
struct standing {
	int64_t time;
	uint64_t coordinates;
	union {
		int64_t i;
		double d;
	};
	uint64_t n; /* 0: none yet */
};

struct standing standing_of(const struct contribution *c);
struct value standing_value(const struct standing *standing, struct value like);
/* Negative, zero, positive: as (time, coordinates) of both stand. */
int standing_order(const struct standing *a, const struct standing *b);

/* scan() of an aggregate that folds: all of @c into one state. */
struct value scan_by_folding(const struct aggregate *aggregate,
			     const struct contribution *c, size_t n,
			     struct value constant, struct value like);

/*
 * How often each different value occurs, in the order of its first occurrence.
 * Strings are compared in full; 0.0 and -0.0 are one value.
 */
struct tally {
	struct value *values;
	size_t *times;
	size_t *which; /* per contribution: its value */
	size_t n;
};
void tally_count(struct tally *ret, const struct contribution *c, size_t n,
		 struct arena *arena);

/*
 * What share of the weight each different value has, or of the events if they
 * have no weight. A value whose weights add up to nothing or less (all of it
 * was given back) has no share. False: there is none, for @reason.
 */
struct shares {
	double *items;
	size_t n;
	enum missing reason;
};
bool shares_count(struct shares *ret, const struct contribution *c, size_t n,
		  struct arena *arena);

/* The logarithm to base 2 of a positive @x, the same on every machine. */
double binary_log(double x);

/* From the least to the greatest. */
struct value *values_sorted(const struct contribution *c, size_t n,
			    struct arena *arena);

/*
 * Hyndman-Fan type 7: between the ranks around (n − 1)·p, linearly; p in parts
 * of @of. Exact kinds are rounded half to even. Missing over nothing.
 */
struct value quantile_of(const struct contribution *c, size_t n, int64_t part,
			 int64_t of, struct value like, struct arena *arena);
