/*
 * Stretch: windows that the events of a key open and close themselves.
 */
#include "engine/world.h"

#define TOP                                                                    \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars:\n"                                                         \
	"  cn: {tz: Asia/Shanghai}\n"                                          \
	"streams:\n"                                                           \
	"  bids:\n"                                                            \
	"    topic: bids\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: 10d\n"                                                 \
	"    fields: {tender: string, bidder: string, price: money(CNY), "     \
	"x: double optional, at: timestamp}\n"                                 \
	"  awards:\n"                                                          \
	"    topic: awards\n"                                                  \
	"    time: at\n"                                                       \
	"    max_delay: 10d\n"                                                 \
	"    fields: {tender: string, supplier: string, kind: string, at: "    \
	"timestamp}\n"                                                         \
	"rules:\n"

#define RULE                                                                   \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: bids\n"                                                       \
	"  by: [tender]\n"

static void bid_with(struct world *w, const char *tender, const char *bidder,
		     const char *price, const char *at, const char *more) {
	char json[256];

	snprintf(json, sizeof(json),
		 "{\"tender\":\"%s\",\"bidder\":\"%s\",\"price\":%s,"
		 "\"at\":\"%sT00:00:00Z\"%s}",
		 tender, bidder, price, at, more);
	world_take_in(w, "bids", 0, json);
}

static void bid(struct world *w, const char *tender, const char *bidder,
		const char *price, const char *at) {
	bid_with(w, tender, bidder, price, at, "");
}

static void award(struct world *w, const char *tender, const char *supplier,
		  const char *at) {
	char json[256];

	snprintf(json, sizeof(json),
		 "{\"tender\":\"%s\",\"supplier\":\"%s\",\"kind\":\"final\","
		 "\"at\":\"%sT00:00:00Z\"}",
		 tender, supplier, at);
	world_take_in(w, "awards", 0, json);
}

static void advance_to(struct world *w, const char *day) {
	char at[40];

	snprintf(at, sizeof(at), "%sT00:00:00Z", day);
	advance(w, at);
}

static uint64_t keys(const struct world *w) {
	return engine_plan_counters(w->engine, 0)->keys;
}

/* What stands at @what in the record before @n others; all of them stay. */
static void assert_has_before(struct world *w, size_t n, const char *what) {
	struct outbox *outbox = engine_outbox(w->engine);
	const char *json;

	assert_true(outbox->n > n);
	json = outbox_at(outbox, outbox->n - 1 - n)->json;
	if (!strstr(json, what))
		fail_msg("no %s in %s", what, json);
}

static void assert_last_has(struct world *w, const char *what) {
	assert_has_before(w, 0, what);
}

/*** sessions ***/

#define SESSION(more)                                                          \
	TOP RULE "  window: {session: 5d" more "}\n"                           \
		 "  measure: {cnt: count(), total: sum(price)}\n"              \
		 "  alert_if: cnt >= 2\n"                                      \
		 "  level: {red: cnt >= 4, yellow: \"true\"}\n"

/* S3.17, S3.19 */
static void a_session_goes_on_while_no_pause_is_longer(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SESSION(""));
	bid(&w, "T", "A", "1", "2026-03-01");
	assert_alerts(&w, "");
	bid(&w, "T", "A", "2", "2026-03-06"); /* five days are not longer */
	assert_alerts(&w, "fired condition yellow firing T "
			  "@2026-03-06T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"3.00\"}\n");
	bid(&w, "T", "A", "4", "2026-03-12"); /* six are */
	assert_alerts(&w, "");
	advance_to(&w, "2026-03-11"); /* a bid of this day would join */
	assert_alerts(&w, "");
	advance(&w, "2026-03-11T00:00:00.000001Z");
	assert_last_has(&w, "\"period\":\"2026-03-01T08:00:00+08:00\","
			    "\"window_start\":\"2026-03-01T08:00:00+08:00\"");
	assert_last_has(&w, "\"window_end\":\"2026-03-11T08:00:00+08:00\"");
	assert_alerts(&w, "resolved period yellow resolved T "
			  "@2026-03-11T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"3.00\"}\n");
	world_close(&w);
}

/* S3.17: in streams without delay the watermark is at the event itself. */
static void an_event_that_is_just_in_time_joins(void **state) {
	struct world w;

	(void)state;
	world_open(&w, WORLD_STREAMS "rules:\n"
				     "- rule: r\n"
				     "  title: t\n"
				     "  from: pays\n"
				     "  by: [unit]\n"
				     "  window: {session: 5d}\n"
				     "  measure: {cnt: count()}\n"
				     "  alert_if: cnt >= 2\n");
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	pay(&w, "U", "1", "2026-03-06T00:00:00Z");
	pay(&w, "U", "1", "2026-03-11T00:00:00.000001Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-06T00:00:00Z {\"cnt\":2}\n"
			  "resolved period yellow resolved U "
			  "@2026-03-11T00:00:00Z {\"cnt\":2}\n");
	world_close(&w);
}

