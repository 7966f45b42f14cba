/*
 * Functions: the table of what the language knows by itself.
 */
#include "expr/functions.h"

#include "base/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct value fail(void) {
	return value_missing(MISSING_ERROR);
}

static struct value whole(struct value like, i128 n) {
	if (!i64_fits(n))
		return value_missing(MISSING_OVERFLOW);
	like.i = (int64_t)n;
	return like;
}

/*** money ***/

static int64_t power_of_ten(unsigned n) {
	int64_t p = 1;

	while (n-- > 0)
		p *= 10;
	return p;
}

struct value money_times_decimal(struct value money, int64_t mantissa,
				 unsigned scale) {
	int64_t small;

	if (scale == 0)
		return whole(money, (i128)money.i * mantissa);
	/* nearly always 64 bits are enough, and their division is 10 × faster
	 */
	if (!__builtin_mul_overflow(money.i, mantissa, &small)) {
		int64_t by = power_of_ten(scale);
		int64_t quotient = small / by, rest = small % by;
		int64_t left = by - llabs(rest);

		if (llabs(rest) > left ||
		    (llabs(rest) == left && quotient % 2 != 0))
			quotient += rest < 0 ? -1 : 1;
		money.i = quotient;
		return money;
	}
	return whole(money, i128_divide_even((i128)money.i * mantissa,
					     power_of_ten(scale)));
}

/* @n × 2^@shift, half to even; false if it leaves 64 bits. */
static bool shift_even(i128 n, int shift, int64_t *ret) {
	u128 u = n < 0 ? -(u128)n : (u128)n, rest, half;

	if (u == 0) {
		*ret = 0;
		return true;
	}
	if (shift > 0) {
		if (shift > 63 || u >> (126 - shift) != 0)
			return false;
		u <<= shift;
	} else if (shift < 0) {
		shift = -shift;
		if (shift > 126) {
			*ret = 0;
			return true;
		}
		rest = u & (((u128)1 << shift) - 1);
		half = (u128)1 << (shift - 1);
		u >>= shift;
		if (rest > half || (rest == half && (u & 1)))
			u++;
	}
	if (u > (u128)INT64_MAX)
		return false;
	*ret = n < 0 ? -(int64_t)u : (int64_t)u;
	return true;
}

/*
 * Exact: the double is mantissa × 2^e, the product has 116 bits, and what is
 * rounded is the product, once.
 */
struct value money_times_double(struct value money, double d) {
	int exponent;
	int64_t mantissa;

	if (!isfinite(d))
		return value_missing(MISSING_OVERFLOW);
	mantissa = (int64_t)ldexp(frexp(d, &exponent), 53);
	if (!shift_even((i128)money.i * mantissa, exponent - 53, &money.i))
		return value_missing(MISSING_OVERFLOW);
	return money;
}

static BUILTIN(money_num) {
	unsigned digits;

	(void)run;
	(void)n;
	if (args[0].kind == KIND_INT)
		return value_double((double)args[0].i);
	if (args[0].kind == KIND_DOUBLE)
		return args[0];
	digits = currency_digits(args[0].unit);
	return value_double(i128_ratio(args[0].i, power_of_ten(digits)));
}

static BUILTIN(number_ratio) {
	double a, b;

	(void)run;
	(void)n;
	if (args[0].kind == KIND_DOUBLE || args[1].kind == KIND_DOUBLE) {
		a = args[0].kind == KIND_DOUBLE ? args[0].d : (double)args[0].i;
		b = args[1].kind == KIND_DOUBLE ? args[1].d : (double)args[1].i;
		return b == 0 ? value_missing(MISSING_ZERO)
			      : value_double(a / b);
	}
	if (args[0].kind == KIND_MONEY && args[0].unit != args[1].unit)
		return fail();
	if (args[1].i == 0)
		return value_missing(MISSING_ZERO);
	return value_double(i128_ratio(args[0].i, args[1].i));
}

static struct value myriads(struct value v, int64_t by) {
	if (v.kind == KIND_DOUBLE)
		return value_double(v.d * (double)by);
	return whole(v, (i128)v.i * by);
}

static BUILTIN(number_wan) {
	(void)run;
	(void)n;
	return myriads(args[0], 10000);
}

