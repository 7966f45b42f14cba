#define ZLIB_CONST
#include "feed/unpack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/util.h"

static char folder[] = "/tmp/tocsin-XXXXXX";
static char path[64];

static int begin(void **state) {
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state) {
	(void)state;
	return rmdir(folder);
}

/* Reads a file of these bytes, @step at a time; 0 or negative errno. */
static int read_as(const char *name, const char *bytes, size_t len, size_t step,
		   struct buf *out) {
	struct unpack *unpack = NULL;
	char *room = malloc(step);
	FILE *file;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	buf_reset(out);
	r = unpack_open(&unpack, path);
	while (r == 0 && (n = unpack_read(unpack, room, step))) {
		if (n < 0)
			r = (int)n;
		else
			buf_add(out, room, (size_t)n);
	}
	if (r == 0) {
		assert_int_equal(unpack_size(unpack), len);
		assert_int_equal(unpack_taken(unpack), len);
	}
	unpack_free(unpack);
	unlink(path);
	free(room);
	return r;
}

static void pack_gzip(struct buf *out, const char *text, size_t len) {
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8,
				      Z_DEFAULT_STRATEGY),
			 Z_OK);
	buf_reserve(out, deflateBound(&z, len));
	z.next_in = (const unsigned char *)text;
	z.avail_in = (uInt)len;
	z.next_out = (unsigned char *)out->data + out->len;
	z.avail_out = (uInt)(out->cap - out->len);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += z.total_out;
	deflateEnd(&z);
}

static void pack_zstd(struct buf *out, const char *text, size_t len) {
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	size_t n;

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
	buf_reserve(out, ZSTD_compressBound(len));
	n = ZSTD_compress2(zstd, out->data + out->len, out->cap - out->len,
			   text, len);
	assert_false(ZSTD_isError(n));
	out->len += n;
	ZSTD_freeCCtx(zstd);
}

static const struct packer {
	const char *name;
	void (*pack)(struct buf *out, const char *text, size_t len);
} packers[] = {
	{ "a.jsonl.gz", pack_gzip },
	{ "a.jsonl.zst", pack_zstd },
};

static const char text[] = "{\"no\":\"p1\",\"memo\":\"财政局\"}\n"
			   "{\"no\":\"p2\",\"memo\":\"财政局\"}\n";

static void assert_reads(const char *name, const struct buf *bytes,
			 const char *want, size_t len) {
	struct buf out = { 0 };

	for (size_t step = 1; step < 100; step = 7 * step) {
		assert_int_equal(
			read_as(name, bytes->data, bytes->len, step, &out), 0);
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, want, len);
	}
	buf_free(&out);
}

/* The bytes say what it is; a name without .gz or .zst promises nothing. */
static void reads_what_is_packed_and_what_is_not(void **state) {
	struct buf bytes = { 0 };

	(void)state;
	buf_puts(&bytes, text);
	assert_reads("a.jsonl", &bytes, text, sizeof(text) - 1);
	assert_reads("a", &bytes, text, sizeof(text) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		buf_reset(&bytes);
		packers[i].pack(&bytes, text, sizeof(text) - 1);
		assert_reads(packers[i].name, &bytes, text, sizeof(text) - 1);
		assert_reads("a.jsonl", &bytes, text, sizeof(text) - 1);
	}
	buf_free(&bytes);
}

static void reads_an_archive_of_many_blocks(void **state) {
	struct buf long_text = { 0 }, bytes = { 0 }, out = { 0 };
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		buf_printf(&long_text, "%u\n", (unsigned)(random >> 40));
	}
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		buf_reset(&bytes);
		packers[i].pack(&bytes, long_text.data, long_text.len);
		assert_true(bytes.len > 300000);
		assert_int_equal(read_as(packers[i].name, bytes.data, bytes.len,
					 65536, &out),
				 0);
		assert_int_equal(out.len, long_text.len);
		assert_memory_equal(out.data, long_text.data, out.len);
	}
	buf_free(&long_text);
	buf_free(&bytes);
	buf_free(&out);
}

