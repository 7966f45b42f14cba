/*
 * Runs the tests that stand beside rules: each through a fresh engine, from
 * JSON on, in the order in which it gives its events. Rules in test ring as
 * live ones do. Whatever is not expected fails: of the rule that the test
 * stands under and of those that it names, or of all rules if it stands alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "tool/drive.h"
#include "tool/expect.h"
#include "tool/rules.h"
#include "tool/script.h"
#include "tool/verb.h"

/* Clauses of one rule, seen true (1) and false (2) by any test. */
struct seen {
	const struct rule *rule; /* of the set that was loaded first */
	uint8_t *bits;
	size_t n;
};

struct tests {
	const char *const *paths;
	size_t n_paths;
	const char *only;
	bool verbose, coverage;
	struct ruleset *set;
	struct diag diag;   /* of loading it */
	struct arena arena; /* of the whole run */
	struct seen *seen;
	size_t passed, failed;
};

/* One test while it runs. */
struct trial {
	struct tests *tests;
	const struct rule_test *test;
	const struct ruleset *set; /* with the test's own tables */
	struct arena arena;
	struct driver driver;
	struct decoder **decoders; /* per stream; made when needed */
	int64_t *offsets;          /* per stream */
	struct transition *came;
	size_t n, cap;
	struct buf amiss; /* what failed, a line each */
};

static const struct zone *zone_of(const struct trial *trial,
				  const struct rule *rule) {
	static const int32_t no_offset[1];
	static const struct zone utc = { .name = "UTC", .offset = no_offset };

	if (rule && rule->plan->calendar)
		return &rule->plan->calendar->zone;
	return trial->set->n_calendars ? &trial->set->calendars[0]->zone : &utc;
}

static void keep_item(void *ctx, const struct outbox_item *item) {
	struct trial *trial = ctx;
	struct transition *came;

	if (trial->n == trial->cap) {
		trial->cap = trial->cap ? trial->cap * 2 : 16;
		came = arena_array(&trial->arena, struct transition,
				   trial->cap);
		if (trial->n)
			memcpy(came, trial->came,
			       trial->n * sizeof(struct transition));
		trial->came = came;
	}
	came = &trial->came[trial->n++];
	*came = (struct transition){ .item = *item,
				     .zone = zone_of(trial, item->of) };
	/* A record that is no JSON has no values: the test says so. */
	if (json_parse(&came->record, &trial->arena, item->json,
		       item->json_len) < 0)
		buf_puts(&trial->amiss, "    a record is not JSON\n");
}

static bool is_rule(const struct yaml_node *name, const char *full) {
	const char *slash = strrchr(full, '/');

	return yaml_is_text(name, full) ||
	       (slash && yaml_is_text(name, slash + 1));
}

/* Or a test would break whenever somebody adds a rule on the same stream. */
static bool concerns(const struct rule_test *test,
		     const struct yaml_node *expect, const char *rule) {
	if (!test->rule || !strcmp(test->rule->full, rule))
		return true;
	for (size_t i = 0; i < expect->n; i++) {
		const struct yaml_node *name =
			yaml_get(expect->items[i], "rule");

		if (name && is_rule(name, rule))
			return true;
	}
	return false;
}

static void drop_others(struct trial *trial, const struct yaml_node *expect) {
	size_t kept = 0;

	for (size_t i = 0; i < trial->n; i++) {
		if (concerns(trial->test, expect, trial->came[i].item.rule))
			trial->came[kept++] = trial->came[i];
	}
	trial->n = kept;
}

static struct decoder *decoder_of(struct trial *trial,
				  const struct stream *stream) {
	struct decoder **decoder = &trial->decoders[stream->index];
	struct stream *json;

	if (*decoder)
		return *decoder;
	/* Events of a test are JSON in UTF-8, whatever the topic carries. */
	json = arena_new(&trial->arena, struct stream);
	*json = *stream;
	json->format = FORMAT_JSON;
	json->charset = NULL;
	json->n_columns = 0;
	if (decoder_new(decoder, json, 0) < 0)
		abort();
	return *decoder;
}

/* The stream of that name in the set with the test's tables. */
static const struct stream *same_stream(const struct trial *trial,
					const struct stream *stream) {
	return trial->set->streams[stream->index];
}

