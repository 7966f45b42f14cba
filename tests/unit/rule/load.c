/*
 * What a package becomes: plans, slots, defaults, hashes.
 */
#include "world.h"

static void load_rules(struct world *world, const char *rules) {
	put_file(world, "a.yaml", STREAMS);
	put_file(world, "b.yaml", rules);
	load(world);
}

#define HEAD "apiversion: 1\npackage: p\nrules:\n"

static void shares_one_plan_between_rules_of_one_shape(void **state) {
	struct world *world = *state;

	load_rules(world, HEAD "- rule: a\n"
			       "  from: payments\n"
			       "  where: amount>0\n"
			       "  by: [unit]\n"
			       "  window: 30d\n"
			       "  measure: {n: count(), s: sum( amount )}\n"
			       "  alert_if: n > 3 && s > 100\n"
			       "- rule: b\n"
			       "  from: payments\n"
			       "  where: amount > 0\n"
			       "  by: [unit]\n"
			       "  window: 720h\n"
			       "  measure: {total: sum(amount)}\n"
			       "  evidence: 20\n"
			       "  alert_if: total > 5\n");
	assert_int_equal(world->set->n_plans, 1);
	assert_ptr_equal(rule(world, "a")->plan, rule(world, "b")->plan);
	assert_int_equal(world->set->plans[0]->n_measures, 2);
	assert_int_equal(world->set->plans[0]->n_rules, 2);
	assert_int_equal(world->set->plans[0]->evidence, 20);
	assert_true(world->set->plans[0]->keeps_entries);
	assert_false(world->set->plans[0]->measures[1].scans);
}

static void keeps_plans_apart_that_differ_in_a_let(void **state) {
	struct world *world = *state;

	load_rules(world, HEAD "- rule: a\n"
			       "  from: payments\n"
			       "  let: {big: 'amount > 100'}\n"
			       "  where: big\n"
			       "  by: [unit]\n"
			       "  window: 30d\n"
			       "  measure: {n: count()}\n"
			       "  alert_if: n > 3\n"
			       "- rule: b\n"
			       "  from: payments\n"
			       "  let: {big: 'amount > 200'}\n"
			       "  where: big\n"
			       "  by: [unit]\n"
			       "  window: 30d\n"
			       "  measure: {n: count()}\n"
			       "  alert_if: n > 3\n");
	assert_int_equal(world->set->n_plans, 2);
}

static void indexes_a_rule_by_the_constants_of_where(void **state) {
	struct world *world = *state;
	const struct plan_input *input;

	load_rules(world, HEAD "- rule: a\n"
			       "  from: payments\n"
			       "  where: state in ['open', 'paid'] && unit == "
			       "'U1' && amount > 0\n"
			       "  alert_if: 'true'\n");
	input = &world->set->plans[0]->inputs[0];
	assert_int_equal(input->n_index, 1);
	assert_int_equal(
		input->index_slot,
		stream_field(ruleset_stream(world->set, "payments"), "unit")
			->slot);
	assert_memory_equal(input->index[0].s, "U1", 2);
}

static void decodes_only_what_a_rule_reads(void **state) {
	struct world *world = *state;
	const struct stream *stream;

	load_rules(world, HEAD "- rule: a\n"
			       "  from: payments\n"
			       "  by: [unit]\n"
			       "  window: {sliding: 30d, panes: 10}\n"
			       "  measure: {s: sum(amount)}\n"
			       "  evidence: 0\n"
			       "  alert_if: s > 1\n");
	stream = ruleset_stream(world->set, "p/payments");
	assert_int_equal(stream->n_slots, 2);
	assert_true(stream_field(stream, "unit")->used);
	assert_true(stream_field(stream, "amount")->used);
	assert_false(stream_field(stream, "doc")->used);
	assert_int_equal(world->set->plans[0]->evidence, 0);
	assert_int_equal(world->set->plans[0]->window.panes, 10);
	assert_int_equal(stream->id_for, 30 * USEC_PER_DAY);
}

static void gives_a_coarser_measure_a_plan_of_its_own(void **state) {
	struct world *world = *state;
	const struct rule *r;

	load_rules(world, HEAD "- rule: a\n"
			       "  from: payments\n"
			       "  by: [unit, payee]\n"
			       "  window: 30d\n"
			       "  measure:\n"
			       "    n: count()\n"
			       "    all: {agg: count(), by: [payee]}\n"
			       "    run: {agg: streak(unit), by: [payee]}\n"
			       "  alert_if: n > 3 && all > 4 && run > 2\n");
	r = rule(world, "a");
	assert_int_equal(world->set->n_plans, 2);
	assert_int_equal(r->n_coarse, 1);
	assert_int_equal(r->coarse[0].plan->n_by, 1);
	assert_int_equal(r->coarse[0].map[0], 1);
	assert_int_equal(r->coarse[0].plan->n_watchers, 1);
	assert_int_equal(r->coarse[0].plan->n_rules, 0);
	assert_true(r->coarse[0].plan->measures[1].scans);
	assert_int_equal(r->coarse[0].plan->by_masks[0], MASK_LAST4);
}

static void defaults_depend_on_what_an_alert_stands_for(void **state) {
	struct world *world = *state;
	const struct rule *e;
	const struct rule *k;

	load_rules(world, HEAD "- rule: e\n"
			       "  from: payments\n"
			       "  alert_if: amount > 5\n"
			       "- rule: k\n"
			       "  from: payments\n"
			       "  by: [unit]\n"
			       "  window: 1d\n"
			       "  measure: {n: count()}\n"
			       "  alert_if: n > 5\n");
	e = rule(world, "e");
	k = rule(world, "k");
	assert_true(e->per_event);
	assert_int_equal(e->cooldown.n, 0);
	assert_int_equal(e->plan->window.kind, WINDOW_EVENT);
	assert_int_equal(e->status, STATUS_TEST);
	assert_false(k->per_event);
	assert_int_equal(k->cooldown.n, USEC_PER_HOUR);
	assert_int_equal(k->refresh.n, USEC_PER_DAY);
	assert_int_equal(k->review_within.n, 90 * USEC_PER_DAY);
	assert_int_equal(k->plan->max_entries, 4096);
	assert_int_equal(k->open_max, 1000);
	assert_int_equal(k->evidence, 10);
	assert_int_equal(k->max_delay, 3 * USEC_PER_DAY);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(shares_one_plan_between_rules_of_one_shape),
		TEST(keeps_plans_apart_that_differ_in_a_let),
		TEST(indexes_a_rule_by_the_constants_of_where),
		TEST(decodes_only_what_a_rule_reads),
		TEST(gives_a_coarser_measure_a_plan_of_its_own),
		TEST(defaults_depend_on_what_an_alert_stands_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
