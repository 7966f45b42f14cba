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

static void masks_a_key_that_holds_what_a_masked_field_holds(void **state) {
	struct world *world = *state;
	const struct plan *plan;

	load_rules(world, HEAD "- rule: a\n"
			       "  from: payments\n"
			       "  let:\n"
			       "    bank: prefix(payee, 6)\n"
			       "    pair: unit + '/' + bank\n"
			       "    ours: payee == '62220001'\n"
			       "  by: [bank, pair, ours, unit]\n"
			       "  alert_if: amount > 1\n");
	plan = rule(world, "a")->plan;
	assert_int_equal(plan->by_masks[0], MASK_LAST4);
	assert_int_equal(plan->by_masks[1], MASK_LAST4);
	assert_int_equal(plan->by_masks[2], MASK_NONE);
	assert_int_equal(plan->by_masks[3], MASK_NONE);
}

static void
keeps_a_let_that_is_one_streams_key_out_of_the_values(void **state) {
	struct world *world = *state;
	const struct rule *r;

	put_file(world, "c.yaml",
		 "apiversion: 1\npackage: p\nstreams:\n"
		 "  budgets: {time: at, fields: {line: string, amount: "
		 "money(CNY), at: date}}\n");
	load_rules(world, HEAD "- rule: a\n"
			       "  from: {grant: budgets, pay: payments}\n"
			       "  let: {head: 'prefix(line, 2)', ratio: 1}\n"
			       "  by: {class: {grant: head, pay: unit}}\n"
			       "  window: 30d\n"
			       "  measure: {n: count()}\n"
			       "  alert_if: n > ratio\n");
	r = rule(world, "a");
	for (size_t i = 0; i < r->n_slots; i++)
		assert_string_not_equal(r->binds[i].name, "head");
	assert_int_equal(world->diag.n, 0);
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
			       "  alert_if: n > 5\n"
			       "- rule: p\n"
			       "  from: payments\n"
			       "  baseline: {u: {of: amount, over: 1d, peers: "
			       "[unit]}}\n"
			       "  alert_if: amount > u.mid\n");
	e = rule(world, "e");
	k = rule(world, "k");
	assert_true(rule(world, "p")->per_event);
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

static size_t slot_of(const struct rule *r, const char *name) {
	for (size_t i = 0; i < r->n_slots; i++)
		if (!strcmp(r->binds[i].name, name))
			return i;
	fail_msg("no slot %s", name);
	abort();
}

static const char growth[] =
	HEAD "- rule: a\n"
	     "  from: payments\n"
	     "  by: [unit]\n"
	     "  window: {calendar: month}\n"
	     "  measure: {total: sum(amount)}\n"
	     "  baseline:\n"
	     "    usual: {of: total, over: 12, min_samples: 6}\n"
	     "    year: {of: total, over: 3, only: same_month, stat: median}\n"
	     "  alert_if: usual.z(total) > 3.5 && total > usual.hi(2)\n"
	     "  resolve_if: total < year.mid\n";

static void baselines_say_how_many_periods_are_kept(void **state) {
	struct world *world = *state;
	const struct plan *plan;

	load_rules(world, growth);
	plan = rule(world, "a")->plan;
	assert_int_equal(plan->n_baselines, 2);
	assert_int_equal(plan->n_periods, 36);
	assert_true(plan->baselines[0].workday);
	assert_int_equal(plan->baselines[0].stat, STAT_MEDIAN_MAD);
	assert_int_equal(plan->baselines[0].min_samples, 6);
	assert_int_equal(plan->baselines[1].only, ONLY_SAME_MONTH);
	assert_false(plan->keeps_entries);
}

