/* Dates and times as text, and the arithmetic of the Gregorian calendar. */
#include "base/calendar.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define YEAR_MOST 9999

/*
 * Years begin in March here, so that the leap day is the last one, and eras
 * of 400 years all have the same length (Hinnant, "chrono-compatible
 * low-level date algorithms").
 */
#define ERA_DAYS 146097
#define EPOCH_SHIFT 719468

int64_t days_from_civil(int32_t year, unsigned month, unsigned day) {
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - EPOCH_SHIFT;
}

void civil_from_days(int64_t days, int32_t *year, unsigned *month,
		     unsigned *day) {
	int64_t z = days + EPOCH_SHIFT;
	int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
	int64_t of_era = z - era * ERA_DAYS;
	int64_t y =
		(of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) /
		365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;

	*day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
	*month = (unsigned)(m < 10 ? m + 3 : m - 9);
	*year = (int32_t)(y + era * 400 + (*month <= 2));
}

unsigned days_in_month(int32_t year, unsigned month) {
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30,
					31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	assert(month >= 1 && month <= 12);
	return month == 2 && leap ? 29 : days[month - 1];
}

bool civil_is_valid(int32_t year, unsigned month, unsigned day) {
	return year >= 1 && year <= YEAR_MOST && month >= 1 && month <= 12 &&
	       day >= 1 && day <= days_in_month(year, month);
}

unsigned iso_weekday(int64_t days) {
	int64_t n = (days + 3) % 7;

	return (unsigned)(n < 0 ? n + 8 : n + 1);
}

/* Text that is eaten from the front. */
struct text {
	const char *s, *end;
};

static bool take(struct text *text, char c) {
	if (text->s == text->end || *text->s != c)
		return false;
	text->s++;
	return true;
}

static bool next_is_digit(const struct text *text) {
	return text->s < text->end && *text->s >= '0' && *text->s <= '9';
}

static bool take_number(struct text *text, unsigned least, unsigned most,
			uint32_t *ret) {
	uint32_t n = 0;
	unsigned digits = 0;

	while (digits < most && next_is_digit(text)) {
		n = n * 10 + (uint32_t)(*text->s++ - '0');
		digits++;
	}
	*ret = n;
	return digits >= least;
}

/* A field of exactly two digits that is at most @most. */
static bool take_two(struct text *text, uint32_t most, uint8_t *ret) {
	uint32_t n;

	if (!take_number(text, 2, 2, &n) || n > most)
		return false;
	*ret = (uint8_t)n;
	return true;
}

static bool take_date(struct text *text, struct civil *c) {
	uint32_t year;

	if (!take_number(text, 4, 4, &year))
		return false;
	c->year = (int32_t)year;
	return take(text, '-') && take_two(text, 12, &c->month) &&
	       take(text, '-') && take_two(text, 31, &c->day) &&
	       civil_is_valid(c->year, c->month, c->day);
}

static bool take_clock(struct text *text, struct civil *c) {
	return take_two(text, 23, &c->hour) && take(text, ':') &&
	       take_two(text, 59, &c->minute) && take(text, ':') &&
	       take_two(text, 59, &c->second);
}

/* Digits of a second; those below a microsecond are cut off. */
static bool take_fraction(struct text *text, uint32_t *usec) {
	const char *from = text->s;
	uint32_t unit = 100000;

	*usec = 0;
	while (next_is_digit(text)) {
		*usec += unit * (uint32_t)(*text->s++ - '0');
		unit /= 10;
	}
	return text->s > from;
}

static bool take_offset(struct text *text, bool strict, int32_t *ret) {
	bool west;
	uint8_t hours;
	uint8_t minutes = 0;
	bool colon;

	if (take(text, 'Z') || take(text, 'z')) {
		*ret = 0;
		return true;
	}
	west = text->s < text->end && *text->s == '-';
	if (!west && (text->s == text->end || *text->s != '+'))
		return false;
	text->s++;
	if (!take_two(text, 23, &hours))
		return false;
	colon = take(text, ':');
	if (strict && !colon)
		return false;
	if ((colon || next_is_digit(text)) && !take_two(text, 59, &minutes))
		return false;
	*ret = (hours * 60 + minutes) * (west ? -60 : 60);
	return true;
}