/* S3.17 */
static void a_session_is_no_longer_than_max(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SESSION(", max: 10d"));
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "T", "A", "2", "2026-03-06");
	bid(&w, "T", "A", "4", "2026-03-11"); /* ten days after the first */
	bid(&w, "T", "A", "8", "2026-03-12"); /* eleven: another session */
	bid(&w, "T", "A", "16", "2026-03-13");
	assert_alerts(&w, "fired condition yellow firing T "
			  "@2026-03-06T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"3.00\"}\n"
			  "updated condition yellow firing T "
			  "@2026-03-11T00:00:00Z "
			  "{\"cnt\":3,\"total\":\"7.00\"}\n"
			  "fired condition yellow firing T "
			  "@2026-03-13T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"24.00\"}\n");
	advance_to(&w, "2026-04-13");
	assert_alerts(&w, "resolved period yellow resolved T "
			  "@2026-03-11T00:00:00Z "
			  "{\"cnt\":3,\"total\":\"7.00\"}\n"
			  "resolved period yellow resolved T "
			  "@2026-03-18T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"24.00\"}\n");
	world_close(&w);
}

/* S3.18 */
static void what_joins_two_sessions_leaves_the_older_alert(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SESSION("") "  refresh: 90d\n");
	bid(&w, "T", "A", "4", "2026-03-10");
	bid(&w, "T", "A", "8", "2026-03-11");
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "T", "A", "2", "2026-03-02");
	assert_alerts(&w, "fired condition yellow firing T "
			  "@2026-03-11T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"12.00\"}\n"
			  "fired condition yellow firing T "
			  "@2026-03-02T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"3.00\"}\n");
	assert_int_equal(counters(&w)->open, 2);
	bid(&w, "T", "A", "16", "2026-03-06");
	assert_last_has(&w, "\"period\":\"2026-03-01T08:00:00+08:00\"");
	assert_alerts(&w, "withdrawn merged yellow withdrawn T "
			  "@2026-03-06T00:00:00Z "
			  "{\"cnt\":5,\"total\":\"31.00\"}\n"
			  "raised condition red firing T "
			  "@2026-03-06T00:00:00Z "
			  "{\"cnt\":5,\"total\":\"31.00\"}\n");
	assert_int_equal(counters(&w)->open, 1);
	advance_to(&w, "2026-04-13");
	assert_alerts(&w, "resolved period red resolved T "
			  "@2026-03-16T00:00:00Z "
			  "{\"cnt\":5,\"total\":\"31.00\"}\n");
	world_close(&w);
}

/* S3.18, S3.20: where it begins is known better now; its name stays. */
static void an_earlier_event_opens_a_session_earlier(void **state) {
	struct world w;
	char id[64];

	(void)state;
	world_open(&w, SESSION(""));
	bid(&w, "T", "A", "1", "2026-03-10");
	bid(&w, "T", "A", "2", "2026-03-11");
	snprintf(id, sizeof(id), "%.50s",
		 strstr(outbox_at(engine_outbox(w.engine), 0)->json, "\"id\""));
	alerts(&w);
	bid(&w, "T", "A", "4", "2026-03-05");
	bid(&w, "T", "A", "8", "2026-03-12");
	assert_last_has(&w, id);
	assert_last_has(&w, "\"period\":\"2026-03-10T08:00:00+08:00\","
			    "\"window_start\":\"2026-03-05T08:00:00+08:00\"");
	assert_alerts(&w, "raised condition red firing T "
			  "@2026-03-12T00:00:00Z "
			  "{\"cnt\":4,\"total\":\"15.00\"}\n");
	world_close(&w);
}

/* S3.25 */
static void what_is_over_takes_nothing_any_more(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SESSION(""));
	bid(&w, "T", "A", "1", "2026-03-01");
	advance_to(&w, "2026-03-20");
	bid(&w, "T", "A", "2", "2026-03-06"); /* of the one that is over */
	assert_int_equal(counters(&w)->late_closed, 1);
	bid(&w, "T", "A", "4", "2026-03-10"); /* its own would be over */
	assert_int_equal(counters(&w)->late_closed, 2);
	bid(&w, "T", "A", "8", "2026-03-16"); /* late, but open: till 21 */
	bid(&w, "T", "A", "16", "2026-03-14");
	assert_int_equal(counters(&w)->late_closed, 2);
	assert_alerts(&w, "fired late yellow firing T "
			  "@2026-03-14T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"24.00\"}\n");
	world_close(&w);
}

