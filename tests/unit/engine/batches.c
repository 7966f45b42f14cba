/*
 * S1.6, S1.7: the same inputs give the same bytes, however they are cut into
 * batches, however small the outbox is, and wherever the engine is saved and
 * another one goes on in its place.
 */
#include "engine/accounts.h"
#include "engine/world.h"

#define RULE(name, body)                                                       \
	"- rule: " name "\n"                                                   \
	"  title: {zh: 规则, en: rule}\n"                                    \
	"  from: pays\n" body

/* The same, with a list that rules go through. */
#define BATCH_STREAMS                                                          \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars:\n"                                                         \
	"  cn: {tz: Asia/Shanghai}\n"                                          \
	"streams:\n"                                                           \
	"  pays:\n"                                                            \
	"    topic: pays\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: 0s\n"                                                  \
	"    fields: {unit: string, payee: string optional, amount: "          \
	"money(CNY), x: double optional, lots: list(string) optional, at: "    \
	"timestamp}\n"

/* One of each kind of window, so that one test sees them all. */
#define ALL_KINDS                                                              \
	BATCH_STREAMS                                                          \
	"tables:\n"                                                            \
	"  known: {stream: pays, key: payee, where: amount > 60, max_rows: "   \
	"4, max_keys: 5}\n"                                                    \
	"rules:\n" RULE("rows", "  where: known(payee).amount > 80\n"          \
				"  let: {of: known(payee).unit}\n"             \
				"  by: [of, unit]\n"                           \
				"  window: 5d\n"                               \
				"  measure: {top: max(known(payee).amount)}\n" \
				"  alert_if: top > 95 && has(known(payee))\n") \
		RULE("lots",                                                   \
		     "  each: lots as lot\n"                                   \
		     "  where: lot != unit\n"                                  \
		     "  by: [unit, lot]\n"                                     \
		     "  window: 6d\n"                                          \
		     "  measure: {paid: sum(amount), all: {agg: count(), by: " \
		     "[unit]}}\n"                                              \
		     "  let: {known: has(known(payee))}\n"                     \
		     "  alert_if: paid > 90 && all > 4 && known\n")            \
			RULE("closes",                                         \
			     "  by: [payee]\n"                                 \
			     "  window: {tumble: 1d, judge: close}\n"          \
			     "  measure: {total: sum(amount)}\n"               \
			     "  alert_if: total > 120\n")                      \
				RULE("calendar",                               \
				     "  by: [unit]\n"                          \
				     "  window: {calendar: month}\n"           \
				     "  measure: {total: sum(amount), cnt: "   \
				     "count()}\n"                              \
				     "  baseline: {usual: {of: total, over: "  \
				     "3, "                                     \
				     "stat: "                                  \
				     "median_mad, min_samples: 2}}\n"          \
				     "  alert_if: total > 300 && "             \
				     "usual.z(total) > "                       \
				     "1.5\n"                                   \
				     "  level: {red: usual.z(total) > 3.5, "   \
				     "yellow: "                                \
				     "\"true\"}\n"                             \
				     "  message: \"{unit} {total|money} "      \
				     "{payee}\"\n") RULE("sliding",            \
							 "  let: {tail: "      \
							 "\"payee.substring("  \
							 "1)\", "              \
							 "part: "              \
							 "\"ratio(total, "     \
							 "all)\"}\n"           \
							 "  by: [unit, "       \
							 "tail]\n"             \
							 "  window: 20d\n"     \
							 "  max_entries: 16\n" \
							 "  measure: {total: " \
							 "sum(amount), all: "  \
							 "{agg: "              \
							 "sum(amount), by: "   \
							 "[unit]}}\n"          \
							 "  alert_if: total "  \
							 ">= "                 \
							 "150 && part > 0.4\n" \
							 "  level: {orange: "  \
							 "part "               \
							 "> 0.7, green: "      \
							 "\"true\"}\n"         \
							 "  cooldown: 2d\n")   \
					RULE("panes",                          \
					     "  by: [payee]\n"                 \
					     "  window: {sliding: "            \
					     "16d, panes: 8}\n"                \
					     "  measure: {total: "             \
					     "sum(amount)}\n"                  \
					     "  alert_if: total > "            \
					     "700\n") RULE("scans",            \
							   "  by: [unit]\n"    \
							   "  window: 30d\n"   \
							   "  measure: "       \
							   "{payees: "         \
							   "distinct(payee), " \
							   "mid: median(x), "  \
							   "run: "             \
							   "streak(payee)}\n"  \
							   "  alert_if: "      \
							   "payees >= 4 "      \
							   "|| run >= 3 || "   \
							   "mid > 0.9\n"       \
							   "  resolve_if: "    \
							   "payees < "         \
							   "3\n")              \
						RULE("last",                   \
						     "  by: [unit]\n"          \
						     "  window: {last: 5, "    \
						     "max: 40d}\n"             \
						     "  measure: {spread: "    \
						     "cv(x)}\n"                \
						     "  alert_if: spread > "   \
						     "0.8\n")                  \
							RULE("daily",          \
							     "  by: [unit]\n"  \
							     "  window: 5d\n"  \
							     "  every: 1d at " \
							     "07:00\n"         \
							     "  measure: "     \
							     "{cnt: "          \
							     "count()}\n"      \
							     "  alert_if: "    \
							     "cnt < 2\n")      \
								RULE("big",    \
								     "  by: "  \
								     "[unit]"  \
								     "\n"      \
								     "  "      \
								     "alert_"  \
								     "if: "    \
								     "amount " \
								     "> 95\n"  \
								     "  "      \
								     "review_" \
								     "within:" \
								     " "       \
								     "20d\n")

