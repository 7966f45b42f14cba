/*
 * Windows: what is in them, when it leaves, and what an end means.
 */
#include "engine/world.h"

#define TOP                                                                    \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars:\n"                                                         \
	"  cn: {tz: Asia/Shanghai, fiscal_year: 04-01}\n"                      \
	"streams:\n"

#define PAYS(delay)                                                            \
	"  pays:\n"                                                            \
	"    topic: pays\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: " delay "\n"                                           \
	"    fields: {unit: string, payee: string optional, amount: "          \
	"money(CNY), x: double optional, n: int optional, at: timestamp}\n"

#define RULE                                                                   \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"

/* S3.4 */
static void panes_begin_at_midnight_of_the_zone(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("0s") RULE "  window: {sliding: 4d, panes: 4}\n"
					   "  measure: {cnt: count()}\n"
					   "  alert_if: cnt >= 2\n");
	pay(&w, "U", "1", "2026-03-01T15:59:59.999999Z");
	pay(&w, "U", "1", "2026-03-04T15:59:59.999999Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-04T15:59:59.999999Z {\"cnt\":2}\n");
	advance(&w, "2026-03-04T16:00:00Z");
	assert_alerts(&w, "resolved window yellow resolved U "
			  "@2026-03-04T16:00:00Z {\"cnt\":1}\n");
	pay(&w, "V", "1", "2026-03-05T16:00:00Z");
	pay(&w, "V", "1", "2026-03-08T16:00:00Z");
	assert_alerts(&w, "fired condition yellow firing V "
			  "@2026-03-08T16:00:00Z {\"cnt\":2}\n");
	pay(&w, "V", "1", "2026-03-09T16:00:00Z");
	assert_alerts(&w, "resolved window yellow resolved V "
			  "@2026-03-09T16:00:00Z {\"cnt\":1}\n"
			  "fired condition yellow firing V "
			  "@2026-03-09T16:00:00Z {\"cnt\":2}\n");
	world_close(&w);
}

/* S3.4: an older event goes to its own pane, if that is still there. */
static void an_older_event_goes_to_its_own_pane(void **state) {
	struct world w;

	(void)state;
	world_open(&w,
		   TOP PAYS("10d") RULE "  window: {sliding: 4d, panes: 4}\n"
					"  measure: {cnt: count()}\n"
					"  alert_if: cnt >= 2\n");
	pay(&w, "U", "1", "2026-03-05T00:00:00Z");
	pay(&w, "U", "1", "2026-03-01T15:59:59Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->out_of_window, 1);
	pay(&w, "U", "1", "2026-03-01T16:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T16:00:00Z {\"cnt\":2}\n");
	world_close(&w);
}

/* S4.9: only what left makes a window empty, not sums that cancel out. */
static void panes_whose_sums_cancel_out_are_not_empty(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("0s") RULE "  window: {sliding: 4d, panes: 4}\n"
					   "  measure: {total: sum(amount)}\n"
					   "  alert_if: total <= 0\n"
					   "  evidence: 0\n");
	pay(&w, "U", "5", "2026-03-01T00:00:00Z");
	pay(&w, "U", "-5", "2026-03-01T00:00:01Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T00:00:01Z {\"total\":\"0.00\"}\n");
	pay(&w, "U", "0", "2026-03-02T00:00:00Z");
	assert_alerts(&w, "");
	advance(&w, "2026-03-05T16:00:00Z");
	assert_alerts(&w, "resolved window yellow resolved U "
			  "@2026-03-05T16:00:00Z {\"total\":\"0.00\"}\n");
	world_close(&w);
}

