#include "state/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENTRY_BYTES (sizeof(struct entry) + 16)
#define MANY 3000

static struct pages pages;

static int begin(void **state) {
	(void)state;
	pages_init(&pages, 0);
	return 0;
}

static int end(void **state) {
	(void)state;
	pages_free(&pages);
	return 0;
}

/* The tail of an entry repeats its head, so a torn move would show. */
static void put(struct chain *chain, usec_t time, uint64_t coordinates) {
	struct entry at = { .time = time, .coordinates = coordinates };
	struct entry *entry = chain_insert(chain, &pages, ENTRY_BYTES, &at);

	assert_non_null(entry);
	memcpy(entry + 1, &at.time, 8);
	memcpy((uint8_t *)(entry + 1) + 8, &at.coordinates, 8);
}

static void check(const struct chain *chain, uint32_t n) {
	struct chain_walk walk;
	struct entry last = { .time = INT64_MIN };
	uint32_t found = 0;

	for (chain_begin(&walk, chain, &pages, ENTRY_BYTES); walk.entry;
	     chain_step(&walk)) {
		assert_true(walk.entry->time > last.time ||
			    (walk.entry->time == last.time &&
			     walk.entry->coordinates > last.coordinates));
		assert_memory_equal(walk.entry + 1, walk.entry, 16);
		last = *walk.entry;
		found++;
	}
	assert_int_equal(found, n);
	assert_int_equal(chain->n, n);
}

static void keeps_order_of_time_and_coordinates(void **state) {
	struct chain chain = { 0 };
	uint32_t seed = 1, i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		seed = seed * 1664525u + 1013904223u;
		put(&chain, seed >> 24, i);
	}
	check(&chain, MANY);
}

static void orders_equal_times_by_coordinates(void **state) {
	struct chain chain = { 0 };
	uint32_t i;

	(void)state;
	for (i = 0; i < 200; i++)
		put(&chain, 5, 200 - i);
	check(&chain, 200);
	assert_int_equal(chain_oldest(&chain, &pages, ENTRY_BYTES)->coordinates,
			 1);
	assert_int_equal(chain_newest(&chain, &pages, ENTRY_BYTES)->coordinates,
			 200);
}

static void leaves_from_the_front_while_others_enter(void **state) {
	struct chain chain = { 0 };
	uint32_t i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		put(&chain, i % 7 ? i : i - i % 50, i);
		while (chain.n > 100)
			chain_pop(&chain, &pages);
	}
	check(&chain, 100);
}

static void gives_all_memory_back(void **state) {
	struct chain chain = { 0 };
	size_t used = pages.used_bytes;
	uint32_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		put(&chain, (i * 7919) % 1000, i);
	while (chain.n)
		chain_pop(&chain, &pages);
	assert_int_equal(pages.used_bytes, used);
	assert_int_equal(chain.head, 0);
	assert_int_equal(chain.tail, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_of_time_and_coordinates),
		cmocka_unit_test(orders_equal_times_by_coordinates),
		cmocka_unit_test(leaves_from_the_front_while_others_enter),
		cmocka_unit_test(gives_all_memory_back),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
