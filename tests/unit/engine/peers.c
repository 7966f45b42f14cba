/*
 * Peers: cohorts against a model that sorts an array at each event, and what
 * becomes of them at their limits.
 */
#include "engine/internal.h"
#include "engine/world.h"

#include <math.h>

#define STREAMS                                                                \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars:\n"                                                         \
	"  cn: {tz: Asia/Shanghai}\n"                                          \
	"streams:\n"                                                           \
	"  bids:\n"                                                            \
	"    topic: bids\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: 2h\n"                                                  \
	"    fields: {item: string, region: string optional, supplier: "       \
	"{type: string, mask: last4}, price: int, x: double, paid: "           \
	"money(CNY), at: timestamp}\n"

#define RULE(name, more)                                                       \
	"- rule: " name "\n"                                                   \
	"  title: t\n"                                                         \
	"  from: bids\n" more

#define COHORT(of, stat)                                                       \
	"{of: " of ", over: 10h, peers: [item], exclude_same: [supplier], "    \
	"stat: " stat "}"

#define MANY 20000
#define MINUTE (60 * USEC_PER_SEC)
#define BEGIN (1772323200 * USEC_PER_SEC) /* 2026-03-01 */
#define OVER (600 * MINUTE)

struct bid {
	unsigned item, supplier;
	int64_t price;
	usec_t at;
};

static void bid_take(struct world *w, const struct bid *bid) {
	struct buf at = { 0 };
	char json[256];

	time_format_rfc3339(&at, bid->at, NULL);
	snprintf(json, sizeof(json),
		 "{\"item\":\"I%u\",\"supplier\":\"S-%05u\",\"price\":%lld,"
		 "\"x\":%.1f,\"paid\":%.2f,\"at\":\"%s\"}",
		 bid->item, bid->supplier, (long long)bid->price,
		 (double)bid->price + 0.5, (double)bid->price + 0.25,
		 buf_cstr(&at));
	buf_free(&at);
	world_take_in(w, "bids", 0, json);
	arena_reset(&w->arena);
}

/* A value of the last alert; NaN: null. */
static double value_named(const struct world *w, const char *name) {
	struct outbox *outbox = engine_outbox(w->engine);
	const struct outbox_item *item = outbox_at(outbox, outbox->n - 1);
	const char *at = strstr(item->json, "\"now\":");
	char key[32];

	assert_non_null(at);
	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(at, key);
	assert_non_null(at);
	at += strlen(key);
	at += *at == '"';
	return *at == 'n' ? (double)NAN : strtod(at, NULL);
}

static void forget_alerts(struct world *w) {
	outbox_drop(engine_outbox(w->engine), engine_outbox(w->engine)->n);
}

/* --- the model --- */

struct model {
	struct bid bids[MANY];
	size_t n;
	usec_t clock[8]; /* per item */
	double sorted[MANY];
	size_t n_sorted;
};

static struct model model;

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What the bid is held against. */
static void model_look(const struct bid *bid, double more) {
	usec_t clock = model.clock[bid->item];
	size_t i;

	if (bid->at > clock)
		model.clock[bid->item] = clock = bid->at;
	model.n_sorted = 0;
	for (i = 0; i < model.n; i++) {
		const struct bid *other = &model.bids[i];

		if (other->item == bid->item && other->at > clock - OVER &&
		    other->supplier != bid->supplier)
			model.sorted[model.n_sorted++] =
				(double)other->price + more;
	}
	qsort(model.sorted, model.n_sorted, sizeof(double), compare);
}

static void model_enter(const struct bid *bid) {
	model.bids[model.n++] = *bid;
}

static double model_quantile(double p) {
	double rank = (double)(model.n_sorted - 1) * p, low = floor(rank);
	size_t k = (size_t)low;

	if (rank - low < 1e-9)
		return model.sorted[k];
	return model.sorted[k] +
	       (model.sorted[k + 1] - model.sorted[k]) * (rank - low);
}

static double model_mad(void) {
	static double deviations[MANY];
	double mid = model_quantile(0.5);
	size_t n = model.n_sorted, i;

	for (i = 0; i < n; i++)
		deviations[i] = fabs(model.sorted[i] - mid);
	qsort(deviations, n, sizeof(double), compare);
	return 1.4826 * (deviations[(n - 1) / 2] + deviations[n / 2]) / 2;
}

