#include "lane/world.h"

/* Units pay often enough to ring, fall silent, and ring again. */
static void pay_for_a_day(void) {
	char unit[8];

	for (int i = 0; i < 6000; i++) {
		snprintf(unit, sizeof(unit), "U-%02d", i * 7 % 40);
		pay((size_t)(i % 3 == 0), unit, i * 13 % 97 + i * 11);
		if (i % 500 == 7)
			produce(1, "{\"unit\":");
	}
}

static void remember(char **entries[], size_t *n) {
	*n = world.sink.n_entries;
	*entries = calloc(*n + 1, sizeof(char *));
	for (size_t i = 0; i < *n; i++)
		(*entries)[i] = strdup(world.sink.entries[i]);
}

static void assert_same(char **entries, size_t n) {
	assert_int_equal(world.sink.n_entries, n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(world.sink.entries[i], entries[i]);
		free(entries[i]);
	}
	free(entries);
}

static void rings_and_keeps_the_bad_events(void **state) {
	(void)state;
	pay(0, "U-1", 1);
	pay(1, "U-1", 2);
	produce(1, "not json");
	pay(0, "U-1", 3);
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(world.sink.n_entries, 1);
	assert_non_null(strstr(world.sink.entries[0], "\"change\":\"fired\""));
	assert_int_equal(world.sink.n_dead, 1);
	assert_int_equal(world.sink.dead[0].offset, 1);
}

static void adds_nothing_in_a_second_life(void **state) {
	char **entries;
	size_t n, n_dead;

	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	assert_true(world.sink.n_entries > 30);
	remember(&entries, &n);
	n_dead = world.sink.n_dead;
	assert_int_equal(n_dead, 12);
	for (int life = 0; life < 2; life++) {
		lane_stop();
		lane_start();
		assert_true(lane_rest());
	}
	assert_same(entries, n);
	assert_int_equal(world.sink.n_dead, n_dead);
	assert_int_equal(world.sink.fence.epoch, 3);
}

/* All but what the journal's seed goes into. */
static void cut_at_evidence(char **entries, size_t n) {
	for (size_t i = 0; i < n; i++)
		*strstr(entries[i], "\"evidence\"") = 0;
}

/* Wherever a life ends, the next makes the same of it. */
static void comes_to_the_same_after_any_ending(void **state) {
	char **entries, **seeded;
	size_t n, n_dead, turns = 1;

	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	remember(&entries, &n);
	n_dead = world.sink.n_dead;
	lane_stop();
	empty_sink();
	snprintf(world.state, sizeof(world.state), "%s/other", world.dir);
	for (int life = 0; life < 40; life++) {
		lane_start();
		for (size_t i = 0; i < turns; i++)
			assert_true(lane_turn(world.lane));
		turns += 5;
		lane_stop();
	}
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_int_equal(world.sink.n_dead, n_dead);
	remember(&seeded, &n);
	empty_sink();
	lane_start();
	assert_true(lane_rest());
	assert_same(seeded, n);
	cut_at_evidence(entries, n);
	cut_at_evidence(world.sink.entries, n);
	assert_same(entries, n);
}

/* S1.2 */
static void reads_partitions_side_by_side_by_event_time(void **state) {
	(void)state;
	for (int i = 0; i < 2000; i++) {
		pay(0, "U-1", i * 2);
		pay(1, "U-2", i * 2 + 1);
	}
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"partition\":0,\"first\":1999,\"next\":2000,"
				 "\"count\":1,"));
	assert_true(journal_says("\"partition\":1,\"first\":0,\"next\":1,"
				 "\"count\":1,"));
	assert_false(journal_says("went_on"));
}

/* S1.3 */
static void goes_on_without_a_partition_that_sends_nothing(void **state) {
	struct lane_view view;
	int64_t taken = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		pay(0, "U-1", i);
	pay(1, "U-1", 0);
	world.log[1].hangs = true;
	lane_start();
	for (int i = 0; i < 5000 && taken < 10; i++) {
		struct lane_partition_view p;

		assert_true(lane_turn(world.lane));
		lane_view(world.lane, &view);
		if (view.n_partitions == 2) {
			lane_partition(world.lane, 0, &p);
			taken = p.next;
		}
		usleep(200);
	}
	assert_int_equal(taken, 10);
	assert_true(view.catching_up);
	world.log[1].hangs = false;
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("{\"ordinal\":4,\"decision\":\"went_on\","
				 "\"topic\":\"pays\",\"partition\":1}"));
}

