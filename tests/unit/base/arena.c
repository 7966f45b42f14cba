#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/util.h"

static void gives_zeroed_and_aligned_memory(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };

	(void)state;
	for (size_t size = 0; size < 100; size++) {
		uint8_t *p = arena_alloc(&arena, size);

		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
}

static void aligns_raw_memory_as_asked(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };

	(void)state;
	for (size_t align = 1; align <= 16; align *= 2) {
		arena_alloc_raw(&arena, 1, 1);
		assert_int_equal((uintptr_t)arena_alloc_raw(&arena, 3, align) %
					 align,
				 0);
	}
}

static void zeroes_what_a_reset_gives_again(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	char *first;
	char *again;

	(void)state;
	first = arena_alloc(&arena, 64);
	memset(first, 'x', 64);
	arena_reset(&arena);
	again = arena_alloc(&arena, 64);
	assert_ptr_equal(first, again);
	assert_int_equal(again[63], 0);
}

static void stops_asking_for_memory_once_batches_look_alike(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	size_t bytes = 0;

	(void)state;
	for (int batch = 0; batch < 20; batch++) {
		for (int i = 0; i < 300; i++)
			arena_alloc(&arena, (size_t)i * 7);
		if (batch == 1)
			bytes = arena.total_bytes;
		arena_reset(&arena);
	}
	assert_int_equal(arena.total_bytes, bytes);
}

static void takes_what_is_larger_than_any_block(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	size_t size = (size_t)5 << 20;
	char *large;
	char *small;

	(void)state;
	small = arena_strdup(&arena, "before");
	large = arena_alloc(&arena, size);
	memset(large, 'x', size);
	assert_string_equal(small, "before");
	assert_true(arena.total_bytes >= size);
}

static void copies_and_prints_text(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };

	(void)state;
	assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(&arena, NULL, 0), "");
	assert_string_equal(arena_printf(&arena, "%s=%d", "x", 5), "x=5");
}

static void an_empty_arena_can_be_reset_and_freed(void **state) {
	struct arena arena = { 0 };

	(void)state;
	arena_reset(&arena);
	arena_free(&arena);
	arena_free(&arena);
	assert_int_equal(arena.total_bytes, 0);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_zeroed_and_aligned_memory),
		cmocka_unit_test(aligns_raw_memory_as_asked),
		cmocka_unit_test(zeroes_what_a_reset_gives_again),
		cmocka_unit_test(
			stops_asking_for_memory_once_batches_look_alike),
		cmocka_unit_test(takes_what_is_larger_than_any_block),
		cmocka_unit_test(copies_and_prints_text),
		cmocka_unit_test(an_empty_arena_can_be_reset_and_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
