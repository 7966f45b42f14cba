/*
 * Texts: formats, languages, masks.
 */
#include "alert/case.h"

static void assert_text(const char *got, size_t len, const char *want) {
	assert_int_equal(len, strlen(want));
	assert_memory_equal(got, want, len);
}

static void assert_rendered(struct test_case *c, enum language language,
			    const char *from, const char *want) {
	CLEANUP(buf_free) struct buf out = { 0 };
	struct text parts = text(c, from);

	text_render(&out, &parts,
		    &(struct text_place){ .frame = c->frame,
					  .context = &c->draft.context,
					  .calendar = &c->calendar,
					  .language = language });
	buf_cstr(&out);
	assert_string_equal(out.data, want);
}

static void formats_as_people_read(void **state) {
	static const struct {
		const char *from, *want;
	} cases[] = {
		{ "", "" },
		{ "{unit}：{cnt} 笔", "U-03：3 笔" },
		{ "{total}", "970000.00" },
		{ "{total|money}", "970,000.00" },
		{ "{total|wan}", "97.00万元" },
		{ "{total|int}", "970000" },
		{ "{total|pct}", "970000.00" },
		{ "{cnt|money}", "3.00" },
		{ "{growth}", "0.94" },
		{ "{growth|pct}", "94%" },
		{ "{growth|money}", "0.94" },
		{ "{growth|int}", "1" },
		{ "{cnt|pct}", "300%" },
		{ "{0.0634|pct}", "6.3%" },
		{ "{-0.0634|pct}", "-6.3%" },
		{ "{-0.0004|pct}", "0%" },
		{ "{now}", "2026-03-06T00:00:00+08:00" },
		{ "{now|date}", "2026-03-06" },
		{ "{now|time}", "2026-03-06 00:00" },
		{ "{unit|date} {unit|time} {unit|int}", "U-03 U-03 U-03" },
		{ "{fund}/{fund|money}/{fund|date}", "-/-/-" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_rendered(*state, LANGUAGE_ZH, cases[i].from,
				cases[i].want);
}

static void large_sums_are_told_in_the_reader_s_units(void **state) {
	static const struct {
		int64_t fen;
		const char *zh, *en;
	} cases[] = {
		{ 999999, "9,999.99元", "CNY 9,999.99" },
		{ 1000000, "1.00万元", "CNY 10,000.00" },
		{ -1000000, "-1.00万元", "CNY -10,000.00" },
		{ 9999999999, "10,000.00万元", "CNY 99,999,999.99" },
		{ 10000000000, "1.00亿元", "CNY 100,000,000.00" },
		{ 10500000000, "1.05亿元", "CNY 105,000,000.00" },
	};
	struct test_case *c = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		c->frame[F_TOTAL].i = cases[i].fen;
		assert_rendered(c, LANGUAGE_ZH, "{total|wan}", cases[i].zh);
		assert_rendered(c, LANGUAGE_EN, "{total|wan}", cases[i].en);
	}
}

static void a_mask_keeps_four_or_nothing(void **state) {
	static const struct {
		const char *value;
		enum mask mask;
		const char *want;
	} cases[] = {
		{ "6222000011112222", MASK_LAST4, "****2222" },
		{ "6222000011112222", MASK_ALL, "****" },
		{ "6222000011112222", MASK_NONE, "6222000011112222" },
		{ "12345", MASK_LAST4, "****2345" },
		{ "1234", MASK_LAST4, "****" },
		{ "", MASK_LAST4, "****" },
		{ "甲乙丙丁戊", MASK_LAST4, "****乙丙丁戊" },
		{ "\xff\xff\xff\xff"
		  "12345",
		  MASK_LAST4, "****2345" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_free) struct buf out = { 0 };

		text_mask(&out,
			  value_string(cases[i].value,
				       (uint32_t)strlen(cases[i].value)),
			  cases[i].mask);
		assert_text(out.data, out.len, cases[i].want);
	}
}

static void a_mask_follows_what_may_hold_the_value(void **state) {
	static const struct {
		const char *expr;
		enum mask mask;
	} cases[] = {
		{ "payee_account", MASK_LAST4 },
		{ "unit", MASK_NONE },
		{ "unit + payee_account", MASK_LAST4 },
		{ "[unit, payee_account]", MASK_LAST4 },
		{ "size(payee_account) + cnt", MASK_NONE },
		{ "payee_account == unit", MASK_NONE },
	};
	struct test_case *c = *state;
	enum mask masks[F_MAX] = { [F_ACCOUNT] = MASK_LAST4 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(text_mask_of(compile(c, cases[i].expr), masks),
				 cases[i].mask);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(formats_as_people_read,
						case_setup, case_teardown),
		cmocka_unit_test_setup_teardown(
			large_sums_are_told_in_the_reader_s_units, case_setup,
			case_teardown),
		cmocka_unit_test(a_mask_keeps_four_or_nothing),
		cmocka_unit_test_setup_teardown(
			a_mask_follows_what_may_hold_the_value, case_setup,
			case_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
