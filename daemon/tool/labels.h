/*
 * Labels: cases that were planted in events, and the alerts that found them.
 *
 * JSON lines, one case each:
 *
 *   {"rule": "split-purchase", "expect": "alert", "grade": "near",
 *    "key": {"buyer": "U-40"}, "from": "2025-03-12T12:39:56+08:00",
 *    "time": "2025-03-30T09:12:31+08:00", "note": "four of a third"}
 *
 * `expect` is alert (a planted case) or silence (a lookalike). `grade` is plain
 * (the default), near or hidden. An alert is of a case if it is of the rule, if
 * each field of the case's key is one of the alert's key with the same value
 * (the case may name fewer), and if it fired in [from, until]: from is `time`
 * and until two days behind `time` where they are not given. With `period`, an
 * alert that has a period must have this one, whenever it fired. A date is that
 * whole day, in the rule's zone. Other names of a line are left alone.
 */
#pragma once

#include "alert/outbox.h"
#include "event/json.h"

enum grade { GRADE_PLAIN, GRADE_NEAR, GRADE_HIDDEN, GRADE_MAX };

struct label {
	const struct rule *rule;
	size_t line;
	bool silence;
	enum grade grade;
	const struct json *key; /* NULL: any */
	const char *period;     /* NULL: the times decide */
	enum level level;       /* LEVEL_NONE: any */
	usec_t from, time, until;
	const char *text; /* the line */
	size_t len;
	bool found;
	usec_t first; /* when the earliest of its alerts fired */
	/* After labels_end(): the greatest level of one of its alerts; the
	 * label's, if one of them rose so far and no further. */
	enum level reached;
};

/* What fired of one rule. */
struct fired {
	uint64_t all;
	uint64_t planted;    /* of a planted case */
	uint64_t lookalikes; /* of a lookalike, and of no planted case */
};

struct labels {
	const struct ruleset *set;
	struct arena arena;
	struct label *items; /* by rank of the rule, then by line */
	size_t n;
	const size_t *begins; /* of each rule in items; n_rules + 1 */
	struct fired *fired;  /* per rule */
	struct map *alerts;   /* by id: struct alert, those of a label */
};

/*
 * 0; -EINVAL: a line is wrong, see @why; other negative errno: it cannot be
 * read. What can never be found, and rules that are not here, goes to @notes.
 */
int labels_read(struct labels **ret, const struct ruleset *set,
		const char *path, struct buf *notes, struct buf *why);
void labels_free(struct labels *labels);
void labels_freep(struct labels **labels);
const char *grade_name(enum grade grade);

/* Every transition, in order; @record is needed if it fired. */
void labels_take(struct labels *labels, const struct outbox_item *item,
		 const struct json *record);
/* After the last one. */
void labels_end(struct labels *labels);
