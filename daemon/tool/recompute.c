#include "tool/recompute.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/util.h"
#include "event/json.h"
#include "lane/archive.h"
#include "tool/drive.h"

struct work {
	struct recompute *what;
	struct arena arena, event_arena;
	char folder[40]; /* where the files of rules lie */
	const struct json *manifest;
	struct ruleset *rules;
	struct archive_rules depends;
	uint8_t ruleset[32];
	struct archive_reader *reader;
	struct decoder **decoders; /* per stream */
	struct driver driver;
	bool enough;
	struct buf *why;
};

static int read_file(struct buf *out, const char *path) {
	FILE *file = fopen(path, "re");
	char bytes[65536];
	size_t n;
	int r = 0;

	if (!file)
		return -errno;
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buf_add(out, bytes, n);
	if (ferror(file))
		r = -EIO;
	fclose(file);
	return r;
}

/* --- the rules of that time --- */

static int read_manifest(struct work *work) {
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *path;
	int r;

	path = arena_printf(&work->arena, "%s/archive/rules/%s.json",
			    work->what->state, work->what->rules);
	r = read_file(&text, path);
	if (r == 0 &&
	    json_parse(&work->manifest, &work->arena, text.data, text.len) < 0)
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

/* One file of the archive, at its path below our folder; *@ret is where. */
static int lay_out(struct work *work, const struct json *file,
		   const char **ret) {
	CLEANUP(buf_free) struct buf text = { 0 }, hex = { 0 };
	const char *path = json_text(json_get(file, "path"));
	const char *sha = json_text(json_get(file, "sha256"));
	const char *from;
	uint8_t hash[32];
	char *to;
	FILE *out;
	int r;

	if (!path || !sha || *path != '/')
		return -EBADMSG;
	from = arena_printf(&work->arena, "%s/archive/content/%s",
			    work->what->state, sha);
	to = arena_printf(&work->arena, "%s%s", work->folder, path);
	r = read_file(&text, from);
	if (r < 0) {
		buf_printf(work->why, "%s: %s", from, strerror(-r));
		return r;
	}
	sha256(text.data, text.len, hash);
	buf_hex(&hex, hash, 32);
	if (strcmp(buf_cstr(&hex), sha) != 0) {
		buf_printf(work->why, "%s (%s): is not what its name says",
			   from, path);
		return -EBADMSG;
	}
	r = make_folders(to);
	out = r == 0 ? fopen(to, "we") : NULL;
	if (!out)
		return r < 0 ? r : -errno;
	fwrite(text.data ? text.data : "", 1, text.len, out);
	*ret = to;
	return fclose(out) < 0 ? -errno : 0;
}

static bool is_rules(const char *path) {
	const char *dot = strrchr(path, '.');

	return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static int load_rules(struct work *work) {
	const struct json *files = json_get(work->manifest, "files"), *at;
	struct diag diag = { 0 };
	const char **paths, *path = "";
	size_t n = 0;
	int r = 0;

	snprintf(work->folder, sizeof(work->folder), "%s",
		 "/tmp/tocsin-audit-XXXXXX");
	if (!mkdtemp(work->folder))
		return -errno;
	paths = arena_array(&work->arena, const char *,
			    files ? files->n + 1 : 1);
	for (at = files ? files->first : NULL; r == 0 && at; at = at->next) {
		r = lay_out(work, at, &path);
		if (r == 0 && is_rules(path))
			paths[n++] = path;
	}
	if (r == 0 && ruleset_load(&work->rules, paths, n,
				   &(struct ruleset_options){ 0 }, &diag) < 0) {
		diag_print(&diag, work->why, false);
		r = -ESTALE;
	}
	diag_free(&diag);
	return r;
}

static int64_t limit_of(const struct work *work, const char *name) {
	int64_t n = 0;

	json_int(json_get(json_get(work->manifest, "limits"), name), &n);
	return n;
}

/* What they hash to here must be what the lane computed with. */
static int check_rules(struct work *work) {
	CLEANUP(buf_free) struct buf hex = { 0 };
	const char *lane = json_text(json_get(work->manifest, "lane"));
	uint8_t hash[32];

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
	archive_rules_hash(&work->depends, hash);
	buf_hex(&hex, hash, 32);
	if (!strcmp(buf_cstr(&hex), work->what->rules))
		return 0;
	buf_reset(&hex);
	buf_hex(&hex, work->rules->hash, 32);
	buf_printf(work->why,
		   !strcmp(buf_cstr(&hex),
			   json_text(json_get(work->manifest, "ruleset")))
			   ? "rules %s: another mask key"
			   : "rules %s: this release, its time zones or its "
			     "encodings compute otherwise",
		   work->what->rules);
	return -ESTALE;
}

/* --- the inputs --- */

static void on_item(void *context, const struct outbox_item *item) {
	struct work *work = context;

	if (item->seq && !work->enough)
		work->enough = !work->what->item(work->what->context, item);
}

static int begin(struct work *work) {
	const struct journal_header *header = archive_read_header(work->reader);
	struct engine_options options = {
		.lane = work->depends.lane,
		.seed = header->seed,
		.first_ordinal = header->first_ordinal,
		.silent = header->seam != NULL,
		.check_skew = true,
		.max_state_bytes = (size_t)work->depends.memory,
		.max_keys_per_rule = (size_t)work->depends.keys_per_rule,
		.max_entries_per_rule =
			(uint64_t)work->depends.entries_per_rule,
		.max_ids_per_stream = (size_t)work->depends.ids_per_stream,
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

static int take_all(struct work *work) {
	struct archive_entry entry;
	int r = 0;

	while (r == 0 && !work->enough &&
	       (r = archive_read(work->reader, &entry, work->why)) > 0) {
		r = 0;
		work->what->inputs++;
		if (entry.is_record)
			r = take_record(work, &entry);
		else
			drive_decision(&work->driver, &entry.decision);
	}
	return r;
}

static int compute(struct work *work) {
	char *dir = archive_dir(work->what->state, work->what->journal);
	CLEANUP(buf_free) struct buf hex = { 0 };
	int r = archive_read_open(&work->reader, dir, work->why);

	free(dir);
	if (r < 0)
		return r;
	buf_hex(&hex, archive_read_header(work->reader)->rules, 32);
	snprintf(work->what->rules, sizeof(work->what->rules), "%s",
		 buf_cstr(&hex));
	r = read_manifest(work);
	if (r == 0)
		r = load_rules(work);
	if (r == 0)
		r = check_rules(work);
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
	engine_free(work.driver.engine);
	for (size_t i = 0; work.decoders && i < work.rules->n_streams; i++)
		decoder_free(work.decoders[i]);
	archive_read_close(work.reader);
	ruleset_free(work.rules);
	if (work.folder[0])
		nftw(work.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(&work.event_arena);
	arena_free(&work.arena);
	return r;
}
