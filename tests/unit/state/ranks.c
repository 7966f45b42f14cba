#include "state/ranks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 9000

/* The same kept as naively as can be: sorted in one array. */
struct model {
	int64_t keys[MANY];
	uint32_t n;
};

static struct pages pages;
static struct model model;
static struct ranks ranks;

static int begin(void **state) {
	(void)state;
	pages_init(&pages, 0);
	model.n = 0;
	ranks = (struct ranks){ 0 };
	return 0;
}

static int end(void **state) {
	(void)state;
	pages_free(&pages);
	return 0;
}

static uint32_t model_upto(int64_t key) {
	uint32_t n = 0;

	while (n < model.n && model.keys[n] <= key)
		n++;
	return n;
}

static uint32_t model_below(int64_t key) {
	uint32_t n = 0;

	while (n < model.n && model.keys[n] < key)
		n++;
	return n;
}

static void add(int64_t key) {
	uint32_t at = model_upto(key);

	memmove(model.keys + at + 1, model.keys + at,
		(model.n - at) * sizeof(*model.keys));
	model.keys[at] = key;
	model.n++;
	assert_true(ranks_add(&ranks, &pages, key));
}

static void take_out(int64_t key) {
	uint32_t at = model_upto(key) - 1;

	memmove(model.keys + at, model.keys + at + 1,
		(model.n - at - 1) * sizeof(*model.keys));
	model.n--;
	assert_true(ranks_remove(&ranks, &pages, key));
}

static void check_place(const struct ranks_walk *walk, uint32_t k) {
	assert_false(walk->is_behind);
	assert_int_equal(walk->key, model.keys[k]);
	assert_int_equal(walk->upto, model_upto(walk->key));
	assert_int_equal(walk->below, model_below(walk->key));
}

/* To a key that may be there or not. */
static void check_gap(int64_t key) {
	struct ranks_walk walk;
	uint32_t below = model_below(key);

	ranks_walk_to(&walk, &ranks, &pages, key);
	assert_int_equal(walk.below, below);
	if (below < model.n)
		check_place(&walk, below);
	else
		assert_true(walk.is_behind);
}

static void check(void) {
	struct ranks_walk walk, step;
	uint32_t k;

	assert_int_equal(ranks.n, model.n);
	if (!model.n)
		return;
	ranks_walk_at(&step, &ranks, &pages, 0);
	for (k = 0; k < model.n; k++) {
		ranks_walk_at(&walk, &ranks, &pages, k);
		check_place(&walk, k);
		ranks_walk_to(&walk, &ranks, &pages, model.keys[k]);
		check_place(&walk, k);
		if (model.keys[k] < INT64_MAX)
			check_gap(model.keys[k] + 1);
		if (k == step.upto)
			ranks_next(&step);
		check_place(&step, k);
	}
	ranks_next(&step);
	assert_true(step.is_behind);
	assert_int_equal(step.below, model.n);
	for (k = model.n; k; k = step.below) {
		assert_true(ranks_prev(&step));
		check_place(&step, k - 1);
	}
	assert_false(ranks_prev(&step));
}

static uint32_t chance(uint32_t *seed) {
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Grows beyond one block, shrinks to nothing, and gives all of it back. */
static void churn(uint32_t different) {
	uint32_t seed = 1, i;

	for (i = 0; i < MANY; i++) {
		uint32_t x = chance(&seed);

		/* Twice as often added as taken out, then the other way. */
		if (model.n && (i < MANY / 2 ? x % 3 == 0 : x % 3 != 0))
			take_out(model.keys[chance(&seed) % model.n]);
		else
			add((int64_t)(chance(&seed) % different) - 500);
		if (i % 600 == 0)
			check();
	}
	check();
	while (model.n)
		take_out(model.keys[chance(&seed) % model.n]);
	assert_int_equal(ranks.root, 0);
	assert_int_equal(pages.used_bytes, 0);
}

static void agrees_with_a_sorted_array(void **state) {
	(void)state;
	churn(1u << 23);
}

static void agrees_where_most_keys_are_there_already(void **state) {
	(void)state;
	churn(40);
}

static void stands_keys_that_only_rise_or_fall(void **state) {
	int64_t i;

	(void)state;
	for (i = 0; i < 2000; i++)
		add(i);
	check();
	for (i = -1; i > -2000; i--)
		add(i);
	check();
	/* All but every fiftieth: blocks must join. */
	for (i = -1999; i < 2000; i++)
		if (i % 50)
			take_out(i);
	check();
	add(INT64_MAX);
	add(INT64_MIN);
	check();
	ranks_free(&ranks, &pages);
	assert_int_equal(pages.used_bytes, 0);
}

/* As many as it promises, left as thin as can be, and then filled again. */
static void finds_room_for_as_many_as_it_says(void **state) {
	int64_t i;

	(void)state;
	for (i = 0; i < (int64_t)RANKS_MOST; i++)
		assert_true(ranks_add(&ranks, &pages, i * 1000));
	for (i = 0; i < (int64_t)RANKS_MOST; i++)
		if (i % 100)
			assert_true(ranks_remove(&ranks, &pages, i * 1000));
	for (i = 0; i < (int64_t)RANKS_MOST; i++)
		if (i % 100)
			assert_true(ranks_add(&ranks, &pages, i * 1000 + 1));
	assert_int_equal(ranks.n, RANKS_MOST);
	ranks_free(&ranks, &pages);
	assert_int_equal(pages.used_bytes, 0);
}

static void knows_what_is_not_there(void **state) {
	(void)state;
	assert_false(ranks_remove(&ranks, &pages, 7));
	add(7);
	assert_false(ranks_remove(&ranks, &pages, 8));
	assert_int_equal(ranks.n, 1);
	take_out(7);
	assert_false(ranks_remove(&ranks, &pages, 7));
	assert_int_equal(ranks.n, 0);
}

/* Without memory nothing is half done. */
static void is_unchanged_when_memory_ends(void **state) {
	uint32_t n = 0;

	(void)state;
	pages.limit_bytes = (size_t)5 * PAGE_BYTES;
	while (n < MANY - 1 && ranks_add(&ranks, &pages, (int64_t)n * 3)) {
		model.keys[n] = (int64_t)n * 3;
		model.n = ++n;
	}
	assert_in_range(n, 1, MANY - 2);
	check();
	assert_true(ranks_add(&ranks, &pages, 0));
	ranks_free(&ranks, &pages);
	assert_int_equal(pages.used_bytes, 0);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(agrees_with_a_sorted_array),
		TEST(agrees_where_most_keys_are_there_already),
		TEST(stands_keys_that_only_rise_or_fall),
		TEST(finds_room_for_as_many_as_it_says),
		TEST(knows_what_is_not_there),
		TEST(is_unchanged_when_memory_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
