/*
 * Tables and lists: which row is found, and what is wrong with a file.
 */
#include "world.h"

#include "rule/table.h"

#include <errno.h>

#define TABLES                                                                 \
	"tables:\n"                                                            \
	"  limits:\n"                                                          \
	"    file: limits.csv\n"                                               \
	"    key: [region prefix, category prefix]\n"                          \
	"    valid: [from, to]\n"                                              \
	"    fields: {open: money(CNY), basis: string, to2: list(int)}\n"

static const struct table_data *tables(struct world *world, const char *csv) {
	put_file(world, "a.yaml", STREAMS TABLES);
	put_file(world, "limits.csv", csv);
	load_with(world, NULL);
	return world->set ? world->set->tables[0]->index : NULL;
}

static int64_t find(const struct table_data *table, const char *region,
		    const char *category, const char *day) {
	struct value keys[] = {
		value_string(region, (uint32_t)strlen(region)),
		value_string(category, (uint32_t)strlen(category)),
	};
	const struct table_row *row;
	int64_t days;

	assert_int_equal(date_parse(&days, day, strlen(day)), 0);
	row = table_find(table, keys, days);
	return row ? row->cells[0].i : -1;
}

static const char rows[] = "# limits by region\n"
			   "region,category,from,to,open,basis,to2\n"
			   "*,A,2020-01-01,,100,\"a, \"\"b\"\"\",1|2\n"
			   "99,*,2020-01-01,,200,x,\n"
			   "9901,A,2020-01-01,2025-06-30,300,x,3\n"
			   "9901,A,2025-07-01,,400,x,3\n"
			   "\n"
			   "9901,A1,2025-07-01,2025-07-31,500.50,x,3\n";

static void takes_the_longest_row_left_column_first(void **state) {
	const struct table_data *table = tables(*state, rows);

	assert_non_null(table);
	assert_int_equal(find(table, "11", "A07", "2026-01-01"), 10000);
	assert_int_equal(find(table, "9902", "A07", "2026-01-01"), 20000);
	assert_int_equal(find(table, "990102", "A07", "2026-01-01"), 40000);
	assert_int_equal(find(table, "9901", "B", "2026-01-01"), 20000);
	assert_int_equal(find(table, "11", "B", "2026-01-01"), -1);
	assert_int_equal(find(table, "", "", "2026-01-01"), -1);
}

static void looks_no_further_than_the_longest_row(void **state) {
	const struct table_data *table = tables(*state, rows);
	static char region[1 << 20];

	memset(region, '0', sizeof(region) - 1);
	memcpy(region, "9901", 4);
	assert_int_equal(find(table, region, "A07", "2026-01-01"), 40000);
	assert_int_equal(table->longest[0], 4);
	assert_int_equal(table->longest[1], 2);
}

static void both_ends_of_a_validity_are_inclusive(void **state) {
	const struct table_data *table = tables(*state, rows);

	assert_int_equal(find(table, "9901", "A", "2025-06-30"), 30000);
	assert_int_equal(find(table, "9901", "A", "2025-07-01"), 40000);
	assert_int_equal(find(table, "9901", "A1", "2025-07-31"), 50050);
	assert_int_equal(find(table, "9901", "A1", "2025-08-01"), 40000);
	assert_int_equal(find(table, "9901", "A", "2019-12-31"), -1);
}

static void reads_quoted_cells_and_lists(void **state) {
	const struct table_data *table = tables(*state, rows);
	struct value keys[] = { value_string("1", 1), value_string("A", 1) };
	const struct table_row *row = table_find(table, keys, 20000);

	assert_non_null(row);
	assert_int_equal(row->cells[1].len, 6);
	assert_memory_equal(row->cells[1].s, "a, \"b\"", 6);
	assert_int_equal(row->cells[2].len, 2);
	assert_int_equal(row->cells[2].list[1].i, 2);
}

static void says_which_lines_overlap(void **state) {
	tables(*state, "region,category,from,to,open,basis,to2\n"
		       "1,A,2020-01-01,2020-12-31,1,x,\n"
		       "1,B,2020-01-01,,1,x,\n"
		       "1,A,2020-12-31,,1,x,\n");
	expect(*state, "limits.csv:4:0+0 E415 overlaps line 2: the same key, "
		       "and both valid on 2020-12-31\n");
}

