/*
 * The records of what was sent. They lie in their file as those of a journal
 * do in theirs, each with a length, a CRC-32C and its place.
 */
#include "lane/sent_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *sent_folder(const char *state) {
	char *folder;

	if (asprintf(&folder, "%s/sent", state) < 0)
		abort();
	return folder;
}

/* Both numbers grow, at least one from file to file, so names sort by age. */
char *sent_path(const char *folder, const struct sent_segment *segment) {
	char *path;

	if (asprintf(&path, "%s/%016llx-%016llx.log", folder,
		     (unsigned long long)segment->seq + 1,
		     (unsigned long long)segment->dead) < 0)
		abort();
	return path;
}

static void put_text(struct buf *out, const char *s, size_t len) {
	put_varint(out, len);
	buf_add(out, s, len);
}

static void put_string(struct buf *out, const char *s) {
	put_text(out, s ? s : "", s ? strlen(s) : 0);
}

void sent_put_header(struct buf *out, const char *lane,
		     const struct sent_segment *segment) {
	CLEANUP(buf_free) struct buf payload = { 0 };

	put_varint(&payload, SENT_VERSION);
	put_string(&payload, lane);
	put_varint(&payload, segment->seq);
	put_varint(&payload, segment->has_hash);
	buf_add(&payload, segment->hash, 32);
	put_varint(&payload, segment->missing);
	put_varint(&payload, segment->dead);
	record_put(out, SENT_HEADER, 0, 0, payload.data, payload.len);
}

void sent_put_item(struct buf *out, uint64_t position,
		   const struct outbox_item *item) {
	CLEANUP(buf_free) struct buf payload = { 0 };

	put_varint(&payload, item->seq);
	buf_add(&payload, item->hash, 32);
	buf_add(&payload, item->id, 16);
	put_varint(&payload, item->ordinal);
	put_varint(&payload, item->rev);
	put_varint(&payload, item->state);
	put_varint(&payload, item->change);
	put_varint(&payload, item->why);
	put_varint(&payload, item->level);
	put_varint(&payload, item->was);
	put_varint(&payload, item->open);
	put_zigzag(&payload, item->fired);
	put_zigzag(&payload, item->at);
	put_string(&payload, item->rule);
	put_string(&payload, item->key);
	put_text(&payload, item->json, item->json_len);
	record_put(out, SENT_ALERT, position, 0, payload.data, payload.len);
}

void sent_put_dead(struct buf *out, uint64_t position,
		   const struct dead_letter *dead) {
	CLEANUP(buf_free) struct buf payload = { 0 };

	put_varint(&payload, dead->ordinal);
	put_string(&payload, dead->at.topic);
	put_zigzag(&payload, dead->at.partition);
	put_zigzag(&payload, dead->at.offset);
	put_varint(&payload, dead->refusal);
	put_string(&payload, dead->detail);
	record_put(out, SENT_DEAD, position, 0, payload.data, payload.len);
}

static struct span_reader span_of(const struct record *record) {
	return (struct span_reader){ .next = record->payload,
				     .end = record->payload + record->len };
}

static bool get_hash(struct span_reader *in, uint8_t hash[32]) {
	const uint8_t *at = get_bytes(in, 32);

	if (at)
		memcpy(hash, at, 32);
	return at != NULL;
}

int sent_get_header(const struct record *record, const char *lane,
		    struct sent_segment *ret) {
	struct span_reader in = span_of(record);
	const uint8_t *name;
	size_t len;

	if (record->kind != SENT_HEADER)
		return -EBADMSG;
	if (get_varint(&in) != SENT_VERSION)
		return -EPROTO;
	len = get_varint(&in);
	name = get_bytes(&in, len);
	if (name && (len != strlen(lane) || memcmp(name, lane, len) != 0))
		return -EXDEV;
	*ret = (struct sent_segment){ .seq = get_varint(&in) };
	ret->has_hash = get_varint(&in) != 0;
	get_hash(&in, ret->hash);
	ret->missing = get_varint(&in);
	ret->dead = get_varint(&in);
	return in.bad ? -EBADMSG : 0;
}

bool sent_get_point(const struct record *record, struct sent_point *point) {
	struct span_reader in = span_of(record);
	uint64_t number = get_varint(&in);

	if (in.bad)
		return false;
	if (record->kind == SENT_DEAD && number > point->dead) {
		point->dead = number;
		return true;
	}
	if (record->kind != SENT_ALERT || number != point->seq + 1 ||
	    !get_hash(&in, point->hash))
		return false;
	point->seq = number;
	point->has_hash = true;
	return true;
}