static BUILTIN(number_yi) {
	(void)run;
	(void)n;
	return myriads(args[0], 100000000);
}

/*** conversions ***/

static BUILTIN(same) {
	(void)run;
	(void)n;
	return args[0];
}

static BUILTIN(int_of_double) {
	(void)run;
	(void)n;
	/* the range is open at both ends, as CEL has it */
	if (!(args[0].d > -0x1p63 && args[0].d < 0x1p63))
		return value_missing(MISSING_OVERFLOW);
	return value_int((int64_t)args[0].d);
}

static BUILTIN(int_of_text) {
	int64_t i;

	(void)run;
	(void)n;
	if (args[0].len == 0 || memchr(args[0].s, '.', args[0].len) ||
	    memchr(args[0].s, 'e', args[0].len) ||
	    memchr(args[0].s, 'E', args[0].len) ||
	    number_parse_plain(&i, args[0].s, args[0].len, 0) < 0)
		return fail();
	return value_int(i);
}

static BUILTIN(double_of_int) {
	(void)run;
	(void)n;
	return value_double((double)args[0].i);
}

static bool is_text(struct value v, const char *s) {
	return v.len == strlen(s) && memcmp(v.s, s, v.len) == 0;
}

static BUILTIN(double_of_text) {
	double d;

	(void)run;
	(void)n;
	if (is_text(args[0], "NaN"))
		return value_double(NAN);
	if (is_text(args[0], "Infinity") || is_text(args[0], "+Infinity"))
		return value_double(INFINITY);
	if (is_text(args[0], "-Infinity"))
		return value_double(-INFINITY);
	if (number_parse_double(&d, args[0].s, args[0].len) < 0)
		return fail();
	return value_double(d);
}

static BUILTIN(bool_of_text) {
	static const char *const yes[] = {
		"1", "t", "T", "true", "TRUE", "True"
	};
	static const char *const no[] = { "0",     "f",     "F",
					  "false", "FALSE", "False" };

	(void)run;
	(void)n;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (is_text(args[0], yes[i]))
			return value_bool(true);
		if (is_text(args[0], no[i]))
			return value_bool(false);
	}
	return fail();
}

static BUILTIN(list_size) {
	(void)run;
	(void)n;
	return value_int(args[0].len);
}

/*** numbers ***/

static struct value extreme(const struct value *items, uint32_t n, int sign) {
	struct value best;

	if (n == 0)
		return fail();
	best = items[0];
	for (uint32_t i = 0; i < n; i++) {
		bool number = items[i].kind == KIND_INT ||
			      items[i].kind == KIND_DOUBLE;
		int r;

		if (number)
			r = number_compare(items[i], best);
		else
			r = items[i].i < best.i ? -1 : items[i].i > best.i;
		if (items[i].kind == KIND_LIST ||
		    items[i].kind == KIND_STRING ||
		    (!number && (items[i].kind != best.kind ||
				 items[i].unit != best.unit)))
			return fail();
		if (r == sign)
			best = items[i];
	}
	return best;
}

static BUILTIN(greatest) {
	(void)run;
	return extreme(args, n, 1);
}

static BUILTIN(least) {
	(void)run;
	return extreme(args, n, -1);
}

/* Texts stand in the order of their code points, which is that of bytes. */
static struct value extreme_text(const struct value *items, uint32_t n,
				 int sign) {
	struct value best = items[0];

	for (uint32_t i = 1; i < n; i++)
		if (value_compare(items[i], best) * sign > 0)
			best = items[i];
	return best;
}

static BUILTIN(text_greatest) {
	(void)run;
	return extreme_text(args, n, 1);
}

static BUILTIN(text_least) {
	(void)run;
	return extreme_text(args, n, -1);
}

static BUILTIN(list_greatest) {
	(void)run;
	(void)n;
	return extreme(args[0].list, args[0].len, 1);
}

static BUILTIN(list_least) {
	(void)run;
	(void)n;
	return extreme(args[0].list, args[0].len, -1);
}

static BUILTIN(double_ceil) {
	(void)run;
	(void)n;
	return value_double(ceil(args[0].d));
}

