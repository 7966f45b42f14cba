/*
 * Each figure is defined once, in one table, by which the text, the JSON and
 * what is required of it go.
 */
#include "tool/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "base/util.h"

/* Nothing to divide by. */
static const double undefined = NAN;

static double share(uint64_t part, uint64_t all) {
	return all ? (double)part / (double)all : undefined;
}

static double recall_of(const struct report_row *row) {
	return share(row->all_found, row->all_planted);
}

static double precision_of(const struct report_row *row) {
	return share(row->fired.planted, row->measured);
}

static double f1_of(const struct report_row *row) {
	double p = precision_of(row), r = recall_of(row);

	if (isnan(p) || isnan(r))
		return undefined;
	return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

static double plain_of(const struct report_row *row) {
	return share(row->found[GRADE_PLAIN], row->planted[GRADE_PLAIN]);
}

static double near_of(const struct report_row *row) {
	return share(row->found[GRADE_NEAR], row->planted[GRADE_NEAR]);
}

static double hidden_of(const struct report_row *row) {
	return share(row->found[GRADE_HIDDEN], row->planted[GRADE_HIDDEN]);
}

static double silence_of(const struct report_row *row) {
	return share(row->lookalikes - row->rung, row->lookalikes);
}

static double rate_of(const struct report_row *row) {
	return 10000 * share(row->fired.all, row->events);
}

/* In seconds; of an even number the middle of the two in the middle. */
static double median_of(const struct report_row *row) {
	size_t n = row->all_found;

	if (!n)
		return undefined;
	return (double)(row->delays[(n - 1) / 2] + row->delays[n / 2]) / 2 /
	       (double)USEC_PER_SEC;
}

static double most_of(const struct report_row *row) {
	size_t n = row->all_found;

	return n ? (double)row->delays[n - 1] / (double)USEC_PER_SEC
		 : undefined;
}

static uint64_t other_of(const struct report_row *row) {
	return row->fired.all - row->fired.planted - row->fired.lookalikes;
}

static void count_label(struct report_row *row, const struct label *label) {
	if (label->silence) {
		row->lookalikes++;
		row->rung += label->found;
		return;
	}
	row->all_planted++;
	row->planted[label->grade]++;
	if (!label->found)
		return;
	row->found[label->grade]++;
	row->level_differs += label->level && label->level != label->reached;
	row->delays[row->all_found++] =
		label->first > label->time ? label->first - label->time : 0;
}

static int by_length(const void *a, const void *b) {
	usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;

	return x < y ? -1 : x > y;
}

static void count_labels(struct report_row *row, const struct label *labels,
			 size_t n) {
	row->delays = calloc(n + 1, sizeof(usec_t));
	if (!row->delays)
		abort();
	for (size_t i = 0; i < n; i++)
		count_label(row, &labels[i]);
	qsort(row->delays, row->all_found, sizeof(usec_t), by_length);
}

static uint64_t events_of(const struct rule *rule,
			  const struct engine *engine) {
	const struct plan *plan = rule->plan;
	uint64_t n = 0;

	for (size_t i = 0; i < plan->n_inputs; i++) {
		const struct stream *stream = plan->inputs[i].stream;
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again = again || plan->inputs[k].stream == stream;
		if (!again)
			n += engine_stream_counters(engine, stream->index)
				     ->read;
	}
	return n;
}

void report_make(struct report *report, const struct labels *labels,
		 const struct engine *engine) {
	const struct ruleset *set = labels->set;
	struct report_row *all;

	report->labels = labels;
	report->n = set->n_rules + 1;
	report->rows = calloc(report->n, sizeof(struct report_row));
	if (!report->rows)
		abort();
	all = &report->rows[set->n_rules];
	count_labels(all, labels->items, labels->n);
	for (size_t i = 0; i < set->n_streams; i++)
		all->events += engine_stream_counters(engine, i)->read;
	for (size_t i = 0; i < set->n_rules; i++) {
		struct report_row *row = &report->rows[i];
		size_t begin = labels->begins[i];

		row->rule = set->rules[i];
		row->fired = labels->fired[i];
		row->events = events_of(row->rule, engine);
		count_labels(row, &labels->items[begin],
			     labels->begins[i + 1] - begin);
		row->measured = row->all_planted ? row->fired.all : 0;
		all->measured += row->measured;
		all->fired.all += row->fired.all;
		all->fired.planted += row->fired.planted;
		all->fired.lookalikes += row->fired.lookalikes;
	}
}

void report_free(struct report *report) {
	for (size_t i = 0; i < report->n; i++)
		free(report->rows[i].delays);
	free(report->rows);
}

/* Cells */

static void put_of(struct buf *out, size_t n, size_t all) {
	if (all)
		buf_printf(out, "%zu/%zu", n, all);
	else
		buf_putc(out, '-');
}

static void put_share(struct buf *out, double x) {
	if (isnan(x))
		buf_putc(out, '-');
	else
		buf_printf(out, "%.3f", x);
}

static void put_length(struct buf *out, double seconds) {
	static const struct {
		double seconds, below;
		const char *name;
	} units[] = {
		{ 1, 120, "s" },
		{ 60, 120 * 60, "min" },
		{ 3600, 48 * 3600, "h" },
		{ 86400, INFINITY, "d" },
	};

	if (isnan(seconds)) {
		buf_putc(out, '-');
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (seconds >= units[i].below)
			continue;
		buf_printf(out, "%.*f %s", i > 1, seconds / units[i].seconds,
			   units[i].name);
		return;
	}
}

static void put_name(struct buf *out, const struct report_row *row) {
	buf_puts(out, row->rule ? row->rule->name : "all");
	if (row->rule && row->rule->status == STATUS_TEST)
		buf_puts(out, " (test)");
}

static void put_planted(struct buf *out, const struct report_row *row) {
	if (row->all_planted)
		buf_printf(out, "%zu", row->all_planted);
	else
		buf_puts(out, "no label");
}

static void put_found(struct buf *out, const struct report_row *row) {
	if (row->all_planted)
		buf_printf(out, "%zu", row->all_found);
	else
		buf_putc(out, '-');
}

static void put_plain(struct buf *out, const struct report_row *row) {
	put_of(out, row->found[GRADE_PLAIN], row->planted[GRADE_PLAIN]);
}

static void put_near(struct buf *out, const struct report_row *row) {
	put_of(out, row->found[GRADE_NEAR], row->planted[GRADE_NEAR]);
}

static void put_hidden(struct buf *out, const struct report_row *row) {
	put_of(out, row->found[GRADE_HIDDEN], row->planted[GRADE_HIDDEN]);
}

static void put_missed(struct buf *out, const struct report_row *row) {
	buf_printf(out, "%zu", row->all_planted - row->all_found);
}

static void put_rung(struct buf *out, const struct report_row *row) {
	if (row->lookalikes)
		buf_printf(out, "%zu of %zu", row->rung, row->lookalikes);
	else
		buf_putc(out, '-');
}

static void put_alerts(struct buf *out, const struct report_row *row) {
	number_format(out, (int64_t)row->fired.all, 0, true);
}

static void put_other(struct buf *out, const struct report_row *row) {
	number_format(out, (int64_t)other_of(row), 0, true);
}

static void put_precision(struct buf *out, const struct report_row *row) {
	put_share(out, precision_of(row));
}

static void put_recall(struct buf *out, const struct report_row *row) {
	put_share(out, recall_of(row));
}

static void put_f1(struct buf *out, const struct report_row *row) {
	put_share(out, f1_of(row));
}

static void put_median(struct buf *out, const struct report_row *row) {
	put_length(out, median_of(row));
}

static void put_most(struct buf *out, const struct report_row *row) {
	put_length(out, most_of(row));
}

static void put_rate(struct buf *out, const struct report_row *row) {
	if (isnan(rate_of(row)))
		buf_putc(out, '-');
	else
		buf_printf(out, "%.2f", rate_of(row));
}

/* The first is at the left of its column, the others at the right. */
static const struct {
	const char *head;
	void (*put)(struct buf *out, const struct report_row *row);
} cells[] = {
	{ "rule", put_name },
	{ "planted", put_planted },
	{ "found", put_found },
	{ "plain", put_plain },
	{ "near", put_near },
	{ "hidden", put_hidden },
	{ "missed", put_missed },
	{ "lookalikes rung", put_rung },
	{ "alerts", put_alerts },
	{ "other", put_other },
	{ "precision", put_precision },
	{ "recall", put_recall },
	{ "F1", put_f1 },
	{ "median delay", put_median },
	{ "max delay", put_most },
	{ "per 10,000", put_rate },
};

static void put_cell(struct buf *out, const struct buf *cell, size_t width,
		     bool last, bool left) {
	size_t blanks = width - text_columns(cell->data, cell->len);

	buf_repeat(out, ' ', left ? 0 : blanks);
	buf_add(out, cell->data, cell->len);
	buf_repeat(out, ' ', last ? 0 : (left ? blanks : 0) + 2);
}

static void make_cell(struct buf *cell, const struct report_row *row,
		      size_t column) {
	buf_reset(cell);
	if (row)
		cells[column].put(cell, row);
	else
		buf_puts(cell, cells[column].head);
}

static void put_line(struct buf *out, const struct report_row *row,
		     const size_t *widths) {
	CLEANUP(buf_free) struct buf cell = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		make_cell(&cell, row, i);
		put_cell(out, &cell, widths[i], i + 1 == ARRAY_SIZE(cells),
			 i == 0);
	}
	buf_putc(out, '\n');
}