static double model_mean(void) {
	double sum = 0;
	size_t i;

	for (i = 0; i < model.n_sorted; i++)
		sum += model.sorted[i];
	return sum / (double)model.n_sorted;
}

static double model_deviation(void) {
	double mean = model_mean(), sum = 0;
	size_t i;

	for (i = 0; i < model.n_sorted; i++)
		sum += (model.sorted[i] - mean) * (model.sorted[i] - mean);
	return sqrt(sum / (double)(model.n_sorted - 1));
}

static void near_(double got, double wanted, double within, int line) {
	if (!(fabs(got - wanted) <= within))
		fail_msg("line %d: %.9g, not %.9g", line, got, wanted);
}

#define near(got, wanted, within) near_(got, wanted, within, __LINE__)

static uint32_t chance(uint32_t *seed) {
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* A minute or none after another, some of them hours late. */
static struct bid bid_make(uint32_t *seed, usec_t *now) {
	struct bid ret;

	*now += chance(seed) % 3 * MINUTE;
	if (chance(seed) % 211 == 0)
		*now += 400 * MINUTE;
	ret.at = *now;
	if (chance(seed) % 7 == 0)
		ret.at -= chance(seed) % 700 * MINUTE;
	ret.item = chance(seed) % 3;
	/* One of them makes half of all offers. */
	ret.supplier = chance(seed) % 2 ? 0 : chance(seed) % 30;
	ret.price = (int64_t)(chance(seed) % 400) - 100;
	if (chance(seed) % 3 == 0)
		ret.price *= 37;
	return ret;
}

#define ALL_STATS                                                                                                                                                              \
	STREAMS                                                                                                                                                                \
	"rules:\n" RULE(                                                                                                                                                       \
		"all",                                                                                                                                                         \
		"  baseline:\n"                                                                                                                                                \
		"    a: " COHORT(                                                                                                                                              \
			"price",                                                                                                                                               \
			"median_mad") "\n"                                                                                                                                     \
				      "    b: " COHORT(                                                                                                                        \
					      "price",                                                                                                                         \
					      "iqr") "\n"                                                                                                                      \
						     "    c: " COHORT(                                                                                                         \
							     "paid",                                                                                                           \
							     "mean_sd") "\n"                                                                                                   \
									"    "                                                                                                 \
									"d:"                                                                                                   \
									" " COHORT(                                                                                            \
										"x",                                                                                           \
										"median_mad") "\n"                                                                             \
											      "    e: " COHORT(                                                                \
												      "x",                                                                     \
												      "mean_sd") "\n"                                                          \
														 "  let: {n: a.n, mad: a.spread, iqr: b.spread, q: b.q(0.9), " \
														 "hi: b.hi(0), sd: c.spread, mean: c.mid, xmid: d.mid, xmad: " \
														 "d.spread, xq: d.q(0.05), xmean: e.mid, xsd: e.spread, mid: " \
														 "num(a.mid)}\n"                                               \
														 "  alert_if: n >= 2\n")

/* S7.11, S7.12, S7.13, S7.15, S7.10 */
static void agrees_with_sorting_all_of_it(void **state) {
	usec_t now = BEGIN;
	uint32_t seed = 7;
	struct world w;
	size_t i, n = 0;

	(void)state;
	model = (struct model){ 0 };
	world_open(&w, ALL_STATS);
	for (i = 0; i < 4000; i++) {
		struct bid bid = bid_make(&seed, &now);

		model_look(&bid, 0);
		bid_take(&w, &bid);
		if (model.n_sorted < 2) {
			assert_int_equal(engine_outbox(w.engine)->n, 0);
			model_enter(&bid);
			continue;
		}
		n++;
		assert_int_equal(value_named(&w, "n"), model.n_sorted);
		/* Of integers mid and q are whole. */
		near(value_named(&w, "mid"), model_quantile(0.5), 0.51);
		near(value_named(&w, "q"), model_quantile(0.9), 0.51);
		near(value_named(&w, "hi"), model_quantile(0.75), 0.51);
		near(value_named(&w, "mad"), model_mad(), 1e-6);
		near(value_named(&w, "iqr"),
		     model_quantile(0.75) - model_quantile(0.25), 1e-6);
		model_look(&bid, 0.25);
		near(value_named(&w, "mean"), model_mean(), 0.005001);
		near(value_named(&w, "sd"), model_deviation(), 1e-6);
		model_look(&bid, 0.5);
		near(value_named(&w, "xmid"), model_quantile(0.5), 1e-6);
		near(value_named(&w, "xq"), model_quantile(0.05), 1e-6);
		near(value_named(&w, "xmad"), model_mad(), 1e-6);
		near(value_named(&w, "xmean"), model_mean(), 1e-6);
		near(value_named(&w, "xsd"), model_deviation(), 1e-6);
		model_enter(&bid);
		forget_alerts(&w);
	}
	/* The test would be blind if cohorts were empty or never left. */
	assert_true(n > 3000);
	world_close(&w);
}

static const struct plan_state *cohorts(const struct world *w) {
	size_t i;

	for (i = 0; i < w->set->n_plans; i++)
		if (w->set->plans[i]->peers)
			return &w->engine->plans[i];
	fail_msg("no cohorts");
	return NULL;
}

#define ONE_RULE(stat, condition)                                              \
	STREAMS                                                                \
	"rules:\n" RULE(                                                       \
		"one",                                                         \
		"  baseline: {a: " COHORT(                                     \
			"price",                                               \
			stat) "}\n"                                            \
			      "  let: {mid: num(a.mid), spread: a.spread, "    \
			      "n: a.n, q: num(a.q(0.99))}\n"                   \
			      "  alert_if: " condition "\n")
#define ONE_STAT(stat) ONE_RULE(stat, "n >= 2")

static bool last_is_exact(const struct world *w) {
	struct outbox *outbox = engine_outbox(w->engine);
	const char *json = outbox_at(outbox, outbox->n - 1)->json;

	return strstr(json, "\"exact\":true") != NULL;
}

/* S7.16: from 10 to a million, spread over five decades. */
static struct bid wide_bid(uint32_t *seed, usec_t at) {
	struct bid ret = { .at = at, .supplier = chance(seed) % 500 };
	int64_t price = 10;
	unsigned i;

	for (i = chance(seed) % 6; i; i--)
		price *= 10;
	ret.price = price + (int64_t)(chance(seed) % (uint32_t)(price * 9));
	return ret;
}

static void look_and_take(struct world *w, const struct bid *bid) {
	forget_alerts(w);
	model_look(bid, 0);
	bid_take(w, bid);
	model_enter(bid);
}

static void above_4096_values_stand_within_one_percent(void **state) {
	struct world w;
	uint32_t seed = 3;
	double exact;
	size_t i;

	(void)state;
	model = (struct model){ 0 };
	world_open(&w, ONE_STAT("median_mad"));
	for (i = 0; i < 4096; i++) {
		struct bid bid = wide_bid(&seed, BEGIN);

		look_and_take(&w, &bid);
	}
	assert_true(last_is_exact(&w));
	for (i = 0; i < 3000; i++) {
		/* The first 4,096 leave in the middle of these. */
		struct bid bid =
			wide_bid(&seed, BEGIN + (usec_t)i * 60 * USEC_PER_SEC);

		look_and_take(&w, &bid);
		assert_int_equal(value_named(&w, "n"), model.n_sorted);
		exact = model_quantile(0.5);
		if (i == 1) {
			assert_false(last_is_exact(&w));
			assert_true(fabs(value_named(&w, "mid") - exact) > 0);
		}
		near(value_named(&w, "mid"), exact, 0.5 + exact / 100);
		exact = model_quantile(0.99);
		near(value_named(&w, "q"), exact, 0.5 + exact / 100);
		if (i == 602)
			assert_true(last_is_exact(&w));
		if (i > 602)
			near(value_named(&w, "spread"), model_mad(), 1e-6);
	}
	assert_int_equal(counters(&w)->lost, 0);
	world_close(&w);
}

/* S7.16 */
static void coarse_sums_of_whole_numbers_stay_exact(void **state) {
	struct world w;
	uint32_t seed = 5;
	size_t i;

	(void)state;
	model = (struct model){ 0 };
	world_open(&w, ONE_STAT("mean_sd"));
	for (i = 0; i < 5000; i++) {
		struct bid bid = wide_bid(&seed, BEGIN + (usec_t)i);

		look_and_take(&w, &bid);
	}
	assert_false(last_is_exact(&w)); /* for .q() asks for ranks */
	near(value_named(&w, "mid"), model_mean(), 0.5);
	near(value_named(&w, "spread"), model_deviation(),
	     model_deviation() * 1e-9);
	world_close(&w);
}

/* S7.16 */
static void beyond_65536_values_the_oldest_leave(void **state) {
	struct world w;
	struct bid bid = { .price = 1 };
	size_t i;

	(void)state;
	world_open(&w, ONE_STAT("iqr"));
	for (i = 0; i < PEERS_MOST + 10; i++) {
		bid.at = BEGIN + (usec_t)i;
		bid.supplier = (unsigned)(i % 1000);
		bid.price = i < 10 ? 1 : 100;
		forget_alerts(&w);
		bid_take(&w, &bid);
	}
	assert_int_equal(counters(&w)->lost, 10);
	bid.supplier = 5000;
	bid_take(&w, &bid);
	assert_int_equal(value_named(&w, "n"), PEERS_MOST);
	assert_int_equal(counters(&w)->lost, 11);
	world_close(&w);
}

static void open_limited(struct world *w, const char *yaml, size_t keys,
			 size_t bytes) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .max_keys_per_rule = keys,
					  .max_state_bytes = bytes };

	world_load(w, yaml);
	world_start(w, &options);
}

