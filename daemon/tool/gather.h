/*
 * Gather: what a report shows of a replay, and no more than that.
 *
 * A replay may raise any number of alerts. Kept are counts, and of each rule
 * the severest alerts (among equals the newest), so memory depends on what is
 * shown, not on what was read. How many there were beside them is known.
 *
 * An alert counts at the highest level that it reached, and the record that is
 * kept is the latest at that level: when the last of its events has left the
 * window, the latest record of all has nothing more to show.
 */
#pragma once

#include "alert/outbox.h"
#include "base/map.h"

#define LEVELS (LEVEL_RED + 1)
#define SHOWN_OF_RULE 200
#define SHOWN_IN_ALL 5000
#define SHOWN_BYTES (256u << 20) /* of records */
#define MOMENTS 20               /* of an alert: the first and the latest */
#define CULPRITS 65536           /* keys that are told apart, in all */
#define PEAKS (1u << 22)         /* alerts whose rise is followed, in all */

/* One transition. */
struct moment {
	usec_t at;
	enum alert_change change;
	enum alert_why why;
	enum level level;
};

struct gathered_alert {
	uint8_t id[16];
	usec_t fired;
	enum level level; /* the highest */
	enum alert_state state;
	bool open;
	uint64_t rev; /* transitions; those beyond n are not kept */
	struct moment moments[MOMENTS];
	size_t n;
	char *json; /* the latest record at that level */
	size_t json_len;
};

/* How often a rule fired in each period, ascending; empty ones left out. */
struct tally {
	struct tally_period {
		int64_t period;
		uint64_t by_level[LEVELS];
	} * items;
	size_t n, cap;
};

/* A key, and how many of its alerts reached each level. */
struct culprit {
	const char *key; /* masked */
	uint64_t by_level[LEVELS];
};

struct gathered_rule {
	const struct rule *rule;
	uint64_t fired;
	uint64_t by_level[LEVELS];
	struct gathered_alert *alerts;
	size_t n, bytes;
	struct tally weeks, months;
	struct map culprits;
	uint64_t untold; /* alerts of keys beyond CULPRITS */
};

struct gather {
	struct gathered_rule *rules; /* by rank */
	/* After gather_end(): the worst first, those that rang in front. */
	const struct gathered_rule **order;
	size_t n_rang;
	size_t n_rules;
	size_t n, bytes; /* of the alerts that are kept */
	size_t n_culprits;
	uint64_t *peaks; /* ids but for their low bits, which are the level */
	size_t n_peaks, peaks_cap;
	struct arena arena, scratch;
};

void gather_init(struct gather *gather, const struct ruleset *set);
void gather_free(struct gather *gather);
void gather_take(struct gather *gather, const struct outbox_item *item);
/* Puts what is kept in the order in which it is shown. */
void gather_end(struct gather *gather);
/* The worst keys of a rule: by the most red ones, then orange …; how many. */
size_t gather_culprits(const struct gathered_rule *rule,
		       const struct culprit **worst, size_t most);
