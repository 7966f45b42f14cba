/*
 * Times: timestamps and durations as CEL has them, dates and business days as
 * our calendars have them.
 *
 * CEL's getters speak of UTC unless a zone is named; date(), month() and the
 * like speak of the calendar's zone, because they are about the day on which
 * somebody paid.
 */
#include "expr/functions.h"

#include "base/calendar.h"
#include "base/number.h"

#include <string.h>

static const int32_t utc_offset = 0;
static const struct zone utc = { .name = "UTC", .offset = &utc_offset };

static struct value fail(void) {
	return value_missing(MISSING_ERROR);
}

static int64_t floor_div(int64_t a, int64_t b) {
	return a / b - (a % b < 0);
}

/*** text ***/

struct reader {
	const char *s;
	size_t len, at;
};

static bool take(struct reader *r, char c) {
	if (r->at >= r->len || (r->s[r->at] | 32) != (c | 32))
		return false;
	r->at++;
	return true;
}

static bool is_digit(const struct reader *r) {
	return r->at < r->len && r->s[r->at] >= '0' && r->s[r->at] <= '9';
}

static bool take_number(struct reader *r, unsigned digits, int *ret) {
	*ret = 0;
	for (unsigned i = 0; i < digits; i++) {
		if (!is_digit(r))
			return false;
		*ret = *ret * 10 + (r->s[r->at++] - '0');
	}
	return true;
}