#define TWO_FIELDS                                                             \
	STREAMS                                                                \
	"rules:\n" RULE("two",                                                 \
			"  baseline: {a: {of: price, over: 10h, peers: "       \
			"[item, region], stat: median}}\n"                     \
			"  let: {n: a.n}\n"                                    \
			"  alert_if: n >= 1\n")

static void bid_in(struct world *w, const char *item, const char *region,
		   const char *at) {
	char json[256];

	snprintf(json, sizeof(json),
		 "{\"item\":\"%s\",\"region\":\"%s\",\"supplier\":\"S\","
		 "\"price\":1,\"x\":1,\"paid\":1,\"at\":\"%s\"}",
		 item, region, at);
	world_take_in(w, "bids", 0, json);
}

/* S7.17: F holds three of four cohorts, so one of F's goes, the oldest. */
static void who_floods_cohorts_pays(void **state) {
	struct world w;

	(void)state;
	open_limited(&w, TWO_FIELDS, 4, 0);
	bid_in(&w, "A", "old", "2026-03-01T00:00:00Z");
	bid_in(&w, "F", "1", "2026-03-01T00:10:00Z");
	bid_in(&w, "F", "2", "2026-03-01T00:20:00Z");
	bid_in(&w, "F", "3", "2026-03-01T00:30:00Z");
	bid_in(&w, "B", "new", "2026-03-01T00:40:00Z");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->evicted[LIMIT_KEYS], 1);
	assert_int_equal(cohorts(&w)->counters.keys, 4);
	bid_in(&w, "A", "old", "2026-03-01T00:50:00Z");
	bid_in(&w, "F", "2", "2026-03-01T00:50:00Z");
	assert_int_equal(engine_outbox(w.engine)->n, 2);
	bid_in(&w, "F", "1", "2026-03-01T00:50:00Z");
	assert_int_equal(engine_outbox(w.engine)->n, 2);
	world_close(&w);
}