static void find_widths(const struct report *report, size_t *widths) {
	CLEANUP(buf_free) struct buf cell = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		widths[i] = strlen(cells[i].head);
		for (size_t k = 0; k < report->n; k++) {
			size_t width;

			make_cell(&cell, &report->rows[k], i);
			width = text_columns(cell.data, cell.len);
			widths[i] = width > widths[i] ? width : widths[i];
		}
	}
}

/* What went wrong with a case; NULL: nothing. */
static const char *fault_of(const struct label *label) {
	if (label->silence)
		return label->found ? "rung" : NULL;
	if (!label->found)
		return "missed";
	return label->level && label->level != label->reached ? "level" : NULL;
}

static void put_faults(const struct report *report, struct buf *out) {
	const struct labels *labels = report->labels;

	for (size_t i = 0; i < labels->n; i++) {
		const struct label *label = &labels->items[i];
		const char *fault = fault_of(label);

		if (!fault)
			continue;
		buf_printf(out, "%-6s  ", fault);
		if (!strcmp(fault, "level"))
			buf_printf(out, "is %s: ", level_name(label->reached));
		buf_add(out, label->text, label->len);
		buf_putc(out, '\n');
	}
}

void report_table(const struct report *report, struct buf *out, bool verbose) {
	size_t widths[ARRAY_SIZE(cells)];

	find_widths(report, widths);
	put_line(out, NULL, widths);
	for (size_t i = 0; i < report->n; i++)
		put_line(out, &report->rows[i], widths);
	if (verbose)
		put_faults(report, out);
}

