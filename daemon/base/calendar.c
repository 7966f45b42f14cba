#include "base/calendar.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

#define FIRST_YEAR 1900
#define LAST_YEAR 2200

static bool is_weekend(int64_t days) {
	return iso_weekday(days) >= 6;
}

static int64_t floor_divide(int64_t a, int64_t b) {
	return a / b - (a % b < 0);
}

static void calendar_seal(struct calendar *calendar) {
	struct hash128 hash =
		hash128(calendar->zone.hash, sizeof(calendar->zone.hash), 0);
	uint64_t seed = hash.lo ^ hash.hi;
	uint8_t fiscal[2] = { calendar->fiscal_month, calendar->fiscal_day };

	for (uint32_t i = 0; i <= calendar->n_days / 64; i++) {
		uint8_t word[8];

		for (unsigned b = 0; b < 8; b++)
			word[b] = (uint8_t)(calendar->free_bits[i] >> 8 * b);
		seed = hash64(word, sizeof(word), seed);
	}
	hash = hash128(fiscal, sizeof(fiscal), seed);
	for (unsigned b = 0; b < 8; b++) {
		calendar->hash[b] = (uint8_t)(hash.lo >> 8 * b);
		calendar->hash[8 + b] = (uint8_t)(hash.hi >> 8 * b);
	}
}

/* Free days before each word of 64. */
static void count_free(struct calendar *calendar, const uint64_t *free_bits,
		       struct arena *arena) {
	uint32_t words = calendar->n_days / 64 + 1;
	uint32_t *counts = arena_array(arena, uint32_t, words);
	uint32_t sum = 0;

	for (uint32_t i = 0; i < words; i++) {
		counts[i] = sum;
		sum += (uint32_t)__builtin_popcountll(free_bits[i]);
	}
	calendar->free_bits = free_bits;
	calendar->counts = counts;
}

int calendar_init(struct calendar *ret, const char *name, const char *tz,
		  struct arena *arena) {
	struct calendar calendar = { .fiscal_month = 1, .fiscal_day = 1 };
	uint64_t *free_bits;
	int r;

	r = zone_load(&calendar.zone, tz, arena);
	if (r < 0)
		return r;

	calendar.name = arena_strdup(arena, name);
	calendar.first_day = days_from_civil(FIRST_YEAR, 1, 1);
	calendar.n_days = (uint32_t)(days_from_civil(LAST_YEAR + 1, 1, 1) -
				     calendar.first_day);
	free_bits = arena_array(arena, uint64_t, calendar.n_days / 64 + 1);
	for (uint32_t i = 0; i < calendar.n_days; i++)
		if (is_weekend(calendar.first_day + i))
			free_bits[i / 64] |= UINT64_C(1) << i % 64;
	count_free(&calendar, free_bits, arena);
	calendar_seal(&calendar);

	*ret = calendar;
	return 0;
}

int calendar_fiscal_year(struct calendar *calendar, const char *s, size_t len) {
	char date[10] = "2001-";
	int32_t year;
	unsigned month;
	unsigned day;
	int64_t days;

	if (len != 5)
		return -EINVAL;
	memcpy(date + 5, s, 5);
	if (date_parse(&days, date, sizeof(date)) < 0)
		return -EINVAL;
	civil_from_days(days, &year, &month, &day);
	calendar->fiscal_month = (uint8_t)month;
	calendar->fiscal_day = (uint8_t)day;
	calendar_seal(calendar);
	return 0;
}

/* What a holiday file says so far. */
struct holidays {
	const struct calendar *calendar;
	uint64_t *free_bits;
	uint64_t *seen;
	int32_t from, to;
	struct diag *diag;
};

struct field {
	const char *s;
	size_t len;
};

/* Up to the next comma, without the blanks around it. */
static struct field next_field(const char **at, const char *end) {
	const char *stop = memchr(*at, ',', (size_t)(end - *at));
	struct field ret = { *at, (size_t)((stop ? stop : end) - *at) };

