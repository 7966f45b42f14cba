/*
 * Missing: what is not there, and who counts it.
 */
#include "engine/world.h"

#define RULE                                                                   \
	WORLD_STREAMS                                                          \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"

#define WINDOW                                                                 \
	RULE "  window: 10d\n"                                                 \
	     "  measure: {cnt: count()}\n"

/* S5.3 */
static void a_missing_verdict_is_skipped_and_counted(void **state) {
	struct world w;

	(void)state;
	world_open(&w, WINDOW "  alert_if: x > 1.0\n");
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->missing[MISSING_FIELD], 1);
	assert_int_equal(counters(&w)->judged, 1);
	world_close(&w);
}

/* S5.3: listed once, again when `refresh` has passed, until it is known. */
static void an_inconclusive_one_is_listed(void **state) {
	struct world w;

	(void)state;
	world_open(&w, WINDOW "  alert_if: x > 1.0\n"
			      "  on_missing: inconclusive\n");
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	pay(&w, "U", "1", "2026-03-01T23:59:59Z");
	assert_alerts(&w, "updated condition green inconclusive U "
			  "@2026-03-01T00:00:00Z {\"cnt\":1}\n");
	pay(&w, "U", "1", "2026-03-02T00:00:00Z");
	assert_alerts(&w, "updated condition green inconclusive U "
			  "@2026-03-02T00:00:00Z {\"cnt\":3}\n");
	assert_int_equal(counters(&w)->open, 0);
	pay_with(&w, "U", "1", "2026-03-02T01:00:00Z", ",\"x\":2.0");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-02T01:00:00Z {\"cnt\":4}\n");
	/* S4.12: it stands, whatever is missing now. */
	pay(&w, "U", "1", "2026-03-02T02:00:00Z");
	assert_alerts(&w, "");
	world_close(&w);
}

/* S5.3 */
static void a_missing_verdict_may_be_an_alert(void **state) {
	struct world w;

	(void)state;
	world_open(&w, WINDOW "  alert_if: x > 1.0\n"
			      "  on_missing: alert\n");
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T00:00:00Z {\"cnt\":1}\n");
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", ",\"x\":0.0");
	assert_alerts(&w, "resolved condition yellow resolved U "
			  "@2026-03-01T00:00:00Z {\"cnt\":2}\n");
	world_close(&w);
}

/* S4.10, S4.11 */
static void a_missing_band_is_passed_over_and_counted(void **state) {
	struct world w;

	(void)state;
	world_open(&w, WINDOW "  alert_if: cnt >= 1\n"
			      "  level: {yellow: cnt >= 2, red: x > 1.0}\n"
			      "  cooldown: 0s\n");
	/* None true, one missing: on_missing, which skips. */
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->band_missing, 1);
	assert_int_equal(counters(&w)->missing[MISSING_FIELD], 1);
	pay(&w, "U", "1", "2026-03-01T00:00:01Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T00:00:01Z {\"cnt\":2}\n");
	assert_int_equal(counters(&w)->band_missing, 2);
	assert_int_equal(counters(&w)->missing[MISSING_FIELD], 1);
	pay_with(&w, "U", "1", "2026-03-01T00:00:02Z", ",\"x\":2.0");
	assert_alerts(&w, "raised condition red firing U "
			  "@2026-03-01T00:00:02Z {\"cnt\":3}\n");
	world_close(&w);
}

/* S4.11: with `level` and no band true it keeps its level. */
static void without_a_band_an_alert_keeps_its_level(void **state) {
	struct world w;

	(void)state;
	world_open(&w, WINDOW "  alert_if: cnt >= 1\n"
			      "  level: {red: amount > 5, orange: amount > 3}\n"
			      "  cooldown: 0s\n");
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "");
	pay(&w, "U", "6", "2026-03-01T00:00:01Z");
	pay(&w, "U", "1", "2026-03-01T00:00:02Z");
	assert_alerts(&w, "fired condition red firing U "
			  "@2026-03-01T00:00:01Z {\"cnt\":2}\n");
	pay(&w, "U", "4", "2026-03-01T00:00:03Z");
	assert_alerts(&w, "lowered condition orange firing U "
			  "@2026-03-01T00:00:03Z {\"cnt\":4}\n");
	world_close(&w);
}

/* S5.6 */
static void an_event_without_the_argument_does_not_enter(void **state) {
	struct world w;

	(void)state;
	world_open(&w, RULE "  window: 10d\n"
			    "  measure: {m: mean(x), cnt: count(), "
			    "s: \"sum_if(x, amount > 1)\"}\n"
			    "  alert_if: cnt >= 3\n");
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", ",\"x\":2.0");
	pay(&w, "U", "2", "2026-03-01T00:00:00Z");
	pay_with(&w, "U", "2", "2026-03-01T00:00:00Z", ",\"x\":4.0");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T00:00:00Z "
			  "{\"m\":3,\"cnt\":3,\"s\":4}\n");
	assert_int_equal(counters(&w)->argument_missing, 2);
	world_close(&w);
}

