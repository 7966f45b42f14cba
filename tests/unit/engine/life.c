/*
 * The life of an alert over sliding windows, as timelines.
 */
#include "engine/world.h"

#define TOTAL                                                                  \
	WORLD_STREAMS                                                          \
	"rules:\n"                                                             \
	"- rule: total\n"                                                      \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"                                                       \
	"  window: 10d\n"                                                      \
	"  measure: {total: sum(amount), cnt: count()}\n"

/* S3: the window is (t - w, t]: what is exactly w old has left. */
static void an_entry_leaves_exactly_one_window_later(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOTAL "  alert_if: total >= 100\n"
			     "  cooldown: 0s\n");
	pay(&w, "U", "60", "2026-03-01T00:00:00Z");
	pay(&w, "U", "40", "2026-03-11T00:00:00Z");
	assert_alerts(&w, "");
	pay(&w, "U", "60", "2026-03-20T23:59:59Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-20T23:59:59Z "
			  "{\"total\":\"100.00\",\"cnt\":2}\n");
	advance(&w, "2026-03-20T23:59:59.999999Z");
	assert_alerts(&w, "");
	advance(&w, "2026-03-21T00:00:00Z");
	assert_alerts(&w, "resolved window yellow resolved U "
			  "@2026-03-21T00:00:00Z "
			  "{\"total\":\"60.00\",\"cnt\":1}\n");
	world_close(&w);
}

/* S4: what leaves can lower or resolve, never raise. */
static void rises_at_once_and_falls_after_the_cooldown(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOTAL "  alert_if: total >= 100\n"
			     "  level: {red: total >= 300, yellow: \"true\"}\n"
			     "  cooldown: 2d\n");
	pay(&w, "U", "100", "2026-03-01T00:00:00Z");
	pay(&w, "U", "250", "2026-03-02T00:00:00Z");
	pay(&w, "U", "-150", "2026-03-03T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T00:00:00Z "
			  "{\"total\":\"100.00\",\"cnt\":1}\n"
			  "raised condition red firing U "
			  "@2026-03-02T00:00:00Z "
			  "{\"total\":\"350.00\",\"cnt\":2}\n");
	advance(&w, "2026-03-05T00:00:00Z");
	assert_alerts(&w, "lowered condition yellow firing U "
			  "@2026-03-04T00:00:00Z "
			  "{\"total\":\"200.00\",\"cnt\":3}\n");
	world_close(&w);
}

/* S4: a firing withheld by cooldown comes when it ends, if still true. */
static void fires_when_the_cooldown_ends_if_it_is_still_true(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOTAL "  alert_if: total >= 100\n"
			     "  cooldown: 5d\n");
	pay(&w, "U", "100", "2026-03-01T00:00:00Z");
	pay(&w, "U", "-50", "2026-03-02T00:00:00Z");
	pay(&w, "U", "50", "2026-03-03T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T00:00:00Z "
			  "{\"total\":\"100.00\",\"cnt\":1}\n"
			  "resolved condition yellow resolved U "
			  "@2026-03-02T00:00:00Z "
			  "{\"total\":\"50.00\",\"cnt\":2}\n");
	assert_int_equal(engine_rule_counters(w.engine, 0)->withheld_cooldown,
			 1);
	advance(&w, "2026-03-06T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-06T00:00:00Z "
			  "{\"total\":\"100.00\",\"cnt\":3}\n");
	world_close(&w);
}

/* S4: when the last entry leaves the alert ends, whatever resolve_if says. */
static void an_empty_window_resolves_in_spite_of_resolve_if(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOTAL "  alert_if: total >= 100\n"
			     "  resolve_if: total > 1000\n");
	pay(&w, "U", "100", "2026-03-01T00:00:00Z");
	advance(&w, "2026-03-20T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T00:00:00Z "
			  "{\"total\":\"100.00\",\"cnt\":1}\n"
			  "resolved window yellow resolved U "
			  "@2026-03-11T00:00:00Z "
			  "{\"total\":\"0.00\",\"cnt\":0}\n");
	world_close(&w);
}

/* S4: one `updated` when a measure changed and `refresh` has passed. */
static void is_updated_at_most_once_a_refresh(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOTAL "  alert_if: total >= 100\n"
			     "  refresh: 1d\n");
	pay(&w, "U", "100", "2026-03-01T00:00:00Z");
	pay(&w, "U", "1", "2026-03-01T23:59:59Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T00:00:00Z "
			  "{\"total\":\"100.00\",\"cnt\":1}\n");
	pay(&w, "U", "1", "2026-03-02T00:00:00Z");
	assert_alerts(&w, "updated condition yellow firing U "
			  "@2026-03-02T00:00:00Z "
			  "{\"total\":\"102.00\",\"cnt\":3}\n");
	world_close(&w);
}

/* S2, S3: an older event goes to its place, the key is judged at its clock. */
static void events_in_any_order_end_in_the_same_window(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOTAL "  alert_if: total >= 100\n");
	pay(&w, "U", "50", "2026-03-05T00:00:00Z");
	pay(&w, "U", "50", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "fired late yellow firing U "
			  "@2026-03-01T00:00:00Z "
			  "{\"total\":\"100.00\",\"cnt\":2}\n");
	advance(&w, "2026-03-11T00:00:00Z");
	assert_alerts(&w, "resolved window yellow resolved U "
			  "@2026-03-11T00:00:00Z "
			  "{\"total\":\"50.00\",\"cnt\":1}\n");
	pay(&w, "U", "500", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "");
	assert_int_equal(engine_rule_counters(w.engine, 0)->out_of_window, 1);
	world_close(&w);
}

