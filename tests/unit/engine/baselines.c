/*
 * Baselines: what is usual, by numbers computed by hand.
 */
#include "engine/world.h"

#define TOP(delay)                                                             \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars:\n"                                                         \
	"  cn: {tz: Asia/Shanghai, fiscal_year: 04-01, holidays: cn.csv}\n"    \
	"streams:\n"                                                           \
	"  pays:\n"                                                            \
	"    topic: pays\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: " delay "\n"                                           \
	"    fields: {unit: string, amount: money(CNY), at: timestamp}\n"

#define RULE(window)                                                           \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"                                                       \
	"  window: {calendar: " window "}\n"                                   \
	"  refresh: 0s\n"                                                      \
	"  measure: {total: sum(amount), top: max(amount)}\n"

#define MONTH TOP("0s") RULE("month")

/*
 * January has 21 business days, from Friday the 2nd; February 20, from
 * Tuesday the 3rd, one of them Saturday the 7th; March 22, from Monday the 2nd.
 */
static const struct world_file holidays = { "cn.csv",
					    "date,kind,name\n"
					    "2026-01-01,holiday,a\n"
					    "2026-02-02,holiday,b\n"
					    "2026-02-07,workday,c\n" };

static void open_with(struct world *w, const char *yaml) {
	world_open_with(w, yaml, &holidays, 1);
}

/* At ten in the morning in Shanghai. */
static void on(struct world *w, const char *day, const char *amount) {
	char at[32];

	snprintf(at, sizeof(at), "%sT02:00:00Z", day);
	pay(w, "U", amount, at);
}

/* The values of the last alert. */
static const char *values(struct world *w) {
	static char last[512];
	const char *all = alerts(w), *at = strrchr(all, '{');

	snprintf(last, sizeof(last), "%s", at ? at : "");
	last[strcspn(last, "\n")] = '\0';
	return last;
}

#define assert_values(w, expected) assert_string_equal(values(w), expected)

static void two_months(struct world *w) {
	on(w, "2026-01-01", "1");     /* 0: a holiday before the first */
	on(w, "2026-01-02", "10");    /* 1 */
	on(w, "2026-01-04", "100");   /* 1: Sunday */
	on(w, "2026-01-05", "1000");  /* 2 */
	on(w, "2026-01-09", "10000"); /* 6 */
	on(w, "2026-02-01", "2");     /* 0: Sunday before the first */
	on(w, "2026-02-03", "20");    /* 1 */
	on(w, "2026-02-07", "200");   /* 5: a Saturday of work */
	on(w, "2026-02-08", "2000");  /* 5 */
	on(w, "2026-02-09", "20000"); /* 6 */
	alerts(w);
}

/* S7.6, S7.7 */
static void compares_with_the_past_at_the_same_working_day(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH "  baseline: {b: {of: total, over: 12, "
			    "stat: median, min_samples: 1}}\n"
			    "  let: {mid: b.mid, past: b.n}\n"
			    "  alert_if: total >= 1 && has(b.mid)\n");
	two_months(&w);
	on(&w, "2026-03-01", "1");
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"mid\":\"1.50\",\"past\":2}");
	on(&w, "2026-03-02", "1");
	assert_values(&w, "{\"total\":\"2.00\",\"top\":\"1.00\","
			  "\"mid\":\"66.50\",\"past\":2}");
	on(&w, "2026-03-03", "1");
	assert_values(&w, "{\"total\":\"3.00\",\"top\":\"1.00\","
			  "\"mid\":\"566.50\",\"past\":2}");
	on(&w, "2026-03-07", "1"); /* Saturday: as on Friday the 6th, 5 */
	assert_values(&w, "{\"total\":\"4.00\",\"top\":\"1.00\","
			  "\"mid\":\"1666.50\",\"past\":2}");
	on(&w, "2026-03-09", "1");
	assert_values(&w, "{\"total\":\"5.00\",\"top\":\"1.00\","
			  "\"mid\":\"16666.50\",\"past\":2}");
	world_close(&w);
}

