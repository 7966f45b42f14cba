/*
 * Caps: who floods pays, and what is over gives its memory back.
 */
#include "engine/accounts.h"
#include "engine/world.h"

#define RULE(more)                                                             \
	WORLD_STREAMS                                                          \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [unit, payee]\n" more

static void pay_to(struct world *w, const char *unit, const char *payee,
		   const char *amount, const char *at) {
	char more[64];

	snprintf(more, sizeof(more), ",\"payee\":\"%s\"", payee);
	pay_with(w, unit, amount, at, more);
}

static void open_capped(struct world *w, const char *yaml, size_t keys) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .max_keys_per_rule = keys };

	world_load(w, yaml);
	world_start(w, &options);
}

#define TWO                                                                    \
	RULE("  window: 90d\n"                                                 \
	     "  measure: {cnt: count()}\n"                                     \
	     "  alert_if: cnt >= 2\n"                                          \
	     "  refresh: 90d\n")

/* S9.2: F holds three of four keys, so one of F's goes, the oldest. */
static void who_floods_pays(void **state) {
	struct world w;

	(void)state;
	open_capped(&w, TWO, 4);
	pay_to(&w, "A", "old", "1", "2026-03-01T00:00:00Z");
	pay_to(&w, "F", "1", "1", "2026-03-02T00:00:00Z");
	pay_to(&w, "F", "2", "1", "2026-03-03T00:00:00Z");
	pay_to(&w, "F", "3", "1", "2026-03-04T00:00:00Z");
	pay_to(&w, "B", "new", "1", "2026-03-05T00:00:00Z");
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 1);
	assert_int_equal(engine_plan_counters(w.engine, 0)->keys, 4);
	pay_to(&w, "A", "old", "1", "2026-03-06T00:00:00Z");
	pay_to(&w, "F", "2", "1", "2026-03-06T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing A / old "
			  "@2026-03-06T00:00:00Z {\"cnt\":2}\n"
			  "fired condition yellow firing F / 2 "
			  "@2026-03-06T00:00:00Z {\"cnt\":2}\n");
	/* F/1 begins anew, in the place of F/3: F/2 rings. */
	pay_to(&w, "F", "1", "1", "2026-03-07T00:00:00Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 2);
	pay_to(&w, "F", "3", "1", "2026-03-08T00:00:00Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 3);
	world_close(&w);
}

static void assert_entries(struct world *w, uint64_t keys, uint64_t entries) {
	const struct plan_counters *plan = engine_plan_counters(w->engine, 0);

	assert_int_equal(plan->keys, keys);
	assert_int_equal(plan->entries, entries);
}

static void open_with_entries(struct world *w, const char *yaml,
			      uint64_t entries) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .max_entries_per_rule = entries };

	world_load(w, yaml);
	world_start(w, &options);
}

#define TWENTY                                                                 \
	RULE("  window: 90d\n"                                                 \
	     "  measure: {cnt: count()}\n"                                     \
	     "  alert_if: cnt >= 20\n")

/* S9.1, S9.2: F has two of three keys, so its older one makes room. */
static void a_rule_s_entries_are_bounded_as_its_keys_are(void **state) {
	struct world w;

	(void)state;
	open_with_entries(&w, TWENTY, 6);
	pay_to(&w, "A", "old", "1", "2026-03-01T00:00:00Z");
	pay_to(&w, "A", "old", "1", "2026-03-01T00:00:00Z");
	pay_to(&w, "F", "1", "1", "2026-03-02T00:00:00Z");
	pay_to(&w, "F", "1", "1", "2026-03-02T00:00:00Z");
	pay_to(&w, "F", "2", "1", "2026-03-03T00:00:00Z");
	pay_to(&w, "F", "2", "1", "2026-03-03T00:00:00Z");
	assert_entries(&w, 3, 6);
	pay_to(&w, "F", "2", "1", "2026-03-04T00:00:00Z");
	assert_entries(&w, 2, 5);
	assert_int_equal(counters(&w)->evicted[LIMIT_ENTRIES], 1);
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 0);
	/* The key that the event is of stays, though it is the oldest. */
	pay_to(&w, "A", "old", "1", "2026-03-05T00:00:00Z");
	pay_to(&w, "A", "old", "1", "2026-03-05T00:00:00Z");
	assert_entries(&w, 1, 4);
	assert_int_equal(counters(&w)->evicted[LIMIT_ENTRIES], 2);
	/* What leaves the window is no entry any more. */
	advance(&w, "2026-09-01T00:00:00Z");
	assert_entries(&w, 0, 0);
	world_close(&w);
}

