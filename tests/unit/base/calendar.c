#include "base/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static struct arena arena;

static int free_arena(void **state) {
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct calendar china(const char *holidays) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	struct calendar calendar;

	assert_int_equal(
		calendar_init(&calendar, "cn", "Asia/Shanghai", &arena), 0);
	if (holidays)
		assert_int_equal(
			calendar_holidays(&calendar,
					  diag_source_text(&diag, "cn.csv",
							   holidays,
							   strlen(holidays)),
					  &arena, &diag),
			0);
	return calendar;
}

static int64_t day(const char *s) {
	int64_t ret = 0;

	if (date_parse(&ret, s, strlen(s)) < 0)
		fail_msg("no date: %s", s);
	return ret;
}

static void fiscal(struct calendar *calendar, const char *s) {
	assert_int_equal(calendar_fiscal_year(calendar, s, strlen(s)), 0);
}

/* Golden Week of 2026, and the Saturdays that pay for it. */
static const char golden_week[] = "\xef\xbb\xbf"
				  "date,kind,name\r\n"
				  "# 国务院办公厅\r\n"
				  "\r\n"
				  "2026-10-01,holiday,国庆节\r\n"
				  "2026-10-02 , holiday\r\n"
				  "2026-10-05,holiday,\"国庆, 节\"\r\n"
				  "2026-10-06,holiday\r\n"
				  "2026-10-07,holiday\r\n"
				  "2026-09-27,workday,上班\r\n"
				  "2026-10-10,workday";

static void weekends_are_free_without_a_file(void **state) {
	struct calendar cn = china(NULL);

	(void)state;
	assert_true(calendar_is_workday(&cn, day("2026-10-02")));
	assert_false(calendar_is_workday(&cn, day("2026-10-03")));
	assert_false(calendar_is_workday(&cn, day("2026-10-04")));
	assert_true(calendar_is_workday(&cn, day("2026-10-05")));
	assert_true(calendar_is_workday(&cn, day("1969-12-31")));
	assert_false(calendar_is_workday(&cn, day("1969-12-28")));
	/* Beyond the table too. */
	assert_true(calendar_is_workday(&cn, day("0001-01-01")));
	assert_false(calendar_is_workday(&cn, day("0001-01-07")));
	assert_true(calendar_is_workday(&cn, day("9999-12-31")));
	assert_int_equal(cn.holidays_from, 0);
}

static void a_holiday_file_frees_days_and_takes_others(void **state) {
	struct calendar cn = china(golden_week);

	(void)state;
	assert_false(calendar_is_workday(&cn, day("2026-10-01")));
	assert_false(calendar_is_workday(&cn, day("2026-10-05")));
	assert_true(calendar_is_workday(&cn, day("2026-10-10")));
	assert_true(calendar_is_workday(&cn, day("2026-09-27")));
	assert_false(calendar_is_workday(&cn, day("2026-10-11")));
	assert_int_equal(
		calendar_workdays(&cn, day("2026-10-01"), day("2026-11-01")),
		18);
	assert_int_equal(calendar_add_workdays(&cn, day("2026-09-30"), 1),
			 day("2026-10-08"));
	assert_int_equal(cn.holidays_from, 2026);
	assert_int_equal(cn.holidays_to, 2026);
}

static void business_days_agree_with_counting_one_by_one(void **state) {
	static const char *const edges[] = { "1899-11-20", "1969-11-20",
					     "2026-08-20", "2200-11-20" };
	struct calendar cn = china(golden_week);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		int64_t from = day(edges[i]);

		for (int64_t a = from; a < from + 90; a += 7) {
			int64_t n = 0;

			for (int64_t b = a; b < from + 90; b++) {
				assert_int_equal(calendar_workdays(&cn, a, b),
						 n);
				assert_int_equal(calendar_workdays(&cn, b, a),
						 -n);
				n += calendar_is_workday(&cn, b);
			}
		}
	}
	/* Far across both ends of the table. */
	assert_int_equal(
		calendar_workdays(&cn, day("0001-01-01"), day("9999-12-31")),
		calendar_workdays(&cn, day("0001-01-01"), day("2026-09-30")) +
			calendar_workdays(&cn, day("2026-09-30"),
					  day("9999-12-31")));
}

