/*
 * Segment: how the records of a journal lie in its files. Internal to the
 * journal; JOURNAL.md has the layout.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_HEAD 32u
#define RECORD_MAGIC 0x31524a54u /* "TJR1" */
#ifndef SEGMENT_BYTES            /* a simulation has smaller ones */
#define SEGMENT_BYTES (8u << 20)
#endif

enum record_kind {
	RECORD_HEADER = 1,
	RECORD_TURN = 2,
	RECORD_DECISION = 3,
	RECORD_END = 4,
	RECORD_STATE = 5
};

struct record {
	uint32_t kind;
	uint64_t position;
	uint64_t durable;
	const uint8_t *payload;
	uint32_t len;
};

static inline uint64_t record_bytes(size_t len) {
	return (RECORD_HEAD + (uint64_t)len + 7) & ~UINT64_C(7);
}

/* Appends a record that begins at @position to @out. */
void record_put(struct buf *out, uint32_t kind, uint64_t position,
		uint64_t durable, const void *payload, size_t len);
/* False unless a whole record that checks lies at @at. */
bool record_get(struct record *ret, const uint8_t *at, size_t left,
		uint64_t position);

/* "DIR/PPPPPPPPPPPPPPPP.seg"; the caller frees. */
char *segment_path(const char *dir, uint64_t start);
/* Makes durable which names @folder holds; or the folder that holds @path. */
int sync_folder(const char *folder);
int sync_parent(const char *path);
/* A file, or its first @most bytes; negative errno. */
int file_read(const char *path, size_t most, struct buf *bytes);
/* A file of these bytes, on disk; its name may not be. */
int file_write(const char *path, const void *bytes, size_t len);
/* All of it, however often the system takes a part. */
int write_at(int fd, const void *bytes, size_t len, uint64_t at);
/*
 * Makes it if need be, durably; also if it is there, because whoever made it
 * may have died before its name was on disk.
 */
int make_folder(const char *path);
/* First positions of the segments of @dir, sorted; negative errno. */
int segment_list(uint64_t **ret, size_t *n, const char *dir);
