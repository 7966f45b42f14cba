/*
 * Hash: XXH3 for tables and identity, SHA-256 and HMAC for what people check.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hash128 {
	uint64_t lo, hi;
};

uint64_t hash64(const void *bytes, size_t len, uint64_t seed);
struct hash128 hash128(const void *bytes, size_t len, uint64_t seed);
void sha256(const void *bytes, size_t len, uint8_t ret[32]);
void hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
		 uint8_t ret[32]);
/* Castagnoli's; begins with 0, and goes on with what it returned. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

/* Several pieces, one digest. */
struct sha256_stream {
	void *context;
};
void sha256_begin(struct sha256_stream *stream);
void sha256_add(struct sha256_stream *stream, const void *bytes, size_t len);
void sha256_end(struct sha256_stream *stream, uint8_t ret[32]);
