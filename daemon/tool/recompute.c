#include "tool/recompute.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/util.h"
#include "event/json.h"
#include "lane/archive.h"
#include "lane/segment.h"
#include "tool/drive.h"
#include "tool/relog.h"

#define FILES 4096u /* of rules, at most */

struct work {
	struct recompute *what;
	struct arena arena, event_arena;
	char folder[40]; /* where the files of rules lie */
	const struct json *manifest;
	struct ruleset *rules;
	struct archive_rules depends;
	uint8_t ruleset[32];
	struct archive_reader *reader;
	struct relog *relog;
	FILE *lines; /* of a file that was exported */
	char *line;
	size_t line_cap;
	struct journal_header header;
	struct arena line_arena;
	struct buf payload;
	struct buf manifest_text;
	struct decoder **decoders; /* per stream */
	struct driver driver;
	bool enough;
	struct buf *why;
};

static bool from_hex(struct buf *out, const char *hex, size_t len) {
	for (size_t i = 0; i + 1 < len; i += 2) {
		char byte[3] = { hex[i], hex[i + 1], 0 };
		char *end;

		buf_putc(out, (char)strtoul(byte, &end, 16));
		if (*end)
			return false;
	}
	return len % 2 == 0;
}

/* --- the rules of that time --- */

static int read_manifest(struct work *work) {
	struct buf *text = &work->manifest_text;
	const char *path;
	int r;

	path = arena_printf(&work->arena, "%s/archive/rules/%s.json",
			    work->what->state, work->what->rules);
	r = file_read(path, SIZE_MAX, text);
	if (r == 0 && json_parse(&work->manifest, &work->arena, text->data,
				 text->len) < 0)
		r = -EBADMSG;
	if (r < 0)
		buf_printf(work->why, "%s: %s", path, strerror(-r));
	return r;
}