static int64_t step_by_step(const struct calendar *calendar, int64_t days,
			    int64_t n) {
	int sign = n < 0 ? -1 : 1;

	while (n) {
		days += sign;
		if (calendar_is_workday(calendar, days))
			n -= sign;
	}
	return days;
}

static void adding_business_days_agrees_with_steps(void **state) {
	static const char *const edges[] = { "1899-12-20", "1969-12-20",
					     "2026-09-20", "2200-12-20" };
	struct calendar cn = china(golden_week);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++)
		for (int64_t d = day(edges[i]); d < day(edges[i]) + 30; d++)
			for (int64_t n = -40; n <= 40; n++)
				assert_int_equal(
					calendar_add_workdays(&cn, d, n),
					step_by_step(&cn, d, n));
	assert_int_equal(calendar_add_workdays(&cn, day("2026-10-03"), 0),
			 day("2026-10-03"));
	assert_int_equal(
		calendar_workdays(
			&cn, day("2026-10-03"),
			calendar_add_workdays(&cn, day("2026-10-03"), 100000)),
		99999);
}

static void a_bad_holiday_file_says_everything_at_once(void **state) {
	static const char csv[] = "date,kind\n"
				  "2026-02-30,holiday\n"
				  "2026-10-01\n"
				  "2026-10-02,节日,国庆节\n"
				  "2026-10-03,holiday\n"
				  "2026-10-03,workday\n"
				  "1899-12-31,holiday\n";
	CLEANUP(diag_free) struct diag diag = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };
	struct calendar cn = china(golden_week);
	struct calendar before = cn;

	(void)state;
	assert_int_equal(calendar_holidays(&cn,
					   diag_source_text(&diag, "cn.csv",
							    csv, strlen(csv)),
					   &arena, &diag),
			 -EINVAL);
	diag_print(&diag, &out, false);
	assert_string_equal(
		buf_cstr(&out),
		"cn.csv:2:1: error E402: `2026-02-30` is not a date from "
		"1900-01-01 to 2200-12-31\n"
		"    2 | 2026-02-30,holiday\n"
		"      | ^~~~~~~~~~\n"
		"cn.csv:3:1: error E401: a line is `date,kind` or "
		"`date,kind,name`\n"
		"    3 | 2026-10-01\n"
		"      | ^\n"
		"cn.csv:4:12: error E403: `节日` is neither `holiday` nor "
		"`workday`\n"
		"    4 | 2026-10-02,节日,国庆节\n"
		"      |            ^~~~\n"
		"cn.csv:6:1: error E404: 2026-10-03 stands in this file "
		"before\n"
		"    6 | 2026-10-03,workday\n"
		"      | ^~~~~~~~~~\n"
		"cn.csv:7:1: error E402: `1899-12-31` is not a date from "
		"1900-01-01 to 2200-12-31\n"
		"    7 | 1899-12-31,holiday\n"
		"      | ^~~~~~~~~~\n");
	assert_memory_equal(&cn, &before, sizeof(cn));
}

static void the_hash_follows_zone_holidays_and_fiscal_year(void **state) {
	struct calendar a = china(NULL);
	struct calendar b = china(NULL);
	struct calendar c = china(golden_week);
	struct calendar d;

	(void)state;
	assert_int_equal(calendar_init(&d, "cn", "UTC", &arena), 0);
	assert_memory_equal(a.hash, b.hash, sizeof(a.hash));
	assert_memory_not_equal(a.hash, c.hash, sizeof(a.hash));
	assert_memory_not_equal(a.hash, d.hash, sizeof(a.hash));
	fiscal(&b, "04-06");
	assert_memory_not_equal(a.hash, b.hash, sizeof(a.hash));
	fiscal(&b, "01-01");
	assert_memory_equal(a.hash, b.hash, sizeof(a.hash));
}

static void an_unknown_zone_is_said(void **state) {
	struct calendar calendar;

	(void)state;
	assert_int_equal(calendar_init(&calendar, "x", "Asia/Nowhere", &arena),
			 -ENOENT);
}