/* Alone it merges or loses its oldest half, as at max_entries. */
static void a_key_alone_stays_within_its_rule_s_entries(void **state) {
	struct world w;
	int i;

	(void)state;
	open_with_entries(&w, TWENTY, 8);
	for (i = 0; i < 19; i++)
		pay_to(&w, "A", "a", "1", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "");
	assert_true(engine_plan_counters(w.engine, 0)->entries <= 8);
	assert_int_equal(counters(&w)->merged +
				 engine_plan_counters(w.engine, 0)->entries,
			 19);
	assert_int_equal(counters(&w)->evicted[LIMIT_ENTRIES], 0);
	pay_to(&w, "A", "a", "1", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing A / a "
			  "@2026-03-01T00:00:00Z {\"cnt\":20}\n");
	world_close(&w);
}

static const struct outbox_item *item(struct world *w, size_t i) {
	return outbox_at(engine_outbox(w->engine), i);
}

/* S9.2: the older one rings, so the other goes. */
static void a_key_that_rings_stays(void **state) {
	struct world w;

	(void)state;
	open_capped(&w, TWO, 2);
	pay_to(&w, "F", "1", "1", "2026-03-02T00:00:00Z");
	pay_to(&w, "F", "1", "1", "2026-03-02T00:00:00Z");
	pay_to(&w, "F", "2", "1", "2026-03-03T00:00:00Z");
	alerts(&w);
	pay_to(&w, "F", "3", "1", "2026-03-04T00:00:00Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 1);
	/* When its alert has ended it is the oldest and goes. */
	pay_to(&w, "F", "3", "1", "2026-05-20T00:00:00Z");
	advance(&w, "2026-06-01T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing F / 3 "
			  "@2026-05-20T00:00:00Z {\"cnt\":2}\n"
			  "resolved window yellow resolved F / 1 "
			  "@2026-05-31T00:00:00Z {\"cnt\":0}\n");
	pay_to(&w, "A", "1", "1", "2026-06-01T01:00:00Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->open, 1);
	assert_int_equal(engine_plan_counters(w.engine, 0)->keys, 2);
	world_close(&w);
}

/* S9.2, S9.5: where all ring, one is left stale, with a whole record. */
static void where_all_keys_ring_one_leaves_its_alert_stale(void **state) {
	struct world w;
	uint8_t id[16];

	(void)state;
	open_capped(&w, TWO, 2);
	pay_to(&w, "F", "1", "1", "2026-03-02T00:00:00Z");
	pay_to(&w, "F", "1", "1", "2026-03-02T00:00:00Z");
	pay_to(&w, "F", "2", "1", "2026-03-03T00:00:00Z");
	pay_to(&w, "F", "2", "1", "2026-03-03T00:00:00Z");
	assert_int_equal(item(&w, 0)->change, CHANGE_FIRED);
	memcpy(id, item(&w, 0)->id, sizeof(id));
	alerts(&w);
	pay_to(&w, "F", "3", "1", "2026-03-04T00:00:00Z");
	assert_memory_equal(item(&w, 0)->id, id, sizeof(id));
	assert_int_equal(item(&w, 0)->rev, 2);
	assert_int_equal(item(&w, 0)->was, LEVEL_YELLOW);
	assert_true(item(&w, 0)->open);
	assert_non_null(strstr(item(&w, 0)->json,
			       "\"values\":{\"at_fire\":{\"cnt\":2}"));
	assert_non_null(strstr(item(&w, 0)->json,
			       "\"evidence\":{\"count\":2,\"complete\":true"));
	assert_alerts(&w, "stale evicted yellow stale F / 1 "
			  "@2026-03-02T00:00:00Z {\"cnt\":2}\n");
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 1);
	assert_int_equal(counters(&w)->stale, 1);
	assert_int_equal(counters(&w)->open, 1);
	/* What comes later is another alert; nothing ends the stale one. */
	pay_to(&w, "F", "1", "1", "2026-03-05T00:00:00Z");
	pay_to(&w, "F", "1", "1", "2026-03-06T00:00:00Z");
	assert_int_equal(item(&w, 0)->change, CHANGE_FIRED);
	assert_memory_not_equal(item(&w, 0)->id, id, sizeof(id));
	assert_alerts(&w, "fired condition yellow firing F / 1 "
			  "@2026-03-06T00:00:00Z {\"cnt\":2}\n");
	advance(&w, "2026-09-01T00:00:00Z");
	assert_int_equal(engine_outbox(w.engine)->n, 2);
	alerts(&w);
	assert_int_equal(counters(&w)->open, 0);
	assert_int_equal(counters(&w)->no_room, 0);
	world_close(&w);
}

/* S9.5: what stands beneath a coarser key stands when that is evicted. */
static void alerts_beneath_an_evicted_key_stand(void **state) {
	struct world w;

	(void)state;
	open_capped(&w,
		    RULE("  window: 10d\n"
			 "  measure: {cnt: count(), all: {agg: count(), by: "
			 "[unit]}}\n"
			 "  alert_if: cnt >= 1 && all >= 1\n"
			 "  refresh: 0s\n"),
		    1);
	pay_to(&w, "U", "P", "1", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U / P "
			  "@2026-03-01T00:00:00Z {\"cnt\":1,\"all\":1}\n");
	pay_to(&w, "V", "P", "1", "2026-03-02T00:00:00Z");
	assert_alerts(&w, "stale evicted yellow stale U / P "
			  "@2026-03-01T00:00:00Z {\"cnt\":1,\"all\":1}\n"
			  "fired condition yellow firing V / P "
			  "@2026-03-02T00:00:00Z {\"cnt\":1,\"all\":1}\n");
	advance(&w, "2026-04-01T00:00:00Z");
	assert_alerts(&w, "resolved window yellow resolved V / P "
			  "@2026-03-12T00:00:00Z {\"cnt\":0,\"all\":0}\n");
	world_close(&w);
}

/*
 * A flood of keys and of first values; memory stays where it was, though
 * timers of what went have a year to wait.
 */
static void a_long_flood_costs_no_more_than_its_cap(void **state) {
	static const char *const rules[] = {
		TWO,
		RULE("  window: {calendar: year}\n"
		     "  measure: {cnt: count(), who: distinct(payee)}\n"
		     "  every: 90d at 07:00\n"
		     "  alert_if: cnt >= 2\n"),
	};
	struct world w;
	size_t after_some = 0, r;
	char unit[16];
	int i;

	(void)state;
	for (r = 0; r < ARRAY_SIZE(rules); r++) {
		open_capped(&w, rules[r], 16);
		for (i = 0; i < 20000; i++) {
			snprintf(unit, sizeof(unit), "U-%05d", i);
			pay_to(&w, unit, "P", "1", "2026-03-02T00:00:00Z");
			arena_reset(&w.arena);
			if (i == 100)
				after_some = w.engine->pages.used_bytes;
		}
		assert_int_equal(w.engine->pages.used_bytes, after_some);
		assert_int_equal(engine_plan_counters(w.engine, 0)->keys, 16);
		assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 20000 - 16);
		assert_true(w.engine->timers.n < 2000);
		world_close(&w);
	}
}