/* S7.17: what has left gives all its memory back. */
static void a_cohort_without_values_is_freed(void **state) {
	struct world w;
	struct decision end = { .kind = DECISION_ADVANCE };
	uint32_t seed = 11;
	usec_t now = BEGIN;
	size_t i;

	(void)state;
	world_open(&w, ONE_STAT("median_mad"));
	for (i = 0; i < 6000; i++) {
		struct bid bid = wide_bid(&seed, now);

		bid.item = chance(&seed) % 2;
		now += chance(&seed) % 3 * USEC_PER_SEC;
		bid_take(&w, &bid);
		forget_alerts(&w);
	}
	assert_int_equal(cohorts(&w)->counters.keys, 2);
	assert_true(cohorts(&w)->groups.n > 900);
	/* Reviews end, too. */
	end.at = now + 200 * USEC_PER_DAY;
	while (!engine_decide(w.engine, &end))
		forget_alerts(&w);
	assert_int_equal(cohorts(&w)->counters.keys, 0);
	assert_int_equal(cohorts(&w)->counters.bytes, 0);
	assert_int_equal(cohorts(&w)->groups.n, 0);
	assert_int_equal(w.engine->pages.used_bytes, 0);
	world_close(&w);
}

/* A market whose values find no memory begins anew, and that is counted. */
static void stands_the_end_of_memory(void **state) {
	struct world w;
	struct buf dump = { 0 };
	uint64_t evicted;
	struct bid bid = { 0 };
	uint32_t seed = 13;
	size_t i;

	(void)state;
	open_limited(&w, ONE_RULE("mean_sd", "n >= 2 && price < 0"), 0,
		     24 * (size_t)PAGE_BYTES);
	for (i = 0; i < 20000; i++) {
		bid = wide_bid(&seed, BEGIN + (usec_t)i * USEC_PER_SEC);
		bid.item = (unsigned)(i % 5);
		bid.supplier = (unsigned)i;
		bid_take(&w, &bid);
	}
	assert_true(counters(&w)->evicted[LIMIT_MEMORY] > 0);
	assert_int_equal(counters(&w)->lost, 0);
	assert_true(w.engine->pages.used_bytes < 25 * (size_t)PAGE_BYTES);
	/* Ten hours later all has left, and there is room again. */
	for (i = 0; i < 5; i++) {
		bid.at += OVER;
		bid.supplier++;
		bid_take(&w, &bid);
	}
	evicted = counters(&w)->evicted[LIMIT_MEMORY];
	for (i = 0; i < 3; i++) {
		bid.at += USEC_PER_SEC;
		bid.supplier++;
		bid_take(&w, &bid);
	}
	assert_int_equal(counters(&w)->evicted[LIMIT_MEMORY], evicted);
	assert_int_equal(cohorts(&w)->counters.keys, 1);
	engine_dump(w.engine, &dump);
	assert_non_null(strstr(buf_cstr(&dump), " 4 of 4:"));
	buf_free(&dump);
	world_close(&w);
}

