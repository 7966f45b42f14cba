#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define I128_MAX ((i128)(~(u128)0 >> 1))
#define I128_MIN (-I128_MAX - 1)

struct sample {
	const char *text;
	unsigned digits;
	int r;
	int64_t n;
};

static void expect_parsed(const struct sample *s,
			  const struct number_format *format) {
	int64_t n = 4242;
	int r = format ? number_parse(&n, s->text, strlen(s->text), s->digits,
				      format)
		       : number_parse_plain(&n, s->text, strlen(s->text),
					    s->digits);

	if (r != s->r || n != (r ? 4242 : s->n))
		fail_msg("`%s` gives %d, %lld", s->text, r, (long long)n);
}

static void reads_plain_numbers_exactly(void **state) {
	static const struct sample samples[] = {
		{ "0", 2, 0, 0 },
		{ "-0", 2, 0, 0 },
		{ "12", 0, 0, 12 },
		{ "1234.56", 2, 0, 123456 },
		{ "-1234.5", 2, 0, -123450 },
		{ "+7", 2, 0, 700 },
		{ "0.01", 2, 0, 1 },
		{ ".5", 2, 0, 50 },
		{ "5.", 2, 0, 500 },
		{ "000012", 2, 0, 1200 },
		{ "12.3400000000000000000000000000", 2, 0, 1234 },
		{ "0.0000000000000000000000000000", 2, 0, 0 },
		{ "1000000000000000.00", 2, 0, INT64_C(100000000000000000) },
		{ "1.005", 3, 0, 1005 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		int64_t n = 4242;

		expect_parsed(&samples[i], NULL);
		assert_int_equal(number_parse(&n, samples[i].text,
					      strlen(samples[i].text),
					      samples[i].digits, NULL),
				 0);
		assert_int_equal(n, samples[i].n);
	}
}

static void reads_exponents_exactly(void **state) {
	static const struct sample samples[] = {
		{ "1e3", 0, 0, 1000 },
		{ "1.5e3", 0, 0, 1500 },
		{ "1.5E+3", 2, 0, 150000 },
		{ "150e-2", 0, -EDOM, 0 },
		{ "150e-2", 1, 0, 15 },
		{ "1e-2", 2, 0, 1 },
		{ "1e-3", 2, -EDOM, 0 },
		{ "0e99999999999999999999", 2, 0, 0 },
		{ "1e99999999999999999999", 2, -ERANGE, 0 },
		{ "1e-99999999999999999999", 2, -EDOM, 0 },
		{ "1e", 2, -EINVAL, 0 },
		{ "1e+", 2, -EINVAL, 0 },
		{ "e5", 2, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		expect_parsed(&samples[i], NULL);
}

static void stops_at_the_limits_of_64_bits(void **state) {
	static const struct sample samples[] = {
		{ "9223372036854775807", 0, 0, INT64_MAX },
		{ "-9223372036854775808", 0, 0, INT64_MIN },
		{ "92233720368547758.07", 2, 0, INT64_MAX },
		{ "-92233720368547758.08", 2, 0, INT64_MIN },
		{ "9223372036854775808", 0, -ERANGE, 0 },
		{ "-9223372036854775809", 0, -ERANGE, 0 },
		{ "92233720368547758.08", 2, -ERANGE, 0 },
		{ "99999999999999999999", 0, -ERANGE, 0 },
		{ "100000000000000000000000000000001", 0, -ERANGE, 0 },
		{ "9.223372036854775807e18", 0, 0, INT64_MAX },
		{ "922337203685477580700000e-5", 0, 0, INT64_MAX },
		{ "10000000000000000000", 0, -ERANGE, 0 },
		{ "1000000000000000000", 0, 0, INT64_C(1000000000000000000) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		expect_parsed(&samples[i], NULL);
}

static void refuses_digits_that_the_currency_has_not(void **state) {
	static const struct sample samples[] = {
		{ "0.001", 2, -EDOM, 0 },
		{ "12.345", 2, -EDOM, 0 },
		{ "12.5", 0, -EDOM, 0 },
		{ "12.0", 0, 0, 12 },
		{ "0.12345678901234567890123", 2, -EDOM, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		expect_parsed(&samples[i], NULL);
}

static void refuses_what_is_no_number(void **state) {
	static const char *const texts[] = {
		"",     "-",    ".",     "-.",    "+-1",   "--1",   "1-",
		"1 ",   " 1",   "1,000", "0x10",  "1.2.3", "nan",   "inf",
		"1e5x", "(12)", "１２",  "1e1.5", "¥1",    "1_000", "١",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		expect_parsed(&(struct sample){ texts[i], 2, -EINVAL, 0 },
			      NULL);
	/* A NUL byte in the middle is no end. */
	assert_int_equal(number_parse_plain(&(int64_t){ 0 }, "1\0002", 3, 2),
			 -EINVAL);
}

static const char *const yuan[] = { "¥", "￥", "CNY", "元", NULL };
static const struct number_format ledger = { .thousands = { ',', ' ' },
					     .signs = yuan,
					     .parentheses = true,
					     .trailing_minus = true };

static void reads_numbers_as_ledgers_write_them(void **state) {
	static const struct sample samples[] = {
		{ "12", 2, 0, 1200 },
		{ "-12", 2, 0, -1200 },
		{ "12-", 2, 0, -1200 },
		{ "(12.00)", 2, 0, -1200 },
		{ "( 12.00 )", 2, 0, -1200 },
		{ "¥1,234,567.89", 2, 0, 123456789 },
		{ "-¥12", 2, 0, -1200 },
		{ "¥-12", 2, 0, -1200 },
		{ "￥ 12", 2, 0, 1200 },
		{ "12元", 2, 0, 1200 },
		{ "(CNY 1 000)", 2, 0, -100000 },
		{ "¥(12)", 2, 0, -1200 },
		{ "  12  ", 2, 0, 1200 },
		{ "12,34,567", 0, 0, 1234567 },
		{ "1,2345", 0, 0, 12345 },
		{ "1,000e3", 0, 0, 1000000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		expect_parsed(&samples[i], &ledger);
}

static void refuses_marks_and_signs_that_make_no_sense(void **state) {
	static const char *const texts[] = {
		",123", "123,",  "1,,234",  "1,23",  "1,50",  "12.3,456",
		"(12",  "12)",   ")12(",    "(-12)", "(12-)", "-12-",
		"--12", "((1))", "¥",       "¥¥12",  "()",    "-",
		"$12",  "¥12元", "12 元元", "-(12)", "+(12)", "",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		expect_parsed(&(struct sample){ texts[i], 2, -EINVAL, 0 },
			      &ledger);
}

static void takes_only_the_forms_that_the_stream_names(void **state) {
	static const struct number_format plain = { 0 };
	static const struct number_format german = { .decimal = ',',
						     .thousands = { '.' } };

	(void)state;
	expect_parsed(&(struct sample){ "(12)", 2, -EINVAL, 0 }, &plain);
	expect_parsed(&(struct sample){ "12-", 2, -EINVAL, 0 }, &plain);
	expect_parsed(&(struct sample){ "1,000", 2, -EINVAL, 0 }, &plain);
	expect_parsed(&(struct sample){ "¥12", 2, -EINVAL, 0 }, &plain);
	expect_parsed(&(struct sample){ "1.234,56", 2, 0, 123456 }, &german);
	expect_parsed(&(struct sample){ "1,5", 2, 0, 150 }, &german);
	expect_parsed(&(struct sample){ "1.5", 2, -EINVAL, 0 }, &german);
}

static void knows_currencies_by_their_code(void **state) {
	static const struct {
		const char *code;
		unsigned digits;
	} samples[] = {
		{ "CNY", 2 }, { "JPY", 0 }, { "KWD", 3 }, { "CLF", 4 },
		{ "AED", 2 }, { "ZWL", 2 }, { "USD", 2 }, { "EUR", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		int n = currency_find(samples[i].code, 3);

		assert_true(n >= 0);
		assert_string_equal(currency_code((unsigned)n),
				    samples[i].code);
		assert_int_equal(currency_digits((unsigned)n),
				 samples[i].digits);
	}
	assert_true(currency_find("QQQ", 3) < 0);
	assert_true(currency_find("cny", 3) < 0);
	assert_true(currency_find("CN", 2) < 0);
	assert_true(currency_find("CNYX", 4) < 0);
}

static void the_table_of_currencies_is_sorted(void **state) {
	unsigned last = (unsigned)currency_find("ZWL", 3);

	(void)state;
	for (unsigned i = 0; i < last; i++)
		assert_true(strcmp(currency_code(i), currency_code(i + 1)) < 0);
}

static void expect_format(int64_t n, unsigned digits, bool grouped,
			  const char *text) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	number_format(&buf, n, digits, grouped);
	assert_string_equal(buf_cstr(&buf), text);
}

static void writes_all_decimals_of_the_minor_unit(void **state) {
	(void)state;
	expect_format(97000000, 2, false, "970000.00");
	expect_format(97000000, 2, true, "970,000.00");
	expect_format(5, 2, true, "0.05");
	expect_format(-5, 2, true, "-0.05");
	expect_format(0, 0, true, "0");
	expect_format(999, 0, true, "999");
	expect_format(1000, 0, true, "1,000");
	expect_format(-123456, 3, true, "-123.456");
	expect_format(INT64_MIN, 2, true, "-92,233,720,368,547,758.08");
	expect_format(INT64_MAX, 0, true, "9,223,372,036,854,775,807");
}

static void what_is_written_reads_back(void **state) {
	static const int64_t samples[] = { 0,   1,         -1,       99,
					   100, INT64_MAX, INT64_MIN };

	(void)state;
	for (unsigned digits = 0; digits <= 4; digits++)
		for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
			CLEANUP(buf_free) struct buf buf = { 0 };
			int64_t n;

			number_format(&buf, samples[i], digits, false);
			assert_int_equal(number_parse_plain(&n, buf.data,
							    buf.len, digits),
					 0);
			assert_int_equal(n, samples[i]);
		}
}

static void writes_128_bits(void **state) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	(void)state;
	number_format_i128(&buf, I128_MIN);
	buf_putc(&buf, ' ');
	number_format_i128(&buf, I128_MAX);
	buf_putc(&buf, ' ');
	number_format_i128(&buf, 0);
	assert_string_equal(buf_cstr(&buf),
			    "-170141183460469231731687303715884105728 "
			    "170141183460469231731687303715884105727 0");
}

static void divides_half_to_even(void **state) {
	static const struct {
		int a, b, q;
	} samples[] = {
		{ 5, 2, 2 },   { 7, 2, 4 },   { -5, 2, -2 }, { -7, 2, -4 },
		{ 5, -2, -2 }, { -5, -2, 2 }, { 1, 2, 0 },   { 3, 2, 2 },
		{ 1, 3, 0 },   { 2, 3, 1 },   { -2, 3, -1 }, { 0, 7, 0 },
		{ 10, 5, 2 },  { 11, 4, 3 },  { 9, 4, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		assert_true(i128_divide_even(samples[i].a, samples[i].b) ==
			    samples[i].q);
	assert_true(i128_divide_even(I128_MAX, 1) == I128_MAX);
	assert_true(i128_divide_even(I128_MIN, 1) == I128_MIN);
	assert_true(i128_divide_even(I128_MAX, I128_MIN) == -1);
	assert_true(i128_divide_even(I128_MIN, I128_MAX) == -1);
}

/* Long double has 64 bits: enough to tell on which side of a half one is. */
static void ratios_are_the_nearest_double(void **state) {
	i128 big = (i128)1 << 100;

	(void)state;
	assert_true(i128_ratio(1, 3) == 1.0 / 3.0);
	assert_true(i128_ratio(-1, 3) == -1.0 / 3.0);
	assert_true(i128_ratio(0, -3) == 0.0);
	assert_true(i128_ratio(big, big * 3) == 1.0 / 3.0);
	assert_true(i128_ratio(big * 2, -big * 3) == -2.0 / 3.0);
	assert_true(i128_ratio(I128_MIN, 1) == -0x1p127);
	assert_true(i128_ratio(I128_MAX, 1) == 0x1p127);
	assert_true(i128_ratio(1, I128_MIN) == -0x1p-127);
	assert_true(i128_ratio(I128_MIN, I128_MIN) == 1.0);
	/* Halfway between two doubles: to the even one; a bit more: up. */
	assert_true(i128_ratio(((i128)1 << 53) + 1, 1) == 0x1p53);
	assert_true(i128_ratio(((i128)1 << 53) + 3, 1) == 0x1p53 + 4.0);
	assert_true(i128_ratio((((i128)1 << 53) + 1) * 3 + 1, 3) ==
		    0x1p53 + 2.0);
	assert_true(i128_ratio((((i128)1 << 53) + 1) * 3 - 1, 3) == 0x1p53);
	assert_true(i128_ratio(((i128)1 << 120) + 1, ((i128)1 << 67)) ==
		    0x1p53);
}

static void ratios_agree_with_the_machine_where_it_is_exact(void **state) {
	uint64_t x = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t a;
		int64_t b;

		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		a = (int64_t)(x >> 11);
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		b = (int64_t)(x >> 20) + 1;
		/* Scaled alike, so that the long way is taken. */
		assert_true(i128_ratio((i128)a << 50, (i128)b << 50) ==
			    (double)a / (double)b);
	}
}

static void converts_128_bits_to_the_nearest_double(void **state) {
	(void)state;
	assert_true(i128_to_double(((i128)1 << 53) + 1) == 0x1p53);
	assert_true(i128_to_double(((i128)1 << 100) + 1) == 0x1p100);
	assert_true(i128_to_double(-5) == -5.0);
}

static void roots_are_floors(void **state) {
	uint64_t x = 7;

	(void)state;
	assert_true(u128_sqrt_floor(0) == 0);
	assert_true(u128_sqrt_floor(1) == 1);
	assert_true(u128_sqrt_floor(3) == 1);
	assert_true(u128_sqrt_floor(4) == 2);
	assert_true(u128_sqrt_floor(~(u128)0) == UINT64_MAX);
	assert_true(u128_sqrt_floor((u128)UINT64_MAX * UINT64_MAX) ==
		    UINT64_MAX);
	assert_true(u128_sqrt_floor((u128)UINT64_MAX * UINT64_MAX - 1) ==
		    UINT64_MAX - 1);
	for (int i = 0; i < 20000; i++) {
		u128 square;

		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		square = (u128)(x >> i % 64) * (x >> i % 64);
		if (!square)
			continue;
		assert_true(u128_sqrt_floor(square) == x >> i % 64);
		assert_true(u128_sqrt_floor(square - 1) == (x >> i % 64) - 1);
	}
}

static void knows_what_fits_64_bits(void **state) {
	(void)state;
	assert_true(i64_fits(INT64_MAX));
	assert_true(i64_fits(INT64_MIN));
	assert_false(i64_fits((i128)INT64_MAX + 1));
	assert_false(i64_fits((i128)INT64_MIN - 1));
}

static void rounds_doubles_half_to_even(void **state) {
	int64_t n = 0;

	(void)state;
	assert_true(double_to_i64_even(2.5, &n) && n == 2);
	assert_true(double_to_i64_even(3.5, &n) && n == 4);
	assert_true(double_to_i64_even(-2.5, &n) && n == -2);
	assert_true(double_to_i64_even(-0.4, &n) && n == 0);
	assert_true(double_to_i64_even(-0x1p63, &n) && n == INT64_MIN);
	assert_false(double_to_i64_even(0x1p63, &n));
	assert_false(double_to_i64_even(-0x1p63 - 2048.0, &n));
	assert_false(double_to_i64_even((double)NAN, &n));
	assert_false(double_to_i64_even((double)INFINITY, &n));
}

static void reads_doubles_as_the_library_does(void **state) {
	static const char *const texts[] = {
		"0",
		"-0",
		"1",
		"0.1",
		"123.456e-7",
		"1e22",
		"1e23",
		"9007199254740993",
		"5e-324",
		"2.4703282292062327e-324",
		"2.4703282292062328e-324",
		"1.7976931348623157e308",
		"0.1e-400",
		"8.5e22",
		"-3.14",
		"179769313486231570000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		double d = 42.0;
		double want = strtod(texts[i], NULL);

		assert_int_equal(
			number_parse_double(&d, texts[i], strlen(texts[i])), 0);
		assert_memory_equal(&d, &want, sizeof(d));
	}
}

static void refuses_doubles_that_json_has_not(void **state) {
	static const char *const texts[] = { "",      "nan",    "inf",
					     "0x1p3", "1e",     "1 ",
					     "1e999", "-1e999", "--1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		double d;

		assert_int_equal(
			number_parse_double(&d, texts[i], strlen(texts[i])),
			-EINVAL);
	}
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_plain_numbers_exactly),
		cmocka_unit_test(reads_exponents_exactly),
		cmocka_unit_test(stops_at_the_limits_of_64_bits),
		cmocka_unit_test(refuses_digits_that_the_currency_has_not),
		cmocka_unit_test(refuses_what_is_no_number),
		cmocka_unit_test(reads_numbers_as_ledgers_write_them),
		cmocka_unit_test(refuses_marks_and_signs_that_make_no_sense),
		cmocka_unit_test(takes_only_the_forms_that_the_stream_names),
		cmocka_unit_test(knows_currencies_by_their_code),
		cmocka_unit_test(the_table_of_currencies_is_sorted),
		cmocka_unit_test(writes_all_decimals_of_the_minor_unit),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(writes_128_bits),
		cmocka_unit_test(divides_half_to_even),
		cmocka_unit_test(ratios_are_the_nearest_double),
		cmocka_unit_test(
			ratios_agree_with_the_machine_where_it_is_exact),
		cmocka_unit_test(converts_128_bits_to_the_nearest_double),
		cmocka_unit_test(roots_are_floors),
		cmocka_unit_test(knows_what_fits_64_bits),
		cmocka_unit_test(rounds_doubles_half_to_even),
		cmocka_unit_test(reads_doubles_as_the_library_does),
		cmocka_unit_test(refuses_doubles_that_json_has_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
