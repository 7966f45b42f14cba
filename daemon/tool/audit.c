/*
 * What an auditor asks: is this alert what the rules made of the ledger, is the
 * record of a lane whole, and where did it stand.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/record.h"
#include "base/hash.h"
#include "base/util.h"
#include "config.h"
#include "event/json.h"
#include "lane/archive.h"
#include "lane/checkpoint.h"
#include "lane/statedir.h"
#include "sink/link.h"
#include "tool/origin.h"
#include "tool/recompute.h"
#include "tool/verb.h"
#include "tool/withheld.h"

#define PATIENCE_MS 30000
#define AT_ONCE "500"
#define SHOWN_MOST 10

/* A transition as Redis holds it. */
struct entry {
	uint64_t seq;
	char *json;
	size_t len;
	bool computed; /* and is the same */
};

struct audit {
	const char *config_path, *output, *rule, *key;
	bool all, json;
	struct config config;
	struct diag diag;
	struct link *link;
	struct arena arena;
	struct entry *entries; /* by seq */
	size_t n, cap, same, differ;
	uint64_t last; /* the greatest seq that is asked for */
};

static void reply_freep(redisReply **reply) {
	if (*reply)
		freeReplyObject(*reply);
}

static bool take_config(struct audit *audit) {
	CLEANUP(buf_free) struct buf out = { 0 };

	if (config_load(&audit->config, audit->config_path, &audit->diag) == 0)
		return true;
	diag_sort(&audit->diag);
	diag_print(&audit->diag, &out, isatty(STDERR_FILENO) == 1);
	fputs(buf_cstr(&out), stderr);
	return false;
}

/* --- Redis --- */

static redisReply *call(struct audit *audit, const char *const *argv, int n) {
	redisReply *reply = link_call(audit->link, argv, n, PATIENCE_MS);

	if (!reply)
		fprintf(stderr, "tocsin audit: Redis: %s\n",
			link_error(audit->link));
	else if (reply->type == REDIS_REPLY_ERROR)
		fprintf(stderr, "tocsin audit: Redis: %.*s\n",
			(int)strcspn(reply->str, " "), reply->str);
	if (!reply || reply->type != REDIS_REPLY_ERROR)
		return reply;
	freeReplyObject(reply);
	return NULL;
}

static bool log_in(struct audit *audit) {
	const struct link_options *to = &audit->config.redis;
	const char *auth[] = { "AUTH", to->user ? to->user : "default",
			       to->password ? to->password : "" };
	char number[24];
	const char *select[] = { "SELECT", number };
	CLEANUP(reply_freep) redisReply *one = NULL;
	CLEANUP(reply_freep) redisReply *two = NULL;

	if ((to->user || to->password) && !(one = call(audit, auth, 3)))
		return false;
	snprintf(number, sizeof(number), "%" PRId64,
		 audit->config.redis_database);
	return !audit->config.redis_database ||
	       (two = call(audit, select, 2)) != NULL;
}

static bool connect_redis(struct audit *audit) {
	char why[LINK_WHY];

	if (link_new(&audit->link, &audit->config.redis, why) < 0) {
		fprintf(stderr, "tocsin audit: Redis: %s\n", why);
		return false;
	}
	if (!link_open_wait(audit->link, PATIENCE_MS)) {
		fprintf(stderr, "tocsin audit: Redis: %s\n",
			link_error(audit->link));
		return false;
	}
	return log_in(audit);
}

static const char *key_name(struct audit *audit, const char *what) {
	return arena_printf(&audit->arena, "%s:{%s}:%s",
			    audit->config.redis_prefix, audit->config.lane,
			    what);
}

static const redisReply *field_of(const redisReply *fields, const char *name) {
	for (size_t i = 0; i + 1 < fields->elements; i += 2)
		if (!strcmp(fields->element[i]->str, name))
			return fields->element[i + 1];
	return NULL;
}

static void add_entry(struct audit *audit, uint64_t seq,
		      const redisReply *json) {
	if (audit->n == audit->cap) {
		audit->cap = audit->cap ? 2 * audit->cap : 1024;
		audit->entries = reallocarray(audit->entries, audit->cap,
					      sizeof(*audit->entries));
		if (!audit->entries)
			abort();
	}
	audit->entries[audit->n] =
		(struct entry){ .seq = seq, .len = json->len };
	audit->entries[audit->n].json = malloc(json->len + 1);
	if (!audit->entries[audit->n].json)
		abort();
	memcpy(audit->entries[audit->n++].json, json->str, json->len + 1);
	audit->last = seq;
}