static BUILTIN(double_floor) {
	(void)run;
	(void)n;
	return value_double(floor(args[0].d));
}

static BUILTIN(double_trunc) {
	(void)run;
	(void)n;
	return value_double(trunc(args[0].d));
}

/* Half away from zero; with a second argument, to so many decimals. */
static BUILTIN(double_round) {
	double scale;

	(void)run;
	if (n == 1)
		return value_double(round(args[0].d));
	if (args[1].i < 0 || args[1].i > 15)
		return fail();
	scale = (double)power_of_ten((unsigned)args[1].i);
	if (fabs(args[0].d) > 0x1p52 / scale)
		return args[0]; /* finer than that it has no digits */
	return value_double(round(args[0].d * scale) / scale);
}

static BUILTIN(double_abs) {
	(void)run;
	(void)n;
	return value_double(fabs(args[0].d));
}

static BUILTIN(int_abs) {
	(void)run;
	(void)n;
	return whole(args[0], args[0].i < 0 ? -(i128)args[0].i : args[0].i);
}

static BUILTIN(int_sign) {
	(void)run;
	(void)n;
	return value_int((args[0].i > 0) - (args[0].i < 0));
}

static BUILTIN(double_sign) {
	(void)run;
	(void)n;
	if (isnan(args[0].d) || args[0].d == 0)
		return args[0];
	return value_double(args[0].d > 0 ? 1 : -1);
}

static BUILTIN(double_is_nan) {
	(void)run;
	(void)n;
	return value_bool(isnan(args[0].d));
}

static BUILTIN(double_is_inf) {
	(void)run;
	(void)n;
	return value_bool(isinf(args[0].d));
}

static BUILTIN(double_is_finite) {
	(void)run;
	(void)n;
	return value_bool(isfinite(args[0].d));
}

static BUILTIN(bit_and) {
	(void)run;
	(void)n;
	return value_int(args[0].i & args[1].i);
}

static BUILTIN(bit_or) {
	(void)run;
	(void)n;
	return value_int(args[0].i | args[1].i);
}

static BUILTIN(bit_xor) {
	(void)run;
	(void)n;
	return value_int(args[0].i ^ args[1].i);
}

static BUILTIN(bit_not) {
	(void)run;
	(void)n;
	return value_int(~args[0].i);
}

static BUILTIN(bit_left) {
	(void)run;
	(void)n;
	if (args[1].i < 0)
		return fail();
	if (args[1].i > 63)
		return value_int(0);
	return value_int((int64_t)((uint64_t)args[0].i << args[1].i));
}

static BUILTIN(bit_right) {
	(void)run;
	(void)n;
	if (args[1].i < 0)
		return fail();
	if (args[1].i > 63)
		return value_int(0);
	return value_int((int64_t)((uint64_t)args[0].i >> args[1].i));
}

/*** the table ***/

#define M FN_METHOD
#define A FN_ALLOC
#define C FN_CALENDAR
#define W FN_WORKDAYS

