/*
 * What a sink loses that it had acknowledged is sent again, from the log of
 * what was sent if that has it, else by making it again.
 */
#include "lane/world.h"

#include "lane/sent.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

/* Alerts and dead letters, spread over the day. */
static void pay_from(int from, int until) {
	char unit[16];

	for (int i = from; i < until; i++) {
		snprintf(unit, sizeof(unit), "U-%d", i % 40);
		pay(0, unit, i * 20);
		pay(1, unit, i * 20 + 7);
		if (i % 100 == 0)
			produce((size_t)i / 100 % 2, "{\"unit\":1}");
	}
}

static struct lane_view view(void) {
	struct lane_view view;

	lane_view(world.lane, &view);
	return view;
}

static char *entries[RECORDS];
static size_t n_entries, n_dead;

static void remember(void) {
	n_entries = world.sink.n_entries;
	n_dead = world.sink.n_dead;
	assert_true(n_entries > 20);
	assert_true(n_dead > 10);
	for (size_t i = 0; i < n_entries; i++)
		entries[i] = strdup(world.sink.entries[i]);
}

static void assert_same(void) {
	assert_int_equal(world.sink.n_entries, n_entries);
	assert_int_equal(world.sink.n_dead, n_dead);
	for (size_t i = 0; i < n_entries; i++) {
		assert_string_equal(world.sink.entries[i], entries[i]);
		free(entries[i]);
	}
}

/* A day, taken and delivered; what the sink holds then is remembered. */
static void live_a_day(void) {
	pay_from(0, 3000);
	lane_start();
	assert_true(lane_rest());
	remember();
}

/* As an older backup of it would have left it: so many alerts remain. */
static void lose_all_but(size_t n, size_t dead) {
	struct memory_sink *sink = &world.sink;
	static const char tail[] = "\"hash\":\"";

	while (sink->n_entries > n)
		free(sink->entries[--sink->n_entries]);
	sink->fence.mark = n;
	sink->fence.has_hash = n > 0;
	if (n) {
		const char *hex = NULL;

		for (const char *at = sink->entries[n - 1];
		     (at = strstr(at, tail));)
			hex = at += sizeof(tail) - 1;
		assert_non_null(hex);
		for (size_t i = 0; i < 32; i++)
			assert_int_equal(sscanf(hex + 2 * i, "%2hhx",
						&sink->fence.hash[i]),
					 1);
	}
	while (sink->n_dead > dead)
		sink->n_dead--;
	sink->fence.dead = dead ? sink->dead_ordinals[dead - 1] : 0;
	if (!n && !dead)
		sink->fence = (struct sink_fence){ 0 };
	sink->state = SINK_AWAY;
}

/* Once it has found out what the sink has now. */
static void rest_again(void) {
	for (int i = 0; i < 6; i++)
		assert_true(lane_turn(world.lane));
	assert_true(lane_rest());
}

/* Of the only file of the log. */
static char *log_path(void) {
	char pattern[128];
	glob_t found;
	char *path;

	snprintf(pattern, sizeof(pattern), "%s/sent/*.log", world.state);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	path = strdup(found.gl_pathv[0]);
	globfree(&found);
	return path;
}

static void sends_again_without_the_engine(void **state) {
	uint64_t ordinal;

	(void)state;
	live_a_day();
	ordinal = engine_ordinal(view().engine);
	lose_all_but(n_entries / 2, n_dead / 2);
	rest_again();
	assert_same();
	assert_int_equal(view().restarts, 0);
	assert_int_equal(view().resends, 1);
	assert_int_equal(view().resent, n_entries - n_entries / 2);
	assert_int_equal(engine_ordinal(view().engine), ordinal);
}

static void sends_everything_again_to_an_empty_sink(void **state) {
	(void)state;
	live_a_day();
	lose_all_but(0, 0);
	while (!view().resends)
		assert_true(lane_turn(world.lane));
	assert_string_equal(world.reported,
			    "redis: being sent again what it had lost");
	rest_again();
	assert_null(world.reported);
	assert_same();
	assert_int_equal(view().restarts, 0);
}

