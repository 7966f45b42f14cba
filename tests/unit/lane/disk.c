#include "lane/world.h"

#include "lane/sent_internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/*
 * The disk: the calls that a journal and a state folder make, instead of the
 * library's. What was synced is remembered; of a full disk everything fails
 * that would need room.
 */
static _Atomic int full;         /* with this; 0: there is room */
static _Atomic int failing_sync; /* with this; 0: it does not */
static _Atomic int failing_sent; /* with this, what goes into sent/ */
static _Atomic unsigned refused; /* how much was asked for in vain */
static char said[65536];         /* in the log, by the lane's thread */
static struct {
	dev_t device;
	ino_t inode;
} synced[4096];
static _Atomic size_t n_synced; /* behind what is written there */

static bool is_ours(int fd) {
	char link[32], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	return n > 0 && strncmp(path, world.dir, strlen(world.dir)) == 0 &&
	       strstr(path, "rules.yaml") == NULL;
}

static bool is_in_sent(int fd) {
	char link[32], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	return n > 0 && strstr(path, "/sent/") != NULL;
}

static bool refuse(void) {
	refused++;
	errno = full;
	return full != 0;
}

int fallocate(int fd, int mode, off_t from, off_t bytes) {
	if (full && refuse())
		return -1;
	return (int)syscall(SYS_fallocate, fd, mode, from, bytes);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
	if (failing_sent && is_in_sent(fd)) {
		errno = failing_sent;
		return -1;
	}
	if (full && refuse())
		return -1;
	return syscall(SYS_pwrite64, fd, data, n, at);
}

ssize_t write(int fd, const void *data, size_t n) {
	if (fd == STDERR_FILENO && strlen(said) + n < sizeof(said))
		strncat(said, data, n);
	if (full && is_ours(fd) && refuse())
		return -1;
	return syscall(SYS_write, fd, data, n);
}

static void remember_sync(int fd) {
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct stat st;

	pthread_mutex_lock(&lock);
	if (fstat(fd, &st) == 0 && n_synced < ARRAY_SIZE(synced)) {
		synced[n_synced].device = st.st_dev;
		synced[n_synced].inode = st.st_ino;
		n_synced++;
	}
	pthread_mutex_unlock(&lock);
}

int fsync(int fd) {
	remember_sync(fd);
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
	if (failing_sync) {
		errno = failing_sync;
		return -1;
	}
	remember_sync(fd);
	return (int)syscall(SYS_fdatasync, fd);
}

/* Since @from, in the order of synced[]. */
static bool was_synced(const char *path, size_t from) {
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	for (size_t i = from; i < n_synced; i++)
		if (synced[i].device == st.st_dev &&
		    synced[i].inode == st.st_ino)
			return true;
	return false;
}

static int begin(void **state) {
	full = failing_sync = failing_sent = 0;
	refused = 0;
	n_synced = 0;
	said[0] = 0;
	return world_begin(state);
}

static const char *in_state(const char *name) {
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", world.state, name);
	return path;
}

static bool exists(const char *name) {
	return access(in_state(name), F_OK) == 0;
}

/* Turns until @name is there; where synced[] stood before that turn. */
static size_t turn_until(const char *name) {
	size_t before = 0;

	for (int i = 0; i < 10000 && !exists(name); i++) {
		before = n_synced;
		assert_true(lane_turn(world.lane));
	}
	assert_true(exists(name));
	return before;
}

/* A folder is in its parent for good when that was synced behind it. */
static void finds_after_a_power_cut_what_it_made(void **state) {
	size_t before;

	(void)state;
	pay(0, "U-1", 1);
	/* Its maker may have died before the name was on disk. */
	assert_int_equal(mkdir(world.state, 0700), 0);
	lane_start();
	assert_true(was_synced(world.dir, 0));
	for (int life = 1; life < 4; life++) {
		char name[64];

		snprintf(name, sizeof(name), "journal-%08d", life);
		before = turn_until(name);
		assert_true(was_synced(world.state, before));
		assert_true(was_synced(in_state(name), before));
		strcat(name, "/0000000000000000.seg");
		assert_true(was_synced(in_state(name), before));
		assert_true(lane_rest());
		lane_stop();
		world.rules_hash++;
		lane_start();
	}
}

static void assert_waits(const char *why) {
	struct lane_view view;

	lane_view(world.lane, &view);
	assert_non_null(view.not_ready);
	assert_string_equal(view.not_ready, why);
}

static void turn_until_refused(void) {
	unsigned before = refused;

	for (int i = 0; i < 20000 && refused == before; i++) {
		assert_true(lane_turn(world.lane));
		usleep(200);
	}
	assert_true(refused > before);
	for (int i = 0; i < 5; i++)
		assert_true(lane_turn(world.lane));
	assert_waits("lane: the disk is full");
}

