/*
 * Tables that a stream fills: which row holds, which go, what is shown.
 */
#include "engine/world.h"

#define TABLES(options)                                                        \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars: {cn: {tz: Asia/Shanghai}}\n"                               \
	"streams:\n"                                                           \
	"  pays:\n"                                                            \
	"    topic: pays\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: 0s\n"                                                  \
	"    fields: {unit: string, payee: string optional, amount: "          \
	"money(CNY), at: timestamp}\n"                                         \
	"  parties:\n"                                                         \
	"    topic: parties\n"                                                 \
	"    time: at\n"                                                       \
	"    max_delay: 0s\n"                                                  \
	"    fields: {party: string optional, name: string, n: int, tags: "    \
	"list(string) optional, account: {type: string optional, mask: "       \
	"last4}, at: timestamp}\n"                                             \
	"tables:\n"                                                            \
	"  of: {stream: parties, key: party" options "}\n"

#define RULE                                                                   \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [payee]\n"                                                      \
	"  let: {n: of(payee).n}\n"                                            \
	"  alert_if: n > 0\n"

static void party(struct world *world, const char *party, int n,
		  const char *at) {
	char json[256];

	snprintf(json, sizeof(json),
		 "{\"party\":\"%s\",\"name\":\"%s\",\"n\":%d,\"at\":\"%s\"}",
		 party, party, n, at);
	world_take_in(world, "parties", 0, json);
}

static void ask(struct world *world, const char *party, const char *at) {
	char more[64];

	snprintf(more, sizeof(more), ",\"payee\":\"%s\"", party);
	pay_with(world, "U", "1", at, more);
}

static const struct registry_counters *table(const struct world *world) {
	return engine_registry_counters(world->engine, 0);
}

/* S8.6 */
static void rows_in_any_order_stand_in_the_order_of_time(void **state) {
	static const int orders[][3] = { { 1, 2, 3 },
					 { 3, 2, 1 },
					 { 2, 3, 1 } };
	struct world w;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		world_open(&w, TABLES("") RULE);
		for (k = 0; k < 3; k++) {
			char at[32];

			snprintf(at, sizeof(at), "2026-03-0%dT00:00:00Z",
				 orders[i][k]);
			party(&w, "P", orders[i][k], at);
		}
		ask(&w, "P", "2026-03-02T23:59:59Z");
		ask(&w, "P", "2026-03-01T00:00:00Z");
		ask(&w, "P", "2026-02-28T23:59:59Z");
		ask(&w, "P", "2026-03-09T00:00:00Z");
		assert_string_equal(
			alerts(&w),
			"fired late yellow resolved P @2026-03-02T23:59:59Z "
			"{\"n\":2}\n"
			"fired late yellow resolved P @2026-03-01T00:00:00Z "
			"{\"n\":1}\n"
			"fired condition yellow resolved P "
			"@2026-03-09T00:00:00Z {\"n\":3}\n");
		assert_int_equal(table(&w)->rows, 3);
		assert_int_equal(table(&w)->keys, 1);
		world_close(&w);
	}
}

/* S8.8: the row in force at the horizon stays, what it superseded goes. */
static void what_nobody_can_ask_for_any_more_goes(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TABLES(", keep: 10d") RULE);
	party(&w, "P", 1, "2026-03-01T00:00:00Z");
	party(&w, "P", 2, "2026-03-02T00:00:00Z");
	party(&w, "P", 3, "2026-03-03T00:00:00Z");
	party(&w, "P", 4, "2026-03-12T23:59:59Z");
	assert_int_equal(table(&w)->rows, 3); /* 2 held on the second */
	party(&w, "P", 5, "2026-03-13T00:00:00Z");
	assert_int_equal(table(&w)->rows, 3); /* 3, 4, 5 */
	ask(&w, "P", "2026-03-03T00:00:00Z");
	ask(&w, "P", "2026-03-02T23:59:59Z");
	assert_alerts(&w, "fired late yellow resolved P @2026-03-03T00:00:00Z "
			  "{\"n\":3}\n");
	assert_int_equal(table(&w)->cut, 0);
	world_close(&w);
}