/* S3.6, S3.7, S3.8 */
static void each_tumbling_period_has_an_alert_of_its_own(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("2d") RULE "  window: {tumble: 1d}\n"
					   "  measure: {total: sum(amount)}\n"
					   "  alert_if: total >= 100\n");
	pay(&w, "U", "60", "2026-03-01T16:00:00Z");
	pay(&w, "U", "90", "2026-03-02T16:00:00Z");
	assert_alerts(&w, "");
	/* To its own period, which is judged to date. */
	pay(&w, "U", "50", "2026-03-02T15:59:59Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-02T15:59:59Z {\"total\":\"110.00\"}\n");
	pay(&w, "U", "10", "2026-03-02T17:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-02T17:00:00Z {\"total\":\"100.00\"}\n");
	advance(&w, "2026-03-02T15:59:59.999999Z");
	assert_alerts(&w, "");
	advance(&w, "2026-03-02T16:00:00Z");
	assert_alerts(&w, "resolved period yellow resolved U "
			  "@2026-03-02T16:00:00Z {\"total\":\"110.00\"}\n");
	advance(&w, "2026-03-09T00:00:00Z");
	assert_alerts(&w, "resolved period yellow resolved U "
			  "@2026-03-03T16:00:00Z {\"total\":\"100.00\"}\n");
	world_close(&w);
}

/* S3.6: from the first microsecond of a period to its last. */
static void calendar_periods_begin_and_end_in_the_zone(void **state) {
	static const struct {
		const char *unit, *before, *start, *last, *end;
	} cases[] = {
		{ "day", "2026-03-01T15:59:59.999999Z", "2026-03-01T16:00:00Z",
		  "2026-03-02T15:59:59.999999Z", "2026-03-02T16:00:00Z" },
		{ "week", "2026-03-01T15:59:59.999999Z", "2026-03-01T16:00:00Z",
		  "2026-03-08T15:59:59.999999Z", "2026-03-08T16:00:00Z" },
		{ "month", "2026-01-31T15:59:59.999999Z",
		  "2026-01-31T16:00:00Z", "2026-02-28T15:59:59.999999Z",
		  "2026-02-28T16:00:00Z" },
		{ "quarter", "2026-03-31T15:59:59.999999Z",
		  "2026-03-31T16:00:00Z", "2026-06-30T15:59:59.999999Z",
		  "2026-06-30T16:00:00Z" },
		{ "year", "2025-12-31T15:59:59.999999Z", "2025-12-31T16:00:00Z",
		  "2026-12-31T15:59:59.999999Z", "2026-12-31T16:00:00Z" },
		{ "fiscal_year", "2026-03-31T15:59:59.999999Z",
		  "2026-03-31T16:00:00Z", "2027-03-31T15:59:59.999999Z",
		  "2027-03-31T16:00:00Z" },
	};
	char yaml[2048], expected[512];
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(yaml, sizeof(yaml),
			 TOP PAYS("0s") RULE "  window: {calendar: %s}\n"
					     "  measure: {cnt: count()}\n"
					     "  alert_if: cnt >= 2\n",
			 cases[i].unit);
		world_open(&w, yaml);
		pay(&w, "U", "1", cases[i].before);
		pay(&w, "U", "1", cases[i].start);
		assert_alerts(&w, "");
		pay(&w, "U", "1", cases[i].last);
		pay(&w, "U", "1", cases[i].end);
		snprintf(expected, sizeof(expected),
			 "fired condition yellow firing U @%s {\"cnt\":2}\n"
			 "resolved period yellow resolved U @%s {\"cnt\":2}\n",
			 cases[i].last, cases[i].end);
		assert_alerts(&w, expected);
		world_close(&w);
	}
}

/* S3.8: what became true without an event is found at the period's end. */
static void a_period_is_judged_once_more_at_its_end(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("0s") RULE
		   "  window: {calendar: day}\n"
		   "  measure: {total: sum(amount)}\n"
		   "  alert_if: now >= timestamp("
		   "'2026-03-02T16:00:00Z') && total > 0\n");
	pay(&w, "U", "7", "2026-03-02T03:00:00Z");
	assert_alerts(&w, "");
	advance(&w, "2026-03-02T16:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-02T16:00:00Z {\"total\":\"7.00\"}\n"
			  "resolved period yellow resolved U "
			  "@2026-03-02T16:00:00Z {\"total\":\"7.00\"}\n");
	world_close(&w);
}