/* A key in the place of one that was evicted hears none of its timers. */
static void timers_of_the_evicted_concern_nobody(void **state) {
	struct world w;

	(void)state;
	open_capped(&w,
		    RULE("  window: {tumble: 1d}\n"
			 "  measure: {cnt: count()}\n"
			 "  alert_if: cnt >= 2\n"),
		    1);
	pay_to(&w, "U", "P", "1", "2026-03-02T00:00:00Z");
	pay_to(&w, "U", "Q", "1", "2026-03-02T01:00:00Z");
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 1);
	pay_to(&w, "U", "Q", "1", "2026-03-02T02:00:00Z");
	assert_int_equal(counters(&w)->judged, 3);
	alerts(&w);
	advance(&w, "2026-03-03T00:00:00Z");
	assert_int_equal(counters(&w)->judged, 4);
	assert_alerts(&w, "resolved period yellow resolved U / Q "
			  "@2026-03-02T16:00:00Z {\"cnt\":2}\n");
	world_close(&w);
}

static void assert_nothing_is_left(struct world *w) {
	size_t i;

	assert_accounts(w->engine);

	for (i = 0; i < w->set->n_plans; i++) {
		assert_int_equal(engine_plan_counters(w->engine, i)->keys, 0);
		assert_int_equal(engine_plan_counters(w->engine, i)->bytes, 0);
	}
	assert_int_equal(w->engine->pages.used_bytes, 0);
}

