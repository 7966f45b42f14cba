/*
 * The archive holds what the journal says was taken, with the bytes that the
 * log had, once each and in that order, wherever lives were cut off.
 */
#include "lane/world.h"

#include "lane/archive.h"

#include <fcntl.h>
#include <sys/stat.h>

static void pay_from(int from, int until) {
	char unit[16];

	for (int i = from; i < until; i++) {
		snprintf(unit, sizeof(unit), "U-%d", i % 40);
		pay(0, unit, i * 20);
		pay(1, unit, i * 20 + 7);
		if (i % 50 == 0)
			produce((size_t)i / 50 % 2, "{\"unit\":1}");
	}
}

static void live(int turns, unsigned pause) {
	lane_start();
	for (int i = 0; i < turns; i++) {
		assert_true(lane_turn(world.lane));
		usleep(pause);
	}
	lane_stop();
}

static void live_to_the_end(void) {
	struct lane_view view;

	lane_start();
	assert_true(lane_rest());
	/* Until a sync of it is due, and done. */
	world.later += 10 * USEC_PER_SEC;
	for (int i = 0; i < 200; i++) {
		assert_true(lane_turn(world.lane));
		usleep(100);
	}
	lane_view(world.lane, &view);
	lane_stop();
}

static uint32_t newest(void) {
	uint32_t *numbers, number;
	size_t n;

	assert_int_equal(archive_list(world.state, &numbers, &n), 0);
	assert_true(n > 0);
	number = numbers[0];
	free(numbers);
	return number;
}

static void assert_record(const struct archive_entry *entry, uint64_t ordinal,
			  int32_t partition, int64_t offset) {
	const char *payload = world.log[partition].payloads[offset];

	assert_true(entry->is_record);
	assert_int_equal(entry->ordinal, ordinal);
	assert_string_equal(entry->topic, "pays");
	assert_int_equal(entry->partition, partition);
	assert_int_equal(entry->offset, offset);
	assert_int_equal(entry->len, strlen(payload));
	assert_memory_equal(entry->payload, payload, entry->len);
}

static void next(struct archive_reader *reader, struct archive_entry *entry) {
	struct buf why = { 0 };

	if (archive_read(reader, entry, &why) != 1)
		fail_msg("the archive ends: %s", buf_cstr(&why));
}

/* Entry by entry beside the journal; how many there were. */
static uint64_t assert_archived(void) {
	char *journal_dir = statedir_journal(world.state, newest());
	char *dir = archive_dir(world.state, newest());
	struct journal_reader *journal;
	struct archive_reader *reader;
	struct journal_entry said;
	struct archive_entry entry;
	struct buf why = { 0 };
	uint64_t n = 0;
	size_t n_partitions;

	assert_int_equal(journal_read_open(&journal, journal_dir, &why), 0);
	assert_int_equal(archive_read_open(&reader, dir, &why), 0);
	while (journal_read(journal, &said, &why) > 0) {
		uint64_t ordinal = said.ordinal;

		if (said.kind == JOURNAL_DECISION) {
			next(reader, &entry);
			assert_false(entry.is_record);
			assert_int_equal(entry.ordinal, ordinal);
			assert_int_equal(entry.decision.kind,
					 said.decision.kind);
			n++;
			continue;
		}
		for (size_t i = 0; i < said.n_runs; i++) {
			const struct journal_run *run = &said.runs[i];
			int32_t partition =
				journal_read_partitions(
					journal, &n_partitions)[run->partition]
					.partition;

			for (int64_t at = run->first; at < run->next; at++) {
				next(reader, &entry);
				assert_record(&entry, ordinal++, partition, at);
				assert_int_equal(entry.poll_time,
						 said.poll_time);
				n++;
			}
		}
	}
	assert_int_equal(archive_read(reader, &entry, &why), 0);
	journal_read_close(journal);
	archive_read_close(reader);
	free(journal_dir);
	free(dir);
	return n;
}

static void holds_what_was_taken_once_and_in_order(void **state) {
	(void)state;
	world.archives = true;
	world.checkpoint_every = 1;
	for (int life = 0; life < 60; life++) {
		pay_from(life * 50, life * 50 + 50);
		live(3 + life * 7 % 40, (unsigned)life % 3 * 100);
	}
	live_to_the_end();
	assert_true(assert_archived() > 6000);
}

static char *last_segment(void) {
	char command[200], line[200] = "", *dir;
	FILE *out;

	dir = archive_dir(world.state, newest());
	snprintf(command, sizeof(command), "ls %s/*.tar1 | tail -n 1", dir);
	free(dir);
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(line, sizeof(line), out));
	pclose(out);
	line[strcspn(line, "\n")] = 0;
	return strdup(line);
}