/* S3.14, S2.14: at its end a session still knows its own last event. */
static void at_its_end_fields_are_of_its_own_last_event(void **state) {
	struct world w;

	(void)state;
	world_open(&w,
		   TOP RULE "  window: {session: 5d}\n"
			    "  measure: {cnt: count()}\n"
			    "  let: {who: bidder, was: \"default(prev.bidder, "
			    "'none')\"}\n"
			    "  alert_if: cnt >= 2\n"
			    "  refresh: 90d\n");
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "T", "B", "1", "2026-03-03");
	bid(&w, "T", "C", "1", "2026-03-02");
	bid(&w, "T", "D", "1", "2026-03-09");
	alerts(&w);
	advance_to(&w, "2026-04-09");
	assert_alerts(&w, "resolved period yellow resolved T "
			  "@2026-03-08T00:00:00Z "
			  "{\"cnt\":3,\"who\":\"B\",\"was\":\"C\"}\n");
	world_close(&w);
}

/* What came of the next window takes no place from what is shown of this. */
static void each_window_shows_its_own_records(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP RULE "  window: {session: 2d}\n"
				"  measure: {cnt: count()}\n"
				"  alert_if: cnt == 3\n"
				"  evidence: {count: 2, fields: [bidder]}\n");
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "T", "B", "1", "2026-03-02");
	bid(&w, "T", "X", "1", "2026-03-06");
	bid(&w, "T", "Y", "1", "2026-03-07");
	bid(&w, "T", "C", "1", "2026-03-03");
	assert_last_has(&w, "\"evidence\":{\"count\":3,\"complete\":true");
	assert_last_has(&w, "\"fields\":{\"bidder\":\"C\"}");
	assert_last_has(&w, "\"fields\":{\"bidder\":\"B\"}");
	world_close(&w);
}

#define LOOKED_AT SESSION("") "  every: 1d\n"

/*
 * S3.25: what was not taken leaves nothing behind, also where another key's
 * entries came to lie in its place.
 */
static void a_bid_that_is_over_is_forgotten_at_once(void **state) {
	struct world w;
	int i;

	(void)state;
	world_open(&w, LOOKED_AT);
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "Z", "A", "1", "2026-04-01");
	bid(&w, "T", "A", "1", "2026-03-10");
	assert_int_equal(counters(&w)->late_closed, 1);
	for (i = 0; i < 2; i++)
		bid(&w, "U", "A", "1", "2026-03-31");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-31T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"2.00\"}\n");
	bid(&w, "T", "A", "1", "2026-03-31");
	assert_alerts(&w, "");
	world_close(&w);
}

/* S9.3: looking at a key does not keep it. */
static void a_key_that_is_looked_at_goes_all_the_same(void **state) {
	struct world w;

	(void)state;
	world_open(&w, LOOKED_AT);
	bid(&w, "T", "A", "1", "2026-03-01");
	advance_to(&w, "2026-03-10");
	assert_int_equal(keys(&w), 1);
	advance_to(&w, "2026-03-20");
	assert_int_equal(keys(&w), 0);
	world_close(&w);
}

/* S3.26 */
static void a_long_session_keeps_what_folds(void **state) {
	struct world w;
	char at[16];
	int i;

	(void)state;
	world_open(&w, TOP RULE "  window: {session: 5d}\n"
				"  max_entries: 4\n"
				"  measure: {cnt: count(), total: sum(price)}\n"
				"  alert_if: cnt >= 20\n");
	for (i = 1; i <= 20; i++) {
		snprintf(at, sizeof(at), "2026-03-%02d", i);
		bid(&w, "T", "A", "1", at);
	}
	assert_last_has(&w, "\"evidence\":{\"count\":20,\"complete\":false");
	assert_last_has(&w, "\"merged\":18");
	assert_alerts(&w, "fired condition yellow firing T "
			  "@2026-03-20T00:00:00Z "
			  "{\"cnt\":20,\"total\":\"20.00\"}\n");
	assert_int_equal(counters(&w)->merged, 18);
	/* The next one begins from nothing. */
	bid(&w, "T", "A", "1", "2026-03-26");
	advance_to(&w, "2026-04-26");
	assert_alerts(&w, "resolved period yellow resolved T "
			  "@2026-03-25T00:00:00Z "
			  "{\"cnt\":20,\"total\":\"20.00\"}\n");
	world_close(&w);
}

/* S3.26 */
static void a_long_session_loses_what_cannot_fold(void **state) {
	struct world w;
	char at[16];
	int i;

	(void)state;
	world_open(&w, TOP RULE "  window: {session: 5d}\n"
				"  max_entries: 4\n"
				"  measure: {cnt: count(), d: "
				"distinct(bidder)}\n"
				"  alert_if: cnt >= 9\n");
	for (i = 1; i <= 9; i++) {
		snprintf(at, sizeof(at), "2026-03-%02d", i);
		bid(&w, "T", i & 1 ? "A" : "B", "1", at);
	}
	assert_last_has(&w, "\"lost\":6");
	assert_alerts(&w, "fired condition yellow firing T "
			  "@2026-03-09T00:00:00Z {\"cnt\":9,\"d\":2}\n");
	assert_int_equal(counters(&w)->lost, 6);
	world_close(&w);
}

