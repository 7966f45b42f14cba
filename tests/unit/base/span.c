#include "base/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static void expect_span(const char *s, enum span_unit unit, int64_t n,
			const char *text) {
	CLEANUP(buf_free) struct buf buf = { 0 };
	struct span span = { 0 };

	if (span_parse(&span, s, strlen(s)) < 0)
		fail_msg("refuses `%s`", s);
	assert_int_equal(span.unit, unit);
	assert_int_equal(span.n, n);
	span_format(&buf, span);
	assert_string_equal(buf_cstr(&buf), text);
}

static void reads_spans_as_people_write_them(void **state) {
	(void)state;
	expect_span("0s", SPAN_FIXED, 0, "0s");
	expect_span("90s", SPAN_FIXED, 90 * USEC_PER_SEC, "90s");
	expect_span("5m", SPAN_FIXED, 5 * USEC_PER_MIN, "5m");
	expect_span("24h", SPAN_FIXED, USEC_PER_DAY, "1d");
	expect_span("30d", SPAN_FIXED, 30 * USEC_PER_DAY, "30d");
	expect_span("2w", SPAN_FIXED, 14 * USEC_PER_DAY, "14d");
	expect_span("500ms", SPAN_FIXED, 500000, "500ms");
	expect_span("1h30m", SPAN_FIXED, 90 * USEC_PER_MIN, "90m");
	expect_span("1095d", SPAN_FIXED, 1095 * USEC_PER_DAY, "1095d");
	expect_span("5bd", SPAN_WORKDAYS, 5, "5bd");
	expect_span("18mo", SPAN_MONTHS, 18, "18mo");
	expect_span("2y", SPAN_MONTHS, 24, "2y");
	expect_span("24mo", SPAN_MONTHS, 24, "2y");
}

static void refuses_what_is_no_span(void **state) {
	static const char *const texts[] = {
		"",
		"0",
		"5",
		"d",
		"5 d",
		"-5d",
		"5D",
		"1.5h",
		"5days",
		"5bd1d",
		"1d5bd",
		"1y6mo",
		"5d ",
		" 5d",
		"+5d",
		"5d-",
		"10001y",
		"9999999d",
		"99999999999999999999s",
		"3660000d1d",
		"1d\n",
	};
	struct span span = { .n = 42 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (span_parse(&span, texts[i], strlen(texts[i])) != -EINVAL)
			fail_msg("takes `%s`", texts[i]);
	assert_int_equal(span.n, 42);
	assert_int_equal(span_parse(&span, "1d\0", 3), -EINVAL);
}

static void writes_odd_microseconds_too(void **state) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	(void)state;
	span_format(&buf, (struct span){ SPAN_FIXED, -1500001 });
	buf_putc(&buf, ' ');
	span_format(&buf, (struct span){ SPAN_FIXED, -USEC_PER_DAY });
	assert_string_equal(buf_cstr(&buf), "-1500001us -1d");
}

static void expect_added(const struct calendar *calendar, const char *at,
			 const char *span_text, int sign, const char *want) {
	CLEANUP(buf_free) struct buf buf = { 0 };
	struct span span;
	usec_t from;

	assert_int_equal(time_parse_rfc3339(&from, at, strlen(at)), 0);
	assert_int_equal(span_parse(&span, span_text, strlen(span_text)), 0);
	time_format_rfc3339(&buf, span_add(calendar, from, span, sign),
			    &calendar->zone);
	assert_string_equal(buf_cstr(&buf), want);
}

static void calendar_steps_keep_the_clock_time(void **state) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	struct calendar berlin;

	(void)state;
	assert_int_equal(calendar_init(&berlin, "de", "Europe/Berlin", &arena),
			 0);
	/* A day is 24 hours; a business day is a step. */
	expect_added(&berlin, "2026-03-27T12:00:00+01:00", "3d", 1,
		     "2026-03-30T13:00:00+02:00");
	expect_added(&berlin, "2026-03-27T12:00:00+01:00", "1bd", 1,
		     "2026-03-30T12:00:00+02:00");
	expect_added(&berlin, "2026-03-30T12:00:00.000001+02:00", "1bd", -1,
		     "2026-03-27T12:00:00.000001+01:00");
	expect_added(&berlin, "2026-01-31T08:00:00+01:00", "1mo", 1,
		     "2026-02-28T08:00:00+01:00");
	expect_added(&berlin, "2024-02-29T08:00:00+01:00", "1y", 1,
		     "2025-02-28T08:00:00+01:00");
	expect_added(&berlin, "2026-01-15T08:00:00+01:00", "2mo", -1,
		     "2025-11-15T08:00:00+01:00");
	/* Into the gap of 29 March: the later. */
	expect_added(&berlin, "2026-02-28T02:30:00+01:00", "1mo", 1,
		     "2026-03-28T02:30:00+01:00");
	expect_added(&berlin, "2026-01-29T02:30:00+01:00", "2mo", 1,
		     "2026-03-29T03:30:00+02:00");
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_spans_as_people_write_them),
		cmocka_unit_test(refuses_what_is_no_span),
		cmocka_unit_test(writes_odd_microseconds_too),
		cmocka_unit_test(calendar_steps_keep_the_clock_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
