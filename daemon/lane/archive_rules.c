/*
 * Rules, tables, lists and calendars by their content, and a manifest for each
 * set of them that a lane has computed with.
 */
#include "lane/archive.h"

#include "base/hash.h"
#include "base/util.h"
#include "lane/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void archive_rules_hash(const struct archive_rules *rules, uint8_t hash[32]) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct sha256_stream stream;
	uint8_t key[32];

	sha256(rules->mask_key, 32, key);
	buf_printf(&text, "lane %s memory %lld keys %lld entries %lld ids %lld",
		   rules->lane, (long long)rules->memory,
		   (long long)rules->keys_per_rule,
		   (long long)rules->entries_per_rule,
		   (long long)rules->ids_per_stream);
	sha256_begin(&stream);
	sha256_add(&stream, rules->ruleset, 32);
	sha256_add(&stream, key, sizeof(key));
	sha256_add(&stream, text.data, text.len);
	sha256_end(&stream, hash);
}

/* Whole and on disk, or not there; its name is durable once @folder is synced.
 */
static int write_anew(const char *path, const char *text, size_t len) {
	CLEANUP(buf_free) struct buf fresh = { 0 };
	int r;

	buf_printf(&fresh, "%s.new", path);
	r = file_write(buf_cstr(&fresh), text, len);
	if (r == 0 && rename(buf_cstr(&fresh), path) < 0)
		r = -errno;
	return r;
}

/* One that has been damaged is written again. */
static int keep_file(const char *folder, const char *name, const char *text,
		     size_t len) {
	CLEANUP(buf_free) struct buf path = { 0 }, is = { 0 };
	int r;

	buf_printf(&path, "%s/%s", folder, name);
	r = file_read(buf_cstr(&path), SIZE_MAX, &is);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && is.len == len && (!len || !memcmp(is.data, text, len)))
		return 0;
	return write_anew(buf_cstr(&path), text, len);
}

static int keep_content(const char *folder, const char *text, size_t len) {
	CLEANUP(buf_free) struct buf name = { 0 };
	uint8_t hash[32];

	sha256(text, len, hash);
	buf_hex(&name, hash, 32);
	return keep_file(folder, buf_cstr(&name), text, len);
}

/* STATE/archive/content, which is made if need be. */
static int open_content(const char *state, struct buf *folder) {
	int r;

	buf_printf(folder, "%s/archive", state);
	r = make_folder(buf_cstr(folder));
	buf_puts(folder, "/content");
	return r == 0 ? make_folder(buf_cstr(folder)) : r;
}

int archive_keep_content(const char *state, const char *text, size_t len) {
	CLEANUP(buf_free) struct buf folder = { 0 };
	int r = open_content(state, &folder);

	if (r == 0)
		r = keep_content(buf_cstr(&folder), text, len);
	return r == 0 ? sync_folder(buf_cstr(&folder)) : r;
}

int archive_content(const char *state, const uint8_t hash[32],
		    struct buf *text) {
	CLEANUP(buf_free) struct buf path = { 0 };
	uint8_t is[32];
	int r;

	buf_printf(&path, "%s/archive/content/", state);
	buf_hex(&path, hash, 32);
	r = file_read(buf_cstr(&path), SIZE_MAX, text);
	if (r < 0)
		return r;
	sha256(text->len ? text->data : "", text->len, is);
	return memcmp(is, hash, 32) == 0 ? 0 : -EBADMSG;
}

static void put_key(struct buf *out, const char *key) {
	buf_comma(out);
	buf_json_key(out, key);
}

static void put_hex(struct buf *out, const char *key, const uint8_t hash[32]) {
	put_key(out, key);
	buf_putc(out, '"');
	buf_hex(out, hash, 32);
	buf_putc(out, '"');
}

static void put_limits(struct buf *out, const struct archive_rules *rules) {
	const struct {
		const char *name;
		int64_t n;
	} limits[] = { { "memory", rules->memory },
		       { "keys_per_rule", rules->keys_per_rule },
		       { "entries_per_rule", rules->entries_per_rule },
		       { "ids_per_stream", rules->ids_per_stream } };

	put_key(out, "limits");
	buf_putc(out, '{');
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		put_key(out, limits[i].name);
		buf_int(out, limits[i].n);
	}
	buf_putc(out, '}');
}

static void put_manifest(struct buf *out, const uint8_t hash[32],
			 const struct archive_rules *rules,
			 const struct archive_file *files, size_t n) {
	uint8_t content[32];

	buf_printf(out, "{\"version\":%u", ARCHIVE_VERSION);
	put_hex(out, "rules", hash);
	put_hex(out, "ruleset", rules->ruleset);
	put_key(out, "lane");
	buf_json_string(out, rules->lane, strlen(rules->lane));
	put_limits(out, rules);
	put_key(out, "files");
	buf_putc(out, '[');
	for (size_t i = 0; i < n; i++) {
		sha256(files[i].text, files[i].len, content);
		buf_comma(out);
		buf_putc(out, '{');
		put_key(out, "path");
		buf_json_string(out, files[i].path, strlen(files[i].path));
		put_hex(out, "sha256", content);
		buf_putc(out, '}');
	}
	buf_puts(out, "]}\n");
}

static int keep_all(const char *state, const uint8_t hash[32],
		    const struct archive_rules *rules,
		    const struct archive_file *files, size_t n) {
	CLEANUP(buf_free) struct buf content = { 0 }, name = { 0 };
	CLEANUP(buf_free) struct buf manifest = { 0 }, sets = { 0 };
	int r = open_content(state, &content);

	buf_printf(&sets, "%s/archive/rules", state);
	if (r == 0)
		r = make_folder(buf_cstr(&sets));
	for (size_t i = 0; r == 0 && i < n; i++)
		r = keep_content(buf_cstr(&content), files[i].text,
				 files[i].len);
	/* A name that is found may never have been synced by its maker. */
	if (r == 0)
		r = sync_folder(buf_cstr(&content));
	if (r < 0)
		return r;
	put_manifest(&manifest, hash, rules, files, n);
	buf_hex(&name, hash, 32);
	buf_puts(&name, ".json");
	r = keep_file(buf_cstr(&sets), buf_cstr(&name), manifest.data,
		      manifest.len);
	return r == 0 ? sync_folder(buf_cstr(&sets)) : r;
}

int archive_keep_rules(const char *state, const uint8_t hash[32],
		       const struct archive_rules *rules,
		       const struct archive_file *files, size_t n,
		       struct buf *why) {
	int r = keep_all(state, hash, rules, files, n);

	if (r < 0)
		buf_printf(why, "%s/archive: %s", state, strerror(-r));
	return r;
}