/* JSON */

static void put_size(struct buf *out, const char *name, uint64_t n) {
	buf_comma(out);
	buf_json_key(out, name);
	buf_int(out, (int64_t)n);
}

static void put_double(struct buf *out, const char *name, double x) {
	buf_comma(out);
	buf_json_key(out, name);
	if (isnan(x))
		buf_puts(out, "null");
	else
		buf_double(out, x);
}

static void put_texts(struct buf *out, const struct report *report,
		      const struct rule *rule, const char *name,
		      const char *fault) {
	const struct labels *labels = report->labels;

	buf_comma(out);
	buf_json_key(out, name);
	buf_putc(out, '[');
	for (size_t i = labels->begins[rule->rank];
	     i < labels->begins[rule->rank + 1]; i++) {
		const struct label *label = &labels->items[i];
		const char *is = fault_of(label);

		if (!is || strcmp(is, fault) != 0)
			continue;
		buf_comma(out);
		buf_add(out, label->text, label->len);
	}
	buf_putc(out, ']');
}

static void put_text(struct buf *out, const char *name, const char *text) {
	buf_comma(out);
	buf_json_key(out, name);
	buf_json_string(out, text, strlen(text));
}

static void put_counts(struct buf *out, const struct report_row *row) {
	put_size(out, "planted", row->all_planted);
	put_size(out, "found", row->all_found);
	for (int i = 0; i < GRADE_MAX; i++) {
		buf_comma(out);
		buf_json_key(out, grade_name((enum grade)i));
		buf_putc(out, '{');
		put_size(out, "planted", row->planted[i]);
		put_size(out, "found", row->found[i]);
		buf_putc(out, '}');
	}
	put_size(out, "missed", row->all_planted - row->all_found);
	put_size(out, "level_differs", row->level_differs);
	put_size(out, "lookalikes", row->lookalikes);
	put_size(out, "lookalikes_rung", row->rung);
	put_size(out, "alerts", row->fired.all);
	put_size(out, "matched", row->fired.planted);
	put_size(out, "false", row->fired.lookalikes);
	put_size(out, "other", other_of(row));
}