/* What was not synced may be lost from anywhere on; a start mends it. */
static void is_mended_wherever_it_was_torn(void **state) {
	struct stat st;
	char *path;
	off_t len;

	(void)state;
	world.archives = true;
	pay_from(0, 30);
	live_to_the_end();
	path = last_segment();
	assert_int_equal(stat(path, &st), 0);
	len = st.st_size;
	for (off_t cut = 0; cut < len; cut += 1 + len / 100) {
		keep_state("cp -r state kept");
		assert_int_equal(truncate(path, cut), 0);
		live_to_the_end();
		assert_true(assert_archived() > 60);
		keep_state("rm -rf state && mv kept state");
	}
	free(path);
}

/* Of the middle nobody can mend anything, and a reader says so. */
static void says_what_is_damaged(void **state) {
	struct archive_reader *reader;
	struct archive_entry entry;
	struct buf why = { 0 };
	char *path, *dir, byte;
	FILE *file;
	int r = 0;

	(void)state;
	world.archives = true;
	pay_from(0, 30);
	live_to_the_end();
	path = last_segment();
	file = fopen(path, "r+");
	assert_non_null(file);
	fseek(file, 60, SEEK_SET);
	byte = (char)fgetc(file);
	fseek(file, 60, SEEK_SET);
	fputc(byte ^ 1, file);
	fclose(file);
	dir = archive_dir(world.state, newest());
	r = archive_read_open(&reader, dir, &why);
	while (r >= 0 && (r = archive_read(reader, &entry, &why)) > 0)
		;
	assert_int_equal(r, -EBADMSG);
	assert_non_null(strstr(buf_cstr(&why), path));
	free(path);
	free(dir);
	buf_free(&why);
}

/* Switched on when the partitions were decided long ago. */
static void begins_in_the_middle_of_a_journal(void **state) {
	struct archive_reader *reader;
	struct archive_entry entry;
	struct lane_view view;
	struct buf why = { 0 };
	size_t n = 0;
	char *dir;

	(void)state;
	world.checkpoint_every = 1;
	pay_from(0, 400);
	lane_start();
	assert_true(lane_rest());
	do {
		assert_true(lane_turn(world.lane));
		usleep(100);
		lane_view(world.lane, &view);
	} while (!view.checkpoints || !view.checkpoints->taken);
	lane_stop();
	world.checkpoint_every = USEC_PER_DAY;
	world.archives = true;
	pay_from(400, 500);
	live_to_the_end();
	dir = archive_dir(world.state, newest());
	assert_int_equal(archive_read_open(&reader, dir, &why), 0);
	while (archive_read(reader, &entry, &why) > 0) {
		assert_true(entry.ordinal > 2);
		if (!entry.is_record)
			continue;
		assert_record(&entry, entry.ordinal, entry.partition,
			      entry.offset);
		n++;
	}
	assert_true(n >= 200);
	archive_read_close(reader);
	free(dir);
	buf_free(&why);
}

/* Of a journal that a seam has ended: old, and not old enough. */
static void is_kept_as_long_as_asked_over_seams(void **state) {
	/* 1906: longer ago than world.h asks for. */
	const struct timespec long_ago[2] = { { .tv_sec = -2000000000 },
					      { .tv_sec = -2000000000 } };
	char path[192];

	(void)state;
	world.archives = true;
	for (uint32_t life = 1; life <= 3; life++) {
		pay_from((int)life * 100, (int)life * 100 + 100);
		live_to_the_end();
		assert_int_equal(newest(), life);
		world.rules_hash++;
	}
	snprintf(path, sizeof(path),
		 "%s/archive/journal-00000001/0000000000000001.tar1",
		 world.state);
	assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	pay_from(400, 500);
	live_to_the_end();
	assert_int_equal(newest(), 4);
	*strrchr(path, '/') = 0;
	assert_int_equal(access(path, F_OK), -1);
	path[strlen(path) - 1] = '2';
	assert_int_equal(access(path, F_OK), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			holds_what_was_taken_once_and_in_order, world_begin,
			world_end),
		cmocka_unit_test_setup_teardown(is_mended_wherever_it_was_torn,
						world_begin, world_end),
		cmocka_unit_test_setup_teardown(says_what_is_damaged,
						world_begin, world_end),
		cmocka_unit_test_setup_teardown(
			begins_in_the_middle_of_a_journal, world_begin,
			world_end),
		cmocka_unit_test_setup_teardown(
			is_kept_as_long_as_asked_over_seams, world_begin,
			world_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
