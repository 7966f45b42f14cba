#include "feed/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "feed/unpack.h"

#define BLOCK_BYTES (256u * 1024)
#define CHUNK_ROWS 512
#define CHUNK_BYTES (512u * 1024)
#define PADDING 64   /* what a decoder may read beyond a row */
#define MARK_BYTES 4 /* of a mark of byte order, at most */
#define MAX_BYTES (1024u * 1024)

/* Rows that were read and decoded together. */
struct chunk {
	struct buf text;
	struct arena arena;
	size_t starts[CHUNK_ROWS + 1];
	int64_t numbers[CHUNK_ROWS]; /* of the rows in their file */
	struct event events[CHUNK_ROWS];
	size_t n, at;
};

/* A whole file in memory, its rows in order of time. */
struct row {
	usec_t time; /* INT64_MIN: refused, so it has none */
	int64_t number;
	size_t at, len; /* in the text */
};
struct sorted {
	struct buf text;
	struct row *rows;
	size_t n, cap;
	size_t next; /* to be handed out */
};

/*
 * Two chunks, because the rows that a batch hands out must stand until the
 * next one while the file is already read on. A batch that would need a third
 * ends there.
 */
struct file {
	const struct stream *stream;
	char *path;
	int32_t number;
	struct unpack *unpack;
	struct decoder *decoder;
	bool csv, ended, turned;
	size_t max_bytes;
	int64_t rows;
	char *block;
	size_t at, n; /* of block */
	struct chunk *chunks[2];
	int current;
	struct sorted *sorted; /* NULL: rows go as they come */
};

struct file_feed {
	uint64_t seed;
	usec_t as_of;
	bool sort;
	struct file **files;
	size_t n;
	uint64_t rows;
	int error; /* to be told at the next call */
	const char *failed;
};

int file_feed_new(struct file_feed **ret, uint64_t seed, usec_t as_of) {
	struct file_feed *feed = calloc(1, sizeof(*feed));

	if (!feed)
		return -ENOMEM;
	feed->seed = seed;
	feed->as_of = as_of;
	*ret = feed;
	return 0;
}

void file_feed_sort(struct file_feed *feed) {
	feed->sort = true;
}

static void sorted_free(struct sorted *sorted) {
	if (!sorted)
		return;
	buf_free(&sorted->text);
	free(sorted->rows);
	free(sorted);
}

static void chunk_free(struct chunk *chunk) {
	if (!chunk)
		return;
	buf_free(&chunk->text);
	arena_free(&chunk->arena);
	free(chunk);
}

static void file_free(struct file *file) {
	if (!file)
		return;
	unpack_free(file->unpack);
	decoder_free(file->decoder);
	sorted_free(file->sorted);
	chunk_free(file->chunks[0]);
	chunk_free(file->chunks[1]);
	free(file->block);
	free(file->path);
	free(file);
}

static void file_freep(struct file **file) {
	file_free(*file);
}

void file_feed_free(struct file_feed *feed) {
	if (!feed)
		return;
	for (size_t i = 0; i < feed->n; i++)
		file_free(feed->files[i]);
	free(feed->files);
	free(feed);
}

/* 1: there are bytes in the block, 0: the file has ended. */
static int fill_block(struct file *file) {
	ssize_t n;

	if (file->at < file->n)
		return 1;
	n = unpack_read(file->unpack, file->block, BLOCK_BYTES);
	if (n < 0)
		return (int)n;
	file->at = 0;
	file->n = (size_t)n;
	return n > 0;
}

/* No more than a decoder needs to see that a row is too large. */
static void keep(const struct file *file, struct buf *out, size_t start,
		 const char *s, size_t len) {
	size_t have = out->len - start;
	size_t room =
		file->max_bytes + 1 > have ? file->max_bytes + 1 - have : 0;

	buf_add(out, s, len < room ? len : room);
}

static bool odd_quotes(const char *s, size_t len) {
	bool odd = false;

	for (size_t i = 0; i < len; i++)
		odd ^= s[i] == '"';
	return odd;
}

