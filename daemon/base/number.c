#include "base/number.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/*
 * ISO 4217, sorted. Numbers of currencies go into state and journals, so a
 * row may be added only together with a new format of those.
 */
static const struct {
	char code[4];
	uint8_t digits;
} currencies[] = {
	{ "AED", 2 }, { "AFN", 2 }, { "ALL", 2 }, { "AMD", 2 }, { "ANG", 2 },
	{ "AOA", 2 }, { "ARS", 2 }, { "AUD", 2 }, { "AWG", 2 }, { "AZN", 2 },
	{ "BAM", 2 }, { "BBD", 2 }, { "BDT", 2 }, { "BGN", 2 }, { "BHD", 3 },
	{ "BIF", 0 }, { "BMD", 2 }, { "BND", 2 }, { "BOB", 2 }, { "BOV", 2 },
	{ "BRL", 2 }, { "BSD", 2 }, { "BTN", 2 }, { "BWP", 2 }, { "BYN", 2 },
	{ "BZD", 2 }, { "CAD", 2 }, { "CDF", 2 }, { "CHE", 2 }, { "CHF", 2 },
	{ "CHW", 2 }, { "CLF", 4 }, { "CLP", 0 }, { "CNY", 2 }, { "COP", 2 },
	{ "COU", 2 }, { "CRC", 2 }, { "CUP", 2 }, { "CVE", 2 }, { "CZK", 2 },
	{ "DJF", 0 }, { "DKK", 2 }, { "DOP", 2 }, { "DZD", 2 }, { "EGP", 2 },
	{ "ERN", 2 }, { "ETB", 2 }, { "EUR", 2 }, { "FJD", 2 }, { "FKP", 2 },
	{ "GBP", 2 }, { "GEL", 2 }, { "GHS", 2 }, { "GIP", 2 }, { "GMD", 2 },
	{ "GNF", 0 }, { "GTQ", 2 }, { "GYD", 2 }, { "HKD", 2 }, { "HNL", 2 },
	{ "HTG", 2 }, { "HUF", 2 }, { "IDR", 2 }, { "ILS", 2 }, { "INR", 2 },
	{ "IQD", 3 }, { "IRR", 2 }, { "ISK", 0 }, { "JMD", 2 }, { "JOD", 3 },
	{ "JPY", 0 }, { "KES", 2 }, { "KGS", 2 }, { "KHR", 2 }, { "KMF", 0 },
	{ "KPW", 2 }, { "KRW", 0 }, { "KWD", 3 }, { "KYD", 2 }, { "KZT", 2 },
	{ "LAK", 2 }, { "LBP", 2 }, { "LKR", 2 }, { "LRD", 2 }, { "LSL", 2 },
	{ "LYD", 3 }, { "MAD", 2 }, { "MDL", 2 }, { "MGA", 2 }, { "MKD", 2 },
	{ "MMK", 2 }, { "MNT", 2 }, { "MOP", 2 }, { "MRU", 2 }, { "MUR", 2 },
	{ "MVR", 2 }, { "MWK", 2 }, { "MXN", 2 }, { "MXV", 2 }, { "MYR", 2 },
	{ "MZN", 2 }, { "NAD", 2 }, { "NGN", 2 }, { "NIO", 2 }, { "NOK", 2 },
	{ "NPR", 2 }, { "NZD", 2 }, { "OMR", 3 }, { "PAB", 2 }, { "PEN", 2 },
	{ "PGK", 2 }, { "PHP", 2 }, { "PKR", 2 }, { "PLN", 2 }, { "PYG", 0 },
	{ "QAR", 2 }, { "RON", 2 }, { "RSD", 2 }, { "RUB", 2 }, { "RWF", 0 },
	{ "SAR", 2 }, { "SBD", 2 }, { "SCR", 2 }, { "SDG", 2 }, { "SEK", 2 },
	{ "SGD", 2 }, { "SHP", 2 }, { "SLE", 2 }, { "SOS", 2 }, { "SRD", 2 },
	{ "SSP", 2 }, { "STN", 2 }, { "SVC", 2 }, { "SYP", 2 }, { "SZL", 2 },
	{ "THB", 2 }, { "TJS", 2 }, { "TMT", 2 }, { "TND", 3 }, { "TOP", 2 },
	{ "TRY", 2 }, { "TTD", 2 }, { "TWD", 2 }, { "TZS", 2 }, { "UAH", 2 },
	{ "UGX", 0 }, { "USD", 2 }, { "USN", 2 }, { "UYI", 0 }, { "UYU", 2 },
	{ "UYW", 4 }, { "UZS", 2 }, { "VED", 2 }, { "VES", 2 }, { "VND", 0 },
	{ "VUV", 0 }, { "WST", 2 }, { "XAF", 0 }, { "XCD", 2 }, { "XOF", 0 },
	{ "XPF", 0 }, { "YER", 2 }, { "ZAR", 2 }, { "ZMW", 2 }, { "ZWL", 2 },
};