/*
 * Windows that their own events open and close; what comes out of order is
 * late now and then, but mostly in time.
 */
#define OPEN_ENDED                                                             \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars:\n"                                                         \
	"  cn: {tz: Asia/Shanghai}\n"                                          \
	"streams:\n"                                                           \
	"  pays:\n"                                                            \
	"    topic: pays\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: 3d\n"                                                  \
	"    fields: {unit: string, payee: string, amount: money(CNY), x: "    \
	"double optional, at: timestamp}\n"                                    \
	"rules:\n" RULE(                                                       \
		"session",                                                     \
		"  by: [unit, payee]\n"                                        \
		"  window: {session: 30h, max: 20d}\n"                         \
		"  max_entries: 3\n"                                           \
		"  measure: {total: sum(amount), cnt: count()}\n"              \
		"  alert_if: total > 60\n"                                     \
		"  level: {red: cnt > 4, yellow: \"true\"}\n"                  \
		"  cooldown: 2h\n") RULE("busy",                               \
					 "  by: [unit]\n"                      \
					 "  window: {session: 10h}\n"          \
					 "  every: 1d at 07:00\n"              \
					 "  max_entries: 16\n"                 \
					 "  measure: {total: sum(x), mid: "    \
					 "median(amount), b: "                 \
					 "\"benford(amount, 1)\"}\n"           \
					 "  alert_if: total > 5 || b.n > 9\n") \
		RULE("until",                                                  \
		     "  by: [payee]\n"                                         \
		     "  window: {until: {as: end, from: pays, where: amount "  \
		     "> 90},\n"                                                \
		     "    max: 9d}\n"                                          \
		     "  measure: {names: distinct(unit), cnt: count()}\n"      \
		     "  let: {by_whom: end.unit}\n"                            \
		     "  alert_if: names < 4 && cnt > 5 && has(end.amount)\n"   \
		     "  review_within: 20d\n")                                 \
			RULE("each", "  by: [unit]\n"                          \
				     "  window: {until: {as: end, from: "      \
				     "pays, where: amount > 80},\n"            \
				     "    max: 9d, judge: each}\n"             \
				     "  measure: {low: min(amount), total: "   \
				     "sum(amount)}\n"                          \
				     "  alert_if: total > 300 && low < 10\n"   \
				     "  review_within: 20d\n")

