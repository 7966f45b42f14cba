#include "expr/world.h"

static size_t clauses_of(struct world *w, const char *text,
			 struct expr_clause **ret) {
	size_t n;

	assert_int_equal(expr_clauses(ret, &n, &w->arena, world_tree(w, text),
				      &w->env, &w->diag),
			 0);
	return n;
}

static void names_value_and_threshold_of_each_leaf(void **state) {
	struct expr_clause *c;
	struct value value;
	struct world w;

	(void)state;
	world_begin(&w);
	assert_int_equal(clauses_of(&w,
				    "amount >= 500000 && (cnt > 2 || "
				    "!(name == 'x')) && valid",
				    &c),
			 4);
	assert_string_equal(c[0].text, "amount >= 500000");
	assert_string_equal(c[0].operator, ">=");
	assert_true(c[0].conjunct);
	assert_int_equal(world_eval(&w, c[0].left).i, 48000000);
	assert_true(expr_constant(c[0].right, &value));
	assert_int_equal(value.kind, KIND_MONEY);
	assert_int_equal(value.i, 50000000);
	assert_int_equal(world_eval(&w, c[0].test).i, 0);

	assert_string_equal(c[1].text, "cnt > 2");
	assert_false(c[1].conjunct);
	assert_string_equal(c[2].text, "!(name == 'x')");
	assert_null(c[2].left);
	assert_null(c[2].operator);
	assert_true(c[3].conjunct);
	world_end(&w);
}

static void looks_into_macros_but_not_into_lets(void **state) {
	struct expr_clause *c;
	struct world w;

	(void)state;
	world_begin(&w);
	assert_int_equal(
		clauses_of(&w, "uncompeted && twice > amount && big", &c), 4);
	assert_string_equal(c[0].text, "method in ['single_source', 'direct']");
	assert_string_equal(c[1].text, "twice > amount");
	assert_string_equal(expr_text(c[1].left), "amount * 2");
	assert_string_equal(c[2].text, "amount > wan(50)");
	assert_false(c[2].conjunct);
	world_end(&w);
}

static void finds_the_constants_that_an_index_is_made_of(void **state) {
	struct expr_clause *c;
	struct world w;

	(void)state;
	world_begin(&w);
	assert_int_equal(clauses_of(&w,
				    "uncompeted && name == 'R1' && 7 == cnt "
				    "&& !valid && amount > 1 && cnt in [1, "
				    "2, 3] && name in lists.watch",
				    &c),
			 7);
	assert_int_equal(c[0].slot, SLOT_METHOD);
	assert_int_equal(c[0].n_constants, 2);
	assert_memory_equal(c[0].constants[1].s, "direct", 6);
	assert_int_equal(c[1].slot, SLOT_NAME);
	assert_int_equal(c[1].n_constants, 1);
	assert_int_equal(c[2].slot, SLOT_CNT);
	assert_int_equal(c[2].constants[0].i, 7);
	assert_int_equal(c[3].slot, SLOT_VALID);
	assert_int_equal(c[3].constants[0].i, 0);
	assert_int_equal(c[4].n_constants, 0);
	assert_int_equal(c[5].n_constants, 3);
	assert_int_equal(c[6].n_constants, 0);
	assert_string_equal(c[6].operator, "in");
	assert_null(c[6].right);
	world_end(&w);
}

static void takes_a_constant_condition_as_one_clause(void **state) {
	struct expr_clause *c;
	struct value value;
	struct world w;

	(void)state;
	world_begin(&w);
	assert_int_equal(clauses_of(&w, "true", &c), 1);
	assert_true(expr_constant(c[0].test, &value));
	assert_true(value_is_true(value));
	world_end(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_value_and_threshold_of_each_leaf),
		cmocka_unit_test(looks_into_macros_but_not_into_lets),
		cmocka_unit_test(finds_the_constants_that_an_index_is_made_of),
		cmocka_unit_test(takes_a_constant_condition_as_one_clause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
