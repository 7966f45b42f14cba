/*
 * Withheld: who asks is told of each verdict that made no alert, and of no
 * other, so that what was told and what was counted are the same sums.
 */
#include "engine/world.h"

#include "alert/record.h"

#define RULE                                                                   \
	WORLD_STREAMS                                                          \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  title: t\n"                                                         \
	"  from: pays\n"

struct told {
	struct world w;
	uint64_t by_reason[WITHHELD_MISSING + 1], by_missing[MISSING_MAX];
	uint64_t silent;
	struct buf lines; /* of all, until somebody looks */
};

static const char *const reasons[] = {
	[WITHHELD_COOLDOWN] = "cooldown",
	[WITHHELD_EXCEPTION] = "exception",
	[WITHHELD_OPEN_MAX] = "open_max",
	[WITHHELD_MISSING] = "missing",
};

static void on_withheld(void *context, const struct withheld *what) {
	struct told *told = context;
	struct buf *out = &told->lines;

	told->by_reason[what->reason]++;
	told->by_missing[what->missing]++;
	told->silent += what->silent;
	buf_printf(out, "%s %s", what->rule->name, reasons[what->reason]);
	if (what->exception)
		buf_printf(out, " (%s, %s)", what->exception->reason,
			   what->exception->approved_by);
	if (what->missing)
		buf_printf(out, " (%s)", missing_name(what->missing));
	buf_printf(out, " %s ", what->level ? level_name(what->level) : "none");
	record_key(out, what->rule, what->key);
	buf_puts(out, " @");
	time_format_rfc3339(out, what->at, NULL);
	buf_putc(out, '\n');
}

static void open_asked(struct told *told, const char *rules, bool silent) {
	struct engine_options options = { .shadow = true,
					  .seed = 1,
					  .silent = silent,
					  .withheld = on_withheld,
					  .withheld_context = told };

	*told = (struct told){ 0 };
	world_load(&told->w, rules);
	world_start(&told->w, &options);
}

static void close_asked(struct told *told) {
	const struct rule_counters *are = counters(&told->w);

	assert_int_equal(told->by_reason[WITHHELD_COOLDOWN],
			 are->withheld_cooldown);
	assert_int_equal(told->by_reason[WITHHELD_EXCEPTION],
			 are->withheld_exception);
	assert_int_equal(told->by_reason[WITHHELD_OPEN_MAX],
			 are->withheld_open_max);
	for (size_t i = 1; i < MISSING_MAX; i++)
		assert_int_equal(told->by_missing[i], are->missing[i]);
	buf_free(&told->lines);
	world_close(&told->w);
}

static void assert_told(struct told *told, const char *expected) {
	assert_string_equal(buf_cstr(&told->lines), expected);
	buf_reset(&told->lines);
}

/* S4.7: at an event in its time, and at no event behind its end. */
static void a_cooldown_is_told_with_the_level(void **state) {
	struct told told;

	(void)state;
	open_asked(&told,
		   RULE "  by: [unit]\n"
			"  window: 10d\n"
			"  measure: {total: sum(amount)}\n"
			"  alert_if: total >= 100\n"
			"  level: {red: total >= 300, yellow: \"true\"}\n"
			"  cooldown: 5d\n",
		   false);
	pay(&told.w, "U", "300", "2026-03-01T00:00:00Z");
	pay(&told.w, "U", "-250", "2026-03-02T00:00:00Z");
	assert_told(&told, "");
	pay(&told.w, "U", "50", "2026-03-03T00:00:00Z");
	pay(&told.w, "U", "200", "2026-03-05T23:59:59Z");
	assert_told(&told, "r cooldown yellow U @2026-03-03T00:00:00Z\n"
			   "r cooldown red U @2026-03-05T23:59:59Z\n");
	pay(&told.w, "U", "1", "2026-03-06T00:00:00Z");
	assert_told(&told, "");
	assert_int_equal(counters(&told.w)->withheld_cooldown, 2);
	assert_int_equal(counters(&told.w)->fired, 2);
	close_asked(&told);
}

/* A rise is published in spite of a cooldown; a fall comes later, so it is
 * not withheld. */
