/*
 * Time: watermarks, lateness, timers and what `now` is.
 */
#include "engine/world.h"

#define TOP(delay)                                                             \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars:\n"                                                         \
	"  cn: {tz: Asia/Shanghai}\n"                                          \
	"streams:\n"                                                           \
	"  pays:\n"                                                            \
	"    topic: pays\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: " delay "\n"                                           \
	"    max_skew: 1h\n"                                                   \
	"    fields: {unit: string, payee: string optional, amount: "          \
	"money(CNY), at: timestamp}\n"

#define RULE                                                                   \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"

#define PLAIN                                                                  \
	TOP("1d")                                                              \
	RULE "  window: 30d\n"                                                 \
	     "  measure: {cnt: count()}\n"                                     \
	     "  alert_if: cnt >= 100\n"

#define assert_watermark(w, at)                                                \
	assert_int_equal(engine_watermark((w)->engine), instant(at))

static void pay_in(struct world *w, int32_t partition, const char *at) {
	char json[128];

	snprintf(json, sizeof(json),
		 "{\"unit\":\"U\",\"amount\":1,\"at\":\"%s\"}", at);
	world_take_in(w, "pays", partition, json);
}

/* S2.2, S2.3 */
static void a_catch_up_goes_by_the_greatest_time_taken(void **state) {
	struct world w;

	(void)state;
	world_open(&w, PLAIN);
	assert_int_equal(engine_watermark(w.engine), INT64_MIN);
	world_decide(&w, DECISION_PARTITION, "pays", 0);
	world_decide(&w, DECISION_PARTITION, "pays", 1);
	pay_in(&w, 0, "2026-03-05T00:00:00Z");
	assert_watermark(&w, "2026-03-04T00:00:00Z");
	pay_in(&w, 1, "2026-03-03T00:00:00Z");
	assert_watermark(&w, "2026-03-04T00:00:00Z");
	assert_int_equal(engine_stream_counters(w.engine, 0)->late, 1);
	world_close(&w);
}

/* S2.1, S2.3, S2.5 */
static void live_it_is_the_least_over_partitions_that_speak(void **state) {
	struct world w;

	(void)state;
	world_open(&w, PLAIN);
	world_decide(&w, DECISION_LIVE, NULL, 0);
	world_decide(&w, DECISION_PARTITION, "pays", 0);
	world_decide(&w, DECISION_PARTITION, "pays", 1);
	pay_in(&w, 0, "2026-03-05T00:00:00Z");
	assert_int_equal(engine_watermark(w.engine), INT64_MIN);
	pay_in(&w, 1, "2026-03-03T00:00:00Z");
	assert_watermark(&w, "2026-03-02T00:00:00Z");
	pay_in(&w, 1, "2026-03-04T00:00:00Z");
	assert_watermark(&w, "2026-03-03T00:00:00Z");
	world_decide(&w, DECISION_IDLE, "pays", 1);
	assert_watermark(&w, "2026-03-04T00:00:00Z");
	/* It speaks again, behind the others: nothing goes back. */
	pay_in(&w, 1, "2026-03-04T12:00:00Z");
	assert_watermark(&w, "2026-03-04T00:00:00Z");
	pay_in(&w, 0, "2026-03-09T00:00:00Z");
	assert_watermark(&w, "2026-03-04T00:00:00Z");
	pay_in(&w, 1, "2026-03-06T00:00:00Z");
	assert_watermark(&w, "2026-03-05T00:00:00Z");
	/* A partition that is new holds it where it is. */
	world_decide(&w, DECISION_PARTITION, "pays", 2);
	pay_in(&w, 1, "2026-03-08T00:00:00Z");
	assert_watermark(&w, "2026-03-05T00:00:00Z");
	pay_in(&w, 2, "2026-03-07T00:00:00Z");
	assert_watermark(&w, "2026-03-06T00:00:00Z");
	world_close(&w);
}

/* S1.4, S2.6, S2.7 */
static void decisions_raise_it_and_count_as_inputs(void **state) {
	struct world w;
	uint64_t before;

	(void)state;
	world_open(&w, PLAIN);
	pay_in(&w, 0, "2026-03-05T00:00:00Z");
	before = engine_ordinal(w.engine);
	advance(&w, "2026-03-07T00:00:00Z");
	assert_watermark(&w, "2026-03-07T00:00:00Z");
	assert_int_equal(engine_last_advance(w.engine),
			 instant("2026-03-07T00:00:00Z"));
	advance(&w, "2026-03-06T00:00:00Z");
	assert_watermark(&w, "2026-03-07T00:00:00Z");
	pay_in(&w, 0, "2026-03-09T00:00:00Z");
	world_decide(&w, DECISION_END, NULL, 0);
	assert_watermark(&w, "2026-03-09T00:00:00Z");
	world_decide(&w, DECISION_WENT_ON, NULL, 0);
	assert_int_equal(engine_ordinal(w.engine), before + 5);
	world_close(&w);
}

