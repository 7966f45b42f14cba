/*
 * Arena: memory that is freed all at once.
 *
 * A ruleset lives in one and is freed whole at a reload; a batch has one that
 * is reset, its blocks kept, so a running lane stops calling malloc.
 * Allocation never fails: out of memory aborts, as there is nothing sensible
 * that a caller could do half-way through a rule or a batch.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena_block;

/* All zero bytes are a valid empty arena. */
struct arena {
	struct arena_block *head;  /* the block that is filled now */
	struct arena_block *spare; /* kept by arena_reset() */
	uint8_t *next;
	uint8_t *end;
	size_t total_bytes; /* of all blocks, spare ones included */
};

/* @size zeroed bytes, aligned to 16. */
void *arena_alloc(struct arena *arena, size_t size);
/* @size bytes that are not zeroed, aligned to @align (a power of two <= 16). */
void *arena_alloc_raw(struct arena *arena, size_t size, size_t align);
/* A copy of @len bytes with a NUL behind them. */
char *arena_strndup(struct arena *arena, const char *s, size_t len);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Forgets everything, keeps the blocks. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#define arena_new(arena, type) ((type *)arena_alloc(arena, sizeof(type)))
#define arena_array(arena, type, n)                                            \
	((type *)arena_alloc(arena, sizeof(type) * (size_t)(n)))
