#include "expr/expr.h"

#include "expr/ast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_print(const char *text, const char *printed) {
	struct arena arena = { 0 };
	struct diag diag = { 0 };
	struct buf out = { 0 };
	struct place place = { .line = 1, .column = 1 };
	struct expr_ast *ast;

	assert_int_equal(
		expr_parse(&ast, &arena, text, strlen(text), place, &diag), 0);
	expr_print(&out, ast);
	assert_string_equal(buf_cstr(&out), printed);
	buf_free(&out);
	diag_free(&diag);
	arena_free(&arena);
}

/* Printed, parsed and printed again: the same. */
static void expect_same(const char *text) {
	expect_print(text, text);
}

static void expect_complaint(const char *text, const char *complaint) {
	struct arena arena = { 0 };
	struct diag diag = { 0 };
	const struct source *source =
		diag_source_text(&diag, "r.yaml", text, strlen(text));
	struct place place = { source, 1, 1, 1 };
	struct buf out = { 0 };
	struct expr_ast *ast;

	assert_true(expr_parse(&ast, &arena, text, strlen(text), place, &diag) <
		    0);
	diag_print(&diag, &out, false);
	assert_string_equal(buf_cstr(&out), complaint);
	buf_free(&out);
	diag_free(&diag);
	arena_free(&arena);
}

static void prints_what_it_parsed_with_the_least_parentheses(void **state) {
	(void)state;
	expect_same("a + b * c");
	expect_same("(a + b) * c");
	expect_same("a - (b - c)");
	expect_print("(a - b) - c", "a - b - c");
	expect_same("-(-3)");
	expect_same("-(3)");
	expect_same("-a.b");
	expect_print("(-1).x", "(-1).x");
	expect_print("-1.x", "(-1).x");
	expect_same("-(1.x)");
	expect_same("!(a && b) || c");
	expect_same("(a || b) && c");
	expect_print("a||b||c||d", "a || b || c || d");
	expect_same("a ? b : c ? d : e");
	expect_same("(a ? b : c) ? d : e");
	expect_print("[1,'x',{ 'k':null }]", "[1, 'x', {'k': null}]");
	expect_print("limits( r ).open_tender", "limits(r).open_tender");
	expect_print("a [ 0 ] . b( c )", "a[0].b(c)");
	expect_same("x in lists.watch");
}

static void prints_strings_so_that_they_read_back(void **state) {
	(void)state;
	expect_print("\"it's\"", "'it\\'s'");
	expect_print("'''a\nb'''", "'a\\nb'");
	expect_print("r'\\d'", "'\\\\d'");
	expect_same("'\\x00\\x7f'");
	expect_print("'\\u4e2d'", "'中'");
	expect_same("'中文'");
}

static void keeps_the_digits_of_a_number(void **state) {
	(void)state;
	expect_same("0.10");
	expect_same("1e3");
	expect_same("-9223372036854775808");
	expect_print("0xff", "255");
}

static void takes_a_long_chain_of_alternatives(void **state) {
	struct arena arena = { 0 };
	struct diag diag = { 0 };
	struct buf text = { 0 };
	struct place place = { .line = 1, .column = 1 };
	struct expr_ast *ast;

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "%sa == %d", i > 0 ? " || " : "", i);
	assert_int_equal(
		expr_parse(&ast, &arena, text.data, text.len, place, &diag), 0);
	buf_free(&text);
	diag_free(&diag);
	arena_free(&arena);
}

static void refuses_what_is_nested_too_deep(void **state) {
	struct arena arena = { 0 };
	struct diag diag = { 0 };
	struct place place = { .line = 1, .column = 1 };
	struct expr_ast *ast;
	char text[100000];

	(void)state;
	for (const char *c = "([{-!"; *c; c++) {
		memset(text, *c, sizeof(text));
		assert_true(expr_parse(&ast, &arena, text, 60000, place,
				       &diag) < 0);
		assert_string_equal(diag.items[diag.n - 1].code, "E202");
	}
	assert_true(expr_parse(&ast, &arena, text, sizeof(text), place, &diag) <
		    0);
	assert_string_equal(diag.items[diag.n - 1].text,
			    "the expression is longer than 65536 bytes");
	diag_free(&diag);
	arena_free(&arena);
}

