#include "base/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct arena arena;

static int free_arena(void **state) {
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct zone load(const char *name) {
	struct zone zone;

	if (zone_load(&zone, name, &arena) < 0)
		fail_msg("no zone %s", name);
	return zone;
}

static usec_t utc(const char *s) {
	usec_t ret = 0;

	if (time_parse_rfc3339(&ret, s, strlen(s)) < 0)
		fail_msg("no time: %s", s);
	return ret;
}

static void expect_local(const struct zone *zone, const char *at,
			 const char *want) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	time_format_rfc3339(&buf, utc(at), zone);
	assert_string_equal(buf_cstr(&buf), want);
}

static void shanghai_had_summer_time_from_1986_to_1991(void **state) {
	struct zone zone = load("Asia/Shanghai");

	(void)state;
	assert_int_equal(zone.standard, 8 * 3600);
	expect_local(&zone, "1986-05-03T17:59:59Z",
		     "1986-05-04T01:59:59+08:00");
	expect_local(&zone, "1986-05-03T18:00:00Z",
		     "1986-05-04T03:00:00+09:00");
	expect_local(&zone, "1991-09-14T16:59:59Z",
		     "1991-09-15T01:59:59+09:00");
	expect_local(&zone, "1991-09-14T17:00:00Z",
		     "1991-09-15T01:00:00+08:00");
	expect_local(&zone, "2026-07-01T00:00:00Z",
		     "2026-07-01T08:00:00+08:00");
	expect_local(&zone, "2200-07-01T00:00:00Z",
		     "2200-07-01T08:00:00+08:00");
	/* Local mean time, +08:05:43. */
	assert_int_equal(zone_offset(&zone, utc("1850-01-01T00:00:00Z")),
			 29143);
}

static void the_footer_rule_holds_to_2100(void **state) {
	struct zone zone = load("America/New_York");

	(void)state;
	assert_int_equal(zone.standard, -5 * 3600);
	expect_local(&zone, "2099-03-08T06:59:59Z",
		     "2099-03-08T01:59:59-05:00");
	expect_local(&zone, "2099-03-08T07:00:00Z",
		     "2099-03-08T03:00:00-04:00");
	expect_local(&zone, "2100-11-07T05:59:59Z",
		     "2100-11-07T01:59:59-04:00");
	expect_local(&zone, "2100-11-07T06:00:00Z",
		     "2100-11-07T01:00:00-05:00");
}

