#include "expr/given.h"

#include "base/number.h"
#include "base/type.h"
#include "event/json.h"

#include <math.h>

static struct value convert(const struct json *json, struct arena *arena);

static struct value convert_items(const struct json *json,
				  struct arena *arena) {
	bool is_map = json->kind == JSON_OBJECT;
	struct value *items = arena_array(arena, struct value, json->n * 2 + 1);
	size_t n = 0;

	for (const struct json *item = json->first; item; item = item->next) {
		if (is_map)
			items[n++] = value_string(item->name,
						  (uint32_t)item->name_len);
		items[n++] = convert(item, arena);
	}
	return (struct value){ .kind = is_map ? KIND_MAP : KIND_LIST,
			       .len = (uint32_t)json->n,
			       .list = items };
}

static struct value convert_number(const struct json *json) {
	int64_t i;
	double d = 0;

	if (!memchr(json->text, '.', json->len) &&
	    !memchr(json->text, 'e', json->len) &&
	    !memchr(json->text, 'E', json->len) &&
	    number_parse_plain(&i, json->text, json->len, 0) == 0)
		return value_int(i);
	json_double(json, &d);
	return value_double(d);
}

static struct value convert(const struct json *json, struct arena *arena) {
	switch (json->kind) {
	case JSON_NULL:
		break;
	case JSON_BOOL:
		return value_bool(json->truth);
	case JSON_NUMBER:
		return convert_number(json);
	case JSON_STRING:
		return value_string(json->text, (uint32_t)json->len);
	case JSON_ARRAY:
	case JSON_OBJECT:
		return convert_items(json, arena);
	}
	return (struct value){ .kind = KIND_NULL };
}

int given_read(struct value *ret, struct arena *arena, const char *text,
	       size_t len) {
	const struct json *json;
	int r = json_parse(&json, arena, text, len);

	if (r < 0)
		return r;
	*ret = convert(json, arena);
	return 0;
}

struct value given_member(struct value map, const char *key) {
	size_t len = strlen(key);

	for (uint32_t i = 0; map.kind == KIND_MAP && i < map.len; i++)
		if (map.list[2 * i].len == len &&
		    memcmp(map.list[2 * i].s, key, len) == 0)
			return map.list[2 * i + 1];
	return value_missing(MISSING_FIELD);
}
