#include "sink/redis.h"

#include "alert/outbox.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/util.h"
#include "sink/claim.lua.h"
#include "sink/fence.lua.h"
#include "tocsin/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>

#define BATCH 64u
#define PIPELINE 8u   /* batches under way */
#define PENDING 2048u /* answers waited for */
#define RECORDS_AT_ONCE 256u
#define FENCE_ARGS 8u
#define ALERT_ARGS 12u
#define DEAD_ARGS 6u
#define RETRY_SOON (100 * USEC_PER_MSEC)
#define RETRY_SLOW (2 * USEC_PER_SEC)
#define STATUS_SECONDS "30"

/* Which question an answer belongs to. */
enum question {
	ASKED_AUTH,  /* only an error matters, and it may quote a secret */
	ASKED_SETUP, /* only an error matters */
	ASKED_ROLE,
	ASKED_LOAD_FENCE,
	ASKED_LOAD_CLAIM,
	ASKED_FENCE,
	ASKED_LAST_ALERT,
	ASKED_LAST_DEAD,
	ASKED_CLAIM,
	ASKED_BATCH,
	ASKED_CHECK, /* a batch of nothing: is the fence still ours? */
	ASKED_OPEN,
	ASKED_RECORD,
	ASKED_ASIDE /* an error is logged and changes nothing */
};

struct pending {
	enum question question;
	uint32_t items, dead;
	int64_t asked;
};

struct redis {
	struct redis_options options;
	char owner[33];
	/* Names of keys. */
	char *alerts, *fence_key, *open_key, *dead_key, *alert_prefix;
	/* The connection. */
	struct link *link;
	bool is_open; /* or being opened */
	bool connecting;
	bool write_blocked;
	enum sink_state state;
	int64_t retry_at, backoff;
	int64_t now;
	char said[160];     /* the last complaint, said once */
	bool said_by_reply; /* it came after the claim: see on_batch() */
	char fence_sha[41], claim_sha[41];
	struct pending pending[PENDING];
	size_t pending_head, pending_n;
	/* What it holds. */
	struct sink_fence fence;
	uint64_t epoch;
	uint8_t rules[32];
	bool claiming;
	/* Batches: counts from the head of the lane's outbox. */
	size_t sent_items, sent_dead, batches;
	uint64_t last_dead; /* ordinal of the last one sent, or known there */
	size_t acked_items, acked_dead;
	/* Records of open alerts, and of others that somebody asks for. */
	bool records_asked, records_there;
	uint8_t *others; /* ids of 16 bytes */
	size_t n_others;
	struct wanted *ids;
	size_t n_ids, next_id;
	char **records;
	size_t *lens;
	size_t n_records;
	struct sink_counters counters;
	/* Scratch of a command. */
	const char **argv;
	size_t *argv_len;
	size_t argc, argv_cap;
	struct buf text;
};

/* An alert whose record is asked for. */
struct wanted {
	char id[33];
	bool is_open;
};

static void forget_records(void *self);

/*
 * What each error of Redis leads to. All end the connection, because what is
 * under way behind the failed command can no longer be trusted to its order.
 */
struct remedy {
	const char *error;
	enum { SOON, SLOW, GIVE_UP } when;
	const char *advice;
};
static const struct remedy remedies[] = {
	{ "NOSCRIPT", SOON, "scripts were flushed, loading them again" },
	{ "GAP", SOON, "comparing marks" },
	{ "LOST", SOON, "comparing fences" },
	{ "FENCED", GIVE_UP, "another daemon has taken the lane" },
	{ "OOM", SLOW, "raise maxmemory; alerts wait" },
	{ "READONLY", SLOW, "this is a replica; alerts wait" },
	{ "LOADING", SLOW, "it is reading its data; alerts wait" },
	{ "BUSY", SLOW, "a script of somebody else runs; alerts wait" },
	{ "MISCONF", SLOW, "it cannot save to disk; alerts wait" },
	{ "NOREPLICAS", SLOW, "too few replicas; alerts wait" },
	{ "MASTERDOWN", SLOW, "its master is away; alerts wait" },
	{ "NOAUTH", SLOW, "a password is needed: redis.password" },
	{ "WRONGPASS", SLOW, "check redis.user and redis.password" },
	{ "NOPERM", SLOW, "the user lacks a right, see REDIS.md" },
	{ "WRONGTYPE", SLOW, "a key of ours is used by somebody else" },
	{ "ERR", SLOW, "alerts wait" },
};

