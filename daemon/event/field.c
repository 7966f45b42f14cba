#include <errno.h>
#include <string.h>

#include "event/decoder.h"
#include "event/token.h"

/* What a time may be: years 0001 to 9999, UTC. */
#define EARLIEST (-INT64_C(62135596800) * USEC_PER_SEC)
#define LATEST (INT64_C(253402300800) * USEC_PER_SEC - 1)

struct value raw_text(const struct raw *raw, struct arena *arena) {
	char *plain;

	if (raw->kind != RAW_ESCAPED)
		return value_string(raw->s, raw->len);
	plain = arena_alloc_raw(arena, raw->len, 1);
	return value_string(plain,
			    (uint32_t)token_unescape(plain, raw->s, raw->len));
}

static bool is_text(const struct raw *raw) {
	return raw->kind == RAW_STRING || raw->kind == RAW_ESCAPED ||
	       raw->kind == RAW_CELL;
}

static enum refusal string_value(const struct field *field,
				 const struct raw *raw, struct arena *arena,
				 struct value *ret) {
	struct value text;

	if (!is_text(raw))
		return REFUSED_WRONG_TYPE;
	if (!field->type.n_names && raw->kind != RAW_ESCAPED) {
		*ret = value_string(raw->s, raw->len);
		return REFUSED_NOT;
	}
	text = raw_text(raw, arena);
	if (!field->type.n_names) {
		*ret = text;
		return REFUSED_NOT;
	}
	for (uint32_t i = 0; i < field->type.n_names; i++) {
		const char *name = field->type.names[i];

		if (strlen(name) == text.len &&
		    !memcmp(name, text.s, text.len)) {
			*ret = text;
			return REFUSED_NOT;
		}
	}
	return REFUSED_BAD_ENUM;
}

static enum refusal why_no_number(int r) {
	switch (r) {
	case 0:
		return REFUSED_NOT;
	case -ERANGE:
		return REFUSED_OVERFLOW;
	case -EDOM:
		return REFUSED_TOO_MANY_DIGITS;
	default:
		return REFUSED_BAD_NUMBER;
	}
}

/* A number of JSON has one form; text has the one that the stream names. */
static enum refusal scaled(const struct decoder *decoder, const struct raw *raw,
			   unsigned digits, struct arena *arena, int64_t *ret) {
	struct value text;

	if (raw->kind == RAW_NUMBER)
		return why_no_number(
			number_parse_plain(ret, raw->s, raw->len, digits));
	if (!is_text(raw))
		return REFUSED_WRONG_TYPE;
	text = raw_text(raw, arena);
	return why_no_number(number_parse(ret, text.s, text.len, digits,
					  &decoder->stream->numbers));
}

static enum refusal int_value(const struct decoder *decoder,
			      const struct raw *raw, struct arena *arena,
			      struct value *ret) {
	enum refusal refusal;
	int64_t i = 0;

	/* Text beside money is common in JSON; text beside counts is a slip. */
	if (raw->kind != RAW_NUMBER && raw->kind != RAW_CELL)
		return REFUSED_WRONG_TYPE;
	refusal = scaled(decoder, raw, 0, arena, &i);
	if (refusal == REFUSED_TOO_MANY_DIGITS)
		return REFUSED_BAD_NUMBER;
	*ret = value_int(i);
	return refusal;
}

/* Takes the stream's marks out of a cell: "1.234,5" becomes "1234.5". */
static size_t plain_marks(const struct number_format *format, const char *s,
			  size_t len, char *out) {
	char decimal = format->decimal ? format->decimal : '.';
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == decimal)
			out[n++] = '.';
		else if (!s[i] || !memchr(format->thousands, s[i],
					  sizeof(format->thousands)))
			out[n++] = s[i];
	}
	return n;
}

static enum refusal double_value(const struct decoder *decoder,
				 const struct raw *raw, struct value *ret) {
	const char *s = raw->s;
	size_t len = raw->len;
	char plain[64];
	double d;

	if (raw->kind == RAW_CELL) {
		if (len > sizeof(plain))
			return REFUSED_BAD_NUMBER;
		len = plain_marks(&decoder->stream->numbers, s, len, plain);
		s = plain;
		if (token_number(s, s + len) != s + len)
			return REFUSED_BAD_NUMBER;
	} else if (raw->kind != RAW_NUMBER) {
		return REFUSED_WRONG_TYPE;
	}
	if (number_parse_double(&d, s, len) < 0)
		return REFUSED_BAD_NUMBER;
	*ret = value_double(d);
	return REFUSED_NOT;
}

static enum refusal bool_value(const struct raw *raw, struct value *ret) {
	bool truth = raw->kind == RAW_TRUE;