/* semantics 7: z = (x - mid) / max(spread, min_spread * |mid|) */
static void deviations_have_a_least_spread(void **state) {
	struct world *world = *state;
	struct value frame[16] = { 0 };
	struct expr_context context = { 0 };
	const struct rule *r;
	const struct expr_clause *z;
	const struct expr_clause *hi;

	load_rules(world, growth);
	r = rule(world, "a");
	assert_int_equal(r->alert_if.n_clauses, 2);
	z = &r->alert_if.clauses[0];
	hi = &r->alert_if.clauses[1];
	frame[slot_of(r, "total")] = value_money(150000, 1);
	frame[slot_of(r, "usual.mid")] = value_money(100000, 1);
	frame[slot_of(r, "usual.spread")] = value_double(200.0);
	assert_true(expr_eval(z->left, frame, &context).d == 2.5);
	assert_int_equal(expr_eval(hi->right, frame, &context).i, 140000);
	frame[slot_of(r, "usual.spread")] = value_double(0.0);
	/* 5 % of 1,000.00 is 50.00, and 500.00 above is ten of them. */
	assert_true(expr_eval(z->left, frame, &context).d == 10.0);
	assert_int_equal(expr_eval(hi->right, frame, &context).i, 110000);
	frame[slot_of(r, "usual.mid")] = value_money(0, 1);
	assert_int_equal(expr_eval(z->left, frame, &context).reason,
			 MISSING_SPREAD);
	frame[slot_of(r, "usual.mid")] = value_missing(MISSING_YOUNG);
	assert_int_equal(expr_eval(z->left, frame, &context).reason,
			 MISSING_YOUNG);
}

static void streams_of_a_rule_feed_the_measures_that_name_them(void **state) {
	struct world *world = *state;
	const struct plan *plan;

	put_file(world, "c.yaml",
		 "apiversion: 1\npackage: p\nstreams:\n"
		 "  budgets: {time: at, fields: {line: string, amount: "
		 "money(CNY), at: date}}\n");
	load_rules(world,
		   HEAD "- rule: a\n"
			"  from: {grant: budgets, pay: {stream: payments, "
			"where: bidders > 0}}\n"
			"  by: {line: {grant: line, pay: unit}}\n"
			"  window: {calendar: fiscal_year}\n"
			"  measure: {got: sum(grant.amount), spent: "
			"sum(pay.amount), all: sum(amount), pays: "
			"count(pay)}\n"
			"  alert_if: spent > got && all > 1 && pays > 1 && "
			"has(pay.memo)\n");
	plan = rule(world, "a")->plan;
	assert_int_equal(plan->n_inputs, 2);
	assert_true(plan->measures[0].feeds[0]);
	assert_false(plan->measures[0].feeds[1]);
	assert_false(plan->measures[1].feeds[0]);
	assert_true(plan->measures[2].feeds[0] && plan->measures[2].feeds[1]);
	assert_false(plan->measures[3].feeds[0]);
	assert_null(plan->measures[0].x[1]);
	assert_null(plan->inputs[0].where);
	assert_non_null(plan->inputs[1].where);
	assert_string_equal(plan->kept[0].name, "pay.memo");
	assert_int_equal(plan->kept[0].slot[0], -1);
	assert_true(plan->kept[0].slot[1] >= 0);
}

static void equal_texts_of_two_lets_do_not_share_an_argument(void **state) {
	struct world *world = *state;
	const struct plan *plan;

	load_rules(world, HEAD "- rule: a\n"
			       "  from: payments\n"
			       "  let: {x: amount * 2}\n"
			       "  by: [unit]\n"
			       "  window: 30d\n"
			       "  measure: {s: sum(x)}\n"
			       "  alert_if: s > 3\n"
			       "- rule: b\n"
			       "  from: payments\n"
			       "  let: {x: amount * 3}\n"
			       "  by: [unit]\n"
			       "  window: 30d\n"
			       "  measure: {s: sum(x)}\n"
			       "  alert_if: s > 3\n");
	plan = rule(world, "a")->plan;
	assert_int_equal(world->set->n_plans, 1);
	assert_int_equal(plan->n_measures, 2);
	assert_string_not_equal(expr_text(plan->measures[0].x[0]),
				expr_text(plan->measures[1].x[0]));
}