/*
 * Appends the next line or record without its end. 1, or 0 at the end of the
 * file. A quote that is never closed ends with the row's greatest size, at the
 * next line's end, so that it cannot take the whole file with it.
 */
static int read_row(struct file *file, struct buf *out) {
	size_t start = out->len;
	size_t taken = 0;
	bool open = false;
	int r;

	for (;;) {
		const char *s, *end;
		size_t len;

		r = fill_block(file);
		if (r < 0)
			return r;
		if (r == 0)
			return taken > 0;
		s = file->block + file->at;
		end = memchr(s, '\n', file->n - file->at);
		len = end ? (size_t)(end - s) : file->n - file->at;
		if (file->csv)
			open ^= odd_quotes(s, len);
		keep(file, out, start, s, len);
		taken += len + 1;
		file->at += len + (end != NULL);
		if (!end)
			continue;
		if (!open || taken > file->max_bytes)
			return 1;
		keep(file, out, start, "\n", 1);
	}
}

static bool row_is_empty(const struct buf *text, size_t start) {
	return text->len == start ||
	       (text->len == start + 1 && text->data[start] == '\r');
}

static int read_rows(struct file *file, struct chunk *chunk) {
	buf_reset(&chunk->text);
	chunk->n = chunk->at = 0;
	while (chunk->n < CHUNK_ROWS && chunk->text.len < CHUNK_BYTES) {
		size_t start = chunk->text.len;
		int r = read_row(file, &chunk->text);

		if (r < 0)
			return r;
		if (r == 0) {
			file->ended = true;
			break;
		}
		if (row_is_empty(&chunk->text, start)) {
			chunk->text.len = start;
			continue;
		}
		chunk->starts[chunk->n] = start;
		chunk->numbers[chunk->n++] = file->rows++;
	}
	chunk->starts[chunk->n] = chunk->text.len;
	return 0;
}

static void decode_rows(struct file *file, struct chunk *chunk) {
	arena_reset(&chunk->arena);
	buf_reserve(&chunk->text, PADDING);
	for (size_t i = 0; i < chunk->n; i++) {
		struct event *event = &chunk->events[i];
		const char *s = chunk->text.data + chunk->starts[i];
		size_t len = chunk->starts[i + 1] - chunk->starts[i];

		if (s[len - 1] == '\r')
			len--;
		*event = (struct event){
			.stream = file->stream,
			.at = { .topic = file->stream->topic,
				.partition = file->number,
				.offset = chunk->numbers[i] },
			.timestamp_ms = -1,
		};
		decoder_decode(file->decoder, event, s, len, true,
			       &chunk->arena);
	}
}

static void keep_row(struct sorted *sorted, const struct chunk *chunk,
		     size_t i) {
	size_t len = chunk->starts[i + 1] - chunk->starts[i];
	const struct event *event = &chunk->events[i];

	if (sorted->n == sorted->cap) {
		sorted->cap = sorted->cap ? 2 * sorted->cap : 1024;
		sorted->rows = reallocarray(sorted->rows, sorted->cap,
					    sizeof(struct row));
		if (!sorted->rows)
			abort();
	}
	sorted->rows[sorted->n++] = (struct row){
		.time = event->refusal ? INT64_MIN : event->time,
		.number = chunk->numbers[i],
		.at = sorted->text.len,
		.len = len,
	};
	buf_add(&sorted->text, chunk->text.data + chunk->starts[i], len);
}