/* S3.8: the level and the values stay, whatever resolve_if says. */
static void a_period_s_end_keeps_level_and_values(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("0s") RULE
		   "  window: {calendar: day}\n"
		   "  measure: {total: sum(amount)}\n"
		   "  alert_if: total > 10\n"
		   "  level: {red: total > 20, yellow: \"true\"}\n"
		   "  resolve_if: total < 0\n"
		   "  cooldown: 10d\n");
	pay(&w, "U", "30", "2026-03-02T03:00:00Z");
	pay(&w, "U", "-15", "2026-03-02T04:00:00Z");
	pay(&w, "U", "11", "2026-03-02T16:00:00Z");
	/* The cooldown is of the key and the period. */
	assert_alerts(&w, "fired condition red firing U "
			  "@2026-03-02T03:00:00Z {\"total\":\"30.00\"}\n"
			  "resolved period red resolved U "
			  "@2026-03-02T16:00:00Z {\"total\":\"15.00\"}\n"
			  "fired condition yellow firing U "
			  "@2026-03-02T16:00:00Z {\"total\":\"11.00\"}\n");
	world_close(&w);
}

/* S3.9 */
static void a_late_event_of_a_closed_period_is_not_judged(void **state) {
	struct world w;

	(void)state;
	world_open(&w,
		   TOP PAYS("0s") RULE "  window: {calendar: month}\n"
				       "  measure: {total: sum(amount)}\n"
				       "  baseline: {b: {of: total, over: 3, "
				       "stat: median, min_samples: 1}}\n"
				       "  alert_if: total >= 10\n"
				       "  let: {mid: b.mid}\n");
	pay(&w, "U", "1", "2026-02-10T00:00:00Z");
	pay(&w, "U", "1", "2026-03-03T00:00:00Z");
	pay(&w, "U", "99", "2026-02-20T00:00:00Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->late_closed, 1);
	assert_int_equal(counters(&w)->late, 1);
	pay(&w, "U", "9", "2026-03-31T00:00:00Z");
	assert_alerts(&w,
		      "fired condition yellow firing U @2026-03-31T00:00:00Z "
		      "{\"total\":\"10.00\",\"mid\":\"100.00\"}\n");
	world_close(&w);
}

/* S3.10, S2.10 */
static void the_last_n_are_no_older_than_max(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("10d") RULE
		   "  window: {last: 3, max: 10d}\n"
		   "  measure: {total: sum(amount), top: max(amount)}\n"
		   "  alert_if: total >= 90\n"
		   "  cooldown: 0s\n"
		   "  refresh: 90d\n");
	pay(&w, "U", "50", "2026-03-01T00:00:00Z");
	pay(&w, "U", "20", "2026-03-02T00:00:00Z");
	pay(&w, "U", "30", "2026-03-03T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-03T00:00:00Z "
			  "{\"total\":\"100.00\",\"top\":\"50.00\"}\n");
	pay(&w, "U", "40", "2026-03-04T00:00:00Z");
	assert_alerts(&w, "");
	pay(&w, "U", "500", "2026-03-01T12:00:00Z"); /* three are newer */
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->out_of_window, 1);
	pay(&w, "U", "1", "2026-03-02T12:00:00Z"); /* the 20 has to go */
	assert_alerts(&w, "resolved condition yellow resolved U "
			  "@2026-03-02T12:00:00Z "
			  "{\"total\":\"71.00\",\"top\":\"40.00\"}\n");
	pay(&w, "U", "19", "2026-03-05T00:00:00Z");
	pay(&w, "U", "1", "2026-03-05T00:00:00Z");
	assert_alerts(&w, "");
	pay(&w, "U", "70", "2026-03-05T00:00:01Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-05T00:00:01Z "
			  "{\"total\":\"90.00\",\"top\":\"70.00\"}\n");
	advance(&w, "2026-03-14T23:59:59.999999Z");
	assert_alerts(&w, "");
	advance(&w, "2026-03-15T00:00:01Z");
	assert_alerts(&w, "resolved window yellow resolved U "
			  "@2026-03-15T00:00:00Z "
			  "{\"total\":\"70.00\",\"top\":\"70.00\"}\n");
	world_close(&w);
}