static size_t times_said(const char *text) {
	size_t n = 0;

	for (const char *at = said; (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void assert_said(size_t times) {
	assert_int_equal(times_said("nothing is taken until there is room"),
			 times);
	assert_int_equal(times_said("there is room again"), times);
}

/* From now on, if it was not before: twice in vain, then there is room. */
static void wait_out(int error) {
	said[0] = 0;
	full = error;
	turn_until_refused();
	world.later += USEC_PER_SEC;
	turn_until_refused();
	full = 0;
	world.later += USEC_PER_SEC;
	assert_true(lane_rest());
	assert_said(1);
}

/* The one that is left when the older ones have been removed. */
static uint32_t the_only_journal(void) {
	uint32_t *numbers, number;
	size_t n = 0;

	for (int i = 0; i < 10000 && n != 1; i++) {
		assert_true(lane_turn(world.lane));
		assert_int_equal(statedir_journals(world.state, &numbers, &n),
				 0);
		number = n ? numbers[0] : 0;
		free(numbers);
		usleep(200);
	}
	assert_int_equal(n, 1);
	return number;
}

static void waits_for_room_to_begin(void **state) {
	static const int errors[] = { ENOSPC, EDQUOT };
	uint32_t number = 0;

	(void)state;
	pay(0, "U-1", 1);
	for (size_t i = 0; i < 2; i++) {
		/* For the epoch, then for a new journal. */
		lane_start();
		wait_out(errors[i]);
		lane_stop();
		world.rules_hash++;
		unlink(in_state("epoch"));
		lane_start();
		turn_until("epoch");
		wait_out(errors[i]);
		/* Nothing is left of what was tried in vain. */
		number += i ? 1 : 2;
		assert_int_equal(the_only_journal(), number);
		lane_stop();
	}
}

static void waits_for_room_to_go_on_with_its_journal(void **state) {
	(void)state;
	for (int i = 0; i < 10; i++)
		pay(0, "U-1", i);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	for (int i = 0; i < 10; i++)
		pay(0, "U-2", i);
	unlink(in_state("epoch"));
	world.sink.fence.epoch = 1;
	lane_start();
	turn_until("epoch");
	wait_out(EDQUOT);
	assert_int_equal(world.sink.n_entries, 2);
}

static void lets_nothing_out_while_the_disk_is_full(void **state) {
	static const int errors[] = { ENOSPC, EDQUOT };
	char unit[8];

	(void)state;
	lane_start();
	assert_true(lane_rest());
	for (size_t i = 0; i < 2; i++) {
		assert_said(i);
		full = errors[i];
		snprintf(unit, sizeof(unit), "U-%zu", i);
		for (int k = 0; k < 10; k++)
			pay(0, unit, k);
		turn_until_refused();
		assert_int_equal(world.sink.n_entries, i);
		full = 0;
		/* The journal's thread tries once a second of its own. */
		for (int k = 0; k < 10000 && world.sink.n_entries == i; k++) {
			assert_true(lane_turn(world.lane));
			usleep(1000);
		}
		assert_int_equal(world.sink.n_entries, i + 1);
		assert_true(lane_rest());
	}
}

/* Nobody knows what of it was dropped, so there is no second try. */
static void halts_when_a_sync_failed_even_for_want_of_room(void **state) {
	static const int errors[] = { ENOSPC, EDQUOT, EIO };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		bool goes_on = true;
		char unit[8];

		snprintf(unit, sizeof(unit), "U-%zu", i);
		lane_start();
		assert_true(lane_rest());
		failing_sync = errors[i];
		for (int k = 0; k < 10; k++)
			pay(0, unit, k);
		for (int k = 0; k < 10000 && goes_on; k++) {
			goes_on = lane_turn(world.lane);
			usleep(200);
		}
		assert_int_equal(lane_run(world.lane), LANE_HALTED);
		assert_int_equal(world.sink.n_entries, i);
		lane_stop();
		failing_sync = 0;
		lane_start();
		assert_true(lane_rest());
		assert_int_equal(world.sink.n_entries, i + 1);
		lane_stop();
	}
}

static void lose_everything(void) {
	empty_sink();
	world.sink.state = SINK_AWAY;
	for (int i = 0; i < 5; i++)
		assert_true(lane_turn(world.lane));
	assert_true(lane_rest());
}

static struct lane_view viewed(void) {
	struct lane_view view;

	lane_view(world.lane, &view);
	return view;
}

static bool is_all_written(void) {
	struct stat st;

	return stat(in_state("sent/0000000000000001-0000000000000000.log"),
		    &st) == 0 &&
	       st.st_size > 0 && (uint64_t)st.st_size == viewed().sent_bytes;
}

/* What would be sent again is made again instead. */
static void goes_on_when_what_is_sent_cannot_be_kept(void **state) {
	size_t n;

	(void)state;
	failing_sent = EIO;
	for (int i = 0; i < 200; i++)
		pay(0, i % 2 ? "U-1" : "U-2", i * 600);
	lane_start();
	assert_true(lane_rest());
	n = world.sink.n_entries;
	assert_true(n > 1);
	world.later += 2 * USEC_PER_SEC;
	assert_true(lane_turn(world.lane));
	assert_int_equal(times_said("nothing more is kept to be sent again"),
			 1);
	lose_everything();
	assert_int_equal(world.sink.n_entries, n);
	assert_int_equal(viewed().restarts, 1);
	/* At the next start it is kept, and serves. */
	lane_stop();
	failing_sent = 0;
	lane_start();
	assert_true(lane_rest());
	lose_everything();
	assert_int_equal(world.sink.n_entries, n);
	assert_int_equal(viewed().restarts, 0);
	assert_int_equal(viewed().resent, n);
}

static void keeps_what_is_sent_once_there_is_room(void **state) {
	size_t n;

	(void)state;
	failing_sent = ENOSPC;
	for (int i = 0; i < 200; i++)
		pay(0, i % 2 ? "U-1" : "U-2", i * 600);
	lane_start();
	assert_true(lane_rest());
	n = world.sink.n_entries;
	for (int i = 0; i < 5000 && !times_said("trying again"); i++) {
		world.later += USEC_PER_SEC;
		assert_true(lane_turn(world.lane));
	}
	assert_int_equal(times_said("trying again"), 1);
	failing_sent = 0;
	/* Its writer waits for a second of its own. */
	for (int i = 0; i < 10000 && !is_all_written(); i++)
		usleep(1000);
	assert_true(is_all_written());
	lose_everything();
	assert_int_equal(world.sink.n_entries, n);
	assert_int_equal(viewed().restarts, 0);
	assert_int_equal(viewed().resent, n);
}

static struct outbox_item sent_item(uint64_t seq) {
	return (struct outbox_item){ .seq = seq,
				     .ordinal = seq,
				     .rule = "r",
				     .key = (char *)(uintptr_t) "k",
				     .json = (char *)(uintptr_t) "{}",
				     .json_len = 2 };
}

/* Else it would stand there as if it had been sent. */
static void writes_nothing_that_a_seam_made_void(void **state) {
	struct outbox_item before = sent_item(1), after = sent_item(6);
	struct sent *sent;

	(void)state;
	assert_int_equal(mkdir(world.state, 0700), 0);
	assert_int_equal(sent_open(&sent, world.state, "0"), 0);
	failing_sent = ENOSPC;
	sent_add(sent, &before);
	for (int i = 0; i < 10000 && !sent_error(sent); i++)
		usleep(1000);
	assert_int_equal(sent_error(sent), -ENOSPC);
	assert_int_equal(
		sent_seam(sent, &(struct sent_point){ .seq = 5, .dead = 5 }),
		0);
	assert_int_equal(sent_backlog(sent), 0);
	failing_sent = 0;
	sent_add(sent, &after);
	assert_int_equal(sent_flush(sent), 0);
	assert_int_equal(
		access(in_state("sent/0000000000000001-0000000000000000.log"),
		       F_OK),
		-1);
	assert_int_equal(
		access(in_state("sent/0000000000000006-0000000000000000.log"),
		       F_OK),
		0);
	sent_close(sent);
}

/* Also by a log that failed before: the next start would believe it. */
static void leaves_nothing_behind_that_a_seam_made_void(void **state) {
	const char *path = "sent/0000000000000001-0000000000000000.log";

	(void)state;
	for (int i = 0; i < 100; i++)
		pay(0, i % 2 ? "U-1" : "U-2", i * 600);
	lane_start();
	assert_true(lane_rest());
	lane_stop();
	assert_int_equal(access(in_state(path), F_OK), 0);
	lane_start();
	failing_sent = EIO;
	for (int i = 100; i < 200; i++)
		pay(0, i % 2 ? "U-3" : "U-4", i * 600);
	assert_true(lane_rest());
	for (int i = 0; i < 5000 && !times_said("nothing more is kept"); i++) {
		world.later += USEC_PER_SEC;
		assert_true(lane_turn(world.lane));
	}
	assert_int_equal(times_said("nothing more is kept"), 1);
	world.log[0].is.low = 150;
	world.log[0].is.gone = true;
	pay(0, "U-3", 200 * 600);
	for (int i = 0; i < 5000 && !viewed().seams; i++) {
		world.later += USEC_PER_SEC;
		assert_true(lane_turn(world.lane));
	}
	assert_int_equal(viewed().seams, 1);
	assert_true(lane_rest());
	lane_stop();
	assert_int_equal(access(in_state(path), F_OK), -1);
	failing_sent = 0;
	lane_start();
	assert_true(lane_rest());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, world_end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(finds_after_a_power_cut_what_it_made),
		TEST(waits_for_room_to_begin),
		TEST(waits_for_room_to_go_on_with_its_journal),
		TEST(lets_nothing_out_while_the_disk_is_full),
		TEST(halts_when_a_sync_failed_even_for_want_of_room),
		TEST(goes_on_when_what_is_sent_cannot_be_kept),
		TEST(keeps_what_is_sent_once_there_is_room),
		TEST(writes_nothing_that_a_seam_made_void),
		TEST(leaves_nothing_behind_that_a_seam_made_void),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