static void stops_reading_while_the_sink_is_away(void **state) {
	struct lane_partition_view p;
	struct lane_view view;

	(void)state;
	world.outbox = 16;
	for (int i = 0; i < 5000; i++) {
		char unit[8];

		snprintf(unit, sizeof(unit), "U-%d", i / 3 % 1000);
		pay(0, unit, i);
	}
	lane_start();
	for (int i = 0; i < 3; i++)
		assert_true(lane_turn(world.lane));
	world.sink.away = true;
	for (int i = 0; i < 500; i++)
		assert_true(lane_turn(world.lane));
	lane_view(world.lane, &view);
	assert_true(view.waiting <= 16);
	assert_non_null(view.not_ready);
	for (size_t i = 0; i < view.n_partitions; i++) {
		lane_partition(world.lane, i, &p);
		assert_true(p.partition != 0 || p.next < 5000);
	}
	world.sink.away = false;
	assert_true(lane_rest());
	assert_int_equal(world.sink.n_entries, world.sink.fence.mark);
	assert_int_equal(world.sink.n_entries, 1000);
}

static void sends_again_what_the_sink_has_lost(void **state) {
	char **entries;
	size_t n;
	uint64_t epoch;

	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	remember(&entries, &n);
	epoch = world.sink.fence.epoch;
	empty_sink();
	world.sink.state = SINK_AWAY;
	assert_true(lane_turn(world.lane));
	assert_true(lane_rest());
	assert_same(entries, n);
	assert_int_equal(world.sink.fence.epoch, epoch);
}

static void sends_the_end_again_that_the_sink_has_lost(void **state) {
	char **entries;
	size_t n;

	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	remember(&entries, &n);
	while (world.sink.n_entries > n / 2)
		free(world.sink.entries[--world.sink.n_entries]);
	world.sink.fence.mark = world.sink.n_entries;
	world.sink.fence.has_hash = false;
	world.sink.state = SINK_AWAY;
	assert_true(lane_turn(world.lane));
	assert_true(lane_rest());
	assert_same(entries, n);
}

static void halts_at_a_history_that_is_not_its_own(void **state) {
	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	world.sink.fence.hash[5] ^= 1;
	lane_start();
	assert_false(lane_rest());
	assert_int_equal(lane_run(world.lane), LANE_HALTED);
}

static void ends_when_another_has_taken_the_lane(void **state) {
	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	world.sink.fence.epoch = 99;
	world.sink.state = SINK_AWAY;
	for (int i = 0; i < 3; i++)
		lane_turn(world.lane);
	assert_int_equal(lane_run(world.lane), LANE_FENCED);
}

static void refuses_a_state_folder_in_use(void **state) {
	struct lane_options options = { .state = world.state };
	struct buf why = { 0 };
	struct lane *other;

	(void)state;
	lane_start();
	assert_int_equal(lane_new(&other, &options, &why), -EWOULDBLOCK);
	assert_non_null(strstr(buf_cstr(&why), "holds the lock"));
	buf_free(&why);
}

static void makes_a_seam_when_the_rules_have_changed(void **state) {
	size_t n, n_dead;

	(void)state;
	pay(0, "U-1", 1);
	produce(0, "bad");
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	n = world.sink.n_entries;
	n_dead = world.sink.n_dead;
	for (int life = 0; life < 3; life++) {
		world.rules_hash++;
		lane_start();
		assert_true(lane_rest());
		lane_stop();
		assert_true(journal_says("\"seam\":\"rules changed\""));
		assert_true(journal_says("\"decision\":\"seam\",\"reason\":"
					 "\"rules changed\",\"seq\":0"));
	}
	assert_int_equal(world.sink.n_entries, n);
	assert_int_equal(world.sink.n_dead, n_dead);
}

static void begins_again_when_a_seam_was_interrupted(void **state) {
	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	world.rules_hash++;
	/* Long enough to begin the new journal, not to finish it. */
	lane_start();
	for (int i = 0; i < 8; i++)
		assert_true(lane_turn(world.lane));
	lane_stop();
	assert_false(journal_says("\"decision\":\"seam\""));
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"decision\":\"seam\""));
}

/* Entries from @from on, of which each was made by a seam. */
static void assert_all_from_seam(size_t from) {
	for (size_t i = from; i < world.sink.n_entries; i++)
		assert_non_null(
			strstr(world.sink.entries[i], "\"why\":\"seam\""));
}

