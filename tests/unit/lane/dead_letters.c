#include "lane/world.h"

/* How often the record at @offset of partition 0 was told of. */
static size_t times(int64_t offset) {
	size_t n = 0;

	for (size_t i = 0; i < world.sink.n_dead; i++)
		n += world.sink.dead[i].partition == 0 &&
		     world.sink.dead[i].offset == offset;
	return n;
}

/* Each bad record is told of once: none missing, none twice. */
static void assert_each_once(size_t n) {
	static unsigned seen[RECORDS];

	memset(seen, 0, sizeof(seen));
	for (size_t i = 0; i < world.sink.n_dead; i++)
		seen[world.sink.dead[i].offset]++;
	for (size_t i = 0; i < n; i++)
		if (seen[i] != 1)
			fail_msg("the record at %zu is told of %u times", i,
				 seen[i]);
	assert_int_equal(world.sink.n_dead, n);
}

static void produce_bad(size_t n) {
	for (size_t i = 0; i < n; i++)
		produce(0, "bad");
}

static void live_once(void) {
	lane_start();
	assert_true(lane_rest());
	lane_stop();
}

/* So many turns, then a kill. True: it had come to rest before. */
static bool live_for(size_t turns) {
	bool rested = false;

	lane_start();
	for (size_t i = 0; i < turns && !rested; i++) {
		assert_true(lane_turn(world.lane));
		rested = at_rest();
	}
	lane_stop();
	return rested;
}

/*
 * Wherever a seam is cut off: also between its decision and the first thing
 * that it sends.
 */
static void are_told_of_once_whenever_a_seam_is_cut_off(void **state) {
	(void)state;
	produce_bad(40);
	live_once();
	for (size_t turns = 1;; turns += 1 + turns / 8) {
		bool rested;

		world.rules_hash++;
		rested = live_for(turns);
		live_once();
		assert_each_once(40);
		if (rested)
			break;
	}
	assert_true(journal_says("\"decision\":\"seam\""));
}

/* The fence still stands at what the journal before the journal said. */
static void are_told_of_once_over_two_seams(void **state) {
	(void)state;
	produce_bad(40);
	live_once();
	for (size_t life = 0; life < 3; life++) {
		world.rules_hash++;
		live_once();
	}
	produce_bad(3);
	live_once();
	assert_each_once(43);
	world.rules_hash++;
	live_once();
	assert_each_once(43);
}

static void are_told_of_once_when_a_long_seam_is_cut_off(void **state) {
	const size_t many = 10000; /* more than an outbox holds */
	size_t turns = 0;

	(void)state;
	produce_bad(many);
	live_once();
	assert_each_once(many);
	for (size_t enough = 1; enough < 6000; enough += 2500) {
		empty_sink();
		world.rules_hash++;
		lane_start();
		while (world.sink.n_dead < enough && turns++ < 200000)
			assert_true(lane_turn(world.lane));
		lane_stop();
		assert_true(world.sink.n_dead < many);
		live_once();
		assert_each_once(many);
	}
}

static void are_told_of_once_when_the_journal_ended_early(void **state) {
	(void)state;
	produce_bad(1);
	live_once();
	keep_state("cp -r state backup");
	produce_bad(5);
	live_once();
	keep_state("rm -rf state && mv backup state");
	live_once();
	/* What lies behind the journal's end nobody knows: once more. */
	assert_int_equal(world.sink.n_dead, 11);
	assert_true(journal_says("\"seam\":\"journal ended early\""));
	for (size_t turns = 1; turns < 40; turns++) {
		world.rules_hash++;
		live_for(turns);
		live_once();
		assert_int_equal(world.sink.n_dead, 11);
	}
}

/*
 * A seam that catches up counts anew; if it is cut off and the next one can go
 * by the old journal after all, the fence speaks of other numbers.
 */
static void are_not_lost_when_the_way_of_a_seam_changes(void **state) {
	(void)state;
	world.n_partitions = 1;
	produce_bad(100);
	live_once();
	empty_sink();
	world.sink.fence.exists = true;
	rules_are(with_orders);
	world.n_partitions = 2;
	world.log[0].hangs = true;
	world.log[1].is.topic = "orders";
	for (size_t i = 0; i < 50; i++)
		produce(1, "bad");
	lane_start();
	while (world.sink.n_dead < 50)
		assert_true(lane_turn(world.lane));
	lane_stop();
	world.log[0].hangs = false;
	world.n_partitions = 1;
	rules_are(rule_text);
	live_once();
	for (int64_t i = 0; i < 100; i++)
		assert_true(times(i) >= 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(are_told_of_once_whenever_a_seam_is_cut_off),
		TEST(are_told_of_once_over_two_seams),
		TEST(are_told_of_once_when_a_long_seam_is_cut_off),
		TEST(are_told_of_once_when_the_journal_ended_early),
		TEST(are_not_lost_when_the_way_of_a_seam_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