/* S5.5 */
static void over_no_events_some_are_zero_and_others_missing(void **state) {
	struct world w;

	(void)state;
	world_open(&w,
		   RULE "  window: 10d\n"
			"  measure: {a: count(), b: count_if(amount > 0), "
			"c: sum(amount), d: \"sum_if(amount, amount > 0)\", "
			"e: distinct(payee), f: streak(payee), "
			"g: max_repeat(payee), h: mean(amount), "
			"i: min(amount), j: max(amount), k: median(amount), "
			"l: stdev(amount), m: variance(amount), o: cv(amount), "
			"p: \"quantile(amount, 0.9)\", q: first(amount), "
			"r: last(amount), s: share(amount > 0)}\n"
			"  alert_if: a >= 1\n");
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	alerts(&w);
	advance(&w, "2026-03-11T00:00:00Z");
	assert_alerts(&w,
		      "resolved window yellow resolved U @2026-03-11T00:00:00Z "
		      "{\"a\":0,\"b\":0,\"c\":\"0.00\",\"d\":\"0.00\",\"e\":0,"
		      "\"f\":0,\"g\":0,\"h\":null,\"i\":null,\"j\":null,"
		      "\"k\":null,\"l\":null,\"m\":null,\"o\":null,\"p\":null,"
		      "\"q\":null,\"r\":null,\"s\":null}\n");
	world_close(&w);
}

/* S5.1, S5.4 */
static void missing_travels_and_may_be_absorbed(void **state) {
	struct world w;

	(void)state;
	world_open(&w, RULE
		   "  window: 10d\n"
		   "  measure: {cnt: count(), none: count_if(amount < 0)}\n"
		   "  let: {q: \"ratio(cnt, none)\", d: \"default(q, 7.0)\", "
		   "h: has(q), y: x + 1.0}\n"
		   "  alert_if: q > 1.0 || y > 1.0 || cnt >= 2\n");
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "");
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	assert_alerts(&w,
		      "fired condition yellow firing U @2026-03-01T00:00:00Z "
		      "{\"cnt\":2,\"none\":0,\"q\":null,\"d\":7,"
		      "\"h\":false,\"y\":null}\n");
	world_close(&w);
}

/* S5.2 */
static void where_and_by_are_counted_where_they_are_missing(void **state) {
	struct world w;

	(void)state;
	world_open(&w, WORLD_STREAMS "rules:\n"
				     "- rule: r\n"
				     "  title: t\n"
				     "  from: pays\n"
				     "  by: [payee]\n"
				     "  where: x > 1.0\n"
				     "  measure: {cnt: count()}\n"
				     "  per: key\n"
				     "  alert_if: cnt >= 1\n");
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", ",\"payee\":\"P\"");
	assert_int_equal(counters(&w)->where_missing, 1);
	assert_int_equal(counters(&w)->no_key, 0);
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", ",\"x\":2.0");
	assert_int_equal(counters(&w)->where_missing, 1);
	assert_int_equal(counters(&w)->no_key, 1);
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z", ",\"x\":1.0");
	assert_int_equal(counters(&w)->no_key, 1);
	assert_alerts(&w, "");
	pay_with(&w, "U", "1", "2026-03-01T00:00:00Z",
		 ",\"x\":2.0,\"payee\":\"P\"");
	assert_alerts(&w, "fired condition yellow firing P "
			  "@2026-03-01T00:00:00Z {\"cnt\":1}\n");
	world_close(&w);
}

