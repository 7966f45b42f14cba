#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/util.h"
#include "lane/archive.h"
#include "lane/checkpoint.h"
#include "lane/journal.h"
#include "lane/statedir.h"
#include "tool/verb.h"

/* A daemon may be writing: what was torn a moment ago is whole in the next. */
#define TRIES 5

static void collect(void *context, const char *text, size_t len) {
	buf_add(context, text, len);
	buf_putc(context, '\n');
}

static int dump(const char *dir) {
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };
	int r = -EBADMSG;

	for (int i = 0; r == -EBADMSG && i < TRIES; i++) {
		buf_reset(&out);
		buf_reset(&why);
		r = journal_dump(dir, &why, collect, &out);
	}
	fwrite(out.data ? out.data : "", 1, out.len, stdout);
	if (r < 0 && r != -ENOENT)
		fprintf(stderr, "tocsin: %s\n", buf_cstr(&why));
	return r;
}

static int dump_newest(const char *path) {
	uint32_t *numbers = NULL;
	size_t n = 0;
	int r = statedir_begun(path, &numbers, &n);
	char *dir;

	if (r < 0)
		fprintf(stderr, "tocsin: %s: %s\n", path, strerror(-r));
	if (r == 0 && n) {
		dir = statedir_journal(path, numbers[0]);
		r = dump(dir);
		free(dir);
	}
	free(numbers);
	return r < 0 ? FINDINGS : CLEAN;
}

/* --- checkpoints --- */

/* "STATE/journal-G/checkpoint" of the newest journal; NULL: there is none. */
static char *checkpoints_of(const char *path) {
	uint32_t *numbers = NULL;
	size_t n = 0;
	char *journal, *dir = NULL;
	int r = statedir_begun(path, &numbers, &n);

	if (r < 0)
		fprintf(stderr, "tocsin: %s: %s\n", path, strerror(-r));
	else if (!n)
		fprintf(stderr, "tocsin: %s: no journal\n", path);
	if (r == 0 && n) {
		journal = statedir_journal(path, numbers[0]);
		if (asprintf(&dir, "%s/checkpoint", journal) < 0)
			abort();
		free(journal);
	}
	free(numbers);
	return dir;
}

