/*
 * Rules that nobody would write: cut off, damaged, nested, enormous. The
 * loader complains and lives; what that is, tests/unit/rule/complaints.c says.
 */
#include "world.h"

#include "base/hash.h"
#include "rule/yaml.h"

static const char rules[] =
	"apiversion: 1\n"
	"package: p\n"
	"macros: {m: \"state in ['open', 'paid']\"}\n"
	"lists: {l: [a, b]}\n"
	"rules:\n"
	"- rule: r\n"
	"  title: {zh: 支出, en: Spending}\n"
	"  from: payments\n"
	"  let: {big: \"amount > params.floor\", share: \"ratio(n, all)\"}\n"
	"  where: m && big && !(unit in lists.l)\n"
	"  by: [unit, payee]\n"
	"  window: {calendar: month}\n"
	"  measure: {n: count(), s: sum(amount), all: {agg: count(), by: "
	"[unit]}}\n"
	"  baseline: {u: {of: s, over: 12, min_samples: 3}}\n"
	"  params: {floor: 100}\n"
	"  alert_if: share > 0.5 && u.z(s) > 2\n"
	"  level: {red: has(prev.bidders) && prev.bidders > 3, yellow: "
	"\"true\"}\n"
	"  exceptions: [{reason: x, match: {unit: [U]}, until: 2026-12-31}]\n"
	"  message: {zh: \"{unit} {s|money} {share|pct}\"}\n"
	"  evidence: {count: 3, fields: [doc, amount]}\n"
	"  score: {unit: 5}\n"
	"override: [{rule: r, status: live, params: {floor: 7}}]\n";

static void try_rules(struct world *world, const char *text, size_t len) {
	char copy[4096];

	assert_true(len < sizeof(copy));
	memcpy(copy, text, len);
	copy[len] = '\0';
	diag_free(&world->diag);
	world->n_files = 0;
	put_file(world, "a.yaml", STREAMS);
	put_file(world, "b.yaml", copy);
	load_with(world, NULL);
}

static void loads_what_the_others_are_made_of(void **state) {
	try_rules(*state, rules, sizeof(rules) - 1);
	expect(*state, "b.yaml:6:9+1 W624 rule `r` is live and lacks owner, "
		       "advice, legal_basis, tests\n");
}

static void lives_on_when_cut_off_anywhere(void **state) {
	for (size_t len = 0; len < sizeof(rules); len++)
		try_rules(*state, rules, len);
}

static void lives_on_with_bytes_replaced(void **state) {
	static const char marks[] = "{}[]()!&*:,#'\"\n \t|>%@-.0a=<";
	char copy[sizeof(rules)];

	for (uint64_t i = 0; i < 1500; i++) {
		uint64_t random = hash64(&i, sizeof(i), 0);
		size_t at = random % (sizeof(rules) - 1);

		memcpy(copy, rules, sizeof(rules));
		copy[at] = marks[(random >> 32) % (sizeof(marks) - 1)];
		try_rules(*state, copy, sizeof(rules) - 1);
	}
}

static void lives_on_with_lines_left_out_or_doubled(void **state) {
	const char *end = rules + sizeof(rules) - 1;

	for (const char *at = rules; at < end;) {
		const char *stop = strchr(at, '\n') + 1;
		CLEANUP(buf_free) struct buf text = { 0 };

		buf_add(&text, rules, (size_t)(at - rules));
		buf_add(&text, stop, (size_t)(end - stop));
		try_rules(*state, text.data, text.len);
		buf_reset(&text);
		buf_add(&text, rules, (size_t)(stop - rules));
		buf_add(&text, at, (size_t)(end - at));
		try_rules(*state, text.data, text.len);
		at = stop;
	}
}

