/*
 * Saved: bytes that a checkpoint holds, read back piece by piece.
 *
 * Whoever reads asks for what he wrote. Where bytes are missing or a count
 * cannot be, all that comes after is zero and saved_is_good() says so once, at
 * the end: the readers need not ask at each piece.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct saved {
	const uint8_t *at;
	size_t left;
	bool is_bad;
};

static inline void saved_refuse(struct saved *saved) {
	saved->is_bad = true;
	saved->left = 0;
}

static inline void saved_take(struct saved *saved, void *out, size_t len) {
	if (len > saved->left) {
		saved_refuse(saved);
		memset(out, 0, len);
		return;
	}
	if (len)
		memcpy(out, saved->at, len);
	saved->at += len;
	saved->left -= len;
}

static inline uint64_t saved_number(struct saved *saved) {
	uint64_t n;

	saved_take(saved, &n, sizeof(n));
	return n;
}

/* A number that was kept in 32 bits. */
static inline uint32_t saved_number32(struct saved *saved) {
	uint64_t n = saved_number(saved);

	if (n > UINT32_MAX) {
		saved_refuse(saved);
		return 0;
	}
	return (uint32_t)n;
}

/* How many pieces of at least @size bytes follow; more cannot be there. */
static inline size_t saved_count(struct saved *saved, size_t size) {
	uint64_t n = saved_number(saved);

	if (size && n > saved->left / size) {
		saved_refuse(saved);
		return 0;
	}
	return (size_t)n;
}
