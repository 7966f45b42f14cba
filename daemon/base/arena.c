#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* The bytes follow the header, which is 16 long so that they are aligned. */
struct arena_block {
	struct arena_block *next;
	size_t size;
};

static_assert(sizeof(struct arena_block) == 16, "cells are aligned to 16");

#define BLOCK_LEAST ((size_t)4096)
#define BLOCK_MOST ((size_t)1 << 18)

static uint8_t *block_bytes(struct arena_block *block) {
	return (uint8_t *)(block + 1);
}

static void arena_use(struct arena *arena, struct arena_block *block) {
	block->next = arena->head;
	arena->head = block;
	arena->next = block_bytes(block);
	arena->end = arena->next + block->size;
}

static struct arena_block *arena_take_spare(struct arena *arena, size_t size) {
	struct arena_block **at;

	for (at = &arena->spare; *at; at = &(*at)->next) {
		struct arena_block *block = *at;

		if (block->size >= size) {
			*at = block->next;
			return block;
		}
	}
	return NULL;
}

/* Blocks grow with the arena, so a small one is small and a large one fast. */
static void arena_grow(struct arena *arena, size_t size) {
	struct arena_block *block = arena_take_spare(arena, size);

	if (!block) {
		size_t bytes = arena->total_bytes;

		if (bytes < BLOCK_LEAST)
			bytes = BLOCK_LEAST;
		if (bytes > BLOCK_MOST)
			bytes = BLOCK_MOST;
		if (bytes < size + sizeof(*block))
			bytes = size + sizeof(*block);
		block = malloc(bytes);
		if (!block)
			abort();
		block->size = bytes - sizeof(*block);
		arena->total_bytes += bytes;
	}
	arena_use(arena, block);
}

void *arena_alloc_raw(struct arena *arena, size_t size, size_t align) {
	uintptr_t gap;
	uint8_t *ret;

	assert(align && align <= 16 && !(align & (align - 1)));
	assert(size <= PTRDIFF_MAX / 2);

	gap = -(uintptr_t)arena->next & (align - 1);
	if (!arena->next || (size_t)(arena->end - arena->next) < size + gap) {
		arena_grow(arena, size);
		gap = 0;
	}
	ret = arena->next + gap;
	arena->next = ret + size;
	return ret;
}

void *arena_alloc(struct arena *arena, size_t size) {
	return memset(arena_alloc_raw(arena, size, 16), 0, size);
}

char *arena_strndup(struct arena *arena, const char *s, size_t len) {
	char *ret = arena_alloc_raw(arena, len + 1, 1);

	if (len)
		memcpy(ret, s, len);
	ret[len] = '\0';
	return ret;
}

char *arena_strdup(struct arena *arena, const char *s) {
	return arena_strndup(arena, s, strlen(s));
}

char *arena_printf(struct arena *arena, const char *format, ...) {
	va_list ap;
	char *ret;
	int len;

	/* Also tells gcc, which warns of NULL once UBSan has checked for it. */
	assert(format);
	va_start(ap, format);
	len = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	assert(len >= 0);

	ret = arena_alloc_raw(arena, (size_t)len + 1, 1);
	va_start(ap, format);
	vsnprintf(ret, (size_t)len + 1, format, ap);
	va_end(ap);
	return ret;
}

void arena_reset(struct arena *arena) {
	while (arena->head) {
		struct arena_block *block = arena->head;

		arena->head = block->next;
		block->next = arena->spare;
		arena->spare = block;
	}
	arena->next = arena->end = NULL;
}

void arena_free(struct arena *arena) {
	arena_reset(arena);
	while (arena->spare) {
		struct arena_block *block = arena->spare;

		arena->spare = block->next;
		free(block);
	}
	*arena = (struct arena){ 0 };
}
