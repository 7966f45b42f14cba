#include "sink/server.h"

static void writes_stream_hash_and_index_of_an_alert(void **state) {
	(void)state;
	open_lane(&sink, 1);
	add(1, LEVEL_RED, LEVEL_NONE, true);
	add(2, LEVEL_YELLOW, LEVEL_NONE, false);
	assert_true(send_out());
	assert_string_equal(redis("XLEN tocsin:{0}:alerts"), "2");
	assert_non_null(strstr(redis("XRANGE tocsin:{0}:alerts - + COUNT 1"),
			       "1-0 id 01000000000000000000000000000000 seq 1 "
			       "state firing level red rule "
			       "finance/over-budget key U-03 published "));
	assert_string_equal(redis("HMGET tocsin:{0}:fence epoch mark dead"),
			    "1 2 0");
	assert_string_equal(redis("ZRANGE tocsin:{0}:open 0 -1 WITHSCORES"),
			    "01000000000000000000000000000000 41700000000000");
	assert_string_equal(
		redis("HMGET tocsin:{0}:alert:"
		      "01000000000000000000000000000000 seq open level"),
		"1 1 red");
	assert_string_equal(redis("TTL tocsin:{0}:alert:"
				  "01000000000000000000000000000000"),
			    "-1");
	assert_string_equal(redis("TTL tocsin:{0}:alert:"
				  "02000000000000000000000000000000"),
			    "1000");
	assert_string_equal(redis("SMEMBERS tocsin:lanes"), "0");
	assert_non_null(strstr(redis("HGET tocsin:{0}:fence chain"), "0100"));
}

