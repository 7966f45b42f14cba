#include "lane/statedir.h"

#include "lane/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64], dir[80], file[96];

static int begin(void **state) {
	(void)state;
	snprintf(base, sizeof(base), "/tmp/tocsin-state-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/state", base);
	snprintf(file, sizeof(file), "%s/mask_key", dir);
	return 0;
}

static int end(void **state) {
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

static void take_key(uint8_t key[32], bool made) {
	struct buf why = { 0 };
	bool was_made;

	assert_int_equal(statedir_key(dir, key, &was_made, &why), 0);
	assert_int_equal(was_made, made);
	buf_free(&why);
}

static void makes_a_key_once(void **state) {
	static const uint8_t nothing[32];
	uint8_t key[32], again[32], other[32];
	struct stat st;

	(void)state;
	take_key(key, true);
	take_key(again, false);
	assert_memory_equal(key, again, 32);
	assert_memory_not_equal(key, nothing, 32);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(unlink(file), 0);
	take_key(other, true);
	assert_memory_not_equal(key, other, 32);
}

static void makes_no_other_for_one_that_is_damaged(void **state) {
	uint8_t key[32];
	struct stat st;
	bool made;

	(void)state;
	take_key(key, true);
	for (off_t len = 0; len < 65; len++) {
		struct buf why = { 0 };

		assert_int_equal(truncate(file, len), 0);
		assert_int_equal(statedir_key(dir, key, &made, &why), -EBADMSG);
		assert_non_null(strstr(buf_cstr(&why), "mask_key: not a key"));
		buf_free(&why);
		assert_int_equal(unlink(file), 0);
		take_key(key, true);
	}
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 65);
}

static void gives_all_the_same_who_come_at_once(void **state) {
	uint8_t keys[8][32];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			struct buf why = { 0 };
			bool made;

			if (statedir_key(dir, keys[0], &made, &why) == 0 &&
			    write(fds[1], keys[0], 32) == 32)
				_exit(0);
			_exit(1);
		}
	for (int i = 0; i < 8; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(read(fds[0], keys, sizeof(keys)), sizeof(keys));
	for (int i = 1; i < 8; i++)
		assert_memory_equal(keys[0], keys[i], 32);
	close(fds[0]);
	close(fds[1]);
}

static void counts_epochs(void **state) {
	struct statedir state_dir;
	struct buf why = { 0 };
	uint64_t epoch;

	(void)state;
	assert_int_equal(statedir_open(&state_dir, dir, &why), 0);
	assert_int_equal(statedir_epoch(&state_dir, &epoch), 0);
	assert_int_equal(epoch, 0);
	assert_int_equal(statedir_set_epoch(&state_dir, 4711), 0);
	assert_int_equal(statedir_epoch(&state_dir, &epoch), 0);
	assert_int_equal(epoch, 4711);
	statedir_close(&state_dir);
}

/* A crash may have left a folder whose journal has no header. */
static void knows_which_journals_have_begun(void **state) {
	const struct journal_header header = { .lane = "0",
					       .first_ordinal = 1 };
	uint32_t *numbers = NULL;
	struct journal *journal;
	size_t n = 0;

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	for (uint32_t number = 1; number <= 3; number++) {
		char *path = statedir_journal(dir, number);

		if (number == 2)
			assert_int_equal(
				journal_create(&journal, path, &header), 0);
		else
			assert_int_equal(mkdir(path, 0700), 0);
		free(path);
	}
	journal_close(journal);
	assert_int_equal(statedir_journals(dir, &numbers, &n), 0);
	assert_int_equal(n, 3);
	free(numbers);
	assert_int_equal(statedir_begun(dir, &numbers, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(numbers[0], 2);
	free(numbers);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(makes_a_key_once),
		TEST(makes_no_other_for_one_that_is_damaged),
		TEST(gives_all_the_same_who_come_at_once),
		TEST(counts_epochs),
		TEST(knows_which_journals_have_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