static void refuses_fiscal_years_that_some_years_have_not(void **state) {
	static const char *const texts[] = { "",      "02-29", "04-31", "4-6",
					     "00-01", "13-01", "04-06 " };
	struct calendar cn = china(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(
			calendar_fiscal_year(&cn, texts[i], strlen(texts[i])),
			-EINVAL);
	assert_int_equal(cn.fiscal_month, 1);
	assert_int_equal(cn.fiscal_day, 1);
}

static void expect_name(const struct calendar *calendar,
			enum calendar_unit unit, const char *date,
			const char *want) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	period_name(calendar, unit, period_of_day(calendar, unit, day(date)),
		    &buf);
	assert_string_equal(buf_cstr(&buf), want);
}

static void names_periods(void **state) {
	struct calendar cn = china(NULL);

	(void)state;
	expect_name(&cn, UNIT_DAY, "2026-03-07", "2026-03-07");
	expect_name(&cn, UNIT_MONTH, "2026-03-07", "2026-03");
	expect_name(&cn, UNIT_QUARTER, "2026-03-31", "2026-Q1");
	expect_name(&cn, UNIT_QUARTER, "2026-04-01", "2026-Q2");
	expect_name(&cn, UNIT_YEAR, "2026-12-31", "2026");
	expect_name(&cn, UNIT_MONTH, "1969-12-31", "1969-12");
	expect_name(&cn, UNIT_QUARTER, "1969-12-31", "1969-Q4");
	expect_name(&cn, UNIT_MONTH, "0001-01-01", "0001-01");
	expect_name(&cn, UNIT_FISCAL_YEAR, "2026-01-01", "FY2026");
	expect_name(&cn, UNIT_FISCAL_QUARTER, "2026-12-31", "FY2026-Q4");
}

/* ISO 8601: the year of a week is that of its Thursday. */
static void weeks_begin_on_monday_also_before_1970(void **state) {
	struct calendar cn = china(NULL);

	(void)state;
	expect_name(&cn, UNIT_WEEK, "2026-03-01", "2026-W09");
	expect_name(&cn, UNIT_WEEK, "2026-03-02", "2026-W10");
	expect_name(&cn, UNIT_WEEK, "2027-01-03", "2026-W53");
	expect_name(&cn, UNIT_WEEK, "2024-12-30", "2025-W01");
	expect_name(&cn, UNIT_WEEK, "1969-12-29", "1970-W01");
	expect_name(&cn, UNIT_WEEK, "1969-12-28", "1969-W52");
	expect_name(&cn, UNIT_WEEK, "1900-01-01", "1900-W01");
	expect_name(&cn, UNIT_WEEK, "1899-12-31", "1899-W52");
	assert_int_equal(period_of_day(&cn, UNIT_WEEK, day("1969-12-29")), 0);
	assert_int_equal(period_of_day(&cn, UNIT_WEEK, day("1969-12-28")), -1);
	assert_int_equal(period_of_day(&cn, UNIT_WEEK, day("1970-01-05")), 1);
}

static void
a_fiscal_year_has_the_number_of_the_year_it_begins_in(void **state) {
	struct calendar uk = china(NULL);

	(void)state;
	fiscal(&uk, "04-06");
	expect_name(&uk, UNIT_FISCAL_YEAR, "2026-04-05", "FY2025");
	expect_name(&uk, UNIT_FISCAL_YEAR, "2026-04-06", "FY2026");
	expect_name(&uk, UNIT_FISCAL_YEAR, "1970-04-05", "FY1969");
	expect_name(&uk, UNIT_FISCAL_QUARTER, "2026-04-05", "FY2025-Q4");
	expect_name(&uk, UNIT_FISCAL_QUARTER, "2026-04-06", "FY2026-Q1");
	expect_name(&uk, UNIT_FISCAL_QUARTER, "2026-07-05", "FY2026-Q1");
	expect_name(&uk, UNIT_FISCAL_QUARTER, "2026-07-06", "FY2026-Q2");
	expect_name(&uk, UNIT_FISCAL_QUARTER, "2027-01-06", "FY2026-Q4");
	assert_int_equal(
		period_of_day(&uk, UNIT_FISCAL_YEAR, day("2026-04-06")), 56);
	assert_int_equal(period_first_day(&uk, UNIT_FISCAL_YEAR, 56),
			 day("2026-04-06"));
}

