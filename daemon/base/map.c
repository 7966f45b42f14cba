#include "base/map.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"

/* The slot where @key is, or the free one where it would go. */
static size_t map_slot(const struct map *map, const char *key, size_t len) {
	size_t mask = 2 * map->cap - 1;
	size_t slot = hash64(key, len, 0) & mask;

	for (; map->index[slot]; slot = (slot + 1) & mask) {
		size_t i = map->index[slot] - 1;

		if (map->lens[i] == len && !memcmp(map->keys[i], key, len))
			break;
	}
	return slot;
}

/* The arena keeps the old arrays: twice the memory, at load time only. */
static void map_grow(struct map *map, struct arena *arena) {
	struct map old = *map;

	map->cap = old.cap ? 2 * old.cap : 8;
	assert(map->cap <= UINT32_MAX / 2);
	map->keys = arena_array(arena, const char *, map->cap);
	map->lens = arena_array(arena, size_t, map->cap);
	map->values = arena_array(arena, void *, map->cap);
	map->index = arena_array(arena, uint32_t, 2 * map->cap);
	for (size_t i = 0; i < old.n; i++) {
		size_t slot;

		map->keys[i] = old.keys[i];
		map->lens[i] = old.lens[i];
		map->values[i] = old.values[i];
		slot = map_slot(map, old.keys[i], old.lens[i]);
		map->index[slot] = (uint32_t)i + 1;
	}
}

void *map_get(const struct map *map, const char *key, size_t len) {
	size_t slot;

	if (!map->n)
		return NULL;
	slot = map_slot(map, key, len);
	return map->index[slot] ? map->values[map->index[slot] - 1] : NULL;
}

void map_put(struct map *map, struct arena *arena, const char *key, size_t len,
	     void *value) {
	size_t slot;

	if (map->n == map->cap)
		map_grow(map, arena);
	slot = map_slot(map, key, len);
	if (!map->index[slot]) {
		map->keys[map->n] = arena_strndup(arena, key, len);
		map->lens[map->n] = len;
		map->index[slot] = (uint32_t)++map->n;
	}
	map->values[map->index[slot] - 1] = value;
}