static int by_time(const void *a, const void *b) {
	const struct row *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Decodes all of it for its times; it is decoded again when its turn comes. */
static int sort_file(struct file *file) {
	struct chunk *chunk = file->chunks[0];
	struct sorted *sorted = calloc(1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	while (!file->ended) {
		int r = read_rows(file, chunk);

		if (r < 0) {
			sorted_free(sorted);
			return r;
		}
		decode_rows(file, chunk);
		for (size_t i = 0; i < chunk->n; i++)
			keep_row(sorted, chunk, i);
	}
	if (sorted->n)
		qsort(sorted->rows, sorted->n, sizeof(struct row), by_time);
	file->sorted = sorted;
	file->ended = false;
	return 0;
}

static void take_sorted(struct file *file, struct chunk *chunk) {
	struct sorted *sorted = file->sorted;

	buf_reset(&chunk->text);
	chunk->n = chunk->at = 0;
	while (chunk->n < CHUNK_ROWS && chunk->text.len < CHUNK_BYTES &&
	       sorted->next < sorted->n) {
		const struct row *row = &sorted->rows[sorted->next++];

		chunk->starts[chunk->n] = chunk->text.len;
		chunk->numbers[chunk->n++] = row->number;
		buf_add(&chunk->text, sorted->text.data + row->at, row->len);
	}
	chunk->starts[chunk->n] = chunk->text.len;
	file->ended = sorted->next == sorted->n;
	decode_rows(file, chunk);
}

static int fill_chunk(struct file *file, struct chunk *chunk) {
	int r;

	if (file->sorted) {
		take_sorted(file, chunk);
		return 0;
	}
	do {
		r = read_rows(file, chunk);
		if (r < 0)
			return r;
	} while (!chunk->n && !file->ended);
	decode_rows(file, chunk);
	return 0;
}

static bool begins_with(const struct file *file, const char *mark) {
	size_t n = strlen(mark);

	return file->n >= n && !memcmp(file->block, mark, n);
}

/*
 * The first bytes: a mark of byte order is none of the first row. That of UTF-8
 * in a stream that says otherwise means that the stream or the file is wrong.
 */
static int skip_mark(struct file *file, struct buf *why) {
	const struct charset *charset = file->stream->charset;

	while (file->n < MARK_BYTES) {
		ssize_t n = unpack_read(file->unpack, file->block + file->n,
					BLOCK_BYTES - file->n);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		file->n += (size_t)n;
	}
	if (charset && begins_with(file, "\xef\xbb\xbf")) {
		buf_puts(why, "the file begins with the mark of UTF-8, and the "
			      "stream says another `encoding`");
		return -EINVAL;
	}
	if (!charset && begins_with(file, "\xef\xbb\xbf"))
		file->at = 3;
	if (charset && charset->kind == CHARSET_GB18030 &&
	    begins_with(file, "\x84\x31\x95\x33"))
		file->at = 4;
	return 0;
}

static int read_header(struct file *file, struct buf *notes, struct buf *why) {
	CLEANUP(buf_free) struct buf row = { 0 };
	int r = read_row(file, &row);

	if (r < 0)
		return r;
	if (r == 0) {
		buf_puts(why, "the file is empty: CSV begins with a header");
		return -EINVAL;
	}
	return decoder_csv_header(file->decoder, row.data ? row.data : "",
				  row.len, notes, why);
}

static int file_new(struct file **ret, const struct stream *stream,
		    const char *path, uint64_t seed) {
	CLEANUP(file_freep) struct file *file = calloc(1, sizeof(*file));
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int r;

	if (!file)
		return -ENOMEM;
	file->stream = stream;
	file->csv = strstr(name, ".csv")    ? true
		    : strstr(name, ".json") ? false
					    : stream->format == FORMAT_CSV;
	file->max_bytes = stream->max_bytes ? stream->max_bytes : MAX_BYTES;
	file->path = strdup(path);
	file->block = malloc(BLOCK_BYTES);
	file->chunks[0] = calloc(1, sizeof(struct chunk));
	file->chunks[1] = calloc(1, sizeof(struct chunk));
	if (!file->path || !file->block || !file->chunks[0] || !file->chunks[1])
		return -ENOMEM;
	r = decoder_new(&file->decoder, stream, seed);
	if (r < 0)
		return r;
	decoder_format(file->decoder, file->csv ? FORMAT_CSV : FORMAT_JSON);

	*ret = TAKE(file);
	return 0;
}

int file_feed_add(struct file_feed *feed, const struct stream *stream,
		  const char *path, struct buf *notes, struct buf *why) {
	CLEANUP(file_freep) struct file *file = NULL;
	struct file **files;
	int r;

	r = file_new(&file, stream, path, feed->seed);
	if (r < 0)
		return r;
	for (size_t i = 0; i < feed->n; i++)
		file->number += feed->files[i]->stream == stream;
	r = unpack_open(&file->unpack, path);
	if (r == 0)
		r = skip_mark(file, why);
	if (r == 0 && file->csv)
		r = read_header(file, notes, why);
	if (r == 0 && feed->sort)
		r = sort_file(file);
	if (r == 0)
		r = fill_chunk(file, file->chunks[0]);
	if (r < 0)
		return r;
	files = realloc(feed->files, (feed->n + 1) * sizeof(struct file *));
	if (!files)
		return -ENOMEM;
	feed->files = files;
	feed->files[feed->n++] = TAKE(file);
	return 0;
}

static struct event *head_of(const struct file *file) {
	struct chunk *chunk = file->chunks[file->current];

	return chunk->at < chunk->n ? &chunk->events[chunk->at] : NULL;
}

/* A refused row has no time, or a wrong one, and need not wait. */
static bool is_refused(const struct file_feed *feed,
		       const struct event *event) {
	return event->refusal ||
	       event->time - event->stream->max_skew > feed->as_of;
}

static bool goes_before(const struct file_feed *feed, const struct event *a,
			const struct event *b) {
	bool refused = is_refused(feed, a);
	int order;

	if (refused != is_refused(feed, b))
		return refused;
	if (!refused && a->time != b->time)
		return a->time < b->time;
	order = strcmp(a->at.topic, b->at.topic);
	return order ? order < 0 : a->at.partition < b->at.partition;
}

static struct file *least(const struct file_feed *feed) {
	struct file *best = NULL;
	struct event *first = NULL;

	for (size_t i = 0; i < feed->n; i++) {
		struct event *head = head_of(feed->files[i]);

		if (head && (!first || goes_before(feed, head, first))) {
			best = feed->files[i];
			first = head;
		}
	}
	return best;
}

/*
 * Moves on to the other chunk of a file that is at the end of one. 1: the
 * other one is still in use by this batch.
 */
static int turn(struct file *file) {
	if (head_of(file) || file->ended)
		return 0;
	if (file->turned)
		return 1;
	file->turned = true;
	file->current ^= 1;
	return fill_chunk(file, file->chunks[file->current]);
}

static int fail(struct file_feed *feed, const struct file *file, int r) {
	feed->failed = file->path;
	return r;
}

int file_feed_next(struct file_feed *feed, struct event **events, size_t n) {
	size_t taken = 0;
	int r = feed->error;

	if (r < 0)
		return r;
	for (size_t i = 0; i < feed->n; i++) {
		feed->files[i]->turned = false;
		r = turn(feed->files[i]);
		if (r < 0)
			return fail(feed, feed->files[i], r);
	}
	while (taken < n && r == 0) {
		struct file *file = least(feed);

		if (!file)
			break;
		events[taken++] = head_of(file);
		file->chunks[file->current]->at++;
		r = turn(file);
		/* What is at hand goes out first. */
		if (r < 0)
			feed->error = fail(feed, file, r);
	}
	feed->rows += taken;
	return (int)taken;
}

const char *file_feed_path(const struct file_feed *feed) {
	return feed->failed;
}

uint64_t file_feed_rows(const struct file_feed *feed) {
	return feed->rows;
}

static double bytes_done(const struct file *file) {
	double size = (double)unpack_size(file->unpack);

	if (file->sorted && file->sorted->n)
		return size * (double)file->sorted->next /
		       (double)file->sorted->n;
	return size > 0 ? (double)unpack_taken(file->unpack) : 0;
}

double file_feed_progress(const struct file_feed *feed) {
	double done = 0, all = 0;

	for (size_t i = 0; i < feed->n; i++) {
		all += (double)unpack_size(feed->files[i]->unpack);
		done += bytes_done(feed->files[i]);
	}
	return all > 0 ? done / all : 0;
}
