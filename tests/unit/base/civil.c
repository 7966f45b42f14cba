#include "base/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"

static void days_and_dates_are_each_other_s_reverse(void **state) {
	int64_t days = days_from_civil(1, 1, 1);
	unsigned weekday = 1; /* 0001-01-01 was a Monday */

	(void)state;
	for (int32_t y = 1; y <= 9999; y++)
		for (unsigned m = 1; m <= 12; m++) {
			unsigned last = days_in_month(y, m);

			for (unsigned d = 1; d <= last; d++, days++) {
				int32_t year;
				unsigned month;
				unsigned day;

				civil_from_days(days, &year, &month, &day);
				if (days_from_civil(y, m, d) != days ||
				    year != y || month != m || day != d ||
				    iso_weekday(days) != weekday)
					fail_msg("%d-%u-%u", y, m, d);
				weekday = weekday % 7 + 1;
			}
		}
	assert_int_equal(days_from_civil(1970, 1, 1), 0);
	assert_int_equal(days, days_from_civil(10000, 1, 1));
}

static void knows_leap_years(void **state) {
	(void)state;
	assert_int_equal(days_in_month(2024, 2), 29);
	assert_int_equal(days_in_month(2023, 2), 28);
	assert_int_equal(days_in_month(1900, 2), 28);
	assert_int_equal(days_in_month(2000, 2), 29);
	assert_true(civil_is_valid(2024, 2, 29));
	assert_false(civil_is_valid(2100, 2, 29));
	assert_false(civil_is_valid(0, 1, 1));
	assert_false(civil_is_valid(10000, 1, 1));
	assert_false(civil_is_valid(2024, 0, 1));
	assert_false(civil_is_valid(2024, 13, 1));
	assert_false(civil_is_valid(2024, 4, 31));
	assert_false(civil_is_valid(2024, 4, 0));
}

static void expect_time(const char *s, usec_t want) {
	usec_t got = -42;

	if (time_parse_rfc3339(&got, s, strlen(s)) || got != want)
		fail_msg("`%s` gives %lld", s, (long long)got);
}

static void reads_rfc3339(void **state) {
	usec_t day = days_from_civil(2026, 3, 1) * USEC_PER_DAY;

	(void)state;
	expect_time("1970-01-01T00:00:00Z", 0);
	expect_time("2026-03-01T08:00:00+08:00", day);
	expect_time("2026-03-01t00:00:00z", day);
	expect_time("2026-03-01 00:00:00Z", day);
	expect_time("2026-02-28T19:00:00-05:00", day);
	expect_time("2026-03-01T00:00:00-00:00", day);
	expect_time("2026-03-01T00:00:00.5Z", day + 500000);
	expect_time("2026-03-01T00:00:00.000001Z", day + 1);
	expect_time("2026-03-01T00:00:00.9999999999Z", day + 999999);
	expect_time("1969-12-31T23:59:59.999999Z", -1);
	expect_time("2024-02-29T23:59:59Z",
		    days_from_civil(2024, 3, 1) * USEC_PER_DAY - USEC_PER_SEC);
	expect_time("0001-01-01T00:00:00Z",
		    days_from_civil(1, 1, 1) * USEC_PER_DAY);
	expect_time("9999-12-31T23:59:59.999999Z",
		    days_from_civil(10000, 1, 1) * USEC_PER_DAY - 1);
	expect_time("0001-01-01T23:59:00+23:59",
		    days_from_civil(1, 1, 1) * USEC_PER_DAY);
}

static void refuses_what_is_not_rfc3339(void **state) {
	static const char *const texts[] = {
		"",
		"2026-03-01",
		"2026-03-01T08:00:00",
		"2026-03-01T08:00Z",
		"2026-03-01T24:00:00Z",
		"2026-03-01T23:60:00Z",
		"2016-12-31T23:59:60Z",
		"2026-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"0000-01-01T00:00:00Z",
		"10000-01-01T00:00:00Z",
		"2026-3-1T00:00:00Z",
		"2026-03-01T00:00:00.Z",
		"2026-03-01T00:00:00,5Z",
		"2026-03-01T00:00:00+0800",
		"2026-03-01T00:00:00+08",
		"2026-03-01T00:00:00+24:00",
		"2026-03-01T00:00:00+08:60",
		"2026-03-01T00:00:00Zx",
		" 2026-03-01T00:00:00Z",
		"2026/03/01T00:00:00Z",
		"-026-03-01T00:00:00Z",
		"2026-03-01T+8:00:00Z",
		/* Outside of the years 1 to 9999 once it is UTC. */
		"0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
	};
	usec_t got = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (time_parse_rfc3339(&got, texts[i], strlen(texts[i])) !=
		    -EINVAL)
			fail_msg("takes `%s`", texts[i]);
	assert_int_equal(got, 42);
	/* What stands behind the given length is not read. */
	assert_int_equal(time_parse_rfc3339(&got, "1970-01-01T00:00:00Z", 19),
			 -EINVAL);
}

static void reads_dates(void **state) {
	static const char *const wrong[] = {
		"",           "2026-02-29",  "2026-2-01",
		"2026-02-1",  "2026-02-010", "20260201",
		"0000-01-01", "2026-02-01 "
	};
	int64_t days = 0;

	(void)state;
	assert_int_equal(date_parse(&days, "1970-01-02", 10), 0);
	assert_int_equal(days, 1);
	assert_int_equal(date_parse(&days, "0001-01-01", 10), 0);
	assert_int_equal(date_parse(&days, "9999-12-31", 10), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(date_parse(&days, wrong[i], strlen(wrong[i])),
				 -EINVAL);
}

static void expect_format(usec_t at, const struct zone *zone,
			  const char *want) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	time_format_rfc3339(&buf, at, zone);
	assert_string_equal(buf_cstr(&buf), want);
}