static void give_event(struct trial *trial, const struct script *script,
		       const struct step *step) {
	CLEANUP(buf_free) struct buf payload = { 0 };
	const struct stream *stream = same_stream(trial, step->stream);
	struct event *event = arena_new(&trial->arena, struct event);
	const char *bytes;

	script_payload(&payload, script, step);
	bytes = arena_strndup(&trial->arena, payload.data, payload.len);
	*event = (struct event){
		.stream = stream,
		.at = { .topic = stream->topic,
			.offset = trial->offsets[stream->index]++ },
		.timestamp_ms = -1,
	};
	decoder_decode(decoder_of(trial, stream), event, bytes, payload.len,
		       false, &trial->arena);
	event->stream = stream;
	if (event->refusal)
		buf_printf(&trial->amiss,
			   "    line %u: the event is refused: %s%s%s\n",
			   step->place.line,
			   refusal_name((enum refusal)event->refusal),
			   event->detail ? " " : "",
			   event->detail ? event->detail : "");
	drive_events(&trial->driver, &event, 1);
}

static void end_given(struct trial *trial) {
	drive_decision(&trial->driver,
		       &(struct decision){ .kind = DECISION_END });
}

/* From the greatest event time, or the last advance if that is later. */
static void advance(struct trial *trial, struct span span) {
	const struct engine *engine = trial->driver.engine;
	usec_t at, last;

	end_given(trial);
	at = engine_greatest_time(engine);
	last = engine_last_advance(engine);
	if (last > at)
		at = last;
	if (at == INT64_MIN) {
		buf_puts(&trial->amiss,
			 "    nothing was given, so no time can pass\n");
		return;
	}
	at = span_add(trial->set->n_calendars ? trial->set->calendars[0] : NULL,
		      at, span, 1);
	drive_decision(
		&trial->driver,
		&(struct decision){ .kind = DECISION_ADVANCE, .at = at });
}

static void take_steps(struct trial *trial, const struct script *script) {
	drive_decision(&trial->driver,
		       &(struct decision){ .kind = DECISION_CATCH_UP });
	for (size_t i = 0; i < script->n; i++) {
		if (script->steps[i].stream)
			give_event(trial, script, &script->steps[i]);
		else
			advance(trial, script->steps[i].advance);
	}
	end_given(trial);
}

/* What each rule's clauses were, by the rule's name: ranks may differ. */
static void note_coverage(struct trial *trial) {
	for (size_t i = 0; i < trial->set->n_rules; i++) {
		struct tests *tests = trial->tests;
		struct seen *seen = &tests->seen[i];
		size_t n;
		const uint8_t *bits =
			engine_coverage(trial->driver.engine, i, &n);

		if (!seen->bits) {
			seen->bits = arena_array(&tests->arena, uint8_t, n);
			seen->n = n;
		}
		for (size_t k = 0; k < n && k < seen->n; k++)
			seen->bits[k] |= bits[k];
	}
}

static int run_engine(struct trial *trial, const struct script *script) {
	const struct engine_options options = { .shadow = true,
						.coverage = true };
	struct arena *arena = &trial->arena;
	size_t n = trial->set->n_streams;
	int r;

	r = engine_new(&trial->driver.engine, trial->set, &options);
	if (r < 0) {
		buf_printf(&trial->amiss, "    %s\n", strerror(-r));
		return r;
	}
	trial->driver.item = keep_item;
	trial->driver.ctx = trial;
	trial->decoders = arena_array(arena, struct decoder *, n + 1);
	trial->offsets = arena_array(arena, int64_t, n + 1);
	take_steps(trial, script);
	note_coverage(trial);
	for (size_t i = 0; i < n; i++)
		decoder_free(trial->decoders[i]);
	engine_free(trial->driver.engine);
	return 0;
}

static int hold(struct trial *trial, const struct script *script,
		struct diag *diag) {
	const struct yaml_node *expect = yaml_get(trial->test->node, "expect");
	int r;

	r = expect_check(expect, trial->test->place, diag);
	if (r < 0)
		return r;
	r = run_engine(trial, script);
	if (r < 0)
		return r;
	drop_others(trial, expect);
	expect_compare(&trial->amiss, expect, trial->came, trial->n);
	return 0;
}

/* A test with tables of its own has the rules loaded with them. */
static int run_trial(struct trial *trial, struct diag *diag) {
	CLEANUP(ruleset_freep) struct ruleset *own = NULL;
	struct script script = { .arena = &trial->arena,
				 .set = trial->tests->set,
				 .diag = diag };
	struct ruleset_options options = { 0 };
	int r;

	r = script_gather(&script, trial->test);
	if (r < 0)
		return r;
	trial->set = trial->tests->set;
	if (script.n_rows) {
		options.rows = script.rows;
		options.n_rows = script.n_rows;
		r = ruleset_load(&own, trial->tests->paths,
				 trial->tests->n_paths, &options, diag);
		if (r < 0)
			return r;
		trial->set = own;
	}
	return hold(trial, &script, diag);
}

