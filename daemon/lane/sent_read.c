#include "lane/sent.h"

#include "lane/sent_internal.h"
#include "tocsin/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sent_reader {
	char *dir;
	struct sent_segment *segments;
	size_t n, next; /* the next to be read */
	struct sent_point from, at;
	struct buf bytes; /* of a whole file */
	uint64_t position;
	/* Rules, topics and fields are few. */
	char **words;
	size_t n_words;
};

/* The last file before which there is nothing that is asked for. */
static bool find_start(const struct sent_segment *segments, size_t n,
		       const struct sent_point *from, size_t *ret) {
	for (size_t i = n; i-- > 0;)
		if (segments[i].seq <= from->seq &&
		    segments[i].dead <= from->dead &&
		    segments[i].missing <= from->dead) {
			*ret = i;
			return true;
		}
	return false;
}

static int next_file(struct sent_reader *reader) {
	const struct sent_segment *segment = &reader->segments[reader->next++];
	char *path = sent_path(reader->dir, segment);
	int r = file_read(path, SIZE_MAX, &reader->bytes);

	free(path);
	reader->position = 0;
	return r;
}

/* 1: a record; 0: that was all. */
static int next_record(struct sent_reader *reader, struct record *record) {
	const uint8_t *data;

	while (reader->position >= reader->bytes.len) {
		int r;

		if (reader->next == reader->n)
			return 0;
		r = next_file(reader);
		if (r < 0)
			return r;
		if (!reader->bytes.len)
			return -EBADMSG;
	}
	data = (const uint8_t *)reader->bytes.data;
	if (!record_get(record, data + reader->position,
			reader->bytes.len - reader->position, reader->position))
		return -EBADMSG;
	if (reader->position && !sent_get_point(record, &reader->at))
		return -EBADMSG;
	reader->position += record_bytes(record->len);
	return 1;
}

static void go_to(struct sent_reader *reader, size_t segment) {
	const struct sent_segment *start = &reader->segments[segment];

	reader->next = segment;
	buf_reset(&reader->bytes);
	reader->position = 0;
	reader->at = (struct sent_point){ .seq = start->seq,
					  .dead = start->dead,
					  .has_hash = start->has_hash };
	memcpy(reader->at.hash, start->hash, 32);
}

/* Whether the sink's last alert is the one that was sent with that seq. */
static int compare_hash(struct sent_reader *reader) {
	struct record record;
	int r = 1;

	while (r > 0 && reader->at.seq < reader->from.seq)
		r = next_record(reader, &record);
	if (r < 0)
		return r;
	if (reader->at.seq != reader->from.seq)
		return -EBADMSG;
	if (reader->at.has_hash && reader->from.has_hash &&
	    memcmp(reader->at.hash, reader->from.hash, 32) != 0)
		return -ESTALE;
	return 0;
}

int sent_read_open(struct sent_reader **ret, struct sent *sent,
		   const struct sent_point *from) {
	const struct sent_segment *segments;
	struct sent_reader *reader;
	size_t n, start;
	int r = sent_flush(sent);

	segments = sent_segments(sent, &n);
	if (r < 0 || from->seq > sent_end(sent).seq ||
	    !find_start(segments, n, from, &start))
		return -ENODATA;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		abort();
	*reader = (struct sent_reader){ .n = n, .from = *from };
	reader->dir = strdup(sent_dir(sent));
	reader->segments = calloc(n, sizeof(*segments));
	if (!reader->dir || !reader->segments)
		abort();
	memcpy(reader->segments, segments, n * sizeof(*segments));
	go_to(reader, start);
	r = compare_hash(reader);
	if (r < 0) {
		sent_read_close(reader);
		return r;
	}
	go_to(reader, start);
	*ret = reader;
	return 0;
}

static const char *word(struct sent_reader *reader, const char *text,
			size_t len) {
	char **more;

	for (size_t i = 0; i < reader->n_words; i++)
		if (strlen(reader->words[i]) == len &&
		    memcmp(reader->words[i], text, len) == 0)
			return reader->words[i];
	more = reallocarray(reader->words, reader->n_words + 1, sizeof(*more));
	if (!more)
		abort();
	reader->words = more;
	more[reader->n_words] = strndup(text, len);
	if (!more[reader->n_words])
		abort();
	return more[reader->n_words++];
}

