/*
 * Records: their bytes, their chain, and what comes back.
 *
 * With the argument `print` it prints its records instead, one a line: what
 * the schema is held against.
 */
#include "alert/case.h"

#include <errno.h>
#include <stdio.h>

#include "base/hash.h"
#include "event/json.h"

static void stamp_case(struct test_case *c, struct buf *out, uint8_t hash[32]) {
	CLEANUP(buf_free) struct buf body = { 0 };

	record_body(&body, &c->draft);
	record_stamp(out, &c->stamp, body.data, body.len, hash);
}

/* All of it, so that no byte changes unseen (see ENGINE_NUMBER). */
static void writes_these_bytes(void **state) {
	static const char want[] =
#include "alert/want.inc"
		;
	CLEANUP(buf_free) struct buf out = { 0 };
	uint8_t hash[32];

	stamp_case(*state, &out, hash);
	assert_string_equal(buf_cstr(&out), want);
}

static void writes_the_same_bytes_again(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf one = { 0 };
	CLEANUP(buf_free) struct buf two = { 0 };

	buf_puts(&two, "[\"what stands before\"{");
	record_body(&one, &c->draft);
	record_body(&two, &c->draft);
	assert_int_equal(two.len, one.len + 22);
	assert_memory_equal(two.data + 22, one.data, one.len);
}

static bool contains(const struct buf *buf, const char *what) {
	return memmem(buf->data, buf->len, what, strlen(what)) != NULL;
}

static void a_masked_value_appears_nowhere(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf key = { 0 };
	uint8_t hash[32];

	give(c, &c->rule.advice, LANGUAGE_EN, "{label} {newest} {'' + label}");
	c->rule.resolve_if = condition(
		c, "payee_account == label || label in [newest, unit]");
	stamp_case(c, &out, hash);
	record_key(&key, &c->rule, c->key);
	assert_true(contains(&out, "****2222"));
	assert_false(contains(&out, "00001111"));
	assert_string_equal(buf_cstr(&key), "U-03 / ****2222");
}

static void a_masked_key_can_still_be_grouped_by(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf one = { 0 };
	CLEANUP(buf_free) struct buf two = { 0 };
	char *ref, *other;

	record_body(&one, &c->draft);
	c->draft.mask_key = (const uint8_t *)"another key of another site ....";
	record_body(&two, &c->draft);
	ref = strstr(buf_cstr(&one), "\"key_ref\":{\"payee_account\":\"");
	other = strstr(buf_cstr(&two), "\"key_ref\":{\"payee_account\":\"");
	assert_non_null(ref);
	assert_non_null(other);
	assert_memory_not_equal(ref, other, 29 + 32);
}

static void keeps_the_values_of_the_firing(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf fired = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };

	record_values(&fired, &c->draft);
	c->draft.at_fire = fired.data;
	c->draft.at_fire_len = fired.len;
	c->frame[F_CNT] = value_int(4);
	record_body(&out, &c->draft);
	assert_true(contains(&out, "\"values\":{\"at_fire\":{\"total\":"
				   "\"970000.00\",\"cnt\":3,"));
	assert_true(contains(&out, "\"now\":{\"total\":\"970000.00\","
				   "\"cnt\":4,"));
}

static void what_is_missing_says_why_and_once(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf out = { 0 };

	c->frame[F_MID] = value_missing(MISSING_YOUNG);
	c->frame[F_GROWTH] = value_missing(MISSING_YOUNG);
	c->rule.level[LEVEL_GREEN] = condition(c, "growth > 0.5 && cnt < 1");
	c->rule.resolve_if = condition(c, "ratio(cnt, cnt - 3) > 1.0");
	record_body(&out, &c->draft);
	assert_true(contains(
		&out, "\"missing\":[{\"name\":\"fund\",\"reason\":\"field\"},"
		      "{\"name\":\"mid\",\"reason\":\"young\"},"
		      "{\"name\":\"growth\",\"reason\":\"young\"},"
		      "{\"name\":\"growth > 0.5\",\"reason\":\"young\"},"
		      "{\"name\":\"ratio(cnt, cnt - 3) > 1.0\","
		      "\"reason\":\"zero\"}],"));
}

