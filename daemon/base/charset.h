/*
 * Charset: what a stream writes instead of UTF-8.
 *
 * A conversion is a table that is made once, at load. iconv itself would keep
 * a state that one broken event leaves to the next, and its mapping belongs to
 * the C library: an update could change what a replay says. So it is asked for
 * each sequence once, and the hash of the answers belongs to the rules hash,
 * as that of a time zone does.
 */
#pragma once

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum charset_kind {
	CHARSET_UTF8,
	CHARSET_GB18030,
	CHARSET_LATIN1,
	CHARSET_MAX
};

struct charset {
	enum charset_kind kind;
	/* Of GB18030: code points, 0 where there is none. */
	const uint32_t *two;  /* by lead and trail byte */
	const uint32_t *four; /* below U+10000; those above are a formula */
	uint8_t hash[16];
};

/* 0, or -ENOTSUP: the C library does not know it. UTF-8 needs no table. */
int charset_load(struct charset *ret, enum charset_kind kind,
		 struct arena *arena);
/*
 * Writes @in as UTF-8: at most CHARSET_GROWTH bytes for each. How many, or
 * SIZE_MAX if some byte has no meaning. Not for CHARSET_UTF8.
 */
#define CHARSET_GROWTH 2
size_t charset_decode(const struct charset *charset, char *out, const char *in,
		      size_t len);
/* Of which all three are the same. */
bool text_is_ascii(const char *s, size_t len);
