#include "lane/statedir.h"
#include "lane/journal.h"

#include "base/util.h"
#include "lane/crash.h"
#include "lane/segment.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const char *dir, const char *name) {
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

static int make_state(const char *path, struct buf *why) {
	int r = make_folder(path);

	if (r < 0)
		buf_printf(why, "%s: %s", path, strerror(-r));
	return r;
}

int statedir_open(struct statedir *ret, const char *path, struct buf *why) {
	char *name;
	int fd, r;

	r = make_state(path, why);
	if (r < 0)
		return r;
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

/* What stands in a small file, as text. */
static int read_file(const char *path, char *text, size_t cap) {
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, cap - 1);
	if (n < 0)
		r = -errno;
	text[n > 0 ? n : 0] = 0;
	close(fd);
	return r;
}

int statedir_epoch(const struct statedir *dir, uint64_t *ret) {
	char *path = path_of(dir->path, "epoch");
	char text[32] = "";
	int r = read_file(path, text, sizeof(text));

	free(path);
	*ret = strtoull(text, NULL, 10);
	return r == -ENOENT ? 0 : r;
}

static int parse_key(uint8_t key[32], const char *text) {
	for (size_t i = 0; i < 32; i++) {
		char byte[3] = { text[2 * i], 0, 0 };
		char *end;

		if (!isxdigit((unsigned char)byte[0]))
			return -EBADMSG;
		byte[1] = text[2 * i + 1];
		key[i] = (uint8_t)strtoul(byte, &end, 16);
		if (end != byte + 2)
			return -EBADMSG;
	}
	return text[64] == '\n' ? 0 : -EBADMSG;
}

/* Under a name of its own first: of two that make one, the first counts. */
static int make_key(const char *dir, const char *path) {
	CLEANUP(buf_free) struct buf text = { 0 }, name = { 0 };
	uint8_t key[32];
	int r;

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	buf_hex(&text, key, sizeof(key));
	buf_putc(&text, '\n');
	buf_printf(&name, "%s.%d", path, (int)getpid());
	r = file_write(buf_cstr(&name), text.data, text.len);
	if (r == 0 && link(buf_cstr(&name), path) < 0 && errno != EEXIST)
		r = -errno;
	unlink(buf_cstr(&name));
	return r == 0 ? sync_folder(dir) : r;
}

int statedir_key(const char *path, uint8_t key[32], bool *made,
		 struct buf *why) {
	char *name = path_of(path, "mask_key");
	char text[80];
	int r;

	*made = false;
	r = make_state(path, why);
	if (r < 0) {
		free(name);
		return r;
	}
	r = read_file(name, text, sizeof(text));
	if (r == -ENOENT) {
		*made = true;
		r = make_key(path, name);
		if (r == 0)
			r = read_file(name, text, sizeof(text));
	}
	if (r == 0)
		r = parse_key(key, text);
	if (r < 0)
		buf_printf(why, "%s: %s", name,
			   r == -EBADMSG ? "not a key of 64 hex digits"
					 : strerror(-r));
	free(name);
	return r;
}

int statedir_set_epoch(const struct statedir *dir, uint64_t epoch) {
	char *path = path_of(dir->path, "epoch");
	char *fresh = path_of(dir->path, "epoch.new");
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)epoch);
	r = file_write(fresh, text, strlen(text));
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r == 0)
		r = sync_folder(dir->path);
	crash_point("epoch-written");
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

static bool has_begun(const char *path, uint32_t number) {
	CLEANUP(buf_free) struct buf why = { 0 };
	char *dir = statedir_journal(path, number);
	struct journal_reader *reader = NULL;
	int r = journal_read_open(&reader, dir, &why);

	journal_read_close(reader);
	free(dir);
	return r != -ENOENT;
}

int statedir_begun(const char *path, uint32_t **ret, size_t *n) {
	size_t count, kept = 0;
	int r = statedir_journals(path, ret, &count);

	for (size_t i = 0; r == 0 && i < count; i++)
		if (has_begun(path, (*ret)[i]))
			(*ret)[kept++] = (*ret)[i];
	*n = kept;
	return r;
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

/* Its checkpoints: whatever lies in that folder is ours. */
static int remove_checkpoints(const char *journal) {
	char *dir = path_of(journal, "checkpoint");
	struct dirent *entry;
	DIR *d = opendir(dir);
	int r = d || errno == ENOENT ? 0 : -errno;

	while (d && (entry = readdir(d))) {
		char *path;

		if (entry->d_name[0] == '.')
			continue;
		path = path_of(dir, entry->d_name);
		if (unlink(path) < 0)
			r = -errno;
		free(path);
	}
	if (d)
		closedir(d);
	if (d && rmdir(dir) < 0)
		r = -errno;
	free(dir);
	return r;
}

int statedir_remove_journal(const char *path, uint32_t number) {
	char *dir = statedir_journal(path, number);
	uint64_t *starts = NULL;
	size_t n = 0;
	int r;

	r = remove_checkpoints(dir);
	if (r == 0)
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