/* S2.11 */
static void rules_of_one_plan_see_the_same_end(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP RULE "  window: {session: 5d}\n"
				"  measure: {cnt: count()}\n"
				"  alert_if: cnt >= 2\n"
				"- rule: s\n"
				"  title: t\n"
				"  from: bids\n"
				"  by: [tender]\n"
				"  window: {session: 5d}\n"
				"  measure: {total: sum(price)}\n"
				"  alert_if: total >= 3\n");
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "S", "A", "1", "2026-03-01");
	bid(&w, "T", "A", "2", "2026-03-02");
	bid(&w, "S", "A", "2", "2026-03-02");
	alerts(&w);
	advance_to(&w, "2026-04-01");
	assert_alerts(&w, "resolved period yellow resolved T "
			  "@2026-03-07T00:00:00Z {\"cnt\":2}\n"
			  "resolved period yellow resolved S "
			  "@2026-03-07T00:00:00Z {\"cnt\":2}\n"
			  "resolved period yellow resolved T "
			  "@2026-03-07T00:00:00Z {\"total\":\"3.00\"}\n"
			  "resolved period yellow resolved S "
			  "@2026-03-07T00:00:00Z {\"total\":\"3.00\"}\n");
	world_close(&w);
}

/* S9.2: its window's entries had been too many, and left before it did. */
static void an_evicted_key_names_a_window_that_is_lost(void **state) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .max_keys_per_rule = 1 };
	struct world w;

	(void)state;
	world_load(&w, SESSION("") "  max_entries: 4\n");
	world_start(&w, &options);
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "T", "A", "1", "2026-03-02");
	bid(&w, "T", "A", "1", "2026-03-08");
	bid(&w, "T", "A", "1", "2026-03-09");
	bid(&w, "T", "A", "1", "2026-03-15");
	alerts(&w);
	bid(&w, "S", "A", "1", "2026-03-09");
	assert_has_before(&w, 1,
			  "\"period\":\"2026-03-01T08:00:00+08:00\","
			  "\"window_start\":\"2026-03-01T08:00:00+08:00\"");
	assert_last_has(&w, "\"merged\":1");
	assert_alerts(&w, "stale evicted yellow stale T "
			  "@2026-03-15T00:00:00Z "
			  "{\"cnt\":0,\"total\":\"0.00\"}\n"
			  "stale evicted yellow stale T "
			  "@2026-03-15T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"2.00\"}\n");
	world_close(&w);
}

/* S9.3: a key that is over goes when no event could still be of it. */
static void a_key_goes_when_its_last_session_is_long_over(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SESSION(""));
	bid(&w, "T", "A", "1", "2026-03-01");
	advance_to(&w, "2026-03-10");
	assert_int_equal(keys(&w), 1);
	advance_to(&w, "2026-03-20");
	assert_int_equal(keys(&w), 0);
	world_close(&w);
}

/* S2.16 */
static void every_looks_at_the_session_of_its_time(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP RULE "  window: {session: 5d}\n"
				"  every: 1d at 00:00\n"
				"  measure: {cnt: count(), end: last(at)}\n"
				"  let: {idle: now - end}\n"
				"  alert_if: idle > duration('80h')\n");
	bid(&w, "T", "A", "1", "2026-03-01");
	advance_to(&w, "2026-03-20");
	assert_alerts(&w, "fired condition yellow firing T "
			  "@2026-03-04T16:00:00Z "
			  "{\"cnt\":1,\"end\":\"2026-03-01T08:00:00+08:00\","
			  "\"idle\":\"88h\"}\n"
			  "resolved period yellow resolved T "
			  "@2026-03-06T00:00:00Z "
			  "{\"cnt\":1,\"end\":\"2026-03-01T08:00:00+08:00\","
			  "\"idle\":\"5d\"}\n");
	world_close(&w);
}

/* The @i-th of all orders of @n. */
static void permute(int i, int n, int *order) {
	int k, place;

	for (k = 0; k < n; k++) {
		place = i % (k + 1);
		i /= k + 1;
		memmove(order + place + 1, order + place,
			(size_t)(k - place) * sizeof(*order));
		order[place] = k;
	}
}

/* The resolved ones alone: what fired on the way depends on the order. */
static void assert_resolved(struct world *w, const char *expected) {
	struct buf found = { 0 };
	char *lines = strdup(alerts(w)), *rest = lines, *line;

	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, "resolved", 8))
			buf_printf(&found, "%s\n", line);
	assert_string_equal(buf_cstr(&found), expected);
	buf_free(&found);
	free(lines);
}