/* Cohorts of an event and of a key's last one. */
#define PEERS                                                                  \
	WORLD_STREAMS                                                          \
	"rules:\n" RULE(                                                       \
		"market",                                                      \
		"  baseline: {usual: {of: amount, over: 9d, peers: [unit], "   \
		"exclude_same: [payee], min_samples: 5}}\n"                    \
		"  alert_if: usual.z(amount) > 0.9 && amount > "               \
		"usual.q(0.8)\n")                                              \
		RULE("watch",                                                  \
		     "  by: [payee]\n"                                         \
		     "  window: 3d\n"                                          \
		     "  every: 1d at 07:00\n"                                  \
		     "  measure: {cnt: count()}\n"                             \
		     "  baseline: {usual: {of: x, over: 4d, peers: [unit, "    \
		     "payee], "                                                \
		     "fallback: [[payee]], stat: mean_sd, min_samples: 9}}\n"  \
		     "  alert_if: cnt > 3 && x > usual.mid\n")                 \
			RULE("spans", "  by: [unit, payee]\n"                  \
				      "  window: {tumble: 2d}\n"               \
				      "  measure: {total: sum(amount)}\n"      \
				      "  baseline: {usual: {of: total, over: " \
				      "60d, peers: [unit], "                   \
				      "exclude_same: [payee], stat: iqr}}\n"   \
				      "  alert_if: total > usual.hi(0.2)\n")   \
				RULE("sessions",                               \
				     "  by: [payee]\n"                         \
				     "  window: {session: 6h}\n"               \
				     "  measure: {total: sum(amount)}\n"       \
				     "  baseline: {usual: {of: total, over: "  \
				     "60d, peers: [unit], stat: "              \
				     "mean_sd}}\n"                             \
				     "  alert_if: total > usual.mid\n")

#define MANY 6000

static struct event **events;
static struct buf dead; /* of the run at hand; alerts and these mix freely */

/* A fixed stream of bad and good, in and out of order. */
static void make_events(struct world *world) {
	static const char lots[] = "\"L1\",\"L2\",\"U1\",\"L1\",\"L3\",\"U2\"";
	uint32_t seed = 12345, i;
	char json[256];
	usec_t at = 1767225600 * USEC_PER_SEC;
	struct buf time = { 0 };

	events = calloc(MANY, sizeof(*events));
	for (i = 0; i < MANY; i++) {
		int n_lots;

		seed = seed * 1664525u + 1013904223u;
		n_lots = (int)(seed >> 7) % 4;
		at += (seed >> 20) * 2 * USEC_PER_SEC;
		if (seed % 997 == 0)
			at += 20 * USEC_PER_DAY;
		buf_reset(&time);
		time_format_rfc3339(
			&time,
			at - (seed % 11 ? 0 : (seed >> 16) * 13 * USEC_PER_SEC),
			NULL);
		snprintf(json, sizeof(json),
			 "{\"unit\":\"U%u\",\"payee\":\"供应商%u\",\"amount\":"
			 "%u.%02u,\"lots\":[%.*s],\"x\":%u.25%s,\"at\":\"%s\"}",
			 (seed >> 8) % 5, (seed >> 11) % 7, (seed >> 14) % 100,
			 (seed >> 5) % 100, n_lots ? n_lots * 5 - 1 : 0,
			 lots + seed % 3 * 5, (seed >> 9) % 3,
			 seed % 101 ? "" : ",", buf_cstr(&time));
		events[i] = world_event(world, "pays", json);
	}
	buf_free(&time);
}

static void drain(struct world *world, struct buf *out) {
	struct outbox *outbox = engine_outbox(world->engine);
	size_t i;

	for (i = 0; i < outbox->n; i++) {
		buf_add(out, outbox_at(outbox, i)->json,
			outbox_at(outbox, i)->json_len);
		buf_putc(out, '\n');
	}
	outbox_drop(outbox, outbox->n);
	for (i = 0; i < outbox->dead_n; i++)
		buf_printf(
			&dead, "dead %llu\n",
			(unsigned long long)outbox_dead_at(outbox, i)->ordinal);
	outbox_drop_dead(outbox, outbox->dead_n);
}

static void decide(struct world *world, const struct decision *decision,
		   struct buf *out) {
	while (!engine_decide(world->engine, decision))
		drain(world, out);
	drain(world, out);
}

