/*
 * Panes: what is kept in half the room says the same, whatever it is fed.
 */
#include "engine/internal.h"
#include "engine/world.h"

/* With evidence a pane keeps more than sums, so it is never narrow. */
#define RULES(evidence)                                                        \
	WORLD_STREAMS                                                          \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"                                                       \
	"  per: event\n"                                                       \
	"  evidence: " evidence "\n"                                           \
	"  window: {sliding: 8d, panes: 4}\n"                                  \
	"  measure: {total: sum(amount), cnt: count(), some: \"count_if("      \
	"amount > 0)\", part: \"sum_if(n, amount < 0)\"}\n"                    \
	"  alert_if: \"true\"\n"                                               \
	"  review_within: 1d\n"

static uint32_t chance(uint32_t *seed) {
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Small ones, and about the edges of 32 and of 64 bits, of either sign. */
static int64_t some_number(uint32_t *seed) {
	static const int64_t edges[] = { 0, INT32_MAX, (int64_t)INT32_MAX + 1,
					 INT64_MAX / 2, INT64_MAX };
	int64_t n = (int64_t)(chance(seed) % 1000);

	if (chance(seed) % 64 == 0)
		n = edges[chance(seed) % ARRAY_SIZE(edges)] - n;
	return chance(seed) % 3 ? n : -n;
}

static void pay_some(struct world *w, uint32_t seed, usec_t at) {
	struct buf json = { 0 };
	int64_t fen = some_number(&seed);
	char amount[32];

	snprintf(amount, sizeof(amount), "%s%llu.%02llu", fen < 0 ? "-" : "",
		 (unsigned long long)llabs(fen) / 100,
		 (unsigned long long)llabs(fen) % 100);
	buf_printf(&json, "{\"unit\":\"U%u\",\"amount\":%s,\"n\":%lld,",
		   chance(&seed) % 3, amount, (long long)some_number(&seed));
	buf_puts(&json, "\"at\":\"");
	time_format_rfc3339(&json, at, NULL);
	buf_puts(&json, "\"}");
	world_take(w, buf_cstr(&json));
	buf_free(&json);
	arena_reset(&w->arena);
}

static const struct plan_counters *plan(const struct world *w) {
	return engine_plan_counters(w->engine, 0);
}

/* S3.4, S6.4 */
static void narrow_panes_say_what_wide_ones_do(void **state) {
	struct world narrow, wide;
	usec_t now = instant("2026-01-01T00:00:00Z"), at;
	uint32_t seed = 11, i, widened = 0;
	size_t cell;

	(void)state;
	world_open(&narrow, RULES("0"));
	world_open(&wide, RULES("1"));
	assert_true(panes_are_narrow(&narrow.engine->plans[0]));
	assert_false(panes_are_narrow(&wide.engine->plans[0]));
	cell = pages_class_bytes(layout_key_bytes(&narrow.engine->plans[0], 2));
	for (i = 0; i < 20000; i++) {
		now += chance(&seed) % (i % 100 ? 7200 : 1000000) *
		       USEC_PER_SEC;
		at = now;
		if (chance(&seed) % 5 == 0)
			at -= chance(&seed) % 1000000 * USEC_PER_SEC;
		pay_some(&narrow, i, at);
		pay_some(&wide, i, at);
		assert_string_equal(alerts(&narrow), alerts(&wide));
		widened += plan(&narrow)->bytes > plan(&narrow)->keys * cell;
	}
	assert_true(widened > 1000 && widened < 19000);
	assert_true(counters(&wide)->overflow > 10);
	assert_int_equal(counters(&narrow)->overflow,
			 counters(&wide)->overflow);
	assert_int_equal(counters(&narrow)->lost, 0);
	advance(&narrow, "2126-01-01T00:00:00Z");
	advance(&narrow, "2127-01-01T00:00:00Z");
	assert_int_equal(narrow.engine->pages.used_bytes, 0);
	assert_int_equal(plan(&narrow)->bytes, 0);
	world_close(&narrow);
	world_close(&wide);
}

#define SUM                                                                    \
	WORLD_STREAMS                                                          \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"                                                       \
	"  evidence: 0\n"                                                      \
	"  window: {sliding: 8d, panes: 8}\n"                                  \
	"  measure: {total: sum(amount)}\n"                                    \
	"  alert_if: total > 50000000\n"

/* S9.1: what a sum in eight panes takes under an account of 16 digits. */
static void a_key_of_one_sum_in_eight_panes_takes_96_bytes(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SUM);
	pay(&w, "6222000000000001", "1", "2026-03-01T00:00:00Z");
	pay(&w, "6222000000000002", "21474836.47", "2026-03-01T00:00:00Z");
	assert_int_equal(plan(&w)->bytes, 2 * 96);
	/* A fen more in one pane than 32 bits hold: a cell of 64 beside. */
	pay(&w, "6222000000000002", "2000000", "2026-03-02T00:00:00Z");
	assert_int_equal(plan(&w)->bytes, 2 * 96);
	pay(&w, "6222000000000002", "0.01", "2026-03-01T01:00:00Z");
	assert_int_equal(plan(&w)->bytes, 2 * 96 + 64);
	pay(&w, "6222000000000002", "30000000", "2026-03-03T00:00:00Z");
	assert_alerts(&w, "fired condition yellow firing 6222000000000002 "
			  "@2026-03-03T00:00:00Z "
			  "{\"total\":\"53474836.48\"}\n");
	advance(&w, "2026-04-01T00:00:00Z");
	alerts(&w);
	world_close(&w);
}

/* When all has left, the key is small again. */
static void a_key_is_narrow_again_after_a_silence(void **state) {
	struct world w;

	(void)state;
	world_open(&w, SUM);
	pay(&w, "6222000000000002", "30000000", "2026-03-01T00:00:00Z");
	assert_int_equal(plan(&w)->bytes, 96 + 64);
	pay(&w, "6222000000000002", "1", "2026-03-08T00:00:00Z");
	assert_int_equal(plan(&w)->bytes, 96 + 64);
	pay(&w, "6222000000000002", "1", "2026-03-16T00:00:00Z");
	assert_int_equal(plan(&w)->bytes, 96);
	world_close(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(narrow_panes_say_what_wide_ones_do),
		cmocka_unit_test(
			a_key_of_one_sum_in_eight_panes_takes_96_bytes),
		cmocka_unit_test(a_key_is_narrow_again_after_a_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
