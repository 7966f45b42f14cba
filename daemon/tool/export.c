/*
 * One alert in a file: what judged it, what was taken, and what came of it.
 *
 * Of the lane's inputs only those stay that the alert's rule can see, and
 * between them the watermark of the whole, wherever it matters: before each
 * input that stays and at each transition of the alert.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "event/json.h"
#include "lane/archive.h"
#include "tool/recompute.h"

struct exporter {
	const struct recompute *what;
	FILE *out;
	const char *id, *rule;
	const char *const *records;
	size_t n_records, n_computed;
	struct arena arena;
	struct buf text;
	bool *keeps;      /* per stream */
	bool is_ours;     /* a transition came of the input at hand */
	usec_t watermark; /* that was written last */
	int error;
};

static void put_key(struct buf *out, const char *key) {
	buf_comma(out);
	buf_json_key(out, key);
}

static void put_string(struct buf *out, const char *key, const char *text) {
	put_key(out, key);
	buf_json_string(out, text, strlen(text));
}

static void put_int(struct buf *out, const char *key, int64_t n) {
	put_key(out, key);
	buf_printf(out, "\"%" PRId64 "\"", n);
}

static void write_line(struct exporter *e) {
	buf_puts(&e->text, "}\n");
	fwrite(e->text.data, 1, e->text.len, e->out);
	buf_reset(&e->text);
}

static void write_head(struct exporter *e, const struct journal_header *header,
		       const struct json *manifest) {
	static const char *const texts[] = { "rules", "ruleset", "lane" };
	const struct json *limits = json_get(manifest, "limits"), *at;
	struct buf *out = &e->text;

	buf_puts(out, "{\"tocsin_audit\":1");
	put_string(out, "id", e->id);
	put_string(out, "rule", e->rule);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *text = json_text(json_get(manifest, texts[i]));

		put_string(out, texts[i], text ? text : "");
	}
	put_key(out, "limits");
	buf_putc(out, '{');
	for (at = limits ? limits->first : NULL; at; at = at->next) {
		put_key(out, at->name);
		buf_puts(out, at->text);
	}
	buf_putc(out, '}');
	put_key(out, "seed");
	buf_printf(out, "\"%" PRIu64 "\"", header->seed);
	put_int(out, "first_ordinal", (int64_t)header->first_ordinal);
	if (header->seam)
		put_string(out, "seam", header->seam);
	write_line(e);
}

static void write_file(struct exporter *e, const struct json *file) {
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *path;
	int r = recompute_file(e->what, file, &path, &text);

	if (r < 0) {
		e->error = r;
		return;
	}
	buf_putc(&e->text, '{');
	put_string(&e->text, "path", path);
	put_key(&e->text, "text");
	buf_json_string(&e->text, buf_cstr(&text), text.len);
	write_line(e);
}

static void write_content(struct exporter *e, const char *name,
			  const uint8_t sha256[32]) {
	CLEANUP(buf_free) struct buf text = { 0 };
	int r = archive_content(e->what->state, sha256, &text);

	if (r < 0) {
		e->error = r;
		return;
	}
	buf_putc(&e->text, '{');
	put_string(&e->text, "content", name);
	put_key(&e->text, "text");
	buf_json_string(&e->text, buf_cstr(&text), text.len);
	write_line(e);
}

/* --- which streams the rule sees --- */

static void keep_base(struct exporter *e, const struct ruleset *rules,
		      const struct stream *base) {
	for (size_t i = 0; i < rules->n_streams; i++)
		if (rules->streams[i] == base ||
		    rules->streams[i]->base == base)
			e->keeps[i] = true;
}

static bool has_rule(const struct rule *const *rules, size_t n,
		     const char *full) {
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rules[i]->full, full))
			return true;
	return false;
}

/* A plan of cohorts has no rule of its own, so all of these stay. */
static bool sees(const struct plan *plan, const char *rule) {
	return plan->peers || has_rule(plan->rules, plan->n_rules, rule) ||
	       has_rule(plan->watchers, plan->n_watchers, rule);
}

static void choose_streams(struct exporter *e, const struct ruleset *rules) {
	e->keeps = arena_array(&e->arena, bool, rules->n_streams + 1);
	for (size_t i = 0; i < rules->n_plans; i++) {
		const struct plan *plan = rules->plans[i];

		for (size_t k = 0; sees(plan, e->rule) && k < plan->n_inputs;
		     k++)
			keep_base(e, rules, plan->inputs[k].stream);
	}
	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct rule *rule = rules->rules[i];

		for (size_t k = 0;
		     !strcmp(rule->full, e->rule) && k < rule->n_tables; k++)
			if (rule->tables[k]->registry)
				keep_base(e, rules,
					  rule->tables[k]->registry->stream);
	}
}

