/*
 * Strings: CEL's string functions, which count in code points.
 */
#include "expr/functions.h"

#include "base/number.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIMILAR_MAX 256
#define STRINGS_MAX RUN_BUDGET

static struct value fail(void) {
	return value_missing(MISSING_ERROR);
}

static struct value part(struct value s, size_t from, size_t to) {
	return value_string(s.s + from, (uint32_t)(to - from));
}

/* Gives the bytes of @buf to the scratch arena. */
static struct value keep(const struct run *run, struct buf *buf) {
	struct value ret;

	if (!run_spend(run, buf->len)) {
		buf_free(buf);
		return value_missing(MISSING_OVERFLOW);
	}
	ret = value_string(arena_strndup(run->scratch,
					 buf->data ? buf->data : "", buf->len),
			   (uint32_t)buf->len);
	buf_free(buf);
	return ret;
}

/* Bytes of the code point at @at; broken bytes count one each. */
static size_t step(struct value s, size_t at) {
	uint32_t code_point;
	size_t n = utf8_next(s.s + at, s.len - at, &code_point);

	return n > 0 ? n : 1;
}

/* The byte where code point @index begins; false if there are fewer. */
static bool offset_of(struct value s, int64_t index, size_t *ret) {
	size_t at = 0;

	if (index < 0)
		return false;
	for (; index > 0 && at < s.len; index--)
		at += step(s, at);
	*ret = at;
	return index == 0;
}

static int64_t count_to(struct value s, size_t to) {
	int64_t n = 0;

	for (size_t at = 0; at < to; at += step(s, at))
		n++;
	return n;
}

BUILTIN(string_size) {
	(void)run;
	(void)n;
	return value_int(count_to(args[0], args[0].len));
}

BUILTIN(string_starts) {
	(void)run;
	(void)n;
	return value_bool(args[1].len <= args[0].len &&
			  memcmp(args[0].s, args[1].s, args[1].len) == 0);
}

BUILTIN(string_ends) {
	(void)run;
	(void)n;
	return value_bool(args[1].len <= args[0].len &&
			  memcmp(args[0].s + args[0].len - args[1].len,
				 args[1].s, args[1].len) == 0);
}

BUILTIN(string_contains) {
	(void)run;
	(void)n;
	return value_bool(args[1].len == 0 ||
			  (args[0].len > 0 && memmem(args[0].s, args[0].len,
						     args[1].s, args[1].len)));
}

BUILTIN(string_matches) {
	const struct regex *regex;
	char error[8];

	(void)n;
	regex = regex_compile(run->scratch, args[1].s, args[1].len, error,
			      sizeof(error));
	return regex ? regex_match(regex, args[0]) : fail();
}

BUILTIN(string_char_at) {
	size_t at;

	(void)run;
	(void)n;
	if (!offset_of(args[0], args[1].i, &at))
		return fail();
	return part(args[0], at,
		    at < args[0].len ? at + step(args[0], at) : at);
}

BUILTIN(string_index_of) {
	struct value s = args[0], what = args[1];
	size_t at;
	const char *found;

	(void)run;
	if (!offset_of(s, n > 2 ? args[2].i : 0, &at))
		return fail();
	if (what.len == 0)
		return value_int(n > 2 ? args[2].i : 0);
	found = memmem(s.s + at, s.len - at, what.s, what.len);
	return value_int(found ? count_to(s, (size_t)(found - s.s)) : -1);
}

BUILTIN(string_last_index_of) {
	struct value s = args[0], what = args[1];
	size_t at = s.len;

	(void)run;
	if (n > 2 && !offset_of(s, args[2].i, &at))
		return fail();
	/* people may send both: what would take seconds is not looked for */
	if ((uint64_t)s.len * what.len > 100000000)
		return fail();
	if (what.len > s.len)
		return value_int(-1);
	if (at > s.len - what.len)
		at = s.len - what.len;
	for (size_t i = at + 1; i-- > 0;)
		if (memcmp(s.s + i, what.s, what.len) == 0)
			return value_int(count_to(s, i));
	return value_int(-1);
}

