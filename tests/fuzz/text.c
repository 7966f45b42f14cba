/*
 * Any bytes as a number, a time, a date, a duration: taken or refused, and
 * what is taken is written and read back as the same.
 */
#include "base/calendar.h"
#include "base/number.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_number(const char *s, size_t len) {
	static const struct number_format loose = {
		.decimal = ',',
		.thousands = ". '",
		.parentheses = true,
		.trailing_minus = true,
	};
	struct buf out = { 0 };
	int64_t n, again;
	double d;

	if (number_parse_plain(&n, s, len, 2) == 0) {
		number_format(&out, n, 2, false);
		assert(number_parse_plain(&again, out.data, out.len, 2) == 0);
		assert(again == n);
	}
	number_parse(&n, s, len, 2, &loose);
	number_parse_double(&d, s, len);
	buf_free(&out);
}

static void check_time(const char *s, size_t len) {
	struct buf out = { 0 };
	usec_t at, again;
	struct civil civil;
	bool has_offset;
	int64_t days;

	if (time_parse_rfc3339(&at, s, len) == 0) {
		time_format_rfc3339(&out, at, NULL);
		/* The far ends of the years fall outside in UTC. */
		if (time_parse_rfc3339(&again, out.data, out.len) == 0)
			assert(again == at);
	}
	buf_reset(&out);
	if (date_parse(&days, s, len) == 0) {
		date_format(&out, days);
		assert(date_parse(&again, out.data, out.len) == 0);
		assert(again == days);
	}
	time_parse_pattern(&civil, &has_offset, "%d.%m.%Y %H:%M:%S%z", s, len);
	buf_free(&out);
}

static void check_span(const char *s, size_t len) {
	struct buf out = { 0 };
	struct span span, again;

	if (span_parse(&span, s, len) == 0) {
		span_format(&out, span);
		assert(span_parse(&again, out.data, out.len) == 0);
		assert(again.unit == span.unit && again.n == span.n);
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	check_number((const char *)data, size);
	check_time((const char *)data, size);
	check_span((const char *)data, size);
	return 0;
}