static usec_t civil_instant(const struct civil *c) {
	int64_t seconds = days_from_civil(c->year, c->month, c->day) * 86400;

	seconds += c->hour * 3600 + c->minute * 60 + c->second - c->offset;
	return seconds * USEC_PER_SEC + c->usec;
}

static bool instant_is_valid(usec_t at) {
	return at >= days_from_civil(1, 1, 1) * USEC_PER_DAY &&
	       at < days_from_civil(YEAR_MOST + 1, 1, 1) * USEC_PER_DAY;
}

int time_parse_rfc3339(usec_t *ret, const char *s, size_t len) {
	struct text text = { s, s + len };
	struct civil c = { 0 };
	usec_t at;

	if (!take_date(&text, &c))
		return -EINVAL;
	if (!take(&text, 'T') && !take(&text, 't') && !take(&text, ' '))
		return -EINVAL;
	if (!take_clock(&text, &c))
		return -EINVAL;
	if (take(&text, '.') && !take_fraction(&text, &c.usec))
		return -EINVAL;
	if (!take_offset(&text, true, &c.offset) || text.s != text.end)
		return -EINVAL;
	at = civil_instant(&c);
	if (!instant_is_valid(at))
		return -EINVAL;
	*ret = at;
	return 0;
}

int date_parse(int64_t *ret, const char *s, size_t len) {
	struct text text = { s, s + len };
	struct civil c = { 0 };

	if (!take_date(&text, &c) || text.s != text.end)
		return -EINVAL;
	*ret = days_from_civil(c.year, c.month, c.day);
	return 0;
}

/* "Mar" or "March", in any case. */
static bool take_month_name(struct text *text, uint8_t *ret) {
	static const char *const names[] = {
		"January",   "February", "March",    "April",
		"May",       "June",     "July",     "August",
		"September", "October",  "November", "December",
	};
	size_t left = (size_t)(text->end - text->s);

	for (uint8_t i = 0; i < 12; i++) {
		size_t len = strlen(names[i]);

		if (left >= len && !strncasecmp(text->s, names[i], len))
			text->s += len;
		else if (left >= 3 && !strncasecmp(text->s, names[i], 3))
			text->s += 3;
		else
			continue;
		*ret = (uint8_t)(i + 1);
		return true;
	}
	return false;
}

struct pattern_state {
	struct civil civil;
	uint32_t day_of_year; /* 0: not given */
	bool has_offset;
};

static bool take_short(struct text *text, uint32_t most, uint8_t *ret) {
	uint32_t n;

	if (!take_number(text, 1, 2, &n) || n > most)
		return false;
	*ret = (uint8_t)n;
	return true;
}

static bool take_conversion(struct text *text, char what,
			    struct pattern_state *state) {
	struct civil *c = &state->civil;
	uint32_t n;

	switch (what) {
	case 'Y':
		if (!take_number(text, 4, 4, &n))
			return false;
		c->year = (int32_t)n;
		return true;
	case 'y':
		if (!take_number(text, 2, 2, &n))
			return false;
		c->year = (int32_t)(n < 69 ? 2000 + n : 1900 + n);
		return true;
	case 'm':
		return take_short(text, 12, &c->month);
	case 'b':
		return take_month_name(text, &c->month);
	case 'e':
		take(text, ' ');
		return take_short(text, 31, &c->day);
	case 'd':
		return take_short(text, 31, &c->day);
	case 'j':
		return take_number(text, 1, 3, &state->day_of_year) &&
		       state->day_of_year;
	case 'H':
		return take_short(text, 23, &c->hour);
	case 'M':
		return take_short(text, 59, &c->minute);
	case 'S':
		return take_short(text, 59, &c->second);
	case 'f':
		return take_fraction(text, &c->usec);
	case 'z':
		state->has_offset = true;
		return take_offset(text, false, &c->offset);
	default:
		return what == '%' && take(text, '%');
	}
}

