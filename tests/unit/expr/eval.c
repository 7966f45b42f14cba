#include "expr/world.h"

/* Evaluates as a rule would and by the second evaluator; "2.50 CNY" … */
static void expect_in(struct world *w, const char *text, const char *value) {
	static const unsigned ways[] = { 0, EXPR_WALK };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct expr *expr = world_compile(w, text, ways[i]);
		struct buf out = { 0 };
		struct value v;

		if (!expr) {
			diag_print(&w->diag, &out, false);
			print_error("%s", buf_cstr(&out));
		}
		assert_non_null(expr);
		v = world_eval(w, expr);
		if (v.kind == KIND_MISSING)
			buf_printf(&out, "missing %s",
				   missing_name((enum missing)v.reason));
		else
			value_format(&out, v);
		if (strcmp(buf_cstr(&out), value) != 0)
			print_error("of: %s (%s)\n", text,
				    ways[i] ? "walk" : "code");
		assert_string_equal(buf_cstr(&out), value);
		buf_free(&out);
	}
}

static void expect(const char *text, const char *value) {
	struct world w;

	world_begin(&w);
	expect_in(&w, text, value);
	world_end(&w);
}

static void takes_a_literal_beside_money_in_major_units(void **state) {
	(void)state;
	expect("amount == 480000", "true");
	expect("480000.00 == amount", "true");
	expect("amount >= 480000.01", "false");
	expect("amount < wan(48.0001)", "true");
	expect("amount == wan(48)", "true");
	expect("amount < yi(1)", "true");
	expect("amount - 480000 == -0.00", "true");
	expect("amount < params.floor", "true");
	expect("-amount < -1", "true");
	expect("amount in [480000, 1]", "true");
	expect("amount in [480000.01]", "false");
	expect("yen > 999", "true");
	expect("greatest(amount, 500000) == 500000", "true");
	expect("(valid ? amount : 0) == 480000", "true");
	expect("default(usual.mid, 0) == 300000", "true");
}

static void multiplies_money_half_to_even(void **state) {
	struct world w;

	(void)state;
	expect("amount * 0.8 == 384000", "true");
	expect("amount * params.share == 384000", "true");
	expect("2 * amount == 960000", "true");
	expect("amount * cnt == 1440000", "true");
	expect("amount * growth == 360000", "true");
	expect("twice == 960000", "true");

	world_begin(&w);
	/* a tie is a tie: 0.05 is a decimal here, not a double above it */
	w.frame[SLOT_AMOUNT] = cny(10);
	expect_in(&w, "amount * 0.05 == 0", "true");
	w.frame[SLOT_AMOUNT] = cny(30);
	expect_in(&w, "amount * 0.05 == 0.02", "true");
	w.frame[SLOT_AMOUNT] = cny(-30);
	expect_in(&w, "amount * 0.05 == -0.02", "true");
	w.frame[SLOT_AMOUNT] = cny(50);
	expect_in(&w, "amount * 0.05 == 0.02", "true");
	/* 1/8 is exact in a double as well */
	w.frame[SLOT_GROWTH] = value_double(0.125);
	w.frame[SLOT_AMOUNT] = cny(4);
	expect_in(&w, "amount * growth == 0", "true");
	w.frame[SLOT_AMOUNT] = cny(12);
	expect_in(&w, "amount * growth == 0.02", "true");
	w.frame[SLOT_AMOUNT] = cny(-20);
	expect_in(&w, "amount * growth == -0.02", "true");
	w.frame[SLOT_AMOUNT] = cny(INT64_MAX);
	expect_in(&w, "amount * 0.5 == 46116860184273879.04", "true");
	w.frame[SLOT_GROWTH] = value_double(0.5);
	expect_in(&w, "amount * growth == 46116860184273879.04", "true");
	expect_in(&w, "amount * 2", "missing overflow");
	expect_in(&w, "amount + 0.01", "missing overflow");
	w.frame[SLOT_GROWTH] = value_double(1e300);
	expect_in(&w, "amount * growth", "missing overflow");
	w.frame[SLOT_GROWTH] = value_double(1e-300);
	expect_in(&w, "amount * growth == 0", "true");
	world_end(&w);
}