	*at = stop ? stop + 1 : end;
	while (ret.len && (*ret.s == ' ' || *ret.s == '\t')) {
		ret.s++;
		ret.len--;
	}
	while (ret.len &&
	       (ret.s[ret.len - 1] == ' ' || ret.s[ret.len - 1] == '\t'))
		ret.len--;
	return ret;
}

static bool field_is(struct field field, const char *text) {
	return field.len == strlen(text) && !memcmp(field.s, text, field.len);
}

static struct place field_place(struct place line, const char *begin,
				struct field field) {
	line.column += (uint32_t)utf8_length(begin, (size_t)(field.s - begin));
	line.width = (uint32_t)utf8_length(field.s, field.len);
	return line;
}

static int holiday_set(struct holidays *h, int64_t days, bool is_free) {
	uint64_t i = (uint64_t)(days - h->calendar->first_day);
	uint64_t bit = UINT64_C(1) << i % 64;
	int32_t year;
	unsigned month;
	unsigned day;

	if (h->seen[i / 64] & bit)
		return -EEXIST;
	h->seen[i / 64] |= bit;
	if (is_free)
		h->free_bits[i / 64] |= bit;
	else
		h->free_bits[i / 64] &= ~bit;
	civil_from_days(days, &year, &month, &day);
	if (!h->from || year < h->from)
		h->from = year;
	if (year > h->to)
		h->to = year;
	return 0;
}

static int holiday_line(struct holidays *h, struct place place, const char *s,
			const char *end) {
	const struct calendar *calendar = h->calendar;
	const char *begin = s;
	struct field date = next_field(&s, end);
	bool alone = s == end;
	struct field kind = next_field(&s, end);
	bool is_free = field_is(kind, "holiday");
	int64_t days;

	if (alone)
		return diag_at(h->diag, place, "E401",
			       "a line is `date,kind` or `date,kind,name`");
	if (date_parse(&days, date.s, date.len) < 0 ||
	    days < calendar->first_day ||
	    days >= calendar->first_day + calendar->n_days)
		return diag_at(h->diag, field_place(place, begin, date), "E402",
			       "`%.*s` is not a date from %d-01-01 to %d-12-31",
			       (int)date.len, date.s, FIRST_YEAR, LAST_YEAR);
	if (!is_free && !field_is(kind, "workday"))
		return diag_at(h->diag, field_place(place, begin, kind), "E403",
			       "`%.*s` is neither `holiday` nor `workday`",
			       (int)kind.len, kind.s);
	if (holiday_set(h, days, is_free) < 0)
		return diag_at(h->diag, field_place(place, begin, date), "E404",
			       "%.*s stands in this file before", (int)date.len,
			       date.s);
	return 0;
}

/* Blank lines, comments, and the header above the first date. */
static bool line_is_passed_over(const struct holidays *h, const char *s,
				const char *end) {
	struct field first = next_field(&s, end);

	return !first.len || *first.s == '#' ||
	       (!h->from && field_is(first, "date"));
}

int calendar_holidays(struct calendar *calendar, const struct source *csv,
		      struct arena *arena, struct diag *diag) {
	size_t words = calendar->n_days / 64 + 1;
	struct holidays h = { .calendar = calendar, .diag = diag };
	struct place place = { .source = csv, .line = 1, .column = 1 };
	const char *at = csv->text;
	const char *end = at + csv->len;
	int r = 0;

	h.free_bits = arena_array(arena, uint64_t, words);
	h.seen = arena_array(arena, uint64_t, words);
	memcpy(h.free_bits, calendar->free_bits, words * sizeof(uint64_t));
	if (end - at >= 3 && !memcmp(at, "\xef\xbb\xbf", 3))
		at += 3;
	for (; at < end; place.line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const char *next = stop ? stop + 1 : end;

		if (!stop)
			stop = end;
		if (stop > at && stop[-1] == '\r')
			stop--;
		if (!line_is_passed_over(&h, at, stop) &&
		    holiday_line(&h, place, at, stop) < 0)
			r = -EINVAL;
		at = next;
	}
	if (r < 0)
		return r;

	count_free(calendar, h.free_bits, arena);
	calendar->holidays_from = h.from;
	calendar->holidays_to = h.to;
	calendar_seal(calendar);
	return 0;
}