static void put_object(struct buf *out, const struct report *report,
		       const struct report_row *row) {
	const struct rule *rule = row->rule;

	buf_comma(out);
	buf_putc(out, '{');
	put_text(out, "rule", rule->name);
	put_text(out, "package", rule->package);
	put_text(out, "status", rule->status == STATUS_TEST ? "test" : "live");
	put_counts(out, row);
	put_double(out, "precision", precision_of(row));
	put_double(out, "recall", recall_of(row));
	put_double(out, "f1", f1_of(row));
	put_double(out, "median_delay_seconds", median_of(row));
	put_double(out, "max_delay_seconds", most_of(row));
	put_size(out, "events", row->events);
	put_double(out, "per_10000", rate_of(row));
	put_texts(out, report, rule, "missed_labels", "missed");
	put_texts(out, report, rule, "rung_labels", "rung");
	put_texts(out, report, rule, "level_labels", "level");
	buf_putc(out, '}');
}

void report_json(const struct report *report, struct buf *out) {
	buf_putc(out, '[');
	for (size_t i = 0; i + 1 < report->n; i++) {
		put_object(out, report, &report->rows[i]);
		buf_putc(out, '\n');
	}
	buf_puts(out, "]\n");
}

/* Floors */

struct floor {
	const char *name;
	double (*of)(const struct report_row *row);
};

static const struct floor floors_known[] = {
	{ "f1", f1_of },
	{ "hidden", hidden_of },
	{ "near", near_of },
	{ "plain", plain_of },
	{ "precision", precision_of },
	{ "recall", recall_of },
	{ "silence", silence_of },
};

static const struct floor *find_floor(const char *name, size_t len) {
	for (size_t i = 0; i < ARRAY_SIZE(floors_known); i++) {
		if (strlen(floors_known[i].name) == len &&
		    !memcmp(floors_known[i].name, name, len))
			return &floors_known[i];
	}
	return NULL;
}

static int hold(const struct report *report, const struct floor *floor,
		double least, struct buf *below) {
	bool any = false;
	int n = 0;

	for (size_t i = 0; i + 1 < report->n; i++) {
		const struct report_row *row = &report->rows[i];
		double is = floor->of(row);

		if (isnan(is))
			continue;
		any = true;
		if (is >= least)
			continue;
		buf_printf(below, "%s: %s is %.4f, below %.4f\n",
			   row->rule->name, floor->name, is, least);
		n++;
	}
	if (any)
		return n;
	buf_printf(below,
		   "%s: there is no label that it could be measured by\n",
		   floor->name);
	return 1;
}

int report_require(const struct report *report, const char *floors,
		   struct buf *below, struct buf *why) {
	int n = 0;

	for (const char *s = floors; *s;) {
		size_t len = strcspn(s, ",");
		const char *sign = memchr(s, '=', len);
		const struct floor *floor =
			sign ? find_floor(s, (size_t)(sign - s)) : NULL;
		double least;

		if (!floor ||
		    number_parse_double(&least, sign + 1,
					(size_t)(s + len - sign - 1))) {
			buf_puts(why, "--require is a list of plain=, near=, "
				      "hidden=, silence=, precision=, recall= "
				      "or f1= with a number, not `");
			buf_add(why, s, len);
			buf_putc(why, '`');
			return -EINVAL;
		}
		if (report)
			n += hold(report, floor, least, below);
		s += len + (s[len] != '\0');
	}
	return n;
}
