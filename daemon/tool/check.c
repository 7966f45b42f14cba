#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "tool/rules.h"
#include "tool/show.h"
#include "tool/verb.h"

static const char *status_name(enum status status) {
	static const char *const names[] = {
		[STATUS_DRAFT] = "draft",
		[STATUS_TEST] = "test",
		[STATUS_LIVE] = "live",
		[STATUS_DEPRECATED] = "deprecated",
	};

	return names[status];
}

static void print_cost(struct buf *out, const struct rule_cost *cost) {
	if (cost->key_bytes)
		buf_printf(out, "  about %zu bytes a key", cost->key_bytes);
	else
		buf_puts(out, "  no state but its alerts");
	if (cost->entries)
		buf_printf(out, ", %zu an event (at most %u)",
			   cost->entry_bytes, cost->entries);
	if (cost->periods)
		buf_printf(out, ", %zu a period (at most %u)",
			   cost->period_bytes, cost->periods);
	if (cost->cohort_bytes)
		buf_printf(out,
			   "; about %zu bytes a cohort of peers, %zu a value "
			   "(at most %u)",
			   cost->cohort_bytes, cost->value_bytes, cost->values);
	buf_putc(out, '\n');
}

static void print_registry(struct buf *out, const struct registry *registry,
			   size_t widest) {
	show_cell(out, registry->full, widest);
	show_cell(out, "table", 10);
	buf_printf(out,
		   "about %zu bytes a row and its texts, at most %u a key of "
		   "%zu, for ",
		   registry_row_bytes(registry), registry->max_rows,
		   registry->max_keys);
	span_format(out,
		    (struct span){ .unit = SPAN_FIXED, .n = registry->keep });
	buf_putc(out, '\n');
}

static void print_calendar(struct buf *out, const struct calendar *calendar,
			   size_t widest) {
	show_cell(out, calendar->name, widest);
	show_cell(out, "calendar", 10);
	if (calendar->holidays_to)
		buf_printf(out, "holidays of %d to %d\n",
			   (int)calendar->holidays_from,
			   (int)calendar->holidays_to);
	else
		buf_puts(out, "no holidays\n");
}

/* What runs on timers comes that much late: an operator wants to know. */
static void print_rules(const struct ruleset *set) {
	CLEANUP(buf_free) struct buf out = { 0 };
	size_t widest = 4;

	for (size_t i = 0; i < set->n_rules; i++) {
		size_t len = strlen(set->rules[i]->full);

		widest = len > widest ? len : widest;
	}
	for (size_t i = 0; i < set->n_registries; i++) {
		size_t len = strlen(set->registries[i]->full);

		widest = len > widest ? len : widest;
	}
	for (size_t i = 0; i < set->n_rules; i++) {
		const struct rule *rule = set->rules[i];
		struct rule_cost cost = rule_cost(rule);

		show_cell(&out, rule->full, widest);
		show_cell(&out, status_name(rule->status), 10);
		buf_puts(&out, "timers come ");
		span_format(&out, (struct span){ .unit = SPAN_FIXED,
						 .n = rule->max_delay });
		buf_puts(&out, " late");
		print_cost(&out, &cost);
	}
	for (size_t i = 0; i < set->n_calendars; i++)
		print_calendar(&out, set->calendars[i], widest);
	for (size_t i = 0; i < set->n_registries; i++)
		print_registry(&out, set->registries[i], widest);
	fputs(buf_cstr(&out), stdout);
}

static void print_counts(const struct ruleset *set, const struct diag *diag) {
	if (set)
		printf("%zu rules, %zu streams, %zu tests, ", set->n_rules,
		       set->n_streams, set->n_tests);
	printf("%zu errors, %zu warnings\n", diag->n_errors,
	       diag->n - diag->n_errors);
}

static void print_text(const struct ruleset *set, const struct diag *diag) {
	CLEANUP(buf_free) struct buf out = { 0 };

	diag_print(diag, &out, isatty(STDOUT_FILENO) == 1);
	fputs(buf_cstr(&out), stdout);
	if (set)
		print_rules(set);
	print_counts(set, diag);
}

static void print_json(const struct diag *diag) {
	CLEANUP(buf_free) struct buf out = { 0 };

	diag_json(diag, &out);
	puts(buf_cstr(&out));
}

/* The expansion alone on stdout, so that it can be piped. */
static void print_expansion(const struct ruleset *set,
			    const struct diag *diag) {
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf complaints = { 0 };

	diag_print(diag, &complaints, isatty(STDERR_FILENO) == 1);
	fputs(buf_cstr(&complaints), stderr);
	if (!set)
		return;
	ruleset_expand(set, &out);
	fputs(buf_cstr(&out), stdout);
}

static int check_paths(const char *const *paths, size_t n, bool json,
		       bool expand) {
	CLEANUP(ruleset_freep) struct ruleset *set = NULL;
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct ruleset_options options = {
		.today = (int64_t)time(NULL) / (24 * 60 * 60),
	};
	int r = ruleset_load(&set, paths, n, &options, &diag);

	diag_sort(&diag);
	if (json)
		print_json(&diag);
	else if (expand)
		print_expansion(set, &diag);
	else
		print_text(set, &diag);
	return r < 0 ? FINDINGS : CLEAN;
}

static int check(const struct verb *verb, int argc, char **argv) {
	bool json = false, expand = false;
	const struct flag flags[] = {
		{ 'j', "json", NULL, "complaints as JSON, for editors", &json,
		  NULL, NULL },
		{ 'e', "expand", NULL,
		  "print the rules with macros, params and overrides applied",
		  &expand, NULL, NULL },
	};
	int n = flags_parse(verb, flags, ARRAY_SIZE(flags), argc, argv);

	if (n < 0)
		return -1 - n;
	if (n == 0)
		return usage_error(verb, "which files or folders?");
	return check_paths((const char *const *)argv, (size_t)n, json, expand);
}

const struct verb check_verb = {
	.name = "check",
	.summary = "Reads rules and says what is wrong with them, all at once.",
	.arguments = "PATH...",
	.example = "tocsin check rules/",
	.run = check,
};
