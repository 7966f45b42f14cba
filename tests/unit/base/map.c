#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/util.h"

static void an_empty_map_has_nothing(void **state) {
	struct map map = { 0 };

	(void)state;
	assert_null(map_get(&map, "a", 1));
}

static void finds_a_thousand_names_in_the_order_they_came(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	struct map map = { 0 };
	static int values[1000];
	char key[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i * 7919 % 1000);
		map_put(&map, &arena, key, strlen(key), &values[i]);
	}
	assert_int_equal(map.n, 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i * 7919 % 1000);
		assert_ptr_equal(map_get(&map, key, strlen(key)), &values[i]);
		assert_string_equal(map.keys[i], key);
		assert_ptr_equal(map.values[i], &values[i]);
	}
	assert_null(map_get(&map, "k1000", 5));
	assert_null(map_get(&map, "k", 1));
}

static void putting_again_keeps_the_place(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	struct map map = { 0 };
	int one;
	int two;

	(void)state;
	map_put(&map, &arena, "a", 1, &one);
	map_put(&map, &arena, "b", 1, &one);
	map_put(&map, &arena, "a", 1, &two);
	assert_int_equal(map.n, 2);
	assert_ptr_equal(map.values[0], &two);
}

static void the_length_is_part_of_a_key(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	struct map map = { 0 };
	int one;
	int two;

	(void)state;
	map_put(&map, &arena, "a\0b", 3, &one);
	map_put(&map, &arena, "", 0, &two);
	assert_ptr_equal(map_get(&map, "a\0b", 3), &one);
	assert_null(map_get(&map, "a", 1));
	assert_ptr_equal(map_get(&map, "", 0), &two);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(finds_a_thousand_names_in_the_order_they_came),
		cmocka_unit_test(putting_again_keeps_the_place),
		cmocka_unit_test(the_length_is_part_of_a_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
