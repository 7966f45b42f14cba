/*
 * A life that begins from a checkpoint comes to the same as one that takes all
 * of the journal again.
 */
#include "lane/world.h"

static void pay_from(int from, int until) {
	char unit[16];

	for (int i = from; i < until; i++) {
		snprintf(unit, sizeof(unit), "U-%d", i % 40);
		pay(0, unit, i * 20);
		pay(1, unit, i * 20 + 7);
		if (i % 500 == 0)
			produce((size_t)i / 500 % 2, "{\"unit\":1}");
	}
}

static void pay_for_a_day(void) {
	pay_from(0, 3000);
}

/* The same alerts as a life that knows no checkpoint makes of the journal. */
static void assert_same_without(void) {
	size_t n = world.sink.n_entries, n_dead = world.sink.n_dead;
	char **entries = calloc(n, sizeof(*entries));

	assert_true(n > 20);
	for (size_t i = 0; i < n; i++)
		entries[i] = strdup(world.sink.entries[i]);
	empty_sink();
	world.checkpoint_every = 0;
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(world.sink.n_entries, n);
	assert_int_equal(world.sink.n_dead, n_dead);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(world.sink.entries[i], entries[i]);
		free(entries[i]);
	}
	free(entries);
}

static struct lane_view view(void) {
	struct lane_view view;

	lane_view(world.lane, &view);
	return view;
}

/* Turns until a checkpoint more has been written. */
static void await_checkpoint(void) {
	uint64_t taken = view().checkpoints ? view().checkpoints->taken : 0;

	for (int i = 0; i < 20000; i++) {
		assert_true(lane_turn(world.lane));
		if (view().checkpoints && view().checkpoints->taken > taken)
			return;
		usleep(100);
	}
	fail_msg("no checkpoint is taken");
}

/* Reads from where the checkpoint was, and not before. */
static void begins_where_it_was_taken(void **state) {
	(void)state;
	world.checkpoint_every = 1;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	await_checkpoint();
	lane_stop();
	for (size_t i = 0; i < PARTITIONS; i++)
		world.log[i].is.low = (int64_t)world.log[i].n;
	world.checkpoint_every = USEC_PER_DAY;
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(view().seams, 0);
	assert_true(engine_ordinal(view().engine) > 6000);
	pay(0, "U-1", 86000);
	pay(0, "U-1", 86001);
	pay(0, "U-1", 86002);
	assert_true(lane_rest());
	lane_stop();
	for (size_t i = 0; i < PARTITIONS; i++)
		world.log[i].is.low = 0;
	assert_same_without();
}

/* Wherever a life ends, inside a checkpoint too. */
static void comes_to_the_same_after_any_ending(void **state) {
	uint64_t taken = 0;

	(void)state;
	world.checkpoint_every = 1;
	for (int life = 0; life < 60; life++) {
		pay_from(life * 50, life * 50 + 50);
		lane_start();
		for (int i = 0; i < 3 + life * 7 % 40; i++) {
			assert_true(lane_turn(world.lane));
			usleep((unsigned)life % 3 * 100);
		}
		if (view().checkpoints)
			taken += view().checkpoints->taken;
		lane_stop();
	}
	assert_true(taken > 20);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_same_without();
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(begins_where_it_was_taken,
						world_begin, world_end),
		cmocka_unit_test_setup_teardown(
			comes_to_the_same_after_any_ending, world_begin,
			world_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