static void writes_rfc3339(void **state) {
	static const int32_t offsets[] = { 8 * 3600, -(9 * 3600 + 30 * 60),
					   8 * 3600 + 5 * 60 + 43, 0 };
	struct zone zone = { .offset = offsets };

	(void)state;
	expect_format(0, NULL, "1970-01-01T00:00:00Z");
	expect_format(-1, NULL, "1969-12-31T23:59:59.999999Z");
	expect_format(1000, NULL, "1970-01-01T00:00:00.001Z");
	expect_format(0, &zone, "1970-01-01T08:00:00+08:00");
	/* The last evening of UTC is a year later there. */
	expect_format(days_from_civil(10000, 1, 1) * USEC_PER_DAY - 1, &zone,
		      "10000-01-01T07:59:59.999999+08:00");
	zone.offset = offsets + 1;
	expect_format(0, &zone, "1969-12-31T14:30:00-09:30");
	zone.offset = offsets + 2;
	expect_format(0, &zone, "1970-01-01T08:05:00+08:05");
	zone.offset = offsets + 3;
	expect_format(0, &zone, "1970-01-01T00:00:00+00:00");
}

/* "Y-M-D h:m:s.usec offset" of a pattern, or NULL if it is refused. */
static void expect_pattern(const char *pattern, const char *s,
			   const char *want) {
	CLEANUP(buf_free) struct buf buf = { 0 };
	struct civil c = { .year = -1 };
	bool has_offset = false;
	int r = time_parse_pattern(&c, &has_offset, pattern, s, strlen(s));

	if (!want) {
		if (r != -EINVAL || c.year != -1)
			fail_msg("`%s` takes `%s`", pattern, s);
		return;
	}
	assert_int_equal(r, 0);
	buf_printf(&buf, "%d-%d-%d %d:%d:%d.%u", c.year, c.month, c.day, c.hour,
		   c.minute, c.second, c.usec);
	if (has_offset)
		buf_printf(&buf, " %d", c.offset);
	assert_string_equal(buf_cstr(&buf), want);
}

static void reads_times_by_a_pattern(void **state) {
	(void)state;
	expect_pattern("%Y-%m-%d %H:%M:%S", "2026-03-07 08:09:10",
		       "2026-3-7 8:9:10.0");
	expect_pattern("%Y%m%d%H%M%S", "20260307080910", "2026-3-7 8:9:10.0");
	expect_pattern("%Y年%m月%d日", "2026年3月7日", "2026-3-7 0:0:0.0");
	expect_pattern("%d/%b/%y", "07/mar/26", "2026-3-7 0:0:0.0");
	expect_pattern("%d %b %Y", "7 September 1969", "1969-9-7 0:0:0.0");
	expect_pattern("%e.%m.%y", " 7.03.69", "1969-3-7 0:0:0.0");
	expect_pattern("%Y-%j", "2024-366", "2024-12-31 0:0:0.0");
	expect_pattern("%Y %H:%M:%S.%f%z", "2026 01:02:03.25+0530",
		       "2026-1-1 1:2:3.250000 19800");
	expect_pattern("%H%z", "1-03:30", "1970-1-1 1:0:0.0 -12600");
	expect_pattern("%H%z", "1Z", "1970-1-1 1:0:0.0 0");
	expect_pattern("%H %z!", "1 +08!", "1970-1-1 1:0:0.0 28800");
	expect_pattern("100%% %Y", "100% 2026", "2026-1-1 0:0:0.0");
}

static void refuses_what_does_not_fit_the_pattern(void **state) {
	(void)state;
	expect_pattern("%Y-%m-%d", "2026-02-29", NULL);
	expect_pattern("%Y-%m-%d", "2026-03-07 ", NULL);
	expect_pattern("%Y-%m-%d", "2026-03", NULL);
	expect_pattern("%Y-%m-%d", "0000-03-07", NULL);
	expect_pattern("%Y-%j", "2023-366", NULL);
	expect_pattern("%Y-%j", "2023-0", NULL);
	expect_pattern("%H:%M", "24:00", NULL);
	expect_pattern("%S", "60", NULL);
	expect_pattern("%b", "Foo", NULL);
	expect_pattern("%b", "Ma", NULL);
	expect_pattern("%z", "+25:00", NULL);
	expect_pattern("%z", "+08:", NULL);
	expect_pattern("%f", "", NULL);
	expect_pattern("%Q", "1", NULL);
	expect_pattern("%", "%", NULL);
	assert_true(time_pattern_is_valid("%Y%m%d %H%M%S%f%z%b%y%e%j%% 年"));
	assert_false(time_pattern_is_valid("%Y%p"));
	assert_false(time_pattern_is_valid("%"));
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_and_dates_are_each_other_s_reverse),
		cmocka_unit_test(knows_leap_years),
		cmocka_unit_test(reads_rfc3339),
		cmocka_unit_test(refuses_what_is_not_rfc3339),
		cmocka_unit_test(reads_dates),
		cmocka_unit_test(writes_rfc3339),
		cmocka_unit_test(reads_times_by_a_pattern),
		cmocka_unit_test(refuses_what_does_not_fit_the_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