/* S2.8: the lesser of the record's timestamp and the clock at the poll. */
static void what_comes_from_the_future_is_refused(void **state) {
	static const struct {
		const char *at, *poll;
		int64_t timestamp_ms; /* after 2026-03-05, or what it is */
		bool kept;
	} cases[] = {
		{ "2026-03-05T01:00:00Z", "2026-03-05T00:00:00Z", -1, true },
		{ "2026-03-05T01:00:00.000001Z", "2026-03-05T00:00:00Z", -1,
		  false },
		{ "2026-03-05T01:00:00Z", "2026-03-06T00:00:00Z", 0, true },
		{ "2026-03-05T01:00:00.000001Z", "2026-03-06T00:00:00Z", 0,
		  false },
		{ "2026-03-05T01:00:00.000001Z", "2026-03-05T00:00:00Z",
		  86400000, false },
		{ "2026-03-05T01:00:00Z", "2026-03-05T00:00:00Z", INT64_MAX,
		  true },
		{ "2026-03-05T01:00:00.000001Z", "2026-03-05T00:00:00Z",
		  INT64_MAX, false },
	};
	struct engine_options options = { .check_skew = true, .seed = 1 };
	struct event *event;
	struct world w;
	char json[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		world_load(&w, PLAIN);
		world_start(&w, &options);
		snprintf(json, sizeof(json),
			 "{\"unit\":\"U\",\"amount\":1,\"at\":\"%s\"}",
			 cases[i].at);
		event = world_event(&w, "pays", json);
		event->timestamp_ms = cases[i].timestamp_ms;
		if (event->timestamp_ms >= 0 && event->timestamp_ms < INT64_MAX)
			event->timestamp_ms +=
				instant("2026-03-05T00:00:00Z") / 1000;
		engine_run(w.engine, &event, 1,
			   instant(cases[i].poll) / USEC_PER_SEC);
		assert_int_equal(engine_stream_counters(w.engine, 0)->kept,
				 cases[i].kept);
		assert_int_equal(engine_stream_counters(w.engine, 0)
					 ->refused_by[REFUSED_FAR_FUTURE],
				 !cases[i].kept);
		world_close(&w);
	}
}

#define DAILY(more)                                                            \
	RULE "  window: 30d\n"                                                 \
	     "  every: 1d at 07:00\n"                                          \
	     "  measure: {cnt: count()}\n" more

/* S2.13, S2.16: seven o'clock in Shanghai is 23:00 of the day before. */
static void every_fires_once_for_each_clock_time_passed(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP("0s") DAILY("  let: {day: string(now)}\n"
				       "  alert_if: now > timestamp("
				       "'2026-03-02T00:00:00Z')\n"
				       "  cooldown: 0s\n"
				       "  resolve_if: cnt == 0\n"
				       "  refresh: 1d\n"));
	pay(&w, "U", "1", "2026-03-01T22:59:59Z");
	assert_alerts(&w, "");
	advance(&w, "2026-03-02T22:59:59.999999Z");
	assert_alerts(&w, "");
	advance(&w, "2026-03-02T23:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-02T23:00:00Z "
			  "{\"cnt\":1,\"day\":\"2026-03-02T23:00:00Z\"}\n");
	world_close(&w);
}

/* S2.12, S2.13: an event ahead of the due time counts, `now` is that time. */
static void now_is_the_due_time_where_an_event_is_ahead(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP("10d") DAILY("  let: {day: string(now)}\n"
					"  alert_if: cnt >= 2 && now < "
					"timestamp('2026-03-03T00:00:00Z')\n"
					"  cooldown: 0s\n"));
	pay(&w, "U", "1", "2026-03-01T12:00:00Z");
	pay(&w, "U", "1", "2026-03-04T12:00:00Z");
	assert_alerts(&w, "");
	advance(&w, "2026-03-04T00:00:00Z");
	assert_alerts(&w,
		      "fired condition yellow firing U @2026-03-01T23:00:00Z "
		      "{\"cnt\":2,\"day\":\"2026-03-01T23:00:00Z\"}\n"
		      "resolved condition yellow resolved U "
		      "@2026-03-03T23:00:00Z "
		      "{\"cnt\":2,\"day\":\"2026-03-03T23:00:00Z\"}\n");
	world_close(&w);
}