static void a_fall_that_waits_is_not_told(void **state) {
	struct told told;

	(void)state;
	open_asked(&told,
		   RULE "  by: [unit]\n"
			"  window: 10d\n"
			"  measure: {total: sum(amount)}\n"
			"  alert_if: total >= 100\n"
			"  level: {red: total >= 300, yellow: \"true\"}\n"
			"  cooldown: 5d\n",
		   false);
	pay(&told.w, "U", "300", "2026-03-01T00:00:00Z");
	pay(&told.w, "U", "-150", "2026-03-02T00:00:00Z");
	assert_told(&told, "");
	assert_int_equal(counters(&told.w)->withheld_cooldown, 0);
	close_asked(&told);
}

/* S4.7 */
static void a_cooldown_of_single_events_is_told(void **state) {
	struct told told;

	(void)state;
	open_asked(&told,
		   RULE "  by: [unit]\n"
			"  alert_if: amount > 0\n"
			"  level: {red: amount > 9, yellow: \"true\"}\n"
			"  cooldown: 1h\n",
		   false);
	pay(&told.w, "U", "1", "2026-03-05T00:00:00Z");
	pay(&told.w, "U", "1", "2026-03-05T00:59:59Z");
	pay(&told.w, "U", "10", "2026-03-05T00:59:59Z");
	pay(&told.w, "U", "10", "2026-03-05T01:59:58Z");
	pay(&told.w, "V", "1", "2026-03-05T01:59:58Z");
	assert_told(&told, "r cooldown yellow U @2026-03-05T00:59:59Z\n"
			   "r cooldown red U @2026-03-05T01:59:58Z\n");
	assert_int_equal(counters(&told.w)->withheld_cooldown, 2);
	close_asked(&told);
}

#define EXCEPTIONS                                                             \
	"  exceptions:\n"                                                      \
	"  - {reason: known, match: {unit: [U]}, until: 2026-03-05, "          \
	"approved_by: a}\n"                                                    \
	"  - {reason: also, match: {unit: [U, V]}, until: 2026-03-07, "        \
	"approved_by: b}\n"

/* S4.14: the first that matches, and the next one behind its last day. */
static void an_exception_is_told_by_its_reason(void **state) {
	static const char *const rules[] = {
		RULE "  by: [unit]\n"
		     "  alert_if: amount > 0\n" EXCEPTIONS,
		RULE "  by: [unit]\n"
		     "  window: 10d\n"
		     "  measure: {cnt: count()}\n"
		     "  alert_if: cnt > 0\n" EXCEPTIONS,
	};
	struct told told;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		open_asked(&told, rules[i], false);
		pay(&told.w, "U", "1", "2026-03-05T15:59:59Z");
		pay(&told.w, "U", "1", "2026-03-05T16:00:00Z");
		pay(&told.w, "V", "1", "2026-03-05T16:00:00Z");
		pay(&told.w, "W", "1", "2026-03-05T16:00:00Z");
		assert_told(&told, "r exception (known, a) yellow U "
				   "@2026-03-05T15:59:59Z\n"
				   "r exception (also, b) yellow U "
				   "@2026-03-05T16:00:00Z\n"
				   "r exception (also, b) yellow V "
				   "@2026-03-05T16:00:00Z\n");
		assert_int_equal(counters(&told.w)->withheld_exception, 3);
		assert_int_equal(counters(&told.w)->fired, 1);
		close_asked(&told);
	}
}

