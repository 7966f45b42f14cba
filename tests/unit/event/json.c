#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "event/json.h"

/* The text in memory that ends where it ends, so that ASan sees more. */
static int parse(const struct json **ret, struct arena *arena, const char *text,
		 size_t len) {
	char *copy = malloc(len ? len : 1);
	int r;

	memcpy(copy, text, len);
	r = json_parse(ret, arena, copy, len);
	free(copy);
	return r;
}

static void keeps_members_in_order_and_numbers_as_written(void **state) {
	static const char text[] = " {\"b\": 1.50, \"a\": [true, null, "
				   "\"x\\u00e9\\ud83d\\ude00\"],"
				   " \"\\u0063\": {}} ";
	struct arena arena = { 0 };
	const struct json *json, *a;
	double d;
	int64_t i;

	(void)state;
	assert_int_equal(parse(&json, &arena, text, sizeof(text) - 1), 0);
	assert_int_equal(json->kind, JSON_OBJECT);
	assert_int_equal(json->n, 3);
	assert_string_equal(json->first->name, "b");
	assert_string_equal(json_text(json_get(json, "b")), "1.50");
	assert_false(json_int(json_get(json, "b"), &i));
	assert_true(json_double(json_get(json, "b"), &d));
	assert_true(d == 1.5);
	a = json_get(json, "a");
	assert_int_equal(a->n, 3);
	assert_true(a->first->truth);
	assert_int_equal(a->first->next->kind, JSON_NULL);
	assert_string_equal(a->first->next->next->text, "xé😀");
	assert_int_equal(json_get(json, "c")->kind, JSON_OBJECT);
	assert_null(json_get(json, "d"));
	assert_null(json_get(json_get(json, "d"), "e"));
	arena_free(&arena);
}

static void refuses_what_is_not_json(void **state) {
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "", -EBADMSG },
		{ "  ", -EBADMSG },
		{ "{", -EBADMSG },
		{ "{\"a\":1", -EBADMSG },
		{ "{\"a\":1}}", -EBADMSG },
		{ "{\"a\":1} x", -EBADMSG },
		{ "{\"a\":1,}", -EBADMSG },
		{ "{\"a\" 1}", -EBADMSG },
		{ "{a:1}", -EBADMSG },
		{ "{\"a\":1,\"a\":2}", -EBADMSG },
		{ "[1,]", -EBADMSG },
		{ "[1 2]", -EBADMSG },
		{ "[01]", -EBADMSG },
		{ "[-]", -EBADMSG },
		{ "[1.]", -EBADMSG },
		{ "[.5]", -EBADMSG },
		{ "[1e]", -EBADMSG },
		{ "[+1]", -EBADMSG },
		{ "[1x]", -EBADMSG },
		{ "[1\"x\"]", -EBADMSG },
		{ "[\"x\"1]", -EBADMSG },
		{ "[tru]", -EBADMSG },
		{ "[truex]", -EBADMSG },
		{ "[NaN]", -EBADMSG },
		{ "[\"\\x\"]", -EBADMSG },
		{ "[\"\\u12g4\"]", -EBADMSG },
		{ "[\"\\ud800\"]", -EBADMSG },
		{ "[\"\\udc00\"]", -EBADMSG },
		{ "[\"\\ud800\\u0041\"]", -EBADMSG },
		{ "[\"a\tb\"]", -EBADMSG },
		{ "[\"abc]", -EBADMSG },
		{ "[\"\xff\"]", -EILSEQ },
		{ "[\"\xed\xa0\x80\"]", -EILSEQ },
		{ "\xef\xbb\xbf[]", -EBADMSG },
	};
	const struct json *json;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena arena = { 0 };
		int r = parse(&json, &arena, cases[i].text,
			      strlen(cases[i].text));

		if (r != cases[i].r)
			fail_msg("%s: %d", cases[i].text, r);
		arena_free(&arena);
	}
}

static void nests_sixty_four_deep_and_no_deeper(void **state) {
	struct arena arena = { 0 };
	const struct json *json;
	char text[20000];

	(void)state;
	memset(text, '[', 10000);
	memset(text + 10000, ']', 10000);
	assert_int_equal(parse(&json, &arena, text + 10000 - 64, 128), 0);
	assert_int_equal(parse(&json, &arena, text + 10000 - 65, 130), -E2BIG);
	assert_int_equal(parse(&json, &arena, text, 20000), -E2BIG);
	arena_free(&arena);
}

static void reads_scalars_alone(void **state) {
	struct arena arena = { 0 };
	const struct json *json;
	int64_t i;

	(void)state;
	assert_int_equal(parse(&json, &arena, "-0.12e2", 7), 0);
	assert_true(json_int(json, &i));
	assert_int_equal(i, -12);
	assert_int_equal(parse(&json, &arena, "\"\"", 2), 0);
	assert_string_equal(json_text(json), "");
	arena_free(&arena);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_members_in_order_and_numbers_as_written),
		cmocka_unit_test(refuses_what_is_not_json),
		cmocka_unit_test(nests_sixty_four_deep_and_no_deeper),
		cmocka_unit_test(reads_scalars_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