/* S3.11 */
static void without_a_window_nothing_leaves(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("0s") RULE "  per: key\n"
					   "  measure: {cnt: count()}\n"
					   "  alert_if: cnt >= 2\n");
	pay(&w, "U", "1", "1990-01-01T00:00:00Z");
	pay(&w, "U", "1", "2026-03-02T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-02T00:00:00Z {\"cnt\":2}\n");
	advance(&w, "2036-03-02T00:00:00Z");
	assert_alerts(&w, "");
	world_close(&w);
}

/* S3.15 */
static void latest_is_of_the_key_and_last_of_the_window(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("0s") RULE "  window: 10d\n"
					   "  measure: {a: latest(payee), "
					   "b: last(payee), c: count()}\n"
					   "  alert_if: c >= 1\n");
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", ",\"payee\":\"P\"");
	advance(&w, "2026-03-11T00:00:00Z");
	assert_alerts(&w,
		      "fired condition yellow firing U @2026-03-01T00:00:00Z "
		      "{\"a\":\"P\",\"b\":\"P\",\"c\":1}\n"
		      "resolved window yellow resolved U @2026-03-11T00:00:00Z "
		      "{\"a\":\"P\",\"b\":null,\"c\":0}\n");
	/* No payee: enters neither, and the key still knows the old one. */
	pay(&w, "U", "1", "2026-04-20T00:00:00Z");
	assert_alerts(&w,
		      "fired condition yellow firing U @2026-04-20T00:00:00Z "
		      "{\"a\":\"P\",\"b\":null,\"c\":1}\n");
	assert_int_equal(counters(&w)->argument_missing, 2);
	pay_with(&w, "U", "1", "2026-04-22T00:00:00Z", ",\"payee\":\"Q\"");
	pay_with(&w, "U", "1", "2026-04-21T00:00:00Z", ",\"payee\":\"R\"");
	assert_alerts(&w,
		      "updated condition yellow firing U @2026-04-22T00:00:00Z "
		      "{\"a\":\"Q\",\"b\":\"Q\",\"c\":2}\n");
	world_close(&w);
}

#define TWO_STREAMS                                                            \
	TOP PAYS("0s") "  lines:\n"                                            \
		       "    topic: lines\n"                                    \
		       "    time: day\n"                                       \
		       "    max_delay: 0s\n"                                   \
		       "    fields: {dept: string, amount: money(CNY), "       \
		       "note: string, day: timestamp}\n"

/* S3.14 */
static void an_aggregate_takes_the_events_of_its_alias(void **state) {
	struct world w;

	(void)state;
	world_open(&w,
		   TWO_STREAMS "rules:\n"
			       "- rule: r\n"
			       "  title: t\n"
			       "  from: {line: lines, pay: pays}\n"
			       "  by: {dep: {line: dept, pay: unit}}\n"
			       "  window: 10d\n"
			       "  measure: {budget: sum(line.amount), spent: "
			       "sum(pay.amount), cnt: count()}\n"
			       "  let: {memo: \"default(line.note, 'none')\", "
			       "who: \"default(pay.payee, 'none')\"}\n"
			       "  alert_if: cnt >= 2\n"
			       "  refresh: 0s\n");
	world_take_in(&w, "lines", 0,
		      "{\"dept\":\"U\",\"amount\":100,\"note\":\"N\","
		      "\"day\":\"2026-03-01T00:00:00Z\"}");
	pay_with(&w, "U", "30", "2026-03-02T00:00:00Z", ",\"payee\":\"P\"");
	assert_alerts(&w,
		      "fired condition yellow firing U @2026-03-02T00:00:00Z "
		      "{\"budget\":\"100.00\",\"spent\":\"30.00\",\"cnt\":2,"
		      "\"memo\":\"none\",\"who\":\"P\"}\n");
	world_take_in(&w, "lines", 0,
		      "{\"dept\":\"U\",\"amount\":1,\"note\":\"M\","
		      "\"day\":\"2026-03-03T00:00:00Z\"}");
	assert_alerts(&w,
		      "updated condition yellow firing U @2026-03-03T00:00:00Z "
		      "{\"budget\":\"101.00\",\"spent\":\"30.00\",\"cnt\":3,"
		      "\"memo\":\"M\",\"who\":\"none\"}\n");
	world_close(&w);
}

