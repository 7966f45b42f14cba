/*
 * All aggregates, sorted by name.
 */
#include "aggregate/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

const struct aggregate *const all_aggregates[] = {
	&benford_aggregate,    &changed_aggregate,
	&count_aggregate,      &count_if_aggregate,
	&cv_aggregate,         &distinct_aggregate,
	&entropy_aggregate,    &first_aggregate,
	&gap_cv_aggregate,     &hhi_aggregate,
	&last_aggregate,       &latest_aggregate,
	&lowest_aggregate,     &max_aggregate,
	&max_repeat_aggregate, &max_similar_aggregate,
	&mean_aggregate,       &median_aggregate,
	&min_aggregate,        &new_aggregate,
	&nth_aggregate,        &quantile_aggregate,
	&share_aggregate,      &slope_aggregate,
	&stdev_aggregate,      &streak_aggregate,
	&sum_aggregate,        &sum_if_aggregate,
	&top_share_aggregate,  &transitions_aggregate,
	&variance_aggregate,   NULL,
};

static int compare_name(const void *name, const void *entry) {
	const struct aggregate *const *aggregate = entry;

	return strcmp(name, (*aggregate)->name);
}

const struct aggregate *aggregate_find(const char *name) {
	const struct aggregate *const *found =
		bsearch(name, all_aggregates, ARRAY_SIZE(all_aggregates) - 1,
			sizeof(all_aggregates[0]), compare_name);

	return found ? *found : NULL;
}