/* S7.6: 22 working days against 21 and 20. */
static void a_month_with_fewer_working_days_counts_whole(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH "  baseline: {b: {of: total, over: 12, "
			    "stat: median, min_samples: 1}}\n"
			    "  let: {mid: b.mid}\n"
			    "  alert_if: total >= 1 && has(b.mid)\n");
	on(&w, "2026-01-31", "70"); /* Saturday: 21 */
	on(&w, "2026-02-28", "7");  /* Saturday: 20 */
	alerts(&w);
	on(&w, "2026-03-26", "1"); /* 19 */
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"mid\":\"0.00\"}");
	on(&w, "2026-03-27", "1"); /* 20 */
	assert_values(&w, "{\"total\":\"2.00\",\"top\":\"1.00\","
			  "\"mid\":\"3.50\"}");
	on(&w, "2026-03-31", "1"); /* 22 */
	assert_values(&w, "{\"total\":\"3.00\",\"top\":\"1.00\","
			  "\"mid\":\"38.50\"}");
	world_close(&w);
}

/* S7.7: n is of the period's last day where `now` is beyond. */
static void an_older_period_is_compared_as_of_its_last_day(void **state) {
	struct world w;

	(void)state;
	open_with(&w,
		  TOP("90d") RULE(
			  "month") "  baseline: {b: {of: total, over: 12, "
				   "stat: median, min_samples: 1}}\n"
				   "  let: {mid: b.mid}\n"
				   "  alert_if: total >= 1 && has(b.mid)\n");
	two_months(&w);
	on(&w, "2026-04-20", "1");
	alerts(&w);
	on(&w, "2026-03-03", "1");
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"mid\":\"16666.50\"}");
	/* The end of March: 22 working days, not 0 of April. */
	advance(&w, "2026-03-31T16:00:00Z");
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"mid\":\"16666.50\"}");
	world_close(&w);
}

/* S7.8 */
static void whole_periods_where_it_is_said_or_not_a_sum(void **state) {
	struct world w;

	(void)state;
	open_with(&w,
		  MONTH "  baseline: {b: {of: total, over: 12, align: whole, "
			"stat: median, min_samples: 1}, c: {of: top, over: 12, "
			"stat: median, min_samples: 1}}\n"
			"  let: {whole: b.mid, most: c.mid}\n"
			"  alert_if: total >= 1 && has(b.mid)\n");
	two_months(&w);
	on(&w, "2026-03-01", "1");
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"whole\":\"16666.50\",\"most\":\"15000.00\"}");
	world_close(&w);
	assert_refused("apiversion: 1\npackage: t\nstreams:\n"
		       "  pays: {topic: pays, time: at, fields: {unit: string, "
		       "amount: money(CNY), at: timestamp}}\n" RULE(
			       "month") "  baseline: {b: {of: top, over: 12, "
					"align: workday}}\n"
					"  alert_if: top > b.mid\n",
		       "align: whole");
}

/* S7.1, S7.2 */
static void only_the_same_month_of_past_years(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH "  baseline: {b: {of: total, over: 2, "
			    "only: same_month, align: whole, stat: mean_sd, "
			    "min_samples: 1}}\n"
			    "  let: {mid: \"default(b.mid, 0)\", past: b.n}\n"
			    "  alert_if: total >= 1\n");
	on(&w, "2023-03-05", "1");
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"mid\":\"0.00\",\"past\":0}");
	on(&w, "2024-03-05", "10");
	on(&w, "2025-02-05", "7");
	on(&w, "2025-03-05", "20");
	on(&w, "2026-02-05", "7");
	alerts(&w);
	on(&w, "2026-03-05", "40");
	assert_values(&w, "{\"total\":\"40.00\",\"top\":\"40.00\","
			  "\"mid\":\"15.00\",\"past\":2}");
	world_close(&w);
}