static void divides_money_by_money(void **state) {
	(void)state;
	expect("amount / usual.mid", "1.6");
	expect("ratio(amount, usual.mid) - 1.0", "0.6000000000000001");
	expect("ratio(amount, 240000)", "2");
	expect("num(amount) / 7.0", "68571.42857142857");
	expect("ratio(cnt, 4)", "0.75");
	expect("ratio(growth, 3)", "0.25");
}

static void carries_what_is_missing(void **state) {
	(void)state;
	expect("1 / 0", "missing zero");
	expect("cnt / (cnt - 3)", "missing zero");
	expect("cnt % (cnt - 3)", "missing zero");
	expect("ratio(amount, 0)", "missing zero");
	expect("ratio(growth, 0.0)", "missing zero");
	expect("growth / 0.0", "inf");
	expect("note == 'x'", "missing field");
	expect("note < 'x'", "missing field");
	expect("note in ['x']", "missing field");
	expect("!(note == 'x')", "missing field");
	expect("note.startsWith('x')", "missing field");
	expect("size(note) + 1", "missing field");
	expect("(note == 'x') ? 1 : 2", "missing field");
	expect("limits('R9').open_tender > amount", "missing row");
	expect("limits(note).open_tender > amount", "missing field");
	expect("9223372036854775807 + cnt", "missing overflow");
	expect("-9223372036854775808 - cnt", "missing overflow");
	expect("9223372036854775807 * cnt", "missing overflow");
	expect("-(cnt - 3 - 9223372036854775807 - 1)", "missing overflow");
	expect("(cnt - 3 - 9223372036854775807 - 1) / (cnt - 4)",
	       "missing overflow");
	expect("(cnt - 3 - 9223372036854775807 - 1) % (cnt - 4)", "0");
}

/* semantics.md 5: missing values travel as CEL errors do */
static void lets_the_other_side_decide(void **state) {
	(void)state;
	expect("note == 'x' && cnt == 4", "false");
	expect("cnt == 4 && note == 'x'", "false");
	expect("note == 'x' && cnt == 3", "missing field");
	expect("cnt == 3 && note == 'x'", "missing field");
	expect("note == 'x' || cnt == 3", "true");
	expect("cnt == 3 || note == 'x'", "true");
	expect("note == 'x' || cnt == 4", "missing field");
	expect("cnt == 4 || note == 'x'", "missing field");
	expect("1 / 0 > 1 || note == 'x'", "missing zero");
	expect("!(note == 'x' && cnt == 4) && valid", "true");
}

static void asks_whether_something_is_there(void **state) {
	(void)state;
	expect("has(note)", "false");
	expect("has(name)", "true");
	expect("has(usual.mid)", "true");
	expect("has(limits('R1'))", "true");
	expect("has(limits('R9').open_tender)", "false");
	expect("has(note) && note == 'x'", "false");
	expect("default(note, 'none')", "none");
	expect("default(name, 'none')", "R1");
	expect("default(limits('R9').open_tender, 5) == 5", "true");
	expect("default(1 / 0, 7)", "7");
	expect("default(note == 'x', false)", "false");
}

static void calls_what_the_rule_brings(void **state) {
	struct world w;

	(void)state;
	expect("limits(name).open_tender == 500000", "true");
	expect("amount < limits(name).open_tender", "true");
	expect("name in lists.watch", "false");
	expect("'bad' in lists.watch", "true");
	expect("!(name in lists.watch)", "true");
	expect("usual.z(amount)", "180000");
	expect("uncompeted && amount < limits(name).open_tender", "true");
	world_begin(&w);
	w.frame[SLOT_MID] = value_missing(MISSING_YOUNG);
	expect_in(&w, "usual.z(amount) > 1.0", "missing young");
	world_end(&w);
}