static void takes_a_new_topic_silently_up_to_the_seam(void **state) {
	(void)state;
	world.n_partitions = 1;
	pay(0, "U-1", 1);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	rules_are(with_orders);
	world.log[1].is.topic = "orders";
	world.n_partitions = 2;
	for (int i = 0; i < 3; i++)
		pay(1, "U-1", i);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_int_equal(world.sink.n_entries, 1);
	assert_all_from_seam(0);
	assert_true(journal_says("\"seam\":\"rules changed\""));
}

static size_t journals(void) {
	uint32_t *numbers;
	size_t n;

	assert_int_equal(statedir_journals(world.state, &numbers, &n), 0);
	free(numbers);
	return n;
}

static void
takes_silently_what_lies_behind_a_journal_that_ended_early(void **state) {
	size_t n;

	(void)state;
	pay(0, "U-1", 1);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	keep_state("cp -r state backup");
	for (int i = 0; i < 300; i++)
		pay(0, "U-2", i);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	n = world.sink.n_entries;
	assert_true(n > 0);
	keep_state("rm -rf state && mv backup state");
	/* The first seam gets no further than its journal's beginning. */
	lane_start();
	while (journals() < 2)
		assert_true(lane_turn(world.lane));
	lane_stop();
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"seam\":\"journal ended early\""));
	assert_true(world.sink.n_entries > n);
	assert_all_from_seam(n);
}

static void
notices_by_a_dead_letter_that_its_journal_ended_early(void **state) {
	(void)state;
	pay(0, "U-1", 1);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	keep_state("cp -r state backup");
	for (int i = 0; i < 5; i++)
		produce(0, "bad");
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	keep_state("rm -rf state && mv backup state");
	produce(0, "unheard of");
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_int_equal(world.sink.dead[world.sink.n_dead - 1].offset, 6);
	assert_true(journal_says("\"seam\":\"journal ended early\""));
}

static void makes_a_seam_when_its_state_was_lost(void **state) {
	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	snprintf(world.state, sizeof(world.state), "%s/fresh", world.dir);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"seam\":\"state directory lost\""));
	assert_true(journal_says("\"decision\":\"seam\""));
}

static void makes_a_seam_when_the_log_has_expired(void **state) {
	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	world.log[0].is.low = 50;
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"seam\":\"log changed\""));
	assert_true(journal_says("\"partition\":0,\"offset\":50"));
}

static void makes_a_seam_when_the_log_is_cut_under_it(void **state) {
	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	world.log[0].is.low = (int64_t)world.log[0].n;
	world.log[0].is.gone = true;
	pay(0, "U-1", 100000);
	usleep(150000);
	assert_true(lane_turn(world.lane));
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"seam\":\"log changed\""));
}

static void turns(int n) {
	for (int i = 0; i < n; i++)
		assert_true(lane_turn(world.lane));
}

static void makes_a_seam_when_a_topic_is_deleted_under_it(void **state) {
	size_t n;

	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	n = world.sink.n_entries;
	/* It may be gone for a moment only. */
	world.log[1].is.missing = true;
	world.later += 200 * USEC_PER_MSEC;
	turns(2);
	world.log[1].is.missing = false;
	world.later += 200 * USEC_PER_MSEC;
	turns(2);
	world.log[1].is.missing = true;
	world.later += 200 * USEC_PER_MSEC;
	turns(2);
	assert_int_equal(journals(), 1);
	world.later += 200 * USEC_PER_MSEC;
	while (journals() < 2)
		turns(1);
	/* What is left of the log is one partition. */
	world.n_partitions = 1;
	assert_true(lane_rest());
	assert_true(world.sink.n_entries > n);
	assert_all_from_seam(n);
	/* And when the other one is there again, it is as good as new. */
	world.n_partitions = 2;
	world.log[1].is.missing = false;
	world.later += 200 * USEC_PER_MSEC;
	turns(2);
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"seam\":\"log changed\""));
	assert_true(journal_says("\"partition\":1,\"offset\":0"));
}

static void does_not_hold_a_seam_for_a_topic_that_is_deleted(void **state) {
	(void)state;
	pay_for_a_day();
	snprintf(world.state, sizeof(world.state), "%s/fresh", world.dir);
	world.sink.fence = (struct sink_fence){ .exists = true, .mark = 5 };
	world.log[1].hangs = true;
	lane_start();
	while (!journals())
		turns(1);
	world.later += 200 * USEC_PER_MSEC;
	turns(5);
	world.log[1].is.missing = true;
	world.later += 200 * USEC_PER_MSEC;
	turns(5);
	world.later += 200 * USEC_PER_MSEC;
	turns(5);
	world.n_partitions = 1;
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"decision\":\"seam\",\"reason\":\"log "
				 "changed\""));
}

