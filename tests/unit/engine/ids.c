/*
 * Ids: the same event twice, and what only pretends to be.
 */
#include "engine/internal.h"
#include "engine/world.h"

#define RULES RULES_OVER("90d")
#define RULES_OVER(window)                                                     \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"streams:\n"                                                           \
	"  pays:\n"                                                            \
	"    topic: pays\n"                                                    \
	"    time: at\n"                                                       \
	"    max_delay: 0s\n"                                                  \
	"    id: no\n"                                                         \
	"    id_for: 10d\n"                                                    \
	"    fields: {\"no\": string, unit: string, amount: money(CNY), at: "  \
	"timestamp}\n"                                                         \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"                                                       \
	"  window: " window "\n"                                               \
	"  measure: {total: sum(amount)}\n"                                    \
	"  alert_if: total >= 10\n"                                            \
	"  refresh: 0s\n"

static void voucher(struct world *w, const char *no, const char *amount,
		    const char *at) {
	char more[64];

	snprintf(more, sizeof(more), ",\"no\":\"%s\"", no);
	pay_with(w, "U", amount, at, more);
}

static void assert_counts(struct world *w, uint64_t kept, uint64_t refused,
			  uint64_t duplicate) {
	const struct stream_counters *c = engine_stream_counters(w->engine, 0);

	assert_int_equal(c->kept, kept);
	assert_int_equal(c->refused, refused);
	assert_int_equal(c->duplicate, duplicate);
	assert_int_equal(c->read, kept + refused + duplicate);
}

/* S8.3 */
static void a_duplicate_is_counted_and_nothing_else(void **state) {
	uint64_t before;
	struct world w;

	(void)state;
	world_open(&w, RULES);
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	before = engine_ordinal(w.engine);
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "");
	assert_counts(&w, 1, 0, 1);
	/* S1.1: it has its input ordinal all the same. */
	assert_int_equal(engine_ordinal(w.engine), before + 1);
	assert_int_equal(engine_outbox(w.engine)->dead_n, 0);
	voucher(&w, "b", "6", "2026-03-01T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing U "
			  "@2026-03-01T00:00:00Z {\"total\":\"12.00\"}\n");
	world_close(&w);
}

/* S8.3: it does not move the watermark either. */
static void a_conflict_goes_to_the_dead_letters(void **state) {
	const struct dead_letter *dead;
	struct world w;
	usec_t before;

	(void)state;
	world_open(&w, RULES);
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	before = engine_watermark(w.engine);
	voucher(&w, "a", "6", "2026-03-02T00:00:00Z");
	assert_counts(&w, 1, 1, 0);
	assert_int_equal(engine_watermark(w.engine), before);
	assert_int_equal(engine_greatest_time(w.engine), before);
	assert_int_equal(engine_outbox(w.engine)->dead_n, 1);
	dead = outbox_dead_at(engine_outbox(w.engine), 0);
	assert_int_equal(dead->refusal, REFUSED_CONFLICT);
	assert_int_equal(dead->at.offset, 1);
	assert_int_equal(dead->ordinal, engine_ordinal(w.engine));
	assert_int_equal(engine_stream_counters(w.engine, 0)
				 ->refused_by[REFUSED_CONFLICT],
			 1);
	world_close(&w);
}

/* S8.3: ten days, counted from the event's time. */
static void an_id_is_forgotten_after_id_for(void **state) {
	struct world w;

	(void)state;
	world_open(&w, RULES);
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	advance(&w, "2026-03-10T23:59:59.999999Z");
	voucher(&w, "a", "7", "2026-03-11T00:00:00Z");
	assert_counts(&w, 1, 1, 0);
	advance(&w, "2026-03-11T00:00:00Z");
	voucher(&w, "a", "7", "2026-03-11T00:00:00Z");
	assert_counts(&w, 2, 1, 0);
	/* And is known again from then on. */
	advance(&w, "2026-03-20T00:00:00Z");
	voucher(&w, "a", "7", "2026-03-11T00:00:00Z");
	assert_counts(&w, 2, 1, 1);
	advance(&w, "2026-03-22T00:00:00Z");
	voucher(&w, "a", "7", "2026-03-22T00:00:00Z");
	assert_counts(&w, 3, 1, 1);
	world_close(&w);
}

/* S8.4: however late it is, the second one of it is known. */
static void a_late_event_counts_once(void **state) {
	struct world w;

	(void)state;
	world_open(&w, RULES);
	voucher(&w, "z", "1", "2026-06-01T00:00:00Z");
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	assert_counts(&w, 2, 0, 1);
	advance(&w, "2026-06-10T23:59:59.999999Z");
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	assert_counts(&w, 2, 0, 2);
	advance(&w, "2026-06-11T00:00:00Z");
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	assert_counts(&w, 3, 0, 2);
	world_close(&w);
}

/* S8.4: the cap is of one stream; what is over anyway is not counted. */
static void the_oldest_ids_are_forgotten_at_the_cap(void **state) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .max_ids_per_stream = 3 };
	struct world w;

	(void)state;
	world_load(&w, RULES);
	world_start(&w, &options);
	voucher(&w, "a", "1", "2026-03-01T00:00:00Z");
	voucher(&w, "b", "1", "2026-03-02T00:00:00Z");
	voucher(&w, "c", "1", "2026-03-03T00:00:00Z");
	assert_int_equal(engine_stream_counters(w.engine, 0)->ids, 3);
	voucher(&w, "d", "1", "2026-03-03T00:00:00Z");
	assert_int_equal(engine_stream_counters(w.engine, 0)->ids, 3);
	assert_int_equal(engine_stream_counters(w.engine, 0)->ids_forgotten, 1);
	/* a's time would have been up first; the others are known. */
	voucher(&w, "b", "1", "2026-03-02T00:00:00Z");
	voucher(&w, "c", "1", "2026-03-03T00:00:00Z");
	voucher(&w, "d", "2", "2026-03-03T00:00:00Z");
	assert_counts(&w, 4, 1, 2);
	voucher(&w, "a", "1", "2026-03-01T00:00:00Z");
	assert_counts(&w, 5, 1, 2);
	assert_int_equal(engine_stream_counters(w.engine, 0)->ids_forgotten, 2);
	advance(&w, "2026-04-01T00:00:00Z");
	assert_int_equal(engine_stream_counters(w.engine, 0)->ids, 0);
	assert_int_equal(engine_stream_counters(w.engine, 0)->ids_forgotten, 2);
	world_close(&w);
}