static void knows_texts(void **state) {
	(void)state;
	expect("name.startsWith('R') && name.endsWith('1')", "true");
	expect("'采购合同'.contains('合同')", "true");
	expect("size('采购合同')", "4");
	expect("prefix('采购合同', 2)", "采购");
	expect("prefix(name, 9)", "R1");
	expect("name.substring(1)", "1");
	expect("name.matches('^R[0-9]$')", "true");
	expect("name.matches('^R$')", "false");
	expect("name < 'R2' && name >= 'R1' && name != 'R'", "true");
	expect("similar('kitten', 'sitting')", "0.5714285714285714");
	expect("similar('采购一部', '采购二部')", "0.75");
	expect("similar(name, name)", "1");
	expect("'%s: %.2f'.format([name, growth])", "R1: 0.75");
	expect("name + '-' + method", "R1-direct");
}

static void gives_up_on_patterns_that_never_end(void **state) {
	struct world w;
	char text[301];

	(void)state;
	world_begin(&w);
	memset(text, 'a', 300);
	text[299] = '!';
	text[300] = '\0';
	w.frame[SLOT_NAME] = text_value(text);
	expect_in(&w, "name.matches('^(a+)+$')", "missing error");
	world_end(&w);
}

static void will_not_measure_texts_of_any_length(void **state) {
	struct world w;
	char text[258];

	(void)state;
	world_begin(&w);
	memset(text, 'a', 257);
	text[257] = '\0';
	w.frame[SLOT_NAME] = text_value(text);
	expect_in(&w, "similar(name, 'a')", "missing error");
	text[256] = '\0';
	w.frame[SLOT_NAME] = text_value(text);
	expect_in(&w, "similar(name, 'a')", "0.00390625");
	world_end(&w);
}

static void knows_days(void **state) {
	struct world w;

	(void)state;
	expect("date(paid_at) == day", "true");
	expect("day == date('2026-03-05')", "true");
	expect("plus(day, 3)", "2026-03-08");
	expect("plus(day, '5bd')", "2026-03-12");
	expect("plus(day, '-1bd')", "2026-03-04");
	expect("plus(day, '1mo')", "2026-04-05");
	expect("plus(day, '2d') - day", "2");
	expect("day + 1 > day", "true");
	expect("paid_at - duration('1h') < paid_at", "true");
	expect("now - paid_at < duration('2d')", "true");
	expect("duration('1w') == duration('6d24h')", "true");
	expect("month(day) * 10 + quarter(day)", "31");
	expect("fiscal_year(now)", "2026");
	expect("fiscal_quarter(now)", "1");
	expect("is_workday(day)", "true");
	expect("is_workday(plus(day, 2))", "false");
	expect("workdays(day, plus(day, 7))", "5");
	/* March 2026 begins on a Sunday and has 22 business days */
	expect("workday_number(day)", "4");
	expect("workday_progress(now, 'month')", "0.18181818181818182");
	expect("day.getDayOfWeek()", "4");
	/* midnight in Shanghai is yesterday in UTC */
	expect("paid_at.getDate()", "4");
	expect("paid_at.getDate('Asia/Shanghai')", "5");
	expect("paid_at.getHours('+09:30')", "1");

	world_begin(&w);
	w.calendar.fiscal_month = 4;
	expect_in(&w, "fiscal_year(day) * 10 + fiscal_quarter(day)", "20254");
	w.frame[SLOT_DAY] = value_date(20544);
	expect_in(&w, "fiscal_year(day) * 10 + fiscal_quarter(day)", "20261");
	world_end(&w);
}

static void rounds(void **state) {
	(void)state;
	expect("round(2.5)", "3");
	expect("round(-2.5)", "-3");
	expect("round(1.005, 2)", "1");
	expect("round(0.126, 2)", "0.13");
	expect("round(1e300, 2)", "1e+300");
	expect("greatest(1, 3, 2) + least(4, 3)", "6");
	expect("math.floor(-1.2)", "-2");
}

static void goes_through_lists(void **state) {
	(void)state;
	expect("tags.exists(t, t == 'b')", "true");
	expect("tags.all(t, size(t) == 1)", "true");
	expect("tags.filter(t, t != 'a').map(t, t + t)[0]", "bb");
	expect("'a' in tags", "true");
	expect("'z' in tags", "false");
	expect("tags[1]", "b");
	expect("tags[2]", "missing error");
	expect("tags[-1]", "missing error");
	expect("size(tags)", "2");
	expect("[cnt, 4].exists(n, n == 3)", "true");
	expect("{'a': cnt}['a']", "3");
	expect("{'a': cnt}.a == 3", "true");
	expect("has({'a': cnt}.b)", "false");
	expect("dyn(cnt) == 3.0", "true");
}

