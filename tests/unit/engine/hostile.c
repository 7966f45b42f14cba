/*
 * What a stranger can send: events that are right one by one and wicked
 * together. The engine neither falls nor stands still.
 */
#include "engine/world.h"

#define RULE                                                                   \
	WORLD_STREAMS "rules:\n"                                               \
		      "- rule: r\n"                                            \
		      "  title: {zh: 规则, en: rule}\n"                      \
		      "  from: pays\n"

static void pay_at(struct world *world, const char *unit, usec_t at,
		   const char *more) {
	struct buf time = { 0 };

	time_format_rfc3339(&time, at, NULL);
	pay_with(world, unit, "1.00", buf_cstr(&time), more);
	buf_free(&time);
	if (!outbox_has_room(engine_outbox(world->engine)))
		alerts(world);
}

static void a_window_that_fills_backwards_keeps_its_alert(void **state) {
	usec_t at = instant("2026-03-01T00:00:00Z");
	struct world world;
	int i;

	(void)state;
	world_open(&world, RULE "  by: [unit]\n"
				"  window: 1d\n"
				"  max_entries: 16\n"
				"  measure: {cnt: count()}\n"
				"  alert_if: cnt >= 1\n");
	for (i = 0; i < 70000; i++)
		pay_at(&world, "U", at - i, "");
	assert_int_equal(counters(&world)->fired, 1);
	alerts(&world);
	advance(&world, "2026-03-04T00:00:00Z");
	assert_non_null(strstr(alerts(&world), "resolved window"));
	assert_int_equal(counters(&world)->open, 0);
	world_close(&world);
}

/* The first that came is beyond open_max, and its coarser window empties. */
static void beyond_open_max_a_coarser_exit_is_not_waited_for(void **state) {
	struct world world;

	(void)state;
	world_open(&world,
		   RULE "  by: [unit, payee]\n"
			"  window: 10d\n"
			"  open_max: 1\n"
			"  cooldown: 0s\n"
			"  measure: {cnt: count(), all: {agg: count(), by: "
			"[unit]}}\n"
			"  alert_if: all >= 3 && cnt >= 1\n");
	pay_with(&world, "U", "1.00", "2026-03-01T00:00:00Z",
		 ",\"payee\":\"X\"");
	pay_with(&world, "U", "1.00", "2026-03-02T00:00:00Z",
		 ",\"payee\":\"A\"");
	pay_with(&world, "U", "1.00", "2026-03-03T00:00:00Z",
		 ",\"payee\":\"B\"");
	pay_with(&world, "U", "1.00", "2026-03-04T00:00:00Z",
		 ",\"payee\":\"A\"");
	assert_int_equal(counters(&world)->withheld_open_max, 1);
	alerts(&world);
	advance(&world, "2026-03-20T00:00:00Z");
	assert_int_equal(counters(&world)->open, 0);
	world_close(&world);
}

/* One clock that stood at 1970, or at the year 1, costs no time. */
static void an_ancient_event_does_not_hold_the_lane_up(void **state) {
	static const char *const first[] = { "0001-01-01T00:00:00Z",
					     "1970-01-01T00:00:00Z" };
	struct world world;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(first); i++) {
		world_open(&world, RULE "  by: [unit]\n"
					"  window: 1s\n"
					"  measure: {cnt: count()}\n"
					"  alert_if: cnt >= 2\n");
		pay(&world, "A", "1.00", first[i]);
		pay(&world, "B", "1.00", "2026-03-01T00:00:00Z");
		pay(&world, "C", "1.00", "2026-03-01T00:00:00Z");
		assert_int_equal(engine_plan_counters(world.engine, 0)->keys,
				 2);
		pay(&world, "C", "1.00", "9999-12-30T00:00:00Z");
		pay(&world, "D", "1.00", "9999-12-31T00:00:00Z");
		assert_int_equal(engine_plan_counters(world.engine, 0)->keys,
				 1);
		assert_alerts(&world, "");
		world_close(&world);
	}
}

/* Clock times that were over before the key was there are not its own. */
static void a_late_key_is_judged_at_no_clock_time_of_the_past(void **state) {
	struct world world;

	(void)state;
	world_open(&world, RULE "  by: [unit]\n"
				"  every: 1h\n"
				"  measure: {cnt: count()}\n"
				"  alert_if: cnt >= 2\n");
	pay(&world, "A", "1.00", "2026-03-01T00:30:00Z");
	pay(&world, "B", "1.00", "0001-01-01T00:00:00Z");
	assert_int_equal(counters(&world)->judged, 2);
	pay(&world, "A", "1.00", "2026-03-01T02:30:00Z");
	assert_int_equal(counters(&world)->judged, 2 + 4 + 1);
	world_close(&world);
}

