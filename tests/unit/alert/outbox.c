/*
 * The outbox, and the words of an alert's life.
 */
#include "alert/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void put(struct outbox *outbox, uint64_t seq) {
	struct outbox_item item = { .seq = seq,
				    .key = strdup("U-03"),
				    .json = strdup("{}"),
				    .json_len = 2 };

	outbox_add(outbox, &item);
}

static void goes_round_and_keeps_the_order(void **state) {
	struct outbox outbox;
	uint64_t in = 0, out = 0;

	(void)state;
	assert_int_equal(outbox_init(&outbox, 3, 1), 0);
	for (size_t round = 0; round < 10; round++) {
		while (outbox_has_room(&outbox))
			put(&outbox, ++in);
		assert_int_equal(outbox.n, 3);
		assert_int_equal(outbox.bytes, 18);
		for (size_t i = 0; i < outbox.n; i++)
			assert_int_equal(outbox_at(&outbox, i)->seq,
					 out + i + 1);
		outbox_drop(&outbox, 1 + round % 3);
		out += 1 + round % 3;
	}
	outbox_drop(&outbox, outbox.n);
	assert_int_equal(outbox.bytes, 0);
	outbox_free(&outbox);
}

static void has_no_room_when_either_side_is_full(void **state) {
	struct outbox outbox;

	(void)state;
	assert_int_equal(outbox_init(&outbox, 2, 2), 0);
	for (uint64_t i = 1; i <= 5; i++) {
		outbox_add_dead(&outbox, &(struct dead_letter){ .ordinal = i });
		assert_true(outbox_has_room(&outbox));
		outbox_add_dead(&outbox,
				&(struct dead_letter){ .ordinal = i + 10 });
		assert_false(outbox_has_room(&outbox));
		assert_int_equal(outbox_dead_at(&outbox, 0)->ordinal, i);
		assert_int_equal(outbox_dead_at(&outbox, 1)->ordinal, i + 10);
		outbox_drop_dead(&outbox, 2);
	}
	put(&outbox, 1);
	assert_true(outbox_has_room(&outbox));
	put(&outbox, 2);
	assert_false(outbox_has_room(&outbox));
	outbox_free(&outbox);
}

static void each_word_is_there_once(void **state) {
	(void)state;
	for (int i = 0; i < WHY_MAX; i++) {
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				alert_why_name((enum alert_why)i),
				alert_why_name((enum alert_why)j));
	}
	assert_string_equal(alert_state_name(STATE_STALE), "stale");
	assert_string_equal(alert_change_name(CHANGE_REVIEWED), "reviewed");
	assert_string_equal(alert_why_name(WHY_EVICTED), "evicted");
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_round_and_keeps_the_order),
		cmocka_unit_test(has_no_room_when_either_side_is_full),
		cmocka_unit_test(each_word_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
