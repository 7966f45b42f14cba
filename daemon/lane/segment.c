#include "lane/segment.h"

#include "base/hash.h"
#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void store32(uint8_t *at, uint32_t n) {
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(n >> (8 * i));
}

static void store64(uint8_t *at, uint64_t n) {
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(n >> (8 * i));
}

static uint32_t load32(const uint8_t *at) {
	uint32_t n = 0;

	for (unsigned i = 4; i-- > 0;)
		n = n << 8 | at[i];
	return n;
}

static uint64_t load64(const uint8_t *at) {
	return load32(at) | (uint64_t)load32(at + 4) << 32;
}

void record_put(struct buf *out, uint32_t kind, uint64_t position,
		uint64_t durable, const void *payload, size_t len) {
	uint8_t head[RECORD_HEAD];
	uint32_t crc;

	store32(head + 4, (uint32_t)len);
	store32(head + 8, kind);
	store32(head + 12, RECORD_MAGIC);
	store64(head + 16, position);
	store64(head + 24, durable);
	crc = crc32c(0, head + 4, RECORD_HEAD - 4);
	store32(head, crc32c(crc, payload, len));
	buf_add(out, head, sizeof(head));
	if (len)
		buf_add(out, payload, len);
	while (out->len % 8)
		buf_putc(out, 0);
}

bool record_get(struct record *ret, const uint8_t *at, size_t left,
		uint64_t position) {
	uint32_t len, crc;

	if (left < RECORD_HEAD || load32(at + 12) != RECORD_MAGIC ||
	    load64(at + 16) != position)
		return false;
	len = load32(at + 4);
	if (len > left - RECORD_HEAD)
		return false;
	crc = crc32c(0, at + 4, RECORD_HEAD - 4);
	if (crc32c(crc, at + RECORD_HEAD, len) != load32(at))
		return false;
	*ret = (struct record){ .kind = load32(at + 8),
				.position = position,
				.durable = load64(at + 24),
				.payload = at + RECORD_HEAD,
				.len = len };
	return true;
}

char *segment_path(const char *dir, uint64_t start) {
	char *path;

	if (asprintf(&path, "%s/%016llx.seg", dir, (unsigned long long)start) <
	    0)
		abort();
	return path;
}

int sync_folder(const char *folder) {
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

int sync_parent(const char *path) {
	size_t len = strlen(path);
	char *folder;
	int r;

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	folder = len ? strndup(path, len) : strdup(".");
	if (!folder)
		abort();
	r = sync_folder(folder);
	free(folder);
	return r;
}

int write_at(int fd, const void *bytes, size_t len, uint64_t at) {
	const uint8_t *from = bytes;

	while (len) {
		ssize_t n = pwrite(fd, from, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

int file_read(const char *path, size_t most, struct buf *bytes) {
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	buf_reset(bytes);
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if ((uint64_t)st.st_size < most)
		most = (size_t)st.st_size;
	if (r == 0)
		buf_reserve(bytes, most + 1);
	while (r == 0 && bytes->len < most) {
		ssize_t n =
			read(fd, bytes->data + bytes->len, most - bytes->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		bytes->len += (size_t)n;
	}
	close(fd);
	return r;
}

int file_write(const char *path, const void *bytes, size_t len) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_at(fd, bytes, len, 0);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

int make_folder(const char *path) {
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return sync_parent(path);
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	/* What is not ours to sync, another has made. */
	return sync_parent(path) == -EIO ? -EIO : 0;
}

static int compare_u64(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool segment_start(const char *name, uint64_t *ret) {
	char *end;

	if (strlen(name) != 20 || strcmp(name + 16, ".seg") != 0)
		return false;
	*ret = strtoull(name, &end, 16);
	return end == name + 16;
}

int segment_list(uint64_t **ret, size_t *n, const char *dir) {
	struct dirent *entry;
	uint64_t *starts = NULL;
	size_t count = 0;
	DIR *d;

	d = opendir(dir);
	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		uint64_t start, *more;

		if (!segment_start(entry->d_name, &start))
			continue;
		more = reallocarray(starts, count + 1, sizeof(*starts));
		if (!more)
			abort();
		starts = more;
		starts[count++] = start;
	}
	closedir(d);
	if (count)
		qsort(starts, count, sizeof(*starts), compare_u64);
	*ret = starts;
	*n = count;
	return 0;
}
