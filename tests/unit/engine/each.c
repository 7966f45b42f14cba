/*
 * Rules that go through a list: what counts, what is cut, whose the alert is.
 */
#include "engine/world.h"

#define TOP                                                                    \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars: {cn: {tz: Asia/Shanghai}}\n"                               \
	"streams:\n"                                                           \
	"  joint:\n"                                                           \
	"    topic: joint\n"                                                   \
	"    time: at\n"                                                       \
	"    max_delay: 0s\n"                                                  \
	"    fields: {buyer: string, ids: {type: list(string) optional, "      \
	"mask: last4}, ns: list(int) optional, at: timestamp}\n"

#define EACH(name, body)                                                       \
	"- rule: " name "\n"                                                   \
	"  title: t\n"                                                         \
	"  from: joint\n" body

static void joint(struct world *world, const char *lists, const char *at) {
	CLEANUP(buf_free) struct buf json = { 0 };

	buf_printf(&json, "{\"buyer\":\"B\"%s,\"at\":\"%s\"}", lists, at);
	world_take_in(world, "joint", 0, buf_cstr(&json));
}

static const struct stream_counters *stream(const struct world *world) {
	return engine_stream_counters(world->engine, 0);
}

/* S1.8, S4.13 */
static void a_record_counts_once_and_its_alerts_are_several(void **state) {
	struct world w;
	struct outbox *outbox;
	size_t i, k;

	(void)state;
	world_open(&w, TOP "rules:\n" EACH("r", "  each: ns as n\n"
						"  alert_if: n > 0\n"));
	joint(&w, ",\"ns\":[1,0,2,1]", "2026-03-01T00:00:00Z");
	assert_int_equal(stream(&w)->read, 1);
	assert_int_equal(stream(&w)->kept, 1);
	assert_int_equal(engine_ordinal(w.engine), 2);
	assert_int_equal(counters(&w)->judged, 4);
	assert_int_equal(counters(&w)->fired, 3);
	outbox = engine_outbox(w.engine);
	assert_int_equal(outbox->n, 3);
	for (i = 0; i < outbox->n; i++)
		for (k = 0; k < i; k++)
			assert_memory_not_equal(outbox_at(outbox, i)->id,
						outbox_at(outbox, k)->id, 16);
	world_close(&w);
}

/* S1.9 */
static void lists_that_are_empty_or_too_long_are_counted(void **state) {
	CLEANUP(buf_free) struct buf many = { 0 };
	struct world w;
	int i;

	(void)state;
	world_open(&w, TOP "rules:\n" EACH("r", "  each: ns as n\n"
						"  by: [buyer]\n"
						"  window: 1d\n"
						"  measure: {c: count(), most: "
						"max(n)}\n"
						"  alert_if: c > 1\n"));
	joint(&w, "", "2026-03-01T00:00:00Z");
	joint(&w, ",\"ns\":[]", "2026-03-01T01:00:00Z");
	joint(&w, ",\"ns\":null", "2026-03-01T02:00:00Z");
	assert_int_equal(counters(&w)->each_empty, 3);
	assert_int_equal(counters(&w)->judged, 0);
	assert_int_equal(stream(&w)->kept, 3);
	buf_puts(&many, ",\"ns\":[0");
	for (i = 1; i < 300; i++)
		buf_printf(&many, ",%d", i);
	buf_puts(&many, "]");
	joint(&w, buf_cstr(&many), "2026-03-01T03:00:00Z");
	assert_int_equal(counters(&w)->each_cut, 44);
	assert_alerts(&w, "fired condition yellow firing B "
			  "@2026-03-01T03:00:00Z {\"c\":256,\"most\":255}\n");
	world_close(&w);
}

/* Two lists, two names for one list, and no list, side by side. */
static void rules_go_through_lists_of_their_own(void **state) {
	struct world w;
	const struct outbox *outbox;

	(void)state;
	world_open(&w,
		   TOP "rules:\n" EACH("a", "  each: ns as n\n"
					    "  alert_if: n == 2\n")
			   EACH("b", "  each: ns as m\n"
				     "  where: m == 1\n"
				     "  let: {seven: m + 6}\n"
				     "  alert_if: seven == 7\n")
				   EACH("c", "  each: ids as id\n"
					     "  by: [id]\n"
					     "  window: 1d\n"
					     "  measure: {last: last(id), c: "
					     "count()}\n"
					     "  alert_if: id != 'xxxxx1111'\n")
					   EACH("d", "  alert_if: size(ns) == "
						     "2\n"));
	joint(&w, ",\"ns\":[1,2],\"ids\":[\"xxxxx1111\",\"xxxxx2222\"]",
	      "2026-03-01T00:00:00Z");
	outbox = engine_outbox(w.engine);
	assert_int_equal(outbox->n, 4);
	assert_string_equal(outbox_at(outbox, 0)->rule, "t/a");
	assert_string_equal(outbox_at(outbox, 1)->rule, "t/b");
	assert_string_equal(outbox_at(outbox, 2)->rule, "t/c");
	assert_string_equal(outbox_at(outbox, 3)->rule, "t/d");
	assert_string_equal(outbox_at(outbox, 2)->key, "****2222");
	/* The list is masked, so is each of its elements. */
	assert_null(strstr(outbox_at(outbox, 2)->json, "xxxxx2222"));
	assert_non_null(
		strstr(outbox_at(outbox, 2)->json, "\"last\":\"****2222\""));
	/* The evidence shows the element that it is about. */
	assert_non_null(
		strstr(outbox_at(outbox, 0)->json,
		       "\"offset\":0,\"time\":\"2026-03-01T08:00:00+08:00\""
		       ",\"fields\":{\"at\":\"2026-03-01T08:00:00+08:00\","
		       "\"n\":2}"));
	world_close(&w);
}

/* A condition on the element cannot choose which rules see the event. */
static void an_index_does_not_look_at_elements(void **state) {
	struct world w;

	(void)state;
	world_open(&w, TOP "rules:\n" EACH("r", "  each: ids as id\n"
						"  where: id == 'S' && buyer "
						"== 'B'\n"
						"  alert_if: \"true\"\n"));
	joint(&w, ",\"ids\":[\"R\",\"S\"]", "2026-03-01T00:00:00Z");
	assert_int_equal(counters(&w)->fired, 1);
	world_close(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_record_counts_once_and_its_alerts_are_several),
		cmocka_unit_test(lists_that_are_empty_or_too_long_are_counted),
		cmocka_unit_test(rules_go_through_lists_of_their_own),
		cmocka_unit_test(an_index_does_not_look_at_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