/* Those of one name and one way of calling stand together. */
static const struct builtin builtins[] = {
	{ "size", "s", 'i', 0, string_size,
	  "characters of a text, items of a list or map", "size('警钟') == 2" },
	{ "size", "l", 'i', 0, list_size },
	{ "size", "M", 'i', 0, list_size },
	{ "size", "s", 'i', M, string_size, "the same",
	  "[1, 2, 3].size() == 3" },
	{ "size", "l", 'i', M, list_size },
	{ "size", "M", 'i', M, list_size },
	{ "dyn", "x", 'x', 0, same, "the value, its type unknown to the check",
	  "dyn(1) == 1.0" },

	{ "int", "i", 'i', 0, same,
	  "toward zero; of a timestamp, seconds since 1970", "int(2.9) == 2" },
	{ "int", "d", 'i', 0, int_of_double },
	{ "int", "s", 'i', 0, int_of_text },
	{ "int", "t", 'i', 0, time_to_int },
	{ "double", "d", 'd', 0, same, "as a floating-point number",
	  "double('1.5') == 1.5" },
	{ "double", "i", 'd', 0, double_of_int },
	{ "double", "s", 'd', 0, double_of_text },
	{ "string", "s", 's', 0, same, "as a text", "string(12) == '12'" },
	{ "string", "x", 's', A, string_of },
	{ "bool", "b", 'b', 0, same, "of `true`, `t`, `1` and their opposites",
	  "bool('true')" },
	{ "bool", "s", 'b', 0, bool_of_text },
	{ "timestamp", "t", 't', 0, same,
	  "of RFC 3339, or of seconds since 1970",
	  "timestamp('2026-03-01T00:00:00Z') > timestamp(0)" },
	{ "timestamp", "s", 't', 0, time_of_text },
	{ "timestamp", "i", 't', 0, time_of_int },
	{ "duration", "u", 'u', 0, same, "of a length such as 90m",
	  "duration('90m') == duration('1h30m')" },
	{ "duration", "s", 'u', 0, duration_of_text },

	{ "startsWith", "ss", 'b', M, string_starts, "whether it begins so",
	  "'C10-02'.startsWith('C10')" },
	{ "endsWith", "ss", 'b', M, string_ends, "whether it ends so",
	  "'a.csv'.endsWith('.csv')" },
	{ "contains", "ss", 'b', M, string_contains,
	  "whether it has that within", "'预付备用金'.contains('备用金')" },
	{ "matches", "ss", 'b', M | A, string_matches,
	  "whether a part of it matches the pattern (PCRE); anchor with ^ and "
	  "$",
	  "'F-220'.matches('^F-[0-9]+$')" },
	{ "matches", "ss", 'b', A, string_matches, "the same",
	  "matches('F-220', '^F-')" },
	{ "charAt", "si", 's', M, string_char_at,
	  "the character at a position from 0", "'警钟'.charAt(1) == '钟'" },
	{ "indexOf", "ss", 'i', M, string_index_of,
	  "where it first stands, -1: nowhere; from a position on",
	  "'abcb'.indexOf('b') == 1" },
	{ "indexOf", "ssi", 'i', M, string_index_of },
	{ "lastIndexOf", "ss", 'i', M, string_last_index_of,
	  "where it last stands, -1: nowhere; from a position back",
	  "'abcb'.lastIndexOf('b') == 3" },
	{ "lastIndexOf", "ssi", 'i', M, string_last_index_of },
	{ "substring", "si", 's', M, string_substring,
	  "from a position, to before another",
	  "'abcd'.substring(1, 3) == 'bc'" },
	{ "substring", "sii", 's', M, string_substring },
	{ "lowerAscii", "s", 's', M | A, string_lower, "A-Z as a-z",
	  "'AbC'.lowerAscii() == 'abc'" },
	{ "upperAscii", "s", 's', M | A, string_upper, "a-z as A-Z",
	  "'AbC'.upperAscii() == 'ABC'" },
	{ "trim", "s", 's', M, string_trim, "without blanks at both ends",
	  "'  a '.trim() == 'a'" },
	{ "replace", "sss", 's', M | A, string_replace,
	  "one text by another, everywhere or so often",
	  "'a-b-c'.replace('-', '') == 'abc'" },
	{ "replace", "sssi", 's', M | A, string_replace },
	{ "split", "ss", 'l', M | A, string_split,
	  "the parts between separators, at most so many",
	  "'a,b'.split(',') == ['a', 'b']" },
	{ "split", "ssi", 'l', M | A, string_split },
	{ "join", "l", 's', M | A, string_join,
	  "all items as one text, a separator between",
	  "['a', 'b'].join('-') == 'a-b'" },
	{ "join", "ls", 's', M | A, string_join },
	{ "reverse", "s", 's', M | A, string_reverse,
	  "the last character first", "'abc'.reverse() == 'cba'" },
	{ "format", "sl", 's', M | A, string_format,
	  "values put in for %s %d %f %e %x %o %b",
	  "'%s has %d'.format(['U-01', 3]) == 'U-01 has 3'" },
	{ "strings.quote", "s", 's', A, string_quote,
	  "in double quotes, with escapes", "strings.quote('a') == '\"a\"'" },
	{ "prefix", "si", 's', 0, string_prefix, "the first characters",
	  "prefix('C10-02', 3) == 'C10'" },
	{ "similar", "ss", 'd', 0, string_similar,
	  "how alike two texts are, 0 to 1", "similar('abc', 'abc') == 1.0" },

	{ "getFullYear", "t", 'i', M, time_year,
	  "the year; UTC, or in a time zone",
	  "timestamp('2026-03-01T00:00:00Z').getFullYear() == 2026" },
	{ "getFullYear", "ts", 'i', M, time_year },
	{ "getFullYear", "D", 'i', M, time_year },
	{ "getMonth", "t", 'i', M, time_month, "the month from 0",
	  "timestamp('2026-03-01T00:00:00Z').getMonth() == 2" },
	{ "getMonth", "ts", 'i', M, time_month },
	{ "getMonth", "D", 'i', M, time_month },
	{ "getDate", "t", 'i', M, time_date, "the day of the month from 1",
	  "timestamp('2026-02-28T20:00:00Z').getDate('Asia/Shanghai') == 1" },
	{ "getDate", "ts", 'i', M, time_date },
	{ "getDate", "D", 'i', M, time_date },
	{ "getDayOfMonth", "t", 'i', M, time_day_of_month,
	  "the day of the month from 0",
	  "date('2026-03-01').getDayOfMonth() == 0" },
	{ "getDayOfMonth", "ts", 'i', M, time_day_of_month },
	{ "getDayOfMonth", "D", 'i', M, time_day_of_month },
	{ "getDayOfWeek", "t", 'i', M, time_day_of_week,
	  "the day of the week, Sunday is 0",
	  "date('2026-03-01').getDayOfWeek() == 0" },
	{ "getDayOfWeek", "ts", 'i', M, time_day_of_week },
	{ "getDayOfWeek", "D", 'i', M, time_day_of_week },
	{ "getDayOfYear", "t", 'i', M, time_day_of_year,
	  "the day of the year from 0",
	  "date('2026-01-01').getDayOfYear() == 0" },
	{ "getDayOfYear", "ts", 'i', M, time_day_of_year },
	{ "getDayOfYear", "D", 'i', M, time_day_of_year },
	{ "getHours", "t", 'i', M, time_hours,
	  "the hour of a time; all hours of a duration",
	  "timestamp('2026-03-01T07:30:00Z').getHours('+08:00') == 15" },
	{ "getHours", "ts", 'i', M, time_hours },
	{ "getHours", "u", 'i', M, duration_hours },
	{ "getMinutes", "t", 'i', M, time_minutes,
	  "the minute of a time; all minutes of a duration",
	  "duration('2h').getMinutes() == 120" },
	{ "getMinutes", "ts", 'i', M, time_minutes },
	{ "getMinutes", "u", 'i', M, duration_minutes },
	{ "getSeconds", "t", 'i', M, time_seconds,
	  "the second of a time; all seconds of a duration",
	  "duration('2m').getSeconds() == 120" },
	{ "getSeconds", "ts", 'i', M, time_seconds },
	{ "getSeconds", "u", 'i', M, duration_seconds },
	{ "getMilliseconds", "t", 'i', M, time_milliseconds,
	  "the milliseconds of a time; all of a duration",
	  "duration('1.5s').getMilliseconds() == 1500" },
	{ "getMilliseconds", "ts", 'i', M, time_milliseconds },
	{ "getMilliseconds", "u", 'i', M, duration_milliseconds },

	{ "date", "t", 'D', 0, date_of_time, "the day, in the rule's calendar",
	  "date(timestamp('2026-03-01T08:00:00Z')) == date('2026-03-01')" },
	{ "date", "s", 'D', 0, date_of_text },
	{ "date", "D", 'D', 0, same },
	{ "plus", "Ts", '1', C, date_plus,
	  "so much later: 30d, 5bd, 3mo, 1y, or days",
	  "plus(date('2026-01-31'), '1mo') == date('2026-02-28')" },
	{ "plus", "Di", '1', 0, date_plus },
	{ "year", "T", 'i', 0, date_year, "the year in the rule's calendar",
	  "year(date('2026-03-01')) == 2026" },
	{ "month", "T", 'i', 0, date_month, "the month from 1",
	  "month(date('2026-03-01')) == 3" },
	{ "quarter", "T", 'i', 0, date_quarter, "the quarter from 1",
	  "quarter(date('2026-05-01')) == 2" },
	{ "fiscal_year", "T", 'i', C, date_fiscal_year,
	  "the fiscal year, named by the year it begins in",
	  "fiscal_year(date('2026-03-01')) == 2026" },
	{ "fiscal_quarter", "T", 'i', C, date_fiscal_quarter,
	  "its quarter from 1", "fiscal_quarter(date('2026-05-01')) == 2" },
	{ "is_workday", "T", 'b', C | W, date_is_workday,
	  "whether it is a business day", "!is_workday(date('2026-03-01'))" },
	{ "workdays", "TT", 'i', C | W, date_workdays,
	  "business days from the first to before the second",
	  "workdays(date('2026-03-02'), date('2026-03-09')) == 5" },
	{ "workday_number", "T", 'i', C | W, date_workday_number,
	  "which business day of its month it is, or of another period",
	  "workday_number(date('2026-03-03')) == 2" },
	{ "workday_number", "Ts", 'i', C | W, date_workday_number },
	{ "workday_progress", "Ts", 'd', C | W, date_workday_progress,
	  "the share of the period's business days that are over, 0 to 1",
	  "workday_progress(date('2026-03-31'), 'month') == 1.0" },

	{ "num", "N", 'd', 0, money_num,
	  "a number without currency, in major units", "num(3) == 3.0" },
	{ "ratio", "nn", 'd', 0, number_ratio,
	  "a / b as a double; missing when b is 0", "ratio(1, 2) == 0.5" },
	{ "ratio", "mm", 'd', 0, number_ratio },
	{ "wan", "N", '1', 0, number_wan, "ten thousand of it",
	  "wan(5) == 50000" },
	{ "yi", "N", '1', 0, number_yi, "a hundred million of it",
	  "yi(1) == 100000000" },
	{ "greatest", "n*", '1', 0, greatest, "the greatest of all",
	  "greatest(3, 1, 2) == 3" },
	{ "greatest", "m*", '1', 0, greatest },
	{ "greatest", "D*", '1', 0, greatest },
	{ "greatest", "t*", '1', 0, greatest },
	{ "greatest", "u*", '1', 0, greatest },
	{ "greatest", "s*", '1', 0, text_greatest },
	{ "greatest", "l", 'e', 0, list_greatest },
	{ "least", "n*", '1', 0, least, "the least of all",
	  "least([3, 1, 2]) == 1" },
	{ "least", "m*", '1', 0, least },
	{ "least", "D*", '1', 0, least },
	{ "least", "t*", '1', 0, least },
	{ "least", "u*", '1', 0, least },
	{ "least", "s*", '1', 0, text_least },
	{ "least", "l", 'e', 0, list_least },
	{ "round", "d", 'd', 0, double_round,
	  "half away from zero, to so many decimals",
	  "round(2.345, 1) == 2.3" },
	{ "round", "di", 'd', 0, double_round },
	{ "abs", "d", 'd', 0, double_abs, "without its sign", "abs(-2) == 2" },
	{ "abs", "i", 'i', 0, int_abs },
	{ "abs", "m", '1', 0, int_abs },

	{ "math.greatest", "n*", '1', 0, greatest, "the greatest of all",
	  "math.greatest(1, 2.5) == 2.5" },
	{ "math.greatest", "l", 'e', 0, list_greatest },
	{ "math.least", "n*", '1', 0, least, "the least of all",
	  "math.least(1, 2.5) == 1" },
	{ "math.least", "l", 'e', 0, list_least },
	{ "math.ceil", "d", 'd', 0, double_ceil, "up to a whole number",
	  "math.ceil(1.2) == 2.0" },
	{ "math.floor", "d", 'd', 0, double_floor, "down to a whole number",
	  "math.floor(1.8) == 1.0" },
	{ "math.round", "d", 'd', 0, double_round, "half away from zero",
	  "math.round(1.5) == 2.0" },
	{ "math.trunc", "d", 'd', 0, double_trunc, "toward zero",
	  "math.trunc(-1.8) == -1.0" },
	{ "math.abs", "i", 'i', 0, int_abs, "without its sign",
	  "math.abs(-1.5) == 1.5" },
	{ "math.abs", "d", 'd', 0, double_abs },
	{ "math.sign", "i", 'i', 0, int_sign, "-1, 0 or 1",
	  "math.sign(-3) == -1" },
	{ "math.sign", "d", 'd', 0, double_sign },
	{ "math.isNaN", "d", 'b', 0, double_is_nan, "whether it is no number",
	  "math.isNaN(0.0 / 0.0)" },
	{ "math.isInf", "d", 'b', 0, double_is_inf, "whether it is infinite",
	  "math.isInf(1.0 / 0.0)" },
	{ "math.isFinite", "d", 'b', 0, double_is_finite,
	  "neither infinite nor NaN", "math.isFinite(1.0)" },
	{ "math.bitAnd", "ii", 'i', 0, bit_and, "bits of both",
	  "math.bitAnd(6, 3) == 2" },
	{ "math.bitOr", "ii", 'i', 0, bit_or, "bits of either",
	  "math.bitOr(6, 3) == 7" },
	{ "math.bitXor", "ii", 'i', 0, bit_xor, "bits of one alone",
	  "math.bitXor(6, 3) == 5" },
	{ "math.bitNot", "i", 'i', 0, bit_not, "all other bits",
	  "math.bitNot(0) == -1" },
	{ "math.bitShiftLeft", "ii", 'i', 0, bit_left, "bits moved up",
	  "math.bitShiftLeft(1, 3) == 8" },
	{ "math.bitShiftRight", "ii", 'i', 0, bit_right,
	  "bits moved down, zeros come in", "math.bitShiftRight(8, 3) == 1" },
};

