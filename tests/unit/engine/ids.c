/*
 * Ids: the same event twice, and what only pretends to be.
 */
#include "engine/world.h"

#define RULES                                                                  \
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
	"  window: 90d\n"                                                      \
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

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duplicate_is_counted_and_nothing_else),
		cmocka_unit_test(a_conflict_goes_to_the_dead_letters),
		cmocka_unit_test(an_id_is_forgotten_after_id_for),
		cmocka_unit_test(what_cannot_be_read_is_refused_and_counted),
		cmocka_unit_test(an_alert_s_id_is_made_of_the_event_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