/* S2.17 */
static void every_steps_in_the_calendar(void **state) {
	static const struct {
		const char *every, *due;
		unsigned judged; /* at the event, and each time from then */
	} cases[] = {
		{ "1mo at 07:00", "2026-04-30T23:00:00Z", 3 },
		{ "1bd", "2026-03-08T16:00:00Z", 3 },
		{ "12h", "2026-03-06T16:00:00Z", 4 },
	};
	char yaml[2048], expected[256];
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(yaml, sizeof(yaml),
			 TOP("0s") RULE "  window: 90d\n"
					"  every: %s\n"
					"  measure: {cnt: count()}\n"
					"  alert_if: now == timestamp('%s')\n",
			 cases[i].every, cases[i].due);
		world_open(&w, yaml);
		pay(&w, "U", "1", "2026-03-05T15:00:00Z");
		advance(&w, cases[i].due);
		snprintf(expected, sizeof(expected),
			 "fired condition yellow firing U @%s {\"cnt\":1}\n",
			 cases[i].due);
		assert_alerts(&w, expected);
		assert_int_equal(counters(&w)->judged, cases[i].judged);
		world_close(&w);
	}
}

/* S2.11: due time, then rule, then age of the key. */
static void timers_fire_in_one_order(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP("0s") "rules:\n"
				 "- rule: b\n"
				 "  title: t\n"
				 "  from: pays\n"
				 "  by: [unit]\n"
				 "  window: 10d\n"
				 "  measure: {cnt: count()}\n"
				 "  alert_if: cnt >= 1\n"
				 "- rule: a\n"
				 "  title: t\n"
				 "  from: pays\n"
				 "  by: [unit]\n"
				 "  window: 10d\n"
				 "  where: amount > 0\n"
				 "  measure: {total: sum(amount)}\n"
				 "  alert_if: total >= 1\n");
	pay(&w, "Z", "1", "2026-03-01T00:00:00Z");
	pay(&w, "A", "1", "2026-03-01T00:00:00Z");
	pay(&w, "M", "1", "2026-02-28T23:59:59Z");
	alerts(&w);
	advance(&w, "2026-04-01T00:00:00Z");
	assert_alerts(&w, "resolved window yellow resolved M "
			  "@2026-03-10T23:59:59Z {\"total\":\"0.00\"}\n"
			  "resolved window yellow resolved M "
			  "@2026-03-10T23:59:59Z {\"cnt\":0}\n"
			  "resolved window yellow resolved Z "
			  "@2026-03-11T00:00:00Z {\"total\":\"0.00\"}\n"
			  "resolved window yellow resolved A "
			  "@2026-03-11T00:00:00Z {\"total\":\"0.00\"}\n"
			  "resolved window yellow resolved Z "
			  "@2026-03-11T00:00:00Z {\"cnt\":0}\n"
			  "resolved window yellow resolved A "
			  "@2026-03-11T00:00:00Z {\"cnt\":0}\n");
	world_close(&w);
}

/* S2.12: the window is judged as of the timer, then an older event comes. */
static void a_timer_raises_the_clock_of_its_key(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP("5d") RULE "  window: 10d\n"
				      "  measure: {cnt: count()}\n"
				      "  alert_if: cnt >= 1\n"
				      "  cooldown: 0s\n");
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	pay(&w, "U", "1", "2026-03-03T00:00:00Z");
	advance(&w, "2026-03-12T00:00:00Z");
	alerts(&w);
	/* The clock stands at 03-11: this has left before it came. */
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	assert_int_equal(counters(&w)->out_of_window, 1);
	pay(&w, "U", "1", "2026-03-01T00:00:01Z");
	assert_int_equal(counters(&w)->out_of_window, 1);
	world_close(&w);
}

/* S2.14 */
static void prev_is_the_last_event_before(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP("9d") RULE "  window: 30d\n"
				      "  per: event\n"
				      "  measure: {cnt: count()}\n"
				      "  let: {was: prev.amount, is: amount}\n"
				      "  alert_if: cnt >= 1\n");
	pay(&w, "U", "1", "2026-03-05T00:00:00Z");
	pay(&w, "U", "2", "2026-03-07T00:00:00Z");
	pay(&w, "U", "3", "2026-03-06T00:00:00Z"); /* older */
	pay(&w, "U", "4", "2026-03-07T00:00:00Z"); /* the same time, later */
	assert_alerts(&w, "fired condition yellow resolved U "
			  "@2026-03-05T00:00:00Z "
			  "{\"cnt\":1,\"was\":null,\"is\":\"1.00\"}\n"
			  "fired condition yellow resolved U "
			  "@2026-03-07T00:00:00Z "
			  "{\"cnt\":2,\"was\":\"1.00\",\"is\":\"2.00\"}\n"
			  "fired condition yellow resolved U "
			  "@2026-03-06T00:00:00Z "
			  "{\"cnt\":3,\"was\":\"2.00\",\"is\":\"3.00\"}\n"
			  "fired condition yellow resolved U "
			  "@2026-03-07T00:00:00Z "
			  "{\"cnt\":4,\"was\":\"2.00\",\"is\":\"4.00\"}\n");
	world_close(&w);
}