/* S3.18: also where max cuts, and what is joined was looked at before. */
static void sessions_end_alike_in_any_order(void **state) {
	static const char *const days[] = { "2026-03-01", "2026-03-02",
					    "2026-03-03", "2026-03-04",
					    "2026-03-05", "2026-03-09" };
	static const char *const prices[] = { "1", "2", "4", "8", "16", "32" };
	enum { N = 6, ALL = 720 };
	struct world w;
	int i, k, order[N];

	(void)state;
	for (i = 0; i < ALL; i++) {
		world_open(&w, TOP RULE "  window: {session: 1d, max: 2d}\n"
					"  measure: {total: sum(price), "
					"names: distinct(bidder)}\n"
					"  alert_if: total > 0\n");
		permute(i, N, order);
		for (k = 0; k < N; k++)
			bid(&w, "T", "A", prices[order[k]], days[order[k]]);
		advance_to(&w, "2026-04-30");
		assert_resolved(&w, "resolved period yellow resolved T "
				    "@2026-03-03T00:00:00Z "
				    "{\"total\":\"7.00\",\"names\":1}\n"
				    "resolved period yellow resolved T "
				    "@2026-03-06T00:00:00Z "
				    "{\"total\":\"24.00\",\"names\":1}\n"
				    "resolved period yellow resolved T "
				    "@2026-03-10T00:00:00Z "
				    "{\"total\":\"32.00\",\"names\":1}\n");
		assert_int_equal(counters(&w)->open, 0);
		world_close(&w);
	}
}

/*** until ***/

#define UNTIL(window, more)                                                    \
	TOP RULE "  window: {until: {as: award, from: awards}, " window "}\n"  \
		 "  measure: {cnt: count()}\n"                                 \
		 "  let: {won: \"default(award.supplier, 'nobody')\"}\n" more

#define SINGLE UNTIL("max: 30d", "  alert_if: cnt == 1\n")

/* S3.21, S3.23 */
static void a_window_is_judged_once_when_it_was_closed(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SINGLE);
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "S", "A", "1", "2026-03-01");
	bid(&w, "S", "B", "1", "2026-03-02");
	award(&w, "T", "A", "2026-03-04");
	award(&w, "S", "B", "2026-03-04");
	advance_to(&w, "2026-03-04");
	assert_alerts(&w, "");
	advance(&w, "2026-03-04T00:00:00.000001Z");
	assert_last_has(&w, "\"open\":true");
	assert_last_has(&w, "\"period\":\"2026-03-01T08:00:00+08:00\","
			    "\"window_start\":\"2026-03-01T08:00:00+08:00\"");
	assert_last_has(&w, "\"window_end\":\"2026-03-04T08:00:00+08:00\"");
	assert_last_has(&w, "\"evidence\":{\"count\":1,\"complete\":true");
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-03-04T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"A\"}\n");
	assert_int_equal(counters(&w)->judged, 2);
	/* Like the alert of an event it waits for people, then it is over. */
	advance_to(&w, "2026-06-01");
	assert_alerts(&w, "");
	advance_to(&w, "2026-06-02");
	assert_last_has(&w, "\"open\":false");
	assert_last_has(&w, "\"period\":\"2026-03-01T08:00:00+08:00\"");
	assert_alerts(&w, "updated window yellow resolved T "
			  "@2026-06-02T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"A\"}\n");
	world_close(&w);
}

/* S3.21: what nothing closes is closed by max. */
static void a_window_ends_at_max(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SINGLE);
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "S", "A", "1", "2026-03-01");
	bid(&w, "S", "A", "1", "2026-03-31"); /* inside */
	bid(&w, "U", "A", "1", "2026-03-01");
	award(&w, "U", "A", "2026-03-31");
	bid(&w, "V", "A", "1", "2026-03-01");
	award(&w, "V", "A", "2026-04-01"); /* a day too late */
	advance_to(&w, "2026-04-20");
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-03-31T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"nobody\"}\n"
			  "fired condition yellow resolved U "
			  "@2026-03-31T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"A\"}\n"
			  "fired condition yellow resolved V "
			  "@2026-03-31T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"nobody\"}\n");
	assert_int_equal(counters(&w)->no_window, 1);
	world_close(&w);
}

/* S3.21: after the close the key may open anew. */
static void after_its_close_a_key_opens_anew(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SINGLE);
	bid(&w, "T", "A", "1", "2026-03-01");
	award(&w, "T", "A", "2026-03-03");
	bid(&w, "T", "B", "1", "2026-03-03"); /* at the close: inside */
	bid(&w, "T", "C", "1", "2026-03-04");
	award(&w, "T", "C", "2026-03-05");
	award(&w, "T", "D", "2026-03-05"); /* the first one has closed it */
	advance_to(&w, "2026-03-20");
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-03-05T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"C\"}\n");
	assert_int_equal(counters(&w)->no_window, 1);
	world_close(&w);
}

