/*
 * A life that begins from a checkpoint comes to the same as one that takes all
 * of the journal again.
 */
#include "lane/checkpoint_internal.h"
#include "lane/world.h"

static void pay_from(int from, int until) {
	char unit[16];

	for (int i = from; i < until; i++) {
		snprintf(unit, sizeof(unit), "U-%d", i % 40);
		pay(0, unit, i * 20);
		pay(1, unit, i * 20 + 7);
		if (i % 500 == 0)
			produce((size_t)i / 500 % 2, "{\"unit\":1}");
	}
}

static void pay_for_a_day(void) {
	pay_from(0, 3000);
}

/* The same alerts as a life that knows no checkpoint makes of the journal. */
static void assert_same_without(void) {
	size_t n = world.sink.n_entries, n_dead = world.sink.n_dead;
	char **entries = calloc(n, sizeof(*entries));

	assert_true(n > 20);
	for (size_t i = 0; i < n; i++)
		entries[i] = strdup(world.sink.entries[i]);
	empty_sink();
	world.checkpoint_every = 0;
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(world.sink.n_entries, n);
	assert_int_equal(world.sink.n_dead, n_dead);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(world.sink.entries[i], entries[i]);
		free(entries[i]);
	}
	free(entries);
}

static struct lane_view view(void) {
	struct lane_view view;

	lane_view(world.lane, &view);
	return view;
}

static uint64_t awaited; /* so many, of this lane */

static int begin(void **state) {
	awaited = 0;
	return world_begin(state);
}

/*
 * Turns until a checkpoint more has been written than when it was awaited last:
 * it may be there already, and a lane that stands still takes none.
 */
static void await_checkpoint(void) {
	for (int i = 0; i < 20000; i++) {
		assert_true(lane_turn(world.lane));
		if (view().checkpoints && view().checkpoints->taken > awaited) {
			awaited = view().checkpoints->taken;
			return;
		}
		usleep(100);
	}
	fail_msg("no checkpoint is taken");
}

/* Wherever a life ends, inside a checkpoint too. */
static void comes_to_the_same_after_any_ending(void **state) {
	uint64_t taken = 0;

	(void)state;
	world.checkpoint_every = 1;
	for (int life = 0; life < 60; life++) {
		pay_from(life * 50, life * 50 + 50);
		lane_start();
		for (int i = 0; i < 3 + life * 7 % 40; i++) {
			assert_true(lane_turn(world.lane));
			usleep((unsigned)life % 3 * 100);
		}
		if (view().checkpoints)
			taken += view().checkpoints->taken;
		lane_stop();
	}
	assert_true(taken > 20);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_same_without();
}

/* While checkpoints fail, no more is taken than a start could replay. */
static void waits_when_too_much_would_be_replayed(void **state) {
	(void)state;
	world.checkpoint_every = 1;
	world.replay_most = 50;
	pay_from(0, 10);
	lane_start();
	await_checkpoint();
	/* Where they are to lie there is something else. */
	keep_state("cd state/journal-00000001 && mv checkpoint aside && "
		   "touch checkpoint");
	pay_from(10, 100);
	for (int i = 0;
	     !world.reported || !strstr(world.reported, "checkpoints fail");
	     i++) {
		assert_true(lane_turn(world.lane));
		assert_true(i < 200000);
		usleep(50);
	}
	pay_from(100, 200);
	for (int i = 0; i < 1000; i++)
		assert_true(lane_turn(world.lane));
	assert_false(at_rest());
	keep_state("cd state/journal-00000001 && mv aside checkpoint.2 && "
		   "rm checkpoint && mv checkpoint.2 checkpoint");
	assert_true(lane_rest());
	lane_stop();
	assert_same_without();
}

static void *read_file(const char *path, size_t *len) {
	FILE *file = fopen(path, "r");
	uint8_t *bytes = malloc(1 << 22);

	assert_non_null(file);
	assert_non_null(bytes);
	*len = fread(bytes, 1, 1 << 22, file);
	assert_true(*len < 1 << 22);
	fclose(file);
	return bytes;
}