static void late_events_are_dropped_where_the_rule_says_so(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOTAL "  alert_if: total >= 100\n"
			     "  late: drop\n");
	pay(&w, "U", "50", "2026-03-05T00:00:00Z");
	pay(&w, "U", "50", "2026-03-04T23:59:59Z");
	assert_alerts(&w, "");
	assert_int_equal(engine_rule_counters(w.engine, 0)->late_dropped, 1);
	world_close(&w);
}

#define BIG                                                                    \
	WORLD_STREAMS "rules:\n"                                               \
		      "- rule: big\n"                                          \
		      "  title: t\n"                                           \
		      "  from: pays\n"                                         \
		      "  by: [unit]\n"                                         \
		      "  alert_if: amount > 10\n"                              \
		      "  review_within: 30d\n"

/* S4: per: event - each satisfying event is one alert, open for review. */
static void each_event_is_an_alert_until_its_review_ends(void **state) {
	struct world w;

	(void)state;
	world_open(&w, BIG);
	pay(&w, "U", "11", "2026-03-01T00:00:00Z");
	pay(&w, "U", "10", "2026-03-01T00:00:00Z");
	pay(&w, "U", "12", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "fired condition yellow resolved U "
			  "@2026-03-01T00:00:00Z {}\n"
			  "fired condition yellow resolved U "
			  "@2026-03-01T00:00:00Z {}\n");
	assert_int_equal(engine_rule_counters(w.engine, 0)->open, 2);
	advance(&w, "2026-03-31T00:00:00Z");
	assert_alerts(&w, "updated window yellow resolved U "
			  "@2026-03-31T00:00:00Z {}\n"
			  "updated window yellow resolved U "
			  "@2026-03-31T00:00:00Z {}\n");
	assert_int_equal(engine_rule_counters(w.engine, 0)->open, 0);
	world_close(&w);
}

/* S2.11: what is due already fires with the next event kept, or decision. */
static void a_late_alert_s_review_ends_with_the_next_input(void **state) {
	static const char closed[] = "updated window yellow resolved U "
				     "@2026-03-31T00:00:00Z {}\n";
	static const char fired[] = "fired late yellow resolved U "
				    "@2026-03-01T00:00:00Z {}\n";
	struct world w;

	(void)state;
	world_open(&w, BIG);
	pay(&w, "U", "1", "2026-06-01T00:00:00Z");
	pay(&w, "U", "11", "2026-03-01T00:00:00Z");
	assert_alerts(&w, fired);
	world_take(&w, "no event");
	assert_alerts(&w, "");
	pay(&w, "U", "1", "2026-06-01T00:00:00Z");
	assert_alerts(&w, closed);
	pay(&w, "U", "11", "2026-03-01T00:00:00Z");
	assert_alerts(&w, fired);
	world_decide(&w, DECISION_CATCH_UP, NULL, 0);
	assert_alerts(&w, closed);
	world_close(&w);
}

/* S3: a coarser measure's change re-judges what stands beneath; no raise. */
static void a_coarser_key_moves_the_alerts_beneath_it(void **state) {
	struct world w;

	(void)state;
	world_open(&w, WORLD_STREAMS
		   "rules:\n"
		   "- rule: share\n"
		   "  title: t\n"
		   "  from: pays\n"
		   "  by: [unit, payee]\n"
		   "  window: 10d\n"
		   "  measure: {mine: count(), all: {agg: count(), by: "
		   "[unit]}}\n"
		   "  alert_if: mine >= 2 && ratio(mine, all) >= 0.5\n"
		   "  cooldown: 0s\n");
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", ",\"payee\":\"P\"");
	pay_with(&w, "U", "1", "2026-03-02T00:00:00Z", ",\"payee\":\"P\"");
	assert_alerts(&w, "fired condition yellow firing U / P "
			  "@2026-03-02T00:00:00Z {\"mine\":2,\"all\":2}\n");
	pay_with(&w, "U", "1", "2026-03-02T12:00:00Z", ",\"payee\":\"Q\"");
	pay_with(&w, "U", "1", "2026-03-02T12:00:00Z", ",\"payee\":\"R\"");
	assert_alerts(&w, "");
	pay_with(&w, "U", "1", "2026-03-03T00:00:00Z", ",\"payee\":\"S\"");
	assert_alerts(&w, "resolved condition yellow resolved U / P "
			  "@2026-03-03T00:00:00Z {\"mine\":2,\"all\":5}\n");
	world_close(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_leaves_exactly_one_window_later),
		cmocka_unit_test(rises_at_once_and_falls_after_the_cooldown),
		cmocka_unit_test(
			fires_when_the_cooldown_ends_if_it_is_still_true),
		cmocka_unit_test(
			an_empty_window_resolves_in_spite_of_resolve_if),
		cmocka_unit_test(is_updated_at_most_once_a_refresh),
		cmocka_unit_test(events_in_any_order_end_in_the_same_window),
		cmocka_unit_test(
			late_events_are_dropped_where_the_rule_says_so),
		cmocka_unit_test(each_event_is_an_alert_until_its_review_ends),
		cmocka_unit_test(
			a_late_alert_s_review_ends_with_the_next_input),
		cmocka_unit_test(a_coarser_key_moves_the_alerts_beneath_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
