/*
 * A disk that fails: preloaded into a daemon, it lets the calls that
 * FAILING_DISK names fail on files of its state folder.
 *
 *   FAILING_DISK="CALL ERROR FIRST LAST FOLDER"
 *
 * as in "fdatasync 5 3 3 /tmp/x/state": the third fdatasync() of a file in that
 * folder fails with errno 5. With 0 for an error the process kills itself
 * there.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic int calls;

/* The plan, if it speaks of @call. */
static const char *plan_for(const char *call) {
	const char *plan = getenv("FAILING_DISK");
	size_t len = strlen(call);

	return plan && strncmp(plan, call, len) == 0 && plan[len] == ' '
		       ? plan + len
		       : NULL;
}

static int fails_at(const char *call, const char *path) {
	const char *plan = plan_for(call);
	int error, first, last, n;
	char folder[512];

	if (!plan ||
	    sscanf(plan, "%d %d %d %511s", &error, &first, &last, folder) != 4)
		return 0;
	if (strncmp(path, folder, strlen(folder)) != 0)
		return 0;
	n = atomic_fetch_add(&calls, 1) + 1;
	if (n < first || n > last)
		return 0;
	dprintf(STDERR_FILENO, "failing disk: %s of %s\n", call, path);
	if (!error)
		kill(getpid(), SIGKILL);
	errno = error;
	return 1;
}

static int fails(const char *call, int fd) {
	char link[64], path[512];
	int before = errno;
	ssize_t n;

	if (!plan_for(call))
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0) {
		errno = before;
		return 0;
	}
	path[n] = 0;
	return fails_at(call, path);
}

/* Built for large files like the daemon: pwrite() is pwrite64() in both. */
#define NEXT(name) ((__typeof__(&name))(dlsym(RTLD_NEXT, #name)))

int fdatasync(int fd) {
	return fails("fdatasync", fd) ? -1 : NEXT(fdatasync)(fd);
}

int fsync(int fd) {
	return fails("fsync", fd) ? -1 : NEXT(fsync)(fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
	return fails("pwrite", fd) ? -1 : NEXT(pwrite)(fd, bytes, n, at);
}

ssize_t write(int fd, const void *bytes, size_t n) {
	return fails("write", fd) ? -1 : NEXT(write)(fd, bytes, n);
}

ssize_t pread(int fd, void *bytes, size_t n, off_t at) {
	return fails("pread", fd) ? -1 : NEXT(pread)(fd, bytes, n, at);
}

ssize_t read(int fd, void *bytes, size_t n) {
	return fails("read", fd) ? -1 : NEXT(read)(fd, bytes, n);
}

int fallocate(int fd, int mode, off_t at, off_t n) {
	return fails("fallocate", fd) ? -1 : NEXT(fallocate)(fd, mode, at, n);
}

int posix_fallocate(int fd, off_t at, off_t n) {
	return fails("posix_fallocate", fd) ? errno
					    : NEXT(posix_fallocate)(fd, at, n);
}

int rename(const char *from, const char *to) {
	return fails_at("rename", to) ? -1 : NEXT(rename)(from, to);
}

int unlink(const char *path) {
	return fails_at("unlink", path) ? -1 : NEXT(unlink)(path);
}