/* S4.14: until its last day, in the calendar's zone. */
static void an_exception_withholds_until_its_last_day(void **state) {
	struct world w;

	(void)state;
	world_open(&w, RULE "  alert_if: amount > 0\n"
			    "  exceptions: [{reason: r, match: {unit: [U]}, "
			    "until: 2026-03-05, approved_by: a}]\n");
	pay(&w, "U", "1", "2026-03-05T15:59:59Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->withheld_exception, 1);
	pay(&w, "V", "1", "2026-03-05T15:59:59Z");
	pay(&w, "U", "1", "2026-03-05T16:00:00Z");
	assert_alerts(&w, "fired condition yellow resolved V "
			  "@2026-03-05T15:59:59Z {}\n"
			  "fired condition yellow resolved U "
			  "@2026-03-05T16:00:00Z {}\n");
	assert_int_equal(counters(&w)->withheld_exception, 1);
	world_close(&w);
}

/* S4.7: of the key; a higher level passes. */
static void a_cooldown_on_single_events_is_of_the_key(void **state) {
	struct world w;

	(void)state;
	world_open(&w, RULE "  alert_if: amount > 0\n"
			    "  level: {red: amount > 9, yellow: \"true\"}\n"
			    "  cooldown: 1h\n");
	pay(&w, "U", "1", "2026-03-05T00:00:00Z");
	pay(&w, "V", "1", "2026-03-05T00:00:00Z");
	pay(&w, "U", "1", "2026-03-05T00:59:59.999999Z");
	assert_int_equal(counters(&w)->withheld_cooldown, 1);
	assert_alerts(&w, "fired condition yellow resolved U "
			  "@2026-03-05T00:00:00Z {}\n"
			  "fired condition yellow resolved V "
			  "@2026-03-05T00:00:00Z {}\n");
	pay(&w, "U", "10", "2026-03-05T00:59:59.999999Z");
	pay(&w, "U", "1", "2026-03-05T01:00:00Z");
	assert_alerts(&w, "fired condition red resolved U "
			  "@2026-03-05T00:59:59.999999Z {}\n");
	pay(&w, "U", "1", "2026-03-05T01:59:59.999999Z");
	assert_alerts(&w, "fired condition yellow resolved U "
			  "@2026-03-05T01:59:59.999999Z {}\n");
	assert_int_equal(counters(&w)->open, 4);
	world_close(&w);
}

/* S6.4 */
static void a_sum_that_would_overflow_is_counted(void **state) {
	struct world w;

	(void)state;
	world_open(&w, RULE "  window: 10d\n"
			    "  measure: {total: sum(n), cnt: count()}\n"
			    "  alert_if: cnt >= 2\n");
	pay_with(&w, "U", "1", "2026-03-05T00:00:00Z",
		 ",\"n\":9223372036854775807");
	pay_with(&w, "U", "1", "2026-03-05T00:00:00Z", ",\"n\":1");
	assert_non_null(strstr(outbox_at(engine_outbox(w.engine), 0)->json,
			       "\"overflow\":1"));
	assert_alerts(&w,
		      "fired condition yellow firing U @2026-03-05T00:00:00Z "
		      "{\"total\":\"9223372036854775807\",\"cnt\":2}\n");
	assert_int_equal(counters(&w)->overflow, 1);
	world_close(&w);
}

/* S1.7: many timers due at once, room for one alert at a time. */
static void a_tiny_outbox_gives_the_same_bytes(void **state) {
	struct engine_options options = { .shadow = true, .seed = 1 };
	struct decision decision = { .kind = DECISION_ADVANCE,
				     .at = instant("2027-01-01T00:00:00Z") };
	struct buf all[2] = { 0 };
	char unit[16];
	struct world w;
	size_t i, k;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct outbox *outbox;
		bool done;

		options.outbox = i ? 1 : 100000;
		world_load(&w, RULE "  window: {calendar: month}\n"
				    "  every: 1d at 07:00\n"
				    "  measure: {cnt: count()}\n"
				    "  let: {day: string(now)}\n"
				    "  alert_if: cnt >= 1\n"
				    "  refresh: 1d\n"
				    "  cooldown: 3d\n");
		world_start(&w, &options);
		outbox = engine_outbox(w.engine);
		for (k = 0; k < 50; k++) {
			snprintf(unit, sizeof(unit), "U-%zu", k % 20);
			pay(&w, unit, "1", "2026-03-05T00:00:00Z");
			while (outbox->n) {
				buf_puts(&all[i], outbox_at(outbox, 0)->json);
				outbox_drop(outbox, 1);
			}
		}
		do {
			done = engine_decide(w.engine, &decision);
			assert_true(done || outbox->n);
			while (outbox->n) {
				buf_puts(&all[i], outbox_at(outbox, 0)->json);
				outbox_drop(outbox, 1);
			}
		} while (!done);
		world_close(&w);
	}
	assert_int_equal(all[0].len, all[1].len);
	assert_memory_equal(all[0].data, all[1].data, all[0].len);
	buf_free(&all[0]);
	buf_free(&all[1]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_verdict_is_skipped_and_counted),
		cmocka_unit_test(an_inconclusive_one_is_listed),
		cmocka_unit_test(a_missing_verdict_may_be_an_alert),
		cmocka_unit_test(a_missing_band_is_passed_over_and_counted),
		cmocka_unit_test(without_a_band_an_alert_keeps_its_level),
		cmocka_unit_test(an_event_without_the_argument_does_not_enter),
		cmocka_unit_test(
			over_no_events_some_are_zero_and_others_missing),
		cmocka_unit_test(missing_travels_and_may_be_absorbed),
		cmocka_unit_test(
			where_and_by_are_counted_where_they_are_missing),
		cmocka_unit_test(an_exception_withholds_until_its_last_day),
		cmocka_unit_test(a_cooldown_on_single_events_is_of_the_key),
		cmocka_unit_test(a_sum_that_would_overflow_is_counted),
		cmocka_unit_test(a_tiny_outbox_gives_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