/* Sixteen lets, each twice the one before. */
static void refuses_lets_that_expand_without_end(void **state) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct world *world = *state;

	buf_puts(&text, "apiversion: 1\npackage: p\nrules:\n- rule: r\n"
			"  from: payments\n  let:\n    x0: bidders\n");
	for (int i = 1; i < 40; i++)
		buf_printf(&text, "    x%d: x%d + x%d + x%d + x%d\n", i, i - 1,
			   i - 1, i - 1, i - 1);
	buf_puts(&text, "  where: x39 > 1\n  alert_if: amount > 1\n");
	try_rules(world, text.data, text.len);
	assert_null(world->set);
	assert_true(world->diag.n_errors > 0);
}

static void refuses_macros_that_stand_for_themselves(void **state) {
	static const char text[] =
		"apiversion: 1\npackage: p\n"
		"macros: {a: b || amount > 1, b: a}\n"
		"rules:\n- {rule: r, from: payments, where: a, alert_if: b}\n";
	struct world *world = *state;

	try_rules(world, text, sizeof(text) - 1);
	assert_null(world->set);
}

static void refuses_a_file_that_is_too_large(void **state) {
	struct world *world = *state;
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_repeat(&text, '#', YAML_MAX_BYTES + 1);
	put_file(world, "a.yaml", buf_cstr(&text));
	load_with(world, NULL);
	assert_int_equal(world->diag.n, 1);
	assert_string_equal(world->diag.items[0].code, "E109");
}

static void stops_complaining_at_some_time(void **state) {
	struct world *world = *state;
	CLEANUP(buf_free) struct buf text = { 0 };

	for (int i = 0; i < 50000; i++)
		buf_puts(&text, "a: !b c\n");
	put_file(world, "a.yaml", buf_cstr(&text));
	load_with(world, NULL);
	assert_int_equal(world->diag.n, DIAG_MOST);
	assert_true(world->diag.n_errors > 50000);
	assert_string_equal(world->diag.items[DIAG_MOST - 1].code, "W699");
}

static void refuse(struct world *world, const char *rule, const char *want) {
	diag_free(&world->diag);
	world->n_files = 0;
	put_file(world, "a.yaml", STREAMS);
	put_file(world, "b.yaml", rule);
	load_with(world, NULL);
	expect(world, want);
}

/* The engine asserts that a key fits its cell: the loader must see to it. */
static void refuses_a_key_that_would_not_fit(void **state) {
	CLEANUP(buf_free) struct buf text = { 0 };

	refuse(*state,
	       "apiversion: 1\npackage: p\nrules:\n"
	       "- {rule: a, from: payments, by: [unit], window: {sliding: "
	       "1000d, panes: 1000}, measure: {a: sum(amount), b: "
	       "mean(amount), c: stdev(amount)}, alert_if: a > 1}\n",
	       "b.yaml:4:10+1 E307 what rule `a` and those of its shape keep "
	       "for one key does not fit: 104136 bytes in one piece, at most "
	       "28672; take fewer measures or panes\n");
	buf_puts(&text, "apiversion: 1\npackage: p\nrules:\n- rule: a\n"
			"  from: payments\n  by: [unit]\n  window: 30d\n"
			"  max_entries: 64\n"
			"  alert_if: m1 > 1\n  measure:\n");
	for (int i = 0; i < 60; i++)
		buf_printf(&text, "    m%d: sum(bidders + %d)\n", i, i);
	refuse(*state, buf_cstr(&text),
	       "b.yaml:4:9+1 E307 what rule `a` and those of its shape keep "
	       "for one key does not fit: 33344 bytes in one piece, at most "
	       "28672; take fewer measures or panes\n");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(loads_what_the_others_are_made_of),
		TEST(lives_on_when_cut_off_anywhere),
		TEST(lives_on_with_bytes_replaced),
		TEST(lives_on_with_lines_left_out_or_doubled),
		TEST(refuses_lets_that_expand_without_end),
		TEST(refuses_macros_that_stand_for_themselves),
		TEST(refuses_a_file_that_is_too_large),
		TEST(refuses_a_key_that_would_not_fit),
		TEST(stops_complaining_at_some_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
