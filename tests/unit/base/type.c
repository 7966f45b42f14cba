#include "base/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/calendar.h"
#include "base/number.h"
#include "base/util.h"

static uint16_t currency(const char *code) {
	return (uint16_t)currency_find(code, 3);
}

static void expect_type(struct type type, const char *text) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	type_format(&buf, type);
	assert_string_equal(buf_cstr(&buf), text);
}

static void names_types_as_rules_write_them(void **state) {
	static const char *const names[] = { "direct", "open" };

	(void)state;
	expect_type((struct type){ .kind = KIND_INT }, "int");
	expect_type((struct type){ .kind = KIND_STRING, .optional = true },
		    "string optional");
	expect_type(
		(struct type){ .kind = KIND_MONEY, .unit = currency("CNY") },
		"money(CNY)");
	expect_type((struct type){ .kind = KIND_LIST, .elem = KIND_STRING },
		    "list(string)");
	expect_type((struct type){ .kind = KIND_LIST,
				   .elem = KIND_MONEY,
				   .unit = currency("JPY"),
				   .optional = true },
		    "list(money(JPY)) optional");
	expect_type((struct type){ .kind = KIND_STRING,
				   .names = names,
				   .n_names = 2 },
		    "enum[direct, open]");
	expect_type((struct type){ .kind = KIND_DYN }, "dyn");
	expect_type((struct type){ .kind = KIND_MAP }, "map");
}

static void every_reason_has_a_name_of_its_own(void **state) {
	(void)state;
	for (int i = 0; i < MISSING_MAX; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(missing_name((enum missing)i),
						missing_name((enum missing)j));
	assert_string_equal(missing_name(MISSING_ZERO), "zero");
}

static void expect_shown(struct value value, const char *text,
			 const char *json) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	value_format(&buf, value);
	assert_string_equal(buf_cstr(&buf), text);
	buf_reset(&buf);
	value_json(&buf, value, NULL);
	assert_string_equal(buf_cstr(&buf), json);
}

static void shows_each_kind_as_text_and_as_json(void **state) {
	struct value items[] = { value_int(1), value_string("a", 1) };
	struct value list = { .kind = KIND_LIST, .len = 2, .list = items };

	(void)state;
	expect_shown(value_missing(MISSING_ROW), "-", "null");
	expect_shown((struct value){ .kind = KIND_NULL }, "null", "null");
	expect_shown(value_bool(true), "true", "true");
	expect_shown(value_int(-5), "-5", "-5");
	expect_shown(value_double(0.1), "0.1", "0.1");
	expect_shown(value_string("拆\"", 4), "拆\"", "\"拆\\\"\"");
	expect_shown(value_date(0), "1970-01-01", "\"1970-01-01\"");
	expect_shown(value_time(-1), "1969-12-31T23:59:59.999999Z",
		     "\"1969-12-31T23:59:59.999999Z\"");
	expect_shown(value_duration(90 * USEC_PER_MIN), "90m", "\"90m\"");
	expect_shown(value_money(97000000, currency("CNY")), "970000.00",
		     "\"970000.00\"");
	expect_shown(value_money(500, currency("JPY")), "500", "\"500\"");
	expect_shown(list, "[1, a]", "[1,\"a\"]");
}

static void integers_beyond_2_to_the_53_are_text(void **state) {
	int64_t edge = INT64_C(1) << 53;

	(void)state;
	expect_shown(value_int(edge), "9007199254740992", "9007199254740992");
	expect_shown(value_int(edge + 1), "9007199254740993",
		     "\"9007199254740993\"");
	expect_shown(value_int(-edge), "-9007199254740992",
		     "-9007199254740992");
	expect_shown(value_int(-edge - 1), "-9007199254740993",
		     "\"-9007199254740993\"");
}

static void doubles_that_json_has_not_are_null(void **state) {
	(void)state;
	expect_shown(value_double((double)INFINITY), "inf", "null");
	expect_shown(value_double((double)NAN), "nan", "null");
}

static void orders_values_totally(void **state) {
	struct value one[] = { value_int(1) };
	struct value two[] = { value_int(1), value_int(0) };
	struct value sorted[] = {
		value_missing(MISSING_FIELD),
		value_missing(MISSING_ROW),
		{ .kind = KIND_NULL },
		value_bool(false),
		value_bool(true),
		value_int(INT64_MIN),
		value_int(INT64_MAX),
		value_double((double)-INFINITY),
		value_double(-1.0),
		value_double(0.0),
		value_double((double)INFINITY),
		value_double((double)NAN),
		value_string("", 0),
		value_string("a", 1),
		value_string("a\0", 2),
		value_string("ab", 2),
		value_string("\xff", 1),
		value_date(1),
		value_time(0),
		value_duration(0),
		value_money(5, 1),
		value_money(1, 2),
		{ .kind = KIND_LIST, .len = 1, .list = one },
		{ .kind = KIND_LIST, .len = 2, .list = two },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
			int r = value_compare(sorted[i], sorted[j]);

			assert_int_equal((r > 0) - (r < 0), (i > j) - (i < j));
		}
	assert_true(value_equal(value_double(0.0), value_double(-0.0)));
	assert_true(value_equal(value_double((double)NAN),
				value_double((double)NAN)));
	assert_false(value_equal(value_int(1), value_double(1.0)));
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_types_as_rules_write_them),
		cmocka_unit_test(every_reason_has_a_name_of_its_own),
		cmocka_unit_test(shows_each_kind_as_text_and_as_json),
		cmocka_unit_test(integers_beyond_2_to_the_53_are_text),
		cmocka_unit_test(doubles_that_json_has_not_are_null),
		cmocka_unit_test(orders_values_totally),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