static void assert_last_record_has(struct world *world, const char *text) {
	struct outbox *outbox = engine_outbox(world->engine);

	assert_true(outbox->n);
	if (!strstr(outbox_at(outbox, outbox->n - 1)->json, text))
		fail_msg("no %s in %s", text,
			 outbox_at(outbox, outbox->n - 1)->json);
}

/* S3.3: four are kept; the fifth makes three of them a pane. */
static void too_many_entries_are_merged_into_panes(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("0s") RULE "  window: 64d\n"
					   "  measure: {cnt: count(), total: "
					   "sum(amount)}\n"
					   "  alert_if: cnt >= 5\n"
					   "  max_entries: 4\n"
					   "  cooldown: 0s\n");
	pay(&w, "U", "1", "2026-03-01T16:00:00Z");
	pay(&w, "U", "2", "2026-03-01T17:00:00Z");
	pay(&w, "U", "4", "2026-03-01T18:00:00Z");
	pay(&w, "U", "8", "2026-03-01T19:00:00Z");
	assert_int_equal(counters(&w)->merged, 0);
	pay(&w, "U", "16", "2026-03-01T20:00:00Z");
	assert_int_equal(counters(&w)->merged, 3);
	assert_last_record_has(&w, "\"merged\":3,\"lost\":0");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T20:00:00Z "
			  "{\"cnt\":5,\"total\":\"31.00\"}\n");
	/* The raw ones leave exactly, the pane when all of it has left. */
	advance(&w, "2026-05-04T18:59:59.999999Z");
	assert_alerts(&w, "");
	advance(&w, "2026-05-04T19:00:00Z");
	assert_alerts(&w, "resolved window yellow resolved U "
			  "@2026-05-04T19:00:00Z "
			  "{\"cnt\":4,\"total\":\"23.00\"}\n");
	pay(&w, "U", "32", "2026-05-05T15:59:59.999998Z");
	assert_alerts(&w, "");
	pay(&w, "U", "64", "2026-05-05T15:59:59.999998Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-05-05T15:59:59.999998Z "
			  "{\"cnt\":5,\"total\":\"103.00\"}\n");
	advance(&w, "2026-05-05T15:59:59.999999Z");
	assert_alerts(&w, "resolved window yellow resolved U "
			  "@2026-05-05T15:59:59.999999Z "
			  "{\"cnt\":2,\"total\":\"96.00\"}\n");
	world_close(&w);
}

/* S3.3: where the aggregates cannot, the oldest leave. */
static void what_cannot_be_merged_leaves(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("0s") RULE "  window: 64d\n"
					   "  measure: {cnt: count(), m: "
					   "median(amount)}\n"
					   "  alert_if: m >= 12\n"
					   "  max_entries: 4\n");
	pay(&w, "U", "1", "2026-03-01T16:00:00Z");
	pay(&w, "U", "2", "2026-03-01T17:00:00Z");
	pay(&w, "U", "4", "2026-03-01T18:00:00Z");
	pay(&w, "U", "8", "2026-03-01T19:00:00Z");
	pay(&w, "U", "16", "2026-03-01T20:00:00Z");
	assert_int_equal(counters(&w)->lost, 3);
	assert_last_record_has(&w, "\"merged\":0,\"lost\":3");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T20:00:00Z "
			  "{\"cnt\":2,\"m\":\"12.00\"}\n");
	world_close(&w);
}

