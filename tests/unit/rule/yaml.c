#include "rule/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct world {
	struct arena arena;
	struct diag diag;
};

static int setup(void **state) {
	*state = calloc(1, sizeof(struct world));
	return *state ? 0 : -1;
}

static int teardown(void **state) {
	struct world *world = *state;

	arena_free(&world->arena);
	diag_free(&world->diag);
	free(world);
	return 0;
}

static struct yaml_node *parse(struct world *world, const char *text) {
	const struct source *source =
		diag_source_text(&world->diag, "a.yaml", text, strlen(text));
	struct yaml_node *node = NULL;

	yaml_parse(&node, &world->arena, source, &world->diag);
	return node;
}

/* All complaints, one a line, without the quoted lines of the file. */
static void expect(struct world *world, const char *want) {
	CLEANUP(buf_free) struct buf got = { 0 };

	diag_sort(&world->diag);
	for (size_t i = 0; i < world->diag.n; i++) {
		const struct complaint *item = &world->diag.items[i];

		buf_printf(&got, "%u:%u+%u %s %s\n", item->place.line,
			   item->place.column, item->place.width, item->code,
			   item->text);
	}
	assert_string_equal(buf_cstr(&got), want);
}

static void keeps_places_in_code_points(void **state) {
	struct yaml_node *root = parse(*state, "标题: {zh: 支出, en: \"a b\"}\n"
					       "x:\n- 1\n- |\n  two\n");
	struct yaml_node *en = yaml_get(yaml_get(root, "标题"), "en");
	struct yaml_node *x = yaml_get(root, "x");

	expect(*state, "");
	assert_int_equal(en->place.line, 1);
	assert_int_equal(en->place.column, 18);
	assert_int_equal(en->place.width, 5);
	assert_int_equal(en->inside.column, 19);
	assert_int_equal(en->inside.width, 3);
	assert_false(en->plain);
	assert_int_equal(x->kind, YAML_LIST);
	assert_int_equal(x->n, 2);
	assert_string_equal(x->items[1]->text, "two\n");
	assert_int_equal(x->items[1]->inside.line, 5);
	assert_int_equal(x->items[1]->inside.column, 3);
}

static void refuses_a_negation_that_became_a_tag(void **state) {
	parse(*state, "rule: a\nwhere: !(x in y)\nby: [unit]\n");
	expect(*state, "2:8+9 E105 YAML read this as a tag, not as an "
		       "expression; quote it\n");
}

static void refuses_a_tag_that_yaml_itself_cannot_read(void **state) {
	parse(*state, "where: !has(x)[0]\n");
	expect(*state, "1:8+0 E105 YAML read this as a tag, not as an "
		       "expression; quote it\n");
}

static void refuses_a_standard_tag(void **state) {
	parse(*state, "a: !!str 1\n");
	expect(*state, "1:4+7 E105 the tag !!str has no meaning here; leave it "
		       "out\n");
}

static void refuses_an_expression_cut_at_a_comma(void **state) {
	struct yaml_node *root =
		parse(*state, "measure: {b: benford(amount, 1), c: count()}\n");

	expect(*state, "1:14+14 E106 the expression was cut at a comma inside "
		       "{ }; quote it\n");
	assert_int_equal(yaml_get(root, "measure")->n, 2);
}

static void refuses_an_expression_cut_in_a_list(void **state) {
	parse(*state, "a: [ratio(x, y), z]\n");
	expect(*state, "1:5+7 E106 the expression was cut at a comma inside "
		       "[ ]; quote it\n");
}

static void refuses_an_anchor_with_nothing_behind_it(void **state) {
	parse(*state, "where: &q\nby: [unit]\n");
	expect(*state, "1:8+2 E107 YAML read `&q` as an anchor with nothing "
		       "behind it; quote the expression\n");
}

static void refuses_an_alias_of_nothing(void **state) {
	parse(*state, "where: *q\n");
	expect(*state, "1:8+2 E107 YAML read `*q` as an alias, and no anchor "
		       "has that name; quote an expression\n");
}

static void refuses_an_alias_of_what_it_stands_in(void **state) {
	parse(*state, "a: &a [1, *a]\n");
	expect(*state, "1:11+2 E107 the alias `*a` stands inside of what it "
		       "names\n");
}

static void refuses_a_key_given_twice(void **state) {
	parse(*state, "a: 1\nb: 2\na: 3\n");
	expect(*state, "3:1+1 E101 key `a` appears twice (first at line 1)\n");
}

static void refuses_the_key_on(void **state) {
	parse(*state, "on: 1\n'on': 2\nNo: 3\n");
	expect(*state,
	       "1:1+2 E108 YAML 1.1 tools read the key `on` as true; call it "
	       "otherwise\n"
	       "2:1+4 E101 key `on` appears twice (first at line 1)\n"
	       "3:1+2 E108 YAML 1.1 tools read the key `No` as false; call it "
	       "otherwise\n");
}