/* As `cat` puts them together; zeros may fill up a gzip. */
static void reads_archives_one_behind_the_other(void **state) {
	struct buf bytes = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		buf_reset(&bytes);
		packers[i].pack(&bytes, text, 29);
		packers[i].pack(&bytes, "", 0);
		packers[i].pack(&bytes, text + 29, sizeof(text) - 30);
		assert_reads(packers[i].name, &bytes, text, sizeof(text) - 1);
	}
	buf_reset(&bytes);
	buf_add(&bytes, "\x5f\x2a\x4d\x18\x04\0\0\0abcd", 12);
	pack_zstd(&bytes, text, sizeof(text) - 1);
	assert_reads("a.jsonl.zst", &bytes, text, sizeof(text) - 1);
	buf_reset(&bytes);
	pack_gzip(&bytes, text, sizeof(text) - 1);
	buf_add(&bytes, "\0\0\0\0\0", 5);
	assert_reads("a.jsonl.gz", &bytes, text, sizeof(text) - 1);
	buf_free(&bytes);
}

static void says_when_an_archive_is_cut_off(void **state) {
	struct buf bytes = { 0 }, out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		const struct packer *packer = &packers[i];

		buf_reset(&bytes);
		packer->pack(&bytes, text, sizeof(text) - 1);
		assert_int_equal(read_as(packer->name, "", 0, 64, &out),
				 -ENODATA);
		for (size_t n = 1; n < bytes.len; n++)
			assert_int_equal(
				read_as(packer->name, bytes.data, n, 64, &out),
				n < 2 || (n < 4 && i == 1) ? -EBADMSG
							   : -ENODATA);
	}
	buf_free(&bytes);
	buf_free(&out);
}

/* Each byte changed: either it says so, or nothing that matters changed. */
static void says_when_an_archive_is_broken(void **state) {
	struct buf bytes = { 0 }, out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		const struct packer *packer = &packers[i];
		size_t told = 0;

		buf_reset(&bytes);
		packer->pack(&bytes, text, sizeof(text) - 1);
		for (size_t n = 0; n < bytes.len; n++) {
			int r;

			bytes.data[n] ^= 0x55;
			r = read_as(packer->name, bytes.data, bytes.len, 64,
				    &out);
			bytes.data[n] ^= 0x55;
			told += r < 0;
			if (r == 0)
				assert_memory_equal(out.data, text,
						    sizeof(text) - 1);
		}
		assert_true(told > bytes.len - 10);
		buf_puts(&bytes, "and more");
		assert_int_equal(
			read_as(packer->name, bytes.data, bytes.len, 64, &out),
			-EBADMSG);
		assert_int_equal(
			read_as(packer->name, text, sizeof(text) - 1, 64, &out),
			-EBADMSG);
	}
	buf_free(&bytes);
	buf_free(&out);
}

/* A header that asks for 2^27 or 2^28 bytes, and three bytes of text. */
static void takes_no_more_memory_than_zstd_does(void **state) {
	char bytes[] = "\x28\xb5\x2f\xfd\x00\x88\x19\x00\x00"
		       "abc";
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(read_as("a.zst", bytes, sizeof(bytes) - 1, 64, &out),
			 0);
	assert_int_equal(out.len, 3);
	bytes[5] = '\x90';
	assert_int_equal(read_as("a.zst", bytes, sizeof(bytes) - 1, 64, &out),
			 -E2BIG);
	buf_free(&out);
}

static void says_when_there_is_no_such_file(void **state) {
	struct unpack *unpack = NULL;

	(void)state;
	assert_int_equal(unpack_open(&unpack, "/nonexistent.gz"), -ENOENT);
	assert_int_equal(unpack_open(&unpack, folder), -EISDIR);
	assert_null(unpack);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_packed_and_what_is_not),
		cmocka_unit_test(reads_an_archive_of_many_blocks),
		cmocka_unit_test(reads_archives_one_behind_the_other),
		cmocka_unit_test(says_when_an_archive_is_cut_off),
		cmocka_unit_test(says_when_an_archive_is_broken),
		cmocka_unit_test(takes_no_more_memory_than_zstd_does),
		cmocka_unit_test(says_when_there_is_no_such_file),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
