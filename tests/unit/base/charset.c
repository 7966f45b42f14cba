#include "base/charset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/util.h"

static struct arena arena;
static struct charset gb18030, latin1;

static int load(void **state) {
	(void)state;
	assert_int_equal(charset_load(&gb18030, CHARSET_GB18030, &arena), 0);
	assert_int_equal(charset_load(&latin1, CHARSET_LATIN1, &arena), 0);
	return 0;
}

static int unload(void **state) {
	(void)state;
	arena_free(&arena);
	return 0;
}

/* From memory of its own, so that ASan sees where each text ends. */
static size_t decode(const struct charset *charset, const char *in, size_t len,
		     char *out) {
	char *text = malloc(len + !len);
	char *room = malloc(CHARSET_GROWTH * len + !len);
	size_t n;

	memcpy(text, in, len);
	n = charset_decode(charset, room, text, len);
	if (n != SIZE_MAX) {
		assert_true(n <= CHARSET_GROWTH * len);
		memcpy(out, room, n);
		out[n] = '\0';
	}
	free(text);
	free(room);
	return n;
}

static void assert_text(const struct charset *charset, const char *in,
			const char *want) {
	char out[256];

	assert_int_equal(decode(charset, in, strlen(in), out), strlen(want));
	assert_string_equal(out, want);
}

/* Pairs from a codec that shares no code with the C library. */
static void reads_each_length_of_gb18030(void **state) {
	(void)state;
	assert_text(&gb18030, "", "");
	assert_text(&gb18030, "plain", "plain");
	assert_text(&gb18030, "\xd6\xd0", "中");
	assert_text(&gb18030, "\xa2\xe3", "€");
	assert_text(&gb18030, "\xfd\x9b", "龥");
	assert_text(&gb18030, "\xa3\xa4", "￥");
	assert_text(&gb18030, "\x81\x30\x81\x30", "\xc2\x80");
	assert_text(&gb18030, "\x81\x30\x84\x35", "£");
	assert_text(&gb18030, "\x81\x39\xee\x39", "㐀");
	assert_text(&gb18030, "\x84\x31\xa4\x39", "\xef\xbf\xbf");
	assert_text(&gb18030, "\x90\x30\x81\x30", "\xf0\x90\x80\x80");
	assert_text(&gb18030, "\x94\x39\xfc\x36", "😀");
	assert_text(&gb18030, "\xe3\x32\x9a\x35", "\xf4\x8f\xbf\xbf");
	assert_text(&gb18030, "unit 12345678: \xb2\xc6\xd5\xfe\xbe\xd6, x",
		    "unit 12345678: 财政局, x");
}

static void reads_latin1(void **state) {
	(void)state;
	assert_text(&latin1, "\xa3 12.50", "£ 12.50");
	assert_text(&latin1, "caf\xe9", "café");
	assert_text(&latin1, "\x80\xff", "\xc2\x80ÿ");
}

/*
 * Some two-byte ones were moved from private use to where Unicode has them
 * now, so a few characters can be written twice.
 */
static void gives_nearly_each_character_once(void **state) {
	uint8_t *seen = calloc(0x110000, 1);
	size_t n = 0;
	char out[8];
	uint32_t c;

	(void)state;
	for (unsigned lead = 0x81; lead <= 0xfe; lead++) {
		for (unsigned trail = 0; trail < 256; trail++) {
			char s[] = { (char)lead, (char)trail };
			size_t len = decode(&gb18030, s, 2, out);

			if (len == SIZE_MAX)
				continue;
			assert_true(trail >= 0x40 && trail != 0x7f &&
				    trail != 0xff);
			assert_int_equal(utf8_next(out, len, &c), len);
			n += !seen[c]++;
		}
	}
	assert_true(n > 23900);
	for (unsigned i = 0; i < 126 * 12600; i++) {
		char s[] = { (char)(0x81 + i / 12600),
			     (char)(0x30 + i / 1260 % 10),
			     (char)(0x81 + i / 10 % 126),
			     (char)(0x30 + i % 10) };
		size_t len = decode(&gb18030, s, 4, out);

		if (len == SIZE_MAX)
			continue;
		assert_int_equal(utf8_next(out, len, &c), len);
		n += !seen[c]++;
	}
	/* ASCII and the surrogates are not among them. */
	assert_true(n <= 0x110000 - 128 - 0x800);
	assert_true(n > 0x110000 - 128 - 0x800 - 200);
	free(seen);
}

static void refuses_what_has_no_meaning(void **state) {
	static const struct {
		const char *s;
		size_t len;
	} cases[] = {
		{ "a\x80", 2 },
		{ "\xff", 1 },
		{ "\xd6", 1 },
		{ "ab\xd6", 3 },
		{ "\xd6 ", 2 },
		{ "\xd6\x7f", 2 },
		{ "\xd6\xff", 2 },
		{ "\x81\x30", 2 },
		{ "\x81\x30\x81", 3 },
		{ "\x81\x30\x81\x3a", 4 },
		{ "\x81\x30\x30\x30", 4 },

		{ "\xe3\x32\x9a\x36", 4 },
		{ "\xfe\x39\xfe\x39", 4 },
		{ "\x84\x31\xa5\x30", 4 },
		{ "\x8f\x39\xfe\x39", 4 },
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			decode(&gb18030, cases[i].s, cases[i].len, out),
			SIZE_MAX);
}

/* Runs of ASCII are copied eight bytes at a time. */
static void finds_the_end_of_ascii_wherever_it_is(void **state) {
	char text[64], want[128], out[128];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_true(text_is_ascii(text, 40));
	assert_true(text_is_ascii(text, 0));
	for (size_t i = 0; i < 40; i++) {
		memset(want, 'a', sizeof(want));
		text[i] = '\xa3';
		memcpy(want + i, "£", 2);
		assert_false(text_is_ascii(text, 40));
		assert_true(text_is_ascii(text, i));
		assert_int_equal(decode(&latin1, text, 40, out), 41);
		assert_memory_equal(out, want, 41);
		text[i] = 'a';
	}
}

/* The hash is of the answers: nothing that a run or an address changes. */
static void has_the_same_hash_each_time(void **state) {
	struct charset again;

	(void)state;
	assert_int_equal(charset_load(&again, CHARSET_GB18030, &arena), 0);
	assert_memory_equal(again.hash, gb18030.hash, sizeof(again.hash));
	assert_memory_not_equal(again.hash, latin1.hash, sizeof(again.hash));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_each_length_of_gb18030),
		cmocka_unit_test(reads_latin1),
		cmocka_unit_test(gives_nearly_each_character_once),
		cmocka_unit_test(refuses_what_has_no_meaning),
		cmocka_unit_test(finds_the_end_of_ascii_wherever_it_is),
		cmocka_unit_test(has_the_same_hash_each_time),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
