#include "expr/world.h"

#include "base/text.h"

/* The complaints of @text, one a line: "column code: sentence". */
static void expect(const char *text, const char *complaints) {
	struct world w;
	struct buf out = { 0 };

	world_begin(&w);
	world_compile(&w, text, 0);
	for (size_t i = 0; i < w.diag.n; i++)
		buf_printf(&out, "%u+%u %s: %s\n", w.diag.items[i].place.column,
			   w.diag.items[i].place.width, w.diag.items[i].code,
			   w.diag.items[i].text);
	if (strcmp(buf_cstr(&out), complaints) != 0)
		print_error("of: %s\n", text);
	assert_string_equal(buf_cstr(&out), complaints);
	buf_free(&out);
	world_end(&w);
}

static void suggests_the_name_that_was_meant(void **state) {
	(void)state;
	expect("uncompeted && ammount < 5",
	       "15+7 E203: stream `orders` has no field `ammount` (did you "
	       "mean `amount`?)\n");
	expect("zzzzzz == 1",
	       "1+6 E203: stream `orders` has no field `zzzzzz`\n");
	expect("name.startWith('a')",
	       "6+9 E204: there is no function `startWith` (did you mean "
	       "`startsWith`?)\n");
	expect("limts(name).open_tender > 1",
	       "1+5 E204: there is no function `limts` (did you mean "
	       "`limits`?)\n");
	expect("method == 'dirct'",
	       "11+7 E208: 'dirct' is not one of enum[open, direct, "
	       "single_source] (did you mean 'direct'?)\n");
	expect("method in ['open', 'x']",
	       "20+3 E208: 'x' is not one of enum[open, direct, "
	       "single_source]\n");
}

static void prints_the_place_with_a_caret(void **state) {
	struct world w;
	struct buf out = { 0 };

	(void)state;
	world_begin(&w);
	assert_null(world_compile(&w, "name == '采购' && ammount < 5", 0));
	diag_print(&w.diag, &out, false);
	assert_string_equal(
		buf_cstr(&out),
		"r.yaml:1:17: error E203: stream `orders` has no field "
		"`ammount` (did you mean `amount`?)\n"
		"    1 | name == '采购' && ammount < 5\n"
		"      |                   ^~~~~~~\n");
	buf_free(&out);
	world_end(&w);
}

static void says_all_that_is_wrong_at_once(void **state) {
	(void)state;
	expect("foo > 1 && bar(2) || !cnt",
	       "1+3 E203: stream `orders` has no field `foo`\n"
	       "12+3 E204: there is no function `bar`\n"
	       "22+1 E206: `!` turns a condition around, this is int\n");
}

static void complains_of_a_macro_once_and_in_its_place(void **state) {
	(void)state;
	expect("wrong > amount || wrong < amount",
	       "8+1 E206: `+` between money(CNY) and string\n");
	expect("circle > 1",
	       "1+6 E210: `circle` stands for itself, or names are nested more "
	       "than 32 deep\n");
}

static void keeps_types_apart(void **state) {
	(void)state;
	expect("cnt + growth", "5+1 E206: `+` between int and double: write "
			       "2.0 for 2, or double(x)\n");
	expect("growth * 2", "8+1 E206: `*` between double and int: write "
			     "2.0 for 2, or double(x)\n");
	expect("cnt == name", "5+2 E206: `==` between int and string\n");
	expect("name == null", "6+2 E206: `==` between string and null: what "
			       "is absent is asked for with has(x)\n");
	expect("day < paid_at", "5+1 E206: `<` between date and timestamp: "
				"date(t) is the day of a timestamp\n");
	expect("cnt && valid", "1+3 E206: `&&` asks for a condition, this is "
			       "int\n");
	expect("valid ? cnt : name", "7+1 E206: `?:` gives int in one case "
				     "and string in the other\n");
	expect("cnt.x", "5+1 E206: int has no parts, so no `x`\n");
	expect("name.startsWith(1)", "6+10 E205: `startsWith` takes (string, "
				     "string), not (string, int)\n");
	expect("cnt in ['a']", "5+2 E206: `in` between int and "
			       "list(string)\n");
	expect("tags.map(t, t + 1)", "15+1 E206: `+` between string and "
				     "int\n");
	expect("cnt > 2.5", "");
	expect("growth > 2", "");
}

static void keeps_money_from_bare_numbers(void **state) {
	(void)state;
	expect("amount > growth", "8+1 E207: `>` between money(CNY) and "
				  "double: write num(…) for the amount in "
				  "major units, or ratio(a, b)\n");
	expect("amount + cnt", "8+1 E207: `+` between money(CNY) and int: "
			       "write num(…) for the amount in major units, "
			       "or ratio(a, b)\n");
	expect("amount / 2", "8+1 E207: `/` between money(CNY) and int: "
			     "multiply by the inverse, or write num(…) for "
			     "the amount in major units, or ratio(a, b)\n");
	expect("amount > dollars", "8+1 E207: `>` between two currencies, "
				   "money(CNY) and money(USD)\n");
	expect("ratio(amount, cnt)",
	       "1+5 E207: a ratio of money(CNY) and int has no meaning\n");
	expect("amount >= 0.001 && yen > 10.5",
	       "11+5 E207: 0.001 is not a whole number of minor units: CNY "
	       "has 2 decimals\n"
	       "26+4 E207: 10.5 is not a whole number of minor units: JPY has "
	       "0 decimals\n");
	expect("amount > 1e30",
	       "10+4 E207: 1e30 is too large for money(CNY)\n");
	expect("greatest(amount, dollars)",
	       "1+8 E207: money(CNY) and money(USD) are different "
	       "currencies\n");
	expect("amount > params.fine",
	       "1+5 E207: 0.001 is not a whole number of minor units: CNY has "
	       "2 decimals\n");
}