/* S5.3: whatever on_missing makes of it. */
static void a_missing_verdict_is_told_by_its_kind(void **state) {
	static const char *const after[] = { "", "  on_missing: inconclusive\n",
					     "  on_missing: alert\n" };
	char rules[1024];
	struct told told;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
		snprintf(rules, sizeof(rules), "%s%s",
			 RULE "  by: [unit]\n"
			      "  window: 10d\n"
			      "  measure: {cnt: count()}\n"
			      "  alert_if: ratio(cnt, n) > 0.5 && x > 1.0\n",
			 after[i]);
		open_asked(&told, rules, false);
		pay_with(&told.w, "U", "1", "2026-03-01T00:00:00Z", ",\"n\":1");
		pay_with(&told.w, "U", "1", "2026-03-02T00:00:00Z",
			 ",\"n\":0,\"x\":2.0");
		pay_with(&told.w, "U", "1", "2026-03-03T00:00:00Z",
			 ",\"n\":9,\"x\":0.5");
		assert_told(&told, "r missing (field) none U "
				   "@2026-03-01T00:00:00Z\n"
				   "r missing (zero) none U "
				   "@2026-03-02T00:00:00Z\n");
		assert_int_equal(counters(&told.w)->missing[MISSING_ZERO], 1);
		close_asked(&told);
	}
}

/* S3.20: no more alerts for windows of this key. */
static void a_window_beyond_open_max_is_told_with_its_level(void **state) {
	struct told told;

	(void)state;
	open_asked(&told,
		   RULE "  by: [unit]\n"
			"  window: {session: 1s}\n"
			"  open_max: 1\n"
			"  measure: {cnt: count()}\n"
			"  alert_if: cnt >= 1\n"
			"  level: {orange: \"true\"}\n",
		   false);
	world_decide(&told.w, DECISION_LIVE, NULL, 0);
	world_decide(&told.w, DECISION_PARTITION, "pays", 1);
	pay(&told.w, "U", "1", "2026-03-01T00:00:00Z");
	pay(&told.w, "U", "1", "2026-03-01T00:01:00Z");
	pay(&told.w, "U", "1", "2026-03-01T00:02:00Z");
	assert_told(&told, "r open_max orange U @2026-03-01T00:01:00Z\n"
			   "r open_max orange U @2026-03-01T00:02:00Z\n");
	assert_int_equal(counters(&told.w)->withheld_open_max, 2);
	close_asked(&told);
}

/* S3.13: it fires, but does not follow its coarser key. */
static void an_alert_beyond_open_max_is_told_without_a_level(void **state) {
	struct told told;

	(void)state;
	open_asked(&told,
		   RULE "  by: [unit, payee]\n"
			"  window: 10d\n"
			"  measure: {mine: count(), u: {agg: count(), by: "
			"[unit]}}\n"
			"  alert_if: mine >= 1 && u <= 2\n"
			"  open_max: 1\n",
		   false);
	pay_with(&told.w, "U", "1", "2026-03-01T00:00:00Z", ",\"payee\":\"P\"");
	pay_with(&told.w, "U", "1", "2026-03-01T00:00:01Z", ",\"payee\":\"Q\"");
	assert_told(&told, "r open_max none U / Q @2026-03-01T00:00:01Z\n");
	assert_int_equal(counters(&told.w)->fired, 2);
	close_asked(&told);
}

static void what_a_seam_takes_is_told_as_silent(void **state) {
	struct decision seam = { .kind = DECISION_SEAM, .reason = "r" };
	struct told told;

	(void)state;
	open_asked(&told,
		   RULE "  by: [unit]\n"
			"  window: 10d\n"
			"  measure: {cnt: count()}\n"
			"  alert_if: x > 1.0\n",
		   true);
	pay(&told.w, "U", "1", "2026-03-01T00:00:00Z");
	assert_int_equal(told.silent, 1);
	assert_true(engine_decide(told.w.engine, &seam));
	pay(&told.w, "U", "1", "2026-03-02T00:00:00Z");
	assert_int_equal(told.silent, 1);
	assert_int_equal(told.by_reason[WITHHELD_MISSING], 2);
	close_asked(&told);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cooldown_is_told_with_the_level),
		cmocka_unit_test(a_fall_that_waits_is_not_told),
		cmocka_unit_test(a_cooldown_of_single_events_is_told),
		cmocka_unit_test(an_exception_is_told_by_its_reason),
		cmocka_unit_test(a_missing_verdict_is_told_by_its_kind),
		cmocka_unit_test(
			a_window_beyond_open_max_is_told_with_its_level),
		cmocka_unit_test(
			an_alert_beyond_open_max_is_told_without_a_level),
		cmocka_unit_test(what_a_seam_takes_is_told_as_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
