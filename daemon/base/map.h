/*
 * Map: names to pointers, for load time.
 *
 * Lives in an arena and is never taken apart. Entries stand in the order in
 * which they were put, so whoever walks the arrays sees the order of the file
 * and never that of a hash.
 */
#pragma once

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

/* All zero bytes are a valid empty map. */
struct map {
	const char **keys; /* NUL-terminated copies */
	size_t *lens;
	void **values;
	size_t n;
	uint32_t *index; /* entry + 1, or 0; 2 * cap slots */
	size_t cap;      /* a power of two */
};

/* NULL if there is none. */
void *map_get(const struct map *map, const char *key, size_t len);
/* Puts, or replaces the value of the entry that is there, in its place. */
void map_put(struct map *map, struct arena *arena, const char *key, size_t len,
	     void *value);