/* S9.1, S9.3 */
static void what_is_over_gives_its_memory_back(void **state) {
	static const char *const rules[] = {
		"  window: 10d\n"
		"  measure: {cnt: count(), m: median(amount), who: "
		"distinct(payee), all: {agg: sum(amount), by: [unit]}}\n"
		"  alert_if: cnt >= 2\n",
		"  window: {sliding: 10d, panes: 5}\n"
		"  measure: {cnt: count(), top: max(amount)}\n"
		"  alert_if: cnt >= 2\n"
		"  every: 1d at 07:00\n",
		"  window: {last: 3, max: 10d}\n"
		"  measure: {cnt: count()}\n"
		"  alert_if: cnt >= 2 && prev.amount > 0\n",
		"  window: {tumble: 1d}\n"
		"  measure: {cnt: count(), m: median(amount)}\n"
		"  alert_if: cnt >= 2\n",
		"  window: {calendar: month}\n"
		"  measure: {cnt: count(), total: sum(amount)}\n"
		"  baseline: {b: {of: total, over: 3, min_samples: 1}}\n"
		"  alert_if: cnt >= 2 || total > b.mid\n"
		"  every: 1d at 07:00\n",
		"  window: 10d\n"
		"  measure: {cnt: count()}\n"
		"  alert_if: cnt >= 2 && x > 0.0\n"
		"  on_missing: inconclusive\n",
		"  window: 10d\n"
		"  measure: {cnt: count()}\n"
		"  alert_if: cnt >= 2\n"
		"  max_entries: 2\n"
		"  per: event\n",
		"  alert_if: amount > 0\n"
		"  cooldown: 2d\n",
		"  window: {session: 12h, max: 10d}\n"
		"  max_entries: 2\n"
		"  measure: {cnt: count(), who: distinct(payee)}\n"
		"  alert_if: cnt >= 1\n",
		"  window: {until: {as: done, from: pays, where: 'done.unit == "
		"done.unit'}, max: 2d, judge: each}\n"
		"  measure: {cnt: count()}\n"
		"  alert_if: cnt >= 1\n",
	};
	static const char *const days[] = { "01", "02", "04", "03", "09" };
	char yaml[2048], at[32], payee[8];
	struct world w;
	size_t r, d, k;

	(void)state;
	for (r = 0; r < ARRAY_SIZE(rules); r++) {
		snprintf(yaml, sizeof(yaml), RULE("%s"), rules[r]);
		world_open(&w, yaml);
		for (d = 0; d < ARRAY_SIZE(days); d++)
			for (k = 0; k < 40; k++) {
				snprintf(at, sizeof(at),
					 "2026-03-%sT0%zu:00:00Z", days[d],
					 k % 10);
				snprintf(payee, sizeof(payee), "P-%zu", k);
				pay_to(&w, k % 2 ? "U" : "V", payee, "5", at);
			}
		assert_true(w.engine->pages.used_bytes > 0);
		assert_accounts(w.engine);
		assert_true(counters(&w)->judged > 0);
		/* Twice: the second looks at what the first moved on. */
		advance(&w, "2027-03-01T00:00:00Z");
		alerts(&w);
		advance(&w, "2028-03-01T00:00:00Z");
		alerts(&w);
		assert_int_equal(counters(&w)->open, 0);
		assert_nothing_is_left(&w);
		world_close(&w);
	}
}