/* Of a command in a script this is all that Redis 7.0, and later ones, say. */
static bool is_right_missing_in_script(const char *error) {
	return strstr(error, "The user executing the script can't run") ||
	       strstr(error, "ACL failure in script");
}

static const struct remedy *remedy_for(const char *error) {
	if (is_right_missing_in_script(error))
		error = "NOPERM";
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++) {
		size_t len = strlen(remedies[i].error);

		if (!strncmp(error, remedies[i].error, len) &&
		    (error[len] == ' ' || !error[len]))
			return &remedies[i];
	}
	return &remedies[ARRAY_SIZE(remedies) - 1];
}

static void disconnect(struct redis *redis) {
	link_close(redis->link);
	redis->is_open = redis->connecting = redis->claiming = false;
	redis->pending_head = redis->pending_n = 0;
	redis->sent_items = redis->sent_dead = redis->batches = 0;
	if (!redis->records_there)
		forget_records(redis);
	if (redis->state != SINK_FENCED)
		redis->state = SINK_AWAY;
}

/* Logged once, however often it is tried again. */
static void complain(struct redis *redis, const char *what,
		     const char *advice) {
	char text[sizeof(redis->said)];

	snprintf(text, sizeof(text), "%s", what);
	if (strcmp(text, redis->said) == 0)
		return;
	memcpy(redis->said, text, sizeof(text));
	log_warn("redis: %s%s%s", text, *advice ? ": " : "", advice);
}

static void fail(struct redis *redis, int64_t wait, const char *what,
		 const char *advice) {
	complain(redis, what, advice);
	redis->counters.failures++;
	disconnect(redis);
	redis->backoff = redis->backoff ? redis->backoff * 2 : RETRY_SOON;
	if (redis->backoff < wait)
		redis->backoff = wait;
	if (redis->backoff > RETRY_SLOW)
		redis->backoff = RETRY_SLOW;
	redis->retry_at = redis->now + redis->backoff;
}

static void fail_by_error(struct redis *redis, const char *error) {
	const struct remedy *remedy = remedy_for(error);

	if (remedy->when == GIVE_UP) {
		log_error("redis: %s: %s", error, remedy->advice);
		redis->state = SINK_FENCED;
		disconnect(redis);
		return;
	}
	redis->said_by_reply = redis->state == SINK_OPEN;
	fail(redis, remedy->when == SLOW ? RETRY_SLOW : 0, error,
	     remedy->advice);
}

/* Commands. */

static void arg(struct redis *redis, const char *s, size_t len) {
	if (redis->argc == redis->argv_cap) {
		size_t cap = redis->argv_cap ? redis->argv_cap * 2 : 1024;

		redis->argv = reallocarray(redis->argv, cap, sizeof(char *));
		redis->argv_len =
			reallocarray(redis->argv_len, cap, sizeof(size_t));
		if (!redis->argv || !redis->argv_len)
			abort();
		redis->argv_cap = cap;
	}
	redis->argv[redis->argc] = s;
	redis->argv_len[redis->argc++] = len;
}

static void args(struct redis *redis, const char *s) {
	arg(redis, s, strlen(s));
}

/*
 * A number as text. The scratch may move while it grows, so only its length is
 * kept until the command is complete; see ask().
 */
static void arg_text(struct redis *redis, size_t from) {
	arg(redis, NULL, redis->text.len - from);
}

static void arg_int(struct redis *redis, int64_t n) {
	size_t from = redis->text.len;

	buf_int(&redis->text, n);
	arg_text(redis, from);
}

static void arg_hex(struct redis *redis, const void *bytes, size_t len) {
	size_t from = redis->text.len;

	buf_hex(&redis->text, bytes, len);
	arg_text(redis, from);
}

static bool can_ask(const struct redis *redis) {
	return redis->pending_n < PENDING;
}

static void ask(struct redis *redis, enum question question, size_t items,
		size_t dead) {
	const char *text = redis->text.data;
	struct pending *pending;

	for (size_t i = 0; i < redis->argc; i++)
		if (!redis->argv[i]) {
			redis->argv[i] = text;
			text += redis->argv_len[i];
		}
	assert(can_ask(redis));
	if (redisAppendCommandArgv(link_context(redis->link), (int)redis->argc,
				   redis->argv, redis->argv_len) != REDIS_OK)
		abort();
	pending = &redis->pending[(redis->pending_head + redis->pending_n++) %
				  PENDING];
	*pending = (struct pending){ question, (uint32_t)items, (uint32_t)dead,
				     redis->now };
	redis->argc = 0;
	buf_reset(&redis->text);
}