bool time_pattern_is_valid(const char *pattern) {
	for (; *pattern; pattern++)
		if (*pattern == '%' &&
		    (!*++pattern || !strchr("YmdHMSfzbyej%", *pattern)))
			return false;
	return true;
}

static bool civil_from_day_of_year(struct civil *c, uint32_t n) {
	unsigned month;
	unsigned day;
	int32_t year;

	civil_from_days(days_from_civil(c->year, 1, 1) + n - 1, &year, &month,
			&day);
	c->month = (uint8_t)month;
	c->day = (uint8_t)day;
	return year == c->year;
}

int time_parse_pattern(struct civil *ret, bool *has_offset, const char *pattern,
		       const char *s, size_t len) {
	struct text text = { s, s + len };
	struct pattern_state state = { .civil = { 1970, 1, 1 } };

	for (; *pattern; pattern++) {
		bool ok;

		if (*pattern != '%')
			ok = take(&text, *pattern);
		else if (*++pattern)
			ok = take_conversion(&text, *pattern, &state);
		else
			return -EINVAL;
		if (!ok)
			return -EINVAL;
	}
	if (text.s != text.end)
		return -EINVAL;
	if (state.day_of_year &&
	    !civil_from_day_of_year(&state.civil, state.day_of_year))
		return -EINVAL;
	if (!civil_is_valid(state.civil.year, state.civil.month,
			    state.civil.day))
		return -EINVAL;
	*ret = state.civil;
	*has_offset = state.has_offset;
	return 0;
}

/* By hand, because every alert holds a dozen times. */
static void put_two(struct buf *out, uint32_t n) {
	char text[2] = { (char)('0' + n / 10), (char)('0' + n % 10) };

	buf_add(out, text, 2);
}

void date_format(struct buf *out, int64_t days) {
	int32_t year;
	unsigned month;
	unsigned day;

	civil_from_days(days, &year, &month, &day);
	if (year < 0 || year > YEAR_MOST) {
		/* The local date of an instant at either end of time. */
		buf_printf(out, "%04d", year);
	} else {
		put_two(out, (uint32_t)year / 100);
		put_two(out, (uint32_t)year % 100);
	}
	buf_putc(out, '-');
	put_two(out, month);
	buf_putc(out, '-');
	put_two(out, day);
}

static void put_clock(struct buf *out, uint32_t seconds) {
	put_two(out, seconds / 3600);
	buf_putc(out, ':');
	put_two(out, seconds / 60 % 60);
	buf_putc(out, ':');
	put_two(out, seconds % 60);
}

static void put_fraction(struct buf *out, uint32_t usec) {
	if (usec % 1000)
		buf_printf(out, ".%06u", usec);
	else if (usec)
		buf_printf(out, ".%03u", usec / 1000);
}

static void put_offset(struct buf *out, int32_t minutes) {
	uint32_t n = (uint32_t)(minutes < 0 ? -minutes : minutes);

	buf_putc(out, minutes < 0 ? '-' : '+');
	put_two(out, n / 60);
	buf_putc(out, ':');
	put_two(out, n % 60);
}

/*
 * Offsets of the time before zones have seconds, which RFC 3339 cannot say:
 * the clock is then shown at the offset cut to minutes, the instant is right.
 */
void time_format_rfc3339(struct buf *out, usec_t at, const struct zone *zone) {
	int32_t minutes = zone ? zone_offset(zone, at) / 60 : 0;
	usec_t local = at + minutes * USEC_PER_MIN;
	int64_t days = local / USEC_PER_DAY - (local % USEC_PER_DAY < 0);
	usec_t clock = local - days * USEC_PER_DAY;

	date_format(out, days);
	buf_putc(out, 'T');
	put_clock(out, (uint32_t)(clock / USEC_PER_SEC));
	put_fraction(out, (uint32_t)(clock % USEC_PER_SEC));
	if (zone)
		put_offset(out, minutes);
	else
		buf_putc(out, 'Z');
}
