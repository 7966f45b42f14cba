/*
 * Aggregates that need all contributions at once, against computations that
 * take their time.
 */
#include "tocsin/aggregate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/number.h"
#include "base/type.h"
#include "base/util.h"

#define N 300

static struct value scan(const char *name, const struct contribution *c,
			 size_t n, struct value constant, struct value like) {
	struct arena arena = { 0 };
	struct value ret =
		aggregate_find(name)->scan(c, n, constant, like, &arena);

	arena_free(&arena);
	return ret;
}

static int64_t count_of(const char *name, const struct value *x, size_t n) {
	struct contribution c[N];
	struct value ret;

	for (size_t i = 0; i < n; i++)
		c[i] = (struct contribution){ .time = (int64_t)i, .x = x[i] };
	ret = scan(name, c, n, value_missing(MISSING_NONE), x[0]);
	assert_int_equal(ret.kind, KIND_INT);
	return ret.i;
}

static int64_t distinct_by_pairs(const struct value *x, size_t n) {
	int64_t distinct = 0;

	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		while (!value_equal(x[j], x[i]))
			j++;
		distinct += j == i;
	}
	return distinct;
}

static int64_t repeats_by_pairs(const struct value *x, size_t n) {
	int64_t most = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t times = 0;

		for (size_t j = 0; j < n; j++)
			times += value_equal(x[i], x[j]);
		most = times > most ? times : most;
	}
	return most;
}

static void counts_what_pairs_count(void **state) {
	static char texts[N][16];
	struct value x[N];

	(void)state;
	for (size_t n = 1; n <= N; n += 23) {
		for (size_t i = 0; i < n; i++) {
			int len = snprintf(texts[i], sizeof(texts[i]), "s%zu",
					   i * i % (n / 2 + 1));

			x[i] = value_string(texts[i], (uint32_t)len);
		}
		assert_int_equal(count_of("distinct", x, n),
				 distinct_by_pairs(x, n));
		assert_int_equal(count_of("max_repeat", x, n),
				 repeats_by_pairs(x, n));
	}
}

static void compares_strings_in_full(void **state) {
	const struct value x[] = {
		value_string("supplier", 8),   value_string("supplie", 7),
		value_string("supplier\0", 9), value_string("", 0),
		value_string("supplier", 8),
	};

	(void)state;
	assert_int_equal(count_of("distinct", x, 5), 4);
	assert_int_equal(count_of("max_repeat", x, 5), 2);
	assert_int_equal(count_of("streak", x, 5), 1);
}

static void takes_both_zeros_for_one_value(void **state) {
	const struct value x[] = { value_double(0.0), value_double(-0.0),
				   value_double((double)NAN),
				   value_double(-(double)NAN) };

	(void)state;
	assert_int_equal(count_of("distinct", x, 4), 2);
	assert_int_equal(count_of("max_repeat", x, 4), 2);
}

static void a_streak_counts_from_the_end(void **state) {
	const struct value x[] = { value_int(7), value_int(7), value_int(5),
				   value_int(7), value_int(7), value_int(7) };

	(void)state;
	assert_int_equal(count_of("streak", x, 1), 1);
	assert_int_equal(count_of("streak", x, 2), 2);
	assert_int_equal(count_of("streak", x, 3), 1);
	assert_int_equal(count_of("streak", x, 6), 3);
}

static void extremes_and_ends_of_strings_are_scanned(void **state) {
	struct contribution c[] = {
		{ .time = 1, .x = value_string("b", 1) },
		{ .time = 2, .x = value_string("a", 1) },
		{ .time = 3, .x = value_string("ab", 2) },
	};
	const struct value none = value_missing(MISSING_NONE);
	const struct value like = value_string("", 0);

	(void)state;
	assert_ptr_equal(scan("min", c, 3, none, like).s, c[1].x.s);
	assert_ptr_equal(scan("max", c, 3, none, like).s, c[0].x.s);
	assert_ptr_equal(scan("first", c, 3, none, like).s, c[0].x.s);
	assert_ptr_equal(scan("last", c, 3, none, like).s, c[2].x.s);
}

static struct value quantile(struct value p, size_t n, const int64_t *x,
			     struct value like) {
	struct contribution c[N] = { 0 };

	for (size_t i = 0; i < n; i++) {
		c[i].x = like;
		c[i].x.i = x[i];
	}
	return scan("quantile", c, n, p, like);
}

static void assert_quantile(double p, int64_t want, size_t n,
			    const int64_t *x) {
	struct value got = quantile(value_double(p), n, x, value_int(0));

	assert_int_equal(got.kind, KIND_INT);
	assert_int_equal(got.i, want);
}

static void a_quantile_lies_between_ranks(void **state) {
	static const int64_t ten[] = {
		100, 90, 80, 70, 60, 50, 40, 30, 20, 10
	};
	static const int64_t two[] = { INT64_MIN, INT64_MAX };
	static const int64_t pair[] = { 0, 10 };
	static const int64_t below[] = { -3, 0 };

	(void)state;
	assert_quantile(0.0, 10, 10, ten);
	assert_quantile(1.0, 100, 10, ten);
	assert_quantile(0.5, 55, 10, ten);
	assert_quantile(0.9, 91, 10, ten);
	assert_quantile(0.25, 32, 10, ten); /* 32.5 */
	assert_quantile(0.75, 78, 10, ten); /* 77.5 */
	assert_quantile(0.05, 0, 2, pair);  /* 0.5 */
	assert_quantile(0.15, 2, 2, pair);  /* 1.5 */
	assert_quantile(0.5, -2, 2, below); /* -1.5 */
	assert_quantile(0.5, 0, 2, two);    /* -0.5 */
	assert_quantile(1.5, 100, 10, ten);
	assert_quantile(-1.0, 10, 10, ten);
	assert_int_equal(quantile(value_int(1), 10, ten, value_int(0)).i, 100);
}

static void nine_tenths_mean_nine_tenths(void **state) {
	int64_t x[101];

	(void)state;
	for (int64_t i = 0; i <= 100; i++)
		x[i] = 3 * i;
	for (int64_t i = 0; i <= 100; i++)
		assert_quantile((double)i / 100.0, 3 * i, 101, x);
}

static void a_median_keeps_the_type_of_what_it_is_of(void **state) {
	struct contribution c[] = {
		{ .x = value_money(300, 3) },
		{ .x = value_money(101, 3) },
		{ .x = value_money(104, 3) },
		{ .x = value_money(900, 3) },
	};
	const struct value none = value_missing(MISSING_NONE);
	struct value got = scan("median", c, 3, none, c[0].x);

	(void)state;
	assert_int_equal(got.kind, KIND_MONEY);
	assert_int_equal(got.unit, 3);
	assert_int_equal(got.i, 104);
	assert_int_equal(scan("median", c, 2, none, c[0].x).i, 200);
	assert_int_equal(scan("median", c, 4, none, c[0].x).i, 202);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		c[i].x = value_double((double)i);
	assert_true(scan("median", c, 4, none, c[0].x).d == 1.5);
	assert_true(scan("quantile", c, 4, value_double(0.1), c[0].x).d == 0.3);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_pairs_count),
		cmocka_unit_test(compares_strings_in_full),
		cmocka_unit_test(takes_both_zeros_for_one_value),
		cmocka_unit_test(a_streak_counts_from_the_end),
		cmocka_unit_test(extremes_and_ends_of_strings_are_scanned),
		cmocka_unit_test(a_quantile_lies_between_ranks),
		cmocka_unit_test(nine_tenths_mean_nine_tenths),
		cmocka_unit_test(a_median_keeps_the_type_of_what_it_is_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
