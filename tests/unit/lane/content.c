/*
 * Tables and lists whose files change: from when on that counts, and that it
 * counts from there in every life.
 */
#include "world.h"

static const char barred_rule[] =
	"apiversion: 1\n"
	"package: test\n"
	"streams:\n"
	"  pays:\n"
	"    topic: pays\n"
	"    format: json\n"
	"    time: at\n"
	"    max_delay: 1m\n"
	"    fields: {unit: string, n: int, at: {type: timestamp, format: "
	"epoch_s}}\n"
	"lists:\n"
	"  barred: {file: barred.txt}\n"
	"rules:\n"
	"- rule: %s\n"
	"  title: {zh: 禁, en: barred}\n"
	"  from: pays\n"
	"  by: [unit]\n"
	"  alert_if: unit in lists.barred\n"
	"  status: live\n";

static void barred_are(const char *text) {
	char path[96];

	snprintf(path, sizeof(path), "%s/barred.txt", world.dir);
	write_text(path, text);
}

static void rule_is(const char *name) {
	char text[1024];

	snprintf(text, sizeof(text), barred_rule, name);
	rules_are(text);
}

static int content_begin(void **state) {
	int r = world_begin(state);

	barred_are("U-1\n");
	rule_is("barred");
	return r;
}

/* Another process: it knows what the files say now. */
static void begin_again(void) {
	lane_stop();
	ruleset_free(world.rules);
	world.rules = read_rules();
	lane_start();
}

static void pay_and_rest(const char *unit, int64_t second) {
	pay(0, unit, second);
	assert_true(lane_rest());
}

static const char *entry(size_t i) {
	assert_true(i < world.sink.n_entries);
	return world.sink.entries[i];
}

/* One alert by each; the second was taken in at a start. */
static void live_by_two_texts(void) {
	lane_start();
	pay_and_rest("U-1", 1);
	barred_are("U-2\n");
	begin_again();
	pay_and_rest("U-2", 2);
}

static uint64_t count(const char *what) {
	struct buf out = { 0 };
	uint64_t n = 0;

	journal_text(&out);
	for (const char *at = out.data; (at = strstr(at, what)); at++)
		n++;
	buf_free(&out);
	return n;
}

static void counts_from_its_decision_on(void **state) {
	struct ruleset *files;

	(void)state;
	lane_start();
	pay_and_rest("U-1", 1);
	pay_and_rest("U-2", 2);
	assert_int_equal(world.sink.n_entries, 1);
	barred_are("# other ones\nU-2\nU-3\n");
	files = read_rules();
	lane_use_files(world.lane, files);
	assert_true(lane_rest());
	for (struct lane_view view = { 0 }; !view.refreshes;) {
		assert_true(lane_turn(world.lane));
		lane_view(world.lane, &view);
	}
	/* What was judged before is not judged again. */
	assert_int_equal(world.sink.n_entries, 1);
	pay_and_rest("U-1", 3);
	pay_and_rest("U-2", 4);
	assert_int_equal(world.sink.n_entries, 2);
	assert_non_null(strstr(entry(1), "U-2"));
	lane_stop();
	ruleset_free(files);
	assert_int_equal(count("\"decision\":\"content\",\"name\":"
			       "\"test/lists.barred\""),
			 1);
	assert_int_equal(count("\"contents\":[{\"name\":"
			       "\"test/lists.barred\""),
			 1);
	assert_int_equal(count("\"decision\":\"seam\""), 0);
}

/* A record says which text it was judged by. */
static void stands_in_the_record(void **state) {
	(void)state;
	lane_start();
	pay_and_rest("U-1", 1);
	barred_are("U-1\nU-2\n");
	begin_again();
	pay_and_rest("U-2", 2);
	assert_int_equal(world.sink.n_entries, 2);
	assert_string_not_equal(strstr(entry(0), "\"lists\""),
				strstr(entry(1), "\"lists\""));
	assert_int_equal(strncmp(strstr(entry(0), "\"barred\":"),
				 strstr(entry(1), "\"barred\":"),
				 strlen("\"barred\":")),
			 0);
	assert_int_not_equal(strncmp(strstr(entry(0), "\"barred\":"),
				     strstr(entry(1), "\"barred\":"), 43),
			     0);
}