static void report(const struct trial *trial, bool ok) {
	const struct rule_test *test = trial->test;

	printf("%s - %s:%u: %s%s%s\n", ok ? "ok" : "not ok",
	       test->place.source ? test->place.source->path : "?",
	       test->place.line, test->rule ? test->rule->name : "",
	       test->rule ? ": " : "", test->name);
}

static void run_test(struct tests *tests, const struct rule_test *test) {
	CLEANUP(diag_free) struct diag diag = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };
	struct trial trial = { .tests = tests, .test = test };
	bool ok = run_trial(&trial, &diag) == 0 && !trial.amiss.len;

	if (ok)
		tests->passed++;
	else
		tests->failed++;
	if (!ok || tests->verbose)
		report(&trial, ok);
	rules_keep_errors(&diag);
	diag_sort(&diag);
	diag_print(&diag, &out, isatty(STDOUT_FILENO) == 1);
	fputs(buf_cstr(&out), stdout);
	fputs(buf_cstr(&trial.amiss), stdout);
	buf_free(&trial.amiss);
	arena_free(&trial.arena);
}

static void print_clauses(const struct rule *rule, const char *band,
			  const struct condition *condition,
			  const struct seen *seen, size_t *at, size_t *unseen) {
	for (size_t i = 0; i < condition->n_clauses; i++, (*at)++) {
		uint8_t bits = *at < seen->n ? seen->bits[*at] : 0;
		struct value constant;

		/* `true` is the author's word for "always". */
		if (bits == 3 ||
		    expr_constant(condition->clauses[i].test, &constant))
			continue;
		printf("%s:%u: %s, %s: `%s` was never %s\n",
		       rule->place.source ? rule->place.source->path : "?",
		       rule->place.line, rule->name, band,
		       condition->clauses[i].text,
		       bits == 0   ? "judged"
		       : bits == 1 ? "false"
				   : "true");
		(*unseen)++;
	}
}

static void print_coverage(const struct tests *tests) {
	size_t unseen = 0, all = 0;

	for (size_t i = 0; i < tests->set->n_rules; i++) {
		const struct rule *rule = tests->set->rules[i];
		const struct seen *seen = &tests->seen[i];
		size_t at = 0;

		print_clauses(rule, "alert_if", &rule->alert_if, seen, &at,
			      &unseen);
		for (int level = LEVEL_GREEN; level <= LEVEL_RED; level++)
			print_clauses(rule, level_name((enum level)level),
				      &rule->level[level], seen, &at, &unseen);
		print_clauses(rule, "resolve_if", &rule->resolve_if, seen, &at,
			      &unseen);
		all += at;
	}
	printf("%zu of %zu clauses were seen both true and false\n",
	       all - unseen, all);
}

static int run_all(struct tests *tests) {
	tests->seen = arena_array(&tests->arena, struct seen,
				  tests->set->n_rules + 1);
	for (size_t i = 0; i < tests->set->n_tests; i++) {
		const struct rule_test *test = &tests->set->tests[i];

		if (!tests->only || strstr(test->name, tests->only))
			run_test(tests, test);
	}
	if (tests->coverage)
		print_coverage(tests);
	printf("%zu passed, %zu failed\n", tests->passed, tests->failed);
	return tests->failed ? FINDINGS : CLEAN;
}

static int test(const struct verb *verb, int argc, char **argv) {
	struct tests tests = { 0 };
	const struct ruleset_options options = { 0 };
	const struct flag flags[] = {
		{ 'c', "coverage", NULL,
		  "print each clause that was never true or never false",
		  &tests.coverage, NULL, NULL },
		{ 'o', "only", "TEXT", "run the tests with TEXT in their name",
		  NULL, &tests.only, NULL },
		{ 'v', "verbose", NULL, "name the tests that pass, too",
		  &tests.verbose, NULL, NULL },
	};
	int n = flags_parse(verb, flags, ARRAY_SIZE(flags), argc, argv);
	int r;

	if (n < 0)
		return -1 - n;
	if (n == 0)
		return usage_error(verb, "which files or folders?");
	tests.paths = (const char *const *)argv;
	tests.n_paths = (size_t)n;
	r = rules_load(&tests.set, tests.paths, tests.n_paths, &options,
		       &tests.diag);
	r = r < 0 ? FINDINGS : run_all(&tests);
	diag_free(&tests.diag);
	ruleset_free(tests.set);
	arena_free(&tests.arena);
	return r;
}

const struct verb test_verb = {
	.name = "test",
	.summary = "Runs the tests that stand beside rules.",
	.arguments = "PATH...",
	.example = "tocsin test --coverage rules/",
	.run = test,
};