static void refuses_constants_that_cannot_be_right(void **state) {
	(void)state;
	expect("name.matches('(a')",
	       "14+4 E211: this is not a regular expression: missing closing "
	       "parenthesis\n");
	expect("paid_at < timestamp('gestern')",
	       "11+20 E211: `timestamp` fails on this constant\n");
	expect("plus(day, '5q') > day",
	       "11+4 E211: `5q` is not a span of time; 5bd, 30d, 3mo are\n");
	expect("workday_progress(now, 'decade') > 0.5",
	       "23+8 E211: `decade` is not a period; week, month, quarter, "
	       "year, fiscal_quarter and fiscal_year are\n");
	expect("paid_at.getHours('Mars/Base') > 3",
	       "18+11 E211: there is no time zone `Mars/Base`\n");
}

static void asks_for_a_calendar_where_one_is_needed(void **state) {
	struct world w;

	(void)state;
	world_begin(&w);
	w.env.calendar = NULL;
	assert_null(world_compile(&w, "is_workday(day)", 0));
	assert_string_equal(w.diag.items[0].code, "E212");
	assert_non_null(world_compile(&w, "month(day) == 3", 0));
	world_end(&w);
}

static void gives_what_was_asked_for(void **state) {
	static const struct type condition = { .kind = KIND_BOOL };
	struct type money = world_money("CNY");
	struct world w;
	struct expr *expr;
	struct value value;

	(void)state;
	world_begin(&w);
	assert_true(expr_compile(&expr, &w.arena, world_tree(&w, "cnt + 1"),
				 &w.env, &condition, &w.diag) < 0);
	assert_string_equal(w.diag.items[0].text,
			    "this is int, and bool is asked for");
	assert_string_equal(w.diag.items[0].code, "E209");
	assert_int_equal(expr_compile(&expr, &w.arena, world_tree(&w, "200000"),
				      &w.env, &money, &w.diag),
			 0);
	assert_true(expr_constant(expr, &value));
	assert_int_equal(value.kind, KIND_MONEY);
	assert_int_equal(value.i, 20000000);
	world_end(&w);
}

static void warns_of_what_surprises(void **state) {
	(void)state;
	expect("growth > 1.0 || cnt > 1/2",
	       "23+3 W601: 1/2 of whole numbers is 0; write 1.0/2.0\n");
	expect("ratio(cnt, 3) > 0.5 || true",
	       "24+4 W602: this decides alone: `||` swallows the other side, "
	       "errors included\n");
	expect("name.matches('x')",
	       "6+7 W603: matches() finds the pattern anywhere; begin it with "
	       "^ and end it with $ if the whole is meant\n");
	expect("name.matches('^x$')", "");
	expect("amount > 0.5",
	       "10+3 W604: money(CNY) is compared with 0.5 CNY; a share is "
	       "ratio(a, b)\n");
	expect("note == 'x'", "1+4 W605: `note` may be absent, and the whole "
			      "is missing then; ask has(note) or give a "
			      "default()\n");
	expect("has(note) && note == 'x'", "");
	expect("default(note, '') == 'x'", "");
	expect("note", "");
	expect("usual.mid > amount", "");
}

static void knows_what_an_expression_depends_on(void **state) {
	static const uint16_t read[] = { SLOT_AMOUNT, SLOT_CNT, SLOT_NAME,
					 SLOT_MID };
	const uint16_t *slots;
	struct expr *expr;
	struct world w;
	size_t n;

	(void)state;
	world_begin(&w);
	expr = world_compile(
		&w,
		"usual.z(amount) > 3.5 && cnt > 2 && limits(name).open_tender "
		"> amount",
		0);
	slots = expr_slots(expr, &n);
	assert_int_equal(n, ARRAY_SIZE(read));
	assert_memory_equal(slots, read, sizeof(read));
	assert_int_equal(expr_deps(expr),
			 DEP_EVENT | DEP_MEASURE | DEP_BASELINE | DEP_TABLE);
	assert_false(expr_is_dynamic(expr));
	assert_true(expr_is_dynamic(
		world_compile(&w, "tags.exists(t, t == name)", 0)));
	assert_true(
		expr_is_dynamic(world_compile(&w, "name + 'x' == 'R1x'", 0)));
	assert_false(expr_is_dynamic(world_compile(&w, "name in tags", 0)));
	world_end(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suggests_the_name_that_was_meant),
		cmocka_unit_test(prints_the_place_with_a_caret),
		cmocka_unit_test(says_all_that_is_wrong_at_once),
		cmocka_unit_test(complains_of_a_macro_once_and_in_its_place),
		cmocka_unit_test(keeps_types_apart),
		cmocka_unit_test(keeps_money_from_bare_numbers),
		cmocka_unit_test(refuses_constants_that_cannot_be_right),
		cmocka_unit_test(asks_for_a_calendar_where_one_is_needed),
		cmocka_unit_test(gives_what_was_asked_for),
		cmocka_unit_test(warns_of_what_surprises),
		cmocka_unit_test(knows_what_an_expression_depends_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
