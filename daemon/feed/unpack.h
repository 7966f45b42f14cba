/*
 * Unpack: the bytes of a file, whatever it is packed with.
 *
 * What a file is, its first bytes say: gzip, zstd, or neither. A name that ends
 * in .gz or .zst promises one, so that an archive which lost its head is not
 * taken for a text. An archive that ends before its end, that is followed by
 * something else or whose sums are wrong is an error: half a year of payments
 * must never look like a year.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct unpack;

/* "-" is standard input. 0 or negative errno, of unpack_read() too. */
int unpack_open(struct unpack **ret, const char *path);
void unpack_free(struct unpack *unpack);
/*
 * Up to @n bytes, 0 at the end. Negative errno: -ENODATA, the archive is cut
 * off; -EBADMSG, it is broken or not what its name says; -E2BIG, it wants more
 * memory than the 128 MiB that zstd allows unless told otherwise.
 */
ssize_t unpack_read(struct unpack *unpack, char *out, size_t n);

/* Bytes as they lie on disk: taken so far, and in all (0: not known). */
uint64_t unpack_taken(const struct unpack *unpack);
uint64_t unpack_size(const struct unpack *unpack);
