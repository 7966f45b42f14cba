/*
 * List: every aggregate there is, for all.c.
 */
#pragma once

#include "tocsin/aggregate.h"

extern const struct aggregate benford_aggregate;
extern const struct aggregate changed_aggregate;
extern const struct aggregate count_aggregate;
extern const struct aggregate count_if_aggregate;
extern const struct aggregate cv_aggregate;
extern const struct aggregate distinct_aggregate;
extern const struct aggregate entropy_aggregate;
extern const struct aggregate first_aggregate;
extern const struct aggregate gap_cv_aggregate;
extern const struct aggregate hhi_aggregate;
extern const struct aggregate last_aggregate;
extern const struct aggregate latest_aggregate;
extern const struct aggregate lowest_aggregate;
extern const struct aggregate max_aggregate;
extern const struct aggregate max_repeat_aggregate;
extern const struct aggregate max_similar_aggregate;
extern const struct aggregate mean_aggregate;
extern const struct aggregate median_aggregate;
extern const struct aggregate min_aggregate;
extern const struct aggregate new_aggregate;
extern const struct aggregate nth_aggregate;
extern const struct aggregate quantile_aggregate;
extern const struct aggregate share_aggregate;
extern const struct aggregate slope_aggregate;
extern const struct aggregate stdev_aggregate;
extern const struct aggregate streak_aggregate;
extern const struct aggregate sum_aggregate;
extern const struct aggregate sum_if_aggregate;
extern const struct aggregate top_share_aggregate;
extern const struct aggregate transitions_aggregate;
extern const struct aggregate variance_aggregate;