static void put_time(struct buf *out, int64_t usec) {
	time_t seconds = usec / 1000000;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void list_one(const struct checkpoint *checkpoint) {
	const struct checkpoint_head *head = checkpoint_head(checkpoint);
	CLEANUP(buf_free) struct buf when = { 0 };

	put_time(&when, head->taken);
	printf("%10" PRIu64 "  %s  %12" PRIu64 "  %12" PRIu64 "  %10" PRIu64
	       "  %12" PRIu64 "  %8" PRIu32 "  %9.1f\n",
	       head->number, buf_cstr(&when), head->position, head->ordinal,
	       head->seq, head->dead, checkpoint_pages(checkpoint),
	       (double)checkpoint_bytes(checkpoint) / 1e6);
}

static void put_files(struct buf *out, const struct checkpoint *checkpoint) {
	for (size_t i = 0; i < checkpoint_n_files(checkpoint); i++) {
		uint64_t pages;
		char *path = checkpoint_file_path(checkpoint, i, &pages);

		buf_printf(out, "%s %" PRIu64 " pages\n", path, pages);
		free(path);
	}
}

static void show_one(const struct checkpoint *checkpoint) {
	const struct checkpoint_head *head = checkpoint_head(checkpoint);
	CLEANUP(buf_free) struct buf out = { 0 };
	size_t saved;

	checkpoint_saved(checkpoint, &saved);
	buf_printf(&out, "checkpoint %" PRIu64 "\ntaken      ", head->number);
	put_time(&out, head->taken);
	buf_puts(&out, "\nrules      ");
	buf_hex(&out, head->rules, 32);
	buf_printf(&out,
		   "\nseed       %" PRIu64 "\nposition   %" PRIu64
		   "\nordinal    %" PRIu64 "\nseq        %" PRIu64
		   "\nhash       ",
		   head->seed, head->position, head->ordinal, head->seq);
	buf_hex(&out, head->hash, 32);
	buf_printf(&out,
		   "\ndead       %" PRIu64 "\ncatches up %s\n"
		   "pages      %" PRIu32 ", files of %.1f MB, %zu bytes beside "
		   "them\n",
		   head->dead, head->catching_up ? "yes" : "no",
		   checkpoint_pages(checkpoint),
		   (double)checkpoint_bytes(checkpoint) / 1e6, saved);
	for (size_t i = 0; i < head->n_partitions; i++) {
		const struct checkpoint_partition *of = &head->partitions[i];

		buf_printf(&out,
			   "%s/%d next %" PRId64 "%s, last record %" PRId64
			   " crc %08" PRIx32 "\n",
			   of->topic, (int)of->partition, of->next,
			   of->idle ? " (idle)" : "", of->last_offset,
			   of->last_crc);
	}
	for (size_t i = 0; i < head->n_contents; i++) {
		buf_printf(&out, "%s ", head->contents[i].name);
		buf_hex(&out, head->contents[i].sha256, 32);
		buf_putc(&out, '\n');
	}
	put_files(&out, checkpoint);
	fputs(buf_cstr(&out), stdout);
}

static void say_damaged(const struct checkpoint *checkpoint, uint32_t page) {
	uint64_t pages;
	char *path = checkpoint_file_path(
		checkpoint, checkpoint_file_of(checkpoint, page), &pages);

	printf("%s: page %" PRIu32 " of checkpoint %" PRIu64 " is damaged\n",
	       path, page, checkpoint_head(checkpoint)->number);
	free(path);
}

static bool verify_one(struct checkpoint *checkpoint) {
	uint64_t number = checkpoint_head(checkpoint)->number;
	uint8_t *bytes = malloc(PAGE_BYTES);
	uint32_t bad = 0;

	if (!bytes)
		abort();
	for (uint32_t i = 0; i < checkpoint_pages(checkpoint); i++)
		if (checkpoint_has_page(checkpoint, i) &&
		    checkpoint_page(checkpoint, i, bytes) < 0) {
			say_damaged(checkpoint, i);
			bad++;
		}
	free(bytes);
	if (!bad)
		printf("checkpoint %" PRIu64 ": %" PRIu32 " pages, whole\n",
		       number, checkpoint_pages(checkpoint));
	return !bad;
}

enum look { LOOK_LIST, LOOK_SHOW, LOOK_VERIFY };

/* @only: one of them; 0: all. */
static bool look_at(const char *dir, enum look look, uint64_t only) {
	uint64_t *numbers = NULL;
	size_t n = 0, found = 0;
	bool good = checkpoint_list(dir, &numbers, &n) == 0;

	if (look == LOOK_LIST)
		printf("%10s  %-20s  %12s  %12s  %10s  %12s  %8s  %9s\n",
		       "checkpoint", "taken", "position", "ordinal", "seq",
		       "dead", "pages", "MB");
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf why = { 0 };
		struct checkpoint *checkpoint;

		if (only && numbers[i] != only)
			continue;
		found++;
		if (checkpoint_open(&checkpoint, dir, numbers[i], &why) < 0) {
			printf("%s\n", buf_cstr(&why));
			good = false;
			continue;
		}
		if (look == LOOK_LIST)
			list_one(checkpoint);
		else if (look == LOOK_SHOW)
			show_one(checkpoint);
		else
			good = verify_one(checkpoint) && good;
		checkpoint_close(checkpoint);
		if (look == LOOK_SHOW && !only)
			break; /* the newest */
	}
	if (only && !found)
		fprintf(stderr, "tocsin: %s: no checkpoint %" PRIu64 "\n", dir,
			only);
	free(numbers);
	return good && (found || !only);
}

/* What a table or list had, and a replay will ask for. */
static bool verify_content(const char *path, const char *name,
			   const uint8_t sha256[32]) {
	CLEANUP(buf_free) struct buf text = { 0 }, hex = { 0 };
	int r = archive_content(path, sha256, &text);

	if (r == 0)
		return true;
	buf_hex(&hex, sha256, 32);
	printf("%s/archive/content/%s, which %s had: %s\n", path,
	       buf_cstr(&hex), name, r == -EBADMSG ? "damaged" : strerror(-r));
	return false;
}