/* A long validity reaches beyond the row behind it. */
static void says_so_of_rows_that_are_no_neighbours(void **state) {
	tables(*state, "region,category,from,to,open,basis,to2\n"
		       "1,A,2020-01-01,2024-12-31,1,x,\n"
		       "1,A,2020-02-01,2020-02-29,2,x,\n"
		       "1,A,2021-01-01,2021-12-31,3,x,\n"
		       "1,A,2025-01-01,,4,x,\n"
		       "1,B,2020-01-01,,5,x,\n");
	expect(*state, "limits.csv:3:0+0 E415 overlaps line 2: the same key, "
		       "and both valid on 2020-02-01\n"
		       "limits.csv:4:0+0 E415 overlaps line 2: the same key, "
		       "and both valid on 2021-01-01\n");
}

static void says_what_is_wrong_with_a_cell(void **state) {
	tables(*state, "region,category,from,to,open,basis,to2\n"
		       "1,A,2020-01-01,,1.005,x,\n"
		       "1,B,2020-13-01,,1,x,\n"
		       "1,C,2020-01-01,,1,x\n"
		       "1,D,2020-01-02,2020-01-01,1,x,\n"
		       "1,E,,,1,\"x,\n");
	expect(*state,
	       "limits.csv:2:17+5 E414 `1.005` in column `open` is not "
	       "money(CNY)\n"
	       "limits.csv:3:5+10 E414 `2020-13-01` in column `from` is not "
	       "date\n"
	       "limits.csv:4:0+0 E413 6 columns, the header has 7\n"
	       "limits.csv:5:16+10 E415 the row ends before it begins\n"
	       "limits.csv:6:9+0 E417 the quote that opens here is not "
	       "closed\n");
}

static void says_which_column_is_not_there(void **state) {
	tables(*state, "region,category,from,open,basis,to2\n");
	expect(*state, "limits.csv:1:1+6 E412 the table lacks a column `to`\n");
}

static void survives_an_empty_file(void **state) {
	tables(*state, "# nothing\n");
	expect(*state, "limits.csv:0:0+0 E412 the table has no header line\n");
}

static const char using[] =
	"apiversion: 1\npackage: p\n"
	"lists: {watch: {file: watch.txt}, inline: [U1, U2]}\n"
	"rules:\n"
	"- rule: r\n"
	"  from: payments\n"
	"  where: unit in lists.watch || unit in lists.inline\n"
	"  let: {open: \"limits(unit, payee).open\"}\n"
	"  alert_if: amount > open && has(limits(unit, payee))\n";

static void load_using(struct world *world,
		       const struct ruleset_options *options) {
	put_file(world, "a.yaml", STREAMS TABLES);
	put_file(world, "limits.csv", rows);
	put_file(world, "watch.txt", "# watched\n U7 \r\n\nU8\nU7\n");
	put_file(world, "r.yaml", using);
	if (load_with(world, options) < 0)
		expect(world, "");
}

static struct value field_of(const struct stream *stream, struct value *slots,
			     const char *name, const char *text) {
	struct value value = value_string(text, (uint32_t)strlen(text));

	slots[stream_field(stream, name)->slot] = value;
	return value;
}

static void a_rule_knows_its_tables_and_lists(void **state) {
	struct world *world = *state;
	const struct expr *where;
	const struct stream *stream;
	struct value slots[16] = { 0 };
	struct expr_context context = { 0 };

	load_using(world, NULL);
	assert_int_equal(rule(world, "r")->n_tables, 1);
	assert_int_equal(rule(world, "r")->n_lists, 2);
	assert_int_equal(rule(world, "r")->lists[0]->n_items, 2);
	where = rule(world, "r")->plan->inputs[0].where;
	stream = ruleset_stream(world->set, "payments");
	field_of(stream, slots, "unit", "U7");
	assert_true(value_is_true(expr_eval(where, slots, &context)));
	field_of(stream, slots, "unit", "U2");
	assert_true(value_is_true(expr_eval(where, slots, &context)));
	field_of(stream, slots, "unit", "U3");
	assert_false(value_is_true(expr_eval(where, slots, &context)));
}

/* The slot of a name of the judging frame. */
static size_t slot_of(const struct rule *r, const char *name) {
	for (size_t i = 0; i < r->n_slots; i++)
		if (!strcmp(r->binds[i].name, name))
			return i;
	fail_msg("no slot %s", name);
	abort();
}

static void warns_of_what_stands_twice_in_a_list(void **state) {
	struct world *world = *state;

	put_file(world, "a.yaml", STREAMS TABLES);
	put_file(world, "limits.csv", rows);
	put_file(world, "b.yaml", using);
	put_file(world, "watch.txt", "U2\n# U2\nU1\n  U2 \nU2\n\n");
	put_file(world, "c.yaml",
		 "apiversion: 1\npackage: p\n"
		 "lists: {three: [a, b, a]}\n"
		 "rules: [{rule: s, from: payments, alert_if: unit in "
		 "lists.three}]\n");
	assert_int_equal(load_with(world, NULL), 0);
	expect(world, "c.yaml:3:23+1 W626 `a` is in the list already (line "
		      "3)\n"
		      "watch.txt:4:1+2 W626 `U2` is in the list already (line "
		      "1)\n"
		      "watch.txt:5:1+2 W626 `U2` is in the list already (line "
		      "1)\n");
	assert_int_equal(rule(world, "s")->lists[0]->n_items, 2);
}