/* S7.2: in December, October is fourteen months away. */
static void
only_the_same_quarter_reaches_back_to_its_first_month(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH "  baseline: {b: {of: total, over: 3, "
			    "only: same_quarter, align: whole, stat: mean_sd, "
			    "min_samples: 1}}\n"
			    "  let: {mid: \"default(b.mid, 0)\", past: b.n}\n"
			    "  alert_if: total >= 1\n");
	on(&w, "2025-09-05", "999");
	on(&w, "2025-10-05", "10");
	on(&w, "2025-11-05", "20");
	on(&w, "2025-12-05", "60");
	on(&w, "2026-01-05", "999");
	on(&w, "2026-11-05", "999");
	alerts(&w);
	on(&w, "2026-12-05", "1");
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"mid\":\"30.00\",\"past\":3}");
	world_close(&w);
}

/* S7.2 */
static void a_period_without_events_is_skipped_or_zero(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH
		  "  baseline: {b: {of: total, over: 3, align: whole, "
		  "stat: mean_sd, min_samples: 1}, z: {of: total, over: 3, "
		  "align: whole, stat: mean_sd, empty: zero, min_samples: "
		  "1}}\n"
		  "  let: {skip: \"default(b.mid, 0)\", skip_n: b.n, "
		  "zero: z.mid, zero_n: z.n}\n"
		  "  alert_if: total >= 1\n");
	on(&w, "2026-02-05", "10");
	alerts(&w);
	on(&w, "2026-04-05", "1");
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"skip\":\"10.00\",\"skip_n\":1,"
			  "\"zero\":\"3.33\",\"zero_n\":3}");
	world_close(&w);
}

/* S7.2: also where `every` raised an alert over nothing. */
static void an_alert_over_nothing_makes_no_past_period(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH "  every: 1d at 09:00\n"
			    "  baseline: {b: {of: total, over: 3, "
			    "stat: mean_sd, min_samples: 1}}\n"
			    "  let: {past: b.n}\n"
			    "  alert_if: total < 5\n");
	on(&w, "2026-01-05", "10");
	advance(&w, "2026-02-15T00:00:00Z");
	assert_values(&w, "{\"total\":\"0.00\",\"top\":null,\"past\":1}");
	advance(&w, "2026-03-15T00:00:00Z");
	assert_values(&w, "{\"total\":\"0.00\",\"top\":null,\"past\":1}");
	world_close(&w);
}

static void five_months(struct world *w) {
	on(w, "2025-10-09", "100");
	on(w, "2025-11-09", "110");
	on(w, "2025-12-09", "120");
	on(w, "2026-01-09", "130");
	on(w, "2026-02-09", "140");
	alerts(w);
}

/* S7.3, S7.4, S7.5: median 120, deviations 20 10 0 10 20. */
static void median_and_mad(void **state) {
	struct world w;

	(void)state;
	open_with(&w,
		  MONTH "  baseline: {b: {of: total, over: 6, align: whole, "
			"stat: median_mad, min_samples: 5}}\n"
			"  let: {mid: b.mid, sp: b.spread, lo: b.lo(2), hi: "
			"b.hi(2), z: b.z(total)}\n"
			"  alert_if: has(b.mid)\n");
	five_months(&w);
	on(&w, "2026-03-09", "194.13");
	assert_values(&w, "{\"total\":\"194.13\",\"top\":\"194.13\","
			  "\"mid\":\"120.00\",\"sp\":14.825999999999999,"
			  "\"lo\":\"90.35\",\"hi\":\"149.65\",\"z\":5}");
	world_close(&w);
}

/* S7.3 */
static void fewer_than_min_samples_are_missing(void **state) {
	struct world w;

	(void)state;
	open_with(&w,
		  MONTH "  baseline: {b: {of: total, over: 6, align: whole, "
			"stat: median_mad, min_samples: 6}}\n"
			"  let: {z: b.z(total)}\n"
			"  alert_if: \"!has(b.mid) && !has(b.spread) && "
			"!has(b.z(total)) && total > 150\"\n");
	five_months(&w);
	on(&w, "2026-03-09", "194.13");
	assert_values(&w, "{\"total\":\"194.13\",\"top\":\"194.13\","
			  "\"z\":null}");
	world_close(&w);
}