static void ask_words(struct redis *redis, enum question question,
		      const char *const *words) {
	for (; *words; words++)
		args(redis, *words);
	ask(redis, question, 0, 0);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Everything that a fresh connection needs before the fence can be judged. */
static void greet(struct redis *redis) {
	const struct link_options *o = &redis->options.link;

	/* A user without a password is one, too (nopass), not the default. */
	if (o->user)
		ask_words(
			redis, ASKED_AUTH,
			WORDS("AUTH", o->user, o->password ? o->password : ""));
	else if (o->password)
		ask_words(redis, ASKED_AUTH, WORDS("AUTH", o->password));
	if (redis->options.database) {
		args(redis, "SELECT");
		arg_int(redis, redis->options.database);
		ask(redis, ASKED_SETUP, 0, 0);
	}
	/* Sentinels may be behind the times for a while. */
	if (o->master)
		ask_words(redis, ASKED_ROLE, WORDS("ROLE"));
	ask_words(redis, ASKED_LOAD_FENCE, WORDS("SCRIPT", "LOAD", fence_lua));
	ask_words(redis, ASKED_LOAD_CLAIM, WORDS("SCRIPT", "LOAD", claim_lua));
	ask_words(redis, ASKED_LAST_ALERT,
		  WORDS("XREVRANGE", redis->alerts, "+", "-", "COUNT", "1"));
	ask_words(redis, ASKED_LAST_DEAD,
		  WORDS("XREVRANGE", redis->dead_key, "+", "-", "COUNT", "1"));
	ask_words(redis, ASKED_FENCE,
		  WORDS("HMGET", redis->fence_key, "epoch", "mark", "hash",
			"dead"));
}

static void arg_published(struct redis *redis) {
	size_t from = redis->text.len;
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	buf_printf(&redis->text, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
		   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		   tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
	arg_text(redis, from);
}

/* Dashboards sort by it: level first, then when it fired. */
static void arg_score(struct redis *redis, const struct outbox_item *item) {
	arg_int(redis, (int64_t)item->level * INT64_C(10000000000000) +
			       item->fired / USEC_PER_MSEC);
}

static void arg_alert(struct redis *redis, const struct outbox_item *item) {
	arg_int(redis, (int64_t)item->seq);
	arg_hex(redis, item->hash, 32);
	arg_hex(redis, item->id, 16);
	arg_int(redis, (int64_t)item->rev);
	args(redis, alert_state_name(item->state));
	args(redis, item->open ? "1" : "0");
	args(redis, level_name(item->level));
	args(redis, item->was == LEVEL_NONE ? "" : level_name(item->was));
	args(redis, item->rule);
	args(redis, item->key);
	arg_score(redis, item);
	arg(redis, item->json, item->json_len);
}

static void arg_dead(struct redis *redis, const struct dead_letter *dead) {
	arg_int(redis, (int64_t)dead->ordinal);
	args(redis, dead->at.topic);
	arg_int(redis, dead->at.partition);
	arg_int(redis, dead->at.offset);
	args(redis, refusal_name(dead->refusal));
	args(redis, dead->detail ? dead->detail : "");
}

/* Alerts and dead letters, or neither and an id that is to leave `open`. */
static void arg_batch(struct redis *redis, const struct outbox *outbox,
		      size_t items, size_t dead, const char *stray) {
	args(redis, "EVALSHA");
	args(redis, redis->fence_sha);
	arg_int(redis, (int64_t)(4 + items + (stray != NULL)));
	args(redis, redis->alerts);
	args(redis, redis->fence_key);
	args(redis, redis->open_key);
	args(redis, redis->dead_key);
	for (size_t i = 0; i < items; i++) {
		size_t from = redis->text.len;

		buf_puts(&redis->text, redis->alert_prefix);
		buf_hex(&redis->text,
			outbox_at(outbox, redis->sent_items + i)->id, 16);
		arg_text(redis, from);
	}
	if (stray) {
		size_t from = redis->text.len;

		buf_printf(&redis->text, "%s%s", redis->alert_prefix, stray);
		arg_text(redis, from);
	}
	arg_int(redis, (int64_t)redis->epoch);
	arg_published(redis);
	arg_int(redis, redis->options.keep_s);
	arg_int(redis, (int64_t)redis->options.history);
	arg_int(redis, (int64_t)redis->options.dead_history);
	args(redis, redis->options.prefix);
	arg_int(redis, (int64_t)items);
	arg_int(redis, (int64_t)dead);
	arg_int(redis, (int64_t)redis->last_dead);
	for (size_t i = 0; i < items; i++)
		arg_alert(redis, outbox_at(outbox, redis->sent_items + i));
	for (size_t i = 0; i < dead; i++)
		arg_dead(redis, outbox_dead_at(outbox, redis->sent_dead + i));
	if (stray)
		args(redis, stray);
}

/* Its hash was evicted or deleted, so nobody can ever say that it resolved. */
static void ask_to_take_out(struct redis *redis, const char *id) {
	arg_batch(redis, NULL, 0, 0, id);
	ask(redis, ASKED_CHECK, 0, 0);
}

/* Answers. */

static uint64_t number_of(const redisReply *reply) {
	return reply->str ? strtoull(reply->str, NULL, 10) : 0;
}

static bool hash_of(uint8_t hash[32], const char *hex) {
	for (size_t i = 0; i < 32; i++) {
		char byte[3] = { hex[2 * i], 0, 0 };
		char *end;

		if (!byte[0])
			return false;
		byte[1] = hex[2 * i + 1];
		hash[i] = (uint8_t)strtoul(byte, &end, 16);
		if (end != byte + 2)
			return false;
	}
	return hex[64] == 0 || hex[64] == '"';
}

/* {id, [field, value, …]} of the last entry of a stream. */
static const redisReply *last_entry(const redisReply *reply) {
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 ||
	    reply->element[0]->type != REDIS_REPLY_ARRAY ||
	    reply->element[0]->elements != 2)
		return NULL;
	return reply->element[0];
}

/*
 * The stream outlives a fence that somebody deleted: its last entry says what
 * the mark was, and the hash stands at the end of the record.
 */
static void on_last_alert(struct redis *redis, const redisReply *reply) {
	static const char tail[] = "\"hash\":\"";
	const redisReply *entry = last_entry(reply), *fields;

	redis->fence = (struct sink_fence){ 0 };
	if (!entry)
		return;
	redis->fence.mark = number_of(entry->element[0]);
	fields = entry->element[1];
	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		const char *json = fields->element[i + 1]->str;
		const char *at = NULL;

		if (strcmp(fields->element[i]->str, "json") != 0)
			continue;
		for (const char *next = json; (next = strstr(next, tail));)
			at = next += sizeof(tail) - 1;
		if (at)
			redis->fence.has_hash = hash_of(redis->fence.hash, at);
	}
}

