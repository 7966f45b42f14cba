#include "state/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 200000u

static uint32_t mix(uint32_t x) {
	x = (x ^ x >> 16) * 0x45d9f3bu;
	return x ^ x >> 16;
}

static bool has(const struct index *index, uint32_t hash, handle_t handle) {
	struct index_cursor cursor = { 0 };
	handle_t at = index_first(index, hash, &cursor);

	while (at && at != handle)
		at = index_next(index, hash, &cursor);
	return at == handle;
}

static void finds_all_while_it_grows(void **state) {
	struct index index = { 0 };
	struct pages pages;
	uint32_t i, k;

	(void)state;
	pages_init(&pages, 0);
	for (i = 1; i <= MANY; i++) {
		index_add(&index, &pages, mix(i), i);
		if (i % 1009)
			continue;
		for (k = 1; k <= i; k += 37)
			assert_true(has(&index, mix(k), k));
		assert_false(has(&index, mix(i + 1), i + 1));
	}
	assert_int_equal(index.n, MANY);
	pages_free(&pages);
}

static void forgets_what_is_removed_and_nothing_else(void **state) {
	struct index index = { 0 };
	struct pages pages;
	uint32_t i;

	(void)state;
	pages_init(&pages, 0);
	for (i = 1; i <= MANY; i++) {
		index_add(&index, &pages, mix(i) & 0xffff, i);
		if (i % 3 == 0)
			index_remove(&index, &pages, mix(i / 3) & 0xffff,
				     i / 3);
	}
	for (i = 1; i <= MANY; i += 11)
		assert_int_equal(has(&index, mix(i) & 0xffff, i), i > MANY / 3);
	assert_int_equal(index.n, MANY - MANY / 3);
	pages_free(&pages);
}

static void keeps_handles_that_share_a_hash(void **state) {
	struct index index = { 0 };
	struct pages pages;
	uint32_t i;

	(void)state;
	pages_init(&pages, 0);
	for (i = 1; i <= 300; i++)
		index_add(&index, &pages, 7, i);
	index_remove(&index, &pages, 7, 150);
	for (i = 1; i <= 300; i++)
		assert_int_equal(has(&index, 7, i), i != 150);
	pages_free(&pages);
}

static void finds_nothing_when_empty(void **state) {
	struct index index = { 0 };
	struct pages pages;

	(void)state;
	pages_init(&pages, 0);
	assert_false(has(&index, 0, 1));
	pages_free(&pages);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_all_while_it_grows),
		cmocka_unit_test(forgets_what_is_removed_and_nothing_else),
		cmocka_unit_test(keeps_handles_that_share_a_hash),
		cmocka_unit_test(finds_nothing_when_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