	if (raw->kind == RAW_CELL) {
		truth = raw->len == 4 && !memcmp(raw->s, "true", 4);
		if (!truth && (raw->len != 5 || memcmp(raw->s, "false", 5)))
			return REFUSED_WRONG_TYPE;
	} else if (!truth && raw->kind != RAW_FALSE) {
		return REFUSED_WRONG_TYPE;
	}
	*ret = value_bool(truth);
	return REFUSED_NOT;
}

usec_t day_start(struct decoder *decoder, int64_t days) {
	if (days != decoder->day) {
		decoder->day = days;
		decoder->day_start =
			zone_day_start(&decoder->stream->calendar->zone, days);
	}
	return decoder->day_start;
}

static enum refusal date_value(const struct field *field, struct value text,
			       struct value *ret) {
	struct civil civil;
	bool has_offset;
	int64_t days;

	if (field->time_form == TIME_PATTERN) {
		if (time_parse_pattern(&civil, &has_offset, field->time_pattern,
				       text.s, text.len) < 0)
			return REFUSED_BAD_TIME;
		days = days_from_civil(civil.year, civil.month, civil.day);
	} else if (date_parse(&days, text.s, text.len) < 0) {
		return REFUSED_BAD_TIME;
	}
	*ret = value_date(days);
	return REFUSED_NOT;
}

static int parse_pattern(const struct decoder *decoder, const char *pattern,
			 struct value text, usec_t *ret) {
	struct civil civil;
	bool has_offset;
	int64_t days;
	usec_t clock;
	int r;

	r = time_parse_pattern(&civil, &has_offset, pattern, text.s, text.len);
	if (r < 0)
		return r;
	days = days_from_civil(civil.year, civil.month, civil.day);
	clock = civil.hour * USEC_PER_HOUR + civil.minute * USEC_PER_MIN +
		civil.second * USEC_PER_SEC + civil.usec;
	if (has_offset)
		*ret = days * USEC_PER_DAY + clock -
		       civil.offset * USEC_PER_SEC;
	else
		*ret = zone_instant(&decoder->stream->calendar->zone, days,
				    clock);
	return 0;
}

static int parse_epoch(struct value text, unsigned digits, usec_t *ret) {
	return number_parse_plain(ret, text.s, text.len, digits);
}

static int parse_day(struct decoder *decoder, struct value text, usec_t *ret) {
	int64_t days;
	int r = date_parse(&days, text.s, text.len);

	if (r < 0)
		return r;
	*ret = day_start(decoder, days);
	return 0;
}

/* Two digits below @limit, or -1. */
static int two_digits(const char *s, int limit) {
	int n = (s[0] - '0') * 10 + (s[1] - '0');

	if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' || n >= limit)
		return -1;
	return n;
}

/* "HH:MM:SS" in microseconds, or -1; no leap second. */
static usec_t clock_of(const char *s) {
	int hour = two_digits(s, 24);
	int minute = two_digits(s + 3, 60);
	int second = two_digits(s + 6, 60);

	if (hour < 0 || minute < 0 || second < 0 || s[2] != ':' || s[5] != ':')
		return -1;
	return hour * USEC_PER_HOUR + minute * USEC_PER_MIN +
	       second * USEC_PER_SEC;
}

/*
 * Rows of a day stand together, and a program writes one offset: what differs
 * from the time before is the clock alone.
 */
static int parse_rfc3339(struct decoder *decoder, struct value text,
			 usec_t *ret) {
	struct time_memo *memo = &decoder->memo;
	usec_t clock;
	int r;

	if (text.len == TIME_BYTES && !memcmp(text.s, memo->text, CLOCK_AT) &&
	    !memcmp(text.s + OFFSET_AT, memo->text + OFFSET_AT, OFFSET_BYTES)) {
		clock = clock_of(text.s + CLOCK_AT);
		if (clock >= 0) {
			*ret = memo->midnight + clock;
			return 0;
		}
	}
	r = time_parse_rfc3339(ret, text.s, text.len);
	if (r < 0 || text.len != TIME_BYTES)
		return r;
	clock = clock_of(text.s + CLOCK_AT);
	if (clock >= 0) {
		memcpy(memo->text, text.s, TIME_BYTES);
		memo->midnight = *ret - clock;
	}
	return 0;
}

static int parse_time(struct decoder *decoder, const struct field *field,
		      struct value text, usec_t *ret) {
	switch (field->time_form) {
	case TIME_RFC3339:
		if (text.len == strlen("2026-03-01"))
			return parse_day(decoder, text, ret);
		return parse_rfc3339(decoder, text, ret);
	case TIME_DATE:
		return parse_day(decoder, text, ret);
	case TIME_EPOCH_S:
		return parse_epoch(text, 6, ret);
	case TIME_EPOCH_MS:
		return parse_epoch(text, 3, ret);
	case TIME_PATTERN:
		return parse_pattern(decoder, field->time_pattern, text, ret);
	default:
		return -EINVAL;
	}
}

