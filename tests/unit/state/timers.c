#include "state/timers.h"
#include "state/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* S2: (due, rule, creation ordinal of the key, kind, period). */
static void fires_in_the_order_that_all_machines_share(void **state) {
	static const struct timer order[] = {
		{ .due = 1, .rule = 9, .created = 9, .kind = 4, .period = 9 },
		{ .due = 2, .rule = 0, .created = 9, .kind = 4, .period = 9 },
		{ .due = 2, .rule = 1, .created = 3, .kind = 4, .period = 9 },
		{ .due = 2, .rule = 1, .created = 4, .kind = 0, .period = 9 },
		{ .due = 2, .rule = 1, .created = 4, .kind = 1, .period = -1 },
		{ .due = 2, .rule = 1, .created = 4, .kind = 1, .period = 0 },
	};
	struct timers timers = { 0 };
	struct pages pages;
	size_t i;

	(void)state;
	pages_init(&pages, 0);
	for (i = sizeof(order) / sizeof(*order); i--;)
		timers_add(&timers, &pages, &order[i]);
	for (i = 0; i < sizeof(order) / sizeof(*order); i++) {
		assert_memory_equal(timers_first(&timers), &order[i],
				    sizeof(*order));
		timers_pop(&timers, &pages);
	}
	assert_null(timers_first(&timers));
	pages_free(&pages);
}

static void keeps_a_heap_of_many(void **state) {
	struct timers timers = { 0 };
	struct pages pages;
	struct timer timer = { 0 };
	uint32_t seed = 7, i;
	usec_t last = INT64_MIN;

	(void)state;
	pages_init(&pages, 0);
	for (i = 0; i < 20000; i++) {
		seed = seed * 1664525u + 1013904223u;
		timer.due = seed >> 8;
		timer.created = i;
		timers_add(&timers, &pages, &timer);
		if (i % 3 == 0)
			timers_pop(&timers, &pages);
	}
	while (timers.n) {
		assert_true(timers_first(&timers)->due >= last);
		last = timers_first(&timers)->due;
		timers_pop(&timers, &pages);
	}
	pages_free(&pages);
}

static bool is_even(const void *context, const struct timer *timer) {
	(void)context;
	return timer->due % 2 == 0;
}

static void lets_those_go_that_nobody_wants(void **state) {
	struct timers timers = { 0 };
	struct pages pages;
	struct timer timer = { 0 };
	uint32_t seed = 7, i, kept = 0;
	usec_t last = INT64_MIN;

	(void)state;
	pages_init(&pages, 0);
	for (i = 0; i < 1000; i++) {
		seed = seed * 1664525u + 1013904223u;
		timer.due = seed >> 8;
		timer.created = i;
		timers_add(&timers, &pages, &timer);
		kept += timer.due % 2 == 0;
	}
	timers_prune(&timers, &pages, is_even, NULL);
	assert_int_equal(timers.n, kept);
	while (timers.n) {
		assert_true(timers_first(&timers)->due >= last);
		last = timers_first(&timers)->due;
		assert_int_equal(last % 2, 0);
		timers_pop(&timers, &pages);
	}
	pages_free(&pages);
}

struct cell {
	usec_t due;
	handle_t next, prev;
};

static size_t take_all(struct wheel *wheel, struct pages *pages, usec_t now) {
	const struct cell *cell;
	handle_t at, next;
	size_t n = 0;

	while ((at = wheel_take(wheel, now)))
		for (; at; at = next) {
			cell = pages_read(pages, at);
			next = cell->next;
			if (cell->due > now)
				wheel_add(wheel, pages, at, cell->due);
			else
				n++;
		}
	return n;
}

static handle_t add(struct wheel *wheel, struct pages *pages, usec_t due) {
	handle_t at = pages_alloc(pages, sizeof(struct cell));

	((struct cell *)pages_write(pages, at))->due = due;
	wheel_add(wheel, pages, at, due);
	return at;
}