/* All transitions that the stream has, or those of one alert. */
static bool read_stream(struct audit *audit, const char *id) {
	const char *stream = key_name(audit, "alerts");
	char from[40] = "-";

	for (;;) {
		const char *argv[] = { "XRANGE", stream,  from,
				       "+",      "COUNT", AT_ONCE };
		CLEANUP(reply_freep) redisReply *reply = call(audit, argv, 6);

		if (!reply)
			return false;
		for (size_t i = 0; i < reply->elements; i++) {
			const redisReply *entry = reply->element[i];
			const redisReply *fields = entry->element[1];
			const redisReply *is = field_of(fields, "id");
			const redisReply *json = field_of(fields, "json");

			if (json && (!id || (is && !strcmp(is->str, id))))
				add_entry(audit,
					  strtoull(entry->element[0]->str, NULL,
						   10),
					  json);
			snprintf(from, sizeof(from), "(%s",
				 entry->element[0]->str);
		}
		if (!reply->elements)
			return true;
	}
}

/* --- verify --- */

static struct entry *find(struct audit *audit, uint64_t seq) {
	size_t from = 0, to = audit->n;

	while (from < to) {
		size_t mid = (from + to) / 2;

		if (audit->entries[mid].seq < seq)
			from = mid + 1;
		else
			to = mid;
	}
	return from < audit->n && audit->entries[from].seq == seq
		       ? &audit->entries[from]
		       : NULL;
}

static void print_json(FILE *out, const struct json *json) {
	const char *quote = json->kind == JSON_STRING ? "\"" : "";

	if (json->kind == JSON_OBJECT || json->kind == JSON_ARRAY)
		fprintf(out, "%s of %zu",
			json->kind == JSON_OBJECT ? "{…}" : "[…]", json->n);
	else if (json->kind == JSON_NULL)
		fputs("null", out);
	else if (json->kind == JSON_BOOL)
		fputs(json->truth ? "true" : "false", out);
	else
		fprintf(out, "%s%s%s", quote, json->text, quote);
}

static bool is_scalar(const struct json *json) {
	return json->kind != JSON_OBJECT && json->kind != JSON_ARRAY;
}

static bool same_scalar(const struct json *a, const struct json *b) {
	if (a->kind != b->kind || a->truth != b->truth)
		return false;
	return !a->text || !b->text || !strcmp(a->text, b->text);
}

/* Each place where two records say different things. */
static void compare(const struct json *redis, const struct json *ours,
		    const char *path, struct arena *arena) {
	const struct json *a = redis->first, *b = ours->first;

	if (redis->kind != ours->kind || is_scalar(redis)) {
		if (same_scalar(redis, ours))
			return;
		printf("    %s: Redis ", path);
		print_json(stdout, redis);
		printf(", computed ");
		print_json(stdout, ours);
		putchar('\n');
		return;
	}
	for (size_t i = 0; a && b; i++, a = a->next, b = b->next) {
		const char *name =
			a->name ? a->name : arena_printf(arena, "%zu", i);

		compare(a, b,
			arena_printf(arena, "%s%s%s", path, *path ? "." : "",
				     name),
			arena);
	}
	if (a || b)
		printf("    %s: Redis has %zu, computed %zu\n", path, redis->n,
		       ours->n);
}

static void show_difference(const struct entry *entry,
			    const struct outbox_item *item) {
	struct arena arena = { 0 };
	const struct json *redis, *ours;

	printf("seq %" PRIu64 ": differs\n", entry->seq);
	if (json_parse(&redis, &arena, entry->json, entry->len) < 0)
		printf("    what Redis holds is no record\n");
	else if (json_parse(&ours, &arena, item->json, item->json_len) == 0)
		compare(redis, ours, "", &arena);
	arena_free(&arena);
}

static bool on_item(void *context, const struct outbox_item *item) {
	struct audit *audit = context;
	struct entry *entry = find(audit, item->seq);

	if (entry && entry->len == item->json_len &&
	    !memcmp(entry->json, item->json, entry->len)) {
		entry->computed = true;
		audit->same++;
	} else if (entry) {
		if (audit->differ++ < SHOWN_MOST)
			show_difference(entry, item);
		entry->computed = true;
	}
	return item->seq < audit->last;
}