int currency_find(const char *code, size_t len) {
	size_t low = 0;
	size_t high = ARRAY_SIZE(currencies);

	if (len != 3)
		return -ENOENT;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int r = memcmp(code, currencies[mid].code, 3);

		if (!r)
			return (int)mid;
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return -ENOENT;
}

const char *currency_code(unsigned currency) {
	assert(currency < ARRAY_SIZE(currencies));
	return currencies[currency].code;
}

unsigned currency_digits(unsigned currency) {
	assert(currency < ARRAY_SIZE(currencies));
	return currencies[currency].digits;
}

static const uint64_t power_of_ten[] = {
	UINT64_C(1),
	UINT64_C(10),
	UINT64_C(100),
	UINT64_C(1000),
	UINT64_C(10000),
	UINT64_C(100000),
	UINT64_C(1000000),
	UINT64_C(10000000),
	UINT64_C(100000000),
	UINT64_C(1000000000),
	UINT64_C(10000000000),
	UINT64_C(100000000000),
	UINT64_C(1000000000000),
	UINT64_C(10000000000000),
	UINT64_C(100000000000000),
	UINT64_C(1000000000000000),
	UINT64_C(10000000000000000),
	UINT64_C(100000000000000000),
	UINT64_C(1000000000000000000),
	UINT64_C(10000000000000000000),
};

/*
 * The digits of a number without the zeros at either end: the value is
 * digits × 10^exponent. Zeros that might turn out to be the last are only
 * counted, so "1.000…0" of any length is as good as "1".
 */
struct decimal {
	uint64_t digits;
	unsigned n;    /* significant digits; beyond 19 they are dropped */
	int64_t zeros; /* pending */
	int64_t exponent;
	bool too_long;
};