/* S9.3: but not that of which `latest` is remembered. */
static void a_key_with_latest_stays_until_it_is_evicted(void **state) {
	struct world w;
	size_t used;

	(void)state;
	open_capped(&w,
		    RULE("  window: 10d\n"
			 "  measure: {who: latest(payee), cnt: count()}\n"
			 "  alert_if: cnt >= 2\n"),
		    1);
	pay_to(&w, "U", "P", "1", "2026-03-02T00:00:00Z");
	advance(&w, "2027-03-01T00:00:00Z");
	assert_int_equal(engine_plan_counters(w.engine, 0)->keys, 1);
	used = w.engine->pages.used_bytes;
	pay_to(&w, "U", "Q", "1", "2027-03-02T00:00:00Z");
	pay_to(&w, "U", "R", "1", "2027-03-03T00:00:00Z");
	advance(&w, "2028-03-01T00:00:00Z");
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 2);
	assert_int_equal(w.engine->pages.used_bytes, used);
	world_close(&w);
}

static void open_bounded(struct world *w, const char *yaml, size_t bytes) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .max_state_bytes = bytes };

	world_load(w, yaml);
	world_start(w, &options);
}

/* By unit and payee, by payee, and without any key. */
#define THREE_PLANS                                                            \
	TWO "- rule: other\n"                                                  \
	    "  title: t\n"                                                     \
	    "  from: pays\n"                                                   \
	    "  by: [payee]\n"                                                  \
	    "  where: unit != 'F' && unit != 'G'\n"                            \
	    "  window: {calendar: year}\n"                                     \
	    "  measure: {total: sum(amount), cnt: count()}\n"                  \
	    "  alert_if: cnt >= 3\n"                                           \
	    "- rule: single\n"                                                 \
	    "  title: t\n"                                                     \
	    "  from: pays\n"                                                   \
	    "  alert_if: amount > 1000\n"

static void payees_of(struct world *w, const char *unit, int n,
		      const char *amount, const char *at) {
	char payee[16];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(payee, sizeof(payee), "%s-%05d", unit, i);
		pay_to(w, unit, payee, amount, at);
		arena_reset(&w->arena);
	}
}

static const struct rule_counters *named(const struct world *w,
					 const char *name) {
	size_t i = 0;

	while (strcmp(w->set->rules[i]->name, name) != 0)
		i++;
	return engine_rule_counters(w->engine, i);
}

static uint64_t keys(const struct world *w, size_t plan) {
	return engine_plan_counters(w->engine, plan)->keys;
}

/*
 * S9.2, S9.4: a flood by one unit through one rule costs that unit its keys in
 * that rule; of others, units and rules, nobody loses any.
 */
static void at_the_limit_of_memory_who_floods_pays(void **state) {
	size_t limit = 512 * 1024, most = 0;
	struct world w;
	int i;

	(void)state;
	open_bounded(&w, THREE_PLANS, limit);
	payees_of(&w, "A", 200, "1", "2026-03-01T00:00:00Z");
	payees_of(&w, "B", 100, "1", "2026-03-01T00:00:00Z");
	assert_int_equal(keys(&w, 0), 300);
	assert_int_equal(keys(&w, 1), 300);
	alerts(&w);
	for (i = 0; i < 10; i++) {
		payees_of(&w, i % 2 ? "F" : "G", 1000, "1",
			  "2026-03-02T00:00:00Z");
		if (w.engine->pages.used_bytes > most)
			most = w.engine->pages.used_bytes;
		alerts(&w);
	}
	assert_accounts(w.engine);
	assert_true(named(&w, "r")->evicted[LIMIT_MEMORY] > 1000);
	assert_int_equal(named(&w, "r")->evicted[LIMIT_KEYS], 0);
	assert_int_equal(named(&w, "r")->no_room, 0);
	assert_int_equal(named(&w, "other")->evicted[LIMIT_MEMORY], 0);
	/* One event's cells at most above it. */
	assert_true(most > limit / 2 && most < limit + 1024);
	/* All of A's and B's are there: the second payment of each rings. */
	payees_of(&w, "A", 200, "1", "2026-03-03T00:00:00Z");
	payees_of(&w, "B", 100, "1", "2026-03-03T00:00:00Z");
	assert_int_equal(engine_outbox(w.engine)->n, 300);
	assert_int_equal(keys(&w, 1), 300);
	world_close(&w);
}