/* S2.14: of two partitions at one time the lesser is the older event. */
static void coordinates_order_equal_times(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP("9d") RULE "  window: 30d\n"
				      "  per: event\n"
				      "  measure: {end: last(amount)}\n"
				      "  let: {was: prev.amount}\n"
				      "  alert_if: amount >= 2\n");
	world_take_in(&w, "pays", 1,
		      "{\"unit\":\"U\",\"amount\":1,"
		      "\"at\":\"2026-03-05T00:00:00Z\"}");
	world_take_in(&w, "pays", 0,
		      "{\"unit\":\"U\",\"amount\":2,"
		      "\"at\":\"2026-03-05T00:00:00Z\"}");
	assert_alerts(&w, "fired condition yellow resolved U "
			  "@2026-03-05T00:00:00Z "
			  "{\"end\":\"1.00\",\"was\":\"1.00\"}\n");
	world_close(&w);
}

/* S2.14: without a window, too. */
static void prev_is_remembered_without_a_window(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP("0s") RULE "  let: {was: prev.amount}\n"
				      "  alert_if: amount > prev.amount\n");
	pay(&w, "U", "1", "2026-03-05T00:00:00Z");
	pay(&w, "U", "2", "2026-06-05T00:00:00Z");
	pay(&w, "U", "2", "2026-06-06T00:00:00Z");
	assert_alerts(&w, "fired condition yellow resolved U "
			  "@2026-06-05T00:00:00Z {\"was\":\"1.00\"}\n");
	world_close(&w);
}

/* S2.14 */
static void at_a_timer_bare_fields_are_of_the_last_event(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP("9d") DAILY("  let: {is: amount, was: prev.amount}\n"
				       "  alert_if: now == timestamp("
				       "'2026-03-07T23:00:00Z')\n"));
	pay(&w, "U", "1", "2026-03-05T00:00:00Z");
	pay(&w, "U", "2", "2026-03-07T00:00:00Z");
	pay(&w, "U", "3", "2026-03-06T00:00:00Z");
	advance(&w, "2026-03-08T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-07T23:00:00Z "
			  "{\"cnt\":3,\"is\":\"2.00\",\"was\":\"1.00\"}\n");
	world_close(&w);
}

/* S2.15: a look-up that needs only the event is as of it, another of now. */
static void an_old_event_meets_the_old_limit(void **state) {
	static const struct world_file limits = { "limits.csv",
						  "unit,from_date,to_date,top\n"
						  "U,,2026-03-09,100\n"
						  "U,2026-03-10,,10\n" };
	struct world w;

	(void)state;
	world_open_with(
		&w,
		TOP("0s") "tables:\n"
			  "  limits: {file: limits.csv, key: [unit], valid: "
			  "[from_date, to_date], fields: {top: "
			  "money(CNY)}}\n" RULE "  window: 30d\n"
			  "  every: 1d at 07:00\n"
			  "  measure: {total: sum(amount)}\n"
			  "  let: {own: \"amount > limits(unit).top\", all: "
			  "\"total > limits(total > 0 ? unit : 'none').top\"}\n"
			  "  alert_if: all || own\n"
			  "  refresh: 0s\n",
		&limits, 1);
	pay(&w, "U", "50", "2026-03-05T00:00:00Z");
	advance(&w, "2026-03-09T12:00:00Z");
	assert_alerts(&w, "");
	advance(&w, "2026-03-09T23:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-09T23:00:00Z {\"total\":\"50.00\","
			  "\"own\":false,\"all\":true}\n");
	pay(&w, "U", "11", "2026-03-10T00:00:00Z");
	assert_alerts(&w, "updated condition yellow firing U "
			  "@2026-03-10T00:00:00Z {\"total\":\"61.00\","
			  "\"own\":true,\"all\":true}\n");
	world_close(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_catch_up_goes_by_the_greatest_time_taken),
		cmocka_unit_test(
			live_it_is_the_least_over_partitions_that_speak),
		cmocka_unit_test(decisions_raise_it_and_count_as_inputs),
		cmocka_unit_test(what_comes_from_the_future_is_refused),
		cmocka_unit_test(every_fires_once_for_each_clock_time_passed),
		cmocka_unit_test(now_is_the_due_time_where_an_event_is_ahead),
		cmocka_unit_test(every_steps_in_the_calendar),
		cmocka_unit_test(timers_fire_in_one_order),
		cmocka_unit_test(a_timer_raises_the_clock_of_its_key),
		cmocka_unit_test(prev_is_the_last_event_before),
		cmocka_unit_test(coordinates_order_equal_times),
		cmocka_unit_test(prev_is_remembered_without_a_window),
		cmocka_unit_test(at_a_timer_bare_fields_are_of_the_last_event),
		cmocka_unit_test(an_old_event_meets_the_old_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