static void sends_lost_dead_letters_again(void **state) {
	(void)state;
	live_a_day();
	lose_all_but(n_entries, 3);
	rest_again();
	assert_same();
	assert_int_equal(view().restarts, 0);
	assert_int_equal(view().resent, 0);
}

/* … and what came meanwhile behind it. */
static void goes_on_behind_what_it_sent_again(void **state) {
	(void)state;
	pay_from(0, 1500);
	lane_start();
	assert_true(lane_rest());
	world.sink.away = true;
	assert_true(lane_turn(world.lane));
	pay_from(1500, 3000);
	for (int i = 0; i < 100; i++)
		assert_true(lane_turn(world.lane));
	lose_all_but(2, 1);
	world.sink.away = false;
	rest_again();
	assert_int_equal(view().restarts, 0);
	assert_int_equal(view().resends, 1);
	remember();
	lane_stop();
	/* The same as the journal leads to. */
	keep_state("rm -r state/sent");
	lose_all_but(0, 0);
	lane_start();
	assert_true(lane_rest());
	assert_same();
}

static void sends_again_what_was_lost_while_it_was_down(void **state) {
	(void)state;
	world.checkpoint_every = 1;
	live_a_day();
	for (int i = 0; i < 500 && view().checkpoints->taken < 3; i++) {
		assert_true(lane_turn(world.lane));
		usleep(1000);
	}
	lane_stop();
	/* Nothing of it could be made again. */
	for (size_t i = 0; i < PARTITIONS; i++)
		world.log[i].is.low = (int64_t)world.log[i].n;
	lose_all_but(5, 2);
	lane_start();
	assert_true(lane_rest());
	assert_same();
	assert_int_equal(view().seams, 0);
	assert_int_equal(view().resends, 1);
}

static void begins_again_when_the_sink_goes_in_the_middle(void **state) {
	(void)state;
	live_a_day();
	lose_all_but(4, 2);
	while (!view().resends)
		assert_true(lane_turn(world.lane));
	lose_all_but(1, 0);
	rest_again();
	assert_same();
	assert_int_equal(view().resends, 2);
	assert_int_equal(view().restarts, 0);
}

static void halts_at_an_alert_that_it_never_sent(void **state) {
	(void)state;
	live_a_day();
	lose_all_but(7, 7);
	world.sink.fence.hash[0] ^= 1;
	while (lane_turn(world.lane))
		;
	assert_int_equal(lane_run(world.lane), LANE_HALTED);
	for (size_t i = 0; i < n_entries; i++)
		free(entries[i]);
}

static void halts_at_a_loss_while_it_was_down_if_told_so(void **state) {
	(void)state;
	live_a_day();
	lane_stop();
	world.loss_halts = true;
	lose_all_but(n_entries - 1, n_dead);
	lane_start();
	assert_false(lane_rest());
	assert_int_equal(lane_run(world.lane), LANE_HALTED);
	for (size_t i = 0; i < n_entries; i++)
		free(entries[i]);
}

static void makes_again_what_the_log_no_longer_has(void **state) {
	char *path;

	(void)state;
	live_a_day();
	lane_stop();
	lane_start();
	assert_true(lane_rest());
	path = log_path();
	assert_int_equal(unlink(path), 0);
	free(path);
	lose_all_but(3, 0);
	rest_again();
	assert_same();
	assert_int_equal(view().restarts, 1);
	/* It is whole again. */
	lane_stop();
	remember();
	lose_all_but(3, 0);
	lane_start();
	assert_true(lane_rest());
	assert_same();
	assert_int_equal(view().resends, 1);
}

