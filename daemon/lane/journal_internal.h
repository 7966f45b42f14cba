/*
 * What the reader and the writer of a journal share.
 */
#pragma once

#include "base/util.h"
#include "lane/journal.h"
#include "lane/varint.h"

/* Texts and lists of a decision that was read. */
struct decision_texts {
	char *topic, *name, *reason;
	const char **open;
	size_t *open_len;
};

struct journal_reader {
	char *dir;
	uint64_t *segments; /* first positions */
	size_t n_segments;
	size_t segment; /* the one at hand */
	uint8_t *bytes; /* of it */
	size_t len;
	uint64_t position; /* of the next record */
	uint64_t durable;  /* the greatest claim so far */
	bool ended;
	bool fresh_segment; /* the next record begins a segment */
	bool trimmed;
	struct journal_state state;
	struct journal_header header;
	struct journal_partition *partitions;
	size_t n_partitions;
	struct journal_run *runs;
	size_t runs_cap;
	struct decision_texts texts;
};

void journal_put_header(struct buf *out, const struct journal_header *header);
void journal_put_decision(struct buf *out, const struct decision *decision,
			  int64_t first_offset);
void decision_texts_free(struct decision_texts *texts);
/* What was put; the texts stand until they are freed. False: nonsense. */
bool journal_get_decision(struct span_reader *in, struct decision *decision,
			  int64_t *first_offset, struct decision_texts *texts);
/* The same of a header; the caller frees it. */
int journal_get_header(struct span_reader *in, struct journal_header *header);
struct journal_content *
journal_copy_contents(const struct journal_content *contents, size_t n);
void journal_free_contents(const struct journal_content *contents, size_t n);
void journal_copy_header(struct journal_header *to,
			 const struct journal_header *from);
void journal_free_header(struct journal_header *header);
void partitions_add(struct journal_partition **partitions, size_t *n,
		    const char *topic, int32_t partition, int64_t first);
/* NULL: it is not among them. */
struct journal_partition *partitions_find(struct journal_partition *partitions,
					  size_t n, const char *topic,
					  int32_t partition);
void partitions_free(struct journal_partition *partitions, size_t n);
void journal_read_closep(struct journal_reader **reader);