static void gives_out_what_is_due_within_a_bucket(void **state) {
	struct pages pages;
	struct wheel wheel;

	(void)state;
	pages_init(&pages, 0);
	wheel_init(&wheel, 10, offsetof(struct cell, next),
		   offsetof(struct cell, prev));
	add(&wheel, &pages, 35);
	add(&wheel, &pages, 41);
	add(&wheel, &pages, 100000); /* beyond the last bucket */
	assert_int_equal(take_all(&wheel, &pages, 39), 0);
	assert_int_equal(take_all(&wheel, &pages, 40), 1);
	assert_int_equal(take_all(&wheel, &pages, 49), 0);
	assert_int_equal(take_all(&wheel, &pages, 50), 1);
	add(&wheel, &pages, 3); /* already past: the next bucket */
	assert_int_equal(take_all(&wheel, &pages, 60), 1);
	assert_int_equal(take_all(&wheel, &pages, 99999), 0);
	assert_int_equal(take_all(&wheel, &pages, 100010), 1);
	pages_free(&pages);
}

static void forgets_what_is_removed_wherever_it_stands(void **state) {
	struct pages pages;
	struct wheel wheel;
	handle_t cells[5];
	unsigned gone, i;

	(void)state;
	pages_init(&pages, 0);
	for (gone = 0; gone < 5; gone++) {
		wheel_init(&wheel, 10, offsetof(struct cell, next),
			   offsetof(struct cell, prev));
		for (i = 0; i < 5; i++)
			cells[i] = add(&wheel, &pages, i < 4 ? 15 : 25);
		wheel_remove(&wheel, &pages, cells[gone]);
		assert_int_equal(take_all(&wheel, &pages, 20),
				 gone < 4 ? 3 : 4);
		assert_int_equal(take_all(&wheel, &pages, 30), gone < 4);
	}
	pages_free(&pages);
}

/* A list that was taken leaves nothing behind where it was. */
static void forgets_what_is_removed_after_others_were_taken(void **state) {
	struct pages pages;
	struct wheel wheel;
	handle_t cells[3];
	size_t i;

	(void)state;
	pages_init(&pages, 0);
	wheel_init(&wheel, 10, offsetof(struct cell, next),
		   offsetof(struct cell, prev));
	cells[0] = add(&wheel, &pages, 15);
	cells[1] = add(&wheel, &pages, 15);
	assert_int_equal(wheel_take(&wheel, 20), cells[0]);
	for (i = 0; i < 2; i++)
		wheel_add(&wheel, &pages, cells[i], 25);
	cells[2] = add(&wheel, &pages, 35);
	wheel_remove(&wheel, &pages, cells[1]);
	assert_int_equal(take_all(&wheel, &pages, 30), 1);
	assert_int_equal(take_all(&wheel, &pages, 40), 1);
	pages_free(&pages);
}

static void gives_out_the_first_of_the_oldest_bucket(void **state) {
	static const usec_t due[] = { 15, 35, 12, 11, 32 };
	static const size_t order[] = { 0, 2, 3, 1, 4 };
	struct pages pages;
	struct wheel wheel;
	handle_t cells[ARRAY_SIZE(due)];
	size_t i;

	(void)state;
	pages_init(&pages, 0);
	wheel_init(&wheel, 10, offsetof(struct cell, next), 0);
	assert_int_equal(wheel_pop(&wheel, &pages), 0);
	for (i = 0; i < ARRAY_SIZE(due); i++)
		cells[i] = add(&wheel, &pages, due[i]);
	for (i = 0; i < ARRAY_SIZE(due); i++)
		assert_int_equal(wheel_pop(&wheel, &pages), cells[order[i]]);
	assert_int_equal(wheel_pop(&wheel, &pages), 0);
	cells[0] = add(&wheel, &pages, 15);
	assert_int_equal(wheel_pop(&wheel, &pages), cells[0]);
	pages_free(&pages);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_in_the_order_that_all_machines_share),
		cmocka_unit_test(keeps_a_heap_of_many),
		cmocka_unit_test(lets_those_go_that_nobody_wants),
		cmocka_unit_test(gives_out_what_is_due_within_a_bucket),
		cmocka_unit_test(forgets_what_is_removed_wherever_it_stands),
		cmocka_unit_test(
			forgets_what_is_removed_after_others_were_taken),
		cmocka_unit_test(gives_out_the_first_of_the_oldest_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
