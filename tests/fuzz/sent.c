/*
 * Any bytes as a file of what was sent, or as the payloads of records that
 * check: what is read is in order and whole, or it is refused.
 */
#include "lane/sent.h"
#include "lane/segment.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char state[64], folder[80], path[160];

static void clean_up(void) {
	unlink(path);
	rmdir(folder);
	rmdir(state);
}

static void prepare(void) {
	if (*path)
		return;
	snprintf(state, sizeof(state), "/tmp/tocsin-fuzz-XXXXXX");
	assert(mkdtemp(state));
	snprintf(folder, sizeof(folder), "%s/sent", state);
	assert(mkdir(folder, 0700) == 0);
	snprintf(path, sizeof(path), "%s/%016x-%016x.log", folder, 1, 0);
	atexit(clean_up);
}

static void write_file(const void *bytes, size_t len) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

/* Each piece is a kind, a length and a payload; the first is a header. */
static void wrap(struct buf *out, const uint8_t *data, size_t size) {
	size_t len;

	for (size_t at = 0; at + 2 <= size; at += 2 + len) {
		uint32_t kind = at ? 16 + data[at] % 4 : 16;

		len = data[at + 1];
		if (len > size - at - 2)
			len = size - at - 2;
		record_put(out, kind, out->len, 0, data + at + 2, len);
	}
}

static void check_items(const struct outbox *outbox, uint64_t *seq) {
	for (size_t i = 0; i < outbox->n; i++) {
		const struct outbox_item *item = outbox_at(outbox, i);

		assert(item->seq == ++*seq);
		assert(item->state < STATE_MAX && item->change < CHANGE_MAX &&
		       item->level <= LEVEL_RED && item->was <= LEVEL_RED);
		assert(item->rule && item->key);
		assert(item->json[item->json_len] == 0);
	}
}

static void check_dead(const struct outbox *outbox, uint64_t *dead) {
	for (size_t i = 0; i < outbox->dead_n; i++) {
		const struct dead_letter *letter = outbox_dead_at(outbox, i);

		assert(letter->ordinal > *dead);
		*dead = letter->ordinal;
		assert(letter->refusal < REFUSED_MAX);
		assert(letter->at.topic && letter->detail);
	}
}

static void read_from(struct sent *sent, struct sent_point from) {
	struct sent_point end = sent_end(sent);
	struct sent_reader *reader;
	struct outbox outbox;
	int r = 1;

	if (sent_read_open(&reader, sent, &from) < 0)
		return;
	assert(outbox_init(&outbox, 4, 4) == 0);
	while (r > 0) {
		r = sent_read(reader, &outbox, 4);
		check_items(&outbox, &from.seq);
		check_dead(&outbox, &from.dead);
		outbox_drop(&outbox, outbox.n);
		outbox_drop_dead(&outbox, outbox.dead_n);
	}
	assert(r < 0 || (from.seq == end.seq && from.dead >= end.dead));
	outbox_free(&outbox);
	sent_read_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct buf bytes = { 0 };
	struct sent_point end;
	struct sent *sent;

	if (!size)
		return 0;
	prepare();
	if (data[0] & 1)
		buf_add(&bytes, data + 1, size - 1);
	else
		wrap(&bytes, data + 1, size - 1);
	write_file(bytes.data ? bytes.data : "", bytes.len);
	if (sent_open(&sent, state, "0") == 0) {
		end = sent_end(sent);
		read_from(sent, (struct sent_point){ 0 });
		read_from(sent, (struct sent_point){ .seq = end.seq / 2,
						     .dead = end.dead / 2 });
		read_from(sent, end);
		sent_close(sent);
	}
	buf_free(&bytes);
	return 0;
}
