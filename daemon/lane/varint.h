/*
 * Varint: numbers of the journal, seven bits a byte, least first.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define VARINT_MOST 10u /* bytes of one */

static inline void put_varint(struct buf *out, uint64_t n) {
	while (n >= 0x80) {
		buf_putc(out, (char)(n | 0x80));
		n >>= 7;
	}
	buf_putc(out, (char)n);
}

static inline void put_zigzag(struct buf *out, int64_t n) {
	put_varint(out, ((uint64_t)n << 1) ^ (uint64_t)(n >> 63));
}

/* What is left to read; after a misfit `bad` stays set and zeros come out. */
struct span_reader {
	const uint8_t *next, *end;
	bool bad;
};

static inline uint64_t get_varint(struct span_reader *in) {
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (in->next == in->end)
			break;
		byte = *in->next++;
		n |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return n;
	}
	in->bad = true;
	return 0;
}

static inline int64_t get_zigzag(struct span_reader *in) {
	uint64_t n = get_varint(in);

	return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

/* What a difference leads to from @base; a misfit if there is none such. */
static inline int64_t get_from(struct span_reader *in, int64_t base) {
	int64_t n;

	if (__builtin_add_overflow(base, get_zigzag(in), &n)) {
		in->bad = true;
		return 0;
	}
	return n;
}

static inline const uint8_t *get_bytes(struct span_reader *in, size_t len) {
	const uint8_t *at = in->next;

	if (in->bad || (size_t)(in->end - in->next) < len) {
		in->bad = true;
		return NULL;
	}
	in->next += len;
	return at;
}

static inline void put_fixed64(struct buf *out, uint64_t n) {
	for (unsigned i = 0; i < 64; i += 8)
		buf_putc(out, (char)(n >> i));
}

static inline uint64_t get_fixed64(const uint8_t *at) {
	uint64_t n = 0;

	for (unsigned i = 8; i-- > 0;)
		n = n << 8 | at[i];
	return n;
}