static const char *get_text(struct span_reader *in, size_t *len) {
	*len = get_varint(in);
	return (const char *)get_bytes(in, *len);
}

static const char *get_word(struct sent_reader *reader,
			    struct span_reader *in) {
	size_t len;
	const char *text = get_text(in, &len);

	return text ? word(reader, text, len) : NULL;
}

static char *get_copy(struct span_reader *in, size_t *len) {
	const char *text = get_text(in, len);
	char *copy = text ? malloc(*len + 1) : NULL;

	if (text && !copy)
		abort();
	if (copy) {
		memcpy(copy, text, *len);
		copy[*len] = 0;
	}
	return copy;
}

/* A number below @end; else the record is none of ours. */
static unsigned get_choice(struct span_reader *in, unsigned end) {
	uint64_t n = get_varint(in);

	if (n >= end)
		in->bad = true;
	return n < end ? (unsigned)n : 0;
}

static void get_fixed(struct span_reader *in, void *to, size_t len) {
	const uint8_t *at = get_bytes(in, len);

	if (at)
		memcpy(to, at, len);
}

static bool get_item(struct sent_reader *reader, struct span_reader *in,
		     struct outbox_item *item) {
	size_t len;

	*item = (struct outbox_item){ .seq = get_varint(in) };
	get_fixed(in, item->hash, 32);
	get_fixed(in, item->id, 16);
	item->ordinal = get_varint(in);
	item->rev = get_varint(in);
	item->state = (enum alert_state)get_choice(in, STATE_MAX);
	item->change = (enum alert_change)get_choice(in, CHANGE_MAX);
	item->why = (enum alert_why)get_choice(in, WHY_MAX);
	item->level = (enum level)get_choice(in, LEVEL_RED + 1);
	item->was = (enum level)get_choice(in, LEVEL_RED + 1);
	item->open = get_varint(in) != 0;
	item->fired = get_zigzag(in);
	item->at = get_zigzag(in);
	item->rule = get_word(reader, in);
	item->key = get_copy(in, &len);
	item->json = get_copy(in, &item->json_len);
	return !in->bad;
}

static bool get_dead(struct sent_reader *reader, struct span_reader *in,
		     struct dead_letter *dead) {
	*dead = (struct dead_letter){ .ordinal = get_varint(in) };
	dead->at.topic = get_word(reader, in);
	dead->at.partition = (int32_t)get_zigzag(in);
	dead->at.offset = get_zigzag(in);
	dead->refusal = (enum refusal)get_choice(in, REFUSED_MAX);
	dead->detail = get_word(reader, in);
	return !in->bad;
}

/* What the sink has is passed over. */
static int take(struct sent_reader *reader, const struct record *record,
		struct outbox *outbox) {
	struct span_reader in = { .next = record->payload,
				  .end = record->payload + record->len };
	struct outbox_item item;
	struct dead_letter dead;

	if (record->kind == SENT_DEAD) {
		if (reader->at.dead <= reader->from.dead)
			return 0;
		if (!get_dead(reader, &in, &dead))
			return -EBADMSG;
		outbox_add_dead(outbox, &dead);
	} else if (record->kind == SENT_ALERT) {
		if (reader->at.seq <= reader->from.seq)
			return 0;
		if (!get_item(reader, &in, &item)) {
			free(item.key);
			free(item.json);
			return -EBADMSG;
		}
		outbox_add(outbox, &item);
	}
	return 0;
}

int sent_read(struct sent_reader *reader, struct outbox *outbox, size_t most) {
	struct record record;
	int r = 1;

	while (r > 0 && outbox->n < most && outbox->dead_n < most) {
		r = next_record(reader, &record);
		if (r > 0 && take(reader, &record, outbox) < 0)
			r = -EBADMSG;
	}
	return r;
}

void sent_read_close(struct sent_reader *reader) {
	if (!reader)
		return;
	for (size_t i = 0; i < reader->n_words; i++)
		free(reader->words[i]);
	free(reader->words);
	free(reader->segments);
	buf_free(&reader->bytes);
	free(reader->dir);
	free(reader);
}