static void on_last_dead(struct redis *redis, const redisReply *reply) {
	const redisReply *entry = last_entry(reply);

	if (entry)
		redis->fence.dead = number_of(entry->element[0]);
}

static void on_fence(struct redis *redis, const redisReply *reply) {
	struct sink_fence *fence = &redis->fence;
	redisReply **field = reply->element;

	if (reply->elements != 4) {
		fail(redis, RETRY_SLOW, "the fence cannot be read", "");
		return;
	}
	if (field[1]->str) {
		fence->exists = true;
		fence->epoch = number_of(field[0]);
		fence->mark = number_of(field[1]);
		fence->has_hash =
			field[2]->str && hash_of(fence->hash, field[2]->str);
		fence->dead = number_of(field[3]);
	}
	redis->state = SINK_MET;
	redis->counters.connections++;
}

static void introduce(struct redis *redis, const char *set,
		      const char *member) {
	size_t from = redis->text.len;

	args(redis, "SADD");
	buf_printf(&redis->text, "%s:%s", redis->options.prefix, set);
	arg_text(redis, from);
	args(redis, member);
	ask(redis, ASKED_ASIDE, 0, 0);
}

/*
 * The daemon that had the lane could write until the very claim. What it wrote
 * since the fence was read must be read, too: alerts numbered from an older
 * mark would be taken for ones that are there already.
 */
static bool fence_has_moved(const struct redis *redis,
			    const redisReply *reply) {
	return reply->elements != 2 ||
	       number_of(reply->element[0]) != redis->fence.mark ||
	       number_of(reply->element[1]) != redis->fence.dead;
}

