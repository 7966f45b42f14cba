/*
 * What the reader and the writer of checkpoints share; CHECKPOINT.md has the
 * layout.
 */
#pragma once

#include "lane/checkpoint.h"

#define SLOT_NONE UINT32_MAX /* a file: the page is empty */

struct checkpoint_file {
	uint64_t number;
	uint64_t slots; /* pages in it, of which some may be dead */
};

/* Where a page lies. */
struct checkpoint_slot {
	uint32_t file; /* among those of the manifest */
	uint32_t slot;
	uint32_t crc; /* CRC-32C of its bytes */
};

/* "DIR/WHAT-NNNNNNNN"; the caller frees. */
char *checkpoint_path(const char *dir, const char *what, uint64_t number);
int checkpoint_numbers(const char *dir, const char *what, uint64_t **ret,
		       size_t *n);
int checkpoint_unlink(const char *dir, const char *what, uint64_t number);
void checkpoint_head_free(struct checkpoint_head *head);
void checkpoint_write(struct buf *out, const struct checkpoint_head *head,
		      const struct buf *saved,
		      const struct checkpoint_file *files, size_t n_files,
		      const struct checkpoint_slot *slots, uint32_t n_pages);
struct checkpoint_slot checkpoint_slot(const struct checkpoint *checkpoint,
				       uint32_t page);
const struct checkpoint_file *
checkpoint_files(const struct checkpoint *checkpoint, size_t *n);
/* Removes files of pages that no manifest names. */
int checkpoint_sweep(const char *dir);