static void write_file(const char *path, const void *bytes, size_t len) {
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

/* The folder of checkpoints, and the number of the newest. */
static const char *checkpoints(uint64_t *newest) {
	static char dir[160];
	uint64_t *numbers;
	size_t n;

	snprintf(dir, sizeof(dir), "%s/journal-00000001/checkpoint",
		 world.state);
	assert_int_equal(checkpoint_list(dir, &numbers, &n), 0);
	assert_true(n >= 2);
	*newest = numbers[0];
	free(numbers);
	return dir;
}

static bool opens(const char *dir, uint64_t number) {
	struct checkpoint *checkpoint = NULL;
	struct buf why = { 0 };
	int r = checkpoint_open(&checkpoint, dir, number, &why);

	assert_true(r == 0 || r == -EBADMSG || r == -EPROTO);
	assert_true(r == 0 || why.len > 0);
	checkpoint_close(checkpoint);
	buf_free(&why);
	return r == 0;
}

/* The newest knows all that the engine has taken. */
static bool is_all_kept(void) {
	struct checkpoint *checkpoint;
	struct buf why = { 0 };
	uint64_t newest, ordinal;
	const char *dir = checkpoints(&newest);

	assert_int_equal(checkpoint_open(&checkpoint, dir, newest, &why), 0);
	ordinal = checkpoint_head(checkpoint)->ordinal;
	checkpoint_close(checkpoint);
	return ordinal == engine_ordinal(view().engine);
}

static void await_checkpoint_of_all(void) {
	for (int i = 0; i < 20000 && !is_all_kept(); i++) {
		assert_true(lane_turn(world.lane));
		usleep(100);
	}
	assert_true(is_all_kept());
}

/* Reads from where the checkpoint was, and not before. */
static void begins_where_it_was_taken(void **state) {
	(void)state;
	world.checkpoint_every = 1;
	pay_for_a_day();
	lane_start();
	assert_true(lane_rest());
	await_checkpoint();
	pay(0, "U-1", 85999);
	assert_true(lane_rest());
	await_checkpoint();
	await_checkpoint_of_all();
	lane_stop();
	for (size_t i = 0; i < PARTITIONS; i++)
		world.log[i].is.low = (int64_t)world.log[i].n;
	world.checkpoint_every = USEC_PER_DAY;
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(view().seams, 0);
	assert_true(engine_ordinal(view().engine) > 6000);
	pay(0, "U-1", 86000);
	pay(0, "U-1", 86001);
	pay(0, "U-1", 86002);
	assert_true(lane_rest());
	lane_stop();
	for (size_t i = 0; i < PARTITIONS; i++)
		world.log[i].is.low = 0;
	assert_same_without();
}

/* A life that takes checkpoints, of which the last lies behind all. */
static void live_with_checkpoints(void) {
	world.checkpoint_every = 1;
	pay_from(0, 300);
	lane_start();
	assert_true(lane_rest());
	for (int i = 1; i <= 3; i++) {
		pay_from(300 * i, 300 * i + 300);
		assert_true(lane_rest());
		await_checkpoint();
	}
	await_checkpoint_of_all();
	lane_stop();
	world.checkpoint_every = USEC_PER_DAY;
}

static void assert_rests(void) {
	lane_start();
	assert_true(lane_rest());
	assert_int_equal(view().seams, 0);
	lane_stop();
}

/* The copy of the state that each damage begins from. */
static void begin_again(void) {
	keep_state("rm -rf state && cp -r whole state");
}

/*
 * No reader takes a manifest that is cut or turned at any byte, and a start
 * makes do with the one before: here at every 23rd.
 */
static void does_not_use_a_manifest_damaged_at_any_byte(void **state) {
	uint64_t newest;
	const char *dir;
	char path[192];
	uint8_t *bytes;
	size_t len;

	(void)state;
	live_with_checkpoints();
	dir = checkpoints(&newest);
	snprintf(path, sizeof(path), "%s/manifest-%08llu", dir,
		 (unsigned long long)newest);
	bytes = read_file(path, &len);
	assert_true(opens(dir, newest));
	keep_state("cp -r state whole");
	for (size_t i = 0; i < len; i++) {
		write_file(path, bytes, i);
		assert_false(opens(dir, newest));
		bytes[i] ^= (uint8_t)(1u << i % 8);
		write_file(path, bytes, len);
		assert_false(opens(dir, newest));
		if (i % 23 == 0) {
			begin_again();
			write_file(path, bytes, i % 2 ? i : len);
			assert_rests();
		}
		bytes[i] ^= (uint8_t)(1u << i % 8);
	}
	free(bytes);
	assert_same_without();
}

/* All its pages are. */
static bool is_read(struct checkpoint *checkpoint) {
	uint8_t bytes[PAGE_BYTES];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < checkpoint_pages(checkpoint); i++)
		if (checkpoint_has_page(checkpoint, i))
			r = checkpoint_page(checkpoint, i, bytes);
	assert_true(r == 0 || r == -EBADMSG);
	return r == 0;
}

static void damages(const char *path, size_t at, uint8_t by) {
	FILE *file = fopen(path, "r+");
	int byte;

	assert_non_null(file);
	fseek(file, (long)at, SEEK_SET);
	byte = fgetc(file);
	assert_true(byte >= 0);
	fseek(file, (long)at, SEEK_SET);
	fputc(byte ^ by, file);
	fclose(file);
}