/* All folders above the file. */
static int make_folders(char *path) {
	for (char *at = path + 1; (at = strchr(at, '/')); at++) {
		*at = 0;
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return 0;
}

static int write_file(const char *path, const char *text, size_t len) {
	FILE *out = fopen(path, "we");

	if (!out)
		return -errno;
	if (len)
		fwrite(text, 1, len, out);
	return fclose(out) < 0 ? -errno : 0;
}

/* @path of the machine that it comes from, below our folder. */
static int lay_out(struct work *work, const char *path, const char *text,
		   size_t len, const char **ret) {
	char *to = arena_printf(&work->arena, "%s%s", work->folder, path);
	int r;

	if (*path != '/' || strstr(path, "/../"))
		return -EBADMSG;
	r = make_folders(to);
	*ret = to;
	return r == 0 ? write_file(to, text, len) : r;
}

int recompute_file(const struct recompute *what, const struct json *file,
		   const char **path, struct buf *text) {
	CLEANUP(buf_free) struct buf hash = { 0 };
	const char *sha = json_text(json_get(file, "sha256"));

	*path = json_text(json_get(file, "path"));
	if (!*path || !sha || !from_hex(&hash, sha, strlen(sha)) ||
	    hash.len != 32)
		return -EBADMSG;
	return archive_content(what->state, (const uint8_t *)hash.data, text);
}

static int no_text(struct work *work, const char *sha, const char *of, int r) {
	buf_printf(work->why, "%s/archive/content/%s (%s): %s",
		   work->what->state, sha ? sha : "", of ? of : "",
		   r == -EBADMSG ? "is not what its name says" : strerror(-r));
	return r;
}

static int from_content(struct work *work, const struct json *file,
			const char **ret) {
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *path;
	int r = recompute_file(work->what, file, &path, &text);

	if (r == 0)
		return lay_out(work, path, text.data, text.len, ret);
	return no_text(work, json_text(json_get(file, "sha256")), path, r);
}

static bool is_rules(const char *path) {
	const char *dot = strrchr(path, '.');

	return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static int make_own_folder(struct work *work) {
	snprintf(work->folder, sizeof(work->folder), "%s",
		 "/tmp/tocsin-audit-XXXXXX");
	return mkdtemp(work->folder) ? 0 : -errno;
}

static int load_paths(struct work *work, const char *const *paths, size_t n) {
	struct diag diag = { 0 };
	int r = 0;

	if (ruleset_load(&work->rules, paths, n, &(struct ruleset_options){ 0 },
			 &diag) < 0) {
		diag_print(&diag, work->why, false);
		r = -ESTALE;
	}
	diag_free(&diag);
	return r;
}

static int load_rules(struct work *work) {
	const struct json *files = json_get(work->manifest, "files"), *at;
	const char **paths, *path = "";
	size_t n = 0;
	int r = make_own_folder(work);

	paths = arena_array(&work->arena, const char *,
			    files ? files->n + 1 : 1);
	for (at = files ? files->first : NULL; r == 0 && at; at = at->next) {
		r = from_content(work, at, &path);
		if (r == 0 && is_rules(path))
			paths[n++] = path;
	}
	return r == 0 ? load_paths(work, paths, n) : r;
}

/* --- what tables and lists had --- */

static int set_content(struct work *work, const char *name, const char *text,
		       size_t len) {
	struct content *content = ruleset_content(work->rules, name);
	struct diag diag = { 0 };
	int r = content ? content_refresh(content, text, len, &diag) : -EBADMSG;

	if (r < 0) {
		buf_printf(work->why,
			   "%s: no such table or list, or not its "
			   "text: ",
			   name);
		diag_print(&diag, work->why, false);
	}
	diag_free(&diag);
	return r;
}

static int set_by_hash(struct work *work, const char *name,
		       const uint8_t sha256[32]) {
	CLEANUP(buf_free) struct buf text = { 0 }, hex = { 0 };
	int r = archive_content(work->what->state, sha256, &text);

	if (r == 0)
		return set_content(work, name, buf_cstr(&text), text.len);
	buf_hex(&hex, sha256, 32);
	return no_text(work, buf_cstr(&hex), name, r);
}

static int set_contents(struct work *work) {
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->header.n_contents; i++)
		r = set_by_hash(work, work->header.contents[i].name,
				work->header.contents[i].sha256);
	return r;
}

static int64_t limit_of(const struct work *work, const char *name) {
	int64_t n = 0;

	json_int(json_get(json_get(work->manifest, "limits"), name), &n);
	return n;
}

static void depend(struct work *work) {
	const char *lane = json_text(json_get(work->manifest, "lane"));

	memcpy(work->ruleset, work->rules->hash, 32);
	work->depends = (struct archive_rules){
		.ruleset = work->ruleset,
		.lane = lane ? lane : "",
		.memory = limit_of(work, "memory"),
		.keys_per_rule = limit_of(work, "keys_per_rule"),
		.entries_per_rule = limit_of(work, "entries_per_rule"),
		.ids_per_stream = limit_of(work, "ids_per_stream"),
	};
	memcpy(work->depends.mask_key, work->what->mask_key, 32);
}

/* What they hash to here must be what the lane computed with. */
static int check_rules(struct work *work) {
	CLEANUP(buf_free) struct buf whole = { 0 }, rules = { 0 };
	const char *ruleset = json_text(json_get(work->manifest, "ruleset"));
	uint8_t hash[32];

	depend(work);
	archive_rules_hash(&work->depends, hash);
	buf_hex(&whole, hash, 32);
	buf_hex(&rules, work->rules->hash, 32);
	if (!strcmp(buf_cstr(&whole), work->what->rules))
		return 0;
	/* Who has only a file has no mask key, and need not have one. */
	if (ruleset && !strcmp(buf_cstr(&rules), ruleset)) {
		if (work->what->file)
			return 0;
		buf_printf(work->why, "rules %s: another mask key",
			   work->what->rules);
		return -ESTALE;
	}
	buf_printf(work->why,
		   "rules %s: this release, its time zones or its encodings "
		   "compute otherwise",
		   work->what->rules);
	return -ESTALE;
}

/* --- a file that was exported --- */

/* 1: @*ret is the next line; 0: there is none. */
static int read_line(struct work *work, const struct json **ret) {
	ssize_t n = getline(&work->line, &work->line_cap, work->lines);

	if (n < 0)
		return 0;
	arena_reset(&work->line_arena);
	if (json_parse(ret, &work->line_arena, work->line, (size_t)n) == 0)
		return 1;
	buf_printf(work->why, "%s: a line is no JSON", work->what->file);
	return -EBADMSG;
}

static int64_t int_of(const struct json *line, const char *name) {
	const char *text = json_text(json_get(line, name));

	return text ? strtoll(text, NULL, 10) : 0;
}

static int take_head(struct work *work, const struct json **line) {
	const char *rules, *text;
	int r = read_line(work, line);

	if (r > 0 && int_of(*line, "tocsin_audit") != 1)
		r = 0;
	if (r <= 0) {
		if (!work->why->len)
			buf_printf(work->why,
				   "%s: not what tocsin audit export "
				   "writes",
				   work->what->file);
		return -EBADMSG;
	}
	/* It must outlive the line. */
	buf_add(&work->manifest_text, work->line, strlen(work->line));
	if (json_parse(&work->manifest, &work->arena, work->manifest_text.data,
		       work->manifest_text.len) < 0)
		return -EBADMSG;
	rules = json_text(json_get(work->manifest, "rules"));
	snprintf(work->what->rules, sizeof(work->what->rules), "%s",
		 rules ? rules : "");
	text = json_text(json_get(work->manifest, "seed"));
	work->header.seed = text ? strtoull(text, NULL, 10) : 0;
	work->header.first_ordinal =
		(uint64_t)int_of(work->manifest, "first_ordinal");
	work->header.seam = json_text(json_get(work->manifest, "seam"));
	return 0;
}

/* The lines up to the first that is no file of rules; it is left in @line. */
static int take_files(struct work *work, const struct json **line, int *more) {
	const char **paths = arena_array(&work->arena, const char *, FILES);
	const char *path = "", *name;
	int r = make_own_folder(work);
	size_t n = 0;

	while (r == 0 && (*more = read_line(work, line)) > 0 &&
	       (name = json_text(json_get(*line, "path")))) {
		const struct json *text = json_get(*line, "text");

		r = !text || n == FILES
			    ? -EBADMSG
			    : lay_out(work, name, text->text, text->len, &path);
		if (r == 0 && is_rules(path))
			paths[n++] = path;
	}
	if (r == 0 && *more < 0)
		r = *more;
	return r == 0 ? load_paths(work, paths, n) : r;
}

static bool get_seam(struct work *work, const struct json *line,
		     struct decision *decision) {
	const struct json *open = json_get(line, "open"), *at;
	const char *hash = json_text(json_get(line, "hash"));
	CLEANUP(buf_free) struct buf bytes = { 0 };
	const char **records;
	size_t *lens;

	if (!open || !hash || !from_hex(&bytes, hash, strlen(hash)) ||
	    bytes.len != 32)
		return false;
	records = arena_array(&work->line_arena, const char *, open->n + 1);
	lens = arena_array(&work->line_arena, size_t, open->n + 1);
	*decision = (struct decision){ .kind = DECISION_SEAM,
				       .reason = "seam",
				       .topic = "",
				       .seq = (uint64_t)int_of(line, "seq"),
				       .open = records,
				       .open_len = lens };
	memcpy(decision->hash, bytes.data, 32);
	for (at = open->first; at; at = at->next) {
		records[decision->n_open] = at->text;
		lens[decision->n_open++] = at->len;
	}
	return true;
}

static bool get_input(struct work *work, const struct json *line,
		      struct archive_entry *entry) {
	const struct json *payload = json_get(line, "payload");
	const struct json *hex = json_get(line, "hex");

	*entry = (struct archive_entry){
		.is_record = true,
		.topic = json_text(json_get(line, "topic")),
		.partition = (int32_t)int_of(line, "partition"),
		.offset = int_of(line, "offset"),
		.timestamp = int_of(line, "timestamp"),
		.poll_time = int_of(line, "poll_time"),
	};
	if (payload && payload->kind == JSON_STRING) {
		entry->payload = payload->text;
		entry->len = payload->len;
	} else if (hex) {
		buf_reset(&work->payload);
		if (!from_hex(&work->payload, hex->text, hex->len))
			return false;
		entry->payload = work->payload.data;
		entry->len = work->payload.len;
	}
	return entry->topic != NULL;
}

static int get_content(struct work *work, const struct json *line,
		       struct archive_entry *entry) {
	const char *name = json_text(json_get(line, "content"));
	const struct json *text = json_get(line, "text");
	int r = name && text ? set_content(work, name, text->text, text->len)
			     : -EBADMSG;

	entry->decision = (struct decision){ .kind = DECISION_CONTENT,
					     .topic = "",
					     .name = name };
	return r < 0 ? r : 1;
}

/* 1: an entry; 0: the end. */
static int next_line(struct work *work, struct archive_entry *entry) {
	const struct json *line;
	bool good;
	int r;

	do
		r = read_line(work, &line);
	while (r > 0 && json_get(line, "record"));
	if (r <= 0)
		return r;
	if (json_get(line, "watermark")) {
		*entry = (struct archive_entry){
			.decision = { .kind = DECISION_ADVANCE,
				      .topic = "",
				      .at = int_of(line, "watermark") }
		};
		return 1;
	}
	*entry = (struct archive_entry){ 0 };
	if (json_get(line, "content"))
		return get_content(work, line, entry);
	good = json_get(line, "seam") ? get_seam(work, line, &entry->decision)
				      : get_input(work, line, entry);
	if (good)
		return 1;
	buf_printf(work->why, "%s: a line makes no sense", work->what->file);
	return -EBADMSG;
}

static int begin(struct work *work);
static int take_all(struct work *work);

static int compute_file(struct work *work) {
	const struct json *line;
	int r, more = 0;

	work->lines = fopen(work->what->file, "re");
	if (!work->lines)
		return -errno;
	r = take_head(work, &line);
	if (r == 0)
		r = take_files(work, &line, &more);
	if (r == 0)
		r = check_rules(work);
	if (r == 0)
		r = begin(work);
	/* The line behind the files is a record, of which there is one. */
	return r == 0 ? take_all(work) : r;
}

bool exported_records(const char *path, char ***records, size_t *n,
		      struct buf *why) {
	struct recompute what = { .file = path };
	struct work work = { .what = &what, .why = why };
	const struct json *line;
	int r = 1;

	*records = NULL;
	*n = 0;
	work.lines = fopen(path, "re");
	if (!work.lines)
		buf_printf(why, "%s: %s", path, strerror(errno));
	while (work.lines && (r = read_line(&work, &line)) > 0) {
		const struct json *record = json_get(line, "record");

		if (!record)
			continue;
		*records = reallocarray(*records, *n + 1, sizeof(**records));
		if (!*records ||
		    !((*records)[(*n)++] = strndup(record->text, record->len)))
			abort();
	}
	if (work.lines)
		fclose(work.lines);
	free(work.line);
	arena_free(&work.line_arena);
	return work.lines && r == 0 && *n;
}

/* --- the inputs --- */

static void on_item(void *context, const struct outbox_item *item) {
	struct work *work = context;

	if (item->seq && work->what->item && !work->enough)
		work->enough = !work->what->item(work->what->context, item);
}

static int begin(struct work *work) {
	const struct journal_header *header = &work->header;
	struct engine_options options = {
		.lane = work->depends.lane,
		.seed = header->seed,
		.first_ordinal = header->first_ordinal,
		.silent = header->seam != NULL,
		.check_skew = true,
		.told = work->what->file != NULL,
		.max_state_bytes = (size_t)work->depends.memory,
		.max_keys_per_rule = (size_t)work->depends.keys_per_rule,
		.max_entries_per_rule =
			(uint64_t)work->depends.entries_per_rule,
		.max_ids_per_stream = (size_t)work->depends.ids_per_stream,
		.withheld = work->what->withheld,
		.withheld_context = work->what->context,
	};
	size_t n = work->rules->n_streams;

	memcpy(options.mask_key, work->what->mask_key, 32);
	work->decoders = arena_array(&work->arena, struct decoder *, n + 1);
	for (size_t i = 0; i < n; i++)
		if (decoder_new(&work->decoders[i], work->rules->streams[i],
				header->seed) < 0)
			return -ENOMEM;
	work->driver.item = on_item;
	work->driver.ctx = work;
	if (work->what->begins)
		work->what->begins(work->what->context, work->rules, header,
				   work->manifest_text.data,
				   work->manifest_text.len);
	return engine_new(&work->driver.engine, work->rules, &options);
}

static const struct stream *stream_of(const struct work *work,
				      const char *topic) {
	for (size_t i = 0; i < work->rules->n_streams; i++)
		if (!strcmp(work->rules->streams[i]->topic, topic))
			return work->rules->streams[i];
	return NULL;
}

static int take_record(struct work *work, const struct archive_entry *entry) {
	const struct stream *stream = stream_of(work, entry->topic);
	struct event event = { .stream = stream,
			       .timestamp_ms = entry->timestamp };
	struct event *events[] = { &event };

	if (!stream) {
		buf_printf(work->why, "no stream of topic %s", entry->topic);
		return -EBADMSG;
	}
	event.at = (struct coordinates){ stream->topic, entry->partition,
					 entry->offset };
	decoder_decode(work->decoders[stream->index], &event,
		       entry->payload ? entry->payload : "", entry->len, false,
		       &work->event_arena);
	work->driver.poll_time = entry->poll_time;
	drive_events(&work->driver, events, 1);
	arena_reset(&work->event_arena);
	return 0;
}

static int take(struct work *work, const struct archive_entry *entry) {
	int r = 0;

	work->what->inputs++;
	/* A file has the text itself, which was set as its line was read. */
	if (!work->lines && !entry->is_record &&
	    entry->decision.kind == DECISION_CONTENT)
		r = set_by_hash(work, entry->decision.name,
				entry->decision.hash);
	if (r < 0)
		return r;
	if (entry->is_record)
		r = take_record(work, entry);
	else
		drive_decision(&work->driver, &entry->decision);
	if (r == 0 && work->what->input)
		work->what->input(
			work->what->context, entry,
			entry->is_record ? stream_of(work, entry->topic) : NULL,
			engine_watermark(work->driver.engine));
	return r;
}

/* An archive may begin later than its journal: what came before is gone. */
static int check_first(struct work *work, const struct archive_entry *entry) {
	uint64_t first = work->header.first_ordinal;

	if (work->lines || work->what->inputs || entry->ordinal == first)
		return 0;
	buf_printf(work->why,
		   "the inputs from %" PRIu64 " up to %" PRIu64
		   " are missing, so none can be computed",
		   first, entry->ordinal);
	return -ENODATA;
}

static int next_input(struct work *work, struct archive_entry *entry) {
	if (work->lines)
		return next_line(work, entry);
	if (work->relog)
		return relog_read(work->relog, entry, work->why);
	return archive_read(work->reader, entry, work->why);
}

static int take_all(struct work *work) {
	struct archive_entry entry;
	int r = 0;

	while (r == 0 && !work->enough && (r = next_input(work, &entry)) > 0) {
		r = check_first(work, &entry);
		if (r == 0)
			r = take(work, &entry);
	}
	return r;
}

static int open_inputs(struct work *work) {
	const struct recompute *what = work->what;
	char *dir;
	int r;

	if (what->log) {
		r = relog_open(&work->relog, what->log, what->journal,
			       work->why);
		if (r == 0)
			work->header = *relog_header(work->relog);
		return r;
	}
	dir = archive_dir(what->state, what->journal);
	r = archive_read_open(&work->reader, dir, work->why);
	free(dir);
	if (r == 0)
		work->header = *archive_read_header(work->reader);
	return r;
}

static int compute(struct work *work) {
	CLEANUP(buf_free) struct buf hex = { 0 };
	int r;

	if (work->what->file)
		return compute_file(work);
	r = open_inputs(work);
	if (r < 0)
		return r;
	buf_hex(&hex, work->header.rules, 32);
	snprintf(work->what->rules, sizeof(work->what->rules), "%s",
		 buf_cstr(&hex));
	r = read_manifest(work);
	if (r == 0)
		r = load_rules(work);
	if (r == 0)
		r = check_rules(work);
	if (r == 0)
		r = set_contents(work);
	if (r == 0)
		r = begin(work);
	return r == 0 ? take_all(work) : r;
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw) {
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int recompute(struct recompute *what, struct buf *why) {
	struct work work = { .what = what, .why = why };
	int r = compute(&work);

	if (r < 0 && !why->len)
		buf_puts(why, strerror(-r));
	if (what->ends && work.driver.engine)
		what->ends(what->context, work.rules);
	engine_free(work.driver.engine);
	for (size_t i = 0; work.decoders && i < work.rules->n_streams; i++)
		decoder_free(work.decoders[i]);
	archive_read_close(work.reader);
	relog_close(work.relog);
	if (work.lines)
		fclose(work.lines);
	free(work.line);
	arena_free(&work.line_arena);
	buf_free(&work.payload);
	buf_free(&work.manifest_text);
	ruleset_free(work.rules);
	if (work.folder[0])
		nftw(work.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(&work.event_arena);
	arena_free(&work.arena);
	return r;
}
