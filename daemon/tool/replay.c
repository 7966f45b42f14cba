/*
 * The engine of the daemon, fed from files instead of Kafka: the same rows in
 * the same order give the same alerts. Rules in test are shown too, marked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "base/util.h"
#include "feed/file.h"
#include "tool/drive.h"
#include "tool/html.h"
#include "tool/inputs.h"
#include "tool/report.h"
#include "tool/rules.h"
#include "tool/show.h"
#include "tool/verb.h"

#define BATCH 256
#define BAR_COLUMNS 30

enum output { OUT_TABLE, OUT_JSONL, OUT_SUMMARY, OUT_REPORT, OUT_REPORT_JSON };

struct replay {
	struct texts_given paths;
	const char *format, *as_of_text, *language, *labels_path, *floors,
		*html_path;
	bool summary, verbose, sort;
	enum output output;
	struct ruleset *set;
	struct diag diag;
	struct inputs inputs;
	struct labels *labels;
	struct html *html;
	struct file_feed *feed;
	struct driver driver;
	struct columns columns;
	struct arena arena;
	struct buf line;
	bool bar;
	int64_t bar_at; /* when it was drawn last, milliseconds */
};

static int64_t now_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void clear_bar(struct replay *replay) {
	if (replay->bar && replay->bar_at)
		fputs("\r\033[K", stderr);
	replay->bar_at = 0;
}

static void draw_bar(struct replay *replay) {
	CLEANUP(buf_free) struct buf out = { 0 };
	double share = file_feed_progress(replay->feed);
	size_t full = (size_t)(share * BAR_COLUMNS);
	int64_t now;

	if (!replay->bar)
		return;
	now = now_ms();
	if (now - replay->bar_at < 100)
		return;
	replay->bar_at = now;
	full = full > BAR_COLUMNS ? BAR_COLUMNS : full;
	buf_puts(&out, "\r[");
	buf_repeat(&out, '=', full);
	buf_repeat(&out, ' ', BAR_COLUMNS - full);
	buf_printf(&out, "] %3.0f %%  ", share * 100);
	put_grouped(&out, file_feed_rows(replay->feed));
	buf_puts(&out, " rows");
	fputs(buf_cstr(&out), stderr);
}

static void print_item(struct replay *replay, const struct outbox_item *item) {
	const struct json *record;

	buf_reset(&replay->line);
	if (replay->output == OUT_JSONL) {
		buf_add(&replay->line, item->json, item->json_len);
		buf_putc(&replay->line, '\n');
	} else if (!json_parse(&record, &replay->arena, item->json,
			       item->json_len)) {
		show_record(&replay->line, record, &replay->columns);
	}
	if (isatty(STDOUT_FILENO))
		clear_bar(replay);
	fwrite(replay->line.data, 1, replay->line.len, stdout);
}

static void label_item(struct replay *replay, const struct outbox_item *item) {
	const struct json *record = NULL;

	if (item->change == CHANGE_FIRED &&
	    json_parse(&record, &replay->arena, item->json, item->json_len))
		return;
	labels_take(replay->labels, item, record);
}

static void take_item(void *ctx, const struct outbox_item *item) {
	struct replay *replay = ctx;

	arena_reset(&replay->arena);
	if (replay->html)
		html_take(replay->html, item);
	if (replay->labels)
		label_item(replay, item);
	else if (replay->output != OUT_SUMMARY)
		print_item(replay, item);
}

static int fail_file(const char *path, int r) {
	const char *text = strerror(-r);

	if (r == -ENODATA)
		text = "the archive is cut off";
	else if (r == -EBADMSG)
		text = "the archive is broken, or none";
	else if (r == -E2BIG)
		text = "to unpack it takes more than 128 MiB of memory";
	fprintf(stderr, "tocsin replay: %s: %s\n", path, text);
	return FINDINGS;
}

static int run_rows(struct replay *replay) {
	struct event *events[BATCH];
	int n;

	drive_decision(&replay->driver,
		       &(struct decision){ .kind = DECISION_CATCH_UP });
	while ((n = file_feed_next(replay->feed, events, BATCH)) > 0) {
		if (replay->html)
			html_events(replay->html, events, (size_t)n);
		drive_events(&replay->driver, events, (size_t)n);
		draw_bar(replay);
	}
	clear_bar(replay);
	if (n < 0)
		return fail_file(file_feed_path(replay->feed), n);
	drive_decision(&replay->driver,
		       &(struct decision){ .kind = DECISION_END });
	return CLEAN;
}

/* Cells end in blanks; a line does not. */
static void end_line(struct buf *out) {
	while (out->len && out->data[out->len - 1] == ' ')
		out->len--;
	buf_putc(out, '\n');
}

