/*
 * Plot: small pictures inside a page, drawn without a script.
 *
 * Across in per cent and down in pixels, so that they are as wide as there is
 * room and their words stay as large as the words around them.
 */
#pragma once

#include "tool/gather.h"
#include "tool/page.h"

/* Which periods the bars of all rules share. */
struct plot_axis {
	enum calendar_unit unit; /* UNIT_WEEK or UNIT_MONTH */
	int64_t first, last;
	bool cut; /* there were earlier ones */
};

/* Weeks while they are few, else months; false: nothing fired. */
bool plot_axis(struct plot_axis *ret, const struct gather *gather);
const struct tally *plot_tally(const struct gathered_rule *rule,
			       const struct plot_axis *axis);
/* What fired in each period, by level. */
void plot_fired(struct page *page, const struct tally *tally,
		const struct plot_axis *axis, const struct calendar *calendar);
/* A baseline of a record; @now is what was held against it, NULL: unknown. */
void plot_baseline(struct page *page, const struct json *baseline,
		   const struct json *now);