bool calendar_is_workday(const struct calendar *calendar, int64_t days) {
	int64_t i = days - calendar->first_day;

	if (i < 0 || i >= calendar->n_days)
		return !is_weekend(days);
	return !(calendar->free_bits[i / 64] >> i % 64 & 1);
}

/* Mondays to Fridays from the Monday 1969-12-29 up to the day before @days. */
static int64_t weekdays_before(int64_t days) {
	int64_t week = floor_divide(days + 3, 7);
	int64_t rest = days + 3 - week * 7;

	return week * 5 + (rest < 5 ? rest : 5);
}

/* Business days before @days, counted from first_day (negative before it). */
static int64_t workdays_before(const struct calendar *calendar, int64_t days) {
	int64_t i = days - calendar->first_day;
	int64_t beyond = 0;
	uint64_t word;

	if (i < 0)
		return weekdays_before(days) -
		       weekdays_before(calendar->first_day);
	if (i > calendar->n_days) {
		beyond =
			weekdays_before(days) -
			weekdays_before(calendar->first_day + calendar->n_days);
		i = calendar->n_days;
	}
	word = calendar->free_bits[i / 64] & ((UINT64_C(1) << i % 64) - 1);
	return i - calendar->counts[i / 64] - __builtin_popcountll(word) +
	       beyond;
}

int64_t calendar_workdays(const struct calendar *calendar, int64_t from,
			  int64_t to) {
	return workdays_before(calendar, to) - workdays_before(calendar, from);
}

/*
 * The first day by whose end @target business days have passed, by halves:
 * @low has fewer, @high has as many.
 */
static int64_t find_workday(const struct calendar *calendar, int64_t target,
			    int64_t low, int64_t high) {
	while (high - low > 1) {
		int64_t mid = low + (high - low) / 2;

		if (workdays_before(calendar, mid + 1) < target)
			low = mid;
		else
			high = mid;
	}
	return high;
}

int64_t calendar_add_workdays(const struct calendar *calendar, int64_t days,
			      int64_t n) {
	int64_t step = 16 + 2 * (n < 0 ? -n : n);
	int64_t far = days;
	int64_t target;

	if (!n)
		return days;
	if (n > 0) {
		target = workdays_before(calendar, days + 1) + n;
		while (workdays_before(calendar, far + 1) < target)
			far += step;
		return find_workday(calendar, target, days, far);
	}
	/* The day that has |n| - 1 business days between itself and @days. */
	target = workdays_before(calendar, days) + n + 1;
	while (workdays_before(calendar, far + 1) >= target)
		far -= step;
	return find_workday(calendar, target, far, days);
}

/* Months since the first one of 1970 in which a fiscal year would begin. */
static int64_t fiscal_months(const struct calendar *calendar, int32_t year,
			     unsigned month, unsigned day) {
	unsigned begins = calendar->fiscal_day;

	if (begins > days_in_month(year, month))
		begins = days_in_month(year, month);
	return (year - 1970) * INT64_C(12) + month - calendar->fiscal_month -
	       (day < begins);
}

int64_t period_of_day(const struct calendar *calendar, enum calendar_unit unit,
		      int64_t days) {
	int32_t year;
	unsigned month;
	unsigned day;

	if (unit == UNIT_DAY)
		return days;
	if (unit == UNIT_WEEK)
		return floor_divide(days + 3, 7);
	civil_from_days(days, &year, &month, &day);
	switch (unit) {
	case UNIT_MONTH:
		return (year - 1970) * INT64_C(12) + month - 1;
	case UNIT_QUARTER:
		return (year - 1970) * INT64_C(4) + (month - 1) / 3;
	case UNIT_YEAR:
		return year - 1970;
	case UNIT_FISCAL_YEAR:
		return floor_divide(fiscal_months(calendar, year, month, day),
				    12);
	case UNIT_FISCAL_QUARTER:
		return floor_divide(fiscal_months(calendar, year, month, day),
				    3);
	case UNIT_DAY:
	case UNIT_WEEK:
	case UNIT_MAX:
		break;
	}
	assert(!"a unit");
	return 0;
}

