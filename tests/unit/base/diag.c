#include "base/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

static struct place at(const struct source *source, uint32_t line,
		       uint32_t column, uint32_t width) {
	return (struct place){ source, line, column, width };
}

static void expect_print(const struct diag *diag, const char *text) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	diag_print(diag, &buf, false);
	assert_string_equal(buf_cstr(&buf), text);
}

static const struct source *source(struct diag *diag, const char *text) {
	return diag_source_text(diag, "rules/split.yaml", text, strlen(text));
}

static void quotes_the_line_and_underlines_the_word(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct source *s = source(
		&diag, "rule: split\n  where: uncompeted && ammount < limit\n");

	(void)state;
	assert_int_equal(diag_at(&diag, at(s, 2, 24, 7), "E203",
				 "stream `%s` has no field `%s`", "orders",
				 "ammount"),
			 -EINVAL);
	expect_print(
		&diag,
		"rules/split.yaml:2:24: error E203: stream `orders` has no "
		"field `ammount`\n"
		"    2 |   where: uncompeted && ammount < limit\n"
		"      |                        ^~~~~~~\n");
}

static void a_caret_below_chinese_counts_columns(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct source *s = source(&diag, "title: 拆分采购 {金额}");

	(void)state;
	diag_at(&diag, at(s, 1, 13, 4), "E203", "x");
	expect_print(&diag, "rules/split.yaml:1:13: error E203: x\n"
			    "    1 | title: 拆分采购 {金额}\n"
			    "      |                 ^~~~~~\n");
}

static void width_zero_and_one_are_a_caret(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct source *s = source(&diag, "拆分");

	(void)state;
	diag_at(&diag, at(s, 1, 2, 0), "E203", "x");
	diag_at(&diag, at(s, 1, 2, 1), "E203", "y");
	expect_print(&diag, "rules/split.yaml:1:2: error E203: x\n"
			    "    1 | 拆分\n"
			    "      |   ^\n"
			    "rules/split.yaml:1:2: error E203: y\n"
			    "    1 | 拆分\n"
			    "      |   ^\n");
}

static void the_mark_stays_within_the_line(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct source *s = source(&diag, "ab\ncd");

	(void)state;
	diag_at(&diag, at(s, 1, 2, 50), "E203", "too wide");
	diag_at(&diag, at(s, 1, 3, 1), "E203", "at the end");
	diag_at(&diag, at(s, 1, 99, 1), "E203", "far behind");
	diag_at(&diag, at(s, 2, 1, 2), "E203", "no newline");
	diag_at(&diag, at(s, 3, 1, 1), "E203", "no such line");
	expect_print(&diag, "rules/split.yaml:1:2: error E203: too wide\n"
			    "    1 | ab\n"
			    "      |  ^\n"
			    "rules/split.yaml:1:3: error E203: at the end\n"
			    "    1 | ab\n"
			    "      |   ^\n"
			    "rules/split.yaml:1:99: error E203: far behind\n"
			    "    1 | ab\n"
			    "      |   ^\n"
			    "rules/split.yaml:2:1: error E203: no newline\n"
			    "    2 | cd\n"
			    "      | ^~\n"
			    "rules/split.yaml:3:1: error E203: no such line\n");
}

static void tabs_and_carriage_returns_keep_the_caret_in_place(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct source *s = source(&diag, "\ta\tbc\r\nd\r\n");

	(void)state;
	diag_at(&diag, at(s, 1, 4, 2), "W601", "x");
	expect_print(&diag, "rules/split.yaml:1:4: warning W601: x\n"
			    "    1 | \ta\tbc\n"
			    "      | \t \t^~\n");
}

static void control_bytes_of_a_file_do_not_reach_the_terminal(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct source *s = source(&diag, "a\033[2J\xff"
					       "b\x7f\xc2\x9b");

	(void)state;
	diag_at(&diag, at(s, 1, 7, 1), "E203", "`\033[31m`");
	expect_print(&diag,
		     "rules/split.yaml:1:7: error E203: `\xef\xbf\xbd[31m`\n"
		     "    1 | a\xef\xbf\xbd[2J\xef\xbf\xbd"
		     "b\xef\xbf\xbd\xef\xbf\xbd\n"
		     "      |       ^\n");
}

static void a_long_line_is_shown_around_the_place(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	CLEANUP(buf_free) struct buf line = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };
	const char *mark;
	const char *quote;

	(void)state;
	buf_repeat(&line, 'x', 100000);
	memcpy(line.data + 50000, "WORD", 4);
	diag_at(&diag,
		at(diag_source_text(&diag, "a.csv", line.data, line.len), 1,
		   50001, 4),
		"E401", "x");
	diag_print(&diag, &out, false);
	assert_true(out.len < 600);
	quote = strstr(buf_cstr(&out), "    1 | …xxx");
	assert_non_null(quote);
	mark = strstr(quote, "\n") + 1;
	/* The ellipsis has three bytes and one column. */
	assert_int_equal(strstr(quote, "WORD") - quote - 2,
			 strstr(mark, "^~~~\n") - mark);
}

static void a_place_may_be_missing_in_part(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct source *s = source(&diag, "ab\n");

	(void)state;
	diag_at(&diag, at(NULL, 0, 0, 0), "E901", "no broker is named");
	diag_at(&diag, at(s, 0, 0, 0), "E101", "empty");
	diag_at(&diag, at(s, 1, 0, 0), "E101", "a line");
	expect_print(&diag, "error E901: no broker is named\n"
			    "rules/split.yaml: error E101: empty\n"
			    "rules/split.yaml:1: error E101: a line\n"
			    "    1 | ab\n");
}