static void waits_for_a_partition_that_the_broker_forgot(void **state) {
	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	world.n_partitions = 1;
	lane_start();
	for (int i = 0; i < 20; i++)
		assert_true(lane_turn(world.lane));
	world.n_partitions = 2;
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"seam\":null"));
}

static void takes_in_a_partition_that_appears(void **state) {
	(void)state;
	world.n_partitions = 1;
	pay(0, "U-1", 1);
	pay(1, "U-1", 2);
	pay(1, "U-1", 3);
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(world.sink.n_entries, 0);
	world.n_partitions = 2;
	usleep(150000);
	assert_true(lane_rest());
	assert_int_equal(world.sink.n_entries, 1);
}

static void makes_a_seam_when_the_journal_ended_early(void **state) {
	(void)state;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	world.sink.fence.mark += 3;
	world.sink.fence.has_hash = false;
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"seam\":\"journal ended early\""));
	assert_true(journal_says("\"seq\":43,"));
}

static void halts_at_a_loss_if_told_so(void **state) {
	(void)state;
	world.loss_halts = true;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	empty_sink();
	world.sink.state = SINK_AWAY;
	for (int i = 0; i < 3; i++)
		lane_turn(world.lane);
	assert_int_equal(lane_run(world.lane), LANE_HALTED);
	lane_stop();
	/* And at the next start as well. */
	world.sink.fence = (struct sink_fence){ 0 };
	lane_start();
	for (int i = 0; i < 5; i++)
		lane_turn(world.lane);
	assert_int_equal(lane_run(world.lane), LANE_HALTED);
}

static void let_pass(int64_t span) {
	world.later += span;
	for (int i = 0; i < 10; i++)
		assert_true(lane_turn(world.lane));
}

/* S2.3: all idle, and the clock goes on once a minute, max_delay behind. */
static void lets_time_go_on_when_nothing_comes(void **state) {
	(void)state;
	pay(0, "U-1", 86000);
	pay(1, "U-1", 86001);
	lane_start();
	assert_true(lane_rest());
	let_pass(9 * USEC_PER_MIN);
	let_pass(2 * USEC_PER_MIN);
	let_pass(2 * USEC_PER_MIN);
	pay(0, "U-1", 87000);
	let_pass(USEC_PER_MIN / 2);
	let_pass(2 * USEC_PER_MIN);
	lane_stop();
	assert_true(journal_says("\"decision\":\"live\"}\n"
				 "{\"ordinal\":7,\"decision\":\"idle\","
				 "\"topic\":\"pays\",\"partition\":0}\n"
				 "{\"ordinal\":8,\"decision\":\"idle\","
				 "\"topic\":\"pays\",\"partition\":1}\n"
				 "{\"ordinal\":9,\"decision\":\"advance\","
				 "\"at\":1767312600000000}\n"
				 "{\"ordinal\":10,\"decision\":\"advance\","
				 "\"at\":1767312720000000}\n"
				 "{\"ordinal\":11,\"run\":"));
}

static void keeps_still_when_the_data_are_old(void **state) {
	(void)state;
	pay(0, "U-1", -7 * 86400);
	lane_start();
	assert_true(lane_rest());
	let_pass(11 * USEC_PER_MIN);
	let_pass(2 * USEC_PER_MIN);
	lane_stop();
	assert_true(journal_says("\"idle\""));
	assert_false(journal_says("\"advance\""));
}

static void says_at_once_whether_it_is_ready(void **state) {
	(void)state;
	pay(0, "U-1", 1);
	lane_start();
	assert_true(lane_rest());
	turns(1);
	assert_null(world.reported);
	for (int i = 0; i < 3; i++) {
		world.sink.away = true;
		turns(1);
		assert_string_equal(world.reported, "redis: not connected");
		world.sink.away = false;
		turns(2);
		assert_null(world.reported);
	}
}