static int mask_key(const struct audit *audit, uint8_t key[32],
		    struct buf *why) {
	const struct config *config = &audit->config;
	bool made;

	memset(key, 0, 32);
	if (config->mask_key) {
		sha256(config->mask_key, strlen(config->mask_key), key);
		return 0;
	}
	if (!config->state)
		return 0;
	if (access(arena_printf(&((struct audit *)(uintptr_t)audit)->arena,
				"%s/mask_key", config->state),
		   F_OK) < 0)
		return 0;
	return statedir_key(config->state, key, &made, why);
}

static int recompute_one(struct audit *audit, const struct origin *origin,
			 struct withheld_list *list, FILE *say) {
	CLEANUP(buf_free) struct buf why = { 0 };
	struct recompute what = { .item = on_item, .context = audit };
	int r = mask_key(audit, what.mask_key, &why);

	if (list) {
		what.item = NULL;
		withheld_list_ask(list, &what);
	}
	if (r == 0)
		r = origin_recompute(origin, &audit->config, &what, &why);
	if (r < 0)
		fprintf(stderr, "tocsin audit: journal %u: %s\n",
			origin->journal, buf_cstr(&why));
	else
		fprintf(say, "journal %u: %" PRIu64 " inputs%s, rules %.16s…\n",
			origin->journal, what.inputs,
			what.log ? " from Kafka" : "", what.rules);
	return r < 0 ? FINDINGS : CLEAN;
}

/*
 * From the oldest journal that can be computed again to the newest; each
 * transition goes to the audit, or, if there is a @list, each withheld verdict
 * there.
 */
static int recompute_all(struct audit *audit, struct withheld_list *list,
			 FILE *say) {
	size_t n = 0;
	struct origin *all = origin_list(audit->config.state, &n);
	int code = n ? CLEAN : FINDINGS;

	if (!n)
		fprintf(stderr,
			"tocsin audit: %s: there is neither an archive nor a "
			"journal\n",
			audit->config.state);
	for (size_t i = n; i-- > 0;)
		if (recompute_one(audit, &all[i], list, say) != CLEAN)
			code = FINDINGS;
	free(all);
	return code;
}

static int verify(struct audit *audit, const char *id) {
	size_t missing = 0;
	int code;

	if (!read_stream(audit, id))
		return FINDINGS;
	if (!audit->n) {
		fprintf(stderr, "tocsin audit: Redis has no transition%s%s\n",
			id ? " of alert " : "", id ? id : "");
		return FINDINGS;
	}
	code = recompute_all(audit, NULL, stdout);
	for (size_t i = 0; i < audit->n; i++)
		if (!audit->entries[i].computed && missing++ < SHOWN_MOST)
			printf("seq %" PRIu64 ": was not computed\n",
			       audit->entries[i].seq);
	if (id)
		printf("alert %s: ", id);
	printf("%zu transitions, %zu the same byte for byte, %zu differ, "
	       "%zu not computed\n",
	       audit->n, audit->same, audit->differ, missing);
	return audit->differ || missing ? FINDINGS : code;
}

/* --- what was withheld --- */

static int withheld(struct audit *audit) {
	struct withheld_list *list = withheld_list_new(audit->rule, audit->key);
	int code = recompute_all(audit, list, stderr);
	uint64_t silent = withheld_list_silent(list);

	withheld_list_print(list, audit->json, stdout);
	if (silent)
		fprintf(stderr,
			"tocsin audit: %" PRIu64 " more while a seam took the "
			"past silently: nothing could ring then\n",
			silent);
	if (withheld_list_lacks_rule(list)) {
		fprintf(stderr,
			"tocsin audit: no journal was computed with a rule "
			"%s\n",
			audit->rule);
		code = FINDINGS;
	}
	withheld_list_free(list);
	return code;
}

/* --- one alert in a file --- */

/* @name of a record, a member of its top; the caller keeps @arena. */
static const char *text_of(const char *json, size_t len, const char *name,
			   struct arena *arena) {
	const struct json *tree;

	return json_parse(&tree, arena, json, len) == 0
		       ? json_text(json_get(tree, name))
		       : NULL;
}