/* S9.4: a flood of ids costs ids, not keys. */
static void a_flood_of_ids_pays_with_ids(void **state) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .max_state_bytes = 64 * 1024 };
	struct world w;
	char no[16];
	int i;

	(void)state;
	world_load(&w, RULES_OVER("{sliding: 10d, panes: 5}"));
	world_start(&w, &options);
	for (i = 0; i < 5000; i++) {
		snprintf(no, sizeof(no), "%d", i);
		voucher(&w, no, "0", "2026-03-02T00:00:00Z");
		arena_reset(&w.arena);
	}
	assert_true(engine_stream_counters(w.engine, 0)->ids_forgotten > 2900);
	assert_int_equal(counters(&w)->evicted[LIMIT_MEMORY], 0);
	assert_true(w.engine->pages.used_bytes < 66 * 1024);
	voucher(&w, "4999", "0", "2026-03-02T00:00:00Z");
	assert_counts(&w, 5000, 0, 1);
	world_close(&w);
}

static void what_cannot_be_read_is_refused_and_counted(void **state) {
	struct world w;

	(void)state;
	world_open(&w, RULES);
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	world_take(&w, "{");
	world_take(&w, "{\"no\":\"b\",\"unit\":\"U\",\"at\":\"yesterday\","
		       "\"amount\":1}");
	voucher(&w, "a", "6", "2026-03-01T00:00:00Z");
	assert_counts(&w, 1, 2, 1);
	assert_int_equal(engine_outbox(w.engine)->dead_n, 2);
	world_close(&w);
}

/* S4.13: the stream's id, not where the record lies, names the alert. */
static void an_alert_s_id_is_made_of_the_event_s(void **state) {
	struct world one, two;

	(void)state;
	world_open(&one, RULES);
	world_open(&two, RULES);
	voucher(&one, "a", "20", "2026-03-01T00:00:00Z");
	world_take(&two, "{");
	outbox_drop_dead(engine_outbox(two.engine), 1);
	voucher(&two, "a", "20", "2026-03-01T00:00:00Z");
	assert_memory_equal(outbox_at(engine_outbox(one.engine), 0)->id,
			    outbox_at(engine_outbox(two.engine), 0)->id, 16);
	world_close(&one);
	world_close(&two);
}

/* Fires, resolves, and fires again at the cooldown's end; that one's id. */
static void id_at_the_end(const char *yaml, const char *late, uint8_t id[16]) {
	const struct outbox_item *last;
	struct world w;

	world_open(&w, yaml);
	if (late)
		voucher(&w, late, "0", "2026-03-01T05:00:00Z");
	voucher(&w, "a", "20", "2026-03-01T00:00:00Z");
	voucher(&w, "b", "-15", "2026-03-01T00:30:00Z");
	voucher(&w, "c", "10", "2026-03-01T00:45:00Z");
	alerts(&w);
	advance(&w, "2026-03-02T12:00:00Z");
	assert_int_equal(engine_outbox(w.engine)->n, 1);
	last = outbox_at(engine_outbox(w.engine), 0);
	assert_int_equal(last->change, CHANGE_FIRED);
	memcpy(id, last->id, 16);
	world_close(&w);
}

/*
 * S4.13: the last event's name is kept with the alert, or with the key if the
 * rule looks at keys without one. It makes no difference, but that of an event
 * which came before an older one fired only the place is known.
 */
static void the_last_event_names_what_a_timer_fires(void **state) {
	uint8_t with_key[16], with_alert[16];

	(void)state;
	id_at_the_end(RULES "  cooldown: 1d\n  every: 900d at 07:00\n", NULL,
		      with_key);
	id_at_the_end(RULES "  cooldown: 1d\n", NULL, with_alert);
	assert_memory_equal(with_key, with_alert, 16);
	id_at_the_end(RULES "  cooldown: 1d\n  every: 900d at 07:00\n", "z",
		      with_key);
	id_at_the_end(RULES "  cooldown: 1d\n", "z", with_alert);
	assert_memory_not_equal(with_key, with_alert, 16);
	id_at_the_end(RULES "  cooldown: 1d\n", "y", with_key);
	assert_memory_equal(with_key, with_alert, 16);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duplicate_is_counted_and_nothing_else),
		cmocka_unit_test(a_conflict_goes_to_the_dead_letters),
		cmocka_unit_test(an_id_is_forgotten_after_id_for),
		cmocka_unit_test(a_late_event_counts_once),
		cmocka_unit_test(the_oldest_ids_are_forgotten_at_the_cap),
		cmocka_unit_test(a_flood_of_ids_pays_with_ids),
		cmocka_unit_test(what_cannot_be_read_is_refused_and_counted),
		cmocka_unit_test(an_alert_s_id_is_made_of_the_event_s),
		cmocka_unit_test(the_last_event_names_what_a_timer_fires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