/* Edited while nobody ran: no seam, and the past stays as it was. */
static void is_taken_in_at_a_start(void **state) {
	(void)state;
	lane_start();
	pay_and_rest("U-1", 1);
	pay_and_rest("U-2", 2);
	for (int i = 0; i < 3; i++) {
		barred_are(i % 2 ? "U-1\n" : "U-2\n");
		begin_again();
		assert_true(lane_rest());
		pay_and_rest("U-1", 10 + i);
		pay_and_rest("U-2", 20 + i);
	}
	lane_stop();
	/* U-1 at first, then each by what held when it was paid. */
	assert_int_equal(count("\"decision\":\"content\""), 3);
	assert_int_equal(count("\"decision\":\"seam\""), 0);
	assert_int_equal(world.sink.n_entries, 4);
	assert_non_null(strstr(entry(0), "\"U-1\""));
	assert_non_null(strstr(entry(1), "\"U-2\""));
	assert_non_null(strstr(entry(2), "\"U-1\""));
	assert_non_null(strstr(entry(3), "\"U-2\""));
}

/* A restart takes up the text of a checkpoint, not that of the beginning. */
static void is_known_to_a_checkpoint(void **state) {
	struct lane_view view = { 0 };

	(void)state;
	world.checkpoint_every = 1;
	live_by_two_texts();
	while (!view.checkpoints || view.checkpoints->taken < 2) {
		pay_and_rest("U-3", 3);
		usleep(200);
		lane_view(world.lane, &view);
	}
	begin_again();
	assert_true(lane_rest());
	pay_and_rest("U-1", 4);
	lane_stop();
	assert_int_equal(world.sink.n_entries, 2);
	assert_int_equal(count("\"decision\":\"content\""), 1);
}

/* The record in the sink is compared when the past is made again. */
static void comes_to_the_same_when_all_is_made_again(void **state) {
	(void)state;
	live_by_two_texts();
	barred_are("U-4\n");
	begin_again();
	assert_true(lane_rest());
	lane_stop();
	keep_state("rm -rf state/sent state/journal-*/checkpoint");
	free(world.sink.entries[1]);
	world.sink.n_entries = 1;
	world.sink.fence.mark = 1;
	world.sink.fence.has_hash = false;
	begin_again();
	assert_true(lane_rest());
	assert_int_equal(world.sink.n_entries, 2);
	assert_non_null(strstr(entry(1), "U-2"));
	lane_stop();
	assert_int_equal(count("\"decision\":\"seam\""), 0);
}

static void makes_a_seam_when_a_text_is_lost(void **state) {
	(void)state;
	live_by_two_texts();
	barred_are("U-3\n");
	lane_stop();
	keep_state("rm state/archive/content/*");
	begin_again();
	assert_true(lane_rest());
	lane_stop();
	assert_int_equal(count("\"decision\":\"seam\",\"reason\":"
			       "\"table lost\""),
			 1);
}

/* While a file still says it, nothing is lost. */
static void mends_a_text_that_was_damaged(void **state) {
	(void)state;
	live_by_two_texts();
	lane_stop();
	keep_state("for f in state/archive/content/*; do echo x >> $f; done");
	barred_are("U-1\n");
	begin_again();
	assert_true(lane_rest());
	lane_stop();
	assert_int_equal(count("\"decision\":\"seam\""), 1);
	barred_are("U-2\n");
	begin_again();
	pay_and_rest("U-2", 3);
	barred_are("U-3\n");
	begin_again();
	pay_and_rest("U-3", 4);
	lane_stop();
	/* One seam, for what no file said any more. */
	assert_int_equal(count("\"reason\":\"table lost\""), 1);
	assert_int_equal(count("\"decision\":\"content\""), 2);
}

/* By other rules the past has the texts that it had. */
static void keeps_its_texts_across_a_seam(void **state) {
	(void)state;
	live_by_two_texts();
	pay_and_rest("U-1", 3);
	barred_are("U-9\n");
	lane_stop();
	rule_is("other");
	begin_again();
	assert_true(lane_rest());
	lane_stop();
	/* That of the old journal, and what the file says now. */
	assert_int_equal(count("\"decision\":\"seam\""), 1);
	assert_int_equal(count("\"decision\":\"content\""), 2);
}

/* What the new rules do not have any more keeps only its place. */
static void leaves_out_a_list_that_is_no_more(void **state) {
	(void)state;
	live_by_two_texts();
	lane_stop();
	rules_are(rule_text);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_int_equal(count("\"decision\":\"content\""), 0);
	assert_int_equal(count("\"decision\":\"went_on\""), 1);
	assert_int_equal(count("\"decision\":\"seam\""), 1);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, content_begin, world_end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(counts_from_its_decision_on),
		TEST(stands_in_the_record),
		TEST(is_taken_in_at_a_start),
		TEST(is_known_to_a_checkpoint),
		TEST(comes_to_the_same_when_all_is_made_again),
		TEST(makes_a_seam_when_a_text_is_lost),
		TEST(mends_a_text_that_was_damaged),
		TEST(keeps_its_texts_across_a_seam),
		TEST(leaves_out_a_list_that_is_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