static void what_has_no_time_is_null(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf out = { 0 };
	uint8_t hash[32];

	c->draft.window_start = INT64_MIN;
	c->draft.watermark = INT64_MIN;
	c->stamp.detected = INT64_MIN;
	c->stamp.window_end = 0;
	stamp_case(c, &out, hash);
	assert_true(contains(&out, "\"window_start\":null"));
	assert_true(contains(&out, "\"watermark\":null"));
	assert_true(contains(&out, "\"times\":{\"event\":"
				   "\"2026-03-06T00:00:00+08:00\","
				   "\"window_end\":"
				   "\"2026-03-06T00:00:00+08:00\","
				   "\"detected\":null}"));
}

static void a_tumbling_period_is_called_by_its_beginning(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf out = { 0 };

	c->plan.window =
		(struct window){ .kind = WINDOW_TUMBLE, .width = USEC_PER_DAY };
	c->draft.period = 1;
	record_body(&out, &c->draft);
	assert_true(contains(&out, "\"period\":\"1970-01-02T00:00:00+08:00\""));
}

static void a_text_falls_back_to_the_other_language(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf out = { 0 };

	memset(&c->rule.message, 0, sizeof(c->rule.message));
	c->rule.title.given[LANGUAGE_ZH] = false;
	record_body(&out, &c->draft);
	assert_true(contains(&out, "\"zh\":{\"title\":\"Repeated payment\","
				   "\"message\":\"Repeated payment\""));
	c->rule.title.given[LANGUAGE_EN] = false;
	record_body(&out, &c->draft);
	assert_true(contains(&out, "\"en\":{\"title\":\"repeat-payment\","
				   "\"message\":\"repeat-payment\","
				   "\"advice\":\"\"}"));
}

static int parse_it(const struct buf *json, struct stamp *stamp,
		    const char **body, size_t *len) {
	return record_parse(stamp, body, len, json->data, json->len);
}

static void comes_back_as_it_went(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf again = { 0 };
	struct stamp stamp = { 0 };
	uint8_t hash[32], hash_again[32];
	const char *body;
	size_t len;

	for (int change = 0; change < CHANGE_MAX; change++) {
		buf_reset(&out);
		buf_reset(&again);
		c->stamp.change = (enum alert_change)change;
		c->stamp.state = (enum alert_state)(change % STATE_MAX);
		c->stamp.why = (enum alert_why)(change % WHY_MAX);
		c->stamp.level = (enum level)(change % (LEVEL_RED + 1));
		c->stamp.was = LEVEL_ORANGE;
		c->stamp.open = change & 1;
		c->stamp.lane = "a\"b\\";
		c->stamp.detected = change ? c->stamp.event : INT64_MIN;
		stamp_case(c, &out, hash);
		assert_int_equal(parse_it(&out, &stamp, &body, &len), 0);
		stamp.lane = c->stamp.lane;
		stamp.zone = c->stamp.zone;
		memcpy(stamp.prev_hash, c->stamp.prev_hash, 32);
		record_stamp(&again, &stamp, body, len, hash_again);
		assert_string_equal(buf_cstr(&again), buf_cstr(&out));
		assert_memory_equal(hash, hash_again, 32);
	}
}

static void a_link_covers_the_one_before_and_all_but_itself(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf hashed = { 0 };
	CLEANUP(buf_free) struct buf hex = { 0 };
	uint8_t hash[32], again[32];
	const char *tail;

	stamp_case(c, &out, hash);
	tail = strstr(buf_cstr(&out), ",\"prev_hash\":");
	buf_hex(&hashed, c->stamp.prev_hash, 32);
	buf_add(&hashed, out.data, (size_t)(tail - out.data));
	buf_putc(&hashed, '}');
	sha256(hashed.data, hashed.len, again);
	assert_memory_equal(hash, again, 32);
	buf_hex(&hex, hash, 32);
	assert_memory_equal(tail + 88, hex.data, 64);
}