static const char overridden[] =
	HEAD "- rule: a\n"
	     "  from: payments\n"
	     "  by: [unit]\n"
	     "  per: key\n"
	     "  params: {floor: 200000}\n"
	     "  alert_if: amount > params.floor\n"
	     "override:\n"
	     "- {rule: a, status: live, params: {floor: 500000}}\n"
	     "- {rule: p/a, params: {floor: 100}, where_key: {unit: [U7]}}\n";

static void overrides_change_params_also_for_some_keys(void **state) {
	struct world *world = *state;
	struct value frame[16] = { 0 };
	struct expr_context context = { 0 };
	const struct rule *r;

	load_rules(world, overridden);
	r = rule(world, "a");
	assert_int_equal(r->status, STATUS_LIVE);
	frame[slot_of(r, "unit")] = value_string("U7", 2);
	frame[slot_of(r, "amount")] = value_money(10001, 1);
	assert_true(
		value_is_true(expr_eval(r->alert_if.test, frame, &context)));
	frame[slot_of(r, "unit")] = value_string("U8", 2);
	assert_false(
		value_is_true(expr_eval(r->alert_if.test, frame, &context)));
	frame[slot_of(r, "amount")] = value_money(50000001, 1);
	assert_true(
		value_is_true(expr_eval(r->alert_if.test, frame, &context)));
}

static void the_expansion_names_where_an_override_came_from(void **state) {
	struct world *world = *state;
	CLEANUP(buf_free) struct buf out = { 0 };

	load_rules(world, overridden);
	ruleset_expand(world->set, &out);
	assert_non_null(strstr(buf_cstr(&out), "\n# status: live from "));
	assert_non_null(strstr(buf_cstr(&out), "/b.yaml:11\n"));
	assert_non_null(strstr(buf_cstr(&out),
			       "alert_if: \"amount > (unit in ['U7'] ? 100 : "
			       "500000)\""));
}

static void the_hash_follows_what_alerts_depend_on(void **state) {
	struct world *world = *state;
	uint8_t first[32];
	static const char *const rules[] = {
		HEAD "- {rule: a, from: payments, alert_if: amount > 1}\n",
		/* the same, written otherwise */
		HEAD "- rule: a   # a comment\n"
		     "  from: payments\n"
		     "  alert_if: amount>1\n",
		HEAD "- {rule: a, from: payments, alert_if: amount > 2}\n",
	};

	load_rules(world, rules[0]);
	memcpy(first, world->set->hash, sizeof(first));
	world->n_files = 0;
	load_rules(world, rules[1]);
	assert_memory_equal(first, world->set->hash, sizeof(first));
	world->n_files = 0;
	load_rules(world, rules[2]);
	assert_memory_not_equal(first, world->set->hash, sizeof(first));
}

static void drafts_are_checked_and_left_out(void **state) {
	struct world *world = *state;

	load_rules(world,
		   HEAD "- {rule: a, status: draft, from: payments, "
			"alert_if: amount > 1}\n"
			"- {rule: b, status: deprecated, from: payments, "
			"alert_if: amount > 1}\n");
	assert_int_equal(world->set->n_rules, 0);
	assert_int_equal(world->set->n_plans, 0);
	assert_false(world->set->streams[0]->is_read);
}

static void a_stream_is_read_if_a_rule_asks_for_it(void **state) {
	struct world *world = *state;

	load_rules(world,
		   HEAD "- {rule: a, from: payments, alert_if: size(register("
			"unit).name) > 1}\n"
			"tables: {register: {stream: units, key: unit}}\n"
			"streams:\n"
			"  others: {topic: o, time: at, fields: {at: "
			"timestamp}}\n"
			"  units: {topic: u, time: at, fields: {unit: string, "
			"name: string, at: timestamp}}\n");
	assert_int_equal(world->set->n_streams, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			world->set->streams[i]->is_read,
			strcmp(world->set->streams[i]->name, "others") != 0);
}

