#include "base/buf.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void buf_reserve(struct buf *buf, size_t more) {
	size_t cap = buf->cap ? buf->cap : 64;
	char *data;

	assert(more <= PTRDIFF_MAX - buf->len);
	if (buf->cap - buf->len >= more)
		return;
	while (cap - buf->len < more)
		cap *= 2;
	data = realloc(buf->data, cap);
	if (!data)
		abort();
	buf->data = data;
	buf->cap = cap;
}

void buf_add(struct buf *buf, const void *bytes, size_t len) {
	if (!len)
		return;
	buf_reserve(buf, len);
	memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
}

void buf_puts(struct buf *buf, const char *s) {
	buf_add(buf, s, strlen(s));
}

void buf_putc(struct buf *buf, char c) {
	buf_reserve(buf, 1);
	buf->data[buf->len++] = c;
}

void buf_printf(struct buf *buf, const char *format, ...) {
	va_list ap;

	va_start(ap, format);
	buf_vprintf(buf, format, ap);
	va_end(ap);
}

/* Into what room there is first: mostly it fits, and is printed once. */
void buf_vprintf(struct buf *buf, const char *format, va_list ap) {
	va_list again;
	size_t room;
	int len;

	/* Also tells gcc, which warns of NULL once UBSan has checked for it. */
	assert(format);
	buf_reserve(buf, 64);
	room = buf->cap - buf->len;
	va_copy(again, ap);
	len = vsnprintf(buf->data + buf->len, room, format, again);
	va_end(again);
	assert(len >= 0);
	/* vsnprintf() wants room for its NUL. */
	if ((size_t)len >= room) {
		buf_reserve(buf, (size_t)len + 1);
		vsnprintf(buf->data + buf->len, (size_t)len + 1, format, ap);
	}
	buf->len += (size_t)len;
}

void buf_int(struct buf *buf, int64_t i) {
	uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;
	char text[20];
	char *at = text + sizeof(text);

	do {
		*--at = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (i < 0)
		*--at = '-';
	buf_add(buf, at, (size_t)(text + sizeof(text) - at));
}

/*
 * The interval of decimals that read back as a power of two reaches twice as
 * far up as down, so the nearest 16 digits may lie outside of it while the
 * next ones above lie inside.
 */
static bool print_above(char *text, size_t size, double d) {
	int at = 16 + (d < 0.0);

	snprintf(text, size, "%.15e", d);
	while (text[at] == '9')
		text[at--] = '0';
	if (text[at] == '.')
		return false;
	text[at]++;
	return strtod(text, NULL) == d;
}

/*
 * What has up to 15 digits survives a way through a double, so the first form
 * that reads back is the shortest; only subnormals have fewer digits than 15
 * to offer and are tried from one.
 */
void buf_double(struct buf *buf, double d) {
	char text[40];
	int exponent;
	int digits;

	if (isnan(d)) {
		buf_puts(buf, "nan");
		return;
	}
	if (fabs(d) < 1e15 && d == trunc(d) && !(d == 0.0 && signbit(d))) {
		buf_int(buf, (int64_t)d);
		return;
	}
	digits = fabs(d) < DBL_MIN ? 1 : 15;
	for (; digits < 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	if (digits == 17 && !(fabs(frexp(d, &exponent)) == 0.5 &&
			      print_above(text, sizeof(text), d)))
		snprintf(text, sizeof(text), "%.17g", d);
	buf_puts(buf, text);
}

void buf_hex(struct buf *buf, const void *bytes, size_t len) {
	static const char digits[] = "0123456789abcdef";
	const uint8_t *at = bytes;

	buf_reserve(buf, 2 * len);
	for (size_t i = 0; i < len; i++) {
		buf->data[buf->len++] = digits[at[i] >> 4];
		buf->data[buf->len++] = digits[at[i] & 15];
	}
}

void buf_repeat(struct buf *buf, char c, size_t times) {
	if (!times)
		return;
	buf_reserve(buf, times);
	memset(buf->data + buf->len, c, times);
	buf->len += times;
}

static void json_escape(struct buf *buf, char c) {
	switch (c) {
	case '"':
	case '\\':
		buf_putc(buf, '\\');
		buf_putc(buf, c);
		break;
	case '\b':
		buf_puts(buf, "\\b");
		break;
	case '\f':
		buf_puts(buf, "\\f");
		break;
	case '\n':
		buf_puts(buf, "\\n");
		break;
	case '\r':
		buf_puts(buf, "\\r");
		break;
	case '\t':
		buf_puts(buf, "\\t");
		break;
	default:
		buf_puts(buf, "\\u00");
		buf_hex(buf, &c, 1);
	}
}

static bool json_is_plain(unsigned char c) {
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void buf_json_string(struct buf *buf, const char *s, size_t len) {
	size_t i = 0;

	buf_putc(buf, '"');
	while (i < len) {
		size_t run = i;
		uint32_t code_point;
		size_t n;

		while (run < len && json_is_plain((unsigned char)s[run]))
			run++;
		buf_add(buf, s + i, run - i);
		i = run;
		if (i == len)
			break;
		if ((unsigned char)s[i] < 0x80) {
			json_escape(buf, s[i++]);
			continue;
		}
		n = utf8_next(s + i, len - i, &code_point);
		if (n)
			buf_add(buf, s + i, n);
		else
			buf_puts(buf, "\xef\xbf\xbd");
		i += n ? n : 1;
	}
	buf_putc(buf, '"');
}

void buf_json_key(struct buf *buf, const char *key) {
	buf_json_string(buf, key, strlen(key));
	buf_putc(buf, ':');
}

void buf_comma(struct buf *buf) {
	char last = buf->len ? buf->data[buf->len - 1] : '{';

	if (last != '{' && last != '[' && last != ':')
		buf_putc(buf, ',');
}

const char *buf_cstr(struct buf *buf) {
	buf_reserve(buf, 1);
	buf->data[buf->len] = '\0';
	return buf->data;
}

void buf_reset(struct buf *buf) {
	buf->len = 0;
}

void buf_free(struct buf *buf) {
	free(buf->data);
	*buf = (struct buf){ 0 };
}