static void collects_all_complaints_of_a_file(void **state) {
	parse(*state, "a: !x y\nb: &q\na: 1\nc: {d: f(1, 2)}\n");
	assert_int_equal(((struct world *)*state)->diag.n_errors, 4);
}

static void says_where_yaml_is_broken(void **state) {
	parse(*state, "a: b ? c : d\n");
	expect(*state, "1:10+0 E102 YAML takes this colon for the end of a "
		       "key; quote the text it stands in\n");
}

static void says_where_bytes_are_broken(void **state) {
	parse(*state, "a: 1\nbb: \xff\n");
	expect(*state, "2:5+0 E102 not YAML: invalid leading UTF-8 octet\n");
}

static void refuses_a_second_document(void **state) {
	parse(*state, "a: 1\n---\nb: 2\n");
	expect(*state, "2:1+0 E104 a file holds one document; this is a second "
		       "one\n");
}

static void refuses_deep_nesting(void **state) {
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_repeat(&text, '[', 70);
	parse(*state, buf_cstr(&text));
	expect(*state, "1:65+1 E109 nested more than 64 deep\n");
}

static void reads_what_is_as_deep_as_allowed(void **state) {
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_repeat(&text, '[', 64);
	buf_repeat(&text, ']', 64);
	assert_non_null(parse(*state, buf_cstr(&text)));
	expect(*state, "");
}

static void refuses_a_bomb_of_aliases(void **state) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct world *world = *state;

	buf_puts(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 12; i++) {
		buf_printf(&text, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_printf(&text, "%s*a%d", k ? ", " : "", i - 1);
		buf_puts(&text, "]\n");
	}
	parse(world, buf_cstr(&text));
	assert_int_equal(world->diag.n, 1);
	assert_string_equal(
		world->diag.items[0].text,
		"more than 1000000 nodes with all aliases written out");
}

static void merges_what_an_anchor_named(void **state) {
	struct yaml_node *root =
		parse(*state, "x-base: &b {owner: a, status: live}\n"
			      "r: {<<: *b, owner: c}\n");
	struct yaml_node *r = yaml_get(root, "r");

	expect(*state, "");
	assert_int_equal(r->n, 2);
	assert_string_equal(yaml_get(r, "owner")->text, "c");
	assert_string_equal(yaml_get(r, "status")->text, "live");
}

static void writes_what_reads_back_the_same(void **state) {
	static const char text[] = "a: 1\n"
				   "b:\n"
				   "  -\n"
				   "    c: \"x: y\"\n"
				   "    d: []\n"
				   "  - ~\n"
				   "\"- e\": \"\"\n";
	CLEANUP(buf_free) struct buf out = { 0 };
	struct yaml_node *root = parse(*state, text);

	expect(*state, "");
	yaml_write(&out, root, 0);
	assert_string_equal(buf_cstr(&out), text);
}

static void reads_an_empty_file_as_nothing(void **state) {
	assert_null(parse(*state, "# only a comment\n"));
	expect(*state, "");
}

static void survives_bytes_cut_off_anywhere(void **state) {
	static const char text[] = "a: &x [1, \"b\\u4e2d\", {c: d}]\n"
				   "e: *x\nf: |\n  g\n'h': !(i) j\n";
	struct world *world = *state;

	for (size_t len = 0; len < sizeof(text); len++) {
		struct yaml_node *node;
		const struct source *source =
			diag_source_text(&world->diag, "a", text, len);

		yaml_parse(&node, &world->arena, source, &world->diag);
	}
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(keeps_places_in_code_points),
		TEST(refuses_a_negation_that_became_a_tag),
		TEST(refuses_a_tag_that_yaml_itself_cannot_read),
		TEST(refuses_a_standard_tag),
		TEST(refuses_an_expression_cut_at_a_comma),
		TEST(refuses_an_expression_cut_in_a_list),
		TEST(refuses_an_anchor_with_nothing_behind_it),
		TEST(refuses_an_alias_of_nothing),
		TEST(refuses_an_alias_of_what_it_stands_in),
		TEST(refuses_a_key_given_twice),
		TEST(refuses_the_key_on),
		TEST(collects_all_complaints_of_a_file),
		TEST(says_where_yaml_is_broken),
		TEST(says_where_bytes_are_broken),
		TEST(refuses_a_second_document),
		TEST(refuses_deep_nesting),
		TEST(reads_what_is_as_deep_as_allowed),
		TEST(refuses_a_bomb_of_aliases),
		TEST(merges_what_an_anchor_named),
		TEST(writes_what_reads_back_the_same),
		TEST(reads_an_empty_file_as_nothing),
		TEST(survives_bytes_cut_off_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
