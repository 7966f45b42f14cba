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

/* Whole and durable, or not there. */
static int keep_file(const char *folder, const char *name, const char *text,
		     size_t len) {
	CLEANUP(buf_free) struct buf path = { 0 }, fresh = { 0 };
	ssize_t n;
	int fd, r = 0;

	buf_printf(&path, "%s/%s", folder, name);
	if (access(buf_cstr(&path), F_OK) == 0)
		return 0;
	buf_printf(&fresh, "%s.new", buf_cstr(&path));
	fd = open(buf_cstr(&fresh), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return -errno;
	for (size_t at = 0; r == 0 && at < len; at += (size_t)n) {
		n = write(fd, text + at, len - at);
		if (n < 0)
			r = -errno;
		if (n < 0)
			break;
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (r == 0 && rename(buf_cstr(&fresh), buf_cstr(&path)) < 0)
		r = -errno;
	return r == 0 ? sync_folder(folder) : r;
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

static int keep_all(const char *folder, const uint8_t hash[32],
		    const struct archive_rules *rules,
		    const struct archive_file *files, size_t n) {
	CLEANUP(buf_free) struct buf content = { 0 }, name = { 0 };
	CLEANUP(buf_free) struct buf manifest = { 0 }, sets = { 0 };
	int r = make_folder(folder);

	buf_printf(&content, "%s/content", folder);
	buf_printf(&sets, "%s/rules", folder);
	if (r == 0)
		r = make_folder(buf_cstr(&content));
	if (r == 0)
		r = make_folder(buf_cstr(&sets));
	for (size_t i = 0; r == 0 && i < n; i++) {
		uint8_t of[32];

		sha256(files[i].text, files[i].len, of);
		buf_reset(&name);
		buf_hex(&name, of, 32);
		r = keep_file(buf_cstr(&content), buf_cstr(&name),
			      files[i].text, files[i].len);
	}
	if (r < 0)
		return r;
	put_manifest(&manifest, hash, rules, files, n);
	buf_reset(&name);
	buf_hex(&name, hash, 32);
	buf_puts(&name, ".json");
	return keep_file(buf_cstr(&sets), buf_cstr(&name), manifest.data,
			 manifest.len);
}

int archive_keep_rules(const char *state, const uint8_t hash[32],
		       const struct archive_rules *rules,
		       const struct archive_file *files, size_t n,
		       struct buf *why) {
	CLEANUP(buf_free) struct buf folder = { 0 };
	int r;

	buf_printf(&folder, "%s/archive", state);
	r = keep_all(buf_cstr(&folder), hash, rules, files, n);
	if (r < 0)
		buf_printf(why, "%s: %s", buf_cstr(&folder), strerror(-r));
	return r;
}