static int verify_entries(const char *path, struct journal_reader *reader,
			  struct buf *why) {
	const struct journal_header *header = journal_read_header(reader);
	struct journal_entry entry;
	bool good = true;
	int r;

	for (size_t i = 0; i < header->n_contents; i++)
		good &= verify_content(path, header->contents[i].name,
				       header->contents[i].sha256);
	while ((r = journal_read(reader, &entry, why)) > 0)
		if (entry.kind == JOURNAL_DECISION &&
		    entry.decision.kind == DECISION_CONTENT)
			good &= verify_content(path, entry.decision.name,
					       entry.decision.hash);
	return r < 0 || good ? r : -ENOENT;
}

/* The newest journal from its first segment to its end. */
static bool verify_journal(const char *path) {
	CLEANUP(buf_free) struct buf why = { 0 };
	struct journal_reader *reader = NULL;
	uint32_t *numbers = NULL;
	size_t n = 0;
	char *dir;
	int r = statedir_begun(path, &numbers, &n);

	if (r < 0 || !n) {
		free(numbers);
		return false;
	}
	dir = statedir_journal(path, numbers[0]);
	r = journal_read_open(&reader, dir, &why);
	if (r == 0)
		r = verify_entries(path, reader, &why);
	if (r == 0)
		printf("%s: whole up to its end\n", dir);
	else if (why.len)
		printf("%s\n", buf_cstr(&why));
	journal_read_close(reader);
	free(dir);
	free(numbers);
	return r == 0;
}

/* Removes them while no daemon runs; the next start takes the journal. */
static bool drop(const char *path, const char *dir, uint64_t only) {
	CLEANUP(buf_free) struct buf why = { 0 };
	struct statedir lock;
	uint64_t *numbers = NULL;
	size_t n = 0, gone = 0;
	int r = statedir_open(&lock, path, &why);

	if (r < 0) {
		fprintf(stderr, "tocsin: %s\n", buf_cstr(&why));
		return false;
	}
	r = checkpoint_list(dir, &numbers, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (only && numbers[i] != only)
			continue;
		r = checkpoint_remove(dir, numbers[i]);
		gone++;
	}
	if (r < 0)
		fprintf(stderr, "tocsin: %s: %s\n", dir, strerror(-r));
	else
		printf("%zu checkpoints removed\n", gone);
	free(numbers);
	statedir_close(&lock);
	return r == 0 && (gone || !only);
}

static int look(const char *what, const char *path, uint64_t only) {
	char *dir = checkpoints_of(path);
	bool good;

	if (!dir)
		return FINDINGS;
	if (!strcmp(what, "ls"))
		good = look_at(dir, LOOK_LIST, 0);
	else if (!strcmp(what, "show"))
		good = look_at(dir, LOOK_SHOW, only);
	else if (!strcmp(what, "verify"))
		good = (int)look_at(dir, LOOK_VERIFY, only) &
		       (int)verify_journal(path);
	else
		good = drop(path, dir, only);
	free(dir);
	return good ? CLEAN : FINDINGS;
}

static bool is_number(const char *text, uint64_t *ret) {
	char *end;

	*ret = strtoull(text, &end, 10);
	return *text && !*end && *ret;
}

static int state(const struct verb *verb, int argc, char **argv) {
	static const char *const looks[] = { "ls", "show", "verify", "drop" };
	int n = flags_parse(verb, NULL, 0, argc, argv);
	uint64_t only = 0;

	if (n < 0)
		return -1 - n;
	if (n == 2 && !strcmp(argv[0], "journal"))
		return dump_newest(argv[1]);
	for (size_t i = 0; n >= 2 && i < ARRAY_SIZE(looks); i++) {
		bool one = n == 3 && i > 0 && is_number(argv[2], &only);
		bool all = n == 3 && i == 3 && !strcmp(argv[2], "all");

		if (strcmp(argv[0], looks[i]) != 0)
			continue;
		if (i == 3 ? !one && !all : n != 2 && !one)
			break;
		return look(argv[0], argv[1], only);
	}
	return usage_error(verb, "say what of which folder: journal FOLDER, "
				 "ls FOLDER, show FOLDER [N], verify FOLDER "
				 "[N], drop FOLDER N|all");
}

const struct verb state_verb = {
	.name = "state",
	.summary = "Shows, checks and drops what lies in a state folder.",
	.arguments = "journal|ls|show|verify|drop FOLDER [N|all]",
	.example = "tocsin state journal /var/lib/tocsin | head\n"
		   "tocsin state ls /var/lib/tocsin\n"
		   "tocsin state verify /var/lib/tocsin",
	.run = state,
};
