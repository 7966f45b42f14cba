/*
 * Parse: a record that comes back, taken apart.
 *
 * Its head and tail have one form only, so they are read byte by byte; a
 * general reader says whether what stands between is JSON at all, and the hash
 * says whether it is what was once written.
 */
#include "alert/record.h"

#include <errno.h>

#include "base/util.h"
#include "event/json.h"

struct cursor {
	const char *at;
	const char *end;
};

static bool take(struct cursor *cursor, const char *literal) {
	size_t len = strlen(literal);

	if ((size_t)(cursor->end - cursor->at) < len ||
	    memcmp(cursor->at, literal, len) != 0)
		return false;
	cursor->at += len;
	return true;
}

static int nibble(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(struct cursor *cursor, uint8_t *ret, size_t n) {
	if ((size_t)(cursor->end - cursor->at) < 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = nibble(cursor->at[2 * i]);
		int low = nibble(cursor->at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	cursor->at += 2 * n;
	return true;
}

/* What stands between quotes, escapes left as they are. */
static bool take_string(struct cursor *cursor, const char **ret, size_t *len) {
	struct cursor c = *cursor;

	if (!take(&c, "\""))
		return false;
	*ret = c.at;
	while (c.at < c.end && *c.at != '"')
		c.at += *c.at == '\\' && c.at + 1 < c.end ? 2 : 1;
	if (c.at >= c.end)
		return false;
	*len = (size_t)(c.at - *ret);
	cursor->at = c.at + 1;
	return true;
}

static bool take_count(struct cursor *cursor, uint64_t *ret) {
	const char *begin = cursor->at;
	uint64_t n = 0;

	while (cursor->at < cursor->end && *cursor->at >= '0' &&
	       *cursor->at <= '9') {
		n = 10 * n + (uint64_t)(*cursor->at++ - '0');
		if (n > UINT64_C(1) << 53)
			return false;
	}
	*ret = n;
	return cursor->at > begin;
}

/* One of the names 0 … max − 1. */
static bool take_name(struct cursor *cursor, const char *(*name)(unsigned i),
		      unsigned max, unsigned *ret) {
	const char *text;
	size_t len;

	if (!take_string(cursor, &text, &len))
		return false;
	for (unsigned i = 0; i < max; i++) {
		if (strlen(name(i)) == len && !memcmp(name(i), text, len)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static const char *state_at(unsigned i) {
	return alert_state_name((enum alert_state)i);
}

static const char *change_at(unsigned i) {
	return alert_change_name((enum alert_change)i);
}

static const char *why_at(unsigned i) {
	return alert_why_name((enum alert_why)i);
}

static const char *level_at(unsigned i) {
	return level_name((enum level)(LEVEL_GREEN + i));
}

static bool take_level(struct cursor *cursor, enum level *ret) {
	unsigned i;

	if (take(cursor, "null")) {
		*ret = LEVEL_NONE;
		return true;
	}
	if (!take_name(cursor, level_at, LEVEL_RED - LEVEL_GREEN + 1, &i))
		return false;
	*ret = (enum level)(LEVEL_GREEN + i);
	return true;
}

static bool take_time(struct cursor *cursor, usec_t *ret) {
	const char *text;
	size_t len;

	if (take(cursor, "null")) {
		*ret = INT64_MIN;
		return true;
	}
	return take_string(cursor, &text, &len) &&
	       time_parse_rfc3339(ret, text, len) == 0;
}

static bool take_life(struct cursor *c, struct stamp *stamp) {
	unsigned state, change, why;

	if (!take(c, ",\"state\":") ||
	    !take_name(c, state_at, STATE_MAX, &state) ||
	    !take(c, ",\"open\":"))
		return false;
	stamp->open = take(c, "true");
	if ((!stamp->open && !take(c, "false")) || !take(c, ",\"change\":") ||
	    !take_name(c, change_at, CHANGE_MAX, &change) ||
	    !take(c, ",\"why\":") || !take_name(c, why_at, WHY_MAX, &why))
		return false;
	stamp->state = (enum alert_state)state;
	stamp->change = (enum alert_change)change;
	stamp->why = (enum alert_why)why;
	return take(c, ",\"level\":") && take_level(c, &stamp->level) &&
	       take(c, ",\"was\":") && take_level(c, &stamp->was);
}

static bool take_head(struct cursor *c, struct stamp *stamp) {
	const char *lane;
	size_t len;

	return take(c, "{\"schema\":1,\"id\":\"") &&
	       take_hex(c, stamp->id, sizeof(stamp->id)) &&
	       take(c, "\",\"lane\":") && take_string(c, &lane, &len) &&
	       take(c, ",\"seq\":") && take_count(c, &stamp->seq) &&
	       take(c, ",\"rev\":") && take_count(c, &stamp->rev) &&
	       take_life(c, stamp) && take(c, ",\"times\":{\"event\":") &&
	       take_time(c, &stamp->event) && take(c, ",\"window_end\":") &&
	       take_time(c, &stamp->window_end) && take(c, ",\"detected\":") &&
	       take_time(c, &stamp->detected) && take(c, "}");
}

#define PREV_KEY ",\"prev_hash\":\""
#define HASH_KEY "\",\"hash\":\""
#define HEX_BYTES 64
#define TAIL_BYTES                                                             \
	(sizeof(PREV_KEY) - 1 + HEX_BYTES + sizeof(HASH_KEY) - 1 + HEX_BYTES + \
	 sizeof("\"}") - 1)

/* Is the tail that of the document before it? */
static bool check_tail(const char *json, size_t len) {
	struct cursor tail = { json + len - TAIL_BYTES, json + len };
	uint8_t prev[HEX_BYTES / 2], said[HEX_BYTES / 2], hash[HEX_BYTES / 2];
	const char *prev_hex = tail.at + sizeof(PREV_KEY) - 1;

	if (!take(&tail, PREV_KEY) || !take_hex(&tail, prev, sizeof(prev)) ||
	    !take(&tail, HASH_KEY) || !take_hex(&tail, said, sizeof(said)) ||
	    !take(&tail, "\"}"))
		return false;
	record_chain(hash, prev_hex, json, len - TAIL_BYTES);
	return memcmp(hash, said, sizeof(hash)) == 0;
}

static bool is_json(const char *json, size_t len) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	const struct json *tree;

	return json_parse(&tree, &arena, json, len) == 0;
}

int record_parse(struct stamp *stamp, const char **body, size_t *body_len,
		 const char *json, size_t len) {
	struct cursor cursor = { json, json + len };
	struct stamp found = *stamp;

	if (!take_head(&cursor, &found))
		return -EBADMSG;
	if ((size_t)(cursor.end - cursor.at) < TAIL_BYTES ||
	    !check_tail(json, len) || !is_json(json, len))
		return -EBADMSG;
	cursor.end -= TAIL_BYTES;
	if (cursor.at < cursor.end && !take(&cursor, ","))
		return -EBADMSG;
	*stamp = found;
	*body = cursor.at;
	*body_len = (size_t)(cursor.end - cursor.at);
	return 0;
}

void record_hashes(const char *json, size_t len, uint8_t prev[32],
		   uint8_t hash[32]) {
	struct cursor tail = { json + len - TAIL_BYTES, json + len };

	if (!take(&tail, PREV_KEY) || !take_hex(&tail, prev, 32) ||
	    !take(&tail, HASH_KEY) || !take_hex(&tail, hash, 32))
		memset(hash, 0, 32);
}
