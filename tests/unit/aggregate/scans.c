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
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/number.h"
#include "base/text.h"
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

/* Few different texts, so that they repeat; doubles that sum exactly. */
static void fill(struct contribution *c, size_t n) {
	static const char *const texts[] = { "a", "b", "ab", "", "c" };

	for (size_t i = 0; i < n; i++)
		c[i] = (struct contribution){
			.time = (int64_t)(i * i) * 3600000000,
			.coordinates = i,
			.x = value_string(
				texts[i * i % 7 % 5],
				(uint32_t)strlen(texts[i * i % 7 % 5])),
			.weight = value_money((int64_t)(i * 37 % 11) - 2, 3),
		};
}

static double naive_share(const struct contribution *c, size_t n, size_t i,
			  bool weighted) {
	int64_t mine = 0, all = 0;

	for (size_t j = 0; j < n; j++) {
		int64_t sum = 0;
		bool first = true;

		for (size_t k = 0; k < n; k++) {
			if (!value_equal(c[k].x, c[j].x))
				continue;
			first = first && k >= j;
			sum += weighted ? c[k].weight.i : 1;
		}
		if (first && sum > 0)
			all += sum;
		if (value_equal(c[j].x, c[i].x))
			mine = sum > 0 ? sum : 0;
	}
	return (double)mine / (double)all;
}

static bool is_first(const struct contribution *c, size_t i) {
	for (size_t j = 0; j < i; j++)
		if (value_equal(c[j].x, c[i].x))
			return false;
	return true;
}

static void assert_near(struct value got, double want) {
	assert_int_equal(got.kind, KIND_DOUBLE);
	assert_true(fabs(got.d - want) <= 1e-12 * (1 + fabs(want)));
}

static void shares_are_of_events_or_of_their_weight(void **state) {
	const struct value none = value_missing(MISSING_NONE);
	struct contribution c[N];

	(void)state;
	for (size_t n = 3; n <= 60; n += 3)
		for (int weighted = 0; weighted < 2; weighted++) {
			double hhi = 0, top = 0;

			fill(c, n);
			for (size_t i = 0; !weighted && i < n; i++)
				c[i].weight = none;
			for (size_t i = 0; i < n; i++) {
				double s = naive_share(c, n, i, weighted);

				hhi += is_first(c, i) ? s * s : 0;
				top = s > top ? s : top;
			}
			assert_near(scan("hhi", c, n, none, c[0].x), hhi);
			assert_near(scan("top_share", c, n, none, c[0].x), top);
		}
}

static void what_was_given_back_has_no_share(void **state) {
	const struct value none = value_missing(MISSING_NONE);
	struct contribution c[] = {
		{ .x = value_int(1), .weight = value_int(30) },
		{ .x = value_int(2), .weight = value_int(10) },
		{ .x = value_int(1), .weight = value_int(-30) },
		{ .x = value_int(3), .weight = value_int(-5) },
	};

	(void)state;
	assert_near(scan("hhi", c, 2, none, c[0].x), 0.625);
	assert_near(scan("hhi", c, 4, none, c[0].x), 1);
	assert_near(scan("top_share", c, 4, none, c[0].x), 1);
	c[1].weight = value_int(0);
	assert_int_equal(scan("hhi", c, 4, none, c[0].x).reason, MISSING_ZERO);
	for (size_t i = 0; i < 4; i++)
		c[i].weight = value_double(1e308);
	assert_int_equal(scan("top_share", c, 4, none, c[0].x).reason,
			 MISSING_OVERFLOW);
}

static void neighbours_are_compared_in_the_order_of_time(void **state) {
	const struct value none = value_missing(MISSING_NONE);
	struct contribution c[N];

	(void)state;
	fill(c, N);
	for (size_t n = 1; n <= N; n++) {
		int64_t changes = 0;

		for (size_t i = 1; i < n; i++)
			changes += !value_equal(c[i].x, c[i - 1].x);
		assert_int_equal(scan("transitions", c, n, none, c[0].x).i,
				 changes);
		assert_int_equal(scan("new", c, n, none, c[0].x).i,
				 is_first(c, n - 1));
		if (n > 1)
			assert_int_equal(scan("changed", c, n, none, c[0].x).i,
					 !value_equal(c[n - 1].x, c[n - 2].x));
	}
	assert_int_equal(scan("changed", c, 1, none, c[0].x).reason,
			 MISSING_PREVIOUS);
}

/* Texts of few letters, so that some are alike. */
static void make_texts(struct contribution *c, char (*texts)[40], size_t n) {
	static const char *const letters[] = { "付", "款", "a", "b", "é" };
	uint32_t seed = 7;

	for (size_t i = 0; i < n; i++) {
		texts[i][0] = '\0';
		seed = seed * 1664525u + 1013904223u;
		for (size_t k = (seed >> 20) % 13; k; k--) {
			seed = seed * 1664525u + 1013904223u;
			strcat(texts[i], letters[(seed >> 16) % 5]);
		}
		c[i] = (struct contribution){
			.time = (int64_t)i,
			.x = value_string(texts[i], (uint32_t)strlen(texts[i])),
		};
	}
}