/* S7.4: mean 120, deviation sqrt(1000 / 4) = 15.811. */
static void mean_and_deviation(void **state) {
	struct world w;

	(void)state;
	open_with(&w,
		  MONTH "  baseline: {b: {of: total, over: 6, align: whole, "
			"stat: mean_sd, min_samples: 5}}\n"
			"  let: {mid: b.mid, lo: b.lo(2), hi: b.hi(2)}\n"
			"  alert_if: b.spread > 15.811 && b.spread < 15.812 && "
			"b.z(total) > 3.162 && b.z(total) < 3.163\n");
	five_months(&w);
	on(&w, "2026-03-09", "170");
	assert_values(&w, "{\"total\":\"170.00\",\"top\":\"170.00\","
			  "\"mid\":\"120.00\",\"lo\":\"88.38\","
			  "\"hi\":\"151.62\"}");
	world_close(&w);
}

/* S7.5 */
static void a_small_spread_is_widened(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH
		  "  baseline: {b: {of: total, over: 6, align: whole, "
		  "stat: median_mad, min_samples: 1}, c: {of: total, over: 6, "
		  "align: whole, stat: median_mad, min_samples: 1, min_spread: "
		  "0.5}}\n"
		  "  let: {sp: b.spread, z: b.z(total), lo: b.lo(1), "
		  "z5: c.z(total), hi: c.hi(1)}\n"
		  "  alert_if: total > 150\n");
	on(&w, "2026-01-09", "100");
	on(&w, "2026-02-09", "100");
	alerts(&w);
	on(&w, "2026-03-09", "200");
	assert_values(&w, "{\"total\":\"200.00\",\"top\":\"200.00\","
			  "\"sp\":0,\"z\":20,\"lo\":\"95.00\",\"z5\":2,"
			  "\"hi\":\"150.00\"}");
	world_close(&w);
}

/* S7.5 */
static void nothing_and_no_spread_make_z_missing(void **state) {
	struct world w;

	(void)state;
	open_with(&w,
		  MONTH "  baseline: {b: {of: total, over: 6, align: whole, "
			"stat: median_mad, min_samples: 1}}\n"
			"  let: {sp: b.spread, z: b.z(total), lo: b.lo(1)}\n"
			"  alert_if: total > 150\n");
	on(&w, "2026-01-09", "0");
	on(&w, "2026-02-09", "0");
	on(&w, "2026-03-09", "200");
	assert_values(&w, "{\"total\":\"200.00\",\"top\":\"200.00\","
			  "\"sp\":0,\"z\":null,\"lo\":\"0.00\"}");
	world_close(&w);
}

/* S6.3 */
static void money_is_rounded_half_to_even(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH
		  "  baseline: {b: {of: total, over: 2, align: whole, "
		  "stat: median, min_samples: 2}, m: {of: total, over: 2, "
		  "align: whole, stat: mean_sd, min_samples: 2}}\n"
		  "  let: {med: b.mid, mean: m.mid}\n"
		  "  alert_if: has(b.mid)\n");
	on(&w, "2026-01-09", "0.01");
	on(&w, "2026-02-09", "0.02");
	on(&w, "2026-03-09", "0.03"); /* 0.015 */
	assert_values(&w, "{\"total\":\"0.03\",\"top\":\"0.03\","
			  "\"med\":\"0.02\",\"mean\":\"0.02\"}");
	on(&w, "2026-04-09", "0.03"); /* 0.025 */
	assert_values(&w, "{\"total\":\"0.03\",\"top\":\"0.03\","
			  "\"med\":\"0.02\",\"mean\":\"0.02\"}");
	world_close(&w);
}

