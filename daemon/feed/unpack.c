#include "feed/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/util.h"

#define BLOCK_BYTES (128u * 1024)
#define MAGIC_BYTES 4
#define GZIP_BITS (16 + MAX_WBITS) /* a gzip header and nothing else */

static const unsigned char gzip_magic[] = { 0x1f, 0x8b };
static const unsigned char zstd_magic[] = { 0x28, 0xb5, 0x2f, 0xfd };

enum packed { PACKED_NOT, PACKED_GZIP, PACKED_ZSTD };

struct unpack {
	enum packed packed;
	int fd;
	uint64_t taken, size;
	bool within; /* an archive has begun and not ended */
	bool ended;  /* the file */
	z_stream gzip;
	ZSTD_DStream *zstd;
	size_t at, n; /* of block */
	unsigned char block[BLOCK_BYTES];
};

static void unpack_freep(struct unpack **unpack) {
	unpack_free(*unpack);
}

/* Adds to the block what the file has; 0, also at its end. */
static int fill(struct unpack *unpack) {
	ssize_t n;

	do
		n = read(unpack->fd, unpack->block + unpack->n,
			 BLOCK_BYTES - unpack->n);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	unpack->ended = n == 0;
	unpack->n += (size_t)n;
	unpack->taken += (uint64_t)n;
	return 0;
}

/* 1: there is something in the block, 0: the file has ended. */
static int more(struct unpack *unpack) {
	int r;

	if (unpack->at < unpack->n)
		return 1;
	if (unpack->ended)
		return 0;
	unpack->at = unpack->n = 0;
	r = fill(unpack);
	return r < 0 ? r : unpack->n > 0;
}

static bool has_magic(const struct unpack *unpack, const unsigned char *magic,
		      size_t n) {
	return unpack->n >= n && !memcmp(unpack->block, magic, n);
}

/* pzstd begins with a frame of its own that others pass over. */
static bool is_skippable(const struct unpack *unpack) {
	return unpack->n >= MAGIC_BYTES && (unpack->block[0] & 0xf0) == 0x50 &&
	       !memcmp(unpack->block + 1, "\x2a\x4d\x18", 3);
}

static bool ends_with(const char *path, const char *end) {
	size_t n = strlen(path), m = strlen(end);

	return n >= m && !strcmp(path + n - m, end);
}

static int start_gzip(struct unpack *unpack) {
	if (inflateInit2(&unpack->gzip, GZIP_BITS) != Z_OK)
		return -ENOMEM;
	unpack->packed = PACKED_GZIP;
	return 0;
}

static int start_zstd(struct unpack *unpack) {
	unpack->zstd = ZSTD_createDStream();
	if (!unpack->zstd)
		return -ENOMEM;
	unpack->packed = PACKED_ZSTD;
	return 0;
}

static int find_packing(struct unpack *unpack, const char *path) {
	while (unpack->n < MAGIC_BYTES && !unpack->ended) {
		int r = fill(unpack);

		if (r < 0)
			return r;
	}
	if (has_magic(unpack, gzip_magic, sizeof(gzip_magic)))
		return start_gzip(unpack);
	if (has_magic(unpack, zstd_magic, sizeof(zstd_magic)) ||
	    is_skippable(unpack))
		return start_zstd(unpack);
	if (!ends_with(path, ".gz") && !ends_with(path, ".zst"))
		return 0;
	return unpack->n ? -EBADMSG : -ENODATA;
}

static int open_path(struct unpack *unpack, const char *path) {
	struct stat st;

	if (!strcmp(path, "-"))
		unpack->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		unpack->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (unpack->fd < 0)
		return -errno;
	if (!fstat(unpack->fd, &st) && S_ISREG(st.st_mode))
		unpack->size = (uint64_t)st.st_size;
	return 0;
}

int unpack_open(struct unpack **ret, const char *path) {
	CLEANUP(unpack_freep)
	struct unpack *unpack = calloc(1, sizeof(*unpack));
	int r;

	if (!unpack)
		return -ENOMEM;
	r = open_path(unpack, path);
	if (r == 0)
		r = find_packing(unpack, path);
	if (r < 0)
		return r;

	*ret = TAKE(unpack);
	return 0;
}

void unpack_free(struct unpack *unpack) {
	if (!unpack)
		return;
	if (unpack->packed == PACKED_GZIP)
		inflateEnd(&unpack->gzip);
	ZSTD_freeDStream(unpack->zstd);
	if (unpack->fd >= 0)
		close(unpack->fd);
	free(unpack);
}

static ssize_t read_plain(struct unpack *unpack, char *out, size_t n) {
	size_t left = unpack->n - unpack->at;

	n = n < left ? n : left;
	memcpy(out, unpack->block + unpack->at, n);
	unpack->at += n;
	return (ssize_t)n;
}

/* What lies behind an archive: another one, or zeros that fill a tape. */
static int begin_gzip(struct unpack *unpack) {
	if (unpack->block[unpack->at] != gzip_magic[0])
		return -EBADMSG;
	if (inflateReset2(&unpack->gzip, GZIP_BITS) != Z_OK)
		return -ENOMEM;
	unpack->within = true;
	return 0;
}

static ssize_t read_gzip(struct unpack *unpack, char *out, size_t n) {
	z_stream *gzip = &unpack->gzip;
	int code;

	if (!unpack->within) {
		int r;

		while (unpack->at < unpack->n && !unpack->block[unpack->at])
			unpack->at++;
		if (unpack->at == unpack->n)
			return 0;
		r = begin_gzip(unpack);
		if (r < 0)
			return r;
	}
	gzip->next_in = unpack->block + unpack->at;
	gzip->avail_in = (uInt)(unpack->n - unpack->at);
	gzip->next_out = (unsigned char *)out;
	gzip->avail_out = (uInt)n;
	code = inflate(gzip, Z_NO_FLUSH);
	unpack->at = unpack->n - gzip->avail_in;
	if (code == Z_MEM_ERROR)
		return -ENOMEM;
	if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
		return -EBADMSG;
	unpack->within = code != Z_STREAM_END;
	return (ssize_t)(n - gzip->avail_out);
}

static ssize_t read_zstd(struct unpack *unpack, char *out, size_t n) {
	ZSTD_inBuffer in = { unpack->block, unpack->n, unpack->at };
	ZSTD_outBuffer to = { out, n, 0 };
	size_t code = ZSTD_decompressStream(unpack->zstd, &to, &in);

	unpack->at = in.pos;
	if (ZSTD_isError(code))
		return ZSTD_getErrorCode(code) ==
				       ZSTD_error_frameParameter_windowTooLarge
			       ? -E2BIG
		       : ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation
			       ? -ENOMEM
			       : -EBADMSG;
	unpack->within = code != 0;
	return (ssize_t)to.pos;
}

/* Some input may give no output yet: the loop goes on until there is some. */
ssize_t unpack_read(struct unpack *unpack, char *out, size_t n) {
	for (;;) {
		ssize_t got;
		int r = more(unpack);

		if (r < 0)
			return r;
		/* What was taken in whole may still have to come out. */
		if (r == 0 && !unpack->within)
			return 0;
		if (unpack->packed == PACKED_NOT)
			return read_plain(unpack, out, n);
		got = unpack->packed == PACKED_GZIP ? read_gzip(unpack, out, n)
						    : read_zstd(unpack, out, n);
		if (got)
			return got;
		if (r == 0)
			return unpack->within ? -ENODATA : 0;
	}
}

uint64_t unpack_taken(const struct unpack *unpack) {
	return unpack->taken;
}

uint64_t unpack_size(const struct unpack *unpack) {
	return unpack->size;
}