/* Each prefix of it, and each with one byte changed, must be survived. */
static void survives_broken_text(void **state) {
	static const char whole[] =
		"a.b(c, [1.5e3, {'k': '''x\\n'''}]) ? !x[0] : -(y in z) "
		"&& \"\\u4e2d\" == r'\\' || 0xff % .5 <= 中";
	char text[sizeof(whole)];

	(void)state;
	for (size_t i = 0; i < sizeof(whole); i++) {
		for (int c = -1; c < 256; c += 7) {
			struct arena arena = { 0 };
			struct diag diag = { 0 };
			struct place place = { .line = 1, .column = 1 };
			size_t len = c < 0 ? i : sizeof(whole) - 1;
			char *exact;
			struct expr_ast *ast;

			memcpy(text, whole, sizeof(whole));
			if (c >= 0)
				text[i] = (char)c;
			exact = malloc(len + 1);
			memcpy(exact, text, len);
			expr_parse(&ast, &arena, exact, len, place, &diag);
			free(exact);
			diag_free(&diag);
			arena_free(&arena);
		}
	}
}

static void says_where_the_text_is_wrong(void **state) {
	(void)state;
	expect_complaint("1 + ", "r.yaml:1:5: error E201: the expression ends "
				 "where a value should be\n"
				 "    1 | 1 + \n"
				 "      |     ^\n");
	expect_complaint("f(a b)",
			 "r.yaml:1:5: error E201: expected `)`, found `b`\n"
			 "    1 | f(a b)\n"
			 "      |     ^\n");
	expect_complaint("a = 1", "r.yaml:1:3: error E201: `=` means nothing "
				  "here; `==` compares\n"
				  "    1 | a = 1\n"
				  "      |   ^\n");
	expect_complaint("a & b", "r.yaml:1:3: error E201: `&` means nothing "
				  "here; `&&` joins\n"
				  "    1 | a & b\n"
				  "      |   ^\n");
	expect_complaint("now - 30d",
			 "r.yaml:1:7: error E201: a name cannot begin with a "
			 "digit; a duration is written duration('30m')\n"
			 "    1 | now - 30d\n"
			 "      |       ^~~\n");
	expect_complaint("package == 'x'",
			 "r.yaml:1:1: error E201: `package` is a reserved "
			 "word\n"
			 "    1 | package == 'x'\n"
			 "      | ^~~~~~~\n");
	expect_complaint("'abc", "r.yaml:1:1: error E201: this string does "
				 "not end\n"
				 "    1 | 'abc\n"
				 "      | ^~~~\n");
	expect_complaint("9223372036854775808",
			 "r.yaml:1:1: error E201: the number does not fit 64 "
			 "bits\n"
			 "    1 | 9223372036854775808\n"
			 "      | ^~~~~~~~~~~~~~~~~~~\n");
}

static void counts_columns_in_code_points(void **state) {
	(void)state;
	expect_complaint("'采购' == §",
			 "r.yaml:1:9: error E201: `§` means nothing here\n"
			 "    1 | '采购' == §\n"
			 "      |           ^\n");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			prints_what_it_parsed_with_the_least_parentheses),
		cmocka_unit_test(prints_strings_so_that_they_read_back),
		cmocka_unit_test(keeps_the_digits_of_a_number),
		cmocka_unit_test(takes_a_long_chain_of_alternatives),
		cmocka_unit_test(refuses_what_is_nested_too_deep),
		cmocka_unit_test(survives_broken_text),
		cmocka_unit_test(says_where_the_text_is_wrong),
		cmocka_unit_test(counts_columns_in_code_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
