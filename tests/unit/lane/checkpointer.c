/*
 * A writer of checkpoints whose disk fails while the lane waits for it.
 */
#include "lane/checkpoint.h"
#include "lane/world.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/*
 * The disk: a file of pages is opened when the test lets it be, and with what
 * the test says; a folder cannot be synced if the test says so.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_shut;
	int error; /* of the one that waits; 0: none */
} door = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 };
static _Atomic int failing_folder; /* with this; 0: it does not */

static int pass_door(void) {
	int error;

	pthread_mutex_lock(&door.lock);
	while (door.is_shut)
		pthread_cond_wait(&door.wake, &door.lock);
	error = door.error;
	pthread_mutex_unlock(&door.lock);
	return error;
}

int open(const char *path, int flags, ...) {
	va_list more;
	mode_t mode = 0;

	if (flags & O_CREAT) {
		va_start(more, flags);
		mode = va_arg(more, mode_t);
		va_end(more);
	}
	if (flags & O_CREAT && strstr(path, "/pages-"))
		errno = pass_door();
	else
		errno = 0;
	return errno ? -1
		     : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fsync(int fd) {
	struct stat st;

	if (failing_folder && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = failing_folder;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* The thread @context stands still: here it can only be for the disk. */
static bool is_waiting(const char *context) {
	char text[256], *state;
	FILE *file = fopen(context, "r");
	size_t n = fread(text, 1, sizeof(text) - 1, file);

	fclose(file);
	text[n] = 0;
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

static void *open_door_once_it_waits(void *context) {
	while (!is_waiting(context))
		sched_yield();
	pthread_mutex_lock(&door.lock);
	door.is_shut = false;
	pthread_cond_broadcast(&door.wake);
	pthread_mutex_unlock(&door.lock);
	return NULL;
}

/* What the lane's thread is about to change, while nothing is written. */
static void change(struct pages *pages, const uint32_t *at, size_t n,
		   int error) {
	char stat_path[64];
	pthread_t thread;

	snprintf(stat_path, sizeof(stat_path), "/proc/self/task/%d/stat",
		 (int)gettid());
	door.error = error;
	assert_int_equal(pthread_create(&thread, NULL, open_door_once_it_waits,
					stat_path),
			 0);
	for (size_t i = 0; i < n; i++) {
		pages_touch(pages, at[i]);
		pages_at(pages, at[i])[PAGE_BYTES - 1]++;
	}
	pthread_join(thread, NULL);
}

static struct checkpointer *checkpointer;
static struct pages *pages;
static char dir[128];

static int begin(void **state) {
	struct lane_view view;

	world_begin(state);
	for (int i = 0; i < 200; i++)
		pay(0, "U-1", i);
	lane_start();
	assert_true(lane_rest());
	lane_view(world.lane, &view);
	pages = engine_pages((struct engine *)(uintptr_t)view.engine);
	snprintf(dir, sizeof(dir), "%s/checkpoint", world.dir);
	/* Room for one copy. */
	assert_int_equal(checkpointer_new(&checkpointer, dir, 0, NULL), 0);
	failing_folder = 0;
	return 0;
}

static int end(void **state) {
	checkpointer_free(checkpointer);
	lane_stop();
	return world_end(state);
}

static void take(bool shut) {
	struct lane_view view;

	lane_view(world.lane, &view);
	door.is_shut = shut;
	door.error = 0;
	checkpointer_begin(checkpointer,
			   (struct engine *)(uintptr_t)view.engine,
			   &(struct checkpoint_head){ 0 });
}

static int collect(uint64_t *number) {
	int r;

	while ((r = checkpointer_collect(checkpointer, number)) == 0)
		sched_yield();
	return r;
}

static uint64_t bytes_of(uint64_t number) {
	char path[192];
	struct stat st;

	snprintf(path, sizeof(path), "%s/pages-%08llu", dir,
		 (unsigned long long)number);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* Each of its pages is what it was when it began: @were. */
static void assert_holds(uint64_t number, const uint8_t *were) {
	struct buf why = { 0 };
	struct checkpoint *checkpoint;
	uint8_t bytes[PAGE_BYTES];

	assert_int_equal(checkpoint_open(&checkpoint, dir, number, &why), 0);
	for (uint32_t i = 0; i < pages->n; i++) {
		if (pages->class_of[i] == PAGES_EMPTY)
			continue;
		assert_int_equal(checkpoint_page(checkpoint, i, bytes), 0);
		assert_memory_equal(bytes, were + (size_t)i * PAGE_BYTES,
				    PAGE_BYTES);
	}
	assert_int_equal(checkpoint_bytes(checkpoint), bytes_of(number));
	checkpoint_close(checkpoint);
	buf_free(&why);
}

/* Two pages that hold something. */
static void find_two(uint32_t *two) {
	size_t n = 0;

	for (uint32_t i = 0; i < pages->n && n < 2; i++)
		if (pages->class_of[i] != PAGES_EMPTY)
			two[n++] = i;
	assert_int_equal(n, 2);
}

/* What the lane copied for one that failed is not of the next. */
static void keeps_copies_of_one_out_of_the_next(void **state) {
	size_t len = (size_t)pages->n * PAGE_BYTES;
	uint8_t *were = malloc(len);
	uint32_t two[2];
	uint64_t number;

	(void)state;
	find_two(two);
	take(true);
	change(pages, two, 2, ENOSPC);
	assert_int_equal(collect(&number), -ENOSPC);
	memcpy(were, pages->base, len);
	take(true);
	change(pages, two, 2, 0);
	assert_int_equal(collect(&number), 1);
	assert_holds(number, were);
	free(were);
}

/* Nobody knows whether it is on the disk. */
static void leaves_no_manifest_that_it_gave_up(void **state) {
	uint64_t number, *numbers = NULL;
	size_t n;

	(void)state;
	failing_folder = EIO;
	take(false);
	assert_int_equal(collect(&number), -EIO);
	assert_int_equal(checkpoint_list(dir, &numbers, &n), 0);
	assert_int_equal(n, 0);
	free(numbers);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(keeps_copies_of_one_out_of_the_next),
		TEST(leaves_no_manifest_that_it_gave_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