/* "+08:00", "-09:30", "02:00": seconds east. */
static bool take_offset(struct reader *r, bool signless, int *ret) {
	int sign = 1, hours, minutes;

	if (take(r, '-'))
		sign = -1;
	else if (!take(r, '+') && !signless)
		return false;
	if (!take_number(r, 2, &hours) || !take(r, ':') ||
	    !take_number(r, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* RFC 3339 with up to nine decimals, which base's parser has no room for. */
BUILTIN(time_of_text) {
	struct reader r = { args[0].s, args[0].len, 0 };
	int year, month, day, hour, minute, second, offset = 0;
	int64_t nano = 0, seconds;
	struct value ret;

	(void)run;
	(void)n;
	if (!take_number(&r, 4, &year) || !take(&r, '-') ||
	    !take_number(&r, 2, &month) || !take(&r, '-') ||
	    !take_number(&r, 2, &day) || !take(&r, 'T') ||
	    !take_number(&r, 2, &hour) || !take(&r, ':') ||
	    !take_number(&r, 2, &minute) || !take(&r, ':') ||
	    !take_number(&r, 2, &second))
		return fail();
	if (take(&r, '.')) {
		int64_t unit = 100000000;

		if (!is_digit(&r))
			return fail();
		for (; is_digit(&r); r.at++, unit /= 10)
			nano += (r.s[r.at] - '0') * unit;
	}
	if (!take(&r, 'Z') && !take_offset(&r, false, &offset))
		return fail();
	if (r.at != r.len || year < 1 || hour > 23 || minute > 59 ||
	    second > 59 ||
	    !civil_is_valid(year, (unsigned)month, (unsigned)day))
		return fail();
	seconds =
		days_from_civil(year, (unsigned)month, (unsigned)day) * 86400 +
		hour * 3600 + minute * 60 + second - offset;
	if (seconds < INT64_C(-62135596800) || seconds > INT64_C(253402300799))
		return fail();
	ret = value_time(seconds * USEC_PER_SEC + nano / 1000);
	ret.len = (uint32_t)(nano % 1000);
	return ret;
}

BUILTIN(time_of_int) {
	(void)run;
	(void)n;
	if (args[0].i < INT64_C(-62135596800) ||
	    args[0].i > INT64_C(253402300799))
		return value_missing(MISSING_OVERFLOW);
	return value_time(args[0].i * USEC_PER_SEC);
}

BUILTIN(time_to_int) {
	(void)run;
	(void)n;
	return value_int(floor_div(args[0].i, USEC_PER_SEC));
}

static bool take_unit(struct reader *r, int64_t *nanoseconds) {
	static const struct {
		const char *name;
		int64_t nanoseconds;
	} units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "µs", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", INT64_C(60000000000) },
		{ "h", INT64_C(3600000000000) },
		/* not CEL's, but everywhere else in a rule */
		{ "d", INT64_C(86400000000000) },
		{ "w", INT64_C(604800000000000) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].name);

		if (r->len - r->at >= len &&
		    memcmp(r->s + r->at, units[i].name, len) == 0) {
			r->at += len;
			*nanoseconds = units[i].nanoseconds;
			return true;
		}
	}
	return false;
}

/* "1h30m", "-1.5s", "100ms"; "0" needs no unit. */
BUILTIN(duration_of_text) {
	struct reader r = { args[0].s, args[0].len, 0 };
	bool negative = take(&r, '-');
	i128 total = 0;
	int64_t usec;
	int rest;
	struct value ret;

	(void)run;
	(void)n;
	if (!negative && r.len > 0 && r.s[0] == '+')
		r.at++;
	if (r.len - r.at == 1 && r.s[r.at] == '0')
		return value_duration(0);
	if (r.at == r.len)
		return fail();
	while (r.at < r.len) {
		i128 number = 0, scale = 1;
		int64_t unit;
		unsigned digits = 0;

		for (; is_digit(&r) && digits < 18; r.at++, digits++)
			number = number * 10 + (r.s[r.at] - '0');
		if (take(&r, '.')) {
			for (; is_digit(&r); r.at++) {
				if (scale >= 1000000000)
					continue;
				number = number * 10 + (r.s[r.at] - '0');
				scale *= 10;
				digits++;
			}
		}
		if (digits == 0 || !take_unit(&r, &unit))
			return fail();
		total += number * unit / scale;
		if (!i64_fits(total))
			return fail();
	}
	if (negative)
		total = -total;
	usec = (int64_t)(total / 1000);
	rest = (int)(total % 1000);
	if (rest < 0) {
		rest += 1000;
		usec--;
	}
	ret = value_duration(usec);
	ret.len = (uint32_t)rest;
	return ret;
}

static void put_fraction(struct buf *out, int64_t nano) {
	char digits[9];
	size_t len = 9;

	if (nano == 0)
		return;
	for (size_t i = 9; i-- > 0; nano /= 10)
		digits[i] = (char)('0' + nano % 10);
	while (digits[len - 1] == '0')
		len--;
	buf_putc(out, '.');
	buf_add(out, digits, len);
}

void time_put(struct buf *out, struct value time) {
	struct civil c;

	zone_civil(&utc, time.i, &c);
	buf_printf(out, "%04d-%02u-%02uT%02u:%02u:%02u", c.year, c.month, c.day,
		   c.hour, c.minute, c.second);
	put_fraction(out, (int64_t)c.usec * 1000 + time.len);
	buf_putc(out, 'Z');
}

void duration_put(struct buf *out, struct value duration) {
	i128 nano = (i128)duration.i * 1000 + duration.len;

	if (nano < 0) {
		buf_putc(out, '-');
		nano = -nano;
	}
	buf_int(out, (int64_t)(nano / 1000000000));
	put_fraction(out, (int64_t)(nano % 1000000000));
	buf_putc(out, 's');
}

/*** getters ***/

bool zone_find(struct zone *ret, struct value name, struct arena *arena) {
	struct reader r = { name.s, name.len, 0 };
	int32_t *offset;
	int seconds;

	if (take_offset(&r, true, &seconds) && r.at == r.len) {
		offset = arena_new(arena, int32_t);
		*offset = seconds;
		*ret = (struct zone){ .name = name.s,
				      .standard = seconds,
				      .offset = offset };
		return true;
	}
	return zone_load(ret, arena_strndup(arena, name.s, name.len), arena) ==
	       0;
}

static struct civil civil_of(const struct run *run, const struct value *args) {
	struct civil c = { 0 };
	unsigned month, day;

	if (args[0].kind == KIND_DATE) {
		civil_from_days(args[0].i, &c.year, &month, &day);
		c.month = (uint8_t)month;
		c.day = (uint8_t)day;
	} else {
		zone_civil(run->zone ? run->zone : &utc, args[0].i, &c);
	}
	return c;
}

static int64_t days_of_civil(const struct civil *c) {
	return days_from_civil(c->year, c->month, c->day);
}

#define GETTER(function, expression)                                           \
	BUILTIN(function) {                                                    \
		struct civil c;                                                \
                                                                               \
		/* a zone that was not constant has not been read */           \
		if (n > 1 && !run->zone)                                       \
			return fail();                                         \
		c = civil_of(run, args);                                       \
		return value_int(expression);                                  \
	}

GETTER(time_year, c.year)
GETTER(time_month, c.month - 1)
GETTER(time_date, c.day)
GETTER(time_day_of_month, c.day - 1)
GETTER(time_day_of_week, iso_weekday(days_of_civil(&c)) % 7)
GETTER(time_day_of_year, days_of_civil(&c) - days_from_civil(c.year, 1, 1))
GETTER(time_hours, c.hour)
GETTER(time_minutes, c.minute)
GETTER(time_seconds, c.second)
GETTER(time_milliseconds, c.usec / 1000)

BUILTIN(duration_hours) {
	(void)run;
	(void)n;
	return value_int(args[0].i / USEC_PER_HOUR);
}

BUILTIN(duration_minutes) {
	(void)run;
	(void)n;
	return value_int(args[0].i / USEC_PER_MIN);
}

BUILTIN(duration_seconds) {
	(void)run;
	(void)n;
	return value_int(args[0].i / USEC_PER_SEC);
}

BUILTIN(duration_milliseconds) {
	(void)run;
	(void)n;
	return value_int(args[0].i / USEC_PER_MSEC);
}

/*** dates and business days ***/

static int64_t day_of(const struct run *run, struct value v) {
	if (v.kind == KIND_DATE)
		return v.i;
	return zone_days(run->calendar ? &run->calendar->zone : &utc, v.i);
}

BUILTIN(date_of_time) {
	(void)n;
	return value_date(day_of(run, args[0]));
}

BUILTIN(date_of_text) {
	int64_t days;

	(void)run;
	(void)n;
	if (date_parse(&days, args[0].s, args[0].len) < 0)
		return fail();
	return value_date(days);
}

static bool is_in_range(int64_t days) {
	return days >= days_from_civil(1, 1, 1) &&
	       days <= days_from_civil(9999, 12, 31);
}

static struct value plus_span(const struct run *run, int64_t days,
			      struct span span) {
	usec_t at;

	if (span.unit == SPAN_FIXED)
		return value_date(days + span.n / USEC_PER_DAY);
	if (span.unit == SPAN_WORKDAYS)
		return value_date(
			calendar_add_workdays(run->calendar, days, span.n));
	at = calendar_add_months(run->calendar,
				 zone_day_start(&run->calendar->zone, days),
				 span.n);
	return value_date(zone_days(&run->calendar->zone, at));
}

/* plus(d, 3), plus(d, '5bd'), plus(t, '-3mo'). */
BUILTIN(date_plus) {
	const int64_t most = 10000 * 366;
	bool negative;
	struct span span;
	struct value ret;
	int64_t limit;

	(void)n;
	if (args[1].kind == KIND_INT) {
		if (args[1].i > most || args[1].i < -most ||
		    !is_in_range(args[0].i + args[1].i))
			return value_missing(MISSING_OVERFLOW);
		return value_date(args[0].i + args[1].i);
	}
	negative = args[1].len > 0 && args[1].s[0] == '-';
	if (span_parse(&span, args[1].s + negative, args[1].len - negative) < 0)
		return fail();
	limit = span.unit == SPAN_FIXED ? most * USEC_PER_DAY : most;
	if (span.n > limit || span.n < -limit)
		return value_missing(MISSING_OVERFLOW);
	if (args[0].kind == KIND_TIMESTAMP) {
		ret = value_time(span_add(run->calendar, args[0].i, span,
					  negative ? -1 : 1));
		return is_in_range(zone_days(&utc, ret.i))
			       ? ret
			       : value_missing(MISSING_OVERFLOW);
	}
	if (negative)
		span.n = -span.n;
	ret = plus_span(run, args[0].i, span);
	return is_in_range(ret.i) ? ret : value_missing(MISSING_OVERFLOW);
}

static struct civil local_day(const struct run *run, struct value v) {
	struct value day = value_date(day_of(run, v));

	return civil_of(run, &day);
}

BUILTIN(date_year) {
	(void)n;
	return value_int(local_day(run, args[0]).year);
}

BUILTIN(date_month) {
	(void)n;
	return value_int(local_day(run, args[0]).month);
}

BUILTIN(date_quarter) {
	(void)n;
	return value_int((local_day(run, args[0]).month - 1) / 3 + 1);
}

BUILTIN(date_fiscal_year) {
	(void)n;
	return value_int(1970 + period_of_day(run->calendar, UNIT_FISCAL_YEAR,
					      day_of(run, args[0])));
}

/* 1 to 4 within the fiscal year. */
BUILTIN(date_fiscal_quarter) {
	int64_t quarter = period_of_day(run->calendar, UNIT_FISCAL_QUARTER,
					day_of(run, args[0]));

	(void)n;
	return value_int((quarter % 4 + 4) % 4 + 1);
}

BUILTIN(date_is_workday) {
	(void)n;
	return value_bool(
		calendar_is_workday(run->calendar, day_of(run, args[0])));
}

/* Business days in [from, to). */
BUILTIN(date_workdays) {
	(void)n;
	return value_int(calendar_workdays(run->calendar, day_of(run, args[0]),
					   day_of(run, args[1])));
}

bool unit_find(struct value name, enum calendar_unit *ret) {
	static const struct {
		const char *name;
		enum calendar_unit unit;
	} units[] = {
		{ "week", UNIT_WEEK },
		{ "month", UNIT_MONTH },
		{ "quarter", UNIT_QUARTER },
		{ "year", UNIT_YEAR },
		{ "fiscal_year", UNIT_FISCAL_YEAR },
		{ "fiscal_quarter", UNIT_FISCAL_QUARTER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strlen(units[i].name) == name.len &&
		    memcmp(units[i].name, name.s, name.len) == 0) {
			*ret = units[i].unit;
			return true;
		}
	}
	return false;
}

/* Business days of the period up to and including the day. */
BUILTIN(date_workday_number) {
	enum calendar_unit unit = UNIT_MONTH;
	int64_t day = day_of(run, args[0]), period;

	if (n > 1 && !unit_find(args[1], &unit))
		return fail();
	period = period_of_day(run->calendar, unit, day);
	return value_int(calendar_workdays(
		run->calendar, period_first_day(run->calendar, unit, period),
		day + 1));
}

/* The share of the period's business days that has begun; 1 at its end. */
BUILTIN(date_workday_progress) {
	enum calendar_unit unit;
	int64_t day = day_of(run, args[0]), period, first, done, all;

	(void)n;
	if (!unit_find(args[1], &unit))
		return fail();
	period = period_of_day(run->calendar, unit, day);
	first = period_first_day(run->calendar, unit, period);
	done = calendar_workdays(run->calendar, first, day + 1);
	all = calendar_workdays(
		run->calendar, first,
		period_first_day(run->calendar, unit, period + 1));
	if (all == 0)
		return value_missing(MISSING_ZERO);
	return value_double((double)done / (double)all);
}