static void drops_what_it_already_has(void **state) {
	(void)state;
	open_lane(&sink, 1);
	for (uint64_t seq = 1; seq <= 200; seq++)
		add(seq, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	sink.class->drop(sink.self);
	open_lane(&sink, 1);
	for (uint64_t seq = 150; seq <= 250; seq++)
		add(seq, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	assert_string_equal(redis("XLEN tocsin:{0}:alerts"), "250");
	assert_string_equal(redis("HGET tocsin:{0}:fence mark"), "250");
}

static void refuses_a_gap(void **state) {
	(void)state;
	open_lane(&sink, 1);
	add(2, LEVEL_RED, LEVEL_NONE, true);
	assert_false(send_out());
	assert_string_equal(redis("EXISTS tocsin:{0}:alerts"), "0");
}

static void turns_a_daemon_away_whose_lane_was_taken(void **state) {
	struct sink other = new_sink(NULL);

	(void)state;
	open_lane(&sink, 1);
	open_lane(&other, 2);
	add(1, LEVEL_RED, LEVEL_NONE, true);
	assert_false(send_out());
	assert_int_equal(sink.class->state(sink.self), SINK_FENCED);
	assert_string_equal(redis("EXISTS tocsin:{0}:alerts"), "0");
	other.class->free(other.self);
}

static void gives_an_epoch_to_one_owner_only(void **state) {
	static const uint8_t rules[32] = { 7 };
	struct sink other = new_sink(NULL);

	(void)state;
	wait_state(&other, SINK_MET);
	open_lane(&sink, 5);
	other.class->claim(other.self, 5, rules);
	wait_state(&other, SINK_FENCED);
	/* The owner may ask again. */
	sink.class->drop(sink.self);
	open_lane(&sink, 5);
	other.class->free(other.self);
}

static void reads_again_what_was_written_until_the_claim(void **state) {
	static const uint8_t rules[32] = { 7 };
	struct sink other = new_sink(NULL);

	(void)state;
	open_lane(&sink, 1);
	wait_state(&other, SINK_MET);
	assert_int_equal(other.class->fence(other.self)->mark, 0);
	add(1, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	other.class->claim(other.self, 2, rules);
	wait_state(&other, SINK_AWAY);
	open_lane(&other, 2);
	assert_int_equal(other.class->fence(other.self)->mark, 1);
	assert_int_equal(other.class->fence(other.self)->hash[0], 1);
	other.class->free(other.self);
}

static void notices_that_redis_has_lost_its_data(void **state) {
	(void)state;
	open_lane(&sink, 3);
	add(1, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	redis("FLUSHALL");
	add(2, LEVEL_RED, LEVEL_NONE, true);
	assert_false(send_out());
	wait_state(&sink, SINK_MET);
	assert_false(sink.class->fence(sink.self)->exists);
	assert_int_equal(sink.class->fence(sink.self)->mark, 0);
}

static void makes_a_lost_fence_from_the_stream(void **state) {
	const struct sink_fence *fence;

	(void)state;
	open_lane(&sink, 3);
	add(1, LEVEL_RED, LEVEL_NONE, true);
	add(2, LEVEL_RED, LEVEL_NONE, true);
	add_dead(9);
	assert_true(send_out());
	redis("DEL tocsin:{0}:fence");
	sink.class->drop(sink.self);
	wait_state(&sink, SINK_MET);
	fence = sink.class->fence(sink.self);
	assert_false(fence->exists);
	assert_int_equal(fence->mark, 2);
	assert_int_equal(fence->dead, 9);
	assert_true(fence->has_hash);
	assert_int_equal(fence->hash[0], 2);
	open_lane(&sink, 3);
	add(3, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	assert_string_equal(redis("HMGET tocsin:{0}:fence epoch mark dead"),
			    "3 3 9");
}

static void loads_its_scripts_again(void **state) {
	(void)state;
	open_lane(&sink, 1);
	add(1, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	redis("SCRIPT FLUSH");
	add(2, LEVEL_RED, LEVEL_NONE, true);
	assert_false(send_out());
	open_lane(&sink, 1);
	assert_true(send_out());
	assert_string_equal(redis("XLEN tocsin:{0}:alerts"), "2");
}

static void keeps_the_alert_when_a_part_of_it_fails(void **state) {
	(void)state;
	redis("ACL SETUSER tocsin on >secret ~tocsin:* +@all resetchannels");
	sink.class->free(sink.self);
	sink = new_sink("tocsin");
	redis("SET tocsin:{0}:alert:01000000000000000000000000000000 x");
	open_lane(&sink, 1);
	add(1, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	assert_string_equal(redis("XLEN tocsin:{0}:alerts"), "1");
	/* HSET, and three channels. */
	assert_int_equal(sink.class->counters(sink.self)->partial, 4);
}

static void is_the_user_that_has_no_password(void **state) {
	(void)state;
	redis("ACL SETUSER open on nopass ~tocsin:* &tocsin:* +@all");
	sink.class->free(sink.self);
	sink = new_sink("open");
	open_lane(&sink, 1);
	assert_non_null(strstr(redis("CLIENT LIST"), "user=open"));
}

/* What the sink logs until it has failed once. */
static const char *said_until_failure(void) {
	static char said[4096];
	FILE *log = tmpfile();
	int before = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(log);
	dup2(fileno(log), STDERR_FILENO);
	while (!sink.class->counters(sink.self)->failures)
		serve_once(&sink);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(log);
	n = fread(said, 1, sizeof(said) - 1, log);
	said[n] = 0;
	fclose(log);
	return said;
}

static void says_nothing_of_a_password_that_redis_quotes(void **state) {
	const char *said;

	(void)state;
	stop_server();
	without = "AUTH";
	start_server();
	without = NULL;
	assert_non_null(strstr(redis("AUTH tocsin secret"), "secret"));
	sink.class->free(sink.self);
	sink = new_sink("tocsin");
	said = said_until_failure();
	assert_non_null(strstr(said, "redis: ERR AUTH was refused"));
	assert_null(strstr(said, "secret"));
}

static void says_what_is_wrong_with_a_password(void **state) {
	(void)state;
	sink.class->free(sink.self);
	sink = new_sink("tocsin");
	assert_non_null(strstr(said_until_failure(),
			       "redis: WRONGPASS AUTH was refused: check "
			       "redis.user and redis.password"));
}

static void stops_at_a_key_of_another_type(void **state) {
	(void)state;
	open_lane(&sink, 1);
	redis("SET tocsin:{0}:alerts x");
	add(1, LEVEL_RED, LEVEL_NONE, true);
	assert_false(send_out());
	assert_string_equal(redis("HGET tocsin:{0}:fence mark"), "0");
}

static void takes_a_dead_letter_once(void **state) {
	(void)state;
	open_lane(&sink, 1);
	add_dead(4);
	add_dead(8);
	assert_true(send_out());
	add_dead(8);
	add_dead(9);
	assert_true(send_out());
	assert_string_equal(redis("XLEN tocsin:{0}:dead"), "3");
	assert_non_null(strstr(redis("XRANGE tocsin:{0}:dead - + COUNT 1"),
			       "4-0 topic fin.payments partition 2 offset 4 "
			       "reason not_json field  published "));
}

/*
 * Of a pipeline the batch before may have been refused: to take this one would
 * make known what was in that. Of alerts their seqs say so.
 */
static void refuses_a_dead_letter_behind_one_that_is_not_there(void **state) {
	(void)state;
	open_lane(&sink, 1);
	add_dead(4);
	assert_true(send_out());
	redis("HSET tocsin:{0}:fence dead 3");
	add_dead(8);
	assert_false(send_out());
	assert_string_equal(redis("XLEN tocsin:{0}:dead"), "1");
	assert_string_equal(redis("HGET tocsin:{0}:fence dead"), "3");
}

static void reads_the_records_of_open_alerts_by_id(void **state) {
	const char *const *records;
	const size_t *lens;
	size_t n;

	(void)state;
	open_lane(&sink, 1);
	for (uint64_t seq = 1; seq <= 1000; seq++)
		add(seq, seq % 2 ? LEVEL_RED : LEVEL_GREEN, LEVEL_NONE, true);
	assert_true(send_out());
	redis("DEL tocsin:{0}:alert:01000000000000000000000000000000");
	sink.class->ask_records(sink.self, NULL, 0);
	while (!sink.class->records(sink.self, &records, &lens, &n))
		serve_once(&sink);
	assert_int_equal(n, 999);
	assert_non_null(strstr(records[0], "\"seq\":256,"));
	assert_non_null(strstr(records[998], "\"seq\":767,"));
	assert_int_equal(lens[0], strlen(records[0]));
	sink.class->forget_records(sink.self);
}

/* Of what is closed only what is asked for, of what nobody knows nothing. */
static void
reads_the_records_of_closed_alerts_that_are_asked_for(void **state) {
	static const uint8_t ids[][16] = { { 1 }, { 2 }, { 3 }, { 9 } };
	const char *const *records;
	const size_t *lens;
	size_t n;

	(void)state;
	open_lane(&sink, 1);
	for (uint64_t seq = 1; seq <= 5; seq++)
		add(seq, LEVEL_RED, LEVEL_NONE, seq % 2);
	assert_true(send_out());
	sink.class->ask_records(sink.self, ids[0], ARRAY_SIZE(ids));
	while (!sink.class->records(sink.self, &records, &lens, &n))
		serve_once(&sink);
	assert_int_equal(n, 4);
	assert_non_null(strstr(records[0], "\"seq\":1,"));
	assert_non_null(strstr(records[1], "\"seq\":2,"));
	assert_non_null(strstr(records[2], "\"seq\":3,"));
	assert_non_null(strstr(records[3], "\"seq\":5,"));
	assert_string_equal(redis("ZCARD tocsin:{0}:open"), "3");
}

static void wait_answer(const char *command, const char *wanted) {
	for (int i = 0; i < 1000 && strcmp(redis(command), wanted); i++)
		serve_once(&sink);
	assert_string_equal(answer, wanted);
}

static void takes_an_id_out_that_has_no_record(void **state) {
	const char *const *records;
	const size_t *lens;
	size_t n;

	(void)state;
	open_lane(&sink, 1);
	for (uint64_t seq = 1; seq <= 3; seq++)
		add(seq, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	redis("DEL tocsin:{0}:alert:01000000000000000000000000000000");
	redis("HDEL tocsin:{0}:alert:02000000000000000000000000000000 json");
	sink.class->ask_records(sink.self, NULL, 0);
	while (!sink.class->records(sink.self, &records, &lens, &n))
		serve_once(&sink);
	assert_int_equal(n, 1);
	wait_answer("ZRANGE tocsin:{0}:open 0 -1",
		    "03000000000000000000000000000000");
}

/* One that was suspended meanwhile, and whose successor has it anew. */
static void takes_no_id_out_of_a_lane_that_was_taken(void **state) {
	struct sink other = new_sink(NULL);
	const char *const *records;
	const size_t *lens;
	size_t n;

	(void)state;
	open_lane(&sink, 1);
	add(1, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	redis("DEL tocsin:{0}:alert:01000000000000000000000000000000");
	open_lane(&other, 2);
	sink.class->ask_records(sink.self, NULL, 0);
	while (!sink.class->records(sink.self, &records, &lens, &n) &&
	       sink.class->state(sink.self) == SINK_OPEN)
		serve_once(&sink);
	wait_state(&sink, SINK_FENCED);
	assert_string_equal(redis("ZCARD tocsin:{0}:open"), "1");
	other.class->free(other.self);
}

static void waits_while_redis_is_away(void **state) {
	(void)state;
	open_lane(&sink, 1);
	add(1, LEVEL_RED, LEVEL_NONE, true);
	assert_true(send_out());
	stop_server();
	add(2, LEVEL_RED, LEVEL_NONE, true);
	assert_false(send_out());
	for (int i = 0; i < 20; i++)
		serve_once(&sink);
	assert_int_equal(sink.class->state(sink.self), SINK_AWAY);
	start_server();
	open_lane(&sink, 1);
	assert_int_equal(sink.class->fence(sink.self)->mark, 1);
	assert_true(send_out());
	assert_string_equal(redis("XLEN tocsin:{0}:alerts"), "2");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(writes_stream_hash_and_index_of_an_alert),
		TEST(drops_what_it_already_has),
		TEST(refuses_a_gap),
		TEST(turns_a_daemon_away_whose_lane_was_taken),
		TEST(gives_an_epoch_to_one_owner_only),
		TEST(reads_again_what_was_written_until_the_claim),
		TEST(notices_that_redis_has_lost_its_data),
		TEST(makes_a_lost_fence_from_the_stream),
		TEST(loads_its_scripts_again),
		TEST(keeps_the_alert_when_a_part_of_it_fails),
		TEST(is_the_user_that_has_no_password),
		TEST(says_nothing_of_a_password_that_redis_quotes),
		TEST(says_what_is_wrong_with_a_password),
		TEST(stops_at_a_key_of_another_type),
		TEST(takes_a_dead_letter_once),
		TEST(refuses_a_dead_letter_behind_one_that_is_not_there),
		TEST(reads_the_records_of_open_alerts_by_id),
		TEST(reads_the_records_of_closed_alerts_that_are_asked_for),
		TEST(takes_an_id_out_that_has_no_record),
		TEST(takes_no_id_out_of_a_lane_that_was_taken),
		TEST(waits_while_redis_is_away),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
