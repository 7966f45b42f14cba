#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static void expect_double(double d, const char *text) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	buf_double(&buf, d);
	assert_string_equal(buf_cstr(&buf), text);
}

static void writes_the_shortest_double_that_reads_back(void **state) {
	(void)state;
	expect_double(0.0, "0");
	expect_double(-0.0, "-0");
	expect_double(3.0, "3");
	expect_double(-999999999999999.0, "-999999999999999");
	expect_double(1e15, "1e+15");
	expect_double(999999999999999.5, "999999999999999.5");
	expect_double(0.1, "0.1");
	expect_double(0.1 + 0.2, "0.30000000000000004");
	expect_double(1.0 / 3.0, "0.3333333333333333");
	expect_double(1e300, "1e+300");
	expect_double(5e-324, "5e-324");
	expect_double(DBL_MAX, "1.7976931348623157e+308");
	expect_double(DBL_MIN, "2.2250738585072014e-308");
	/* The nearest 16 digits of a power of two do not read back. */
	expect_double(0x1p-44, "5.684341886080802e-14");
	expect_double(-0x1p-44, "-5.684341886080802e-14");
	expect_double(9007199254740993.0, "9007199254740992");
	expect_double((double)INFINITY, "inf");
	expect_double((double)-INFINITY, "-inf");
	expect_double((double)NAN, "nan");
}

/* Any bits: a multiplicative generator, so that each run is the same. */
static void every_double_reads_back(void **state) {
	CLEANUP(buf_free) struct buf buf = { 0 };
	uint64_t bits = 88172645463325252;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		double d;

		bits = bits * UINT64_C(6364136223846793005) +
		       1442695040888963407;
		memcpy(&d, &bits, sizeof(d));
		if (!isfinite(d))
			continue;
		buf_reset(&buf);
		buf_double(&buf, d);
		assert_true(strtod(buf_cstr(&buf), NULL) == d);
		assert_true(buf.len <= 24);
	}
}

static void expect_int(int64_t i, const char *text) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	buf_int(&buf, i);
	assert_string_equal(buf_cstr(&buf), text);
}

static void writes_integers_to_their_limits(void **state) {
	(void)state;
	expect_int(0, "0");
	expect_int(-7, "-7");
	expect_int(INT64_MAX, "9223372036854775807");
	expect_int(INT64_MIN, "-9223372036854775808");
}

static void expect_json(const char *s, size_t len, const char *json) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	buf_json_string(&buf, s, len);
	assert_string_equal(buf_cstr(&buf), json);
}

static void escapes_what_json_asks_for(void **state) {
	(void)state;
	expect_json("", 0, "\"\"");
	expect_json("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
	expect_json("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
	expect_json("\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"");
	expect_json("拆分/采购", 13, "\"拆分/采购\"");
}

static void replaces_broken_utf8_byte_by_byte(void **state) {
	(void)state;
	expect_json("a\xff"
		    "b",
		    3,
		    "\"a\xef\xbf\xbd"
		    "b\"");
	expect_json("\xe6\x8b", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	/* A surrogate and an overlong slash are no characters. */
	expect_json("\xed\xa0\x80", 3,
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	expect_json("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void puts_commas_only_between(void **state) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	(void)state;
	buf_putc(&buf, '{');
	for (int i = 0; i < 2; i++) {
		buf_comma(&buf);
		buf_json_key(&buf, i ? "b" : "a");
		buf_comma(&buf);
		buf_putc(&buf, '[');
		buf_comma(&buf);
		buf_int(&buf, 1);
		buf_comma(&buf);
		buf_int(&buf, 2);
		buf_putc(&buf, ']');
	}
	buf_putc(&buf, '}');
	assert_string_equal(buf_cstr(&buf), "{\"a\":[1,2],\"b\":[1,2]}");
}

static void adds_hex_repetition_and_printed_text(void **state) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	(void)state;
	buf_hex(&buf, "\x00\xaf", 2);
	buf_repeat(&buf, '.', 3);
	buf_repeat(&buf, '.', 0);
	buf_printf(&buf, "%s%05d", "x", 42);
	buf_add(&buf, NULL, 0);
	assert_string_equal(buf_cstr(&buf), "00af...x00042");
	assert_int_equal(buf.len, 13);
}

/* Once into what room there is, and again where that was too little. */
static void prints_text_of_any_length(void **state) {
	(void)state;
	for (int len = 0; len < 300; len++) {
		CLEANUP(buf_free) struct buf buf = { 0 };
		char text[301];

		memset(text, 'x', (size_t)len);
		text[len] = '\0';
		buf_puts(&buf, "ab");
		buf_printf(&buf, "%s", text);
		assert_int_equal(buf.len, 2 + len);
		assert_memory_equal(buf.data + 2, text, (size_t)len);
	}
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_shortest_double_that_reads_back),
		cmocka_unit_test(every_double_reads_back),
		cmocka_unit_test(writes_integers_to_their_limits),
		cmocka_unit_test(escapes_what_json_asks_for),
		cmocka_unit_test(replaces_broken_utf8_byte_by_byte),
		cmocka_unit_test(puts_commas_only_between),
		cmocka_unit_test(adds_hex_repetition_and_printed_text),
		cmocka_unit_test(prints_text_of_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