/* S3.22 */
static void a_close_without_a_window_does_nothing(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SINGLE);
	award(&w, "T", "A", "2026-03-01");
	bid(&w, "T", "A", "1", "2026-03-02");
	advance_to(&w, "2026-03-05");
	assert_alerts(&w, "");
	assert_int_equal(counters(&w)->no_window, 1);
	assert_int_equal(counters(&w)->judged, 0);
	advance_to(&w, "2026-04-02");
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-04-01T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"nobody\"}\n");
	world_close(&w);
}

/* S3.21, S3.22: streams are not read side by side. */
static void the_order_of_arrival_makes_no_difference(void **state) {
	static const struct {
		const char *tender, *who, *at;
		bool closes;
	} events[] = {
		{ "T", "A", "2026-03-01", false },
		{ "T", "B", "2026-03-02", false },
		{ "T", "A", "2026-03-03", true },
		{ "T", "C", "2026-03-04", false },
		{ "T", "C", "2026-03-05", true },
		{ "T", "X", "2026-03-06", true },
	};
	enum { N = 6, ALL = 720 };
	struct world w;
	int i, k, order[N];

	(void)state;
	for (i = 0; i < ALL; i++) {
		world_open(&w, UNTIL("max: 30d", "  alert_if: cnt >= 1\n"));
		permute(i, N, order);
		for (k = 0; k < N; k++) {
			if (events[order[k]].closes)
				award(&w, "T", events[order[k]].who,
				      events[order[k]].at);
			else
				bid(&w, "T", events[order[k]].who, "1",
				    events[order[k]].at);
		}
		assert_alerts(&w, "");
		advance_to(&w, "2026-03-07");
		assert_alerts(&w, "fired condition yellow resolved T "
				  "@2026-03-03T00:00:00Z "
				  "{\"cnt\":2,\"won\":\"A\"}\n"
				  "fired condition yellow resolved T "
				  "@2026-03-05T00:00:00Z "
				  "{\"cnt\":1,\"won\":\"C\"}\n");
		assert_int_equal(counters(&w)->no_window, 1);
		world_close(&w);
	}
}

/* S3.25 */
static void a_late_bid_belongs_to_the_window_that_is_over(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SINGLE);
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "T", "B", "1", "2026-03-02");
	award(&w, "T", "A", "2026-03-03");
	advance_to(&w, "2026-03-20");
	bid(&w, "T", "C", "1", "2026-03-03");
	award(&w, "T", "C", "2026-03-03");
	assert_int_equal(counters(&w)->late_closed, 1);
	assert_int_equal(counters(&w)->no_window, 1);
	advance_to(&w, "2026-06-01");
	assert_alerts(&w, "");
	assert_int_equal(keys(&w), 0);
	world_close(&w);
}

/* S3.23: `where` is of the bids; the award has its own. */
static void the_close_has_a_condition_of_its_own(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP RULE
		   "  where: price > 1\n"
		   "  window: {until: {as: award, from: awards, where: kind == "
		   "'final' && supplier != 'X'}, max: 30d}\n"
		   "  measure: {cnt: count()}\n"
		   "  alert_if: cnt == 1 && award.supplier == bidder\n"
		   "  message: \"{award.supplier} {bidder} {price|money}\"\n");
	bid(&w, "T", "A", "2", "2026-03-01");
	bid(&w, "T", "B", "1", "2026-03-02");
	award(&w, "T", "X", "2026-03-03");
	award(&w, "T", "A", "2026-03-04");
	advance_to(&w, "2026-03-20");
	assert_last_has(&w, "\"message\":\"A A 2.00\"");
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-03-04T00:00:00Z {\"cnt\":1}\n");
	world_close(&w);
}

/* S3.21: names may differ; the award closes the winner's window alone. */
static void the_key_of_the_close_has_names_of_its_own(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP
		   "- rule: r\n"
		   "  title: t\n"
		   "  from: bids\n"
		   "  by: {tender: {bids: tender, award: tender}, who: {bids: "
		   "bidder, award: supplier}}\n"
		   "  window: {until: {as: award, from: awards}, max: 30d}\n"
		   "  measure: {cnt: count()}\n"
		   "  alert_if: has(award.supplier)\n");
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "T", "B", "1", "2026-03-02");
	award(&w, "T", "B", "2026-03-03");
	advance_to(&w, "2026-04-20");
	assert_alerts(&w, "fired condition yellow resolved T / B "
			  "@2026-03-03T00:00:00Z {\"cnt\":1}\n");
	world_close(&w);
}