static void refuses_what_was_cut_or_changed(void **state) {
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf out = { 0 };
	struct stamp stamp = { 0 };
	const struct stamp untouched = { 0 };
	uint8_t hash[32];
	const char *body;
	size_t len;

	stamp_case(c, &out, hash);
	for (size_t i = 0; i < out.len; i++) {
		/* A copy of its own size, so that a read beyond it is seen. */
		char *cut = malloc(i + 1);

		memcpy(cut, out.data, i);
		assert_int_equal(record_parse(&stamp, &body, &len, cut, i),
				 -EBADMSG);
		free(cut);
	}
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 1;
		assert_int_equal(parse_it(&out, &stamp, &body, &len), -EBADMSG);
		out.data[i] ^= 1;
	}
	assert_memory_equal(&stamp, &untouched, sizeof(stamp));
	assert_int_equal(parse_it(&out, &stamp, &body, &len), 0);
}

/* With a chain that is right, as somebody who can write to Redis makes it. */
static int forge(const struct test_case *c, const char *old, const char *new) {
	CLEANUP(buf_free) struct buf whole = { 0 };
	CLEANUP(buf_free) struct buf forged = { 0 };
	CLEANUP(buf_free) struct buf prev = { 0 };
	struct stamp stamp = { 0 };
	uint8_t hash[32];
	const char *body;
	const char *at;
	size_t len;

	record_stamp(&whole, &c->stamp, "\"rule\":\"r\"", 10, hash);
	at = strstr(buf_cstr(&whole), old);
	assert_non_null(at);
	buf_add(&forged, whole.data, (size_t)(at - whole.data));
	buf_puts(&forged, new);
	at += strlen(old);
	buf_add(&forged, at, (size_t)(strstr(at, ",\"prev_hash\"") - at));
	buf_hex(&prev, stamp.prev_hash, 32);
	record_chain(hash, prev.data, forged.data, forged.len);
	buf_printf(&forged, ",\"prev_hash\":\"%s\",\"hash\":\"",
		   buf_cstr(&prev));
	buf_hex(&forged, hash, 32);
	buf_puts(&forged, "\"}");
	return parse_it(&forged, &stamp, &body, &len);
}

