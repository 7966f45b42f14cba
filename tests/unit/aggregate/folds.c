/*
 * What aggregates that fold promise: the same as a naive computation, taking
 * back is never having added, joining is adding one by one, and exact kinds do
 * not care for the order.
 */
#include "tocsin/aggregate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/number.h"
#include "base/type.h"
#include "base/util.h"

#define N 200

static uint64_t seed = 88172645463325252u;

static uint64_t chance(uint64_t below) {
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static uint16_t cny(void) {
	return (uint16_t)currency_find("CNY", 3);
}

static struct value zero_of(uint8_t kind) {
	return (struct value){ .kind = kind,
			       .unit = kind == KIND_MONEY ? cny() : 0 };
}

static struct value sample(uint8_t kind) {
	struct value x = zero_of(kind);

	if (kind == KIND_DOUBLE)
		x.d = ((double)chance(2000000) - 1000000.0) / 64.0;
	else if (kind == KIND_BOOL)
		x.i = (int64_t)chance(2);
	else
		x.i = (int64_t)chance(2000000) - 1000000;
	return x;
}

/* Several share a time, so that the coordinates decide. */
static void fill(struct contribution *c, size_t n, uint8_t kind) {
	for (size_t i = 0; i < n; i++)
		c[i] = (struct contribution){ .time = (int64_t)(i / 3),
					      .coordinates = i,
					      .x = sample(kind),
					      .truth = chance(3) == 0 };
}

static void shuffle(struct contribution *c, size_t n) {
	for (size_t i = n; i > 1; i--) {
		size_t j = chance(i);
		struct contribution swap = c[i - 1];

		c[i - 1] = c[j];
		c[j] = swap;
	}
}

union state {
	uint64_t words[8];
	uint8_t bytes[64];
};

static void fold(const struct aggregate *a, union state *state,
		 const struct contribution *c, size_t n) {
	assert_true(a->state_size <= sizeof(*state));
	assert_int_equal(a->state_size % 8, 0);
	for (size_t i = 0; i < n; i++)
		assert_true(a->add(state, &c[i]));
}

static struct value result_of(const struct aggregate *a,
			      const union state *state, uint8_t kind) {
	return a->result(state, value_missing(MISSING_NONE), zero_of(kind));
}

static struct value folded(const struct aggregate *a,
			   const struct contribution *c, size_t n,
			   uint8_t kind) {
	union state state = { 0 };

	fold(a, &state, c, n);
	return result_of(a, &state, kind);
}

static struct value scanned(const struct aggregate *a,
			    const struct contribution *c, size_t n,
			    uint8_t kind) {
	struct arena arena = { 0 };
	struct value ret =
		a->scan(c, n, value_double(0.5), zero_of(kind), &arena);

	arena_free(&arena);
	return ret;
}

static void assert_same(struct value a, struct value b) {
	assert_int_equal(a.kind, b.kind);
	assert_int_equal(a.reason, b.reason);
	assert_int_equal(a.unit, b.unit);
	if (a.kind != KIND_MISSING)
		assert_int_equal(a.i, b.i);
}

/* Every aggregate with every kind that it folds, exactly or not. */
typedef void checker(const struct aggregate *a, uint8_t kind);

static void each_folding(checker *check, bool retracting) {
	size_t n = 0;

	for (size_t i = 0; all_aggregates[i]; i++) {
		const struct aggregate *a = all_aggregates[i];
		uint32_t kinds = retracting ? a->retracts : a->folds;

		for (uint8_t kind = KIND_BOOL; kind <= KIND_MONEY; kind++) {
			if (kind == KIND_STRING || !(kinds >> kind & 1))
				continue;
			check(a, kind);
			n++;
		}
	}
	assert_true(n > 30);
}

static void check_registry(const struct aggregate *a, uint8_t kind) {
	(void)kind;
	assert_ptr_equal(aggregate_find(a->name), a);
	assert_non_null(a->add);
	assert_non_null(a->merge);
	assert_non_null(a->result);
	assert_int_equal(!a->retract, !a->retracts);
}

static void finds_each_aggregate_by_its_name(void **state) {
	(void)state;
	for (size_t i = 0; all_aggregates[i]; i++) {
		const struct aggregate *a = all_aggregates[i];

		assert_ptr_equal(aggregate_find(a->name), a);
		assert_true(!a->scan == !!a->members);
		assert_non_null(a->summary);
		assert_memory_equal(a->signature, a->name, strlen(a->name));
		assert_int_equal(!a->folds, !a->state_size);
		assert_int_equal(a->retracts & ~a->folds, 0);
		if (i)
			assert_true(strcmp(all_aggregates[i - 1]->name,
					   a->name) < 0);
	}
	each_folding(check_registry, false);
	assert_null(aggregate_find("total"));
	assert_null(aggregate_find(""));
}

static void check_retract(const struct aggregate *a, uint8_t kind) {
	struct contribution c[N];
	union state with = { 0 };
	union state without = { 0 };

	fill(c, N, kind);
	fold(a, &with, c, N);
	for (size_t i = 0; i < N; i += 2)
		a->retract(&with, &c[i]);
	for (size_t i = 1; i < N; i += 2)
		assert_true(a->add(&without, &c[i]));
	assert_memory_equal(&with, &without, sizeof(with));

	for (size_t i = 1; i < N; i += 2)
		a->retract(&with, &c[i]);
	without = (union state){ 0 };
	assert_memory_equal(&with, &without, sizeof(with));
}

static void taking_back_is_never_having_added(void **state) {
	(void)state;
	each_folding(check_retract, true);
}

static void check_merge(const struct aggregate *a, uint8_t kind) {
	struct contribution c[N];
	union state one = { 0 };
	union state two = { 0 };
	union state empty = { 0 };
	struct value all;

	fill(c, N, kind);
	all = folded(a, c, N, kind);
	fold(a, &one, c, 70);
	fold(a, &two, c + 70, N - 70);
	assert_true(a->merge(&one, &empty, zero_of(kind)));
	assert_true(a->merge(&one, &two, zero_of(kind)));
	assert_true(a->merge(&empty, &one, zero_of(kind)));
	if (kind == KIND_DOUBLE && all.kind == KIND_DOUBLE)
		assert_true(fabs(result_of(a, &empty, kind).d - all.d) <=
			    1e-12 * fabs(all.d));
	else
		assert_same(result_of(a, &empty, kind), all);
}

static void joining_is_adding_one_by_one(void **state) {
	(void)state;
	each_folding(check_merge, false);
}

static void check_order(const struct aggregate *a, uint8_t kind) {
	struct contribution c[N];
	struct value first;

	if (kind == KIND_DOUBLE && a->kinds && a->result_kind != KIND_INT)
		return;
	fill(c, N, kind);
	first = folded(a, c, N, kind);
	shuffle(c, N);
	assert_same(folded(a, c, N, kind), first);
}

static void exact_kinds_do_not_care_for_the_order(void **state) {
	(void)state;
	each_folding(check_order, false);
}

static void check_scan(const struct aggregate *a, uint8_t kind) {
	struct contribution c[N];

	fill(c, N, kind);
	for (size_t n = 0; n < N; n = n * 2 + 1)
		assert_same(scanned(a, c, n, kind), folded(a, c, n, kind));
}

static void scanning_gives_what_folding_gives(void **state) {
	(void)state;
	each_folding(check_scan, false);
}

static void over_no_events_sums_are_zero_and_the_rest_is_missing(void **state) {
	(void)state;
	for (size_t i = 0; all_aggregates[i]; i++) {
		const struct aggregate *a = all_aggregates[i];
		struct value ret;

		if (a->members)
			continue;
		ret = scanned(a, NULL, 0, KIND_MONEY);
		if (!a->zero_when_empty) {
			assert_same(ret, value_missing(MISSING_EMPTY));
			continue;
		}
		assert_int_equal(ret.i, 0);
		assert_int_equal(ret.kind,
				 a->result_kind ? a->result_kind : KIND_MONEY);
		if (ret.kind == KIND_MONEY)
			assert_int_equal(ret.unit, cny());
	}
}

static struct value of(const char *name, const struct contribution *c, size_t n,
		       uint8_t kind) {
	return folded(aggregate_find(name), c, n, kind);
}

static void agrees_with_sums_done_by_hand(void **state) {
	struct contribution c[N];
	int64_t sum = 0, sum_if = 0, count_if = 0, min = INT64_MAX,
		max = INT64_MIN;

	(void)state;
	fill(c, N, KIND_MONEY);
	for (size_t i = 0; i < N; i++) {
		sum += c[i].x.i;
		sum_if += c[i].truth ? c[i].x.i : 0;
		count_if += c[i].truth;
		min = c[i].x.i < min ? c[i].x.i : min;
		max = c[i].x.i > max ? c[i].x.i : max;
	}
	assert_same(of("count", c, N, KIND_MONEY), value_int(N));
	assert_same(of("sum", c, N, KIND_MONEY), value_money(sum, cny()));
	assert_same(of("sum_if", c, N, KIND_MONEY), value_money(sum_if, cny()));
	assert_same(of("count_if", c, N, KIND_MONEY), value_int(count_if));
	assert_same(of("min", c, N, KIND_MONEY), value_money(min, cny()));
	assert_same(of("max", c, N, KIND_MONEY), value_money(max, cny()));
	assert_same(of("first", c, N, KIND_MONEY), c[0].x);
	assert_same(of("last", c, N, KIND_MONEY), c[N - 1].x);
	assert_same(of("latest", c, N, KIND_MONEY), c[N - 1].x);
	assert_same(of("share", c, N, KIND_MONEY),
		    value_double((double)count_if / N));
}

static struct value of_ints(const char *name, const int64_t *x, size_t n,
			    uint8_t kind) {
	struct contribution c[8] = { 0 };

	for (size_t i = 0; i < n; i++) {
		c[i].x = zero_of(kind);
		c[i].x.i = x[i];
	}
	return of(name, c, n, kind);
}
#define OF(name, kind, ...)                                                    \
	of_ints(name, (const int64_t[]){ __VA_ARGS__ },                        \
		ARRAY_SIZE(((const int64_t[]){ __VA_ARGS__ })), kind)

static void a_mean_rounds_half_to_even(void **state) {
	(void)state;
	assert_same(OF("mean", KIND_MONEY, 1, 2), value_money(2, cny()));
	assert_same(OF("mean", KIND_MONEY, 2, 3), value_money(2, cny()));
	assert_same(OF("mean", KIND_INT, -1, -2), value_int(-2));
	assert_same(OF("mean", KIND_INT, INT64_MAX, INT64_MAX, INT64_MAX),
		    value_int(INT64_MAX));
}

static void a_deviation_is_the_sample_s_and_in_major_units(void **state) {
	(void)state;
	/* 1.00, 3.00: mean 2, variance 2. */
	assert_same(OF("variance", KIND_MONEY, 100, 300), value_double(2.0));
	assert_same(OF("stdev", KIND_MONEY, 100, 300), value_double(sqrt(2.0)));
	assert_same(OF("variance", KIND_INT, 2, 4, 4, 4, 5, 5, 7, 9),
		    value_double(32.0 / 7.0));
	assert_same(OF("cv", KIND_INT, 1, 3), value_double(sqrt(2.0) / 2.0));
	assert_same(OF("cv", KIND_INT, -5, 5), value_missing(MISSING_ZERO));
	assert_same(OF("stdev", KIND_INT, 7), value_missing(MISSING_EMPTY));
	assert_same(OF("stdev", KIND_INT, 7, 7), value_double(0.0));
}

static void a_variance_of_great_numbers_does_not_cancel(void **state) {
	const int64_t a = INT64_C(4000000000000000000);

	(void)state;
	assert_same(OF("variance", KIND_INT, a, a + 1, a + 2, a + 3),
		    value_double(5.0 / 3.0));
	/* (2a)²/2: only its top bits fit a double. */
	assert_same(OF("variance", KIND_INT, a, -a), value_double(3.2e37));
}

static void an_overflow_is_refused_and_changes_nothing(void **state) {
	const struct aggregate *sum = aggregate_find("sum");
	const struct aggregate *variance = aggregate_find("variance");
	struct contribution c = { .x = value_int(INT64_MAX) };
	union state s = { 0 };
	union state before;

	(void)state;
	assert_true(sum->add(&s, &c));
	before = s;
	c.x.i = 1;
	assert_false(sum->add(&s, &c));
	assert_false(sum->merge(&s, &before, value_int(0)));
	assert_memory_equal(&s, &before, sizeof(s));
	c.x.i = 0;
	assert_true(sum->add(&s, &c));

	s = (union state){ 0 };
	c.x.i = INT64_MIN;
	assert_true(variance->add(&s, &c));
	assert_true(variance->add(&s, &c));
	assert_true(variance->add(&s, &c));
	before = s;
	assert_false(variance->add(&s, &c));
	assert_false(variance->merge(&s, &before, value_int(0)));
	assert_memory_equal(&s, &before, sizeof(s));
	assert_same(result_of(variance, &s, KIND_INT), value_double(0.0));
}

static void a_double_that_leaves_its_range_is_refused(void **state) {
	static const char *const names[] = { "sum", "mean", "variance" };
	struct contribution c = { .x = value_double(1e308), .truth = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct aggregate *a = aggregate_find(names[i]);
		union state s = { 0 };
		union state before;

		assert_true(a->add(&s, &c));
		before = s;
		c.x.d = i < 2 ? 1e308 : -1e308;
		assert_false(a->add(&s, &c));
		assert_memory_equal(&s, &before, sizeof(s));
		c.x.d = 1e308;
	}
}

static void doubles_agree_with_two_passes(void **state) {
	struct contribution c[N];
	double sum = 0.0, distances = 0.0;

	(void)state;
	fill(c, N, KIND_DOUBLE);
	for (size_t i = 0; i < N; i++)
		sum += c[i].x.d;
	for (size_t i = 0; i < N; i++)
		distances += (c[i].x.d - sum / N) * (c[i].x.d - sum / N);
	assert_same(of("sum", c, N, KIND_DOUBLE), value_double(sum));
	assert_same(of("mean", c, N, KIND_DOUBLE), value_double(sum / N));
	assert_true(fabs(of("variance", c, N, KIND_DOUBLE).d /
				 (distances / (N - 1)) -
			 1.0) < 1e-12);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each_aggregate_by_its_name),
		cmocka_unit_test(taking_back_is_never_having_added),
		cmocka_unit_test(joining_is_adding_one_by_one),
		cmocka_unit_test(exact_kinds_do_not_care_for_the_order),
		cmocka_unit_test(scanning_gives_what_folding_gives),
		cmocka_unit_test(
			over_no_events_sums_are_zero_and_the_rest_is_missing),
		cmocka_unit_test(agrees_with_sums_done_by_hand),
		cmocka_unit_test(a_mean_rounds_half_to_even),
		cmocka_unit_test(
			a_deviation_is_the_sample_s_and_in_major_units),
		cmocka_unit_test(a_variance_of_great_numbers_does_not_cancel),
		cmocka_unit_test(an_overflow_is_refused_and_changes_nothing),
		cmocka_unit_test(a_double_that_leaves_its_range_is_refused),
		cmocka_unit_test(doubles_agree_with_two_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