static void on_claim(struct redis *redis, const redisReply *reply) {
	redis->claiming = false;
	if (fence_has_moved(redis, reply)) {
		fail(redis, 0, "the fence has moved under the claim",
		     "reading it again");
		return;
	}
	redis->state = SINK_OPEN;
	redis->last_dead = redis->fence.dead;
	redis->backoff = 0;
	if (!redis->said_by_reply) {
		redis->said[0] = 0;
		log_info("redis: connected to %s, epoch %llu, mark %llu",
			 link_peer(redis->link),
			 (unsigned long long)redis->epoch,
			 (unsigned long long)redis->fence.mark);
	}
	redis->fence.exists = true;
	redis->fence.epoch = redis->epoch;
	introduce(redis, "lanes", redis->options.lane);
	introduce(redis, "instances", redis->options.instance);
}

static void on_batch(struct redis *redis, const struct pending *pending,
		     const redisReply *reply) {
	redis->sent_items -= pending->items;
	redis->sent_dead -= pending->dead;
	redis->acked_items += pending->items;
	redis->acked_dead += pending->dead;
	redis->batches--;
	redis->counters.alerts += pending->items;
	redis->counters.dead_letters += pending->dead;
	redis->counters.batches++;
	redis->counters.last_usec = (uint64_t)(redis->now - pending->asked);
	if (reply->elements == 4 && reply->element[2]->integer > 0) {
		redis->counters.partial += (uint64_t)reply->element[2]->integer;
		complain(redis, reply->element[3]->str,
			 "the alert is in the stream, this part is not");
	} else if (redis->said_by_reply) {
		log_info("redis: takes alerts again");
		redis->said[0] = 0;
	}
	redis->said_by_reply = false;
}