static void put_reasons(struct buf *out, const struct stream_counters *count) {
	const char *before = "  ";

	for (int i = 1; i < REFUSED_MAX; i++) {
		if (!count->refused_by[i])
			continue;
		buf_printf(out, "%s%s ", before, refusal_name((enum refusal)i));
		put_grouped(out, count->refused_by[i]);
		before = ", ";
	}
}

static void put_rows(struct buf *out, const char *name,
		     const struct stream_counters *count) {
	show_cell(out, name, 16);
	put_number_cell(out, count->read, 12);
	put_number_cell(out, count->kept, 12);
	put_number_cell(out, count->refused, 9);
	put_number_cell(out, count->duplicate, 9);
	put_number_cell(out, count->late, 9);
	put_reasons(out, count);
	end_line(out);
}

/* Where each row went: read = kept + refused + duplicate. */
static void print_rows(const struct replay *replay, FILE *to) {
	CLEANUP(buf_free) struct buf out = { 0 };
	struct stream_counters all = { 0 };

	buf_printf(&out, "\n%-16s  %12s  %12s  %9s  %9s  %9s    refused for\n",
		   "rows", "read =", "kept +", "refused +", "duplicate",
		   "late");
	for (size_t i = 0; i < replay->set->n_streams; i++) {
		const struct stream_counters *count =
			engine_stream_counters(replay->driver.engine, i);

		if (!count->read)
			continue;
		put_rows(&out, replay->set->streams[i]->name, count);
		counts_add_rows(&all, count);
	}
	put_rows(&out, "all", &all);
	fputs(buf_cstr(&out), to);
}

static void print_summary(const struct replay *replay) {
	CLEANUP(buf_free) struct buf out = { 0 };

	show_cell(&out, "rule", replay->columns.rule);
	buf_printf(&out, "%11s  %9s  %9s  %9s  %9s  %9s  %9s  %9s  %9s\n",
		   "judged", "fired", "records", "open", "withheld", "missing",
		   "late", "keys", "evicted");
	for (size_t i = 0; i < replay->set->n_rules; i++) {
		const struct rule *rule = replay->set->rules[i];
		const struct rule_counters *count =
			engine_rule_counters(replay->driver.engine, i);
		char *name = NULL;

		if (asprintf(&name, "%s%s", rule->name,
			     rule->status == STATUS_TEST ? " (test)" : "") < 0)
			abort();
		show_cell(&out, name, replay->columns.rule);
		free(name);
		put_number_cell(&out, count->judged, 11);
		put_number_cell(&out, count->fired, 9);
		put_number_cell(&out, count->published, 9);
		put_number_cell(&out, count->open, 9);
		put_number_cell(&out, counts_withheld(count), 9);
		put_number_cell(&out, counts_missing(count), 9);
		put_number_cell(&out, count->late, 9);
		put_number_cell(&out,
				engine_plan_counters(replay->driver.engine,
						     rule->plan->index)
					->keys,
				9);
		put_number_cell(&out, counts_evicted(count), 9);
		end_line(&out);
	}
	fputs(buf_cstr(&out), stdout);
}

static size_t rule_columns(const struct ruleset *set) {
	size_t widest = 4;

	for (size_t i = 0; i < set->n_rules; i++) {
		size_t n = strlen(set->rules[i]->name);

		if (set->rules[i]->status == STATUS_TEST)
			n += strlen(" (test)");
		if (n > widest)
			widest = n;
	}
	return widest;
}

static int report(const struct replay *replay) {
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf below = { 0 };
	struct report report = { 0 };
	int n = 0;

	labels_end(replay->labels);
	report_make(&report, replay->labels, replay->driver.engine);
	if (replay->output == OUT_REPORT_JSON)
		report_json(&report, &out);
	else
		report_table(&report, &out, replay->verbose);
	if (replay->floors)
		n = report_require(&report, replay->floors, &below, NULL);
	report_free(&report);
	fputs(buf_cstr(&out), stdout);
	fputs(buf_cstr(&below), stderr);
	return n ? FINDINGS : CLEAN;
}

static void print_head(const struct replay *replay) {
	CLEANUP(buf_free) struct buf head = { 0 };

	show_head(&head, &replay->columns);
	fputs(buf_cstr(&head), stdout);
}

static const struct zone *first_zone(const struct replay *replay) {
	return replay->set->n_calendars ? &replay->set->calendars[0]->zone
					: NULL;
}

static int write_html(struct replay *replay) {
	const struct html_facts facts = {
		.engine = replay->driver.engine,
		.inputs = &replay->inputs,
		.rules = replay->paths.items,
		.n_rules = replay->paths.n,
		.as_of = replay->driver.poll_time * USEC_PER_SEC,
		.zone = first_zone(replay),
	};
	int r = html_end(replay->html, &facts);

	return r < 0 ? fail_file(replay->html_path, r) : CLEAN;
}