/* Pages of a snapshot, as they were before the engine went on. */
struct snapshot {
	struct pages *of;
	uint8_t **page;
	uint32_t n;
};

static void take_page(struct snapshot *snapshot, uint32_t number) {
	snapshot->page[number] = malloc(PAGE_BYTES);
	assert_non_null(snapshot->page[number]);
	memcpy(snapshot->page[number], pages_at(snapshot->of, number),
	       PAGE_BYTES);
}

/* Told once of each page, so none is there yet. */
static void before_it_changes(void *context, uint32_t number) {
	struct snapshot *snapshot = context;

	if (number >= snapshot->n)
		return;
	assert_null(snapshot->page[number]);
	take_page(snapshot, number);
}

static int give_page(void *context, uint32_t number, uint8_t *bytes) {
	struct snapshot *snapshot = context;

	assert_true(number < snapshot->n);
	if (!snapshot->page[number])
		take_page(snapshot, number);
	memcpy(bytes, snapshot->page[number], PAGE_BYTES);
	return 0;
}

static void take_events(struct world *world, size_t from, size_t n,
			struct buf *out) {
	size_t taken = 0;

	while (taken < n) {
		taken += engine_run(world->engine, events + from + taken,
				    n - taken, 0);
		drain(world, out);
	}
}

/*
 * The engine is saved. It goes on, and what it changes is copied before; what
 * it says is forgotten. Then another one begins where it was saved and takes
 * the same events in its place.
 */
static void transplant(struct world *world,
		       const struct engine_options *options, size_t from,
		       size_t n, struct buf *out) {
	struct buf saved = { 0 }, forgotten = { 0 };
	struct pages *pages = engine_pages(world->engine);
	struct snapshot snapshot = { .of = pages, .n = pages->n };
	struct engine *old = world->engine;
	size_t dead_before = dead.len;

	snapshot.page = calloc(pages->n + 1, sizeof(*snapshot.page));
	assert_non_null(snapshot.page);
	engine_save(old, &saved);
	pages_flip(pages);
	pages->touched = before_it_changes;
	pages->context = &snapshot;
	take_events(world, from, n, &forgotten);
	dead.len = dead_before;
	pages->touched = NULL;
	assert_int_equal(engine_restore(&world->engine, world->set, options,
					saved.data, saved.len, give_page,
					&snapshot),
			 0);
	engine_free(old);
	take_events(world, from, n, out);
	for (uint32_t i = 0; i < snapshot.n; i++)
		free(snapshot.page[i]);
	free(snapshot.page);
	buf_free(&saved);
	buf_free(&forgotten);
}

/* The clock is advanced once, at MANY / 2. */
static void run(struct world *world, struct engine_options options,
		size_t batch, bool transplants, struct buf *out) {
	struct decision end = { .kind = DECISION_END };
	size_t done = 0, some, until;

	options.seed = 1;
	options.shadow = true;
	options.dead_letters = options.outbox;
	world_start(world, &options);
	while (done < MANY) {
		until = done < MANY / 2 ? MANY / 2 : MANY;
		some = until - done < batch ? until - done : batch;
		if (transplants)
			transplant(world, &options, done, some, out);
		else
			take_events(world, done, some, out);
		done += some;
		if (done == MANY / 2) {
			struct decision advance = {
				.kind = DECISION_ADVANCE,
				.at = engine_greatest_time(world->engine) +
				      3 * USEC_PER_DAY
			};
			decide(world, &advance, out);
		}
	}
	decide(world, &end, out);
	buf_add(out, dead.data, dead.len);
	buf_reset(&dead);
	engine_dump(world->engine, out);
	assert_accounts(world->engine);
	engine_free(world->engine);
	world->engine = NULL;
}

static size_t count(const struct buf *buf, const char *what) {
	size_t n = 0, len = strlen(what);
	const char *at = buf->data;
	const char *end = buf->data + buf->len;

	while ((at = memmem(at, (size_t)(end - at), what, len))) {
		at += len;
		n++;
	}
	return n;
}

