#include "base/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "base/hash.h"
#include "base/util.h"

/*
 * GB18030: ASCII; two bytes, lead 81–FE and trail 40–FE but 7F; four bytes,
 * lead 81–FE, 30–39, 81–FE, 30–39, which count upwards like digits. The first
 * 39,420 of these are what is left of the plane below U+10000; from 90308130
 * on they are the planes above, in a row.
 */
#define LEADS 126
#define TRAILS 191
#define TWO (LEADS * TRAILS)
#define FOUR 39420
#define ABOVE 189000

static bool is_lead(unsigned char c) {
	return c >= 0x81 && c <= 0xfe;
}

static bool is_digit(unsigned char c) {
	return c >= 0x30 && c <= 0x39;
}

/* What iconv makes of one sequence; 0: nothing. */
static uint32_t ask(iconv_t with, unsigned char *s, size_t len) {
	unsigned char answer[8];
	char *in = (char *)s, *out = (char *)answer;
	size_t in_left = len, out_left = sizeof(answer);

	iconv(with, NULL, NULL, NULL, NULL);
	if (iconv(with, &in, &in_left, &out, &out_left) == (size_t)-1 ||
	    in_left || out_left != sizeof(answer) - 4)
		return 0;
	return (uint32_t)answer[0] | (uint32_t)answer[1] << 8 |
	       (uint32_t)answer[2] << 16 | (uint32_t)answer[3] << 24;
}

static void fill_two(iconv_t with, uint32_t *two) {
	for (unsigned i = 0; i < TWO; i++) {
		unsigned char s[2] = { (unsigned char)(0x81 + i / TRAILS),
				       (unsigned char)(0x40 + i % TRAILS) };

		if (s[1] != 0x7f)
			two[i] = ask(with, s, 2);
	}
}

static void fill_four(iconv_t with, uint32_t *four) {
	for (unsigned i = 0; i < FOUR; i++) {
		unsigned char s[4] = {
			(unsigned char)(0x81 + i / 12600),
			(unsigned char)(0x30 + i / 1260 % 10),
			(unsigned char)(0x81 + i / 10 % LEADS),
			(unsigned char)(0x30 + i % 10),
		};

		four[i] = ask(with, s, 4);
	}
}

static int load_gb18030(struct charset *ret, struct arena *arena) {
	iconv_t with = iconv_open("UTF-32LE", "GB18030");
	struct sha256_stream sha;
	uint32_t *two, *four;
	uint8_t hash[32];

	if (with == (iconv_t)-1)
		return -ENOTSUP;
	two = arena_array(arena, uint32_t, TWO);
	four = arena_array(arena, uint32_t, FOUR);
	fill_two(with, two);
	fill_four(with, four);
	iconv_close(with);
	sha256_begin(&sha);
	sha256_add(&sha, two, TWO * sizeof(*two));
	sha256_add(&sha, four, FOUR * sizeof(*four));
	sha256_end(&sha, hash);
	memcpy(ret->hash, hash, sizeof(ret->hash));
	ret->two = two;
	ret->four = four;
	return 0;
}

int charset_load(struct charset *ret, enum charset_kind kind,
		 struct arena *arena) {
	struct charset charset = { .kind = kind };
	int r = 0;

	if (kind == CHARSET_GB18030)
		r = load_gb18030(&charset, arena);
	if (r < 0)
		return r;
	*ret = charset;
	return 0;
}

/* Takes one code point of several bytes off @s: how many, 0 if it is none. */
static size_t next(const struct charset *charset, const unsigned char *s,
		   size_t len, uint32_t *ret) {
	uint32_t i;

	if (len < 2 || !is_lead(s[0]))
		return 0;
	if (!is_digit(s[1])) {
		*ret = s[1] < 0x40 || s[1] == 0xff
			       ? 0
			       : charset->two[(s[0] - 0x81u) * TRAILS +
					      (s[1] - 0x40u)];
		return *ret ? 2 : 0;
	}
	if (len < 4 || !is_lead(s[2]) || !is_digit(s[3]))
		return 0;
	i = (((s[0] - 0x81u) * 10 + (s[1] - 0x30u)) * LEADS + (s[2] - 0x81u)) *
		    10 +
	    (s[3] - 0x30u);
	*ret = i < FOUR                             ? charset->four[i]
	       : i >= ABOVE && i - ABOVE < 0x100000 ? i - ABOVE + 0x10000
						    : 0;
	return *ret ? 4 : 0;
}

static char *put(char *out, uint32_t c) {
	if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*out++ = (char)(0xe0 | c >> 12);
		} else {
			*out++ = (char)(0xf0 | c >> 18);
			*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

static const uint64_t high_bits = UINT64_C(0x8080808080808080);

/* How many bytes of ASCII @s begins with, eight at a time as long as it can. */
static size_t ascii_run(const char *s, size_t len) {
	size_t n = 0;
	uint64_t eight;

	for (; len - n >= 8; n += 8) {
		memcpy(&eight, s + n, 8);
		if (eight & high_bits)
			break;
	}
	while (n < len && !((unsigned char)s[n] & 0x80))
		n++;
	return n;
}

bool text_is_ascii(const char *s, size_t len) {
	return ascii_run(s, len) == len;
}

size_t charset_decode(const struct charset *charset, char *out, const char *in,
		      size_t len) {
	const char *begin = out;

	while (len) {
		size_t n = ascii_run(in, len);
		uint32_t c;

		memcpy(out, in, n);
		out += n;
		in += n;
		len -= n;
		if (!len)
			break;
		c = (unsigned char)*in;
		n = 1;
		if (charset->kind == CHARSET_GB18030)
			n = next(charset, (const unsigned char *)in, len, &c);
		if (!n)
			return SIZE_MAX;
		out = put(out, c);
		in += n;
		len -= n;
	}
	return (size_t)(out - begin);
}
