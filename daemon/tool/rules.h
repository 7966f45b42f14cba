/*
 * Rules: loading them for a verb, complaints and all; and what verbs that read
 * or print figures have in common.
 */
#pragma once

#include "engine/engine.h"

/* Drops warnings: what could be better in the rules is for check to say. */
void rules_keep_errors(struct diag *diag);
/*
 * Loads, and prints errors to stderr. 0, or negative errno after them. Places
 * of the ruleset point into @diag, so it must live as long.
 */
int rules_load(struct ruleset **ret, const char *const *paths, size_t n,
	       const struct ruleset_options *options, struct diag *diag);
/*
 * A time with its offset, or a date, which is the first instant of that day in
 * @zone (NULL: UTC), or the last one if it is the @end. 0 or -EINVAL.
 */
int instant_parse(usec_t *ret, const char *s, const struct zone *zone,
		  bool end);
/* 1234567 as "1,234,567". */
void put_grouped(struct buf *out, uint64_t n);
/* Sums over counters. */
void counts_add_rows(struct stream_counters *all,
		     const struct stream_counters *one);
uint64_t counts_withheld(const struct rule_counters *count);
uint64_t counts_missing(const struct rule_counters *count);
uint64_t counts_evicted(const struct rule_counters *count);
/* A number at the right of a cell, two blanks behind it. */
void put_number_cell(struct buf *out, uint64_t n, size_t columns);