/* S3.21: what closes a window may itself be in it. */
static void a_stream_may_close_its_own_windows(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP RULE
		   "  window: {until: {as: end, from: bids, where: x > 1.0}, "
		   "max: 30d}\n"
		   "  measure: {cnt: count(), total: sum(price)}\n"
		   "  alert_if: end.x == 2.0\n");
	bid(&w, "T", "A", "1", "2026-03-01");
	bid_with(&w, "T", "A", "2", "2026-03-02", ",\"x\":2.0");
	bid_with(&w, "T", "A", "4", "2026-03-03", ",\"x\":2.0");
	advance_to(&w, "2026-03-20");
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-03-02T00:00:00Z "
			  "{\"cnt\":2,\"total\":\"3.00\"}\n"
			  "fired condition yellow resolved T "
			  "@2026-03-03T00:00:00Z "
			  "{\"cnt\":1,\"total\":\"4.00\"}\n");
	world_close(&w);
}

#define EACH                                                                   \
	UNTIL("max: 30d, judge: each", "  alert_if: cnt >= 2\n"                \
				       "  level: {red: won == 'B', "           \
				       "yellow: \"true\"}\n"                   \
				       "  review_within: 10d\n")

/* S3.24 */
static void each_warns_early_and_stands_after_the_close(void **state) {
	struct world w;

	(void)state;
	world_open(&w, EACH);
	bid(&w, "T", "A", "1", "2026-03-01");
	award(&w, "T", "B", "2026-03-04"); /* known, but not over */
	bid(&w, "T", "B", "1", "2026-03-02");
	assert_alerts(&w, "fired condition yellow firing T "
			  "@2026-03-02T00:00:00Z "
			  "{\"cnt\":2,\"won\":\"nobody\"}\n");
	advance_to(&w, "2026-03-10");
	assert_last_has(&w, "\"open\":true");
	assert_alerts(&w, "raised condition red firing T "
			  "@2026-03-04T00:00:00Z "
			  "{\"cnt\":2,\"won\":\"B\"}\n"
			  "resolved period red resolved T "
			  "@2026-03-04T00:00:00Z "
			  "{\"cnt\":2,\"won\":\"B\"}\n");
	assert_int_equal(counters(&w)->open, 1);
	advance_to(&w, "2026-03-14");
	assert_last_has(&w, "\"open\":false");
	assert_alerts(&w, "updated window red resolved T "
			  "@2026-03-14T00:00:00Z "
			  "{\"cnt\":2,\"won\":\"B\"}\n");
	assert_int_equal(counters(&w)->open, 0);
	world_close(&w);
}

/* S3.24: nothing stands that does not hold. */
static void each_resolves_what_does_not_hold_at_the_close(void **state) {
	struct world w;

	(void)state;
	world_open(&w, UNTIL("max: 30d, judge: each",
			     "  alert_if: cnt >= 1 && won != 'A'\n"));
	bid(&w, "T", "A", "1", "2026-03-01");
	award(&w, "T", "A", "2026-03-04");
	advance_to(&w, "2026-03-10");
	assert_alerts(&w, "fired condition yellow firing T "
			  "@2026-03-01T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"nobody\"}\n"
			  "resolved condition yellow resolved T "
			  "@2026-03-04T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"A\"}\n");
	assert_int_equal(counters(&w)->open, 0);
	world_close(&w);
}

/* S3.18, S3.24: a close that comes late in the order cuts what was one. */
static void a_close_out_of_order_cuts_a_window(void **state) {
	struct world w;

	(void)state;
	world_open(&w, EACH);
	bid(&w, "T", "A", "1", "2026-03-01");
	bid(&w, "T", "B", "1", "2026-03-02");
	bid(&w, "T", "C", "1", "2026-03-05");
	bid(&w, "T", "D", "1", "2026-03-06");
	alerts(&w);
	award(&w, "T", "A", "2026-03-03");
	bid(&w, "T", "E", "1", "2026-03-07");
	assert_last_has(&w, "\"period\":\"2026-03-05T08:00:00+08:00\"");
	assert_alerts(&w, "fired condition yellow firing T "
			  "@2026-03-07T00:00:00Z "
			  "{\"cnt\":3,\"won\":\"nobody\"}\n");
	advance_to(&w, "2026-03-04");
	assert_alerts(&w, "updated condition yellow firing T "
			  "@2026-03-03T00:00:00Z "
			  "{\"cnt\":2,\"won\":\"A\"}\n"
			  "resolved period yellow resolved T "
			  "@2026-03-03T00:00:00Z "
			  "{\"cnt\":2,\"won\":\"A\"}\n");
	world_close(&w);
}

/* S2.7 */
static void the_end_of_all_files_closes_what_ends_there(void **state) {
	struct decision end = { .kind = DECISION_END };
	struct world w;

	(void)state;
	world_open(&w, SINGLE);
	bid(&w, "T", "A", "1", "2026-03-01");
	award(&w, "T", "A", "2026-03-04");
	assert_true(engine_decide(w.engine, &end));
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-03-04T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"A\"}\n");
	world_close(&w);
}