/* Fills @first, to be looked at: a test is blind where little happens. */
static void hold(const char *rules, struct engine_options options,
		 struct buf *first) {
	static const size_t batches[] = { 1, 7, 4096, 1, 211 };
	static const size_t outboxes[] = { 4096, 4096, 4096, 1, 4096 };
	struct buf other = { 0 };
	struct world world;
	size_t i;

	world_load(&world, rules);
	make_events(&world);
	for (i = 0; i < ARRAY_SIZE(batches); i++) {
		struct buf *out = i ? &other : first;

		options.outbox = outboxes[i];
		buf_reset(out);
		run(&world, options, batches[i], i == 4, out);
		assert_int_equal(out->len, first->len);
		assert_memory_equal(out->data, first->data, first->len);
	}
	free(events);
	buf_free(&other);
	buf_free(&dead);
	world_close(&world);
}

static void batch_sizes_and_outboxes_give_the_same_bytes(void **state) {
	struct buf first = { 0 };

	(void)state;
	hold(ALL_KINDS, (struct engine_options){ 0 }, &first);
	assert_true(count(&first, "\"change\":\"fired\"") > 300);
	assert_true(count(&first, "\"change\":\"resolved\"") > 100);
	assert_true(count(&first, "\"change\":\"lowered\"") > 5);
	assert_true(count(&first, "\"change\":\"updated\"") > 20);
	assert_true(count(&first, "\"why\":\"late\"") > 5);
	assert_true(count(&first, "dead ") > 10);
	assert_true(count(&first, "\"rule\":\"rows\"") > 100);
	assert_true(count(&first, "\"rule\":\"lots\"") > 100);
	assert_true(count(&first, "\"rule\":\"closes\"") > 100);
	buf_free(&first);
}

static void so_they_do_where_events_open_and_close_windows(void **state) {
	struct buf first = { 0 };

	(void)state;
	hold(OPEN_ENDED, (struct engine_options){ 0 }, &first);
	assert_true(count(&first, "\"change\":\"fired\"") > 300);
	assert_true(count(&first, "\"change\":\"raised\"") > 20);
	assert_true(count(&first, "\"change\":\"withdrawn\"") > 5);
	assert_true(count(&first, "\"why\":\"period\"") > 200);
	assert_true(count(&first, "\"why\":\"late\"") > 5);
	assert_true(count(&first, "\"merged\":0") <
		    count(&first, "\"merged\":"));
	buf_free(&first);
}

static void so_they_do_where_others_are_looked_at(void **state) {
	struct buf first = { 0 };

	(void)state;
	hold(PEERS, (struct engine_options){ 0 }, &first);
	assert_true(count(&first, "\"rule\":\"market\"") > 100);
	assert_true(count(&first, "\"rule\":\"watch\"") > 100);
	assert_true(count(&first, "\"rule\":\"spans\"") > 100);
	assert_true(count(&first, "\"rule\":\"sessions\"") > 100);
	assert_true(count(&first, "\"why\":\"late\"") > 5);
	buf_free(&first);
}

/* S9.2, S9.4: what is evicted, and when, is the same too. */
static void so_they_do_at_each_limit(void **state) {
	static const struct engine_options limits[] = {
		{ .max_keys_per_rule = 4 },
		{ .max_entries_per_rule = 50 },
		{ .max_state_bytes = 20000 },
	};
	static const char *const rules[] = { ALL_KINDS, OPEN_ENDED, PEERS };
	static const size_t stale[] = { 20, 20, 0 };
	struct buf first = { 0 };
	size_t i, r;

	(void)state;
	for (r = 0; r < ARRAY_SIZE(rules); r++)
		for (i = 0; i < ARRAY_SIZE(limits); i++) {
			hold(rules[r], limits[i], &first);
			assert_true(count(&first, "\"change\":\"fired\"") >
				    300);
			assert_true(count(&first, "\"why\":\"evicted\"") >=
				    stale[r]);
		}
	buf_free(&first);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch_sizes_and_outboxes_give_the_same_bytes),
		cmocka_unit_test(
			so_they_do_where_events_open_and_close_windows),
		cmocka_unit_test(so_they_do_where_others_are_looked_at),
		cmocka_unit_test(so_they_do_at_each_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
