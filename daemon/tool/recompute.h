/*
 * Recompute: a lane's transitions once more, from its archive alone, or, where
 * that has no records, with those of Kafka: the inputs of one journal in their
 * order, with the rules, tables and limits that its rules hash stands for.
 */
#pragma once

#include "alert/outbox.h"
#include "base/buf.h"
#include "lane/journal.h"

#include <stdint.h>

struct archive_entry;
struct config;
struct json;

struct recompute {
	const char *state; /* the folder that holds archive/ */
	uint32_t journal;
	/* Or, instead, the run journal with the records of Kafka, where it
	 * says; see relog.h. */
	const struct config *log;
	const char *file; /* or what export_alert() wrote */
	uint8_t mask_key[32];
	/* Each transition; false: it is enough. NULL: nobody looks. */
	bool (*item)(void *context, const struct outbox_item *item);
	void *context;
	/* Each input once it is taken, with the watermark then; and before the
	 * first one what they are judged by. Both may be NULL. */
	void (*input)(void *context, const struct archive_entry *entry,
		      const struct stream *stream, usec_t watermark);
	void (*begins)(void *context, const struct ruleset *rules,
		       const struct journal_header *header,
		       const char *manifest, size_t len);
	/* As engine_options has it; and when all is computed, whatever came of
	 * it, while the rules are still there. Both may be NULL. */
	void (*withheld)(void *context, const struct withheld *what);
	void (*ends)(void *context, const struct ruleset *rules);
	/* What was computed with, when it is done. */
	char rules[65];
	uint64_t inputs;
};

/*
 * 0; -ENODATA: inputs are missing, what came before them was computed;
 * -EBADMSG: the archive is damaged; -ESTALE: this program computes otherwise;
 * others are of the system. @why gets a sentence.
 */
int recompute(struct recompute *what, struct buf *why);
/* What the archive keeps of a @file that its manifest of rules names. -EBADMSG:
 * it is damaged, or names none. */
int recompute_file(const struct recompute *what, const struct json *file,
		   const char **path, struct buf *text);

/*
 * Writes all that is needed to compute alert @id (hexadecimal) of @rule
 * (package/rule) again into one file: JSON lines, see ARCHIVE.md. @records are
 * its transitions as Redis holds them. @what says where the archive is.
 */
int export_alert(const struct recompute *what, const char *path, const char *id,
		 const char *rule, const char *const *records, size_t n,
		 struct buf *why);
/* The transitions that stand in such a file; false: @why says what is amiss. */
bool exported_records(const char *path, char ***records, size_t *n,
		      struct buf *why);