/* S3.3: in a period, what folds keeps all; only raw entries are too many. */
static void a_period_loses_only_raw_entries(void **state) {
	struct world w;

	(void)state;
	world_open(&w,
		   TOP PAYS("0s") RULE "  window: {calendar: month}\n"
				       "  measure: {top: max(amount), m: "
				       "median(amount), who: first(payee)}\n"
				       "  alert_if: m >= 7\n"
				       "  max_entries: 4\n");
	pay_with(&w, "U", "9", "2026-03-01T16:00:00Z", ",\"payee\":\"P\"");
	advance(&w, "2026-03-31T15:59:59Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T16:00:00Z {\"top\":\"9.00\","
			  "\"m\":\"9.00\",\"who\":\"P\"}\n");
	pay(&w, "V", "9", "2026-03-31T15:59:59Z");
	pay(&w, "V", "1", "2026-03-31T15:59:59Z");
	pay(&w, "V", "1", "2026-03-31T15:59:59Z");
	pay(&w, "V", "1", "2026-03-31T15:59:59Z");
	pay(&w, "V", "1", "2026-03-31T15:59:59Z");
	assert_alerts(&w, "fired condition yellow firing V "
			  "@2026-03-31T15:59:59Z {\"top\":\"9.00\","
			  "\"m\":\"9.00\",\"who\":null}\n"
			  "resolved condition yellow resolved V "
			  "@2026-03-31T15:59:59Z {\"top\":\"9.00\","
			  "\"m\":\"5.00\",\"who\":null}\n");
	assert_int_equal(counters(&w)->lost, 3);
	/* All of it can be given back. */
	advance(&w, "2027-01-01T00:00:00Z");
	assert_int_equal(engine_plan_counters(w.engine, 0)->keys, 0);
	world_close(&w);
}

/* S3.13: lists of alerts beneath hold those of several rules. */
static void rules_share_a_coarser_key_and_keep_their_alerts(void **state) {
	static const char *const more[] = { ",\"payee\":\"P\"",
					    ",\"payee\":\"Q\"" };
	struct world w;
	size_t i;

	(void)state;
	world_open(&w,
		   TOP PAYS("0s") "rules:\n"
				  "- rule: a\n"
				  "  title: t\n"
				  "  from: pays\n"
				  "  by: [unit, payee]\n"
				  "  window: 10d\n"
				  "  measure: {mine: count(), u: {agg: "
				  "count(), by: [unit]}, "
				  "p: {agg: count(), by: [payee]}}\n"
				  "  alert_if: mine >= 1 && u <= 2 && p <= 3\n"
				  "  refresh: 90d\n"
				  "- rule: b\n"
				  "  title: t\n"
				  "  from: pays\n"
				  "  by: [unit, payee]\n"
				  "  window: 10d\n"
				  "  measure: {mine: count(), p: {agg: "
				  "count(), by: "
				  "[payee]}}\n"
				  "  alert_if: mine >= 1 && p <= 3\n"
				  "  refresh: 90d\n");
	for (i = 0; i < 2; i++) {
		pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", more[i]);
		pay_with(&w, "V", "1", "2026-03-01T00:00:00Z", more[i]);
	}
	assert_int_equal(counters(&w)->open, 4);
	assert_int_equal(engine_rule_counters(w.engine, 1)->open, 4);
	alerts(&w);
	pay_with(&w, "X", "1", "2026-03-02T00:00:00Z", more[0]);
	alerts(&w);
	/* The fourth of P: all of P's fall, in the order of rule, then age. */
	pay_with(&w, "Y", "1", "2026-03-02T00:00:00Z", more[0]);
	assert_alerts(&w, "resolved condition yellow resolved U / P "
			  "@2026-03-02T00:00:00Z {\"mine\":1,\"u\":2,\"p\":4}\n"
			  "resolved condition yellow resolved V / P "
			  "@2026-03-02T00:00:00Z {\"mine\":1,\"u\":2,\"p\":4}\n"
			  "resolved condition yellow resolved X / P "
			  "@2026-03-02T00:00:00Z {\"mine\":1,\"u\":1,\"p\":4}\n"
			  "resolved condition yellow resolved U / P "
			  "@2026-03-02T00:00:00Z {\"mine\":1,\"p\":4}\n"
			  "resolved condition yellow resolved V / P "
			  "@2026-03-02T00:00:00Z {\"mine\":1,\"p\":4}\n"
			  "resolved condition yellow resolved X / P "
			  "@2026-03-02T00:00:00Z {\"mine\":1,\"p\":4}\n");
	pay_with(&w, "U", "1", "2026-03-02T00:00:00Z", more[1]);
	assert_alerts(&w,
		      "resolved condition yellow resolved U / Q "
		      "@2026-03-02T00:00:00Z {\"mine\":2,\"u\":3,\"p\":3}\n");
	advance(&w, "2027-01-01T00:00:00Z");
	assert_int_equal(counters(&w)->open, 0);
	assert_int_equal(engine_rule_counters(w.engine, 1)->open, 0);
	world_close(&w);
}