static void decimal_digit(struct decimal *d, unsigned digit) {
	if (!digit) {
		d->zeros += d->n > 0;
		return;
	}
	if (d->n + (uint64_t)d->zeros >= 19) {
		d->too_long = true;
		d->n = 19;
	} else {
		d->digits = d->digits * power_of_ten[d->zeros + 1] + digit;
		d->n += (unsigned)d->zeros + 1;
	}
	d->zeros = 0;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

/* Clamped far beyond anything that fits. */
static bool scan_exponent(const char **at, const char *end, int64_t *ret) {
	const char *p = *at + 1;
	bool negative = false;
	int64_t n = 0;

	if (p < end && (*p == '+' || *p == '-'))
		negative = *p++ == '-';
	if (p == end || !is_digit(*p))
		return false;
	for (; p < end && is_digit(*p); p++)
		if (n < INT64_C(1) << 40)
			n = n * 10 + (*p - '0');
	*ret = negative ? -n : n;
	*at = p;
	return true;
}

/*
 * The whole part. A mark stands between two digits, and three digits at least
 * follow the last one: "1,50" is more likely one and a half, written abroad,
 * than a hundred and fifty.
 */
static bool scan_whole(const char **at, const char *end, const char *marks,
		       struct decimal *d, size_t *n) {
	const char *p = *at;
	size_t since = 3;

	for (; p < end; p++) {
		if (is_digit(*p)) {
			decimal_digit(d, (unsigned)(*p - '0'));
			++*n;
			since++;
		} else if (*p && marks && memchr(marks, *p, 4)) {
			if (!*n || p + 1 == end || !is_digit(p[1]))
				return false;
			since = 0;
		} else {
			break;
		}
	}
	*at = p;
	return since >= 3;
}

static int scan_decimal(struct decimal *d, const char *s, const char *end,
			char point, const char *marks) {
	int64_t exponent = 0;
	size_t n = 0;

	if (!scan_whole(&s, end, marks, d, &n))
		return -EINVAL;
	d->exponent = d->zeros;
	if (s < end && *s == point) {
		const char *from = ++s;

		for (; s < end && is_digit(*s); s++, n++)
			decimal_digit(d, (unsigned)(*s - '0'));
		d->exponent = d->zeros - (s - from);
	}
	if (!n)
		return -EINVAL;
	if (s < end && (*s == 'e' || *s == 'E') &&
	    !scan_exponent(&s, end, &exponent))
		return -EINVAL;
	d->exponent += exponent;
	return s == end ? 0 : -EINVAL;
}

static int decimal_scale(int64_t *ret, const struct decimal *d, bool negative,
			 unsigned digits) {
	int64_t shift = d->exponent + (int64_t)digits;
	uint64_t limit = (uint64_t)INT64_MAX + negative;
	uint64_t scaled;

	if (!d->digits) {
		*ret = 0;
		return 0;
	}
	if (shift < 0)
		return -EDOM;
	if (d->too_long || shift > 18 ||
	    __builtin_mul_overflow(d->digits, power_of_ten[shift], &scaled) ||
	    scaled > limit)
		return -ERANGE;
	*ret = negative ? (int64_t)-scaled : (int64_t)scaled;
	return 0;
}

/* An amount as most are written: up to 18 digits, no exponent. */
static bool parse_short(int64_t *ret, const char *s, size_t len,
			unsigned digits) {
	const char *end = s + len;
	bool negative = false;
	uint64_t n = 0;
	unsigned decimals = 0;

	if (len && *s == '-') {
		negative = true;
		s++;
	}
	if (s == end || end - s > 18 || !is_digit(*s))
		return false;
	while (s < end && is_digit(*s))
		n = n * 10 + (uint64_t)(*s++ - '0');
	if (s < end && *s == '.') {
		s++;
		decimals = (unsigned)(end - s);
		while (s < end && is_digit(*s))
			n = n * 10 + (uint64_t)(*s++ - '0');
	}
	if (s != end || decimals > digits || digits - decimals > 18 ||
	    __builtin_mul_overflow(n, power_of_ten[digits - decimals], &n) ||
	    n > INT64_MAX)
		return false;
	*ret = negative ? -(int64_t)n : (int64_t)n;
	return true;
}

int number_parse_plain(int64_t *ret, const char *s, size_t len,
		       unsigned digits) {
	struct decimal d = { 0 };
	bool negative = false;
	int r;

	if (parse_short(ret, s, len, digits))
		return 0;
	if (len && (*s == '-' || *s == '+')) {
		negative = *s == '-';
		s++;
		len--;
	}
	r = scan_decimal(&d, s, s + len, '.', NULL);
	if (r < 0)
		return r;
	return decimal_scale(ret, &d, negative, digits);
}

/* What stands around the digits of an amount; each at most once. */
struct dress {
	const char *s, *end;
	bool minus, plus, open, close, sign;
};

static bool take_sign(struct dress *dress, const struct number_format *format,
		      bool at_end) {
	size_t len = (size_t)(dress->end - dress->s);

	if (dress->sign || !format->signs)
		return false;
	for (size_t i = 0; format->signs[i]; i++) {
		size_t n = strlen(format->signs[i]);
		const char *at =
			at_end ? dress->end - (n <= len ? n : 0) : dress->s;

		if (!n || n > len || memcmp(at, format->signs[i], n))
			continue;
		if (at_end)
			dress->end -= n;
		else
			dress->s += n;
		dress->sign = true;
		return true;
	}
	return false;
}

static bool take_front(struct dress *dress,
		       const struct number_format *format) {
	bool *flag;

	if (dress->s == dress->end)
		return false;
	switch (*dress->s) {
	case ' ':
	case '\t':
		dress->s++;
		return true;
	case '-':
		flag = &dress->minus;
		break;
	case '+':
		flag = &dress->plus;
		break;
	case '(':
		if (!format->parentheses)
			return false;
		flag = &dress->open;
		break;
	default:
		return take_sign(dress, format, false);
	}
	if (*flag)
		return false;
	dress->s++;
	return *flag = true;
}

static bool take_back(struct dress *dress, const struct number_format *format) {
	bool *flag;

	if (dress->s == dress->end)
		return false;
	switch (dress->end[-1]) {
	case ' ':
	case '\t':
		dress->end--;
		return true;
	case '-':
		if (!format->trailing_minus)
			return false;
		flag = &dress->minus;
		break;
	case ')':
		flag = &dress->close;
		break;
	default:
		return take_sign(dress, format, true);
	}
	if (*flag)
		return false;
	dress->end--;
	return *flag = true;
}

int number_parse(int64_t *ret, const char *s, size_t len, unsigned digits,
		 const struct number_format *format) {
	static const struct number_format plain = { 0 };
	struct dress dress = { .s = s, .end = s + len };
	struct decimal d = { 0 };
	int r;

	if (!format)
		format = &plain;
	while (take_front(&dress, format))
		continue;
	while (take_back(&dress, format))
		continue;
	if (dress.open != dress.close ||
	    dress.minus + dress.plus + dress.open > 1)
		return -EINVAL;
	r = scan_decimal(&d, dress.s, dress.end,
			 format->decimal ? format->decimal : '.',
			 format->thousands);
	if (r < 0)
		return r;
	return decimal_scale(ret, &d, dress.minus || dress.open, digits);
}

/* glibc's strtod() rounds correctly, but wants a NUL behind the text. */
static int parse_by_library(double *ret, const char *s, size_t len) {
	char few[128];
	char *text = len < sizeof(few) ? few : malloc(len + 1);
	double d;

	if (!text)
		abort();
	memcpy(text, s, len);
	text[len] = '\0';
	d = strtod(text, NULL);
	if (text != few)
		free(text);
	if (isinf(d))
		return -EINVAL;
	*ret = d;
	return 0;
}

/*
 * Up to 2^53 and 10^22 both factors are exact as doubles, so one operation
 * of the machine rounds correctly.
 */
int number_parse_double(double *ret, const char *s, size_t len) {
	static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,
				       1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
				       1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
				       1e18, 1e19, 1e20, 1e21, 1e22 };
	struct decimal d = { 0 };
	bool negative = len && *s == '-';
	size_t sign = len && (*s == '-' || *s == '+');
	double x;
	int r;

	r = scan_decimal(&d, s + sign, s + len, '.', NULL);
	if (r < 0)
		return r;
	if (d.too_long || d.digits > UINT64_C(1) << 53 || d.exponent < -22 ||
	    d.exponent > 22)
		return parse_by_library(ret, s, len);
	x = (double)d.digits;
	if (d.digits)
		x = d.exponent < 0 ? x / tens[-d.exponent]
				   : x * tens[d.exponent];
	*ret = negative ? -x : x;
	return 0;
}

