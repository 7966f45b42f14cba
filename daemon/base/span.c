/* Durations as people write them. */
#include "base/calendar.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Ten thousand years, so that sums of instants and spans do not overflow. */
#define SPAN_MOST (10000 * 366 * USEC_PER_DAY)

static const struct {
	char name[3];
	uint8_t unit;
	int64_t n;
	int64_t most; /* of the number before it */
} units[] = {
	/* Longer names first: "m" begins "ms" and "mo". */
	{ "ms", SPAN_FIXED, USEC_PER_MSEC, SPAN_MOST / USEC_PER_MSEC },
	{ "mo", SPAN_MONTHS, 1, 120000 },
	{ "bd", SPAN_WORKDAYS, 1, 2600000 },
	{ "w", SPAN_FIXED, 7 * USEC_PER_DAY, SPAN_MOST / USEC_PER_DAY / 7 },
	{ "d", SPAN_FIXED, USEC_PER_DAY, SPAN_MOST / USEC_PER_DAY },
	{ "h", SPAN_FIXED, USEC_PER_HOUR, SPAN_MOST / USEC_PER_HOUR },
	{ "m", SPAN_FIXED, USEC_PER_MIN, SPAN_MOST / USEC_PER_MIN },
	{ "s", SPAN_FIXED, USEC_PER_SEC, SPAN_MOST / USEC_PER_SEC },
	{ "y", SPAN_MONTHS, 12, 10000 },
};

/* One number and its unit, from the front. */
static bool take_part(const char **s, const char *end, struct span *ret) {
	const char *at = *s;
	int64_t n = 0;

	while (at < end && *at >= '0' && *at <= '9') {
		if (n > SPAN_MOST / 10)
			return false;
		n = n * 10 + (*at++ - '0');
	}
	if (at == *s)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].name);

		if ((size_t)(end - at) < len || memcmp(at, units[i].name, len))
			continue;
		if (n > units[i].most)
			return false;
		ret->unit = units[i].unit;
		ret->n = n * units[i].n;
		*s = at + len;
		return true;
	}
	return false;
}

int span_parse(struct span *ret, const char *s, size_t len) {
	const char *end = s + len;
	struct span sum;

	if (!take_part(&s, end, &sum))
		return -EINVAL;
	while (s < end) {
		struct span part;

		if (!take_part(&s, end, &part) || sum.unit != SPAN_FIXED ||
		    part.unit != SPAN_FIXED || sum.n > SPAN_MOST - part.n)
			return -EINVAL;
		sum.n += part.n;
	}
	*ret = sum;
	return 0;
}

static void format_fixed(struct buf *out, usec_t n) {
	static const struct {
		usec_t n;
		const char *name;
	} steps[] = {
		{ USEC_PER_DAY, "d" },   { USEC_PER_HOUR, "h" },
		{ USEC_PER_MIN, "m" },   { USEC_PER_SEC, "s" },
		{ USEC_PER_MSEC, "ms" },
	};

	if (!n) {
		buf_puts(out, "0s");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (n % steps[i].n)
			continue;
		buf_int(out, n / steps[i].n);
		buf_puts(out, steps[i].name);
		return;
	}
	buf_int(out, n);
	buf_puts(out, "us");
}

void span_format(struct buf *out, struct span span) {
	switch (span.unit) {
	case SPAN_FIXED:
		format_fixed(out, span.n);
		break;
	case SPAN_WORKDAYS:
		buf_int(out, span.n);
		buf_puts(out, "bd");
		break;
	case SPAN_MONTHS:
		buf_int(out, span.n % 12 ? span.n : span.n / 12);
		buf_puts(out, span.n % 12 ? "mo" : "y");
		break;
	}
}

static usec_t add_workdays(const struct calendar *calendar, usec_t at,
			   int64_t n) {
	struct civil c;
	int64_t days = zone_days(&calendar->zone, at);
	usec_t clock;

	zone_civil(&calendar->zone, at, &c);
	clock = (c.hour * 60 + c.minute) * USEC_PER_MIN +
		c.second * USEC_PER_SEC + c.usec;
	return zone_instant(&calendar->zone,
			    calendar_add_workdays(calendar, days, n), clock);
}

usec_t span_add(const struct calendar *calendar, usec_t at, struct span span,
		int sign) {
	int64_t n = sign < 0 ? -span.n : span.n;

	if (span.unit == SPAN_FIXED)
		return at + n;
	assert(calendar);
	if (span.unit == SPAN_MONTHS)
		return calendar_add_months(calendar, at, n);
	return add_workdays(calendar, at, n);
}