static void an_old_event_meets_the_old_row(void **state) {
	struct world *world = *state;
	struct value frame[16] = { 0 };
	struct expr_context context = { 0 };
	const struct rule *r;
	const struct expr *open;
	int64_t day;

	load_using(world, NULL);
	r = rule(world, "r");
	open = r->binds[slot_of(r, "open")].let;
	frame[slot_of(r, "unit")] = value_string("9901", 4);
	frame[slot_of(r, "payee")] = value_string("A", 1);
	assert_int_equal(date_parse(&day, "2025-06-30", 10), 0);
	/* 15:59 UTC is still the 30th of June in Shanghai, 16:00 July. */
	context.event_time = day * USEC_PER_DAY + 16 * USEC_PER_HOUR - 1;
	context.now = context.event_time + 100 * USEC_PER_DAY;
	assert_int_equal(expr_eval(open, frame, &context).i, 30000);
	context.event_time++;
	assert_int_equal(expr_eval(open, frame, &context).i, 40000);
	frame[slot_of(r, "payee")] = value_string("B", 1);
	frame[slot_of(r, "unit")] = value_string("1", 1);
	assert_int_equal(expr_eval(open, frame, &context).reason, MISSING_ROW);
}

/* S8.13 */
static void looks_into_another_text_from_now_on(void **state) {
	struct world *world = *state;
	static const char text[] = "category,region,from,to,open,basis,to2\n"
				   "A,990107,2020-01-01,,7,y,4\n"
				   "A,9901,2020-01-01,,8,y,5\n";
	const struct table_data *table = tables(world, rows);
	struct content *content = ruleset_content(world->set, "p/limits");
	uint8_t before[16], set[32];

	assert_non_null(content);
	assert_memory_equal(content->sha256, content->loaded, 32);
	memcpy(before, world->set->tables[0]->hash, sizeof(before));
	memcpy(set, world->set->hash, sizeof(set));
	for (int i = 0; i < 2; i++)
		assert_int_equal(content_refresh(content, text,
						 sizeof(text) - 1,
						 &world->diag),
				 0);
	assert_int_equal(find(table, "990107", "A1", "2026-01-01"), 700);
	assert_int_equal(find(table, "9901", "A1", "2026-01-01"), 800);
	assert_int_equal(find(table, "11", "A1", "2026-01-01"), -1);
	assert_int_equal(world->set->tables[0]->n_rows, 2);
	assert_memory_not_equal(content->sha256, content->loaded, 32);
	assert_memory_not_equal(before, world->set->tables[0]->hash,
				sizeof(before));
	/* As if it had been there at the load. */
	put_file(world, "limits.csv", text);
	load_with(world, NULL);
	assert_memory_equal(set, world->set->hash, sizeof(set));
}

static void keeps_a_table_that_another_text_does_not_fit(void **state) {
	struct world *world = *state;
	static const char *const texts[] = {
		"",
		"region,category,from,to,open,basis\n",
		"region,category,from,to,open,basis,to2\n9,A,,,much,x,\n",
		"region,category,from,to,open,basis,to2\n"
		"9,A,,,1,x,\n9,A,,,2,x,\n",
	};
	const struct table_data *table = tables(world, rows);
	struct content *content = ruleset_content(world->set, "p/limits");

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t errors = world->diag.n_errors;

		assert_int_equal(content_refresh(content, texts[i],
						 strlen(texts[i]),
						 &world->diag),
				 -EINVAL);
		assert_true(world->diag.n_errors > errors);
		assert_int_equal(find(table, "9901", "A", "2026-01-01"), 40000);
		assert_memory_equal(content->sha256, content->loaded, 32);
	}
}

static void a_list_takes_another_text(void **state) {
	struct world *world = *state;
	struct content *content;
	const struct list *list;

	put_file(world, "a.yaml",
		 "apiversion: 1\npackage: p\n"
		 "lists: {barred: {file: barred.txt}, own: [a]}\n");
	put_file(world, "barred.txt", "b\na\n");
	load_with(world, NULL);
	assert_int_equal(world->set->n_contents, 1);
	content = ruleset_content(world->set, "p/lists.barred");
	assert_non_null(content);
	list = content->list;
	assert_true(list_contains(list, value_string("a", 1)));
	assert_int_equal(content_refresh(content, "c\nd\n", 4, &world->diag),
			 0);
	assert_false(list_contains(list, value_string("a", 1)));
	assert_true(list_contains(list, value_string("d", 1)));
	assert_int_equal(list->n_items, 2);
	assert_int_equal(content_refresh(content, "", 0, &world->diag), 0);
	assert_false(list_contains(list, value_string("d", 1)));
	assert_int_equal(list->n_items, 0);
}