/* S7.17, S9.2: values count as the entries of windows do. */
static void values_are_capped_as_entries_are(void **state) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .max_entries_per_rule = 50 };
	struct world w;
	struct bid bid = { .at = BEGIN };
	size_t i;

	(void)state;
	world_load(&w, ONE_RULE("mean_sd", "price < 0"));
	world_start(&w, &options);
	for (i = 0; i < 400; i++) {
		bid.at += USEC_PER_SEC;
		bid.item = (unsigned)(i / 20);
		bid.supplier = (unsigned)i;
		bid_take(&w, &bid);
		assert_true(cohorts(&w)->counters.entries <= 50);
	}
	assert_int_equal(counters(&w)->evicted[LIMIT_ENTRIES], 18);
	assert_int_equal(cohorts(&w)->counters.keys, 2);
	assert_int_equal(cohorts(&w)->groups.n, 40);
	assert_int_equal(cohorts(&w)->counters.entries, 40);
	world_close(&w);
}

#define HOURS                                                                  \
	STREAMS                                                                \
	"rules:\n" RULE("hours", "  by: [supplier]\n"                          \
				 "  window: {tumble: 1h}\n"                    \
				 "  measure: {total: sum(price)}\n"            \
				 "  baseline: {a: {of: total, over: 20h, "     \
				 "peers: [item], exclude_same: [supplier], "   \
				 "stat: mean_sd}}\n"                           \
				 "  let: {n: a.n, mid: num(a.mid)}\n"          \
				 "  alert_if: n >= 0\n")