/* S9.4, S9.5: a review is state too; whoever holds most of it pays. */
static void at_the_limit_of_memory_reviews_are_cut_short(void **state) {
	struct world w;
	uint8_t id[16];

	(void)state;
	open_bounded(&w, THREE_PLANS, 256 * 1024);
	payees_of(&w, "A", 200, "1", "2026-03-01T00:00:00Z");
	payees_of(&w, "F", 1, "2000", "2026-03-01T00:00:00Z");
	assert_int_equal(engine_outbox(w.engine)->n, 1);
	memcpy(id, item(&w, 0)->id, sizeof(id));
	while (!named(&w, "single")->stale) {
		alerts(&w);
		assert_true(w.engine->pages.used_bytes < 300 * 1024);
		payees_of(&w, "F", 1, "2000", "2026-03-02T00:00:00Z");
	}
	assert_memory_equal(item(&w, 0)->id, id, sizeof(id));
	assert_int_equal(item(&w, 0)->state, STATE_STALE);
	assert_true(item(&w, 0)->open);
	assert_non_null(strstr(item(&w, 0)->json, "\"why\":\"evicted\""));
	assert_int_equal(named(&w, "r")->evicted[LIMIT_MEMORY], 0);
	assert_accounts(w.engine);
	/* Those that are left end as ever. */
	alerts(&w);
	advance(&w, "2027-03-01T00:00:00Z");
	assert_int_equal(named(&w, "single")->open, 0);
	world_close(&w);
}

/*
 * What was needed once at a cap is not kept for ever: keys that come and go
 * without another eviction would pile up in it.
 */
static void what_chooses_goes_when_it_is_stale(void **state) {
	struct world w;
	char unit[16], at[40];
	int i;

	(void)state;
	open_capped(&w,
		    RULE("  window: 1h\n"
			 "  measure: {cnt: count()}\n"
			 "  alert_if: cnt >= 9\n"),
		    4);
	for (i = 0; i < 5; i++) {
		snprintf(unit, sizeof(unit), "%d", i);
		pay_to(&w, unit, "P", "1", "2026-03-01T00:00:00Z");
	}
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 1);
	assert_non_null(w.engine->plans[0].evictor);
	for (i = 0; i < 2000; i++) {
		snprintf(at, sizeof(at), "%d-%02d-%02dT00:00:00Z",
			 2027 + i / 300, 1 + i % 300 / 25, 1 + i % 25);
		snprintf(unit, sizeof(unit), "N%d", i);
		pay_to(&w, unit, "P", "1", at);
	}
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 1);
	assert_null(w.engine->plans[0].evictor);
	world_close(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_floods_pays),
		cmocka_unit_test(a_rule_s_entries_are_bounded_as_its_keys_are),
		cmocka_unit_test(a_key_alone_stays_within_its_rule_s_entries),
		cmocka_unit_test(a_key_that_rings_stays),
		cmocka_unit_test(
			where_all_keys_ring_one_leaves_its_alert_stale),
		cmocka_unit_test(alerts_beneath_an_evicted_key_stand),
		cmocka_unit_test(a_long_flood_costs_no_more_than_its_cap),
		cmocka_unit_test(timers_of_the_evicted_concern_nobody),
		cmocka_unit_test(what_is_over_gives_its_memory_back),
		cmocka_unit_test(at_the_limit_of_memory_who_floods_pays),
		cmocka_unit_test(at_the_limit_of_memory_reviews_are_cut_short),
		cmocka_unit_test(a_key_with_latest_stays_until_it_is_evicted),
		cmocka_unit_test(what_chooses_goes_when_it_is_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