/* The first of a month counted from 1970-01, or its @day if it has that. */
static int64_t month_day(int64_t months, unsigned day) {
	int32_t year = (int32_t)(1970 + floor_divide(months, 12));
	unsigned month = (unsigned)(months - floor_divide(months, 12) * 12) + 1;

	if (day > days_in_month(year, month))
		day = days_in_month(year, month);
	return days_from_civil(year, month, day);
}

int64_t period_first_day(const struct calendar *calendar,
			 enum calendar_unit unit, int64_t period) {
	int64_t fiscal = calendar->fiscal_month - 1;

	switch (unit) {
	case UNIT_DAY:
		return period;
	case UNIT_WEEK:
		return period * 7 - 3;
	case UNIT_MONTH:
		return month_day(period, 1);
	case UNIT_QUARTER:
		return month_day(period * 3, 1);
	case UNIT_YEAR:
		return month_day(period * 12, 1);
	case UNIT_FISCAL_YEAR:
		return month_day(period * 12 + fiscal, calendar->fiscal_day);
	case UNIT_FISCAL_QUARTER:
		return month_day(period * 3 + fiscal, calendar->fiscal_day);
	case UNIT_MAX:
		break;
	}
	assert(!"a unit");
	return 0;
}

int64_t period_of(const struct calendar *calendar, enum calendar_unit unit,
		  usec_t at) {
	return period_of_day(calendar, unit, zone_days(&calendar->zone, at));
}

usec_t period_start(const struct calendar *calendar, enum calendar_unit unit,
		    int64_t period) {
	return zone_day_start(&calendar->zone,
			      period_first_day(calendar, unit, period));
}

/* A week has the year of its Thursday. */
static void week_name(int64_t period, struct buf *out) {
	int64_t thursday = period * 7;
	int32_t year;
	unsigned month;
	unsigned day;
	int64_t week;

	civil_from_days(thursday, &year, &month, &day);
	week = (thursday - days_from_civil(year, 1, 1)) / 7 + 1;
	buf_printf(out, "%04d-W%02d", year, (int)week);
}

void period_name(const struct calendar *calendar, enum calendar_unit unit,
		 int64_t period, struct buf *out) {
	int64_t days = period_first_day(calendar, unit, period);
	int32_t year;
	unsigned month;
	unsigned day;
	int quarter = (int)(period - floor_divide(period, 4) * 4) + 1;

	civil_from_days(days, &year, &month, &day);
	switch (unit) {
	case UNIT_DAY:
		date_format(out, days);
		break;
	case UNIT_WEEK:
		week_name(period, out);
		break;
	case UNIT_MONTH:
		buf_printf(out, "%04d-%02u", year, month);
		break;
	case UNIT_QUARTER:
		buf_printf(out, "%04d-Q%d", year, quarter);
		break;
	case UNIT_YEAR:
		buf_printf(out, "%04d", year);
		break;
	case UNIT_FISCAL_YEAR:
		buf_printf(out, "FY%04d", year);
		break;
	case UNIT_FISCAL_QUARTER:
		buf_printf(out, "FY%04d-Q%d",
			   (int)(1970 + floor_divide(period, 4)), quarter);
		break;
	case UNIT_MAX:
		break;
	}
}

usec_t calendar_add_months(const struct calendar *calendar, usec_t at,
			   int64_t months) {
	struct civil c;
	usec_t clock;
	int64_t days;

	zone_civil(&calendar->zone, at, &c);
	clock = (c.hour * 60 + c.minute) * USEC_PER_MIN +
		c.second * USEC_PER_SEC + c.usec;
	days = month_day((c.year - 1970) * INT64_C(12) + c.month - 1 + months,
			 c.day);
	return zone_instant(&calendar->zone, days, clock);
}
