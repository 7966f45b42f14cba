#include "lane/statedir.h"

#include "lane/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const char *dir, const char *name) {
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

int statedir_open(struct statedir *ret, const char *path, struct buf *why) {
	char *name;
	int fd, r = 0;

	if (mkdir(path, 0700) == 0)
		r = sync_parent(path);
	else if (errno != EEXIST)
		r = -errno;
	if (r < 0) {
		buf_printf(why, "%s: %s", path, strerror(-r));
		return r;
	}
	name = path_of(path, "lock");
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		if (r == -EWOULDBLOCK)
			buf_printf(why, "%s: another daemon holds the lock",
				   name);
		else
			buf_printf(why, "%s: %s", name, strerror(-r));
		if (fd >= 0)
			close(fd);
		free(name);
		return r;
	}
	free(name);
	*ret = (struct statedir){ .path = strdup(path), .lock = fd };
	if (!ret->path)
		abort();
	return 0;
}

void statedir_close(struct statedir *dir) {
	if (dir->path)
		close(dir->lock);
	free(dir->path);
	*dir = (struct statedir){ .lock = -1 };
}

int statedir_epoch(const struct statedir *dir, uint64_t *ret) {
	char *path = path_of(dir->path, "epoch");
	char text[32] = "";
	ssize_t n = 0;
	int fd, r = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		r = -errno;
	if (fd >= 0 && (n = read(fd, text, sizeof(text) - 1)) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	free(path);
	if (r < 0)
		return r;
	text[n] = 0;
	*ret = strtoull(text, NULL, 10);
	return 0;
}

static int write_file(const char *path, const char *text) {
	size_t len = strlen(text);
	int fd, r = 0;
	ssize_t n;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0 || fsync(fd) < 0)
		r = -errno;
	else if (n != (ssize_t)len)
		r = -ENOSPC;
	close(fd);
	return r;
}

int statedir_set_epoch(const struct statedir *dir, uint64_t epoch) {
	char *path = path_of(dir->path, "epoch");
	char *fresh = path_of(dir->path, "epoch.new");
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)epoch);
	r = write_file(fresh, text);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r == 0)
		r = sync_folder(dir->path);
	free(path);
	free(fresh);
	return r;
}

static int greatest_first(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x > y ? -1 : x < y;
}

static bool journal_number(const char *name, uint32_t *ret) {
	char *end;

	if (strncmp(name, "journal-", 8) != 0 || strlen(name) != 16)
		return false;
	*ret = (uint32_t)strtoul(name + 8, &end, 10);
	return *end == 0;
}

int statedir_journals(const char *path, uint32_t **ret, size_t *n) {
	struct dirent *entry;
	uint32_t *numbers = NULL;
	size_t count = 0;
	DIR *d;

	d = opendir(path);
	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		uint32_t number;

		if (!journal_number(entry->d_name, &number))
			continue;
		numbers = reallocarray(numbers, count + 1, sizeof(*numbers));
		if (!numbers)
			abort();
		numbers[count++] = number;
	}
	closedir(d);
	if (count)
		qsort(numbers, count, sizeof(*numbers), greatest_first);
	*ret = numbers;
	*n = count;
	return 0;
}

char *statedir_journal(const char *path, uint32_t number) {
	char name[32];

	snprintf(name, sizeof(name), "journal-%08u", number);
	return path_of(path, name);
}

int statedir_remove_journal(const char *path, uint32_t number) {
	char *dir = statedir_journal(path, number);
	uint64_t *starts = NULL;
	size_t n = 0;
	int r;

	r = segment_list(&starts, &n, dir);
	/* The first one last: without it nobody takes the rest for a journal.
	 */
	for (size_t i = n; r == 0 && i-- > 0;) {
		char *segment = segment_path(dir, starts[i]);

		if (unlink(segment) < 0)
			r = -errno;
		free(segment);
	}
	if (r == 0 && rmdir(dir) < 0)
		r = -errno;
	free(starts);
	free(dir);
	return r;
}