static void stops_a_comprehension_that_takes_too_long(void **state) {
	struct buf text = { 0 };
	struct world w;

	(void)state;
	world_begin(&w);
	buf_puts(&text, "[cnt");
	for (int i = 0; i < 99; i++)
		buf_printf(&text, ", %d", i);
	buf_puts(&text, "].all(a, [a");
	for (int i = 0; i < 99; i++)
		buf_printf(&text, ", %d", i);
	buf_puts(&text, "].all(b, [b");
	for (int i = 0; i < 99; i++)
		buf_printf(&text, ", %d", i);
	buf_puts(&text, "].all(c, c >= 0)))");
	expect_in(&w, buf_cstr(&text), "missing overflow");
	buf_free(&text);
	world_end(&w);
}

/* Each doubles or copies something, and none may take what it likes. */
static void makes_only_so_much(void **state) {
	static const char *const texts[] = {
		"tags.all(a, tags.all(b, size(name + name) > 0))",
		"[name].map(s, s.replace('', s + s).replace('', s))",
		"[tags + tags].map(t, t + t)[0].map(t, t + t)",
		"name.split('').map(s, name.split(''))[0].join()",
		"'%s%s'.format([name, name]).lowerAscii().reverse()",
	};
	struct world w;
	char text[1000001];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		world_begin(&w);
		w.frame[SLOT_NAME] = text_value(text);
		world_eval(&w, world_compile(&w, texts[i], EXPR_WALK));
		assert_true(w.scratch.total_bytes < 64u << 20);
		world_end(&w);
	}
}

static void evaluates_what_a_person_types(void **state) {
	static const struct {
		const char *text, *given, *shown;
		int r;
	} cases[] = {
		{ "1 + 2", NULL, "3 : int", 0 },
		{ "a + 1", "{\"a\": 2}", "3 : int", 0 },
		{ "a.b[0]", "{\"a\": {\"b\": [1.5]}}", "1.5 : double", 0 },
		{ "{'k': [1, 'x', null]}", NULL, "{'k': [1, 'x', null]} : map",
		  0 },
		{ "2.0 * 3.0", NULL, "6.0 : double", 0 },
		{ "'it''s'.size()", NULL, "", -1 },
		{ "1 / 0", NULL, "missing: zero", 1 },
		{ "timestamp('2026-03-05T08:00:00.5+08:00')", NULL,
		  "2026-03-05T00:00:00.5Z : timestamp", 0 },
		{ "a", "{\"a\": ", "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct diag diag = { 0 };
		struct buf out = { 0 };
		const char *given = cases[i].given;
		int r = expr_eval_text(cases[i].text, strlen(cases[i].text),
				       given, given ? strlen(given) : 0, &out,
				       &diag);

		assert_string_equal(buf_cstr(&out), cases[i].shown);
		assert_int_equal(r < 0 ? -1 : r, cases[i].r);
		assert_int_equal(diag.n_errors > 0, r < 0);
		buf_free(&out);
		diag_free(&diag);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_literal_beside_money_in_major_units),
		cmocka_unit_test(multiplies_money_half_to_even),
		cmocka_unit_test(divides_money_by_money),
		cmocka_unit_test(carries_what_is_missing),
		cmocka_unit_test(lets_the_other_side_decide),
		cmocka_unit_test(asks_whether_something_is_there),
		cmocka_unit_test(calls_what_the_rule_brings),
		cmocka_unit_test(knows_texts),
		cmocka_unit_test(gives_up_on_patterns_that_never_end),
		cmocka_unit_test(will_not_measure_texts_of_any_length),
		cmocka_unit_test(knows_days),
		cmocka_unit_test(rounds),
		cmocka_unit_test(goes_through_lists),
		cmocka_unit_test(stops_a_comprehension_that_takes_too_long),
		cmocka_unit_test(makes_only_so_much),
		cmocka_unit_test(evaluates_what_a_person_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