static int export_one(struct audit *audit, const struct origin *origin,
		      const char *id, const char *rule,
		      const char *const *records, struct buf *why) {
	struct recompute what = { 0 };
	bool from_log[2];
	size_t n = origin_places(origin, &audit->config, from_log);
	int r = mask_key(audit, what.mask_key, why);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf own = { 0 };

		origin_set(&what, origin, &audit->config, from_log[i]);
		r = export_alert(&what, audit->output, id, rule, records,
				 audit->n, &own);
		if (r == 0)
			break;
		buf_printf(why, "%s%s", why->len ? "; " : "", buf_cstr(&own));
	}
	return r;
}

/* The newest journal that leads to it. */
static int export_from(struct audit *audit, const char *id, const char *rule,
		       const char *const *records) {
	CLEANUP(buf_free) struct buf why = { 0 };
	size_t n = 0;
	struct origin *all = origin_list(audit->config.state, &n);
	int r = -ENOENT;

	for (size_t i = 0; r < 0 && i < n; i++)
		r = export_one(audit, &all[i], id, rule, records, &why);
	free(all);
	if (r == 0)
		return CLEAN;
	unlink(audit->output);
	fprintf(stderr, "tocsin audit: %s\n",
		why.len ? buf_cstr(&why) : "no journal leads to it");
	return FINDINGS;
}

static int export(struct audit *audit, const char *id) {
	const char **records, *package, *rule;

	if (!read_stream(audit, id))
		return FINDINGS;
	if (!audit->n) {
		fprintf(stderr, "tocsin audit: Redis has no alert %s\n", id);
		return FINDINGS;
	}
	package = text_of(audit->entries[0].json, audit->entries[0].len,
			  "package", &audit->arena);
	rule = text_of(audit->entries[0].json, audit->entries[0].len, "rule",
		       &audit->arena);
	records = arena_array(&audit->arena, const char *, audit->n + 1);
	for (size_t i = 0; i < audit->n; i++)
		records[i] = audit->entries[i].json;
	if (!audit->output)
		audit->output =
			arena_printf(&audit->arena, "alert-%s.jsonl", id);
	umask(077);
	if (export_from(audit, id,
			arena_printf(&audit->arena, "%s/%s",
				     package ? package : "", rule ? rule : ""),
			records) != CLEAN)
		return FINDINGS;
	printf("%s: %zu transitions; it holds records as they came, unmasked\n",
	       audit->output, audit->n);
	return CLEAN;
}

/*
 * What a part of a lane's inputs cannot give: which number of the lane's a
 * transition had, and what came before it in the chain.
 */
static char *without_place(const char *json, size_t len) {
	const char *seq = strstr(json, ",\"seq\":");
	const char *tail = NULL;
	char *text;

	for (const char *at = json; (at = strstr(at, ",\"prev_hash\":\""));
	     at++)
		tail = at;
	if (!seq || !tail)
		return strndup(json, len);
	if (asprintf(&text, "%.*s%.*s}", (int)(seq - json), json,
		     (int)(tail - (seq + 7 + strspn(seq + 7, "0123456789"))),
		     seq + 7 + strspn(seq + 7, "0123456789")) < 0)
		abort();
	return text;
}

static bool on_part(void *context, const struct outbox_item *item) {
	struct audit *audit = context;
	char *ours = without_place(item->json, item->json_len);

	for (size_t i = 0; i < audit->n; i++) {
		struct entry *entry = &audit->entries[i];

		if (entry->computed || strcmp(entry->json, ours) != 0)
			continue;
		entry->computed = true;
		audit->same++;
		break;
	}
	free(ours);
	return audit->same < audit->n;
}

static int verify_file(struct audit *audit, const char *path) {
	CLEANUP(buf_free) struct buf why = { 0 };
	struct recompute what = { .file = path,
				  .item = on_part,
				  .context = audit };
	char **records;
	size_t n;
	int r;

	if (!exported_records(path, &records, &n, &why)) {
		fprintf(stderr, "tocsin audit: %s\n",
			why.len ? buf_cstr(&why) : "no records in the file");
		return FINDINGS;
	}
	audit->entries = calloc(n, sizeof(*audit->entries));
	if (!audit->entries)
		abort();
	for (size_t i = 0; i < n; i++)
		audit->entries[audit->n++].json =
			without_place(records[i], strlen(records[i]));
	r = mask_key(audit, what.mask_key, &why);
	if (r == 0)
		r = recompute(&what, &why);
	if (r < 0)
		fprintf(stderr, "tocsin audit: %s\n", buf_cstr(&why));
	for (size_t i = 0; i < n; i++) {
		if (!audit->entries[i].computed)
			printf("transition %zu: was not computed: %.200s\n",
			       i + 1, records[i]);
		free(records[i]);
	}
	free(records);
	printf("%s: %" PRIu64 " inputs and times, %zu transitions, %zu the "
	       "same but for their place in the lane\n",
	       path, what.inputs, n, audit->same);
	return r == 0 && audit->same == n ? CLEAN : FINDINGS;
}