static enum refusal time_value(struct decoder *decoder,
			       const struct field *field, uint8_t kind,
			       const struct raw *raw, struct arena *arena,
			       struct value *ret) {
	bool epoch = field->time_form == TIME_EPOCH_S ||
		     field->time_form == TIME_EPOCH_MS;
	struct value text;
	usec_t at;

	if (!is_text(raw) && !(epoch && raw->kind == RAW_NUMBER))
		return REFUSED_WRONG_TYPE;
	text = raw_text(raw, arena);
	if (kind == KIND_DATE)
		return date_value(field, text, ret);
	if (parse_time(decoder, field, text, &at) < 0 || at < EARLIEST ||
	    at > LATEST)
		return REFUSED_BAD_TIME;
	*ret = value_time(at);
	return REFUSED_NOT;
}

static enum refusal scalar_value(struct decoder *decoder,
				 const struct field *field, uint8_t kind,
				 const struct raw *raw, struct arena *arena,
				 struct value *ret) {
	enum refusal refusal;
	int64_t minor = 0;

	switch (kind) {
	case KIND_STRING:
		return string_value(field, raw, arena, ret);
	case KIND_MONEY:
		refusal =
			scaled(decoder, raw, currency_digits(field->type.unit),
			       arena, &minor);
		*ret = value_money(minor, field->type.unit);
		return refusal;
	case KIND_INT:
		return int_value(decoder, raw, arena, ret);
	case KIND_DOUBLE:
		return double_value(decoder, raw, ret);
	case KIND_BOOL:
		return bool_value(raw, ret);
	case KIND_DATE:
	case KIND_TIMESTAMP:
		return time_value(decoder, field, kind, raw, arena, ret);
	default:
		return REFUSED_WRONG_TYPE;
	}
}

/*
 * The next item of an array whose grammar walk.c has checked; @at is behind
 * the opening bracket. Only the first byte of a nested one is given: whoever
 * meets it refuses the list.
 */
static bool next_item(const char **at, const char *end, struct raw *ret) {
	const char *s = *at;
	bool escaped;

	while (s < end && memchr(" \t\r\n,", *s, 5))
		s++;
	if (s == end || *s == ']')
		return false;
	ret->s = s;
	if (*s == '"') {
		ret->s = s + 1;
		s = token_string(s + 1, end, &escaped);
		ret->kind = escaped ? RAW_ESCAPED : RAW_STRING;
		ret->len = (uint32_t)(s - ret->s);
		*at = s + 1;
		return true;
	}
	ret->kind = *s == 't'                ? RAW_TRUE
		    : *s == 'f'              ? RAW_FALSE
		    : *s == 'n'              ? RAW_NULL
		    : *s == '{' || *s == '[' ? RAW_OBJECT
					     : RAW_NUMBER;
	while (s < end && !token_ends(s, end))
		s++;
	ret->len = (uint32_t)(s - ret->s);
	*at = s;
	return true;
}

/* The same of a cell: items stand between bars. */
static bool next_part(const char **at, const char *end, struct raw *ret) {
	const char *bar;

	if (*at > end)
		return false;
	bar = memchr(*at, '|', (size_t)(end - *at));
	if (!bar)
		bar = end;
	ret->s = *at;
	ret->len = (uint32_t)(bar - *at);
	ret->kind = RAW_CELL;
	*at = bar + 1;
	return true;
}

static uint32_t count_bytes(const char *s, size_t len, char c) {
	uint32_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += s[i] == c;
	return n;
}

static enum refusal list_value(struct decoder *decoder,
			       const struct field *field, const struct raw *raw,
			       struct arena *arena, struct value *ret) {
	bool cell = raw->kind == RAW_CELL;
	const char *at = raw->s, *end = raw->s + raw->len;
	struct value *items;
	struct raw item;
	uint32_t n = 0;

	if (raw->kind != RAW_ARRAY && !cell)
		return REFUSED_WRONG_TYPE;
	/* Commas inside strings only make it larger than it need be. */
	n = count_bytes(raw->s, raw->len, cell ? '|' : ',') + 1;
	items = arena_alloc_raw(arena, n * sizeof(struct value),
				_Alignof(struct value));
	if (!cell)
		at++;
	for (n = 0;
	     cell ? next_part(&at, end, &item) : next_item(&at, end, &item);
	     n++) {
		enum refusal refusal =
			scalar_value(decoder, field, field->type.elem, &item,
				     arena, &items[n]);

		if (refusal)
			return refusal;
	}
	*ret = (struct value){ .kind = KIND_LIST, .len = n, .list = items };
	return REFUSED_NOT;
}

enum refusal field_value(struct decoder *decoder, const struct field *field,
			 const struct raw *raw, struct arena *arena,
			 struct value *ret) {
	if (field->type.kind == KIND_LIST)
		return list_value(decoder, field, raw, arena, ret);
	return scalar_value(decoder, field, field->type.kind, raw, arena, ret);
}