static void on_begin(void *context, const struct ruleset *rules,
		     const struct journal_header *header, const char *manifest,
		     size_t len) {
	struct exporter *e = context;
	const struct json *tree, *files, *at;

	choose_streams(e, rules);
	if (json_parse(&tree, &e->arena, manifest, len) < 0) {
		e->error = -EBADMSG;
		return;
	}
	write_head(e, header, tree);
	files = json_get(tree, "files");
	for (at = files ? files->first : NULL; at; at = at->next)
		write_file(e, at);
	for (size_t i = 0; i < e->n_records; i++) {
		buf_putc(&e->text, '{');
		put_string(&e->text, "record", e->records[i]);
		write_line(e);
	}
	for (size_t i = 0; i < rules->n_contents; i++)
		if (memcmp(rules->contents[i].loaded, rules->contents[i].sha256,
			   32) != 0)
			write_content(e, rules->contents[i].name,
				      rules->contents[i].sha256);
}

/* --- the inputs --- */

static void write_record(struct exporter *e,
			 const struct archive_entry *entry) {
	struct buf *out = &e->text;

	buf_putc(out, '{');
	put_string(out, "topic", entry->topic);
	put_int(out, "partition", entry->partition);
	put_int(out, "offset", entry->offset);
	put_int(out, "timestamp", entry->timestamp);
	put_int(out, "poll_time", entry->poll_time);
	if (entry->payload && utf8_is_valid(entry->payload, entry->len)) {
		put_key(out, "payload");
		buf_json_string(out, entry->payload, entry->len);
	} else if (entry->payload) {
		put_key(out, "hex");
		buf_putc(out, '"');
		buf_hex(out, entry->payload, entry->len);
		buf_putc(out, '"');
	}
	write_line(e);
}

static void write_seam(struct exporter *e, const struct decision *seam) {
	struct buf *out = &e->text;

	buf_puts(out, "{\"seam\":true");
	put_int(out, "seq", (int64_t)seam->seq);
	put_key(out, "hash");
	buf_putc(out, '"');
	buf_hex(out, seam->hash, 32);
	buf_putc(out, '"');
	put_key(out, "open");
	buf_putc(out, '[');
	for (size_t i = 0; i < seam->n_open; i++) {
		buf_comma(out);
		buf_json_string(out, seam->open[i], seam->open_len[i]);
	}
	buf_putc(out, ']');
	write_line(e);
}

static void write_watermark(struct exporter *e, usec_t watermark) {
	if (watermark == e->watermark)
		return;
	e->watermark = watermark;
	buf_putc(&e->text, '{');
	put_int(&e->text, "watermark", watermark);
	write_line(e);
}

static void on_input(void *context, const struct archive_entry *entry,
		     const struct stream *stream, usec_t watermark) {
	struct exporter *e = context;
	bool is_seam =
		!entry->is_record && entry->decision.kind == DECISION_SEAM;
	bool stays = stream && e->keeps[stream->index];

	if ((stays || is_seam || e->is_ours) && watermark != INT64_MIN)
		write_watermark(e, watermark);
	if (stays)
		write_record(e, entry);
	if (is_seam)
		write_seam(e, &entry->decision);
	if (!entry->is_record && entry->decision.kind == DECISION_CONTENT)
		write_content(e, entry->decision.name, entry->decision.hash);
	e->is_ours = false;
}

static bool on_item(void *context, const struct outbox_item *item) {
	struct exporter *e = context;
	CLEANUP(buf_free) struct buf id = { 0 };

	buf_hex(&id, item->id, sizeof(item->id));
	if (strcmp(buf_cstr(&id), e->id) != 0)
		return true;
	e->is_ours = true;
	/* One behind the last that Redis has: the input ends the file. */
	return ++e->n_computed < e->n_records;
}

int export_alert(const struct recompute *what, const char *path, const char *id,
		 const char *rule, const char *const *records, size_t n,
		 struct buf *why) {
	struct exporter e = { .what = what,
			      .id = id,
			      .rule = rule,
			      .records = records,
			      .n_records = n,
			      .watermark = INT64_MIN };
	struct recompute all = *what;
	int r;

	e.out = fopen(path, "we");
	if (!e.out) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		return -errno;
	}
	all.item = on_item;
	all.input = on_input;
	all.begins = on_begin;
	all.context = &e;
	r = recompute(&all, why);
	if (fclose(e.out) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		r = e.error;
	if (r == 0 && !e.n_computed) {
		buf_printf(why, "journal %u does not lead to it",
			   what->journal);
		r = -ENOENT;
	}
	buf_free(&e.text);
	arena_free(&e.arena);
	return r;
}
