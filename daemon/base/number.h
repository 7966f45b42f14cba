/*
 * Number: exact money and 128-bit sums.
 *
 * Money is a 64-bit count of minor units. Nothing here passes through floating
 * point: digits go in, digits come out. Division rounds half to even.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef __int128 i128;
typedef unsigned __int128 u128;

/*
 * Currencies are numbered by a fixed table sorted by ISO 4217 code; `digits`
 * is how many decimals the minor unit has (CNY 2, JPY 0, KWD 3).
 */
int currency_find(const char *code, size_t len); /* negative: unknown */
const char *currency_code(unsigned currency);
unsigned currency_digits(unsigned currency);

/* How a stream writes its numbers. All zero, or NULL: "1234.56", "-12", no
 * marks. */
struct number_format {
	char decimal;             /* 0 means '.' */
	char thousands[4];        /* characters that may stand between digits */
	const char *const *signs; /* currency signs to skip, NULL-terminated */
	bool parentheses;         /* "(12.00)" is negative */
	bool trailing_minus;      /* "12-" is negative */
};

/*
 * Exact decimal text, exponents allowed ("1.5e3"), to an integer scaled by
 * 10^digits. 0; -EINVAL: not a number; -ERANGE: does not fit 64 bits;
 * -EDOM: more non-zero decimals than @digits.
 */
int number_parse(int64_t *ret, const char *s, size_t len, unsigned digits,
		 const struct number_format *format);
/* The plain form, for the hot path. */
int number_parse_plain(int64_t *ret, const char *s, size_t len,
		       unsigned digits);
/* Text to double, correctly rounded, no locale; 0 or -EINVAL. */
int number_parse_double(double *ret, const char *s, size_t len);

/* 97000000 with 2 digits is "970000.00"; grouped: "970,000.00". */
void number_format(struct buf *out, int64_t scaled, unsigned digits,
		   bool grouped);
void number_format_i128(struct buf *out, i128 n);

/* a / b rounded half to even; b is not zero. */
i128 i128_divide_even(i128 a, i128 b);
/* Nearest double to a / b, computed without overflow. */
double i128_ratio(i128 a, i128 b);
double i128_to_double(i128 a);
/* Square root by Newton, correctly rounded, with the machine's own sqrt. */
uint64_t u128_sqrt_floor(u128 a);
/* Saturation is an error: false if the result does not fit. */
bool i64_fits(i128 a);
/* double to the nearest int64, half to even; false if out of range or NaN. */
bool double_to_i64_even(double d, int64_t *ret);