/* S7.18: nothing but its value is left of a key. */
static void values_of_windows_outlive_their_keys(void **state) {
	struct bid bid = { .at = BEGIN };
	struct world w;
	size_t i;

	(void)state;
	world_open(&w, HOURS);
	for (i = 0; i < 5; i++) {
		bid.supplier = (unsigned)i / 2;
		bid.price = (int64_t)i * 100;
		bid_take(&w, &bid);
		assert_int_equal(value_named(&w, "n"), 0);
	}
	bid.at += 18 * 60 * MINUTE;
	bid.supplier = 9;
	bid_take(&w, &bid);
	assert_int_equal(engine_plan_counters(w.engine, 0)->keys, 1);
	assert_int_equal(value_named(&w, "n"), 3);
	assert_true(value_named(&w, "mid") == 333.0);
	/* A second before they are twenty hours old, and then. */
	bid.at = BEGIN + 21 * 60 * MINUTE - USEC_PER_SEC;
	bid.supplier = 1;
	bid_take(&w, &bid);
	assert_int_equal(value_named(&w, "n"), 2);
	bid.at += USEC_PER_SEC;
	bid_take(&w, &bid);
	assert_int_equal(value_named(&w, "n"), 1);
	assert_true(value_named(&w, "mid") == 400.0);
	world_close(&w);
}

/* A cohort that must go while windows give their values away. */
static void windows_that_end_find_room(void **state) {
	struct bid bid = { .at = BEGIN };
	struct world w;
	size_t i;

	(void)state;
	open_limited(&w, HOURS, 20, 0);
	for (i = 0; i < 500; i++) {
		bid.item = (unsigned)i % 70;
		bid.supplier = (unsigned)i % 19;
		bid.price = (int64_t)i;
		bid.at += i % 19 ? 0 : 61 * MINUTE;
		bid_take(&w, &bid);
		forget_alerts(&w);
	}
	assert_int_equal(cohorts(&w)->counters.keys, 20);
	assert_true(counters(&w)->evicted[LIMIT_KEYS] > 50);
	assert_int_equal(counters(&w)->no_room, 0);
	world_close(&w);
}

/* Rules that ask for the same cohorts share them, whatever they are by. */
static void rules_share_cohorts(void **state) {
	struct world w;

	(void)state;
	world_open(
		&w, STREAMS
		"rules:\n" RULE("one",
				"  by: [supplier]\n"
				"  baseline: {a: " COHORT(
					"price",
					"median") "}\n"
						  "  alert_if: price > a.mid\n")
			RULE("two",
			     "  baseline: {b: " COHORT(
				     "price",
				     "iqr") "}\n"
					    "  alert_if: price > b.hi(1.5)\n")
				RULE("other",
				     "  baseline: {b: {of: price, over: "
				     "11h, peers: [item], stat: median}}\n"
				     "  alert_if: price > b.mid\n"));
	assert_int_equal(w.set->n_plans, 4);
	assert_ptr_equal(w.set->rules[0]->plan->baselines[0].circles[0].plan,
			 w.set->rules[2]->plan->baselines[0].circles[0].plan);
	assert_false(w.set->rules[0]
			     ->plan->baselines[0]
			     .circles[0]
			     .plan->peers->summed);
	world_close(&w);
}

/* Which cohort it was, and whom it left out; masked as the fields are. */
static void the_record_names_the_cohort(void **state) {
	static const char wanted[] =
		"\"baselines\":{\"a\":{\"of\":\"price\",\"stat\":\"median\","
		"\"mid\":30,\"spread\":null,\"n\":2,\"unit\":null,\"peers\":{"
		"\"cohort\":{\"item\":\"I0\"},\"without\":{\"supplier\":"
		"\"****0003\"},\"exact\":true}}}";
	static const char young[] =
		"\"peers\":{\"cohort\":null,\"without\":{\"supplier\":"
		"\"****0001\"},\"exact\":true}";
	struct bid bid = { .price = 20, .supplier = 1, .at = BEGIN };
	struct world w;
	const char *json;

	(void)state;
	world_open(&w,
		   STREAMS "rules:\n" RULE(
			   "r",
			   "  baseline: {a: {of: price, over: 10h, peers: "
			   "[item, region], fallback: [[item]], exclude_same: "
			   "[supplier], stat: median, min_samples: 2}}\n"
			   "  alert_if: price > default(a.mid, 0)\n"));
	bid_take(&w, &bid);
	json = outbox_at(engine_outbox(w.engine), 0)->json;
	if (!strstr(json, young))
		fail_msg("%s", json);
	bid.price = 40;
	bid.supplier = 2;
	bid_take(&w, &bid);
	bid.supplier = 3;
	bid_take(&w, &bid);
	json = outbox_at(engine_outbox(w.engine), 2)->json;
	if (!strstr(json, wanted))
		fail_msg("%s", json);
	world_close(&w);
}