/* S7.6: a fiscal year aligns by weeks of five business days. */
static void fiscal_years_align_by_weeks(void **state) {
	struct world w;

	(void)state;
	open_with(&w,
		  TOP("0s") RULE(
			  "fiscal_year") "  baseline: {b: {of: total, over: 1, "
					 "stat: median, min_samples: 1}}\n"
					 "  let: {mid: b.mid}\n"
					 "  alert_if: has(b.mid)\n");
	on(&w, "2025-04-01", "1");    /* business day 1 */
	on(&w, "2025-04-08", "10");   /* 6: the second week */
	on(&w, "2026-03-31", "1000"); /* the last */
	assert_values(&w, "");
	on(&w, "2026-04-07", "1"); /* 5 */
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"mid\":\"1.00\"}");
	on(&w, "2026-04-08", "1"); /* 6 */
	assert_values(&w, "{\"total\":\"2.00\",\"top\":\"1.00\","
			  "\"mid\":\"11.00\"}");
	world_close(&w);
}

/* S3.9: it enters at its own working day. */
static void a_late_event_enters_the_past_at_its_own_day(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH "  baseline: {b: {of: total, over: 12, "
			    "stat: median, min_samples: 1}}\n"
			    "  let: {mid: b.mid}\n"
			    "  alert_if: total >= 1 && has(b.mid)\n");
	on(&w, "2026-02-05", "4");
	on(&w, "2026-03-02", "1");
	assert_values(&w, "{\"total\":\"1.00\",\"top\":\"1.00\","
			  "\"mid\":\"0.00\"}");
	on(&w, "2026-02-04", "8");
	assert_values(&w, "");
	on(&w, "2026-03-03", "1");
	assert_values(&w, "{\"total\":\"2.00\",\"top\":\"1.00\","
			  "\"mid\":\"8.00\"}");
	on(&w, "2026-03-04", "1");
	assert_values(&w, "{\"total\":\"3.00\",\"top\":\"1.00\","
			  "\"mid\":\"12.00\"}");
	world_close(&w);
}

/* S2.18: what is not known is counted, not guessed at in silence. */
static void years_without_holidays_are_counted(void **state) {
	struct world w;

	(void)state;
	open_with(&w, MONTH "  baseline: {u: {of: total, over: 2}}\n"
			    "  alert_if: u.n > 9\n");
	on(&w, "2025-12-31", "1");
	assert_int_equal(counters(&w)->without_holidays, 1);
	pay(&w, "U", "1", "2025-12-31T16:00:00Z");
	pay(&w, "U", "1", "2026-12-31T15:59:59Z");
	assert_int_equal(counters(&w)->without_holidays, 1);
	pay(&w, "U", "1", "2026-12-31T16:00:00Z");
	assert_int_equal(counters(&w)->without_holidays, 3);
	world_close(&w);

	open_with(&w, MONTH "  baseline: {u: {of: top, over: 2}}\n"
			    "  alert_if: u.n > 9\n");
	on(&w, "2025-12-31", "1");
	assert_int_equal(counters(&w)->without_holidays, 0);
	world_close(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			compares_with_the_past_at_the_same_working_day),
		cmocka_unit_test(a_month_with_fewer_working_days_counts_whole),
		cmocka_unit_test(
			an_older_period_is_compared_as_of_its_last_day),
		cmocka_unit_test(whole_periods_where_it_is_said_or_not_a_sum),
		cmocka_unit_test(only_the_same_month_of_past_years),
		cmocka_unit_test(
			only_the_same_quarter_reaches_back_to_its_first_month),
		cmocka_unit_test(a_period_without_events_is_skipped_or_zero),
		cmocka_unit_test(an_alert_over_nothing_makes_no_past_period),
		cmocka_unit_test(median_and_mad),
		cmocka_unit_test(fewer_than_min_samples_are_missing),
		cmocka_unit_test(mean_and_deviation),
		cmocka_unit_test(a_small_spread_is_widened),
		cmocka_unit_test(nothing_and_no_spread_make_z_missing),
		cmocka_unit_test(money_is_rounded_half_to_even),
		cmocka_unit_test(fiscal_years_align_by_weeks),
		cmocka_unit_test(a_late_event_enters_the_past_at_its_own_day),
		cmocka_unit_test(years_without_holidays_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