static double similarity(struct value a, struct value b) {
	size_t x = utf8_length(a.s, a.len), y = utf8_length(b.s, b.len);
	size_t longer = x > y ? x : y;

	return longer ? (double)(longer - text_distance(a.s, a.len, b.s, b.len,
							longer)) /
				(double)longer
		      : 1;
}

/* S6.15: cutting off what cannot win changes nothing. */
static void the_most_similar_of_the_64_before_it_wins(void **state) {
	const struct value none = value_missing(MISSING_NONE);
	struct contribution c[N];
	char texts[N][40];

	(void)state;
	make_texts(c, texts, N);
	for (size_t n = 2; n <= N; n++) {
		double best = 0;

		for (size_t i = n < 65 ? 0 : n - 65; i + 1 < n; i++) {
			double s = similarity(c[i].x, c[n - 1].x);

			best = s > best ? s : best;
		}
		assert_true(scan("max_similar", c, n, none, c[0].x).d == best);
	}
	assert_int_equal(scan("max_similar", c, 1, none, c[0].x).reason,
			 MISSING_PREVIOUS);
}

/* S6.15 */
static void long_texts_are_left_out_and_end_the_search(void **state) {
	static char long_text[258], other[258];
	const struct value none = value_missing(MISSING_NONE);
	struct contribution c[20] = { 0 };
	struct value x = value_string(long_text, 257);
	struct value y = value_string(other, 256);

	(void)state;
	memset(long_text, 'a', 257);
	memset(other, 'b', 257);
	c[0].x = c[1].x = x;
	assert_int_equal(scan("max_similar", c, 2, none, x).reason,
			 MISSING_ERROR);
	c[1].x = y;
	assert_int_equal(scan("max_similar", c, 2, none, x).reason,
			 MISSING_ERROR);
	/* Two of 256 are 2^17 steps; the third is too far away. */
	x.len = 256;
	for (size_t i = 0; i < 20; i++)
		c[i].x = x;
	c[19].x = c[17].x = y;
	assert_true(scan("max_similar", c, 20, none, x).d == 1);
	c[17].x = x;
	c[16].x = y;
	assert_true(scan("max_similar", c, 20, none, x).d == 0);
}

static void the_kth_value_counts_from_the_oldest(void **state) {
	struct contribution c[] = { { .x = value_int(7) },
				    { .x = value_int(9) } };

	(void)state;
	assert_int_equal(scan("nth", c, 2, value_int(1), c[0].x).i, 7);
	assert_int_equal(scan("nth", c, 2, value_int(2), c[0].x).i, 9);
	assert_int_equal(scan("nth", c, 2, value_int(3), c[0].x).reason,
			 MISSING_EMPTY);
}

static void the_kth_lowest_counts_equal_ones_one_by_one(void **state) {
	const int64_t x[] = { 9, 4, 7, 4 };
	struct contribution c[ARRAY_SIZE(x)] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(x); i++)
		c[i].x = value_money(x[i], 3);
	assert_int_equal(scan("lowest", c, 4, value_int(1), c[0].x).i, 4);
	assert_int_equal(scan("lowest", c, 4, value_int(2), c[0].x).i, 4);
	assert_int_equal(scan("lowest", c, 4, value_int(3), c[0].x).i, 7);
	assert_int_equal(scan("lowest", c, 4, value_int(4), c[0].x).i, 9);
	assert_int_equal(scan("lowest", c, 4, value_int(4), c[0].x).unit, 3);
	assert_int_equal(scan("lowest", c, 4, value_int(5), c[0].x).reason,
			 MISSING_EMPTY);
}

static struct value gap_cv(const double *x, size_t n) {
	struct contribution c[8] = { 0 };

	for (size_t i = 0; i < n; i++)
		c[i].x = value_double(x[i]);
	return scan("gap_cv", c, n, value_missing(MISSING_NONE), c[0].x);
}

static void a_ladder_has_equal_steps(void **state) {
	const double ladder[] = { 3, 1, 4, 2 }, uneven[] = { 8, 1, 2, 5 };
	const double equal[] = { 5, 5, 5 };
	const struct contribution far[] = { { .x = value_int(INT64_MIN) },
					    { .x = value_int(0) },
					    { .x = value_int(INT64_MAX) } };
	const struct value none = value_missing(MISSING_NONE);

	(void)state;
	assert_true(gap_cv(ladder, 4).d == 0.0);
	assert_int_equal(gap_cv(ladder, 2).reason, MISSING_EMPTY);
	assert_int_equal(gap_cv(equal, 3).reason, MISSING_ZERO);
	/* Steps of 1, 3 and 3: the sample's deviation is the root of 4/3. */
	assert_near(gap_cv(uneven, 4), sqrt(4.0 / 3.0) / (7.0 / 3.0));
	assert_int_equal(scan("gap_cv", far, 3, none, far[0].x).reason,
			 MISSING_OVERFLOW);
}

