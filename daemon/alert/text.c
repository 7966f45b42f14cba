/*
 * Text: messages with values put in, as people read them.
 *
 *   {amount}        86400.5, as value_format() has it
 *   {amount|money}  86,400.50
 *   {amount|wan}    8.64万元 in Chinese, CNY 86,400.50 in English
 *   {growth|pct}    63%, 6.3%
 *   {n|int}         rounded half to even
 *   {paid_at|date}  2026-03-05, in the calendar's zone
 *   {paid_at|time}  2026-03-05 14:30
 */
#include "alert/record.h"

#include <math.h>

#include "base/number.h"
#include "base/text.h"

/* A fixed number of stars: how long the value is, is a hint as well. */
#define STARS "****"
#define KEPT 4

static void mask_text(struct buf *out, const char *s, size_t len,
		      enum mask mask) {
	size_t length = utf8_length(s, len);
	size_t skip = 0;
	uint32_t code_point;

	buf_puts(out, STARS);
	if (mask != MASK_LAST4 || length <= KEPT)
		return;
	for (size_t i = 0; i < length - KEPT; i++) {
		size_t n = utf8_next(s + skip, len - skip, &code_point);

		skip += n ? n : 1;
	}
	buf_add(out, s + skip, len - skip);
}

void text_mask(struct buf *out, struct value value, enum mask mask) {
	CLEANUP(buf_free) struct buf plain = { 0 };

	value_format(&plain, value);
	if (mask == MASK_NONE || value_is_missing(value))
		buf_add(out, plain.data, plain.len);
	else
		mask_text(out, plain.data, plain.len, mask);
}

/*
 * A text or a list that was made of a masked field may hold it whole; a number
 * or a truth made of it (how many accounts, the same account) says no more
 * than the rule does. A masked field itself stays masked whatever its kind:
 * its slot is marked, and only a lone slot has the slot's own type.
 */
enum mask text_mask_of(const struct expr *expr, const enum mask *masks) {
	enum mask mask = expr_mask(expr);
	struct type type = expr_type(expr);
	const uint16_t *slots;
	size_t n;

	if (!masks)
		return MASK_NONE;
	slots = expr_slots(expr, &n);
	if (type.kind == KIND_BOOL)
		return MASK_NONE;
	if (n > 1 && type.kind != KIND_STRING && type.kind != KIND_LIST &&
	    type.kind != KIND_DYN)
		return mask;
	for (size_t i = 0; i < n; i++)
		mask = masks[slots[i]] > mask ? masks[slots[i]] : mask;
	return mask;
}

static bool is_format(const char *format, const char *name) {
	return format && !strcmp(format, name);
}

/* A number in hundredths, for what is written with two decimals. */
static bool hundredths(struct value value, int64_t *ret) {
	if (value.kind == KIND_INT)
		return !__builtin_mul_overflow(value.i, 100, ret);
	return value.kind == KIND_DOUBLE &&
	       double_to_i64_even(value.d * 100.0, ret);
}

static void format_money(struct buf *out, struct value value) {
	int64_t scaled;

	if (value.kind == KIND_MONEY)
		number_format(out, value.i, currency_digits(value.unit), true);
	else if (hundredths(value, &scaled))
		number_format(out, scaled, 2, true);
	else
		value_format(out, value);
}

static int64_t power_of_ten(unsigned n) {
	int64_t power = 1;

	while (n--)
		power *= 10;
	return power;
}

/* 97000000 fen as 97.00万元, 12 billion as 1.20亿元. */
static void format_wan(struct buf *out, struct value value) {
	const char *code = currency_code(value.unit);
	bool yuan = !strcmp(code, "CNY");
	unsigned digits = currency_digits(value.unit);
	i128 major = power_of_ten(digits);
	i128 magnitude = value.i < 0 ? -(i128)value.i : value.i;
	i128 step = 1;
	const char *word = "";

	if (magnitude >= 100000000 * major) {
		step = 100000000;
		word = "亿";
	} else if (magnitude >= 10000 * major) {
		step = 10000;
		word = "万";
	}
	number_format(
		out,
		(int64_t)i128_divide_even((i128)value.i * 100, step * major), 2,
		true);
	buf_printf(out, "%s%s%s", word, yuan ? "元" : " ", yuan ? "" : code);
}

static void format_large(struct buf *out, struct value value,
			 enum language language) {
	if (value.kind != KIND_MONEY) {
		format_money(out, value);
	} else if (language == LANGUAGE_ZH) {
		format_wan(out, value);
	} else {
		buf_printf(out, "%s ", currency_code(value.unit));
		format_money(out, value);
	}
}

/* One decimal, unless it is a zero: 0.063 is 6.3%, 0.63 is 63%. */
static void format_percent(struct buf *out, struct value value) {
	double share = value.kind == KIND_INT ? (double)value.i : value.d;
	int64_t tenths;

	if ((value.kind != KIND_INT && value.kind != KIND_DOUBLE) ||
	    !double_to_i64_even(share * 1000.0, &tenths)) {
		value_format(out, value);
		return;
	}
	if (tenths % 10)
		number_format(out, tenths, 1, false);
	else
		buf_int(out, tenths / 10);
	buf_putc(out, '%');
}

static void format_int(struct buf *out, struct value value) {
	int64_t i;

	if (value.kind == KIND_DOUBLE && double_to_i64_even(value.d, &i))
		buf_int(out, i);
	else if (value.kind == KIND_MONEY)
		buf_int(out,
			(int64_t)i128_divide_even(
				value.i,
				power_of_ten(currency_digits(value.unit))));
	else
		value_format(out, value);
}

static void format_date(struct buf *out, struct value value,
			const struct calendar *calendar) {
	if (value.kind == KIND_TIMESTAMP)
		date_format(out, zone_days(&calendar->zone, value.i));
	else
		value_format(out, value);
}

static void format_time(struct buf *out, struct value value,
			const struct calendar *calendar) {
	struct civil civil;

	if (value.kind != KIND_TIMESTAMP) {
		value_format(out, value);
		return;
	}
	zone_civil(&calendar->zone, value.i, &civil);
	buf_printf(out, "%04d-%02u-%02u %02u:%02u", civil.year, civil.month,
		   civil.day, civil.hour, civil.minute);
}

static void format_value(struct buf *out, struct value value,
			 const char *format, const struct text_place *place) {
	if (value_is_missing(value))
		value_format(out, value);
	else if (is_format(format, "money"))
		format_money(out, value);
	else if (is_format(format, "wan"))
		format_large(out, value, place->language);
	else if (is_format(format, "pct"))
		format_percent(out, value);
	else if (is_format(format, "int"))
		format_int(out, value);
	else if (is_format(format, "date"))
		format_date(out, value, place->calendar);
	else if (is_format(format, "time"))
		format_time(out, value, place->calendar);
	else if (value.kind == KIND_TIMESTAMP)
		time_format_rfc3339(out, value.i, &place->calendar->zone);
	else
		value_format(out, value);
}

static void render_part(struct buf *out, const struct text_part *part,
			const struct text_place *place) {
	enum mask mask;
	struct value value;

	if (part->literal) {
		buf_puts(out, part->literal);
		return;
	}
	value = expr_eval(part->value, place->frame, place->context);
	mask = text_mask_of(part->value, place->masks);
	if (mask == MASK_NONE)
		format_value(out, value, part->format, place);
	else
		text_mask(out, value, mask);
}

void text_render(struct buf *out, const struct text *text,
		 const struct text_place *place) {
	for (size_t i = 0; i < text->n; i++)
		render_part(out, &text->parts[i], place);
}