BUILTIN(string_substring) {
	size_t from, to = args[0].len;

	(void)run;
	if (!offset_of(args[0], args[1].i, &from) ||
	    (n > 2 && !offset_of(args[0], args[2].i, &to)) || from > to)
		return fail();
	return part(args[0], from, to);
}

BUILTIN(string_prefix) {
	size_t to;

	(void)run;
	(void)n;
	if (args[1].i < 0)
		return fail();
	if (!offset_of(args[0], args[1].i, &to))
		return args[0];
	return part(args[0], 0, to);
}

static struct value recase(const struct run *run, struct value s, char first,
			   char last) {
	char *out;

	if (!run_spend(run, s.len))
		return value_missing(MISSING_OVERFLOW);
	out = arena_alloc_raw(run->scratch, s.len + 1u, 1);
	for (uint32_t i = 0; i < s.len; i++)
		out[i] = s.s[i] >= first && s.s[i] <= last ? (char)(s.s[i] ^ 32)
							   : s.s[i];
	return value_string(out, s.len);
}

BUILTIN(string_lower) {
	(void)n;
	return recase(run, args[0], 'A', 'Z');
}

BUILTIN(string_upper) {
	(void)n;
	return recase(run, args[0], 'a', 'z');
}

/* White_Space of Unicode. */
static bool is_blank(uint32_t c) {
	return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xa0 ||
	       c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

BUILTIN(string_trim) {
	size_t from = SIZE_MAX, to = 0, bytes;
	uint32_t code_point;

	(void)run;
	(void)n;
	for (size_t at = 0; at < args[0].len; at += bytes) {
		bytes = utf8_next(args[0].s + at, args[0].len - at,
				  &code_point);
		if (bytes == 0) {
			bytes = 1;
			code_point = 0xfffd;
		}
		if (is_blank(code_point))
			continue;
		if (from == SIZE_MAX)
			from = at;
		to = at + bytes;
	}
	return from == SIZE_MAX ? value_string("", 0) : part(args[0], from, to);
}

BUILTIN(string_replace) {
	struct value s = args[0], what = args[1], by = args[2];
	int64_t left = n > 3 ? args[3].i : -1;
	struct buf out = { 0 };
	size_t at = 0, next;

	while (at <= s.len && left != 0 && out.len <= STRINGS_MAX) {
		if (at + what.len <= s.len &&
		    memcmp(s.s + at, what.s, what.len) == 0) {
			buf_add(&out, by.s, by.len);
			left--;
			at += what.len;
			if (what.len > 0)
				continue;
		}
		if (at == s.len)
			break;
		next = at + step(s, at);
		buf_add(&out, s.s + at, next - at);
		at = next;
	}
	if (at < s.len)
		buf_add(&out, s.s + at, s.len - at);
	return keep(run, &out);
}

BUILTIN(string_split) {
	struct value s = args[0], by = args[1];
	int64_t limit = n > 2 ? args[2].i : -1;
	struct value *items;
	uint32_t count = 0;
	size_t from = 0, at = 0;

	if (!run_spend(run, (s.len + (size_t)2) * sizeof(*items)))
		return value_missing(MISSING_OVERFLOW);
	items = arena_array(run->scratch, struct value, s.len + 2u);
	if (limit == 0)
		return (struct value){ .kind = KIND_LIST, .list = items };
	while (at < s.len && (limit < 0 || count + 1 < limit)) {
		if (by.len == 0) {
			at += step(s, at);
			if (at >= s.len)
				break;
			items[count++] = part(s, from, at);
			from = at;
		} else if (at + by.len <= s.len &&
			   memcmp(s.s + at, by.s, by.len) == 0) {
			items[count++] = part(s, from, at);
			at += by.len;
			from = at;
		} else {
			at++;
		}
	}
	items[count++] = part(s, from, s.len);
	return (struct value){ .kind = KIND_LIST, .len = count, .list = items };
}

BUILTIN(string_join) {
	struct buf out = { 0 };

	for (uint32_t i = 0; i < args[0].len; i++) {
		struct value item = args[0].list[i];

		if (item.kind != KIND_STRING) {
			buf_free(&out);
			return fail();
		}
		if (i > 0 && n > 1)
			buf_add(&out, args[1].s, args[1].len);
		buf_add(&out, item.s, item.len);
	}
	return keep(run, &out);
}

BUILTIN(string_reverse) {
	struct value s = args[0];
	size_t bytes;
	char *out;

	(void)n;
	if (!run_spend(run, s.len))
		return value_missing(MISSING_OVERFLOW);
	out = arena_alloc_raw(run->scratch, s.len + 1u, 1);
	for (size_t at = 0; at < s.len; at += bytes) {
		bytes = step(s, at);
		memcpy(out + s.len - at - bytes, s.s + at, bytes);
	}
	return value_string(out, s.len);
}

BUILTIN(string_quote) {
	static const char plain[] = "\a\b\f\n\r\t\v\\\"";
	static const char written[] = "abfnrtv\\\"";
	struct buf out = { 0 };

	(void)n;
	buf_putc(&out, '"');
	for (size_t at = 0, bytes; at < args[0].len; at += bytes) {
		char c = args[0].s[at];
		const char *found = c != '\0' ? strchr(plain, c) : NULL;
		uint32_t code_point;

		bytes = utf8_next(args[0].s + at, args[0].len - at,
				  &code_point);
		if (found) {
			buf_putc(&out, '\\');
			buf_putc(&out, written[found - plain]);
		} else if (bytes == 0) {
			utf8_put(&out, 0xfffd);
			bytes = 1;
		} else {
			buf_add(&out, args[0].s + at, bytes);
		}
	}
	buf_putc(&out, '"');
	return keep(run, &out);
}

/* 1 − Levenshtein ÷ the longer length. */
BUILTIN(string_similar) {
	size_t a = utf8_length(args[0].s, args[0].len);
	size_t b = utf8_length(args[1].s, args[1].len);
	size_t longer = a > b ? a : b, distance;

	(void)run;
	(void)n;
	if (longer > SIMILAR_MAX)
		return fail();
	if (longer == 0)
		return value_double(1);
	distance = text_distance(args[0].s, args[0].len, args[1].s, args[1].len,
				 SIMILAR_MAX);
	return value_double((double)(longer - distance) / (double)longer);
}

/*** format ***/

static void put_double(struct buf *out, double d) {
	if (isnan(d))
		buf_puts(out, "NaN");
	else if (isinf(d))
		buf_puts(out, d > 0 ? "Infinity" : "-Infinity");
	else
		buf_double(out, d);
}

static bool put_text(struct buf *out, struct value v);

/* Entries in the order of their keys' texts, so a map has one text. */
static bool put_map(struct buf *out, struct value map) {
	CLEANUP(buf_free) struct buf last = { 0 };
	CLEANUP(buf_free) struct buf key = { 0 };
	CLEANUP(buf_free) struct buf best = { 0 };

	if (map.len > 1000) /* the search below is quadratic */
		return false;
	buf_putc(out, '{');
	for (uint32_t done = 0; done < map.len; done++) {
		uint32_t chosen = UINT32_MAX;

		for (uint32_t i = 0; i < map.len; i++) {
			buf_reset(&key);
			if (!put_text(&key, map.list[2 * i]))
				return false;
			if (done > 0 &&
			    strcmp(buf_cstr(&key), buf_cstr(&last)) <= 0)
				continue;
			if (chosen == UINT32_MAX ||
			    strcmp(buf_cstr(&key), buf_cstr(&best)) < 0) {
				chosen = i;
				buf_reset(&best);
				buf_add(&best, key.data, key.len);
			}
		}
		if (chosen == UINT32_MAX)
			break;
		buf_puts(out, done > 0 ? ", " : "");
		buf_add(out, best.data, best.len);
		buf_puts(out, ": ");
		if (!put_text(out, map.list[2 * chosen + 1]))
			return false;
		buf_reset(&last);
		buf_add(&last, best.data, best.len);
	}
	buf_putc(out, '}');
	return true;
}

static bool put_text(struct buf *out, struct value v) {
	switch ((int)v.kind) {
	case KIND_NULL:
		buf_puts(out, "null");
		return true;
	case KIND_BOOL:
		buf_puts(out, v.i ? "true" : "false");
		return true;
	case KIND_INT:
		buf_int(out, v.i);
		return true;
	case KIND_DOUBLE:
		put_double(out, v.d);
		return true;
	case KIND_STRING:
		buf_add(out, v.s, v.len);
		return true;
	case KIND_TIMESTAMP:
		time_put(out, v);
		return true;
	case KIND_DURATION:
		duration_put(out, v);
		return true;
	case KIND_DATE:
		date_format(out, v.i);
		return true;
	case KIND_MONEY:
		number_format(out, v.i, currency_digits(v.unit), false);
		return true;
	case KIND_LIST:
		buf_putc(out, '[');
		for (uint32_t i = 0; i < v.len; i++) {
			buf_puts(out, i > 0 ? ", " : "");
			if (!put_text(out, v.list[i]))
				return false;
		}
		buf_putc(out, ']');
		return true;
	case KIND_MAP:
		return put_map(out, v);
	default:
		return false;
	}
}

BUILTIN(string_of) {
	struct buf out = { 0 };

	(void)n;
	if (args[0].kind == KIND_NULL || args[0].kind == KIND_LIST ||
	    args[0].kind == KIND_MAP || !put_text(&out, args[0])) {
		buf_free(&out);
		return fail();
	}
	return keep(run, &out);
}

static void put_base(struct buf *out, int64_t i, unsigned base, bool upper) {
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;
	char text[65];
	size_t at = sizeof(text);

	do {
		text[--at] = digits[u % base];
		u /= base;
	} while (u > 0);
	if (i < 0)
		buf_putc(out, '-');
	buf_add(out, text + at, sizeof(text) - at);
}

static bool put_hex(struct buf *out, struct value v, bool upper) {
	if (v.kind == KIND_INT) {
		put_base(out, v.i, 16, upper);
		return true;
	}
	if (v.kind != KIND_STRING)
		return false;
	for (uint32_t i = 0; i < v.len; i++)
		buf_printf(out, upper ? "%02X" : "%02x", (uint8_t)v.s[i]);
	return true;
}

static bool put_fixed(struct buf *out, struct value v, char verb,
		      int precision) {
	double d = v.kind == KIND_INT ? (double)v.i : v.d;

	if (v.kind != KIND_INT && v.kind != KIND_DOUBLE)
		return false;
	if (!isfinite(d))
		put_double(out, d);
	else if (verb == 'e')
		buf_printf(out, "%.*e", precision, d);
	else
		buf_printf(out, "%.*f", precision, d);
	return true;
}

static bool put_verb(struct buf *out, struct value v, char verb,
		     int precision) {
	switch (verb) {
	case 's':
		return put_text(out, v);
	case 'd':
		if (v.kind == KIND_INT)
			buf_int(out, v.i);
		else if (v.kind == KIND_DOUBLE && !isfinite(v.d))
			put_double(out, v.d);
		else
			return false;
		return true;
	case 'f':
	case 'e':
		return put_fixed(out, v, verb, precision);
	case 'x':
	case 'X':
		return put_hex(out, v, verb == 'X');
	case 'o':
	case 'b':
		if (verb == 'b' && v.kind == KIND_BOOL) {
			buf_putc(out, v.i ? '1' : '0');
			return true;
		}
		if (v.kind != KIND_INT)
			return false;
		put_base(out, v.i, verb == 'o' ? 8 : 2, false);
		return true;
	default:
		return false;
	}
}

BUILTIN(string_format) {
	struct value s = args[0], list = args[1];
	struct buf out = { 0 };
	uint32_t next = 0;

	(void)n;
	for (uint32_t i = 0; i < s.len; i++) {
		int precision = 6;

		if (s.s[i] != '%') {
			buf_putc(&out, s.s[i]);
			continue;
		}
		if (++i < s.len && s.s[i] == '%') {
			buf_putc(&out, '%');
			continue;
		}
		if (i < s.len && s.s[i] == '.') {
			precision = 0;
			for (i++; i < s.len && s.s[i] >= '0' && s.s[i] <= '9';
			     i++)
				if (precision < 1000)
					precision =
						precision * 10 + (s.s[i] - '0');
		}
		if (i >= s.len || precision > 100 || next >= list.len ||
		    out.len > STRINGS_MAX ||
		    !put_verb(&out, list.list[next++], s.s[i], precision)) {
			buf_free(&out);
			return fail();
		}
	}
	return keep(run, &out);
}
