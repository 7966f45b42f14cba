/*
 * The seam: what Redis holds, and what a silent engine found, made one.
 */
#include "engine/world.h"

#define RULES(red)                                                             \
	WORLD_STREAMS                                                          \
	"rules:\n"                                                             \
	"- rule: total\n"                                                      \
	"  title: t\n"                                                         \
	"  status: live\n"                                                     \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"                                                       \
	"  window: 10d\n"                                                      \
	"  where: unit != 'W' || amount > " red "\n"                           \
	"  measure: {total: sum(amount)}\n"                                    \
	"  alert_if: total >= 100 && !(unit == 'V' && total > " red ")\n"      \
	"  level: {red: total >= " red ", yellow: \"true\"}\n"

static void pay_all(struct world *w) {
	pay(w, "U", "200", "2026-03-01T00:00:00Z");
	pay(w, "V", "200", "2026-03-01T00:00:01Z");
	pay(w, "W", "200", "2026-03-01T00:00:02Z");
	pay(w, "X", "900", "2026-03-01T00:00:03Z");
}

static struct decision seam_of(struct world *theirs, const char **open,
			       size_t *len) {
	struct outbox *outbox = engine_outbox(theirs->engine);
	struct decision decision = { .kind = DECISION_SEAM,
				     .reason = "other rules",
				     .open = open,
				     .open_len = len };
	size_t i;

	for (i = 0; i < outbox->n; i++) {
		open[i] = outbox_at(outbox, i)->json;
		len[i] = outbox_at(outbox, i)->json_len;
	}
	decision.n_open = outbox->n;
	decision.seq = engine_seq(theirs->engine);
	memcpy(decision.hash, engine_hash(theirs->engine), 32);
	return decision;
}

static void assert_item(struct world *w, size_t i, enum alert_change change,
			uint64_t seq, uint64_t rev, const char *key) {
	const struct outbox_item *item = outbox_at(engine_outbox(w->engine), i);

	assert_int_equal(item->change, change);
	assert_int_equal(item->seq, seq);
	assert_int_equal(item->rev, rev);
	if (change != CHANGE_WITHDRAWN)
		assert_string_equal(item->key, key);
	assert_non_null(strstr(item->json, key));
}

/*
 * Theirs has U, V and X as yellow, yellow and red; ours has U as red, W as
 * red, X as red.
 */
static void the_difference_is_published_and_the_chain_goes_on(void **state) {
	struct engine_options silent = { .silent = true, .seed = 1 };
	struct world theirs, ours;
	struct decision decision;
	const char *open[8];
	size_t len[8];

	(void)state;
	world_open(&theirs, RULES("300"));
	pay_all(&theirs);
	assert_int_equal(engine_outbox(theirs.engine)->n, 3);
	decision = seam_of(&theirs, open, len);

	world_load(&ours, RULES("150"));
	world_start(&ours, &silent);
	pay_all(&ours);
	assert_int_equal(engine_outbox(ours.engine)->n, 0);
	assert_int_equal(engine_seq(ours.engine), 0);
	assert_true(engine_is_silent(ours.engine));

	assert_true(engine_decide(ours.engine, &decision));
	assert_false(engine_is_silent(ours.engine));
	assert_int_equal(engine_outbox(ours.engine)->n, 3);
	assert_item(&ours, 0, CHANGE_WITHDRAWN, 4, 2, "V");
	assert_item(&ours, 1, CHANGE_AMENDED, 5, 2, "U");
	assert_item(&ours, 2, CHANGE_FIRED, 6, 1, "W");
	assert_int_equal(engine_seq(ours.engine), 6);
	outbox_drop(engine_outbox(ours.engine), 3);

	/* What comes then goes on from there; X was the same in both. */
	pay(&ours, "U", "-150", "2026-03-02T00:00:00Z");
	pay(&ours, "W", "160", "2026-03-05T00:00:00Z");
	pay(&ours, "X", "-900", "2026-03-05T00:00:00Z");
	assert_int_equal(engine_outbox(ours.engine)->n, 3);
	assert_item(&ours, 0, CHANGE_RESOLVED, 7, 3, "U");
	assert_item(&ours, 1, CHANGE_UPDATED, 8, 2, "W");
	assert_item(&ours, 2, CHANGE_RESOLVED, 9, 2, "X");
	world_close(&ours);
	world_close(&theirs);
}

/*
 * Theirs has resolved U and V; ours has U still open: it fires again, and its
 * revs go on. V is no concern of anybody.
 */
static void what_was_closed_there_fires_again(void **state) {
	struct engine_options silent = { .silent = true, .seed = 1 };
	struct world theirs, ours;
	struct outbox *outbox;
	struct decision decision;
	const char *closed[2];
	size_t len[2];
	struct buf ids = { 0 };

	(void)state;
	world_open(&theirs, RULES("300"));
	pay(&theirs, "U", "200", "2026-03-01T00:00:00Z");
	pay(&theirs, "V", "200", "2026-03-01T00:00:01Z");
	pay(&theirs, "U", "-150", "2026-03-01T00:00:02Z");
	pay(&theirs, "V", "-150", "2026-03-01T00:00:03Z");
	outbox = engine_outbox(theirs.engine);
	assert_int_equal(outbox->n, 4);
	outbox_drop(outbox, 2);
	decision = seam_of(&theirs, closed, len);

	world_load(&ours, RULES("300"));
	world_start(&ours, &silent);
	pay(&ours, "U", "200", "2026-03-01T00:00:00Z");
	engine_open_ids(ours.engine, &ids);
	assert_int_equal(ids.len, 16);
	assert_memory_equal(ids.data, outbox_at(outbox, 0)->id, 16);
	assert_true(engine_decide(ours.engine, &decision));
	assert_int_equal(engine_outbox(ours.engine)->n, 1);
	assert_item(&ours, 0, CHANGE_FIRED, 5, 3, "U");
	outbox_drop(engine_outbox(ours.engine), 1);
	pay(&ours, "U", "-150", "2026-03-02T00:00:00Z");
	assert_item(&ours, 0, CHANGE_RESOLVED, 6, 4, "U");
	buf_free(&ids);
	world_close(&ours);
	world_close(&theirs);
}

#define OPEN_ENDED                                                             \
	WORLD_STREAMS                                                          \
	"rules:\n"                                                             \
	"- rule: followed\n"                                                   \
	"  title: t\n"                                                         \
	"  status: live\n"                                                     \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"                                                       \
	"  window: {until: {as: end, from: pays, where: amount > 500}, max: "  \
	"30d, judge: each}\n"                                                  \
	"  measure: {cnt: count()}\n"                                          \
	"  alert_if: cnt >= 2\n"                                               \
	"  review_within: 20d\n"

/*
 * S3.25: what stands for review since its window was closed is open, and what
 * has been reviewed is not; both were only known in silence.
 */
static void what_stands_after_a_close_is_open_at_the_seam(void **state) {
	struct engine_options silent = { .silent = true, .seed = 1 };
	struct decision decision = { .kind = DECISION_SEAM,
				     .reason = "other rules" };
	struct world w;

	(void)state;
	world_load(&w, OPEN_ENDED);
	world_start(&w, &silent);
	pay(&w, "U", "1", "2026-03-01T00:00:00Z");
	pay(&w, "U", "900", "2026-03-02T00:00:00Z");
	pay(&w, "V", "1", "2026-03-01T00:00:00Z");
	pay(&w, "V", "900", "2026-03-10T00:00:00Z");
	pay(&w, "W", "1", "2026-03-24T00:00:00Z");
	assert_int_equal(engine_outbox(w.engine)->n, 0);
	assert_true(engine_decide(w.engine, &decision));
	assert_int_equal(engine_outbox(w.engine)->n, 1);
	assert_item(&w, 0, CHANGE_FIRED, 1, 1, "V");
	assert_int_equal(outbox_at(engine_outbox(w.engine), 0)->state,
			 STATE_RESOLVED);
	outbox_drop(engine_outbox(w.engine), 1);
	advance(&w, "2026-03-30T00:00:00Z");
	assert_int_equal(engine_outbox(w.engine)->n, 1);
	assert_item(&w, 0, CHANGE_UPDATED, 2, 2, "V");
	world_close(&w);
}

/* Each record links to the one before, the first of them to theirs. */
static void the_hash_of_the_first_builds_on_theirs(void **state) {
	struct engine_options silent = { .silent = true, .seed = 1 };
	struct world theirs, ours;
	struct decision decision;
	const char *open[8];
	char want[96];
	struct buf hex = { 0 };
	size_t len[8];

	(void)state;
	world_open(&theirs, RULES("300"));
	pay_all(&theirs);
	decision = seam_of(&theirs, open, len);
	world_load(&ours, RULES("150"));
	world_start(&ours, &silent);
	assert_true(engine_decide(ours.engine, &decision));
	/* Ours has nothing: all of theirs is withdrawn, by id. */
	assert_int_equal(engine_outbox(ours.engine)->n, 3);
	buf_hex(&hex, decision.hash, 32);
	snprintf(want, sizeof(want), "\"prev_hash\":\"%s\"", buf_cstr(&hex));
	assert_non_null(
		strstr(outbox_at(engine_outbox(ours.engine), 0)->json, want));
	assert_true(memcmp(outbox_at(engine_outbox(ours.engine), 0)->id,
			   outbox_at(engine_outbox(ours.engine), 1)->id,
			   16) < 0);
	assert_true(memcmp(outbox_at(engine_outbox(ours.engine), 1)->id,
			   outbox_at(engine_outbox(ours.engine), 2)->id,
			   16) < 0);
	buf_free(&hex);
	world_close(&ours);
	world_close(&theirs);
}

/*
 * S9.5: of what went stale in silence the record is kept; its key and its life
 * are others' by then.
 */
static void what_went_stale_meanwhile_is_published_as_that(void **state) {
	struct engine_options silent = { .silent = true,
					 .seed = 1,
					 .max_keys_per_rule = 1 };
	struct world theirs, ours;
	struct decision decision;
	const char *open[8];
	size_t len[8];
	size_t i, stale = 0;

	(void)state;
	world_open(&theirs, RULES("300"));
	pay(&theirs, "U", "200", "2026-03-01T00:00:00Z");
	decision = seam_of(&theirs, open, len);
	world_load(&ours, RULES("300"));
	world_start(&ours, &silent);
	pay_all(&ours);
	assert_true(engine_decide(ours.engine, &decision));
	assert_int_equal(engine_outbox(ours.engine)->n, 3);
	assert_item(&ours, 0, CHANGE_AMENDED, 2, 2, "U");
	for (i = 0; i < 3; i++)
		stale += outbox_at(engine_outbox(ours.engine), i)->state ==
			 STATE_STALE;
	assert_int_equal(stale, 2);
	outbox_drop(engine_outbox(ours.engine), 3);
	/* The one that is left goes on, with the rev that was published. */
	pay(&ours, "X", "-900", "2026-03-05T00:00:00Z");
	assert_int_equal(engine_outbox(ours.engine)->n, 1);
	assert_item(&ours, 0, CHANGE_RESOLVED, 5, 2, "X");
	world_close(&ours);
	world_close(&theirs);
}

/* What Redis holds is not trusted. */
static void a_record_that_is_none_is_left_alone(void **state) {
	static const char *const open[] = { "{}", "", "[1" };
	static const size_t len[] = { 2, 0, 2 };
	struct engine_options silent = { .silent = true, .seed = 1 };
	struct decision decision = { .kind = DECISION_SEAM,
				     .open = open,
				     .open_len = len,
				     .n_open = 3,
				     .seq = 41 };
	struct world w;

	(void)state;
	world_load(&w, RULES("300"));
	world_start(&w, &silent);
	assert_true(engine_decide(w.engine, &decision));
	assert_int_equal(engine_outbox(w.engine)->n, 0);
	assert_int_equal(engine_seq(w.engine), 41);
	world_close(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_difference_is_published_and_the_chain_goes_on),
		cmocka_unit_test(what_was_closed_there_fires_again),
		cmocka_unit_test(
			what_went_stale_meanwhile_is_published_as_that),
		cmocka_unit_test(what_stands_after_a_close_is_open_at_the_seam),
		cmocka_unit_test(the_hash_of_the_first_builds_on_theirs),
		cmocka_unit_test(a_record_that_is_none_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