/* Every day is in its period, and the first day of a period begins it. */
static void periods_cover_all_days_without_overlap(void **state) {
	static const char *const begins[] = { "01-01", "04-06", "11-30",
					      "12-31" };
	struct calendar cn = china(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
		fiscal(&cn, begins[i]);
		for (int unit = 0; unit < UNIT_MAX; unit++) {
			enum calendar_unit u = (enum calendar_unit)unit;
			int64_t last = day("1890-01-01") - 1;
			int64_t period = period_of_day(&cn, u, last);

			for (int64_t d = last + 1; d < day("2110-01-01"); d++) {
				int64_t p = period_of_day(&cn, u, d);
				int64_t first = period_first_day(&cn, u, p);

				if (p != period + (first == d) || first > d)
					fail_msg("unit %d, %s, day %lld", unit,
						 begins[i], (long long)d);
				period = p;
			}
		}
	}
}

static void periods_begin_at_local_midnight(void **state) {
	struct calendar cn = china(NULL);
	usec_t start = period_start(&cn, UNIT_MONTH, 56 * 12 + 2);
	usec_t want = 0;

	(void)state;
	assert_int_equal(
		time_parse_rfc3339(&want, "2026-03-01T00:00:00+08:00", 25), 0);
	assert_int_equal(start, want);
	assert_int_equal(period_of(&cn, UNIT_MONTH, start), 56 * 12 + 2);
	assert_int_equal(period_of(&cn, UNIT_MONTH, start - 1), 56 * 12 + 1);
	/* In the summer time of 1988 midnight was an hour earlier. */
	start = period_start(&cn, UNIT_DAY, day("1988-07-01"));
	assert_int_equal(time_parse_rfc3339(&want, "1988-06-30T15:00:00Z", 20),
			 0);
	assert_int_equal(start, want);
}

static void months_clamp_the_day_and_reach_year_1_and_9999(void **state) {
	static const struct {
		const char *at;
		int64_t months;
		const char *want;
	} samples[] = {
		{ "2026-01-31T12:00:00Z", 1, "2026-02-28T12:00:00Z" },
		{ "2024-01-31T12:00:00Z", 1, "2024-02-29T12:00:00Z" },
		{ "2024-02-29T12:00:00Z", -12, "2023-02-28T12:00:00Z" },
		{ "2026-03-15T00:00:00Z", -3, "2025-12-15T00:00:00Z" },
		{ "0001-02-01T00:00:00Z", -1, "0001-01-01T00:00:00Z" },
		{ "9999-11-30T23:59:59Z", 1, "9999-12-30T23:59:59Z" },
		{ "1970-01-01T00:00:00Z", -1, "1969-12-01T00:00:00Z" },
	};
	struct calendar utc;

	(void)state;
	assert_int_equal(calendar_init(&utc, "utc", "UTC", &arena), 0);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		usec_t at;
		usec_t want;

		assert_int_equal(time_parse_rfc3339(&at, samples[i].at, 20), 0);
		assert_int_equal(time_parse_rfc3339(&want, samples[i].want, 20),
				 0);
		assert_int_equal(
			calendar_add_months(&utc, at, samples[i].months), want);
	}
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(weekends_are_free_without_a_file),
		cmocka_unit_test(a_holiday_file_frees_days_and_takes_others),
		cmocka_unit_test(business_days_agree_with_counting_one_by_one),
		cmocka_unit_test(adding_business_days_agrees_with_steps),
		cmocka_unit_test(a_bad_holiday_file_says_everything_at_once),
		cmocka_unit_test(
			the_hash_follows_zone_holidays_and_fiscal_year),
		cmocka_unit_test(an_unknown_zone_is_said),
		cmocka_unit_test(refuses_fiscal_years_that_some_years_have_not),
		cmocka_unit_test(names_periods),
		cmocka_unit_test(weeks_begin_on_monday_also_before_1970),
		cmocka_unit_test(
			a_fiscal_year_has_the_number_of_the_year_it_begins_in),
		cmocka_unit_test(periods_cover_all_days_without_overlap),
		cmocka_unit_test(periods_begin_at_local_midnight),
		cmocka_unit_test(
			months_clamp_the_day_and_reach_year_1_and_9999),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
