/*
 * Any bytes as a journal's segment, or as the payloads of records that check:
 * reading ends, or says what is wrong, and what it hands out holds together.
 */
#include "lane/journal.h"
#include "lane/segment.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];
static char *path;

static void clean_up(void) {
	unlink(path);
	rmdir(dir);
}

static void prepare(void) {
	if (path)
		return;
	snprintf(dir, sizeof(dir), "/tmp/tocsin-fuzz-XXXXXX");
	assert(mkdtemp(dir));
	path = segment_path(dir, 0);
	atexit(clean_up);
}

static void write_segment(const void *bytes, size_t len) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

/* Each piece is a kind, a length and a payload. */
static void wrap(struct buf *out, const uint8_t *data, size_t size) {
	size_t len;

	for (size_t at = 0; at + 2 <= size; at += 2 + len) {
		uint32_t kind = at ? data[at] % 6 : RECORD_HEADER;

		len = data[at + 1];
		if (len > size - at - 2)
			len = size - at - 2;
		record_put(out, kind, out->len, 0, data + at + 2, len);
	}
}

static void check(const struct journal_reader *reader,
		  const struct journal_entry *entry) {
	size_t n;

	journal_read_partitions(reader, &n);
	for (size_t i = 0; entry->kind == JOURNAL_TURN && i < entry->n_runs;
	     i++)
		assert(entry->runs[i].partition < n);
	if (entry->kind == JOURNAL_DECISION)
		assert(entry->decision.topic &&
		       entry->decision.kind < DECISION_MAX);
}

/* Where it ended; @first: behind the first entry. */
static uint64_t read_all(struct journal_reader *reader, uint64_t *first) {
	struct journal_entry entry;
	struct buf why = { 0 };
	bool is_first = true;

	*first = journal_read_position(reader);
	while (journal_read(reader, &entry, &why) > 0) {
		check(reader, &entry);
		if (is_first)
			*first = journal_read_position(reader);
		is_first = false;
	}
	buf_free(&why);
	return journal_read_position(reader);
}

/* A position that an entry ended at leads to the same end. */
static void read_from(uint64_t position, uint64_t end) {
	struct journal_reader *reader;
	struct buf why = { 0 };
	uint64_t first;
	int r = journal_read_open_at(&reader, dir, position, &why);

	assert(r == 0 && read_all(reader, &first) == end);
	journal_read_close(reader);
	buf_free(&why);
}

/* Any other leads to a journal that reads well from there, or to none. */
static void read_from_any(uint64_t position) {
	struct journal_reader *reader;
	struct buf why = { 0 };
	uint64_t first;

	if (journal_read_open_at(&reader, dir, position, &why) == 0) {
		read_all(reader, &first);
		journal_read_close(reader);
	}
	buf_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct journal_reader *reader;
	struct buf bytes = { 0 }, why = { 0 };
	uint64_t first, end;

	if (!size)
		return 0;
	prepare();
	if (data[0] & 1)
		buf_add(&bytes, data + 1, size - 1);
	else
		wrap(&bytes, data + 1, size - 1);
	write_segment(bytes.data ? bytes.data : "", bytes.len);
	if (journal_read_open(&reader, dir, &why) == 0) {
		end = read_all(reader, &first);
		journal_read_close(reader);
		read_from(first, end);
		read_from_any(end / 2);
	}
	buf_free(&bytes);
	buf_free(&why);
	return 0;
}