static void tells_of_each_transition_once_it_is_delivered(void **state) {
	(void)state;
	for (int i = 0; i < 5; i++)
		pay(0, "U-1", i);
	lane_start();
	assert_true(lane_rest());
	turns(1);
	assert_string_equal(buf_cstr(&world.delivered), "1 fired yellow;");
	/* What a replay makes again was told of before. */
	lane_stop();
	lane_start();
	assert_true(lane_rest());
	for (int i = 0; i < 5; i++)
		pay(0, "U-2", i);
	assert_true(lane_rest());
	turns(1);
	assert_string_equal(buf_cstr(&world.delivered),
			    "1 fired yellow;2 fired yellow;");
}

static int stop_pipe[2];

/* What stop() writes into, read by the lanes that are started next. */
static void open_stop(void) {
	assert_int_equal(pipe(stop_pipe), 0);
	world.stop_fd = stop_pipe[0];
}

static enum lane_end stop(void) {
	enum lane_end end;

	assert_int_equal(write(stop_pipe[1], "x", 1), 1);
	end = lane_run(world.lane);
	lane_stop();
	close(stop_pipe[0]);
	close(stop_pipe[1]);
	world.stop_fd = -1;
	return end;
}

static void says_so_when_it_ends_with_alerts_left(void **state) {
	(void)state;
	open_stop();
	for (int i = 0; i < 10; i++)
		pay(0, "U-1", i);
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(world.sink.n_entries, 1);
	world.sink.away = true;
	for (int i = 0; i < 10; i++)
		pay(0, "U-2", i);
	for (int i = 0; i < 5; i++)
		assert_true(lane_turn(world.lane));
	assert_int_equal(stop(), LANE_INCOMPLETE);
	world.sink.away = false;
	/* It is stopped before it has looked what is left. */
	open_stop();
	lane_start();
	assert_int_equal(stop(), LANE_INCOMPLETE);
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(world.sink.n_entries, 2);
}

static void has_nothing_to_deliver_before_its_first_life(void **state) {
	(void)state;
	open_stop();
	world.sink.away = true;
	lane_start();
	assert_true(lane_turn(world.lane));
	assert_int_equal(stop(), LANE_STOPPED);
}

/* The sink lost everything, and there was no time to send it again. */
static void says_so_when_it_ends_between_two_lives(void **state) {
	struct lane_view view;

	(void)state;
	open_stop();
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	keep_state("rm -r state/sent"); /* so it would have to be made again */
	empty_sink();
	world.sink.state = SINK_AWAY;
	do {
		assert_true(lane_turn(world.lane));
		lane_view(world.lane, &view);
	} while (!view.restarts);
	world.sink.away = true;
	assert_int_equal(stop(), LANE_INCOMPLETE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(rings_and_keeps_the_bad_events),
		TEST(adds_nothing_in_a_second_life),
		TEST(comes_to_the_same_after_any_ending),
		TEST(reads_partitions_side_by_side_by_event_time),
		TEST(goes_on_without_a_partition_that_sends_nothing),
		TEST(stops_reading_while_the_sink_is_away),
		TEST(sends_again_what_the_sink_has_lost),
		TEST(sends_the_end_again_that_the_sink_has_lost),
		TEST(halts_at_a_history_that_is_not_its_own),
		TEST(ends_when_another_has_taken_the_lane),
		TEST(refuses_a_state_folder_in_use),
		TEST(makes_a_seam_when_the_rules_have_changed),
		TEST(begins_again_when_a_seam_was_interrupted),
		TEST(takes_a_new_topic_silently_up_to_the_seam),
		TEST(takes_silently_what_lies_behind_a_journal_that_ended_early),
		TEST(notices_by_a_dead_letter_that_its_journal_ended_early),
		TEST(makes_a_seam_when_its_state_was_lost),
		TEST(makes_a_seam_when_the_log_has_expired),
		TEST(makes_a_seam_when_the_log_is_cut_under_it),
		TEST(makes_a_seam_when_a_topic_is_deleted_under_it),
		TEST(does_not_hold_a_seam_for_a_topic_that_is_deleted),
		TEST(waits_for_a_partition_that_the_broker_forgot),
		TEST(takes_in_a_partition_that_appears),
		TEST(makes_a_seam_when_the_journal_ended_early),
		TEST(halts_at_a_loss_if_told_so),
		TEST(lets_time_go_on_when_nothing_comes),
		TEST(keeps_still_when_the_data_are_old),
		TEST(says_at_once_whether_it_is_ready),
		TEST(tells_of_each_transition_once_it_is_delivered),
		TEST(says_so_when_it_ends_with_alerts_left),
		TEST(has_nothing_to_deliver_before_its_first_life),
		TEST(says_so_when_it_ends_between_two_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