/* At any byte: what is left is sent, the rest is made again. */
static void loses_nothing_to_a_torn_log(void **state) {
	struct stat st;
	char *path;

	(void)state;
	live_a_day();
	lane_stop();
	path = log_path();
	assert_int_equal(stat(path, &st), 0);
	keep_state("cp -r state/sent whole");
	for (off_t left = 0; left < st.st_size; left += 1 + st.st_size / 97) {
		keep_state("rm -rf state/sent; cp -r whole state/sent");
		assert_int_equal(truncate(path, left), 0);
		lane_start();
		assert_true(lane_rest());
		assert_int_equal(view().resends, 0);
		assert_int_equal(world.sink.n_entries, n_entries);
		lose_all_but(2, 1);
		rest_again();
		assert_int_equal(world.sink.n_entries, n_entries);
		assert_int_equal(view().resends, 1);
		assert_int_equal(view().restarts, 0);
		lane_stop();
	}
	free(path);
	assert_same();
}

static void flip(const char *path, off_t at) {
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* Under a running lane: it finds out when it reads. */
static void sends_nothing_that_is_damaged(void **state) {
	struct stat st;
	uint64_t restarts = 0;
	char *path;

	(void)state;
	live_a_day();
	lane_stop();
	path = log_path();
	assert_int_equal(stat(path, &st), 0);
	keep_state("cp -r state/sent whole");
	for (off_t at = 0; at < st.st_size; at += 1 + st.st_size / 61) {
		keep_state("rm -rf state/sent; cp -r whole state/sent");
		lane_start();
		assert_true(lane_rest());
		flip(path, at);
		lose_all_but(2, 1);
		rest_again();
		assert_int_equal(world.sink.n_entries, n_entries);
		restarts += view().restarts;
		lane_stop();
	}
	/* All but a byte that fills up a record. */
	assert_true(restarts > 50);
	free(path);
	assert_same();
}

static void begins_anew_at_a_seam_behind_what_was_lost(void **state) {
	(void)state;
	live_a_day();
	lane_stop();
	keep_state("rm -rf state/sent");
	lane_start(); /* which has no checkpoint, and makes it all again */
	assert_true(lane_rest());
	lane_stop();
	keep_state("rm state/sent/*");
	rules_are(rule_text); /* of another hash */
	lose_all_but(6, 3);
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(view().seams, 1);
	for (size_t i = 0; i < n_entries; i++)
		free(entries[i]);
	pay_from(3000, 4000);
	rest_again();
	remember();
	lose_all_but(n_entries - 2, n_dead);
	rest_again();
	assert_same();
	assert_int_equal(view().resent, 2);
}

/* The log alone. */

static struct outbox_item item_of(uint64_t seq, const char *json) {
	struct outbox_item item = { .seq = seq,
				    .ordinal = 10 * seq,
				    .rev = 3,
				    .state = STATE_FIRING,
				    .change = CHANGE_RAISED,
				    .why = WHY_WINDOW,
				    .level = LEVEL_RED,
				    .was = LEVEL_ORANGE,
				    .open = true,
				    .fired = -5,
				    .at = INT64_C(1) << 50,
				    .rule = "test/many",
				    .key = (char *)(uintptr_t) "U-1",
				    .json = (char *)(uintptr_t)json,
				    .json_len = strlen(json) };

	memset(item.hash, (int)(seq % 251), 32);
	memset(item.id, 7, 16);
	return item;
}

static struct dead_letter dead_of(uint64_t ordinal) {
	return (struct dead_letter){ .ordinal = ordinal,
				     .at = { "pays", 2, 77 },
				     .refusal = REFUSED_BAD_TIME,
				     .detail = "at" };
}

static struct sent *open_sent(const char *lane) {
	struct sent *sent;

	assert_int_equal(sent_open(&sent, world.dir, lane), 0);
	return sent;
}

static struct sent_point point_at(uint64_t seq, uint64_t dead) {
	struct sent_point point = { .seq = seq,
				    .dead = dead,
				    .has_hash = seq > 0 };

	memset(point.hash, (int)(seq % 251), 32);
	return point;
}

static void keeps_all_that_a_sink_is_told(void **state) {
	struct sent *sent = open_sent("0");
	const struct outbox_item item = item_of(1, "{\"a\":\"b\"}");
	const struct dead_letter dead = dead_of(4);
	struct sent_reader *reader;
	struct outbox outbox;

	(void)state;
	sent_add(sent, &item);
	sent_add_dead(sent, &dead);
	sent_close(sent);
	sent = open_sent("0");
	assert_int_equal(sent_end(sent).seq, 1);
	assert_int_equal(sent_end(sent).dead, 4);
	assert_memory_equal(sent_end(sent).hash, item.hash, 32);
	assert_int_equal(outbox_init(&outbox, 8, 8), 0);
	assert_int_equal(
		sent_read_open(&reader, sent, &(struct sent_point){ 0 }), 0);
	assert_int_equal(sent_read(reader, &outbox, 8), 0);
	assert_int_equal(outbox.n, 1);
	assert_int_equal(outbox.dead_n, 1);
	const struct outbox_item *got = outbox_at(&outbox, 0);
	assert_int_equal(got->ordinal, 10);
	assert_int_equal(got->rev, 3);
	assert_int_equal(got->state, STATE_FIRING);
	assert_int_equal(got->change, CHANGE_RAISED);
	assert_int_equal(got->why, WHY_WINDOW);
	assert_int_equal(got->level, LEVEL_RED);
	assert_int_equal(got->was, LEVEL_ORANGE);
	assert_true(got->open);
	assert_int_equal(got->fired, -5);
	assert_int_equal(got->at, INT64_C(1) << 50);
	assert_string_equal(got->rule, "test/many");
	assert_string_equal(got->key, "U-1");
	assert_string_equal(got->json, "{\"a\":\"b\"}");
	assert_int_equal(got->json_len, 9);
	assert_memory_equal(got->hash, item.hash, 32);
	assert_memory_equal(got->id, item.id, 16);
	const struct dead_letter *letter = outbox_dead_at(&outbox, 0);
	assert_int_equal(letter->ordinal, 4);
	assert_string_equal(letter->at.topic, "pays");
	assert_int_equal(letter->at.partition, 2);
	assert_int_equal(letter->at.offset, 77);
	assert_int_equal(letter->refusal, REFUSED_BAD_TIME);
	assert_string_equal(letter->detail, "at");
	outbox_free(&outbox);
	sent_read_close(reader);
	sent_close(sent);
}

static int reaches(struct sent *sent, uint64_t seq, uint64_t dead) {
	struct sent_point from = point_at(seq, dead);
	struct sent_reader *reader;
	int r = sent_read_open(&reader, sent, &from);

	if (r == 0)
		sent_read_close(reader);
	return r;
}

static void add_many(struct sent *sent, uint64_t from, uint64_t until) {
	static char json[8001];

	memset(json, 'x', sizeof(json) - 1);
	for (uint64_t seq = from; seq <= until; seq++) {
		const struct outbox_item item = item_of(seq, json);

		sent_add(sent, &item);
	}
}

static void keeps_what_is_young_or_needed(void **state) {
	struct sent *sent = open_sent("0");

	(void)state;
	add_many(sent, 1, 4000); /* 32 MB: three files are full */
	assert_true(sent_bytes(sent) > 30u << 20);
	sent_trim(sent, UINT64_MAX, UINT64_MAX, 0, UINT64_MAX); /* young */
	assert_int_equal(reaches(sent, 0, 0), 0);
	sent_trim(sent, 500, UINT64_MAX, INT64_MAX, UINT64_MAX); /* needed */
	assert_int_equal(reaches(sent, 0, 0), 0);
	sent_trim(sent, 2000, UINT64_MAX, INT64_MAX, UINT64_MAX);
	assert_int_equal(reaches(sent, 0, 0), -ENODATA);
	assert_int_equal(reaches(sent, 2000, 0), 0);
	sent_trim(sent, 0, 0, 0, 10u << 20); /* too much */
	assert_int_equal(reaches(sent, 2000, 0), -ENODATA);
	assert_true(sent_bytes(sent) <= 10u << 20);
	assert_int_equal(reaches(sent, 3999, 0), 0);
	sent_close(sent);
	sent = open_sent("0");
	assert_int_equal(sent_end(sent).seq, 4000);
	assert_int_equal(reaches(sent, 3999, 0), 0);
	sent_close(sent);
}

static void reads_from_file_to_file(void **state) {
	struct sent *sent = open_sent("0");
	struct sent_point from = point_at(900, 0);
	struct sent_reader *reader;
	struct outbox outbox;
	uint64_t seq = 900;
	int r = 1;

	(void)state;
	add_many(sent, 1, 3000);
	assert_int_equal(outbox_init(&outbox, 64, 64), 0);
	assert_int_equal(sent_read_open(&reader, sent, &from), 0);
	while (r > 0) {
		r = sent_read(reader, &outbox, 64);
		assert_true(r >= 0);
		for (size_t i = 0; i < outbox.n; i++)
			assert_int_equal(outbox_at(&outbox, i)->seq, ++seq);
		outbox_drop(&outbox, outbox.n);
	}
	assert_int_equal(seq, 3000);
	outbox_free(&outbox);
	sent_read_close(reader);
	sent_close(sent);
}

static void knows_another_history(void **state) {
	struct sent *sent = open_sent("0");
	struct sent_point other = point_at(5, 0);

	(void)state;
	add_many(sent, 1, 9);
	other.hash[31] ^= 1;
	assert_int_equal(reaches(sent, 5, 0), 0);
	assert_int_equal(reaches(sent, 10, 0), -ENODATA);
	assert_int_equal(
		sent_read_open(&(struct sent_reader *){ NULL }, sent, &other),
		-ESTALE);
	sent_close(sent);
}

static void begins_anew_behind_a_gap(void **state) {
	struct sent *sent = open_sent("0");
	const struct outbox_item item = item_of(20, "{}");

	(void)state;
	add_many(sent, 1, 9);
	sent_add(sent, &item);
	assert_int_equal(sent_end(sent).seq, 20);
	assert_int_equal(reaches(sent, 9, 500), -ENODATA);
	/* Refused events of before may be missing from it. */
	assert_int_equal(reaches(sent, 19, 199), -ENODATA);
	assert_int_equal(reaches(sent, 19, 200), 0);
	sent_begin(sent, &(struct sent_point){ .seq = 25, .dead = 260 });
	assert_int_equal(sent_end(sent).seq, 25);
	assert_false(sent_is_any(sent));
	sent_close(sent);
}

static void is_of_one_lane(void **state) {
	struct sent *sent = open_sent("0");

	(void)state;
	add_many(sent, 1, 9);
	sent_close(sent);
	assert_int_equal(sent_open(&sent, world.dir, "1"), -EXDEV);
	sent = open_sent("0");
	assert_int_equal(sent_end(sent).seq, 9);
	sent_close(sent);
}

static void says_what_is_durable(void **state) {
	struct sent *sent = open_sent("0");

	(void)state;
	add_many(sent, 1, 9);
	assert_false(sent_is_durable(sent, 9, 0));
	sent_sync(sent);
	for (int i = 0; i < 10000 && !sent_is_durable(sent, 9, 0); i++)
		usleep(1000);
	assert_true(sent_is_durable(sent, 9, 0));
	assert_false(sent_is_durable(sent, 9, 1));
	assert_false(sent_is_durable(sent, 10, 0));
	sent_close(sent);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(sends_again_without_the_engine),
		TEST(sends_everything_again_to_an_empty_sink),
		TEST(sends_lost_dead_letters_again),
		TEST(goes_on_behind_what_it_sent_again),
		TEST(sends_again_what_was_lost_while_it_was_down),
		TEST(begins_again_when_the_sink_goes_in_the_middle),
		TEST(halts_at_an_alert_that_it_never_sent),
		TEST(halts_at_a_loss_while_it_was_down_if_told_so),
		TEST(makes_again_what_the_log_no_longer_has),
		TEST(loses_nothing_to_a_torn_log),
		TEST(sends_nothing_that_is_damaged),
		TEST(begins_anew_at_a_seam_behind_what_was_lost),
		TEST(keeps_all_that_a_sink_is_told),
		TEST(keeps_what_is_young_or_needed),
		TEST(reads_from_file_to_file),
		TEST(knows_another_history),
		TEST(begins_anew_behind_a_gap),
		TEST(is_of_one_lane),
		TEST(says_what_is_durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
