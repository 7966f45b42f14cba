/*
 * Buf: bytes that grow, and the JSON that is written into them.
 *
 * The JSON writers produce what json_parse of any language reads back: UTF-8,
 * escaped where the standard asks, doubles in the shortest form that reads
 * back the same. Commas are the caller's: see buf_comma().
 * Allocation never fails (it aborts), like the arena's.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero bytes are a valid empty buffer. */
struct buf {
	char *data; /* never NUL-terminated by itself: see buf_cstr() */
	size_t len;
	size_t cap;
};

void buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *s);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list ap)
	__attribute__((format(printf, 2, 0)));
void buf_int(struct buf *buf, int64_t i);
/*
 * The shortest text that reads back as @d ("0.1", "3", "1e+300"); no locale.
 * What JSON has no word for is "nan", "inf" and "-inf".
 */
void buf_double(struct buf *buf, double d);
/* @bytes as lower-case hexadecimal. */
void buf_hex(struct buf *buf, const void *bytes, size_t len);
void buf_repeat(struct buf *buf, char c, size_t times);

/* "…" with escapes; broken UTF-8 becomes U+FFFD. */
void buf_json_string(struct buf *buf, const char *s, size_t len);
/* "key": */
void buf_json_key(struct buf *buf, const char *key);
/* A comma unless the buffer ends in { [ : or is empty. */
void buf_comma(struct buf *buf);

/* Terminates with a NUL that does not count, and returns the data. */
const char *buf_cstr(struct buf *buf);
void buf_reset(struct buf *buf);
void buf_free(struct buf *buf);