/* S8.8 */
static void the_oldest_rows_of_a_full_key_go_and_are_counted(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TABLES(", max_rows: 2") RULE);
	party(&w, "P", 2, "2026-03-02T00:00:00Z");
	party(&w, "P", 3, "2026-03-03T00:00:00Z");
	assert_int_equal(table(&w)->cut, 0);
	party(&w, "P", 1, "2026-03-01T00:00:00Z"); /* itself the oldest */
	assert_int_equal(table(&w)->cut, 1);
	party(&w, "P", 4, "2026-03-04T00:00:00Z");
	assert_int_equal(table(&w)->cut, 2);
	assert_int_equal(table(&w)->rows, 2);
	assert_int_equal(table(&w)->taken, 4);
	ask(&w, "P", "2026-03-02T12:00:00Z");
	ask(&w, "P", "2026-03-03T12:00:00Z");
	assert_alerts(&w, "fired late yellow resolved P @2026-03-03T12:00:00Z "
			  "{\"n\":3}\n");
	world_close(&w);
}

/* S8.8 */
static void the_key_that_was_silent_for_longest_makes_room(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TABLES(", max_keys: 3") RULE);
	party(&w, "A", 1, "2026-03-01T00:00:00Z");
	party(&w, "B", 1, "2026-03-02T00:00:00Z");
	party(&w, "C", 1, "2026-03-03T00:00:00Z");
	party(&w, "A", 2, "2026-03-04T00:00:00Z");
	ask(&w, "B", "2026-03-04T00:00:00Z"); /* asking is not writing */
	assert_int_equal(table(&w)->evicted, 0);
	party(&w, "D", 1, "2026-03-05T00:00:00Z");
	assert_int_equal(table(&w)->evicted, 1);
	assert_int_equal(table(&w)->keys, 3);
	assert_int_equal(table(&w)->rows, 4);
	alerts(&w);
	ask(&w, "A", "2026-03-06T00:00:00Z");
	ask(&w, "B", "2026-03-06T00:00:00Z");
	ask(&w, "C", "2026-03-06T00:00:00Z");
	ask(&w, "D", "2026-03-06T00:00:00Z");
	assert_alerts(&w, "fired condition yellow resolved A "
			  "@2026-03-06T00:00:00Z {\"n\":2}\n"
			  "fired condition yellow resolved C "
			  "@2026-03-06T00:00:00Z {\"n\":1}\n"
			  "fired condition yellow resolved D "
			  "@2026-03-06T00:00:00Z {\"n\":1}\n");
	world_close(&w);
}

static void a_row_without_a_key_is_counted(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TABLES(", where: size(tags) > 0") RULE);
	world_take_in(&w, "parties", 0,
		      "{\"name\":\"x\",\"n\":1,\"tags\":[\"a\"],"
		      "\"at\":\"2026-03-01T00:00:00Z\"}");
	party(&w, "P", 1, "2026-03-01T00:00:00Z");
	assert_int_equal(table(&w)->no_key, 1);
	assert_int_equal(table(&w)->where_missing, 1);
	assert_int_equal(table(&w)->taken, 0);
	assert_int_equal(table(&w)->keys, 0);
	world_close(&w);
}

/* A list has no longest length, a cell has. */
static void a_row_too_large_to_keep_drives_nobody_out(void **state) {
	struct world w;
	struct buf json = { 0 };
	int i;

	(void)state;
	world_open(&w,
		   TABLES("") RULE "- rule: tags\n"
				   "  title: t\n"
				   "  from: pays\n"
				   "  alert_if: \"'x' in of(payee).tags\"\n");
	party(&w, "A", 1, "2026-03-01T00:00:00Z");
	buf_puts(&json, "{\"party\":\"B\",\"name\":\"b\",\"n\":1,"
			"\"at\":\"2026-03-01T00:00:00Z\",\"tags\":[\"x\"");
	for (i = 0; i < 5000; i++)
		buf_puts(&json, ",\"y\"");
	buf_puts(&json, "]}");
	world_take_in(&w, "parties", 0, buf_cstr(&json));
	buf_free(&json);
	assert_int_equal(table(&w)->cut, 1);
	assert_int_equal(table(&w)->keys, 1);
	world_close(&w);
}

/* Memory has an end: the table gives up a few keys, and the loop goes on. */
static void no_memory_is_no_end(void **state) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .max_state_bytes = 1 << 20 };
	struct world w;
	char name[16];
	int i;

	(void)state;
	world_load(&w, TABLES("") RULE);
	world_start(&w, &options);
	for (i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "P%d", i);
		party(&w, name, 1, "2026-03-01T00:00:00Z");
	}
	assert_true(table(&w)->evicted > 1000);
	assert_true(table(&w)->keys > 1000);
	assert_true(table(&w)->bytes < (1 << 20) + 512);
	assert_int_equal(table(&w)->cut, 0);
	world_close(&w);
}