/* S3.13 */
static void beyond_open_max_only_own_events_judge(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP PAYS("0s") "rules:\n"
				      "- rule: a\n"
				      "  title: t\n"
				      "  from: pays\n"
				      "  by: [unit, payee]\n"
				      "  window: 10d\n"
				      "  measure: {mine: count(), u: {agg: "
				      "count(), by: [unit]}}\n"
				      "  alert_if: mine >= 1 && u <= 2\n"
				      "  open_max: 1\n");
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", ",\"payee\":\"P\"");
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", ",\"payee\":\"Q\"");
	assert_int_equal(counters(&w)->withheld_open_max, 1);
	alerts(&w);
	pay_with(&w, "U", "1", "2026-03-02T00:00:00Z", ",\"payee\":\"R\"");
	assert_alerts(&w, "resolved condition yellow resolved U / P "
			  "@2026-03-02T00:00:00Z {\"mine\":1,\"u\":3}\n");
	pay_with(&w, "U", "1", "2026-03-02T00:00:00Z", ",\"payee\":\"Q\"");
	assert_alerts(&w, "resolved condition yellow resolved U / Q "
			  "@2026-03-02T00:00:00Z {\"mine\":2,\"u\":4}\n");
	world_close(&w);
}

static void panes_that_do_not_divide_the_window_are_refused(void **state) {
	(void)state;
	assert_refused(TOP PAYS("0s") RULE
		       "  window: {sliding: 10d, panes: 7}\n"
		       "  measure: {cnt: count()}\n"
		       "  alert_if: cnt >= 2\n",
		       "multiple");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(panes_begin_at_midnight_of_the_zone),
		cmocka_unit_test(an_older_event_goes_to_its_own_pane),
		cmocka_unit_test(panes_whose_sums_cancel_out_are_not_empty),
		cmocka_unit_test(each_tumbling_period_has_an_alert_of_its_own),
		cmocka_unit_test(calendar_periods_begin_and_end_in_the_zone),
		cmocka_unit_test(a_period_is_judged_once_more_at_its_end),
		cmocka_unit_test(a_period_s_end_keeps_level_and_values),
		cmocka_unit_test(a_late_event_of_a_closed_period_is_not_judged),
		cmocka_unit_test(the_last_n_are_no_older_than_max),
		cmocka_unit_test(without_a_window_nothing_leaves),
		cmocka_unit_test(latest_is_of_the_key_and_last_of_the_window),
		cmocka_unit_test(an_aggregate_takes_the_events_of_its_alias),
		cmocka_unit_test(too_many_entries_are_merged_into_panes),
		cmocka_unit_test(what_cannot_be_merged_leaves),
		cmocka_unit_test(a_period_loses_only_raw_entries),
		cmocka_unit_test(
			rules_share_a_coarser_key_and_keep_their_alerts),
		cmocka_unit_test(beyond_open_max_only_own_events_judge),
		cmocka_unit_test(
			panes_that_do_not_divide_the_window_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
