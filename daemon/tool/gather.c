#include "tool/gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "event/json.h"

void gather_init(struct gather *gather, const struct ruleset *set) {
	size_t n = set->n_rules ? set->n_rules : 1;

	*gather = (struct gather){ .n_rules = set->n_rules };
	gather->rules = arena_array(&gather->arena, struct gathered_rule, n);
	for (size_t i = 0; i < set->n_rules; i++)
		gather->rules[i].rule = set->rules[i];
}

void gather_free(struct gather *gather) {
	for (size_t i = 0; i < gather->n_rules; i++) {
		struct gathered_rule *rule = &gather->rules[i];

		for (size_t j = 0; j < rule->n; j++)
			free(rule->alerts[j].json);
		free(rule->alerts);
		free(rule->weeks.items);
		free(rule->months.items);
	}
	free(gather->peaks);
	arena_free(&gather->arena);
	arena_free(&gather->scratch);
}

static struct tally_period *tally_insert(struct tally *tally, size_t i,
					 int64_t period) {
	if (tally->n == tally->cap) {
		tally->cap = tally->cap ? 2 * tally->cap : 16;
		tally->items = reallocarray(tally->items, tally->cap,
					    sizeof(*tally->items));
		if (!tally->items)
			abort();
	}
	memmove(&tally->items[i + 1], &tally->items[i],
		(tally->n - i) * sizeof(*tally->items));
	tally->items[i] = (struct tally_period){ .period = period };
	tally->n++;
	return &tally->items[i];
}

/* From the end: alerts come nearly in order of time. */
static uint64_t *tally_at(struct tally *tally, int64_t period) {
	size_t i = tally->n;

	while (i && tally->items[i - 1].period > period)
		i--;
	return i && tally->items[i - 1].period == period
		       ? tally->items[i - 1].by_level
		       : tally_insert(tally, i, period)->by_level;
}

#define LEVEL_BITS UINT64_C(7)

static uint64_t *find_peak(uint64_t *peaks, size_t cap, uint64_t id) {
	size_t i = (id >> 8) & (cap - 1);

	while (peaks[i] && (peaks[i] & ~LEVEL_BITS) != id)
		i = (i + 1) & (cap - 1);
	return &peaks[i];
}

static void grow_peaks(struct gather *gather) {
	size_t cap = gather->peaks_cap ? 2 * gather->peaks_cap : 1024;
	uint64_t *peaks = calloc(cap, sizeof(*peaks));

	if (!peaks)
		abort();
	for (size_t i = 0; i < gather->peaks_cap; i++) {
		uint64_t peak = gather->peaks[i];

		if (peak)
			*find_peak(peaks, cap, peak & ~LEVEL_BITS) = peak;
	}
	free(gather->peaks);
	gather->peaks = peaks;
	gather->peaks_cap = cap;
}

/*
 * Has it risen above all it was? @before is that level; of a new one it is the
 * same. Eight bytes an alert; those beyond PEAKS stay at their first level.
 */
static bool raise_peak(struct gather *gather, const struct outbox_item *item,
		       enum level *before) {
	uint64_t id, *peak;

	memcpy(&id, item->id, sizeof(id));
	id &= ~LEVEL_BITS;
	if (2 * gather->n_peaks >= gather->peaks_cap)
		grow_peaks(gather);
	peak = find_peak(gather->peaks, gather->peaks_cap, id);
	*before = *peak ? (enum level)(*peak & LEVEL_BITS) : item->level;
	if (*peak && item->level <= *before)
		return false;
	if (!*peak && (item->rev > 1 || gather->n_peaks >= PEAKS))
		return item->rev == 1;
	gather->n_peaks += !*peak;
	*peak = id | item->level;
	return true;
}

