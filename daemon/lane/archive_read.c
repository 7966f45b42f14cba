#include "lane/archive_internal.h"

#include "base/hash.h"
#include "base/util.h"
#include "lane/journal_internal.h"
#include "lane/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define RAW_MOST (256u << 20) /* of one frame; a larger one is damage */

struct archive_reader {
	char *dir;
	uint64_t *segments;
	size_t n_segments, segment;
	int fd; /* of the segment; -1: none */
	struct journal_header header;
	bool has_header;
	struct archive_state state;
	uint64_t ordinal; /* of the next entry; 0: not known */
	struct buf raw, packed;
	struct span_reader in; /* of raw */
	uint64_t whole;        /* bytes of the segment up to its last frame */
	struct decision_texts texts;
};

const struct journal_header *
archive_read_header(const struct archive_reader *reader) {
	return &reader->header;
}

static bool get_start(struct archive_reader *reader) {
	struct span_reader *in = &reader->in;
	struct journal_header header;
	uint64_t ordinal;
	size_t n;

	if (get_varint(in) != ARCHIVE_VERSION ||
	    journal_get_header(in, &header) < 0)
		return false;
	journal_free_header(&reader->header);
	reader->header = header;
	reader->has_header = true;
	ordinal = get_varint(in);
	archive_state_free(&reader->state);
	reader->state.timestamp = get_zigzag(in);
	reader->state.poll_time = get_zigzag(in);
	n = get_varint(in);
	for (size_t i = 0; i < n && !in->bad; i++) {
		size_t len = get_varint(in);
		const uint8_t *at = get_bytes(in, len);
		char *topic = at ? strndup((const char *)at, len) : NULL;
		int32_t partition = (int32_t)get_zigzag(in);
		int64_t next = get_zigzag(in);

		if (topic)
			archive_state_add(&reader->state, topic, partition,
					  next);
		free(topic);
	}
	if (!reader->ordinal)
		reader->ordinal = ordinal;
	return !in->bad;
}

static int damaged(struct archive_reader *reader, struct buf *why) {
	char *path =
		archive_segment(reader->dir, reader->segments[reader->segment]);

	buf_printf(why, "%s: damaged behind byte %llu", path,
		   (unsigned long long)reader->whole);
	free(path);
	return -EBADMSG;
}