static void sorts_by_file_line_and_column_and_keeps_ties(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	CLEANUP(buf_free) struct buf got = { 0 };
	const struct source *z = diag_source_text(&diag, "z", "", 0);
	const struct source *a = diag_source_text(&diag, "a", "", 0);

	(void)state;
	diag_sort(&diag);
	diag_at(&diag, at(a, 1, 1, 1), "E203", "6");
	diag_at(&diag, at(z, 12, 2, 1), "E203", "5");
	diag_at(&diag, at(z, 2, 3, 1), "E203", "3");
	diag_at(&diag, at(z, 2, 3, 9), "W601", "4");
	diag_at(&diag, at(z, 2, 1, 1), "E203", "2");
	diag_at(&diag, at(NULL, 0, 0, 0), "E203", "1");
	diag_at(&diag, at(a, 1, 1, 0), "E203", "7");
	diag_sort(&diag);
	for (size_t i = 0; i < diag.n; i++)
		buf_puts(&got, diag.items[i].text);
	assert_string_equal(buf_cstr(&got), "1234567");
	assert_int_equal(diag.n_errors, 6);
}

static void gives_editors_json(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };
	const struct source *s = source(&diag, "拆\n");

	(void)state;
	diag_json(&diag, &out);
	assert_string_equal(buf_cstr(&out), "[]\n");
	buf_reset(&out);
	diag_at(&diag, at(s, 1, 1, 1), "E203", "no \"拆\"");
	diag_at(&diag, at(NULL, 0, 0, 0), "W601", "x");
	diag_json(&diag, &out);
	assert_string_equal(
		buf_cstr(&out),
		"[\n"
		"{\"code\":\"E203\",\"severity\":\"error\","
		"\"file\":\"rules/split.yaml\",\"line\":1,\"column\":1,"
		"\"width\":1,\"message\":\"no \\\"拆\\\"\"},\n"
		"{\"code\":\"W601\",\"severity\":\"warning\",\"file\":null,"
		"\"line\":0,\"column\":0,\"width\":0,\"message\":\"x\"}\n"
		"]\n");
}

static void colours_only_when_asked(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };

	(void)state;
	diag_at(&diag, at(source(&diag, "ab"), 1, 1, 2), "E203", "x");
	diag_print(&diag, &out, true);
	assert_string_equal(buf_cstr(&out),
			    "\033[1mrules/split.yaml:1:1:\033[0m "
			    "\033[1;31merror\033[0m E203: x\n"
			    "    1 | ab\n"
			    "      | \033[1;32m^~\033[0m\n");
}

static void reads_files_and_forwards_what_the_system_says(void **state) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct source *s = NULL;

	(void)state;
	assert_int_equal(diag_source(&diag, "/nonexistent/a.yaml", &s),
			 -ENOENT);
	assert_int_equal(diag_source(&diag, "/", &s), -EISDIR);
	assert_null(s);
	assert_int_equal(diag_source(&diag, "/dev/null", &s), 0);
	assert_string_equal(s->path, "/dev/null");
	assert_int_equal(s->len, 0);
}

static void nearest(const char *name, const char *want) {
	static const char *const names[] = { "amount",   "buyer",  "supplier",
					     "region",   "by",     "id",
					     "采购项目", "amount2" };
	const char *got = diag_nearest(name, names, ARRAY_SIZE(names));

	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void suggests_the_nearest_name_or_none(void **state) {
	(void)state;
	nearest("ammount", "amount");
	nearest("amount", "amount");
	nearest("amuont", "amount");
	nearest("suplier", "supplier");
	nearest("采购项日", "采购项目");
	nearest("bu", "by");
	nearest("di", "id"); /* two letters swapped are one slip */
	nearest("dix", NULL);
	nearest("payment", NULL);
	nearest("x", NULL);
	nearest("", NULL);
	assert_null(diag_nearest("x", NULL, 0));
}

static void codes_are_sorted_unique_and_explained(void **state) {
	(void)state;
	for (size_t i = 0; i < diag_n_codes; i++) {
		const struct diag_code *code = &diag_codes[i];
		size_t len = strlen(code->sentence);

		assert_int_equal(strlen(code->code), 4);
		assert_non_null(strchr("EW", code->code[0]));
		assert_int_equal(strspn(code->code + 1, "0123456789"), 3);
		assert_true(len > 10 && code->sentence[len - 1] == '.');
		len = strlen(code->cure);
		assert_true(len > 5 && code->cure[len - 1] == '.');
		if (i)
			assert_true(strcmp(diag_codes[i - 1].code, code->code) <
				    0);
	}
	assert_non_null(diag_explain("E203"));
	assert_null(diag_explain("E000"));
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_the_line_and_underlines_the_word),
		cmocka_unit_test(a_caret_below_chinese_counts_columns),
		cmocka_unit_test(width_zero_and_one_are_a_caret),
		cmocka_unit_test(the_mark_stays_within_the_line),
		cmocka_unit_test(
			tabs_and_carriage_returns_keep_the_caret_in_place),
		cmocka_unit_test(
			control_bytes_of_a_file_do_not_reach_the_terminal),
		cmocka_unit_test(a_long_line_is_shown_around_the_place),
		cmocka_unit_test(a_place_may_be_missing_in_part),
		cmocka_unit_test(sorts_by_file_line_and_column_and_keeps_ties),
		cmocka_unit_test(gives_editors_json),
		cmocka_unit_test(colours_only_when_asked),
		cmocka_unit_test(reads_files_and_forwards_what_the_system_says),
		cmocka_unit_test(suggests_the_nearest_name_or_none),
		cmocka_unit_test(codes_are_sorted_unique_and_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