/* Masked keys look alike; what they are grouped by is part of the name. */
static void name_key(struct gather *gather, const struct gathered_rule *rule,
		     const struct outbox_item *item, struct buf *name) {
	const struct plan *plan = rule->rule->plan;
	const struct json *record, *refs;

	buf_puts(name, item->key);
	if (!plan->by_masks)
		return;
	arena_reset(&gather->scratch);
	if (json_parse(&record, &gather->scratch, item->json, item->json_len))
		return;
	refs = json_get(record, "key_ref");
	for (const struct json *it = refs ? refs->first : NULL; it;
	     it = it->next)
		buf_printf(name, "\n%s", json_text(it));
}

static struct culprit *find_culprit(struct gather *gather,
				    struct gathered_rule *rule,
				    const struct outbox_item *item) {
	CLEANUP(buf_free) struct buf name = { 0 };
	struct culprit *culprit;

	name_key(gather, rule, item, &name);
	culprit = map_get(&rule->culprits, buf_cstr(&name), name.len);
	if (culprit || gather->n_culprits >= CULPRITS)
		return culprit;
	gather->n_culprits++;
	culprit = arena_new(&gather->arena, struct culprit);
	culprit->key = arena_strdup(&gather->arena, item->key);
	map_put(&rule->culprits, &gather->arena, name.data, name.len, culprit);
	return culprit;
}

static void move_level(uint64_t *by_level, const struct outbox_item *item,
		       enum level before) {
	if (item->rev > 1)
		by_level[before]--;
	by_level[item->level]++;
}

static void count_item(struct gather *gather, struct gathered_rule *rule,
		       const struct outbox_item *item) {
	const struct calendar *calendar = rule->rule->plan->calendar;
	struct culprit *culprit;
	enum level before;

	if (!raise_peak(gather, item, &before))
		return;
	culprit = find_culprit(gather, rule, item);
	if (culprit)
		move_level(culprit->by_level, item, before);
	move_level(rule->by_level, item, before);
	move_level(tally_at(&rule->weeks,
			    period_of(calendar, UNIT_WEEK, item->fired)),
		   item, before);
	move_level(tally_at(&rule->months,
			    period_of(calendar, UNIT_MONTH, item->fired)),
		   item, before);
	rule->fired += item->rev == 1;
	rule->untold += item->rev == 1 && !culprit;
}

/* Which is shown first. */
static int compare_alerts(const void *a, const void *b) {
	const struct gathered_alert *x = a, *y = b;

	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	if (x->fired != y->fired)
		return x->fired > y->fired ? -1 : 1;
	return memcmp(x->id, y->id, sizeof(x->id));
}

static void drop_last(struct gather *gather, struct gathered_rule *rule) {
	size_t last = 0;

	for (size_t i = 1; i < rule->n; i++) {
		if (compare_alerts(&rule->alerts[i], &rule->alerts[last]) > 0)
			last = i;
	}
	rule->bytes -= rule->alerts[last].json_len;
	gather->bytes -= rule->alerts[last].json_len;
	gather->n--;
	free(rule->alerts[last].json);
	rule->alerts[last] = rule->alerts[--rule->n];
}

/* Whoever has most gives way. */
static void make_room(struct gather *gather, struct gathered_rule *rule) {
	if (rule->n > SHOWN_OF_RULE)
		drop_last(gather, rule);
	while (gather->n > SHOWN_IN_ALL || gather->bytes > SHOWN_BYTES) {
		struct gathered_rule *most = gather->rules;

		for (size_t i = 1; i < gather->n_rules; i++) {
			if (gather->rules[i].bytes > most->bytes)
				most = &gather->rules[i];
		}
		drop_last(gather, most);
	}
}

static struct gathered_alert *find_alert(struct gather *gather,
					 struct gathered_rule *rule,
					 const struct outbox_item *item) {
	struct gathered_alert *alert;

	for (size_t i = 0; i < rule->n; i++) {
		if (!memcmp(rule->alerts[i].id, item->id, sizeof(item->id)))
			return &rule->alerts[i];
	}
	if (!rule->alerts) /* one more than is kept, until the least goes */
		rule->alerts = calloc(SHOWN_OF_RULE + 1, sizeof(*rule->alerts));
	if (!rule->alerts)
		abort();
	gather->n++;
	alert = &rule->alerts[rule->n++];
	*alert = (struct gathered_alert){ .fired = item->fired };
	memcpy(alert->id, item->id, sizeof(alert->id));
	return alert;
}