static int replay_rows(struct replay *replay) {
	bool json = replay->output == OUT_JSONL ||
		    replay->output == OUT_REPORT_JSON;
	int r;

	replay->columns.rule = rule_columns(replay->set);
	if (replay->output == OUT_TABLE)
		print_head(replay);
	r = run_rows(replay);
	if (r == CLEAN && replay->output == OUT_SUMMARY)
		print_summary(replay);
	if (r == CLEAN && replay->html)
		r = write_html(replay);
	if (r == CLEAN && replay->labels)
		r = report(replay);
	print_rows(replay, json ? stderr : stdout);
	return r;
}

static int find_inputs(const struct verb *verb, struct replay *replay, size_t n,
		       char **args) {
	CLEANUP(buf_free) struct buf notes = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };
	int r = 0;

	replay->inputs.set = replay->set;
	for (size_t i = 0; i < n && r == 0; i++)
		r = inputs_add(&replay->inputs, args[i], &notes, &why);
	if (r < 0)
		return usage_error(verb, "%s", buf_cstr(&why));
	inputs_absent(&replay->inputs, &notes);
	fputs(buf_cstr(&notes), stderr);
	return CLEAN;
}

static int read_labels(const struct verb *verb, struct replay *replay) {
	CLEANUP(buf_free) struct buf notes = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };
	int r;

	if (!replay->labels_path)
		return CLEAN;
	r = labels_read(&replay->labels, replay->set, replay->labels_path,
			&notes, &why);
	if (r < 0 && why.len)
		return usage_error(verb, "%s", buf_cstr(&why));
	if (r < 0)
		return fail_file(replay->labels_path, r);
	fputs(buf_cstr(&notes), stderr);
	return CLEAN;
}

/* Each line with the file that it is about. */
static void print_notes(const char *path, struct buf *notes) {
	const char *line = buf_cstr(notes);

	while (*line) {
		size_t n = strcspn(line, "\n");

		fprintf(stderr, "%s: %.*s\n", path, (int)n, line);
		line += n + (line[n] == '\n');
	}
}

static int open_input(struct replay *replay, const struct input *input) {
	CLEANUP(buf_free) struct buf notes = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };
	int r = file_feed_add(replay->feed, input->stream, input->path, &notes,
			      &why);

	print_notes(input->path, &notes);
	if (r == 0)
		return CLEAN;
	if (!why.len)
		return fail_file(input->path, r);
	fprintf(stderr, "tocsin replay: %s: %s\n", input->path, buf_cstr(&why));
	return USAGE;
}

/* All of them, so that one run says what is wrong with each. */
static int open_inputs(struct replay *replay) {
	int ret = CLEAN;

	for (size_t i = 0; i < replay->inputs.n; i++) {
		int r = open_input(replay, &replay->inputs.items[i]);

		ret = r > ret ? r : ret;
	}
	return ret;
}

static int parse_as_of(const struct replay *replay, int64_t *ret) {
	usec_t at;

	if (!replay->as_of_text) {
		*ret = (int64_t)time(NULL);
		return 0;
	}
	if (instant_parse(&at, replay->as_of_text, first_zone(replay), false) <
	    0)
		return -EINVAL;
	*ret = at / USEC_PER_SEC;
	return 0;
}

static void say_as_of(const struct replay *replay) {
	CLEANUP(buf_free) struct buf out = { 0 };

	time_format_rfc3339(&out, replay->driver.poll_time * USEC_PER_SEC,
			    first_zone(replay));
	fprintf(stderr, "as of %s\n", buf_cstr(&out));
}

static int open_html(struct replay *replay) {
	int r = 0;

	if (replay->html_path)
		r = html_new(&replay->html, replay->html_path, replay->set,
			     replay->columns.language);
	return r < 0 ? fail_file(replay->html_path, r) : CLEAN;
}

static int start(const struct verb *verb, struct replay *replay) {
	const struct engine_options options = { .shadow = true,
						.check_skew = true };
	int r;

	if (parse_as_of(replay, &replay->driver.poll_time) < 0)
		return usage_error(verb, "--as-of is a date or a time with "
					 "its offset");
	if (!replay->as_of_text)
		say_as_of(replay);
	if (file_feed_new(&replay->feed, 0,
			  replay->driver.poll_time * USEC_PER_SEC) < 0)
		abort();
	if (replay->sort)
		file_feed_sort(replay->feed);
	r = open_inputs(replay);
	if (r)
		return r;
	r = engine_new(&replay->driver.engine, replay->set, &options);
	if (r < 0) {
		fprintf(stderr, "tocsin replay: %s\n", strerror(-r));
		return FINDINGS;
	}
	r = open_html(replay);
	return r ? r : replay_rows(replay);
}