static void a_test_replaces_the_rows_of_a_table(void **state) {
	struct world *world = *state;
	struct arena arena = { 0 };
	struct yaml_node *node = NULL;
	static const char text[] = "- {region: 99, category: A, open: 7.5}\n"
				   "- {region: 1, category: '*'}\n";
	struct table_rows replaced = { "p", "limits", NULL };
	struct ruleset_options options = { .rows = &replaced, .n_rows = 1 };
	const struct table_data *table;
	struct value keys[] = { value_string("1", 1), value_string("Z", 1) };
	uint8_t before[16];
	const struct table_row *row;

	load_using(world, NULL);
	memcpy(before, world->set->tables[0]->hash, sizeof(before));
	yaml_parse(&node, &arena,
		   diag_source_text(&world->diag, "t", text, sizeof(text) - 1),
		   &world->diag);
	replaced.rows = node;
	assert_int_equal(load_with(world, &options), 0);
	table = world->set->tables[0]->index;
	assert_int_equal(find(table, "9901", "A1", "2001-01-01"), 750);
	row = table_find(table, keys, 0);
	assert_non_null(row);
	assert_int_equal(row->cells[0].reason, MISSING_FIELD);
	assert_memory_not_equal(before, world->set->tables[0]->hash,
				sizeof(before));
	arena_free(&arena);
	/* What it says outlives the node it came from. */
	assert_int_equal(find(table, "9901", "A1", "2001-01-01"), 750);
	keys[0] = value_string("99", 2);
	keys[1] = value_string("A", 1);
	row = table_find(table, keys, 0);
	assert_non_null(row);
	assert_memory_equal(row->keys[0].s, "99", 2);
}

static void says_that_a_test_replaces_no_table(void **state) {
	struct world *world = *state;
	struct arena arena = { 0 };
	struct yaml_node *node = NULL;
	struct table_rows replaced = { "p", "limit", NULL };
	struct ruleset_options options = { .rows = &replaced, .n_rows = 1 };

	yaml_parse(&node, &arena,
		   diag_source_text(&world->diag, "t.yaml", "[]", 2),
		   &world->diag);
	replaced.rows = node;
	put_file(world, "a.yaml", STREAMS TABLES);
	put_file(world, "limits.csv", rows);
	load_with(world, &options);
	expect(world, ":1:1+1 E203 there is no table `limit` (did you mean "
		      "`limits`?)\n");
	arena_free(&arena);
}

static void says_that_a_stream_fills_the_table(void **state) {
	struct world *world = *state;
	struct arena arena = { 0 };
	struct yaml_node *node = NULL;
	struct table_rows replaced = { "p", "parties", NULL };
	struct ruleset_options options = { .rows = &replaced, .n_rows = 1 };

	yaml_parse(&node, &arena,
		   diag_source_text(&world->diag, "t.yaml", "[]", 2),
		   &world->diag);
	replaced.rows = node;
	put_file(world, "a.yaml",
		 STREAMS "tables: {parties: {stream: payments, key: payee}}\n");
	load_with(world, &options);
	expect(world, ":1:1+1 E305 table `parties` is filled by a stream: give "
		      "events of that\n");
	arena_free(&arena);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(takes_the_longest_row_left_column_first),
		TEST(looks_no_further_than_the_longest_row),
		TEST(both_ends_of_a_validity_are_inclusive),
		TEST(reads_quoted_cells_and_lists),
		TEST(says_which_lines_overlap),
		TEST(says_so_of_rows_that_are_no_neighbours),
		TEST(says_what_is_wrong_with_a_cell),
		TEST(says_which_column_is_not_there),
		TEST(survives_an_empty_file),
		TEST(a_rule_knows_its_tables_and_lists),
		TEST(warns_of_what_stands_twice_in_a_list),
		TEST(an_old_event_meets_the_old_row),
		TEST(looks_into_another_text_from_now_on),
		TEST(keeps_a_table_that_another_text_does_not_fit),
		TEST(a_list_takes_another_text),
		TEST(a_test_replaces_the_rows_of_a_table),
		TEST(says_that_a_test_replaces_no_table),
		TEST(says_that_a_stream_fills_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