static int read_full(int fd, void *bytes, size_t len) {
	size_t at = 0;

	while (at < len) {
		ssize_t n = read(fd, (uint8_t *)bytes + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	return at == len ? 1 : at ? -EBADMSG : 0;
}

static void make_room(struct buf *buf, size_t len) {
	buf_reset(buf);
	buf_reserve(buf, len);
	buf->len = len;
}

uint32_t frame_crc(const struct frame *frame, const void *packed) {
	struct frame head = *frame;

	head.crc = 0;
	return crc32c(crc32c(0, &head, sizeof(head)), packed, frame->len);
}

/* 1: a frame is in reader->in; 0: the segment ends; -EBADMSG. */
static int next_frame(struct archive_reader *reader, struct frame *frame) {
	size_t n;
	int r = read_full(reader->fd, frame, sizeof(*frame));

	if (r <= 0)
		return r;
	if (frame->magic != FRAME_MAGIC || frame->raw_len > RAW_MOST ||
	    frame->len > RAW_MOST)
		return -EBADMSG;
	make_room(&reader->packed, frame->len);
	r = read_full(reader->fd, reader->packed.data, frame->len);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	if (frame_crc(frame, reader->packed.data) != frame->crc)
		return -EBADMSG;
	make_room(&reader->raw, frame->raw_len);
	n = ZSTD_decompress(reader->raw.data, frame->raw_len,
			    reader->packed.data, frame->len);
	if (ZSTD_isError(n) || n != frame->raw_len)
		return -EBADMSG;
	reader->in = (struct span_reader){ (const uint8_t *)reader->raw.data,
					   (const uint8_t *)reader->raw.data +
						   reader->raw.len,
					   false };
	reader->whole += sizeof(*frame) + frame->len;
	return 1;
}

static int open_segment(struct archive_reader *reader, size_t i) {
	char *path = archive_segment(reader->dir, reader->segments[i]);

	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	reader->segment = i;
	reader->whole = 0;
	return reader->fd < 0 ? -errno : 0;
}

/* 1: more to read; 0: the end. */
static int go_on(struct archive_reader *reader, struct buf *why) {
	bool begins = reader->whole == 0;
	struct frame frame;
	int r = next_frame(reader, &frame);

	if (r == -EBADMSG)
		return damaged(reader, why);
	if (r < 0)
		return r;
	if (r == 0) {
		if (reader->segment + 1 == reader->n_segments)
			return 0;
		r = open_segment(reader, reader->segment + 1);
		return r < 0 ? r : go_on(reader, why);
	}
	if (begins && !get_start(reader))
		return damaged(reader, why);
	if (frame.first != reader->ordinal) {
		buf_printf(why,
			   "%s: the inputs from %llu up to %llu are missing",
			   reader->dir, (unsigned long long)reader->ordinal,
			   (unsigned long long)frame.first);
		reader->ordinal = frame.first;
		return -ENODATA;
	}
	return 1;
}

static int reader_new(struct archive_reader **ret, const char *dir) {
	struct archive_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader || !(reader->dir = strdup(dir)))
		abort();
	reader->fd = -1;
	r = archive_segments(dir, &reader->segments, &reader->n_segments);
	if (r == 0 && !reader->n_segments)
		r = -ENOENT;
	if (r < 0) {
		archive_read_close(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

static int begin_at(struct archive_reader *reader, size_t i, struct buf *why) {
	int r = open_segment(reader, i);

	reader->ordinal = 0;
	if (r == 0)
		r = go_on(reader, why);
	return r > 0 ? 0 : r == 0 ? -ENOENT : r;
}

int archive_read_open(struct archive_reader **ret, const char *dir,
		      struct buf *why) {
	struct archive_reader *reader = NULL;
	int r = reader_new(&reader, dir);

	if (r == 0)
		r = begin_at(reader, 0, why);
	if (r < 0) {
		if (!why->len)
			buf_printf(why, "%s: %s", dir, strerror(-r));
		archive_read_close(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

int archive_read_open_last(struct archive_reader **ret, const char *dir,
			   struct buf *why) {
	struct archive_reader *reader = NULL;
	int r = reader_new(&reader, dir);

	while (r == 0) {
		char *path;

		r = begin_at(reader, reader->n_segments - 1, why);
		if (r != -EBADMSG && r != -ENOENT)
			break;
		/* Not one frame of it was finished. */
		path = archive_segment(dir,
				       reader->segments[--reader->n_segments]);
		r = unlink(path) < 0 ? -errno : 0;
		free(path);
		if (r == 0 && !reader->n_segments)
			r = -ENOENT;
	}
	if (r < 0) {
		archive_read_close(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

void archive_read_take_state(struct archive_reader *reader,
			     struct archive_state *state) {
	archive_state_free(state);
	*state = reader->state;
	reader->state = (struct archive_state){ 0 };
}

int archive_read_cut(struct archive_reader *reader) {
	char *path =
		archive_segment(reader->dir, reader->segments[reader->segment]);
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	free(path);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)reader->whole) < 0 || fdatasync(fd) < 0)
		r = -errno;
	close(fd);
	return r == 0 ? sync_folder(reader->dir) : r;
}

static bool get_record(struct archive_reader *reader, uint64_t partition,
		       struct archive_entry *entry) {
	struct archive_state *state = &reader->state;
	struct span_reader *in = &reader->in;
	uint64_t len;

	if (partition >= state->n)
		return false;
	entry->is_record = true;
	entry->topic = state->partitions[partition].topic;
	entry->partition = state->partitions[partition].partition;
	entry->offset = get_from(in, state->partitions[partition].next);
	entry->timestamp = get_from(in, state->timestamp);
	entry->poll_time = get_from(in, state->poll_time);
	len = get_varint(in);
	if (len) {
		entry->len = (size_t)len - 1;
		entry->payload = (const char *)get_bytes(in, entry->len);
	}
	if (entry->offset == INT64_MAX)
		return false;
	state->partitions[partition].next = entry->offset + 1;
	state->timestamp = entry->timestamp;
	state->poll_time = entry->poll_time;
	return !in->bad;
}

static bool get_decision(struct archive_reader *reader,
			 struct archive_entry *entry) {
	if (!journal_get_decision(&reader->in, &entry->decision,
				  &entry->first_offset, &reader->texts))
		return false;
	entry->topic = entry->decision.topic;
	entry->partition = entry->decision.partition;
	archive_state_decide(&reader->state, &entry->decision,
			     entry->first_offset);
	return !reader->in.bad;
}

int archive_read(struct archive_reader *reader, struct archive_entry *entry,
		 struct buf *why) {
	uint64_t kind;
	int r = 1;

	while (r > 0 && reader->in.next == reader->in.end)
		r = go_on(reader, why);
	if (r <= 0)
		return r;
	*entry = (struct archive_entry){ .ordinal = reader->ordinal };
	kind = get_varint(&reader->in);
	if (!(kind & 1 ? get_decision(reader, entry)
		       : get_record(reader, kind >> 1, entry)))
		return damaged(reader, why);
	reader->ordinal++;
	return 1;
}

void archive_read_close(struct archive_reader *reader) {
	if (!reader)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	journal_free_header(&reader->header);
	archive_state_free(&reader->state);
	decision_texts_free(&reader->texts);
	buf_free(&reader->raw);
	buf_free(&reader->packed);
	free(reader->segments);
	free(reader->dir);
	free(reader);
}