void number_format(struct buf *out, int64_t scaled, unsigned digits,
		   bool grouped) {
	uint64_t n = scaled < 0 ? -(uint64_t)scaled : (uint64_t)scaled;
	char text[64];
	char *at = text + sizeof(text);

	assert(digits <= 18);
	for (unsigned i = 0; i < digits; i++, n /= 10)
		*--at = (char)('0' + n % 10);
	if (digits)
		*--at = '.';
	for (unsigned i = 0; !i || n; i++, n /= 10) {
		if (grouped && i && i % 3 == 0)
			*--at = ',';
		*--at = (char)('0' + n % 10);
	}
	if (scaled < 0)
		*--at = '-';
	buf_add(out, at, (size_t)(text + sizeof(text) - at));
}

static u128 magnitude(i128 n) {
	return n < 0 ? -(u128)n : (u128)n;
}

void number_format_i128(struct buf *out, i128 n) {
	u128 u = magnitude(n);
	char text[40];
	char *at = text + sizeof(text);

	do {
		*--at = (char)('0' + (int)(u % 10));
		u /= 10;
	} while (u);
	if (n < 0)
		*--at = '-';
	buf_add(out, at, (size_t)(text + sizeof(text) - at));
}

i128 i128_divide_even(i128 a, i128 b) {
	u128 n = magnitude(a);
	u128 d = magnitude(b);
	u128 q;
	u128 rest;

	assert(b);
	q = n / d;
	rest = n % d;
	if (rest > d - rest || (rest == d - rest && q & 1))
		q++;
	return (i128)((a < 0) != (b < 0) ? -q : q);
}