static void entropy_is_what_the_library_finds(void **state) {
	const struct value none = value_missing(MISSING_NONE);
	struct contribution c[N];

	(void)state;
	fill(c, N);
	for (size_t n = 1; n <= N; n += 7) {
		double bits = 0;

		for (size_t i = 0; i < n; i++) {
			double p = 0;

			for (size_t j = 0; j < n; j++)
				p += value_equal(c[i].x, c[j].x);
			bits -= log2(p / (double)n) / (double)n;
		}
		assert_near(scan("entropy", c, n, none, c[0].x), bits);
	}
	for (size_t i = 0; i < 64; i++)
		c[i].x = value_int((int64_t)i);
	assert_true(scan("entropy", c, 64, none, c[0].x).d == 6.0);
	assert_true(scan("entropy", c, 1, none, c[0].x).d == 0.0);
}

static void a_slope_is_a_day_s_rise(void **state) {
	const struct value none = value_missing(MISSING_NONE);
	const uint16_t cny = (uint16_t)currency_find("CNY", 3);
	struct contribution c[N];
	long double t = 0, x = 0, tt = 0, tx = 0, n = 50;

	(void)state;
	fill(c, 50);
	for (size_t i = 0; i < 50; i++) {
		long double day = (long double)c[i].time / 86400e6L;
		int64_t fen = (int64_t)(i * 7919 % 1000);

		c[i].x = value_money(fen, cny);
		t += day;
		x += (long double)fen / 100;
		tt += day * day;
		tx += day * (long double)fen / 100;
	}
	assert_near(scan("slope", c, 50, none, c[0].x),
		    (double)((n * tx - t * x) / (n * tt - t * t)));
	c[1].time = c[0].time;
	assert_int_equal(scan("slope", c, 2, none, c[0].x).reason,
			 MISSING_EMPTY);
	c[1].time += INT64_C(43200000000);
	c[0].x = value_double(1);
	c[1].x = value_double(1.5);
	assert_true(scan("slope", c, 2, none, c[0].x).d == 1.0);
}

/* By the digits as they are written. */
static int written(int64_t x, int digits) {
	char text[32];

	snprintf(text, sizeof(text), "%.*e", 18, (double)llabs(x));
	return digits == 1 ? text[0] - '0'
			   : (text[0] - '0') * 10 + text[2] - '0';
}

static void digits_are_held_against_the_law(void **state) {
	const struct aggregate *member, *benford = aggregate_find("benford");

	(void)state;
	for (int d = 1; d <= 2; d++) {
		int least = d == 1 ? 1 : 10, n = 0, times[100] = { 0 };
		double mad = 0, chi2 = 0;
		uint64_t kept[64] = { 0 }, part[64] = { 0 };

		member = benford->members(value_int(d));
		for (int64_t i = -200; i < 700; i++) {
			struct contribution c = { .x = value_int(i * i * i) };

			member->add(i % 2 ? kept : part, &c);
			n += i != 0;
			times[i ? written(c.x.i, d) : 0]++;
		}
		member->merge(kept, part, value_int(0));
		for (int64_t i = 1; i < 50; i++) {
			struct contribution c = { .x = value_int(i) };

			member->add(kept, &c);
			member->retract(kept, &c);
		}
		for (int k = least; k < 10 * least; k++) {
			double law = log10(1 + 1.0 / k);
			double off = fabs((double)times[k] / n - law);

			mad += off / (9 * least);
			chi2 += n * off * off / law;
		}
		assert_string_equal(member[0].name, "chi2");
		assert_near(member[0].result(kept, value_int(d), value_int(0)),
			    chi2);
		assert_near(member[1].result(kept, value_int(d), value_int(0)),
			    mad);
		assert_int_equal(
			member[2].result(kept, value_int(d), value_int(0)).i,
			n);
	}
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
		cmocka_unit_test(shares_are_of_events_or_of_their_weight),
		cmocka_unit_test(what_was_given_back_has_no_share),
		cmocka_unit_test(neighbours_are_compared_in_the_order_of_time),
		cmocka_unit_test(the_most_similar_of_the_64_before_it_wins),
		cmocka_unit_test(long_texts_are_left_out_and_end_the_search),
		cmocka_unit_test(the_kth_value_counts_from_the_oldest),
		cmocka_unit_test(the_kth_lowest_counts_equal_ones_one_by_one),
		cmocka_unit_test(a_ladder_has_equal_steps),
		cmocka_unit_test(entropy_is_what_the_library_finds),
		cmocka_unit_test(a_slope_is_a_day_s_rise),
		cmocka_unit_test(digits_are_held_against_the_law),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
