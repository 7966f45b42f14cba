/*
 * Blob: values as the bytes of a cell, for what is remembered of events.
 *
 *   u8 kind, u8 reason, u16 unit, u32 len, then 8 bytes, or len of a string,
 *   or the items of a list
 */
#include "engine/internal.h"

#include "base/text.h"
#include "base/util.h"

#include <assert.h>

#define SHORTEST 16u /* to which strings are cut at most */

struct blob_head {
	uint8_t kind, reason;
	uint16_t unit;
	uint32_t len;
};

/* Cuts at a code point, so that what is shown stays UTF-8. */
static uint32_t cut(const char *s, uint32_t len, size_t longest) {
	if (len <= longest)
		return len;
	len = (uint32_t)longest;
	while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static size_t value_bytes(struct value v, size_t longest) {
	size_t size = sizeof(struct blob_head);
	uint32_t i;

	if (v.kind == KIND_STRING)
		return size + cut(v.s, v.len, longest);
	if (v.kind != KIND_LIST)
		return size + 8;
	for (i = 0; i < v.len; i++)
		size += value_bytes(v.list[i], longest);
	return size;
}

static uint8_t *value_put(uint8_t *at, struct value v, size_t longest) {
	struct blob_head head = { v.kind, v.reason, v.unit, v.len };
	uint32_t i;

	if (v.kind == KIND_STRING)
		head.len = cut(v.s, v.len, longest);
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	if (v.kind == KIND_STRING) {
		memcpy(at, v.s, head.len);
		return at + head.len;
	}
	if (v.kind != KIND_LIST) {
		memcpy(at, &v.i, 8);
		return at + 8;
	}
	for (i = 0; i < v.len; i++)
		at = value_put(at, v.list[i], longest);
	return at;
}

static const uint8_t *value_get(const uint8_t *at, struct value *ret,
				struct arena *arena) {
	struct blob_head head;
	struct value *items;
	uint32_t i;

	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	*ret = (struct value){ .kind = head.kind,
			       .reason = head.reason,
			       .unit = head.unit,
			       .len = head.len };
	if (head.kind == KIND_STRING) {
		ret->s = (const char *)at;
		return at + head.len;
	}
	if (head.kind != KIND_LIST) {
		memcpy(&ret->i, at, 8);
		return at + 8;
	}
	items = arena_array(arena, struct value, head.len + 1);
	for (i = 0; i < head.len; i++)
		at = value_get(at, &items[i], arena);
	ret->list = items;
	return at;
}

bool blob_fits(const struct value *values, size_t n) {
	size_t size = 0, i;

	for (i = 0; i < n; i++)
		size += value_bytes(values[i], SHORTEST);
	return size <= CELL_MAX;
}

/* @longest cuts strings; what still does not fit a cell is not kept. */
handle_t blob_make(struct engine *engine, const struct value *values, size_t n,
		   size_t longest) {
	size_t size = 0, i;
	handle_t blob;
	uint8_t *at;

	for (i = 0; i < n; i++)
		size += value_bytes(values[i], longest);
	if (size > CELL_MAX) {
		if (longest <= SHORTEST)
			return 0;
		return blob_make(engine, values, n, longest / 2);
	}
	blob = pages_alloc(&engine->pages, size ? size : 1);
	if (!blob)
		return 0;
	at = pages_write(&engine->pages, blob);
	for (i = 0; i < n; i++)
		at = value_put(at, values[i], longest);
	return blob;
}

void blob_read(const struct engine *engine, handle_t blob, struct value *values,
	       size_t n, struct arena *arena) {
	const uint8_t *at;
	size_t i;

	if (!blob) {
		for (i = 0; i < n; i++)
			values[i] = value_missing(MISSING_PREVIOUS);
		return;
	}
	at = pages_read(&engine->pages, blob);
	for (i = 0; i < n; i++)
		at = value_get(at, &values[i], arena);
}

handle_t bytes_make(struct engine *engine, const void *bytes, size_t len) {
	handle_t cell;

	if (!len || len > CELL_MAX)
		return 0;
	cell = pages_alloc(&engine->pages, len);
	if (cell)
		memcpy(pages_write(&engine->pages, cell), bytes, len);
	return cell;
}
