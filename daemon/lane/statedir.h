/*
 * State directory: a lane's memory on this machine. JOURNAL.md says what lies
 * in it. One daemon at a time: the lock goes with the process that holds it.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct statedir {
	char *path;
	int lock; /* -1: not held */
};

/* Makes the last folder of @path if need be. -EWOULDBLOCK: held by another. */
int statedir_open(struct statedir *ret, const char *path, struct buf *why);
void statedir_close(struct statedir *dir);

/*
 * A key that this folder made for itself once, out of the system's randomness:
 * the same from then on, readable by its owner alone. @made: it was just now.
 * -EBADMSG: what is there is none. @why gets a sentence.
 */
int statedir_key(const char *path, uint8_t key[32], bool *made,
		 struct buf *why);

/* The last epoch claimed from here; 0: none. */
int statedir_epoch(const struct statedir *dir, uint64_t *ret);
/* Durable on return. */
int statedir_set_epoch(const struct statedir *dir, uint64_t epoch);

/* Numbers of the journals at @path, greatest first. The caller frees. */
int statedir_journals(const char *path, uint32_t **ret, size_t *n);
/* The same without those that a crash left before they had a header. */
int statedir_begun(const char *path, uint32_t **ret, size_t *n);
/* "PATH/journal-GGGGGGGG"; the caller frees. */
char *statedir_journal(const char *path, uint32_t number);
int statedir_remove_journal(const char *path, uint32_t number);