/* S7.12, S1.8: elements of one record are of one cohort from the first on. */
static void elements_of_a_record_enter_one_cohort(void **state) {
	struct world w;
	int i;

	(void)state;
	world_open(&w,
		   STREAMS "  joint:\n"
			   "    topic: joint\n"
			   "    time: at\n"
			   "    fields: {item: string, names: list(string), "
			   "price: int, at: timestamp}\n"
			   "rules:\n"
			   "- rule: r\n"
			   "  title: t\n"
			   "  from: joint\n"
			   "  each: names as name\n"
			   "  baseline:\n"
			   "    usual: {of: price, over: 10h, peers: "
			   "[item]}\n"
			   "  let: {seen: usual.n}\n"
			   "  alert_if: seen > 0\n");
	for (i = 0; i < 2; i++)
		world_take_in(&w, "joint", 0,
			      "{\"item\":\"I\",\"names\":[\"a\",\"b\",\"c\"],"
			      "\"price\":1,\"at\":\"2026-03-01T00:00:00Z\"}");
	assert_int_equal(engine_outbox(w.engine)->n, 3);
	assert_true(value_named(&w, "seen") == 3);
	world_close(&w);
}

/* S5.1: what no double can hold is missing, and no number. */
static void a_spread_beyond_all_doubles_is_missing(void **state) {
	static const char *const stats[] = { "iqr", "median_mad" };
	CLEANUP(buf_free) struct buf json = { 0 }, yaml = { 0 };
	struct world w;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(stats); i++) {
		buf_reset(&yaml);
		buf_printf(&yaml,
			   STREAMS "rules:\n" RULE(
				   "r", "  baseline:\n"
					"    usual: {of: x, over: 10h, peers: "
					"[item], stat: %s, min_samples: 2}\n"
					"  let: {s: usual.spread}\n"
					"  alert_if: s > 0\n"),
			   stats[i]);
		world_open(&w, buf_cstr(&yaml));
		for (k = 0; k < 5; k++) {
			buf_reset(&json);
			buf_printf(&json,
				   "{\"item\":\"I\",\"supplier\":\"S\","
				   "\"price\":1,\"x\":%s1.7e308,\"paid\":1,"
				   "\"at\":\"2026-03-01T00:00:0%zuZ\"}",
				   k & 1 ? "-" : "", k);
			world_take_in(&w, "bids", 0, buf_cstr(&json));
		}
		assert_int_equal(counters(&w)->fired, 0);
		assert_true(counters(&w)->missing[MISSING_OVERFLOW] > 0);
		world_close(&w);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_sorting_all_of_it),
		cmocka_unit_test(above_4096_values_stand_within_one_percent),
		cmocka_unit_test(coarse_sums_of_whole_numbers_stay_exact),
		cmocka_unit_test(beyond_65536_values_the_oldest_leave),
		cmocka_unit_test(who_floods_cohorts_pays),
		cmocka_unit_test(a_cohort_without_values_is_freed),
		cmocka_unit_test(stands_the_end_of_memory),
		cmocka_unit_test(values_are_capped_as_entries_are),
		cmocka_unit_test(values_of_windows_outlive_their_keys),
		cmocka_unit_test(windows_that_end_find_room),
		cmocka_unit_test(rules_share_cohorts),
		cmocka_unit_test(the_record_names_the_cohort),
		cmocka_unit_test(elements_of_a_record_enter_one_cohort),
		cmocka_unit_test(a_spread_beyond_all_doubles_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