static bool find_output(struct replay *replay) {
	bool labels = replay->labels_path;

	if (!replay->format) {
		replay->format = "table";
		replay->summary =
			replay->summary || (replay->html_path && !labels);
	}
	if (!strcmp(replay->format, "table"))
		replay->output = labels ? OUT_REPORT : OUT_TABLE;
	else if (!strcmp(replay->format, labels ? "json" : "jsonl"))
		replay->output = labels ? OUT_REPORT_JSON : OUT_JSONL;
	else
		return false;
	return true;
}

static int check_flags(const struct verb *verb, struct replay *replay) {
	CLEANUP(buf_free) struct buf why = { 0 };

	if (!replay->paths.n)
		return usage_error(verb, "which rules? -r RULES");
	if (!find_output(replay))
		return usage_error(verb, "--format is table or jsonl, and with "
					 "--labels table or json");
	if (replay->summary && replay->labels_path)
		return usage_error(verb, "--summary or --labels, not both");
	if (replay->summary)
		replay->output = OUT_SUMMARY;
	if (replay->floors && !replay->labels_path)
		return usage_error(verb, "--require asks for --labels");
	if (replay->floors &&
	    report_require(NULL, replay->floors, NULL, &why) < 0)
		return usage_error(verb, "%s", buf_cstr(&why));
	if (!language_find(&replay->columns.language, replay->language))
		return usage_error(verb, "--language is zh or en");
	return CLEAN;
}

static int run(const struct verb *verb, struct replay *replay, int argc,
	       char **argv) {
	const struct ruleset_options options = { 0 };
	const struct flag flags[] = {
		{ 'r', "rules", "PATH", "file or folder of rules; repeatable",
		  NULL, NULL, &replay->paths },
		{ 'f', "format", "table|jsonl|json",
		  "jsonl: records; json: of --labels (default table)", NULL,
		  &replay->format, NULL },
		{ 's', "summary", NULL, "counts per rule instead",
		  &replay->summary, NULL, NULL },
		{ 0, "html", "FILE",
		  "a report to read in a browser, offline, and to print", NULL,
		  &replay->html_path, NULL },
		{ 'L', "labels", "FILE",
		  "per rule: what was planted, what was found", NULL,
		  &replay->labels_path, NULL },
		{ 0, "require", "LIST",
		  "exit 1 if a rule is below: plain=1.0,near=0.95", NULL,
		  &replay->floors, NULL },
		{ 'v', "verbose", NULL, "which labels were missed or rang",
		  &replay->verbose, NULL, NULL },
		{ 0, "sort", NULL,
		  "put each file in order of time first, in memory",
		  &replay->sort, NULL, NULL },
		{ 0, "as-of", "TIME", "both clocks of max_skew (default: now)",
		  NULL, &replay->as_of_text, NULL },
		{ 'l', "language", "zh|en", "of the messages (default zh)",
		  NULL, &replay->language, NULL },
	};
	int n = flags_parse(verb, flags, ARRAY_SIZE(flags), argc, argv);
	int r;

	if (n < 0)
		return -1 - n;
	r = check_flags(verb, replay);
	if (r)
		return r;
	if (n == 0)
		return usage_error(verb,
				   "which events? STREAM=FILE, or a folder");
	if (rules_load(&replay->set, replay->paths.items, replay->paths.n,
		       &options, &replay->diag) < 0)
		return FINDINGS;
	r = find_inputs(verb, replay, (size_t)n, argv);
	if (r == CLEAN)
		r = read_labels(verb, replay);
	return r ? r : start(verb, replay);
}

static int replay_main(const struct verb *verb, int argc, char **argv) {
	struct replay replay = {
		.language = "zh",
		.columns = { .key = 28, .colour = isatty(STDOUT_FILENO) == 1 },
		.bar = isatty(STDERR_FILENO) == 1,
	};
	int r;

	replay.driver.item = take_item;
	replay.driver.ctx = &replay;
	r = run(verb, &replay, argc, argv);
	engine_free(replay.driver.engine);
	file_feed_free(replay.feed);
	html_free(replay.html);
	labels_free(replay.labels);
	inputs_free(&replay.inputs);
	ruleset_free(replay.set);
	diag_free(&replay.diag);
	free(replay.paths.items);
	arena_free(&replay.arena);
	buf_free(&replay.line);
	return r;
}

const struct verb replay_verb = {
	.name = "replay",
	.summary = "Holds files of events against rules: what would have rung.",
	.arguments = "-r RULES FOLDER|STREAM=FILE...",
	.example = "tocsin replay -r rules/ payments=payments.csv.gz "
		   "orders=orders.jsonl\n"
		   "tocsin replay -r rules/ --html report.html city/\n"
		   "tocsin replay -r rules/ --labels city/labels.jsonl city/",
	.run = replay_main,
};
