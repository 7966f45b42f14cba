#include "lane/journal.h"

#include "lane/journal_internal.h"

#include <string.h>

struct dump {
	struct buf text;
	void (*line)(void *context, const char *text, size_t len);
	void *context;
};

static void dump_end(struct dump *dump) {
	buf_free(&dump->text);
}

static void emit(struct dump *dump) {
	dump->line(dump->context, dump->text.data, dump->text.len);
	buf_reset(&dump->text);
}

static void put_string(struct buf *out, const char *key, const char *s) {
	buf_comma(out);
	buf_json_key(out, key);
	buf_json_string(out, s, strlen(s));
}

static void put_place(struct buf *out, const char *topic, int32_t partition) {
	put_string(out, "topic", topic);
	buf_printf(out, ",\"partition\":%d", (int)partition);
}

static void put_hash(struct buf *out, const char *key, const uint8_t hash[32]) {
	buf_comma(out);
	buf_json_key(out, key);
	buf_putc(out, '"');
	buf_hex(out, hash, 32);
	buf_putc(out, '"');
}

static void dump_content(struct buf *out, const char *name,
			 const uint8_t hash[32]) {
	put_string(out, "name", name);
	put_hash(out, "sha256", hash);
}

static void dump_header(struct dump *dump,
			const struct journal_reader *reader) {
	const struct journal_header *header = &reader->header;
	struct buf *out = &dump->text;

	buf_printf(out, "{\"header\":{\"version\":%d", JOURNAL_VERSION);
	put_string(out, "lane", header->lane);
	put_hash(out, "rules", header->rules);
	buf_printf(out, ",\"seed\":\"%llu\",\"first_ordinal\":%llu",
		   (unsigned long long)header->seed,
		   (unsigned long long)header->first_ordinal);
	if (header->seam)
		put_string(out, "seam", header->seam);
	else
		buf_puts(out, ",\"seam\":null");
	buf_puts(out, ",\"contents\":[");
	for (size_t i = 0; i < header->n_contents; i++) {
		buf_comma(out);
		buf_putc(out, '{');
		dump_content(out, header->contents[i].name,
			     header->contents[i].sha256);
		buf_putc(out, '}');
	}
	buf_printf(out, "],\"from\":%llu}}",
		   (unsigned long long)reader->state.ordinal);
	emit(dump);
}

static void dump_turn(struct dump *dump, const struct journal_reader *reader,
		      const struct journal_entry *entry) {
	struct buf *out = &dump->text;
	uint64_t ordinal = entry->ordinal;

	for (size_t i = 0; i < entry->n_runs; i++) {
		const struct journal_run *run = &entry->runs[i];
		const struct journal_partition *partition =
			&reader->partitions[run->partition];

		buf_printf(out, "{\"ordinal\":%llu,\"run\":{",
			   (unsigned long long)ordinal);
		put_place(out, partition->topic, partition->partition);
		buf_printf(out,
			   ",\"first\":%lld,\"next\":%lld,\"count\":%llu,"
			   "\"poll_time\":%lld}}",
			   (long long)run->first, (long long)run->next,
			   (unsigned long long)run->count,
			   (long long)entry->poll_time);
		emit(dump);
		ordinal += run->count;
	}
}

static void dump_seam(struct buf *out, const struct decision *decision) {
	put_string(out, "reason", decision->reason);
	buf_printf(out, ",\"seq\":%llu", (unsigned long long)decision->seq);
	put_hash(out, "hash", decision->hash);
	buf_puts(out, ",\"open\":[");
	for (size_t i = 0; i < decision->n_open; i++) {
		buf_comma(out);
		buf_add(out, decision->open[i], decision->open_len[i]);
	}
	buf_putc(out, ']');
}

static void dump_decision(struct dump *dump,
			  const struct journal_entry *entry) {
	const struct decision *decision = &entry->decision;
	struct buf *out = &dump->text;

	buf_printf(out, "{\"ordinal\":%llu,\"decision\":\"%s\"",
		   (unsigned long long)entry->ordinal,
		   decision_name(decision->kind));
	if (*decision->topic)
		put_place(out, decision->topic, decision->partition);
	if (decision->kind == DECISION_PARTITION)
		buf_printf(out, ",\"offset\":%lld",
			   (long long)entry->first_offset);
	if (decision->kind == DECISION_GAP)
		buf_printf(out, ",\"next\":%lld", (long long)decision->at);
	if (decision->kind == DECISION_ADVANCE)
		buf_printf(out, ",\"at\":%lld", (long long)decision->at);
	if (decision->kind == DECISION_SEAM)
		dump_seam(out, decision);
	if (decision->kind == DECISION_CONTENT)
		dump_content(out, decision->name, decision->hash);
	buf_putc(out, '}');
	emit(dump);
}

int journal_dump(const char *dir, struct buf *why,
		 void (*line)(void *context, const char *text, size_t len),
		 void *context) {
	CLEANUP(journal_read_closep) struct journal_reader *reader = NULL;
	CLEANUP(dump_end)
	struct dump dump = { .line = line, .context = context };
	struct journal_entry entry;
	int r;

	r = journal_read_open(&reader, dir, why);
	if (r < 0)
		return r;
	dump_header(&dump, reader);
	while ((r = journal_read(reader, &entry, why)) > 0) {
		if (entry.kind == JOURNAL_TURN)
			dump_turn(&dump, reader, &entry);
		else
			dump_decision(&dump, &entry);
	}
	if (r == 0) {
		buf_printf(&dump.text,
			   "{\"end\":{\"position\":%llu,\"ordinal\":%llu}}",
			   (unsigned long long)reader->position,
			   (unsigned long long)(reader->state.ordinal - 1));
		emit(&dump);
	}
	return r;
}