static void a_masked_field_stays_masked(void **state) {
	struct world w;
	struct outbox *outbox;
	const char *json;

	(void)state;
	world_open(&w, TABLES("") "rules:\n"
				  "- rule: r\n"
				  "  title: t\n"
				  "  from: pays\n"
				  "  let: {to: of(payee).account}\n"
				  "  by: [to]\n"
				  "  window: 1d\n"
				  "  measure: {one: last(of(payee).account)}\n"
				  "  alert_if: \"of(payee).account != 'x'\"\n"
				  "  message: \"{of(payee).account}\"\n");
	world_take_in(&w, "parties", 0,
		      "{\"party\":\"P\",\"name\":\"x\",\"n\":1,"
		      "\"account\":\"6222020200011\","
		      "\"at\":\"2026-03-01T00:00:00Z\"}");
	ask(&w, "P", "2026-03-02T00:00:00Z");
	outbox = engine_outbox(w.engine);
	assert_int_equal(outbox->n, 1);
	json = outbox_at(outbox, 0)->json;
	assert_null(strstr(json, "62220202"));
	assert_non_null(strstr(json, "\"one\":\"****0011\""));
	assert_non_null(strstr(json, "\"to\":\"****0011\""));
	assert_non_null(strstr(json, "\"message\":\"****0011\""));
	world_close(&w);
}

static void table_hash(const struct world *world, char hash[33]) {
	const struct outbox *outbox = engine_outbox(world->engine);
	const char *json = outbox_at(outbox, outbox->n - 1)->json;
	const char *at = strstr(json, "\"tables\":{\"of\":\"");

	assert_non_null(at);
	snprintf(hash, 33, "%.32s", at + strlen("\"tables\":{\"of\":\""));
}

/* S8.9: the same records give the same sum, in whatever order they came. */
static void an_alert_says_which_records_the_table_had(void **state) {
	struct world w;
	char none[33], one[33], both[33], again[33];
	struct event *events[2];
	int i;

	(void)state;
	world_open(&w,
		   TABLES("") RULE "- rule: all\n"
				   "  title: t\n"
				   "  from: pays\n"
				   "  alert_if: default(of(payee).n, 1) > 0\n");
	ask(&w, "A", "2026-03-02T00:00:00Z");
	table_hash(&w, none);
	assert_string_equal(none, "00000000000000000000000000000000");
	party(&w, "A", 1, "2026-03-01T00:00:00Z");
	ask(&w, "A", "2026-03-02T00:00:00Z");
	table_hash(&w, one);
	party(&w, "B", 1, "2026-03-01T12:00:00Z");
	ask(&w, "A", "2026-03-02T00:00:00Z");
	table_hash(&w, both);
	assert_string_not_equal(one, none);
	assert_string_not_equal(one, both);
	world_close(&w);

	world_open(&w, TABLES("") RULE);
	for (i = 0; i < 2; i++) {
		char json[128];

		snprintf(json, sizeof(json),
			 "{\"party\":\"%s\",\"name\":\"%s\",\"n\":1,"
			 "\"at\":\"2026-03-01T%s:00:00Z\"}",
			 i ? "B" : "A", i ? "B" : "A", i ? "12" : "00");
		events[i] = world_event(&w, "parties", json);
	}
	assert_int_equal(engine_run(w.engine, &events[1], 1, 0), 1);
	assert_int_equal(engine_run(w.engine, &events[0], 1, 0), 1);
	ask(&w, "A", "2026-03-02T00:00:00Z");
	table_hash(&w, again);
	assert_string_equal(again, both);
	world_close(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_in_any_order_stand_in_the_order_of_time),
		cmocka_unit_test(what_nobody_can_ask_for_any_more_goes),
		cmocka_unit_test(
			the_oldest_rows_of_a_full_key_go_and_are_counted),
		cmocka_unit_test(
			the_key_that_was_silent_for_longest_makes_room),
		cmocka_unit_test(a_row_without_a_key_is_counted),
		cmocka_unit_test(a_row_too_large_to_keep_drives_nobody_out),
		cmocka_unit_test(no_memory_is_no_end),
		cmocka_unit_test(a_masked_field_stays_masked),
		cmocka_unit_test(an_alert_says_which_records_the_table_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