/* --- chain and head --- */

static int chain(struct audit *audit) {
	const char *fence[] = { "HMGET", key_name(audit, "fence"), "mark",
				"hash", "chain" };
	CLEANUP(reply_freep) redisReply *reply = NULL;
	CLEANUP(buf_free) struct buf hex = { 0 };
	uint8_t prev[32] = { 0 };
	uint64_t seq = 0;

	if (!read_stream(audit, NULL) || !(reply = call(audit, fence, 5)))
		return FINDINGS;
	for (size_t i = 0; i < audit->n; i++) {
		const struct entry *entry = &audit->entries[i];
		struct stamp stamp = { 0 };
		uint8_t follows[32], hash[32];
		const char *body;
		size_t len;

		if (record_parse(&stamp, &body, &len, entry->json, entry->len) <
			    0 ||
		    stamp.seq != entry->seq) {
			printf("seq %" PRIu64 ": the record is not what its "
			       "hash says\n",
			       entry->seq);
			return FINDINGS;
		}
		record_hashes(entry->json, entry->len, follows, hash);
		if (seq &&
		    (entry->seq != seq + 1 || memcmp(follows, prev, 32) != 0)) {
			printf("seq %" PRIu64 ": does not follow seq %" PRIu64
			       "\n",
			       entry->seq, seq);
			return FINDINGS;
		}
		memcpy(prev, hash, 32);
		seq = entry->seq;
	}
	buf_hex(&hex, prev, 32);
	if (reply->elements != 3 || !reply->element[0]->str ||
	    strtoull(reply->element[0]->str, NULL, 10) != seq ||
	    (audit->n && (!reply->element[1]->str ||
			  strcmp(reply->element[1]->str, buf_cstr(&hex))))) {
		printf("the fence does not stand at the last record\n");
		return FINDINGS;
	}
	printf("lane %s: seq %" PRIu64 " to %" PRIu64
	       ", each follows the one before, the last is %s\n",
	       audit->config.lane, audit->n ? audit->entries[0].seq : 0, seq,
	       buf_cstr(&hex));
	return CLEAN;
}

/* Of the newest checkpoint; false: there is none. */
static bool state_head(const struct audit *audit) {
	CLEANUP(buf_free) struct buf hex = { 0 }, why = { 0 }, dir = { 0 };
	struct checkpoint *checkpoint;
	uint32_t *journals = NULL;
	uint64_t *numbers = NULL;
	char *journal;
	size_t n = 0;
	bool found = false;

	if (statedir_begun(audit->config.state, &journals, &n) < 0 || !n)
		return false;
	journal = statedir_journal(audit->config.state, journals[0]);
	buf_printf(&dir, "%s/checkpoint", journal);
	free(journal);
	free(journals);
	if (checkpoint_list(buf_cstr(&dir), &numbers, &n) == 0 && n &&
	    checkpoint_open(&checkpoint, buf_cstr(&dir), numbers[0], &why) ==
		    0) {
		const struct checkpoint_head *head =
			checkpoint_head(checkpoint);

		found = true;
		buf_hex(&hex, head->hash, 32);
		printf("state: lane %s seq %" PRIu64 " hash %s\n",
		       audit->config.lane, head->seq, buf_cstr(&hex));
		checkpoint_close(checkpoint);
	}
	free(numbers);
	return found;
}