/* S3.20: each in a session of its own, all of them open: the watermark stands.
 */
static void sessions_that_do_not_end_are_bounded(void **state) {
	usec_t at = instant("2026-03-01T00:00:00Z");
	struct world world;
	int i;

	(void)state;
	world_open(&world, RULE "  by: [unit]\n"
				"  window: {session: 1s}\n"
				"  max_entries: 64\n"
				"  open_max: 16\n"
				"  measure: {cnt: count()}\n"
				"  alert_if: cnt >= 1\n");
	world_decide(&world, DECISION_LIVE, NULL, 0);
	world_decide(&world, DECISION_PARTITION, "pays", 1);
	for (i = 0; i < 50000; i++)
		pay_at(&world, "U", at + i * 2 * USEC_PER_SEC, "");
	assert_int_equal(counters(&world)->fired, 16);
	assert_int_equal(counters(&world)->open, 16);
	assert_true(counters(&world)->withheld_open_max > 49000);
	assert_true(counters(&world)->lost > 49000);
	assert_true(engine_plan_counters(world.engine, 0)->entries <= 64);
	alerts(&world);
	/* Windows whose entries had to leave end with the next one. */
	advance(&world, "2026-03-03T00:00:00Z");
	assert_int_equal(counters(&world)->open, 0);
	world_close(&world);
}

static void closes_that_find_nothing_are_bounded(void **state) {
	usec_t at = instant("2026-03-01T00:00:00Z");
	struct world world;
	int i;

	(void)state;
	world_open(&world, RULE "  where: amount > 5\n"
				"  by: [unit]\n"
				"  window: {until: {as: end, from: pays}, max: "
				"10000y, judge: each}\n"
				"  max_entries: 64\n"
				"  measure: {cnt: count()}\n"
				"  alert_if: cnt >= 1\n");
	for (i = 0; i < 50000; i++)
		pay_at(&world, "U", at - i, "");
	assert_true(engine_plan_counters(world.engine, 0)->entries <= 64);
	assert_int_equal(counters(&world)->judged, 0);
	world_close(&world);
}

/* All that a time may be, with the longest windows there are. */
static void windows_as_long_as_time_do_not_overflow(void **state) {
	static const char *const times[] = {
		"0001-01-01T00:00:00Z",        "2026-03-01T00:00:00Z",
		"9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:01Z",
		"9999-12-31T23:59:59.999998Z", "2026-03-02T00:00:00Z"
	};
	static const char *const windows[] = {
		"{session: 3660000d}", "{session: 3660000d, max: 10000y}",
		"{until: {as: end, from: pays}, max: 10000y}",
		"{until: {as: end, from: pays}, max: 10000y, judge: each}"
	};
	char yaml[1024];
	struct world world;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(windows); i++) {
		snprintf(yaml, sizeof(yaml),
			 RULE "  by: [unit]\n"
			      "  window: %s\n"
			      "  measure: {total: sum(amount)}\n"
			      "  alert_if: total > 0\n",
			 windows[i]);
		world_open(&world, yaml);
		for (k = 0; k < ARRAY_SIZE(times); k++)
			pay(&world, "U", "1.00", times[k]);
		assert_int_equal(engine_plan_counters(world.engine, 0)->keys,
				 1);
		world_close(&world);
	}
}

static void a_measure_by_the_whole_key_is_its_own(void **state) {
	struct world world;

	(void)state;
	world_open(&world, RULE "  by: [unit]\n"
				"  per: key\n"
				"  measure: {cnt: {agg: count(), by: [unit]}}\n"
				"  alert_if: cnt >= 2\n");
	pay(&world, "A", "1.00", "2026-03-01T00:00:00Z");
	assert_alerts(&world, "");
	pay(&world, "A", "1.00", "2026-03-02T00:00:00Z");
	assert_alerts(&world, "fired condition yellow firing A "
			      "@2026-03-02T00:00:00Z {\"cnt\":2}\n");
	world_close(&world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_that_fills_backwards_keeps_its_alert),
		cmocka_unit_test(
			beyond_open_max_a_coarser_exit_is_not_waited_for),
		cmocka_unit_test(an_ancient_event_does_not_hold_the_lane_up),
		cmocka_unit_test(
			a_late_key_is_judged_at_no_clock_time_of_the_past),
		cmocka_unit_test(sessions_that_do_not_end_are_bounded),
		cmocka_unit_test(closes_that_find_nothing_are_bounded),
		cmocka_unit_test(windows_as_long_as_time_do_not_overflow),
		cmocka_unit_test(a_measure_by_the_whole_key_is_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
