#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/util.h"

static void accepts_utf8_from_end_to_end(void **state) {
	static const uint32_t edges[] = { 0x0,     0x7f,    0x80,   0x7ff,
					  0x800,   0xd7ff,  0xe000, 0xffff,
					  0x10000, 0x10ffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		CLEANUP(buf_free) struct buf buf = { 0 };
		uint32_t c = 1;

		utf8_put(&buf, edges[i]);
		assert_true(utf8_is_valid(buf.data, buf.len));
		assert_int_equal(utf8_next(buf.data, buf.len, &c), buf.len);
		assert_int_equal(c, edges[i]);
		assert_int_equal(utf8_length(buf.data, buf.len), 1);
		/* Cut short it is broken. */
		if (buf.len > 1)
			assert_int_equal(utf8_next(buf.data, buf.len - 1, &c),
					 0);
	}
}

static void refuses_broken_utf8(void **state) {
	static const char *const broken[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xfe",
		"\xe6\x8b",
		"\xc3\x28",
		"plain ascii, then \xc3",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		assert_false(utf8_is_valid(broken[i], strlen(broken[i])));
	assert_true(utf8_is_valid("", 0));
	assert_true(utf8_is_valid("eight bytes and 中文 more", 26));
}

static void counts_broken_bytes_as_one_each(void **state) {
	(void)state;
	assert_int_equal(utf8_length("a\xff\xfe"
				     "b",
				     4),
			 4);
	assert_int_equal(utf8_length("拆分采购", 12), 4);
	assert_int_equal(utf8_length("\xe6\x8b", 2), 2);
}

static void columns(const char *s, size_t want) {
	if (text_columns(s, strlen(s)) != want)
		fail_msg("`%s` takes %zu columns, not %zu", s,
			 text_columns(s, strlen(s)), want);
}

static void knows_how_wide_text_is_on_a_terminal(void **state) {
	(void)state;
	columns("", 0);
	columns("abc", 3);
	columns("拆分采购", 8);
	columns("，。「」（）", 12);
	columns("ｱｲｳ", 3);
	columns("한글", 4);
	columns("𠀀", 2);
	columns("e\xcc\x81", 1);    /* e and a combining acute */
	columns("\xe2\x80\x8b", 0); /* zero width space */
	columns("\xc2\xad", 1);     /* soft hyphen */
	columns("é–“”…·", 6);
	columns("😀", 2);
	columns("\xff\xfe", 2);
}

static void expect_fit(const char *s, size_t width, const char *want) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	text_fit(&buf, s, strlen(s), width);
	assert_string_equal(buf_cstr(&buf), want);
	assert_int_equal(text_columns(buf.data, buf.len), width);
}

static void fits_text_to_exactly_the_columns_asked(void **state) {
	(void)state;
	expect_fit("abc", 5, "abc  ");
	expect_fit("abc", 3, "abc");
	expect_fit("abcd", 3, "ab…");
	expect_fit("拆分采购", 8, "拆分采购");
	expect_fit("拆分采购", 7, "拆分采…");
	/* A wide character that does not fit leaves a blank. */
	expect_fit("拆分采购", 6, "拆分… ");
	expect_fit("拆分", 1, "…");
	expect_fit("拆分", 0, "");
	expect_fit("", 2, "  ");
	expect_fit("ae\xcc\x81", 2, "ae\xcc\x81");
}

static void distance(const char *a, const char *b, size_t limit, size_t want) {
	assert_int_equal(text_distance(a, strlen(a), b, strlen(b), limit),
			 want);
	assert_int_equal(text_distance(b, strlen(b), a, strlen(a), limit),
			 want);
}

static void measures_edits_in_code_points(void **state) {
	(void)state;
	distance("", "", 3, 0);
	distance("", "abc", 9, 3);
	distance("kitten", "sitting", 9, 3);
	distance("amount", "ammount", 9, 1);
	distance("ab", "ba", 9, 2);
	distance("采购项目", "采购项日", 9, 1);
	distance("采购", "caigou", 9, 6);
}

static void stops_measuring_at_the_limit(void **state) {
	(void)state;
	distance("kitten", "sitting", 3, 3);
	distance("kitten", "sitting", 2, 3);
	distance("a", "abcdefgh", 2, 3);
	distance("abc", "xyz", 0, 1);
	distance("abc", "abc", 0, 0);
}

static void measures_long_texts_too(void **state) {
	char a[2001];
	char b[2001];

	(void)state;
	memset(a, 'a', sizeof(a) - 1);
	memset(b, 'a', sizeof(b) - 1);
	a[2000] = b[2000] = '\0';
	b[0] = b[1000] = b[1999] = 'x';
	distance(a, b, 10, 3);
	distance(a, b, 2, 3);
	/* At the edge of what is kept on the stack. */
	a[256] = b[256] = '\0';
	distance(a, b, 10, 1);
	a[255] = '\0';
	distance(a, b, 10, 1);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_utf8_from_end_to_end),
		cmocka_unit_test(refuses_broken_utf8),
		cmocka_unit_test(counts_broken_bytes_as_one_each),
		cmocka_unit_test(knows_how_wide_text_is_on_a_terminal),
		cmocka_unit_test(fits_text_to_exactly_the_columns_asked),
		cmocka_unit_test(measures_edits_in_code_points),
		cmocka_unit_test(stops_measuring_at_the_limit),
		cmocka_unit_test(measures_long_texts_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