/*
 * At every byte would be half a million pages to read; so at each power of two
 * of each page, and at its last.
 */
static void does_not_use_pages_that_are_damaged(void **state) {
	struct checkpoint *checkpoint;
	struct buf why = { 0 };
	uint64_t newest;
	const char *dir;
	char path[192];
	uint8_t *bytes;
	size_t len, lives = 0;

	(void)state;
	live_with_checkpoints();
	dir = checkpoints(&newest);
	snprintf(path, sizeof(path), "%s/pages-%08llu", dir,
		 (unsigned long long)newest);
	bytes = read_file(path, &len);
	assert_true(len >= PAGE_BYTES);
	assert_int_equal(checkpoint_open(&checkpoint, dir, newest, &why), 0);
	assert_true(is_read(checkpoint));
	keep_state("cp -r state whole");
	for (size_t page = 0; page < len; page += PAGE_BYTES)
		for (size_t at = 1; at <= PAGE_BYTES; at *= 2) {
			damages(path, page + at - 1, 0x10);
			assert_false(is_read(checkpoint));
			damages(path, page + at - 1, 0x10);
		}
	assert_true(is_read(checkpoint));
	checkpoint_close(checkpoint);
	for (size_t at = 0; at < len; at += PAGE_BYTES / 2 + 1, lives++) {
		begin_again();
		if (lives % 2)
			damages(path, at, 1);
		else
			write_file(path, bytes, at);
		assert_rests();
	}
	assert_true(lives >= 4);
	free(bytes);
	assert_same_without();
}

/* Alerts that Redis does not have are made again by what is replayed. */
static void does_not_begin_from_one_that_does_not_count(void **state) {
	uint64_t newest, counting, mark;
	struct checkpoint *checkpoint;
	struct buf why = { 0 };
	const char *dir;

	(void)state;
	live_with_checkpoints();
	checkpoints(&counting);
	mark = world.sink.fence.mark;
	world.checkpoint_every = 1;
	lane_start();
	assert_true(lane_rest());
	await_checkpoint_of_all();
	world.sink.away = true;
	for (int i = 0; i < 5; i++)
		pay(0, "U-alone", 30000 + i);
	for (int i = 0; i < 20000 && engine_seq(view().engine) == mark; i++)
		assert_true(lane_turn(world.lane));
	assert_true(engine_seq(view().engine) > mark);
	await_checkpoint_of_all();
	lane_stop();
	dir = checkpoints(&newest);
	assert_true(newest > counting);
	assert_int_equal(checkpoint_open(&checkpoint, dir, newest, &why), 0);
	assert_true(checkpoint_head(checkpoint)->seq > mark);
	assert_int_equal(world.sink.fence.mark, mark);
	checkpoint_close(checkpoint);
	world.checkpoint_every = USEC_PER_DAY;
	world.sink.away = false;
	/* That it was not sent is seen at the sink, too. */
	keep_state("rm -r state/sent");
	assert_rests();
	assert_same_without();
}

/* It needs @file. */
static bool needs(const char *dir, uint64_t number, uint64_t file) {
	const struct checkpoint_file *files;
	struct checkpoint *checkpoint;
	struct buf why = { 0 };
	bool found = false;
	size_t n;

	assert_int_equal(checkpoint_open(&checkpoint, dir, number, &why), 0);
	files = checkpoint_files(checkpoint, &n);
	for (size_t i = 0; i < n; i++)
		found |= files[i].number == file;
	checkpoint_close(checkpoint);
	return found;
}

static void assert_all_needed(const char *dir) {
	uint64_t *numbers, *files;
	size_t n, n_files;

	assert_int_equal(checkpoint_list(dir, &numbers, &n), 0);
	assert_in_range(n, 2, 5);
	assert_int_equal(checkpoint_numbers(dir, "pages", &files, &n_files), 0);
	assert_true(n_files > 0);
	for (size_t i = 0; i < n_files; i++) {
		size_t k = 0;

		while (k < n && !needs(dir, numbers[k], files[i]))
			k++;
		assert_true(k < n);
	}
	free(numbers);
	free(files);
}

static size_t n_checkpoints(void) {
	uint64_t newest, *numbers;
	size_t n;

	assert_int_equal(checkpoint_list(checkpoints(&newest), &numbers, &n),
			 0);
	free(numbers);
	return n;
}