/* The C library reads the same files and expands the same rules. */
static void agrees_with_the_c_library(void **state) {
	static const char *const names[] = {
		"Asia/Shanghai",     "Europe/Berlin",       "America/New_York",
		"Australia/Sydney",  "Europe/Dublin",       "Africa/Casablanca",
		"America/Nuuk",      "Asia/Gaza",           "Pacific/Apia",
		"Africa/Cairo",      "Asia/Kathmandu",      "Asia/Tehran",
		"America/Sao_Paulo", "Australia/Lord_Howe",
	};
	int64_t from = days_from_civil(1850, 1, 1) * 86400;
	int64_t to = days_from_civil(2100, 12, 31) * 86400;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct zone zone = load(names[i]);

		setenv("TZ", names[i], 1);
		tzset();
		for (int64_t at = from; at < to; at += 5 * 3600 + 1) {
			time_t t = at;
			struct tm tm;

			localtime_r(&t, &tm);
			if (zone_offset(&zone, at * USEC_PER_SEC) !=
			    tm.tm_gmtoff)
				fail_msg("%s at %lld", names[i], (long long)at);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void clock_time_in_a_gap_is_the_later(void **state) {
	struct zone zone = load("Europe/Berlin");
	int64_t day = days_from_civil(2026, 3, 29);

	(void)state;
	assert_int_equal(zone_instant(&zone, day, 2 * USEC_PER_HOUR - 1),
			 utc("2026-03-29T01:00:00Z") - 1);
	/* 02:30 is not there: half an hour after the jump, 03:30. */
	assert_int_equal(zone_instant(&zone, day, 150 * USEC_PER_MIN),
			 utc("2026-03-29T01:30:00Z"));
	assert_int_equal(zone_instant(&zone, day, 3 * USEC_PER_HOUR),
			 utc("2026-03-29T01:00:00Z"));
}

static void doubled_clock_time_is_the_earlier(void **state) {
	struct zone zone = load("Europe/Berlin");
	int64_t day = days_from_civil(2026, 10, 25);

	(void)state;
	assert_int_equal(zone_instant(&zone, day, 2 * USEC_PER_HOUR),
			 utc("2026-10-25T00:00:00Z"));
	assert_int_equal(zone_instant(&zone, day, 150 * USEC_PER_MIN),
			 utc("2026-10-25T00:30:00Z"));
	assert_int_equal(zone_instant(&zone, day, 3 * USEC_PER_HOUR),
			 utc("2026-10-25T02:00:00Z"));
}

static void a_day_begins_with_the_first_instant_it_has(void **state) {
	struct zone zone = load("Asia/Shanghai");

	(void)state;
	assert_int_equal(zone_day_start(&zone, days_from_civil(2026, 3, 1)),
			 utc("2026-02-28T16:00:00Z"));
	/* Midnight was skipped in Brazil, and came twice in Cuba. */
	zone = load("America/Sao_Paulo");
	assert_int_equal(zone_day_start(&zone, days_from_civil(2017, 10, 15)),
			 utc("2017-10-15T03:00:00Z"));
	zone = load("America/Havana");
	assert_int_equal(zone_day_start(&zone, days_from_civil(2025, 11, 2)),
			 utc("2025-11-02T04:00:00Z"));
	/* Samoa had no 30 December 2011. */
	zone = load("Pacific/Apia");
	assert_int_equal(zone_day_start(&zone, days_from_civil(2011, 12, 30)),
			 utc("2011-12-30T10:00:00Z"));
	assert_int_equal(zone_day_start(&zone, days_from_civil(2011, 12, 31)),
			 utc("2011-12-30T10:00:00Z"));
}

static void days_follow_each_other_without_a_hole(void **state) {
	static const char *const names[] = { "Asia/Shanghai",
					     "Europe/Berlin",
					     "America/Sao_Paulo",
					     "Pacific/Apia",
					     "America/Toronto",
					     "America/Havana",
					     "UTC" };
	int64_t to = days_from_civil(2101, 1, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct zone zone = load(names[i]);

		for (int64_t d = days_from_civil(1900, 1, 1); d < to; d++) {
			usec_t begin = zone_day_start(&zone, d);
			usec_t end = zone_day_start(&zone, d + 1);

			if (end < begin ||
			    (end > begin && (zone_days(&zone, begin) != d ||
					     zone_days(&zone, end) <= d)))
				fail_msg("%s, day %lld", names[i],
					 (long long)d);
		}
	}
}

static void civil_time_has_all_fields(void **state) {
	struct zone zone = load("Asia/Kathmandu");
	struct civil c;

	(void)state;
	zone_civil(&zone, utc("1969-12-31T18:14:59.000007Z"), &c);
	assert_int_equal(c.year, 1969);
	assert_int_equal(c.month, 12);
	assert_int_equal(c.day, 31);
	assert_int_equal(c.hour, 23);
	assert_int_equal(c.minute, 44);
	assert_int_equal(c.second, 59);
	assert_int_equal(c.usec, 7);
	assert_int_equal(c.offset, 19800);
}

static void utc_needs_no_file(void **state) {
	struct zone zone;

	(void)state;
	setenv("TZDIR", "/nonexistent", 1);
	assert_int_equal(zone_load(&zone, "UTC", &arena), 0);
	assert_int_equal(zone.n, 0);
	assert_int_equal(zone_offset(&zone, 0), 0);
	assert_int_equal(zone_load(&zone, "Asia/Shanghai", &arena), -ENOENT);
	unsetenv("TZDIR");
}

static void tables_differ_in_their_hash(void **state) {
	struct zone a = load("Asia/Shanghai");
	struct zone b = load("Asia/Shanghai");
	struct zone c = load("Asia/Taipei");

	(void)state;
	assert_memory_equal(a.hash, b.hash, sizeof(a.hash));
	assert_memory_not_equal(a.hash, c.hash, sizeof(a.hash));
}

static void refuses_names_that_are_none(void **state) {
	static const char *const names[] = { "", "/etc/passwd", "../passwd",
					     "Asia/../UTC", "Asia Shanghai" };
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(zone_load(&zone, names[i], &arena), -EINVAL);
	assert_int_equal(zone_load(&zone, "Asia/Nowhere", &arena), -ENOENT);
	assert_int_equal(zone_load(&zone, "Asia", &arena), -ENOENT);
	assert_int_equal(zone_load(&zone, "zone1970_tab", &arena), -ENOENT);
}

/* Loads bytes as a zone from a folder of their own. */
static int load_bytes(struct zone *ret, const void *bytes, size_t len) {
	char folder[] = "/tmp/tocsin-zone-XXXXXX";
	char path[64];
	FILE *file;
	int r;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/Test", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
	setenv("TZDIR", folder, 1);
	r = zone_load(ret, "Test", &arena);
	unsetenv("TZDIR");
	unlink(path);
	rmdir(folder);
	return r;
}

/* A version 2 file without transitions: one type, UTC, and a footer. */
static void build_file(struct buf *out, const char *footer) {
	static const char header[44] = "TZif2";

	for (int block = 0; block < 2; block++) {
		buf_add(out, header, sizeof(header));
		out->data[out->len - 5] = 1; /* types */
		out->data[out->len - 1] = 4; /* characters */
		buf_add(out, "\0\0\0\0\0\0UTC", 10);
	}
	buf_printf(out, "\n%s\n", footer);
}

static int load_footer(struct zone *ret, const char *footer) {
	CLEANUP(buf_free) struct buf file = { 0 };

	build_file(&file, footer);
	return load_bytes(ret, file.data, file.len);
}

static void expands_each_form_of_footer(void **state) {
	struct zone zone;

	(void)state;
	assert_int_equal(load_footer(&zone, ""), 0);
	assert_int_equal(zone.n, 0);
	assert_int_equal(load_footer(&zone, "CST-8"), 0);
	assert_int_equal(zone_offset(&zone, 0), 8 * 3600);
	assert_int_equal(load_footer(&zone, "<+0530>-5:30:15"), 0);
	assert_int_equal(zone.standard, 19815);
	/* Day 60 is 1 March by J in any year, by 0 only without 29 February. */
	assert_int_equal(load_footer(&zone, "AAA0BBB,J60/0,J300/0"), 0);
	expect_local(&zone, "2024-02-29T23:59:59Z",
		     "2024-02-29T23:59:59+00:00");
	expect_local(&zone, "2024-03-01T00:00:00Z",
		     "2024-03-01T01:00:00+01:00");
	assert_int_equal(load_footer(&zone, "AAA0BBB,60/0,300/0"), 0);
	expect_local(&zone, "2024-03-01T00:00:00Z",
		     "2024-03-01T01:00:00+01:00");
	expect_local(&zone, "2023-03-01T23:59:59Z",
		     "2023-03-01T23:59:59+00:00");
	expect_local(&zone, "2023-03-02T00:00:00Z",
		     "2023-03-02T01:00:00+01:00");
	/* The fifth Sunday is the last one; hours may be negative or many. */
	assert_int_equal(load_footer(&zone, "AAA2BBB,M3.5.0/-1,M10.5.0/25:30"),
			 0);
	expect_local(&zone, "2026-03-29T00:59:59Z",
		     "2026-03-28T22:59:59-02:00");
	expect_local(&zone, "2026-03-29T01:00:00Z",
		     "2026-03-29T00:00:00-01:00");
	expect_local(&zone, "2026-10-26T02:30:00Z",
		     "2026-10-26T00:30:00-02:00");
}

static void summer_time_that_never_ends_is_one_offset(void **state) {
	struct zone zone;

	(void)state;
	assert_int_equal(load_footer(&zone, "QQQ3EDT4,0/0,J365/23"), 0);
	expect_local(&zone, "2024-06-30T00:00:00Z",
		     "2024-06-29T20:00:00-04:00");
	expect_local(&zone, "2024-12-31T23:30:00Z",
		     "2024-12-31T19:30:00-04:00");
	expect_local(&zone, "2025-01-01T03:59:59Z",
		     "2024-12-31T23:59:59-04:00");
	expect_local(&zone, "2025-01-01T04:00:00Z",
		     "2025-01-01T00:00:00-04:00");
}

static void refuses_files_that_are_no_zone(void **state) {
	static const char *const footers[] = {
		"X",
		"QQQ",
		"QQQ999",
		"QQQ27",
		"QQQ0YYY-27,J1,J2",
		"QQQ0YYY",
		"QQQ0YYY,M3.5.0",
		"QQQ0YYY,M13.1.0,M1.1.0",
		"<QQQ0",
		"QQQ0YYY,J0,J1",
		"QQQ0YYY,M3.0.0,M1.1.0",
		"QQQ0YYY,J1,J2x",
		"QQQ0YYY,J400,J1",
	};
	CLEANUP(buf_free) struct buf file = { 0 };
	struct zone zone;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(footers); i++)
		if (load_footer(&zone, footers[i]) != -EBADMSG)
			fail_msg("takes %s", footers[i]);
	assert_int_equal(load_bytes(&zone, "TZif", 4), -EBADMSG);
	assert_int_equal(load_bytes(&zone, "", 0), -EBADMSG);
	build_file(&file, "CST-8");
	for (size_t len = 0; len < file.len; len++)
		assert_int_equal(load_bytes(&zone, file.data, len), -EBADMSG);
	/* Leap seconds. */
	file.data[44 + 10 + 31] = 1;
	assert_int_equal(load_bytes(&zone, file.data, file.len), -EBADMSG);
	buf_repeat(&file, 'x', 20);
	assert_int_equal(load_bytes(&zone, file.data, file.len), -EINVAL);
	/* Counts that the file cannot hold. */
	file.data[44 + 10 + 32] = '\x7f';
	assert_int_equal(load_bytes(&zone, file.data, file.len), -EBADMSG);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(shanghai_had_summer_time_from_1986_to_1991),
		cmocka_unit_test(the_footer_rule_holds_to_2100),
		cmocka_unit_test(agrees_with_the_c_library),
		cmocka_unit_test(clock_time_in_a_gap_is_the_later),
		cmocka_unit_test(doubled_clock_time_is_the_earlier),
		cmocka_unit_test(a_day_begins_with_the_first_instant_it_has),
		cmocka_unit_test(days_follow_each_other_without_a_hole),
		cmocka_unit_test(civil_time_has_all_fields),
		cmocka_unit_test(utc_needs_no_file),
		cmocka_unit_test(tables_differ_in_their_hash),
		cmocka_unit_test(refuses_names_that_are_none),
		cmocka_unit_test(expands_each_form_of_footer),
		cmocka_unit_test(summer_time_that_never_ends_is_one_offset),
		cmocka_unit_test(refuses_files_that_are_no_zone),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
