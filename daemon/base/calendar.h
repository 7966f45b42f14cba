/*
 * Calendar: civil dates, time zones, holidays, fiscal years, business days.
 *
 * A zone is read from the system's zoneinfo once, at load, into a table whose
 * hash belongs to the rules hash: an update of tzdata cannot change what a
 * replay says without anybody noticing. Years 0001 to 9999.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "base/util.h"

#include <stdbool.h>
#include <stdint.h>

struct civil {
	int32_t year;  /* 1 to 9999 */
	uint8_t month; /* 1 to 12 */
	uint8_t day;   /* 1 to 31 */
	uint8_t hour, minute, second;
	uint32_t usec;
	int32_t offset; /* seconds east of UTC */
};

/* Days since 1970-01-01 and back; proleptic Gregorian. */
int64_t days_from_civil(int32_t year, unsigned month, unsigned day);
void civil_from_days(int64_t days, int32_t *year, unsigned *month,
		     unsigned *day);
bool civil_is_valid(int32_t year, unsigned month, unsigned day);
unsigned days_in_month(int32_t year, unsigned month);
/* 1 = Monday … 7 = Sunday. */
unsigned iso_weekday(int64_t days);

struct zone {
	const char *name;
	int32_t standard; /* seconds east of UTC without summer time */
	uint32_t n;
	const int64_t *at;     /* transitions, seconds since 1970 */
	const int32_t *offset; /* n + 1 offsets: before the first, after … */
	uint8_t hash[16];      /* of the table */
};

/*
 * Transitions through 2100, the TZif footer expanded. UTC needs no file.
 * -EINVAL: no name of a zone, or one with leap seconds; -ENOENT: no such zone;
 * -EBADMSG: not a zone file.
 */
int zone_load(struct zone *ret, const char *name, struct arena *arena);
/* Seconds east of UTC at an instant. */
int32_t zone_offset(const struct zone *zone, usec_t at);
void zone_civil(const struct zone *zone, usec_t at, struct civil *ret);
/* Local midnight that begins the day; the first instant that day has. */
usec_t zone_day_start(const struct zone *zone, int64_t days);
/* An instant from local clock time; in a gap the later, doubled the earlier. */
usec_t zone_instant(const struct zone *zone, int64_t days, usec_t clock);
int64_t zone_days(const struct zone *zone, usec_t at);

enum calendar_unit {
	UNIT_DAY,
	UNIT_WEEK, /* begins on Monday */
	UNIT_MONTH,
	UNIT_QUARTER, /* calendar quarter */
	UNIT_YEAR,
	UNIT_FISCAL_YEAR, /* begins on the calendar's fiscal_year */
	UNIT_FISCAL_QUARTER,
	UNIT_MAX
};

struct calendar {
	const char *name;
	struct zone zone;
	uint8_t fiscal_month, fiscal_day; /* 1, 1 by default */
	/*
	 * Business days: Monday to Friday but for the exceptions. One bit a
	 * day from first_day, and a running count each 64 days, so counting
	 * business days between two dates is O(1).
	 */
	int64_t first_day; /* 1900-01-01 */
	uint32_t n_days;   /* through 2200 */
	const uint64_t *free_bits;
	const uint32_t *counts;
	int32_t holidays_from, holidays_to; /* years the holiday file covers */
	uint8_t hash[16];                   /* zone, holidays, fiscal year */
};

/* The calendar without a holiday file: weekends are free. */
int calendar_init(struct calendar *ret, const char *name, const char *tz,
		  struct arena *arena);
/* When the fiscal year begins, "04-06"; no 29 February. 0 or -EINVAL. */
int calendar_fiscal_year(struct calendar *calendar, const char *s, size_t len);
/*
 * Holidays: CSV `date,kind[,name]`, kind is `holiday` or `workday` (a Saturday
 * that is worked). Empty lines, lines with # and a header `date,…` are passed
 * over. Complains with E4xx at the line, and then leaves the calendar as it
 * was.
 */
int calendar_holidays(struct calendar *calendar, const struct source *csv,
		      struct arena *arena, struct diag *diag);

bool calendar_is_workday(const struct calendar *calendar, int64_t days);
/* Business days in [from, to). Negative if to < from. */
int64_t calendar_workdays(const struct calendar *calendar, int64_t from,
			  int64_t to);
/* The day n business days after (before, if negative) @days; itself if 0. */
int64_t calendar_add_workdays(const struct calendar *calendar, int64_t days,
			      int64_t n);

/*
 * Periods are numbered consecutively: days since 1970-01-01, weeks since
 * 1969-12-29, months since 1970-01, …; a fiscal year has the number of the
 * civil year in which it begins, minus 1970; fiscal quarters count from there.
 */
int64_t period_of_day(const struct calendar *calendar, enum calendar_unit unit,
		      int64_t days);
int64_t period_first_day(const struct calendar *calendar,
			 enum calendar_unit unit, int64_t period);
int64_t period_of(const struct calendar *calendar, enum calendar_unit unit,
		  usec_t at);
usec_t period_start(const struct calendar *calendar, enum calendar_unit unit,
		    int64_t period);
/* "2026-03", "2026-Q1", "2026-W09", "FY2026", "FY2026-Q1", "2026-03-07". */
void period_name(const struct calendar *calendar, enum calendar_unit unit,
		 int64_t period, struct buf *out);
/* @at moved by calendar months (day clamped), years are 12. */
usec_t calendar_add_months(const struct calendar *calendar, usec_t at,
			   int64_t months);

/*
 * RFC 3339 with offset; "2026-03-01T08:00:00+08:00". A blank may stand for the
 * T; below microseconds is cut off; a leap second, hour 24 and instants outside
 * of the years 1 to 9999 (in UTC) are refused. 0 or -EINVAL.
 */
int time_parse_rfc3339(usec_t *ret, const char *s, size_t len);
/* "2026-03-01" to days. 0 or -EINVAL. */
int date_parse(int64_t *ret, const char *s, size_t len);
/*
 * By a strptime pattern of %Y %m %d %H %M %S %f %z %b %y %e %j %% and literal
 * text, no locale (English month names). @has_offset says if %z was there.
 */
int time_parse_pattern(struct civil *ret, bool *has_offset, const char *pattern,
		       const char *s, size_t len);
/* If @pattern has only conversions that are known; for the loader. */
bool time_pattern_is_valid(const char *pattern);
/*
 * Seconds unless there are milli- or microseconds; offset of @zone, Z if NULL.
 */
void time_format_rfc3339(struct buf *out, usec_t at, const struct zone *zone);
void date_format(struct buf *out, int64_t days);

/*
 * A duration as people write it: 500ms 90s 5m 24h 30d 2w are fixed, and may be
 * put together ("1h30m"); 5bd 3mo 1y are steps of a calendar.
 */
enum span_unit { SPAN_FIXED, SPAN_WORKDAYS, SPAN_MONTHS };
struct span {
	enum span_unit unit;
	int64_t n; /* usec, business days or months (y = 12) */
};
/* 0 or -EINVAL. */
int span_parse(struct span *ret, const char *s, size_t len);
void span_format(struct buf *out, struct span span);
/* @at plus (sign 1) or minus (-1) the span; a fixed one needs no calendar. */
usec_t span_add(const struct calendar *calendar, usec_t at, struct span span,
		int sign);