static void refuses_what_is_no_record_though_its_hash_is_right(void **state) {
	static const struct {
		const char *old, *new;
		int r;
	} cases[] = {
		{ "\"rule\"", "\"rule\"", 0 },
		{ "\"rule\":\"r\"", "\"rule\":{\"a\":[1,{\"b\":null}]}", 0 },
		{ ",\"rule\":\"r\"", "", 0 },
		{ "\"rule\":\"r\"", "\"rule\":", -EBADMSG },
		{ "\"rule\":\"r\"", "\"rule\":\"r", -EBADMSG },
		{ "\"rule\":\"r\"", "\"a\":1}{\"b\":2", -EBADMSG },
		{ "\"rule\":\"r\"", "\"seq\":8", -EBADMSG },
		{ "\"rule\":\"r\"", "\"a\":\"\xff\"", -EBADMSG },
		{ "\"rule\":\"r\"", "\"prev_hash\":\"\"", -EBADMSG },
		{ "\"seq\":7", "\"seq\":-7", -EBADMSG },
		{ "\"seq\":7", "\"seq\":7.0", -EBADMSG },
		{ "\"seq\":7", "\"seq\":", -EBADMSG },
		{ "\"seq\":7", "\"seq\":9007199254740992", 0 },
		{ "\"seq\":7", "\"seq\":9007199254740993", -EBADMSG },
		{ "\"seq\":7", "\"seq\":99999999999999999999", -EBADMSG },
		{ "\"schema\":1", "\"schema\":2", -EBADMSG },
		{ "{\"schema\":1", " {\"schema\":1", -EBADMSG },
		{ "\"id\":\"ab", "\"id\":\"AB", -EBADMSG },
		{ "\"id\":\"ab", "\"id\":\"", -EBADMSG },
		{ "\"lane\":\"0\"", "\"lane\":\"0", -EBADMSG },
		{ "\"lane\":\"0\"", "\"lane\":\"\\\"\"", 0 },
		{ "\"firing\"", "\"firin\"", -EBADMSG },
		{ "\"firing\"", "\"firing \"", -EBADMSG },
		{ "\"fired\"", "\"\"", -EBADMSG },
		{ "\"condition\"", "null", -EBADMSG },
		{ "\"red\"", "\"none\"", -EBADMSG },
		{ "\"red\"", "null", 0 },
		{ "\"open\":true", "\"open\":1", -EBADMSG },
		{ "2026-03-06", "2026-13-06", -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = forge(*state, cases[i].old, cases[i].new);

		if (r != cases[i].r)
			fail_msg("%s for %s gives %d", cases[i].new,
				 cases[i].old, r);
	}
}

static void hostile_texts_stay_texts(void **state) {
	static const char hostile[] =
		"\",\"prev_hash\":\"00\",\"hash\":\"00\"}\n\t\x01\x7f\\ \xff"
		"\xe2\x80\xa8 </script> \xed\xa0\x80";
	struct test_case *c = *state;
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(arena_free) struct arena arena = { 0 };
	struct stamp stamp = { 0 };
	const struct json *tree;
	uint8_t hash[32];
	const char *body;
	size_t len;

	c->frame[F_UNIT] = c->key[0] = c->shown_fields[0] =
		value_string(hostile, sizeof(hostile) - 1);
	c->shown[0].at.topic = hostile;
	stamp_case(c, &out, hash);
	assert_int_equal(parse_it(&out, &stamp, &body, &len), 0);
	assert_int_equal(json_parse(&tree, &arena, out.data, out.len), 0);
	assert_non_null(json_get(json_get(tree, "key"), "unit"));
}

static void print_line(struct test_case *c) {
	CLEANUP(buf_free) struct buf out = { 0 };
	uint8_t hash[32];

	stamp_case(c, &out, hash);
	puts(buf_cstr(&out));
	memcpy(c->stamp.prev_hash, hash, sizeof(hash));
	c->stamp.seq++;
	c->stamp.rev++;
}

/* A chain of records that differ where a record can. */
static int print(void) {
	void *state;
	struct test_case *c;

	case_setup(&state);
	c = state;
	print_line(c);
	c->stamp.change = CHANGE_LOWERED;
	c->stamp.level = LEVEL_ORANGE;
	c->stamp.was = LEVEL_RED;
	c->rule.legal_basis.n = 0;
	c->rule.runbook = "https://example.org/runbook";
	c->exception.until = 20000;
	print_line(c);
	c->stamp.change = CHANGE_RESOLVED;
	c->stamp.state = STATE_RESOLVED;
	c->stamp.open = false;
	c->stamp.level = LEVEL_NONE;
	c->draft.has_period = false;
	c->draft.exception = NULL;
	c->draft.n_baselines = 0;
	c->draft.n_shown = 0;
	c->draft.window_start = c->draft.watermark = INT64_MIN;
	c->rule.n_scores = c->rule.n_tags = c->rule.n_tables = 0;
	c->rule.owner = NULL;
	print_line(c);
	case_teardown(&state);
	return 0;
}

#define WITH_CASE(test)                                                        \
	cmocka_unit_test_setup_teardown(test, case_setup, case_teardown)

int main(int argc, char **argv) {
	static const struct CMUnitTest tests[] = {
		WITH_CASE(writes_these_bytes),
		WITH_CASE(writes_the_same_bytes_again),
		WITH_CASE(a_masked_value_appears_nowhere),
		WITH_CASE(a_masked_key_can_still_be_grouped_by),
		WITH_CASE(keeps_the_values_of_the_firing),
		WITH_CASE(what_is_missing_says_why_and_once),
		WITH_CASE(what_has_no_time_is_null),
		WITH_CASE(a_tumbling_period_is_called_by_its_beginning),
		WITH_CASE(a_text_falls_back_to_the_other_language),
		WITH_CASE(comes_back_as_it_went),
		WITH_CASE(a_link_covers_the_one_before_and_all_but_itself),
		WITH_CASE(refuses_what_was_cut_or_changed),
		WITH_CASE(refuses_what_is_no_record_though_its_hash_is_right),
		WITH_CASE(hostile_texts_stay_texts),
	};

	if (argc == 2 && !strcmp(argv[1], "print"))
		return print();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