/* Behind those that are needed nothing is left, however many there were. */
static void keeps_only_what_two_that_count_need(void **state) {
	uint64_t newest;
	const char *dir;

	(void)state;
	world.checkpoint_every = 1;
	lane_start();
	for (int i = 0; i < 40; i++) {
		pay_from(i * 20, i * 20 + 20);
		assert_true(lane_rest());
		await_checkpoint();
	}
	/* The last one that was to be forgotten may still be on its way. */
	while (n_checkpoints() > 5)
		usleep(200);
	lane_stop();
	dir = checkpoints(&newest);
	assert_true(newest >= 40);
	assert_all_needed(dir);
	assert_same_without();
}

/* --- logs that are not what they were --- */

/* Ends behind a checkpoint of all. */
static void live_until_all_is_kept(enum gap_policy policy) {
	world.on_gap = policy;
	live_with_checkpoints();
}

static void expire(size_t partition, int more) {
	size_t first = world.log[partition].n;

	for (int i = 0; i < more; i++)
		pay(partition, "U-more", 30000 + i);
	world.log[partition].is.low = (int64_t)first + more / 2;
}

/* More records than before, and others. */
static void make_anew(size_t partition) {
	struct log_partition *p = &world.log[partition];
	size_t n = p->n;

	for (size_t i = 0; i < n; i++)
		free(p->payloads[i]);
	p->n = 0;
	p->is.low = 0;
	for (size_t i = 0; i < n + 5; i++)
		pay(partition, "U-anew", 30000 + (int64_t)i);
}

static void assert_seam(void) {
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_true(journal_says("\"seam\":\"log changed\""));
}

/* Nothing that is in the sink is taken back. */
static void assert_skips(void) {
	size_t n = world.sink.n_entries;

	lane_start();
	assert_true(lane_rest());
	assert_int_equal(view().gaps, 1);
	assert_int_equal(view().seams, 0);
	lane_stop();
	assert_true(world.sink.n_entries > n);
	for (size_t i = n; i < world.sink.n_entries; i++)
		assert_null(strstr(world.sink.entries[i], "seam"));
	assert_true(journal_says("\"decision\":\"gap\""));
	/* Another life replays the decision, and adds nothing. */
	n = world.sink.n_entries;
	assert_rests();
	assert_int_equal(world.sink.n_entries, n);
}

static void assert_halts(void) {
	size_t n = world.sink.n_entries;

	lane_start();
	assert_false(lane_rest());
	lane_stop();
	assert_int_equal(world.sink.n_entries, n);
}

static void makes_a_seam_when_the_log_has_expired_behind_it(void **state) {
	(void)state;
	live_until_all_is_kept(GAP_SEAM);
	expire(0, 20);
	assert_seam();
}

static void skips_what_has_expired_behind_it(void **state) {
	(void)state;
	live_until_all_is_kept(GAP_SKIP);
	expire(0, 20);
	assert_skips();
}

static void halts_when_the_log_has_expired_behind_it(void **state) {
	(void)state;
	live_until_all_is_kept(GAP_HALT);
	expire(0, 20);
	assert_halts();
}

static void makes_a_seam_for_a_topic_made_anew(void **state) {
	(void)state;
	live_until_all_is_kept(GAP_SEAM);
	make_anew(0);
	assert_seam();
}

static void skips_to_a_topic_made_anew(void **state) {
	(void)state;
	live_until_all_is_kept(GAP_SKIP);
	make_anew(0);
	assert_skips();
}

static void halts_at_a_topic_made_anew(void **state) {
	(void)state;
	live_until_all_is_kept(GAP_HALT);
	make_anew(0);
	assert_halts();
}

/* What went by age below it is not missed, whatever the policy. */
static void does_not_miss_what_expired_below_it(void **state) {
	(void)state;
	live_until_all_is_kept(GAP_HALT);
	for (size_t i = 0; i < PARTITIONS; i++)
		world.log[i].is.low = (int64_t)world.log[i].n;
	assert_rests();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, world_end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(begins_where_it_was_taken),
		TEST(comes_to_the_same_after_any_ending),
		TEST(waits_when_too_much_would_be_replayed),
		TEST(does_not_use_a_manifest_damaged_at_any_byte),
		TEST(does_not_use_pages_that_are_damaged),
		TEST(does_not_begin_from_one_that_does_not_count),
		TEST(keeps_only_what_two_that_count_need),
		TEST(makes_a_seam_when_the_log_has_expired_behind_it),
		TEST(skips_what_has_expired_behind_it),
		TEST(halts_when_the_log_has_expired_behind_it),
		TEST(makes_a_seam_for_a_topic_made_anew),
		TEST(skips_to_a_topic_made_anew),
		TEST(halts_at_a_topic_made_anew),
		TEST(does_not_miss_what_expired_below_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
