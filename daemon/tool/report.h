/*
 * Report: how well each rule found what was planted.
 */
#pragma once

#include "engine/engine.h"
#include "tool/labels.h"

struct report_row {
	const struct rule *rule; /* NULL: all of them */
	size_t planted[GRADE_MAX], found[GRADE_MAX];
	size_t all_planted, all_found;
	size_t level_differs;    /* found, but never at the label's level */
	size_t lookalikes, rung; /* cases that must stay silent */
	struct fired fired;
	uint64_t measured; /* alerts of rules that have planted cases */
	uint64_t events;   /* read by the rule's streams */
	usec_t *delays;    /* of those found, ascending: all_found of them */
};

struct report {
	const struct labels *labels;
	struct report_row *rows; /* per rule; the last is of all */
	size_t n;
};

void report_make(struct report *report, const struct labels *labels,
		 const struct engine *engine);
void report_free(struct report *report);
/* A line a rule, columns lined up; @verbose: which cases went wrong. */
void report_table(const struct report *report, struct buf *out, bool verbose);
/* An array of objects, one a rule; what is not defined is null. */
void report_json(const struct report *report, struct buf *out);
/*
 * "plain=1.0,near=0.95": which rules fall below, a line each in @below. How
 * many, or -EINVAL with @why if that is no such list. What no rule has a label
 * for is a line too, because it would hold whatever happens. Without a report
 * (NULL) only the list is looked at.
 */
int report_require(const struct report *report, const char *floors,
		   struct buf *below, struct buf *why);