static int bits(u128 n) {
	uint64_t high = (uint64_t)(n >> 64);
	uint64_t low = (uint64_t)n;

	if (high)
		return 128 - __builtin_clzll(high);
	return low ? 64 - __builtin_clzll(low) : 0;
}

/*
 * A quotient of 64 bits whose last one is sticky: it says whether anything
 * was cut off, so that the machine's own conversion rounds correctly.
 */
static double ratio_slow(u128 n, u128 d) {
	u128 q = n / d;
	u128 rest = n % d;
	int exponent = 0;
	int over = bits(q) - 64;

	if (over > 0) {
		bool cut = rest || q << (128 - over);

		return ldexp((double)((uint64_t)(q >> over) | cut), over);
	}
	for (; bits(q) < 64 && rest; exponent--) {
		rest <<= 1;
		q <<= 1;
		if (rest >= d) {
			rest -= d;
			q |= 1;
		}
	}
	return ldexp((double)((uint64_t)q | (rest != 0)), exponent);
}

double i128_ratio(i128 a, i128 b) {
	u128 n = magnitude(a);
	u128 d = magnitude(b);
	double x;

	assert(b);
	/* Exact as doubles, so the machine's division is the nearest. */
	if (n <= UINT64_C(1) << 53 && d <= UINT64_C(1) << 53)
		x = (double)(uint64_t)n / (double)(uint64_t)d;
	else
		x = ratio_slow(n, d);
	return (a < 0) != (b < 0) ? -x : x;
}

double i128_to_double(i128 a) {
	return (double)a;
}

uint64_t u128_sqrt_floor(u128 a) {
	double guess = sqrt((double)a);
	u128 x = guess >= 0x1p64 ? UINT64_MAX : (uint64_t)guess;

	if (!a)
		return 0;
	/* The guess has 53 good bits; one step doubles them. */
	if (x)
		x = (x + a / x) / 2;
	if (x > UINT64_MAX)
		x = UINT64_MAX;
	while (x * x > a)
		x--;
	while (x < UINT64_MAX && (x + 1) * (x + 1) <= a)
		x++;
	return (uint64_t)x;
}

bool i64_fits(i128 a) {
	return a >= INT64_MIN && a <= INT64_MAX;
}

bool double_to_i64_even(double d, int64_t *ret) {
	d = nearbyint(d);
	if (!(d >= -0x1p63 && d < 0x1p63))
		return false;
	*ret = (int64_t)d;
	return true;
}
