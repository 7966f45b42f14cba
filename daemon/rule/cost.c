/*
 * Cost: what one key of a rule takes, near enough to choose by.
 */
#include "rule/load.h"

#define KEY_BYTES 40      /* clock, links, hash */
#define PART_BYTES 12     /* of the key's text, each */
#define LAST_BYTES 32     /* the key's last event, without its fields */
#define NEWEST_BYTES 16   /* … if no field is kept and no name */
#define FIELD_BYTES 16    /* each of those */
#define LATEST_BYTES 32   /* value, time, coordinates */
#define ENTRY_BYTES 24    /* time, coordinates, payload hash */
#define PERIOD_BYTES 24   /* number, links */
#define ROW_BYTES 64      /* of a registry: time, coordinates, link */
#define CURVE_BYTES 184   /* to date at each workday of a month */
#define TIMELINE_BYTES 40 /* of windows that events open and close */
#define COHORT_BYTES 120
#define VALUE_BYTES 24 /* time, value, group */
#define RANK_BYTES 16  /* its place, in a block that is rarely full */
#define GROUP_BYTES 64 /* at worst each value has its own */

static bool keeps_state(const struct measure *measure) {
	return !measure->scans && !measure->latest &&
	       measure->keeper == measure->index;
}

bool plan_is_narrow(const struct plan *plan) {
	const struct measure *m;
	size_t n = 0;

	if (plan->window.kind != WINDOW_PANES || plan->evidence)
		return false;
	for (size_t i = 0; i < plan->n_measures; i++) {
		m = &plan->measures[i];
		if (!keeps_state(m))
			continue;
		if (!(m->aggregate->adds >> m->x_type.kind & 1))
			return false;
		n++;
	}
	return n > 0;
}

/* What a window or a period sums up. */
static size_t state_bytes(const struct plan *plan) {
	size_t bytes = 0;

	if (plan->keeps_entries)
		bytes += 16;
	else if (plan->evidence)
		bytes += 24;
	if (plan->window.kind != WINDOW_PANES)
		bytes += 24; /* how good the numbers are */
	for (size_t i = 0; i < plan->n_measures; i++) {
		const struct measure *measure = &plan->measures[i];

		if (keeps_state(measure))
			bytes += measure->aggregate->state_size;
	}
	return plan_is_narrow(plan) ? bytes / 2 : bytes;
}

static size_t latest_bytes(const struct plan *plan) {
	size_t bytes = 0;

	for (size_t i = 0; i < plan->n_measures; i++)
		bytes += plan->measures[i].latest ? LATEST_BYTES : 0;
	return bytes;
}

static size_t entry_bytes(const struct plan *plan) {
	size_t bytes = ENTRY_BYTES + (plan->n_measures + 31) / 32 * 8;

	for (size_t i = 0; i < plan->n_measures; i++)
		bytes += (plan->measures[i].aggregate->takes_x ? 8u : 0u) +
			 (plan->measures[i].weight ? 8u : 0u);
	/* Each may be the last of its window, or one of those shown. */
	if (window_is_stretch(&plan->window))
		bytes +=
			8 + (plan->n_kept + plan->n_evidence + 3) * FIELD_BYTES;
	return bytes;
}

static bool has_periods(const struct plan *plan) {
	return plan->window.kind == WINDOW_TUMBLE ||
	       plan->window.kind == WINDOW_CALENDAR;
}

static size_t period_bytes(const struct plan *plan) {
	size_t bytes = PERIOD_BYTES + state_bytes(plan);

	for (size_t i = 0; i < plan->n_baselines; i++)
		bytes += plan->baselines[i].workday ? CURVE_BYTES : 0;
	return bytes;
}

size_t plan_cell_bytes(const struct plan *plan) {
	size_t panes =
		plan->window.kind == WINDOW_PANES ? plan->window.panes : 1;
	size_t key = KEY_BYTES + LAST_BYTES + latest_bytes(plan) +
		     panes * (state_bytes(plan) + 8) + plan->n_baselines * 8 +
		     64;
	size_t chunk = plan->keeps_entries ? 64 * entry_bytes(plan) + 64 : 0;

	return key > chunk ? key : chunk;
}

static bool is_counted(const struct rule *rule, size_t i, size_t k) {
	const struct baseline *all = rule->plan->baselines;
	const struct plan *plan = all[i].circles[k].plan;

	for (size_t a = 0; a <= i; a++)
		for (size_t b = 0; b < (a == i ? k : all[a].n_circles); b++)
			if (all[a].circles[b].plan == plan)
				return true;
	return false;
}

/* Of all cohorts that an event enters, each once. */
static void peers_cost(const struct rule *rule, struct rule_cost *cost) {
	const struct plan *plan = rule->plan;

	for (size_t i = 0; i < plan->n_baselines; i++)
		for (size_t k = 0; k < plan->baselines[i].n_circles; k++) {
			const struct plan *cohorts =
				plan->baselines[i].circles[k].plan;
			const struct peers *peers = cohorts->peers;
			size_t value = peers->ranked ? RANK_BYTES : 0;

			if (is_counted(rule, i, k))
				continue;
			if (peers->n_same)
				value += value + GROUP_BYTES +
					 peers->n_same * PART_BYTES;
			cost->values = PEERS_MOST;
			cost->value_bytes += VALUE_BYTES + value;
			cost->cohort_bytes +=
				COHORT_BYTES + cohorts->n_by * PART_BYTES;
		}
}

struct rule_cost rule_cost(const struct rule *rule) {
	const struct plan *plan = rule->plan;
	struct rule_cost cost = { 0 };
	size_t panes =
		plan->window.kind == WINDOW_PANES ? plan->window.panes : 1;

	peers_cost(rule, &cost);
	if (plan->window.kind == WINDOW_EVENT && rule->per_event)
		return cost;
	cost.key_bytes =
		KEY_BYTES + plan->n_by * PART_BYTES + latest_bytes(plan);
	if (window_is_stretch(&plan->window))
		cost.key_bytes += TIMELINE_BYTES;
	else if (plan->n_kept)
		cost.key_bytes += LAST_BYTES + plan->n_kept * FIELD_BYTES;
	else if (!rule->per_event && (rule->every.n || has_periods(plan)))
		cost.key_bytes += LAST_BYTES;
	else if (!rule->per_event && (rule->cooldown.n || rule->n_tables))
		cost.key_bytes += NEWEST_BYTES;
	if (plan->keeps_entries) {
		cost.entry_bytes = entry_bytes(plan);
		cost.entries = plan->max_entries;
		if (plan->window.kind == WINDOW_LAST &&
		    plan->window.last < cost.entries)
			cost.entries = plan->window.last;
	}
	if (has_periods(plan)) {
		cost.period_bytes = period_bytes(plan);
		cost.periods = plan->n_periods + 1;
	} else {
		cost.key_bytes += panes * state_bytes(plan);
	}
	cost.most_bytes = cost.key_bytes + cost.entry_bytes * cost.entries +
			  cost.period_bytes * cost.periods;
	return cost;
}

size_t registry_row_bytes(const struct registry *registry) {
	return ROW_BYTES + registry->n_columns * FIELD_BYTES;
}