static void a_stream_is_read_if_a_rule_asks_for_its_rows(void **state) {
	struct world *world = *state;

	load_rules(world,
		   HEAD "- {rule: a, from: payments, where: has(t(doc).at), "
			"alert_if: amount > 1}\n"
			"tables:\n"
			"  t: {stream: others, key: id}\n"
			"  unread: {stream: more, key: id}\n"
			"streams:\n"
			"  others: {topic: o, time: at, fields: {id: string, "
			"at: timestamp}}\n"
			"  more: {topic: m, time: at, fields: {id: string, "
			"at: timestamp}}\n");
	assert_int_equal(world->set->n_streams, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world->set->streams[i]->is_read,
				 strcmp(world->set->streams[i]->name, "more") !=
					 0);
}

static void texts_are_pieces_and_values(void **state) {
	struct world *world = *state;
	const struct text *text;

	load_rules(world, HEAD "- rule: a\n"
			       "  from: payments\n"
			       "  message: {zh: '{{x}} {unit}付{amount|money}"
			       "{has(memo) ? \"a|b\" : \"}\"}'}\n"
			       "  alert_if: amount > 1\n");
	text = &rule(world, "a")->message.in[LANGUAGE_ZH];
	assert_int_equal(text->n, 5);
	assert_string_equal(text->parts[0].literal, "{x} ");
	assert_null(text->parts[1].format);
	assert_string_equal(text->parts[2].literal, "付");
	assert_string_equal(text->parts[3].format, "money");
	assert_non_null(text->parts[4].value);
	/* What has no message in a language shows the title there. */
	assert_true(rule(world, "a")->message.given[LANGUAGE_EN]);
}

static void the_rules_of_a_set_stand_by_the_bytes_of_their_names(void **state) {
	struct world *world = *state;

	load_rules(world, HEAD
		   "- {rule: b, from: payments, alert_if: amount > 1}\n"
		   "- {rule: B, from: payments, alert_if: amount > 1}\n"
		   "- {rule: a-1, from: payments, alert_if: amount > 1}\n");
	assert_string_equal(world->set->rules[0]->full, "p/B");
	assert_string_equal(world->set->rules[1]->full, "p/a-1");
	assert_string_equal(world->set->rules[2]->full, "p/b");
	assert_int_equal(world->set->rules[2]->rank, 2);
	assert_int_equal(world->set->plans[0]->rules[0]->rank, 0);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(shares_one_plan_between_rules_of_one_shape),
		TEST(keeps_plans_apart_that_differ_in_a_let),
		TEST(indexes_a_rule_by_the_constants_of_where),
		TEST(decodes_only_what_a_rule_reads),
		TEST(gives_a_coarser_measure_a_plan_of_its_own),
		TEST(masks_a_key_that_holds_what_a_masked_field_holds),
		TEST(keeps_a_let_that_is_one_streams_key_out_of_the_values),
		TEST(defaults_depend_on_what_an_alert_stands_for),
		TEST(baselines_say_how_many_periods_are_kept),
		TEST(deviations_have_a_least_spread),
		TEST(streams_of_a_rule_feed_the_measures_that_name_them),
		TEST(equal_texts_of_two_lets_do_not_share_an_argument),
		TEST(overrides_change_params_also_for_some_keys),
		TEST(the_expansion_names_where_an_override_came_from),
		TEST(the_hash_follows_what_alerts_depend_on),
		TEST(drafts_are_checked_and_left_out),
		TEST(a_stream_is_read_if_a_rule_asks_for_it),
		TEST(a_stream_is_read_if_a_rule_asks_for_its_rows),
		TEST(texts_are_pieces_and_values),
		TEST(the_rules_of_a_set_stand_by_the_bytes_of_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