#undef M
#undef A
#undef C
#undef W

static bool is_method(const struct builtin *builtin) {
	return builtin->flags & FN_METHOD;
}

const struct builtin *builtin_find(const char *name, bool method) {
	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
		if (builtins[i].name[0] == name[0] &&
		    is_method(&builtins[i]) == method &&
		    strcmp(builtins[i].name, name) == 0)
			return &builtins[i];
	return NULL;
}

const struct builtin *builtin_next(const struct builtin *builtin) {
	const struct builtin *next = builtin + 1;

	if (next == builtins + ARRAY_SIZE(builtins) ||
	    is_method(next) != is_method(builtin) ||
	    strcmp(next->name, builtin->name) != 0)
		return NULL;
	return next;
}

void builtins_each(void (*each)(void *context, const struct builtin *first),
		   void *context) {
	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
		if (builtins[i].help)
			each(context, &builtins[i]);
}

static bool letter_takes(char letter, uint8_t kind) {
	if (kind == KIND_DYN)
		return true;
	switch (letter) {
	case 'b':
		return kind == KIND_BOOL;
	case 'i':
		return kind == KIND_INT;
	case 'd':
		return kind == KIND_DOUBLE;
	case 's':
		return kind == KIND_STRING;
	case 'D':
		return kind == KIND_DATE;
	case 't':
		return kind == KIND_TIMESTAMP;
	case 'T':
		return kind == KIND_DATE || kind == KIND_TIMESTAMP;
	case 'u':
		return kind == KIND_DURATION;
	case 'm':
		return kind == KIND_MONEY;
	case 'l':
		return kind == KIND_LIST;
	case 'M':
		return kind == KIND_MAP;
	case 'n':
		return kind == KIND_INT || kind == KIND_DOUBLE;
	case 'N':
		return kind == KIND_INT || kind == KIND_DOUBLE ||
		       kind == KIND_MONEY;
	default:
		return true;
	}
}

bool builtin_takes(const struct builtin *builtin, const uint8_t *kinds,
		   size_t n) {
	const char *letter = builtin->args;

	for (size_t i = 0; i < n; i++) {
		if (*letter == '*')
			letter--;
		if (*letter == '\0' || !letter_takes(*letter, kinds[i]))
			return false;
		letter++;
	}
	return n > 0 && (*letter == '\0' || *letter == '*');
}

const char *builtin_nearest(const char *name, bool method) {
	const char *names[ARRAY_SIZE(builtins)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
		if (is_method(&builtins[i]) == method &&
		    (n == 0 || strcmp(names[n - 1], builtins[i].name) != 0))
			names[n++] = builtins[i].name;
	return diag_nearest(name, names, n);
}