static int compare_wanted(const void *a, const void *b) {
	const struct wanted *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static void want_others(struct redis *redis) {
	size_t n_open = redis->n_ids;

	for (size_t i = 0; i < redis->n_others; i++) {
		struct wanted *other = &redis->ids[redis->n_ids];
		CLEANUP(buf_free) struct buf hex = { 0 };

		buf_hex(&hex, redis->others + 16 * i, 16);
		snprintf(other->id, sizeof(other->id), "%s", buf_cstr(&hex));
		if (!bsearch(other, redis->ids, n_open, sizeof(*other),
			     compare_wanted))
			redis->n_ids++;
	}
	qsort(redis->ids, redis->n_ids, sizeof(*redis->ids), compare_wanted);
}

static void on_open(struct redis *redis, const redisReply *reply) {
	size_t most = reply->elements + redis->n_others + 1;

	redis->n_ids = reply->elements;
	redis->ids = calloc(most, sizeof(*redis->ids));
	redis->records = calloc(most, sizeof(char *));
	redis->lens = calloc(most, sizeof(size_t));
	if (!redis->ids || !redis->records || !redis->lens)
		abort();
	for (size_t i = 0; i < reply->elements; i++) {
		snprintf(redis->ids[i].id, sizeof(redis->ids[i].id), "%s",
			 reply->element[i]->str);
		redis->ids[i].is_open = true;
	}
	qsort(redis->ids, redis->n_ids, sizeof(*redis->ids), compare_wanted);
	want_others(redis);
	redis->records_there = redis->n_ids == 0;
}

static void on_record(struct redis *redis, const redisReply *reply) {
	size_t i = redis->n_records;

	if (reply->type == REDIS_REPLY_STRING) {
		redis->records[i] = malloc(reply->len + 1);
		if (!redis->records[i])
			abort();
		memcpy(redis->records[i], reply->str, reply->len + 1);
		redis->lens[i] = reply->len;
		redis->n_records++;
	} else {
		if (redis->ids[i].is_open)
			ask_to_take_out(redis, redis->ids[i].id);
		redis->n_ids--;
		redis->next_id--;
		memmove(&redis->ids[i], &redis->ids[i + 1],
			(redis->n_ids - i) * sizeof(*redis->ids));
	}
	redis->records_there = redis->n_records == redis->n_ids;
}

static void remember_sha(char sha[41], const redisReply *reply) {
	snprintf(sha, 41, "%s", reply->str ? reply->str : "");
}

/* A server that knows no AUTH says what it was given. */
static void on_refused_auth(struct redis *redis, const char *error) {
	char text[64];

	snprintf(text, sizeof(text), "%.*s AUTH was refused",
		 (int)strcspn(error, " "), error);
	fail_by_error(redis, text);
}

static void on_error(struct redis *redis, enum question question,
		     const char *error) {
	if (question == ASKED_AUTH)
		on_refused_auth(redis, error);
	else if (question == ASKED_ASIDE)
		complain(redis, error, "");
	else
		fail_by_error(redis, error);
}

static void on_role(struct redis *redis, const redisReply *reply) {
	if (reply->type != REDIS_REPLY_ARRAY || !reply->elements ||
	    !reply->element[0]->str ||
	    strcmp(reply->element[0]->str, "master") != 0)
		fail(redis, 0, "whom the sentinel named is no master",
		     "asking again");
}

static void on_answer(struct redis *redis, const struct pending *pending,
		      const redisReply *reply) {
	if (reply->type == REDIS_REPLY_ERROR) {
		on_error(redis, pending->question, reply->str);
		return;
	}
	switch (pending->question) {
	case ASKED_AUTH:
	case ASKED_SETUP:
	case ASKED_ASIDE:
	case ASKED_CHECK:
		break;
	case ASKED_ROLE:
		on_role(redis, reply);
		break;
	case ASKED_LOAD_FENCE:
		remember_sha(redis->fence_sha, reply);
		break;
	case ASKED_LOAD_CLAIM:
		remember_sha(redis->claim_sha, reply);
		break;
	case ASKED_FENCE:
		on_fence(redis, reply);
		break;
	case ASKED_LAST_ALERT:
		on_last_alert(redis, reply);
		break;
	case ASKED_LAST_DEAD:
		on_last_dead(redis, reply);
		break;
	case ASKED_CLAIM:
		on_claim(redis, reply);
		break;
	case ASKED_BATCH:
		on_batch(redis, pending, reply);
		break;
	case ASKED_OPEN:
		on_open(redis, reply);
		break;
	case ASKED_RECORD:
		on_record(redis, reply);
		break;
	}
}

/* The socket. */

static void read_answers(struct redis *redis) {
	uint64_t failures = redis->counters.failures;
	redisReply *reply;
	int r;

	if (link_read(redis->link) < 0) {
		fail(redis, 0, link_error(redis->link), "alerts wait");
		return;
	}
	while (redis->is_open && failures == redis->counters.failures) {
		struct pending pending;

		r = link_reply(redis->link, &reply);
		if (r < 0)
			fail(redis, 0, link_error(redis->link), "");
		if (r <= 0)
			return;
		if (!redis->pending_n) {
			freeReplyObject(reply);
			fail(redis, 0, "an answer to no question", "");
			return;
		}
		pending = redis->pending[redis->pending_head];
		redis->pending_head = (redis->pending_head + 1) % PENDING;
		redis->pending_n--;
		on_answer(redis, &pending, reply);
		freeReplyObject(reply);
	}
}

static void write_questions(struct redis *redis) {
	bool done = false;

	if (link_write(redis->link, &done) < 0) {
		fail(redis, 0, link_error(redis->link), "alerts wait");
		return;
	}
	redis->write_blocked = !done;
}

static void begin_connection(struct redis *redis) {
	redis->is_open = redis->connecting = true;
	redis->retry_at = redis->now + redis->options.timeout;
	link_open(redis->link);
}

/* Whether the connection stands; a failed one is dropped. */
static bool finish_connection(struct redis *redis) {
	int r = link_connect(redis->link);

	if (r < 0)
		fail(redis, 0, link_error(redis->link), "trying again");
	else if (r == 0 && redis->now >= redis->retry_at)
		fail(redis, 0, "no answer to connect", "trying again");
	if (r <= 0)
		return false;
	redis->connecting = false;
	greet(redis);
	return true;
}

static void ask_for_records(struct redis *redis) {
	if (!redis->ids || redis->records_there)
		return;
	while (redis->next_id < redis->n_ids &&
	       redis->pending_n < RECORDS_AT_ONCE) {
		size_t from = redis->text.len;

		args(redis, "HGET");
		buf_printf(&redis->text, "%s%s", redis->alert_prefix,
			   redis->ids[redis->next_id++].id);
		arg_text(redis, from);
		args(redis, "json");
		ask(redis, ASKED_RECORD, 0, 0);
	}
}

static void serve(void *self, int64_t now) {
	struct redis *redis = self;

	redis->now = now;
	if (redis->state == SINK_FENCED)
		return;
	if (!redis->is_open && now >= redis->retry_at)
		begin_connection(redis);
	if (redis->is_open && redis->connecting && !finish_connection(redis))
		return;
	if (redis->is_open)
		read_answers(redis);
	if (redis->is_open && redis->pending_n &&
	    now - redis->pending[redis->pending_head].asked >
		    redis->options.timeout)
		fail(redis, 0, "no answer in time", "connecting anew");
	if (redis->is_open)
		ask_for_records(redis);
	if (redis->is_open)
		write_questions(redis);
}

static int sink_fd(const void *self) {
	bool out;

	return link_fd(((const struct redis *)self)->link, &out);
}

static unsigned sink_events(const void *self) {
	const struct redis *redis = self;
	bool out;

	link_fd(redis->link, &out);
	return out || (redis->write_blocked && !redis->connecting)
		       ? EPOLLIN | EPOLLOUT
		       : EPOLLIN;
}

static int64_t sink_wake(const void *self) {
	const struct redis *redis = self;

	if (redis->state == SINK_FENCED)
		return INT64_MAX;
	if (!redis->is_open || redis->connecting)
		return redis->retry_at;
	if (redis->pending_n)
		return redis->pending[redis->pending_head].asked +
		       redis->options.timeout + 1;
	return INT64_MAX;
}

static enum sink_state sink_state(const void *self) {
	return ((const struct redis *)self)->state;
}

static const struct sink_fence *sink_fence(const void *self) {
	return &((const struct redis *)self)->fence;
}

static void claim(void *self, uint64_t epoch, const uint8_t rules[32]) {
	struct redis *redis = self;

	if (redis->state != SINK_MET || redis->claiming)
		return;
	redis->claiming = true;
	redis->epoch = epoch;
	memcpy(redis->rules, rules, 32);
	args(redis, "EVALSHA");
	args(redis, redis->claim_sha);
	args(redis, "1");
	args(redis, redis->fence_key);
	arg_int(redis, (int64_t)epoch);
	args(redis, redis->owner);
	arg_hex(redis, rules, 32);
	arg_int(redis, (int64_t)redis->fence.mark);
	if (redis->fence.has_hash)
		arg_hex(redis, redis->fence.hash, 32);
	else
		args(redis, "");
	arg_int(redis, (int64_t)redis->fence.dead);
	ask(redis, ASKED_CLAIM, 0, 0);
	write_questions(redis);
}

static void ask_records(void *self, const uint8_t *ids, size_t n) {
	struct redis *redis = self;

	if (redis->records_asked || redis->state != SINK_OPEN)
		return;
	redis->records_asked = true;
	redis->others = malloc(16 * n + 1);
	if (!redis->others)
		abort();
	if (n)
		memcpy(redis->others, ids, 16 * n);
	redis->n_others = n;
	ask_words(redis, ASKED_OPEN,
		  WORDS("ZRANGE", redis->open_key, "0", "-1"));
	write_questions(redis);
}

static bool records(const void *self, const char *const **ret,
		    const size_t **lens, size_t *n) {
	const struct redis *redis = self;

	if (!redis->records_there)
		return false;
	*ret = (const char *const *)redis->records;
	*lens = redis->lens;
	*n = redis->n_records;
	return true;
}

static void forget_records(void *self) {
	struct redis *redis = self;

	for (size_t i = 0; i < redis->n_records; i++)
		free(redis->records[i]);
	free(redis->others);
	free(redis->ids);
	free(redis->records);
	free(redis->lens);
	redis->others = NULL;
	redis->ids = NULL;
	redis->records = NULL;
	redis->lens = NULL;
	redis->n_others = 0;
	redis->n_ids = redis->n_records = redis->next_id = 0;
	redis->records_asked = redis->records_there = false;
}

static void send_batch(struct redis *redis, const struct outbox *outbox,
		       size_t items, size_t dead) {
	arg_batch(redis, outbox, items, dead, NULL);
	ask(redis, ASKED_BATCH, items, dead);
	redis->sent_items += items;
	redis->sent_dead += dead;
	if (dead)
		redis->last_dead =
			outbox_dead_at(outbox, redis->sent_dead - 1)->ordinal;
	redis->batches++;
}

static size_t least(size_t a, size_t b) {
	return a < b ? a : b;
}

/*
 * While a batch is under way, fewer than a full one wait for its answer: that
 * is the time in which a batch fills, and an alert that comes alone never
 * waits.
 */
static void send_all(void *self, const struct outbox *outbox, size_t items,
		     size_t dead, int64_t now) {
	struct redis *redis = self;

	redis->now = now;
	while (redis->state == SINK_OPEN && redis->batches < PIPELINE &&
	       can_ask(redis)) {
		size_t n = least(items - redis->sent_items, BATCH);
		size_t m = least(dead - redis->sent_dead, BATCH);

		if (!n && !m)
			break;
		if (redis->batches && n < BATCH && m < BATCH)
			break;
		send_batch(redis, outbox, n, m);
	}
	if (redis->is_open && !redis->connecting && !redis->write_blocked)
		write_questions(redis);
}

static void acknowledged(void *self, size_t *items, size_t *dead) {
	struct redis *redis = self;

	*items = redis->acked_items;
	*dead = redis->acked_dead;
	redis->acked_items = redis->acked_dead = 0;
}

static void drop(void *self) {
	struct redis *redis = self;

	disconnect(redis);
	redis->acked_items = redis->acked_dead = 0;
	redis->retry_at = redis->now;
}

static void status(void *self, const char *const *pairs, size_t n) {
	struct redis *redis = self;
	size_t from;

	if (redis->state != SINK_OPEN || redis->pending_n + 3 > PENDING)
		return;
	/* Nobody else would notice that it was emptied under a silent lane. */
	arg_batch(redis, NULL, 0, 0, NULL);
	ask(redis, ASKED_CHECK, 0, 0);
	from = redis->text.len;
	args(redis, "HSET");
	buf_printf(&redis->text, "%s:status:%s", redis->options.prefix,
		   redis->options.instance);
	arg_text(redis, from);
	for (size_t i = 0; i < 2 * n; i++)
		args(redis, pairs[i]);
	ask(redis, ASKED_ASIDE, 0, 0);
	from = redis->text.len;
	args(redis, "EXPIRE");
	buf_printf(&redis->text, "%s:status:%s", redis->options.prefix,
		   redis->options.instance);
	arg_text(redis, from);
	args(redis, STATUS_SECONDS);
	ask(redis, ASKED_ASIDE, 0, 0);
}

static const struct sink_counters *counters(const void *self) {
	return &((const struct redis *)self)->counters;
}

static void sink_free(void *self) {
	struct redis *redis = self;

	disconnect(redis);
	forget_records(redis);
	link_free(redis->link);
	free(redis->alerts);
	free(redis->fence_key);
	free(redis->open_key);
	free(redis->dead_key);
	free(redis->alert_prefix);
	free(redis->argv);
	free(redis->argv_len);
	buf_free(&redis->text);
	free(redis);
}

static const struct sink_class redis_class = {
	.name = "redis",
	.fd = sink_fd,
	.events = sink_events,
	.wake = sink_wake,
	.serve = serve,
	.state = sink_state,
	.fence = sink_fence,
	.claim = claim,
	.ask_records = ask_records,
	.records = records,
	.forget_records = forget_records,
	.send = send_all,
	.acknowledged = acknowledged,
	.drop = drop,
	.status = status,
	.counters = counters,
	.free = sink_free,
};

static char *key_name(const struct redis_options *o, const char *what) {
	char *name;

	if (asprintf(&name, "%s:{%s}:%s", o->prefix, o->lane, what) < 0)
		abort();
	return name;
}

int redis_sink_new(struct sink *ret, const struct redis_options *options,
		   char *why) {
	struct redis *redis = calloc(1, sizeof(*redis));
	struct buf owner = { 0 };
	uint8_t random[16];
	int r;

	if (!redis)
		abort();
	r = link_new(&redis->link, &options->link, why);
	if (r == 0 && getrandom(random, sizeof(random), 0) != sizeof(random)) {
		snprintf(why, LINK_WHY, "no random numbers");
		r = -EIO;
	}
	if (r < 0) {
		link_free(redis->link);
		free(redis);
		return r;
	}
	buf_hex(&owner, random, sizeof(random));
	memcpy(redis->owner, buf_cstr(&owner), sizeof(redis->owner));
	buf_free(&owner);
	redis->options = *options;
	redis->alerts = key_name(options, "alerts");
	redis->fence_key = key_name(options, "fence");
	redis->open_key = key_name(options, "open");
	redis->dead_key = key_name(options, "dead");
	redis->alert_prefix = key_name(options, "alert:");
	*ret = (struct sink){ &redis_class, redis };
	return 0;
}
