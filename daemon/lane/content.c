/*
 * Content: which text each table and list has, and when it gets another.
 *
 * A journal's header names the texts that it begins with, a decision each
 * change, a checkpoint what was in force; the texts lie under their hashes in
 * the archive's folder before anything names them.
 */
#include "lane/lane_internal.h"

#include "lane/crash.h"
#include "tocsin/log.h"

#include <stdlib.h>
#include <string.h>

#define TRY_EVERY USEC_PER_SEC

static bool is_same(const uint8_t a[32], const uint8_t b[32]) {
	return memcmp(a, b, 32) == 0;
}

/* What its file is to say; NULL: no file says it any more. */
static const struct content *file_of(const struct lane *lane,
				     const struct content *content) {
	return ruleset_content(lane->files, content->name);
}

/* From the file as it was loaded, or from what is kept. */
static int find_text(const struct lane *lane, const struct content *content,
		     const uint8_t sha256[32], struct buf *text) {
	const struct content *file = file_of(lane, content);

	if (!file || !is_same(file->loaded, sha256))
		return archive_content(lane->dir.path, sha256, text);
	buf_add(text, file->text, file->len);
	return 0;
}

static int set(const struct lane *lane, struct content *content,
	       const uint8_t sha256[32]) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct diag diag = { 0 };
	int r;

	if (is_same(content->sha256, sha256))
		return 0;
	r = find_text(lane, content, sha256, &text);
	if (r == 0)
		r = content_refresh(content, buf_cstr(&text), text.len, &diag);
	diag_free(&diag);
	return r;
}

static int set_by_name(const struct lane *lane, const char *name,
		       const uint8_t sha256[32]) {
	struct content *content = ruleset_content(lane->options.rules, name);

	return content ? set(lane, content, sha256) : -ENOENT;
}

bool content_is_lost(int r) {
	return r == -ENOENT || r == -EBADMSG || r == -EINVAL;
}

int content_set(const struct lane *lane, const struct journal_content *contents,
		size_t n) {
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = set_by_name(lane, contents[i].name, contents[i].sha256);
	return r;
}

int content_decided(const struct lane *lane, const struct decision *decision) {
	return set_by_name(lane, decision->name, decision->hash);
}

static int set_from_file(const struct lane *lane, struct content *content) {
	const struct content *file = file_of(lane, content);

	return set(lane, content, file ? file->loaded : content->loaded);
}

int content_choose(const struct lane *lane, const struct journal_header *old) {
	const struct ruleset *rules = lane->options.rules;
	int r = 0;

	for (size_t i = 0; r == 0 && i < rules->n_contents; i++)
		r = set_from_file(lane, &rules->contents[i]);
	for (size_t i = 0; r == 0 && old && i < old->n_contents; i++) {
		r = set_by_name(lane, old->contents[i].name,
				old->contents[i].sha256);
		/* The rules may have made something else of it. */
		if (content_is_lost(r))
			r = 0;
	}
	return r;
}

static int keep(const struct lane *lane, const struct content *file) {
	return archive_keep_content(lane->dir.path, file->text, file->len);
}

int content_keep(const struct lane *lane) {
	const struct ruleset *rules = lane->options.rules;
	int r = 0;

	for (size_t i = 0; r == 0 && i < rules->n_contents; i++) {
		const struct content *content = &rules->contents[i];
		const struct content *file = file_of(lane, content);

		if (file && is_same(file->loaded, content->sha256))
			r = keep(lane, file);
	}
	return r;
}

struct journal_content *content_list(const struct lane *lane, size_t *n) {
	const struct ruleset *rules = lane->options.rules;
	struct journal_content *list =
		calloc(rules->n_contents + 1, sizeof(*list));

	if (!list)
		abort();
	*n = rules->n_contents;
	for (size_t i = 0; i < *n; i++) {
		list[i].name = rules->contents[i].name;
		memcpy(list[i].sha256, rules->contents[i].sha256, 32);
	}
	return list;
}

/* What waits for room goes on with the text before. */
static void complain(struct lane *lane, const struct content *file, int r) {
	if (!is_full(r)) {
		lane_halt(lane, "%s: %s cannot be kept: %s", lane->dir.path,
			  file->path, strerror(-r));
		return;
	}
	if (r != lane->content_error)
		log_warn("lane: %s: %s: not taken until there is room",
			 file->path, strerror(-r));
	lane->next_content = lane->now + TRY_EVERY;
}

static bool refresh(struct lane *lane, struct content *content,
		    const struct content *file) {
	struct decision decision = { .kind = DECISION_CONTENT,
				     .name = content->name };
	int r = keep(lane, file);

	if (r < 0)
		complain(lane, file, r);
	lane->content_error = r;
	if (r < 0)
		return false;
	crash_point("content-kept");
	r = set(lane, content, file->loaded);
	if (r < 0) {
		lane_halt(lane, "%s: %s", file->path, strerror(-r));
		return false;
	}
	log_info("lane: %s is as %s says now", content->name, file->path);
	memcpy(decision.hash, content->sha256, 32);
	lane->refreshes++;
	lane_decide(lane, &decision, 0);
	crash_point("content-decided");
	return true;
}

bool content_turn(struct lane *lane) {
	const struct ruleset *rules = lane->options.rules;

	if (lane->now < lane->next_content)
		return false;
	for (size_t i = 0; i < rules->n_contents; i++) {
		struct content *content = &rules->contents[i];
		const struct content *file = file_of(lane, content);

		if (file && !is_same(file->loaded, content->sha256))
			return refresh(lane, content, file);
	}
	return false;
}

void lane_use_files(struct lane *lane, const struct ruleset *files) {
	lane->files = files;
	lane->next_content = 0;
}