static int head(struct audit *audit) {
	const char *fence[] = { "HMGET", key_name(audit, "fence"), "mark",
				"hash" };
	CLEANUP(reply_freep) redisReply *reply = call(audit, fence, 4);

	if (!reply)
		return FINDINGS;
	if (reply->elements != 2 || !reply->element[0]->str) {
		fprintf(stderr, "tocsin audit: Redis holds no lane %s\n",
			audit->config.lane);
		return FINDINGS;
	}
	printf("redis: lane %s seq %s hash %s\n", audit->config.lane,
	       reply->element[0]->str,
	       reply->element[1]->str ? reply->element[1]->str : "none");
	state_head(audit);
	return CLEAN;
}

static void clean_up(struct audit *audit) {
	for (size_t i = 0; i < audit->n; i++)
		free(audit->entries[i].json);
	free(audit->entries);
	link_free(audit->link);
	config_free(&audit->config);
	diag_free(&audit->diag);
	arena_free(&audit->arena);
}

static bool is_file(const char *text) {
	return strlen(text) != 32 ||
	       strspn(text, "0123456789abcdef") != strlen(text);
}

static int choose(const struct verb *verb, struct audit *audit, int n,
		  char **argv) {
	const char *what = n > 0 ? argv[0] : "";
	bool verifies = !strcmp(what, "verify");
	bool exports = !strcmp(what, "export");
	bool lists = !strcmp(what, "withheld");

	if (!verifies && !exports && !lists && strcmp(what, "chain") != 0 &&
	    strcmp(what, "head") != 0)
		return usage_error(verb, "say what to do: verify, export, "
					 "withheld, chain or head");
	if (!lists && (audit->rule || audit->key || audit->json))
		return usage_error(verb, "--rule, --key and --json are of "
					 "withheld");
	if (n != ((verifies && !audit->all) || exports ? 2 : 1))
		return usage_error(verb, verifies || exports
						 ? "say which alert"
						 : "it takes no argument");
	if (audit->config_path && !take_config(audit))
		return FINDINGS;
	if (verifies && !audit->all && is_file(argv[1]))
		return verify_file(audit, argv[1]);
	if (!audit->config_path)
		return usage_error(verb, "--config says where Redis and the "
					 "state are");
	if (lists)
		return withheld(audit);
	if (!connect_redis(audit))
		return FINDINGS;
	if (exports)
		return export(audit, argv[1]);
	if (verifies)
		return verify(audit, audit->all ? NULL : argv[1]);
	return strcmp(what, "chain") ? head(audit) : chain(audit);
}

static int run(const struct verb *verb, struct audit *audit, int argc,
	       char **argv) {
	const struct flag flags[] = {
		{ 'c', "config", "FILE", "the daemon's tocsin.yaml", NULL,
		  &audit->config_path, NULL },
		{ 'o', "output", "FILE", "where export writes", NULL,
		  &audit->output, NULL },
		{ 'a', "all", NULL, "verify every transition that Redis has",
		  &audit->all, NULL, NULL },
		{ 'r', "rule", "PACKAGE/NAME", "withheld: of this rule alone",
		  NULL, &audit->rule, NULL },
		{ 'k', "key", "TEXT",
		  "withheld: of this key alone, as records show it, or by its "
		  "key_ref",
		  NULL, &audit->key, NULL },
		{ 'j', "json", NULL, "withheld: print JSON, a line each",
		  &audit->json, NULL, NULL },
	};
	int n = flags_parse(verb, flags, ARRAY_SIZE(flags), argc, argv);

	return n < 0 ? -1 - n : choose(verb, audit, n, argv);
}

static int audit(const struct verb *verb, int argc, char **argv) {
	struct audit audit = { 0 };
	int r = run(verb, &audit, argc, argv);

	clean_up(&audit);
	return r;
}

const struct verb audit_verb = {
	.name = "audit",
	.summary = "Computes alerts again, lists what was withheld and why, "
		   "checks the chain.",
	.arguments = "verify ID|FILE, export ID, withheld, chain, head",
	.example = "tocsin audit verify -c tocsin.yaml "
		   "0ec2149a63c06ff17ab60bbc7554cfc5\n"
		   "tocsin audit verify -c tocsin.yaml --all\n"
		   "tocsin audit export -c tocsin.yaml -o alert.jsonl "
		   "0ec2149a63c06ff17ab60bbc7554cfc5\n"
		   "tocsin audit verify alert.jsonl\n"
		   "tocsin audit withheld -c tocsin.yaml --rule "
		   "budget/overspend\n"
		   "tocsin audit head -c tocsin.yaml",
	.run = audit,
};