/* S3.26: what one window left behind is none of the next one's. */
static void a_closed_window_that_leaves_is_not_the_next_one(void **state) {
	struct world w;
	int i;

	(void)state;
	world_open(&w, UNTIL("max: 30d", "  alert_if: cnt >= 1\n"
					 "  max_entries: 8\n"));
	for (i = 0; i < 3; i++)
		bid(&w, "T", "A", "1", "2026-03-01");
	award(&w, "T", "A", "2026-03-02");
	for (i = 0; i < 5; i++)
		bid(&w, "T", "A", "1", "2026-03-03");
	award(&w, "T", "B", "2026-03-04");
	advance_to(&w, "2026-03-20");
	assert_last_has(&w, "\"merged\":1");
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-03-04T00:00:00Z "
			  "{\"cnt\":5,\"won\":\"B\"}\n");
	assert_int_equal(counters(&w)->lost, 4);
	world_close(&w);
}

/* S3.22: many at one time, before the bid that only one of them closes. */
static void closes_of_one_time_may_come_first(void **state) {
	struct world w;
	int i;

	(void)state;
	world_open(&w, UNTIL("max: 30d", "  alert_if: cnt == 1\n"));
	for (i = 0; i < 100; i++)
		award(&w, "T", "A", "2026-03-02");
	bid(&w, "T", "A", "1", "2026-03-02");
	bid(&w, "T", "A", "1", "2026-03-03");
	award(&w, "T", "B", "2026-03-04");
	advance_to(&w, "2026-03-20");
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-03-02T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"A\"}\n"
			  "fired condition yellow resolved T "
			  "@2026-03-04T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"B\"}\n");
	assert_int_equal(counters(&w)->no_window, 99);
	world_close(&w);
}

/* A flood of closes is bounded as a flood of bids is. */
static void closes_are_bounded(void **state) {
	struct world w;
	int i;

	(void)state;
	world_open(&w, UNTIL("max: 30d", "  alert_if: cnt == 1\n"
					 "  max_entries: 8\n"));
	for (i = 0; i < 1000; i++)
		award(&w, "T", "A", "2026-03-02");
	bid(&w, "T", "A", "1", "2026-03-01");
	advance_to(&w, "2026-03-20");
	assert_true(counters(&w)->lost > 900);
	assert_alerts(&w, "fired condition yellow resolved T "
			  "@2026-03-02T00:00:00Z "
			  "{\"cnt\":1,\"won\":\"A\"}\n");
	world_close(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_goes_on_while_no_pause_is_longer),
		cmocka_unit_test(an_event_that_is_just_in_time_joins),
		cmocka_unit_test(a_session_is_no_longer_than_max),
		cmocka_unit_test(
			what_joins_two_sessions_leaves_the_older_alert),
		cmocka_unit_test(an_earlier_event_opens_a_session_earlier),
		cmocka_unit_test(what_is_over_takes_nothing_any_more),
		cmocka_unit_test(at_its_end_fields_are_of_its_own_last_event),
		cmocka_unit_test(each_window_shows_its_own_records),
		cmocka_unit_test(a_bid_that_is_over_is_forgotten_at_once),
		cmocka_unit_test(a_key_that_is_looked_at_goes_all_the_same),
		cmocka_unit_test(a_long_session_keeps_what_folds),
		cmocka_unit_test(a_long_session_loses_what_cannot_fold),
		cmocka_unit_test(rules_of_one_plan_see_the_same_end),
		cmocka_unit_test(an_evicted_key_names_a_window_that_is_lost),
		cmocka_unit_test(a_key_goes_when_its_last_session_is_long_over),
		cmocka_unit_test(every_looks_at_the_session_of_its_time),
		cmocka_unit_test(sessions_end_alike_in_any_order),
		cmocka_unit_test(a_window_is_judged_once_when_it_was_closed),
		cmocka_unit_test(a_window_ends_at_max),
		cmocka_unit_test(after_its_close_a_key_opens_anew),
		cmocka_unit_test(a_close_without_a_window_does_nothing),
		cmocka_unit_test(the_order_of_arrival_makes_no_difference),
		cmocka_unit_test(a_late_bid_belongs_to_the_window_that_is_over),
		cmocka_unit_test(the_close_has_a_condition_of_its_own),
		cmocka_unit_test(the_key_of_the_close_has_names_of_its_own),
		cmocka_unit_test(a_stream_may_close_its_own_windows),
		cmocka_unit_test(each_warns_early_and_stands_after_the_close),
		cmocka_unit_test(each_resolves_what_does_not_hold_at_the_close),
		cmocka_unit_test(a_close_out_of_order_cuts_a_window),
		cmocka_unit_test(the_end_of_all_files_closes_what_ends_there),
		cmocka_unit_test(
			a_closed_window_that_leaves_is_not_the_next_one),
		cmocka_unit_test(closes_of_one_time_may_come_first),
		cmocka_unit_test(closes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
