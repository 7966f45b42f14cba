/*
 * Defaults: what the reference says that a key is without being written. Each
 * thing is declared twice, once with all of them written out from the table.
 */
#include "world.h"

#include "rule/shape.h"

#include <ctype.h>

/* A default that could stand in a file: "10m", "4096", "skip", not "its name".
 * "1h; 0s for events" is 1h here. */
static bool is_written(const struct shape_key *key) {
	if (key->type == SHAPE_LATER || !key->initial ||
	    !strcmp(key->initial, "required"))
		return false;
	return isdigit((unsigned char)*key->initial) ||
	       (strchr(key->type, '|') && !strchr(key->initial, ' ')) ||
	       (!strcmp(key->type, "expression") && !strchr(key->initial, ' '));
}

static size_t write_out(struct buf *out, const struct shape *shape,
			const char *indent) {
	size_t n = 0;

	for (size_t i = 0; i < shape->n; i++) {
		const struct shape_key *key = &shape->keys[i];

		if (!is_written(key))
			continue;
		buf_printf(out, "%s%s: %.*s\n", indent, key->name,
			   (int)strcspn(key->initial, ";"), key->initial);
		n++;
	}
	return n;
}

static void put_stream(struct buf *out, const char *name, bool written) {
	buf_printf(out,
		   "  %s:\n    time: at\n"
		   "    fields: {a: double, b: string, at: timestamp}\n",
		   name);
	if (written)
		assert_int_equal(write_out(out, &stream_shape, "    "), 6);
}

static void put_rule(struct buf *out, const char *stream, bool written) {
	buf_printf(out,
		   "- rule: %s\n  from: %s\n  by: [b]\n"
		   "  window: {calendar: month}\n  measure: {m: sum(a)}\n"
		   "  alert_if: m > 1.0\n  baseline:\n    u:\n      of: m\n"
		   "      over: 3\n",
		   stream, stream);
	if (!written)
		return;
	assert_int_equal(write_out(out, &baseline_shape, "      "), 5);
	assert_int_equal(write_out(out, &rule_shape, "  "), 11);
}

static const struct stream *stream(const struct world *world,
				   const char *name) {
	return ruleset_stream(world->set, name);
}

static void of_a_stream(void **state) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct world *world = *state;
	const struct stream *a, *b;

	buf_puts(&text, "apiversion: 1\npackage: p\nstreams:\n");
	put_stream(&text, "short", false);
	put_stream(&text, "long", true);
	put_file(world, "a.yaml", buf_cstr(&text));
	load(world);
	a = stream(world, "short");
	b = stream(world, "long");
	assert_int_equal(a->format, b->format);
	assert_ptr_equal(a->charset, b->charset);
	assert_int_equal(a->max_delay, b->max_delay);
	assert_int_equal(a->idle_after, b->idle_after);
	assert_int_equal(a->max_skew, b->max_skew);
	assert_int_equal(a->max_bytes, b->max_bytes);
}

static bool same_span(struct span a, struct span b) {
	return a.unit == b.unit && a.n == b.n;
}

static void of_a_rule_and_its_baseline(void **state) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct world *world = *state;
	const struct rule *a, *b;
	const struct baseline *of_a, *of_b;

	buf_puts(&text, "apiversion: 1\npackage: p\nstreams:\n");
	put_stream(&text, "short", false);
	put_stream(&text, "long", false);
	buf_puts(&text, "rules:\n");
	put_rule(&text, "short", false);
	put_rule(&text, "long", true);
	put_file(world, "a.yaml", buf_cstr(&text));
	load(world);
	a = rule(world, "short");
	b = rule(world, "long");
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->per_event, b->per_event);
	assert_true(same_span(a->cooldown, b->cooldown));
	assert_true(same_span(a->refresh, b->refresh));
	assert_true(same_span(a->review_within, b->review_within));
	assert_int_equal(a->on_missing, b->on_missing);
	assert_int_equal(a->evidence, b->evidence);
	assert_int_equal(a->open_max, b->open_max);
	assert_int_equal(a->plan->max_entries, b->plan->max_entries);
	assert_int_equal(a->plan->drop_late, b->plan->drop_late);
	of_a = a->plan->baselines;
	of_b = b->plan->baselines;
	assert_int_equal(of_a->only, of_b->only);
	assert_int_equal(of_a->empty_zero, of_b->empty_zero);
	assert_int_equal(of_a->stat, of_b->stat);
	assert_int_equal(of_a->min_samples, of_b->min_samples);
	assert_memory_equal(&of_a->min_spread, &of_b->min_spread,
			    sizeof(double));
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_a_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(of_a_rule_and_its_baseline,
						setup, teardown),
	};

	return cmocka_run_group_tests_name("defaults", tests, NULL, NULL);
}