static void add_moment(struct gathered_alert *alert,
		       const struct outbox_item *item) {
	if (alert->n == MOMENTS) {
		memmove(&alert->moments[1], &alert->moments[2],
			(MOMENTS - 2) * sizeof(*alert->moments));
		alert->n--;
	}
	alert->moments[alert->n++] = (struct moment){ .at = item->at,
						      .change = item->change,
						      .why = item->why,
						      .level = item->level };
}

/* The record that says most: one of an end has little left to say. */
static bool says_more(const struct gathered_alert *alert,
		      const struct outbox_item *item) {
	return !alert->json || (item->level >= alert->level &&
				item->change != CHANGE_RESOLVED &&
				item->change != CHANGE_WITHDRAWN &&
				item->change != CHANGE_STALE);
}

static void keep_record(struct gather *gather, struct gathered_rule *rule,
			struct gathered_alert *alert,
			const struct outbox_item *item) {
	char *json = malloc(item->json_len);

	if (!json)
		abort();
	memcpy(json, item->json, item->json_len);
	rule->bytes += item->json_len - alert->json_len;
	gather->bytes += item->json_len - alert->json_len;
	free(alert->json);
	alert->json = json;
	alert->json_len = item->json_len;
	alert->level = item->level;
}

static void keep_item(struct gather *gather, struct gathered_rule *rule,
		      const struct outbox_item *item) {
	struct gathered_alert *alert = find_alert(gather, rule, item);

	if (says_more(alert, item))
		keep_record(gather, rule, alert, item);
	alert->state = item->state;
	alert->open = item->open;
	alert->rev = item->rev;
	add_moment(alert, item);
	make_room(gather, rule);
}

void gather_take(struct gather *gather, const struct outbox_item *item) {
	struct gathered_rule *rule;

	if (!item->of)
		return;
	rule = &gather->rules[item->of->rank];
	count_item(gather, rule, item);
	keep_item(gather, rule, item);
}

/* More red ones, then more orange ones …: below 0 if @a is worse. */
static int compare_levels(const uint64_t *a, const uint64_t *b) {
	for (int level = LEVEL_RED; level >= LEVEL_NONE; level--) {
		if (a[level] != b[level])
			return a[level] > b[level] ? -1 : 1;
	}
	return 0;
}

static int compare_rules(const void *a, const void *b) {
	const struct gathered_rule *x = *(const struct gathered_rule *const *)a;
	const struct gathered_rule *y = *(const struct gathered_rule *const *)b;
	int order = compare_levels(x->by_level, y->by_level);

	return order ? order : x->rule->rank - y->rule->rank;
}

void gather_end(struct gather *gather) {
	gather->order =
		arena_array(&gather->arena, const struct gathered_rule *,
			    gather->n_rules + 1);
	for (size_t i = 0; i < gather->n_rules; i++) {
		struct gathered_rule *rule = &gather->rules[i];

		gather->order[i] = rule;
		gather->n_rang += rule->fired > 0;
		if (rule->n)
			qsort(rule->alerts, rule->n, sizeof(*rule->alerts),
			      compare_alerts);
	}
	qsort(gather->order, gather->n_rules, sizeof(*gather->order),
	      compare_rules);
}

size_t gather_culprits(const struct gathered_rule *rule,
		       const struct culprit **worst, size_t most) {
	size_t n = 0;

	for (size_t i = 0; i < rule->culprits.n; i++) {
		const struct culprit *culprit = rule->culprits.values[i];
		size_t at = n < most ? n++ : most;

		/* Who rang first stays before its equals. */
		for (; at && compare_levels(culprit->by_level,
					    worst[at - 1]->by_level) < 0;
		     at--) {
			if (at < most)
				worst[at] = worst[at - 1];
		}
		if (at < most)
			worst[at] = culprit;
	}
	return n;
}
