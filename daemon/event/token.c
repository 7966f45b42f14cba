#include "event/token.h"

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define STEP 16 /* bytes that are looked at together */

const char *token_mark(const char *s, const char *end, const char *readable) {
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);

	for (; readable - s >= STEP && s < end; s += STEP) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)s);
		__m128i hit = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(x, quote),
				     _mm_cmpeq_epi8(x, backslash)),
			_mm_cmpeq_epi8(_mm_min_epu8(x, control), x));
		unsigned mask = (unsigned)_mm_movemask_epi8(hit);

		if (mask) {
			s += __builtin_ctz(mask);
			break;
		}
	}
#else
	(void)readable;
#endif
	while (s < end && *s != '"' && *s != '\\' && (unsigned char)*s > 0x1f)
		s++;
	return s < end ? s : end;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const char *s, const char *end) {
	int32_t code = 0;

	if (end - s < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

/*
 * One escape; @s is behind the backslash. Returns what follows it, or NULL.
 * A pair of surrogates is one escape.
 */
static const char *escape(const char *s, const char *end, uint32_t *ret) {
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *simple;
	int32_t code, low;

	if (s == end)
		return NULL;
	if (*s != 'u') {
		simple = *s ? strchr(from, *s) : NULL;
		if (!simple)
			return NULL;
		*ret = (unsigned char)to[simple - from];
		return s + 1;
	}
	code = hex4(s + 1, end);
	if (code < 0 || (code >= 0xdc00 && code < 0xe000))
		return NULL;
	s += 5;
	if (code >= 0xd800 && code < 0xdc00) {
		if (end - s < 6 || s[0] != '\\' || s[1] != 'u')
			return NULL;
		low = hex4(s + 2, end);
		if (low < 0xdc00 || low >= 0xe000)
			return NULL;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		s += 6;
	}
	*ret = (uint32_t)code;
	return s;
}

const char *token_string(const char *s, const char *end, bool *escaped) {
	uint32_t code;

	*escaped = false;
	for (;;) {
		s = token_mark(s, end, end);
		if (s == end || (unsigned char)*s <= 0x1f)
			return NULL;
		if (*s == '"')
			return s;
		*escaped = true;
		s = escape(s + 1, end, &code);
		if (!s)
			return NULL;
	}
}

static size_t put_utf8(char *out, uint32_t code) {
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

size_t token_unescape(char *out, const char *s, size_t len) {
	const char *end = s + len;
	char *at = out;

	while (s < end) {
		uint32_t code;

		if (*s != '\\') {
			*at++ = *s++;
			continue;
		}
		s = escape(s + 1, end, &code);
		if (!s)
			break;
		at += put_utf8(at, code);
	}
	return (size_t)(at - out);
}

static const char *digits(const char *s, const char *end) {
	while (s < end && *s >= '0' && *s <= '9')
		s++;
	return s;
}

const char *token_number(const char *s, const char *end) {
	const char *from;

	if (s < end && *s == '-')
		s++;
	from = s;
	s = digits(s, end);
	if (s == from || (*from == '0' && s - from > 1))
		return NULL;
	if (s < end && *s == '.') {
		from = ++s;
		s = digits(s, end);
		if (s == from)
			return NULL;
	}
	if (s < end && (*s == 'e' || *s == 'E')) {
		s++;
		if (s < end && (*s == '+' || *s == '-'))
			s++;
		from = s;
		s = digits(s, end);
		if (s == from)
			return NULL;
	}
	return token_ends(s, end) ? s : NULL;
}

const char *token_word(const char *s, const char *end) {
	static const struct {
		const char *text;
		size_t len;
	} words[] = { { "true", 4 }, { "false", 5 }, { "null", 4 } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = words[i].len;

		if ((size_t)(end - s) >= len && !memcmp(s, words[i].text, len))
			return token_ends(s + len, end) ? s + len : NULL;
	}
	return NULL;
}

bool token_ends(const char *s, const char *end) {
	if (s == end)
		return true;
	switch (*s) {
	case ' ':
	case '\t':
	case '\n':
	case '\r':
	case ',':
	case '}':
	case ']':
		return true;
	default:
		return false;
	}
}
