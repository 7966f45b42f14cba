/*
 * Reads the streams of alerts, not the channels: a channel may be missed. When
 * the connection is lost it goes on from the entry it saw last.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "config.h"
#include "sink/link.h"
#include "tool/show.h"
#include "tool/verb.h"

#define MAX_LANES 64
#define BLOCK_MS "500"

struct lane {
	char *stream; /* tocsin:{0}:alerts */
	char last[48];
};

struct tail {
	const char *config_path, *url, *user, *prefix, *language, *count;
	int64_t database;
	struct config config;
	struct diag diag;
	bool from_start, json;
	bool refused; /* the user lacks a right: trying again is in vain */
	struct link_options to;
	struct link *link;
	struct lane lanes[MAX_LANES];
	size_t n;
	long left; /* entries until it ends; negative: no end */
	struct columns columns;
	struct arena arena;
	struct buf line;
};

static volatile sig_atomic_t stop;

static void on_signal(int number) {
	(void)number;
	stop = 1;
}

static void reply_freep(redisReply **reply) {
	if (*reply)
		freeReplyObject(*reply);
}

#define PATIENCE_MS 5000

static redisReply *call(struct tail *tail, const char *const *argv, int n) {
	return link_call(tail->link, argv, n, PATIENCE_MS);
}

static bool agree(struct tail *tail, const char *const *argv, int n) {
	CLEANUP(reply_freep) redisReply *reply = call(tail, argv, n);

	if (reply && reply->type == REDIS_REPLY_ERROR)
		fprintf(stderr, "tocsin tail: %s\n", reply->str);
	return reply && reply->type != REDIS_REPLY_ERROR;
}

static bool authenticate(struct tail *tail) {
	const struct link_options *o = &tail->to;
	const char *argv[] = { "AUTH", o->user ? o->user : "default",
			       o->password ? o->password : "" };
	CLEANUP(reply_freep) redisReply *reply = NULL;

	/* A user without a password is one, too (nopass). */
	if (!o->password && !o->user)
		return true;
	reply = call(tail, argv, 3);
	if (!reply || reply->type != REDIS_REPLY_ERROR)
		return reply != NULL;
	/* No more of it: a server that knows no AUTH says what it was given. */
	fprintf(stderr, "tocsin tail: %.*s AUTH was refused\n",
		(int)strcspn(reply->str, " "), reply->str);
	return false;
}

static bool select_database(struct tail *tail) {
	char number[24];
	const char *argv[] = { "SELECT", number };

	snprintf(number, sizeof(number), "%lld", (long long)tail->database);
	return !tail->database || agree(tail, argv, 2);
}

/* Connects, or connects anew. */
static bool greet(struct tail *tail) {
	return link_open_wait(tail->link, PATIENCE_MS) && authenticate(tail) &&
	       select_database(tail);
}

static bool connect_redis(struct tail *tail) {
	char why[LINK_WHY];

	if (tail->url && !redis_url(&tail->to, &tail->arena, tail->url)) {
		fprintf(stderr, "tocsin tail: what kind of address is %s?\n",
			tail->url);
		return false;
	}
	if (link_new(&tail->link, &tail->to, why) < 0) {
		fprintf(stderr, "tocsin tail: Redis: %s\n", why);
		return false;
	}
	if (greet(tail))
		return true;
	if (*link_error(tail->link))
		fprintf(stderr, "tocsin tail: Redis: %s\n",
			link_error(tail->link));
	return false;
}

static void add_lane(struct tail *tail, const char *name) {
	struct lane *lane = &tail->lanes[tail->n];

	if (tail->n == MAX_LANES)
		return;
	if (asprintf(&lane->stream, "%s:{%s}:alerts", tail->prefix, name) < 0)
		abort();
	snprintf(lane->last, sizeof(lane->last), "0-0");
	tail->n++;
}

static bool find_lanes(struct tail *tail) {
	CLEANUP(reply_freep) redisReply *reply = NULL;
	char *key = NULL;
	const char *argv[2] = { "SMEMBERS", NULL };

	if (asprintf(&key, "%s:lanes", tail->prefix) < 0)
		abort();
	argv[1] = key;
	reply = call(tail, argv, 2);
	free(key);
	if (!reply || reply->type == REDIS_REPLY_ERROR) {
		fprintf(stderr, "tocsin tail: %s\n",
			reply ? reply->str : link_error(tail->link));
		return false;
	}
	for (size_t i = 0; i < reply->elements; i++)
		add_lane(tail, reply->element[i]->str);
	if (!tail->n)
		add_lane(tail, "0");
	return true;
}

/* Begins behind what is there now. */
static bool skip_to_now(struct tail *tail, struct lane *lane) {
	const char *argv[] = {
		"XREVRANGE", lane->stream, "+", "-", "COUNT", "1"
	};
	CLEANUP(reply_freep) redisReply *reply = call(tail, argv, 6);

	if (!reply || reply->type != REDIS_REPLY_ARRAY)
		return false;
	if (reply->elements)
		snprintf(lane->last, sizeof(lane->last), "%s",
			 reply->element[0]->element[0]->str);
	return true;
}

static const redisReply *field_of(const redisReply *fields, const char *name) {
	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		if (!strcmp(fields->element[i]->str, name))
			return fields->element[i + 1];
	}
	return NULL;
}

static void show_entry(struct tail *tail, const redisReply *fields) {
	const redisReply *text = field_of(fields, "json");
	const struct json *record;

	if (!text || text->type != REDIS_REPLY_STRING)
		return;
	buf_reset(&tail->line);
	if (tail->json) {
		buf_add(&tail->line, text->str, text->len);
		buf_putc(&tail->line, '\n');
	} else {
		arena_reset(&tail->arena);
		if (json_parse(&record, &tail->arena, text->str, text->len) < 0)
			return;
		show_record(&tail->line, record, &tail->columns);
	}
	fwrite(tail->line.data, 1, tail->line.len, stdout);
}

static struct lane *lane_of(struct tail *tail, const char *stream) {
	for (size_t i = 0; i < tail->n; i++) {
		if (!strcmp(tail->lanes[i].stream, stream))
			return &tail->lanes[i];
	}
	return NULL;
}

static void show_stream(struct tail *tail, const redisReply *stream) {
	struct lane *lane = lane_of(tail, stream->element[0]->str);
	const redisReply *entries = stream->element[1];

	for (size_t i = 0; lane && i < entries->elements && tail->left; i++) {
		const redisReply *entry = entries->element[i];

		snprintf(lane->last, sizeof(lane->last), "%s",
			 entry->element[0]->str);
		show_entry(tail, entry->element[1]);
		if (tail->left > 0)
			tail->left--;
	}
	fflush(stdout);
}

/* False: the connection is gone. */
static bool read_on(struct tail *tail) {
	CLEANUP(reply_freep) redisReply *reply = NULL;
	const char *argv[6 + 2 * MAX_LANES] = { "XREAD", "BLOCK", BLOCK_MS,
						"COUNT", "256",   "STREAMS" };

	for (size_t i = 0; i < tail->n; i++) {
		argv[6 + i] = tail->lanes[i].stream;
		argv[6 + tail->n + i] = tail->lanes[i].last;
	}
	reply = call(tail, argv, (int)(6 + 2 * tail->n));
	if (!reply)
		return false;
	if (reply->type == REDIS_REPLY_ERROR) {
		fprintf(stderr, "tocsin tail: %s\n", reply->str);
		tail->refused = !strncmp(reply->str, "NOPERM", 6);
		return false;
	}
	for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY &&
			   i < reply->elements && tail->left;
	     i++)
		show_stream(tail, reply->element[i]);
	return true;
}

static bool reconnect(struct tail *tail) {
	fprintf(stderr, "tocsin tail: the connection is lost, trying again\n");
	while (!stop) {
		sleep(1);
		if (greet(tail))
			return true;
	}
	return false;
}

static int follow(struct tail *tail) {
	struct buf head = { 0 };

	if (!connect_redis(tail) || !find_lanes(tail))
		return FINDINGS;
	for (size_t i = 0; i < tail->n && !tail->from_start; i++) {
		if (!skip_to_now(tail, &tail->lanes[i]))
			return FINDINGS;
	}
	if (!tail->json) {
		show_head(&head, &tail->columns);
		printf("%s", buf_cstr(&head));
		fflush(stdout);
	}
	buf_free(&head);
	while (!stop && tail->left) {
		if (!read_on(tail) && !stop &&
		    (tail->refused || !reconnect(tail)))
			break;
	}
	return tail->refused ? FINDINGS : CLEAN;
}

/* What the daemon's configuration says, unless an option says otherwise. */
static bool take_config(struct tail *tail) {
	CLEANUP(buf_free) struct buf out = { 0 };
	const struct config *config = &tail->config;

	if (config_load(&tail->config, tail->config_path, &tail->diag) < 0) {
		diag_sort(&tail->diag);
		diag_print(&tail->diag, &out, isatty(STDERR_FILENO) == 1);
		fputs(buf_cstr(&out), stderr);
		return false;
	}
	tail->database = config->redis_database;
	if (!tail->language)
		tail->columns.language = (enum language)config->language;
	tail->to = config->redis;
	if (!tail->prefix)
		tail->prefix = config->redis_prefix;
	return true;
}

/* A password comes from there or the environment: all can see arguments. */
static void take_defaults(struct tail *tail) {
	if (!tail->url && !tail->config_path)
		tail->url = "redis://127.0.0.1:6379";
	if (!tail->prefix)
		tail->prefix = "tocsin";
	if (tail->user)
		tail->to.user = tail->user;
	if (!tail->to.password)
		tail->to.password = getenv("REDIS_PASSWORD");
}

static int run(const struct verb *verb, struct tail *tail, int argc,
	       char **argv) {
	const struct flag flags[] = {
		{ 's', "from-start", NULL,
		  "begin with the oldest alert that Redis has",
		  &tail->from_start, NULL, NULL },
		{ 'j', "json", NULL, "print the records, a line each",
		  &tail->json, NULL, NULL },
		{ 'n', "count", "N", "end after N alerts", NULL, &tail->count,
		  NULL },
		{ 'c', "config", "FILE",
		  "take Redis, user, password and prefix from tocsin.yaml",
		  NULL, &tail->config_path, NULL },
		{ 'r', "redis", "URL",
		  "redis://, rediss://, unix:// or sentinel:// as redis.url "
		  "has "
		  "it (default 127.0.0.1:6379)",
		  NULL, &tail->url, NULL },
		{ 'u', "user", "NAME",
		  "ACL user; the password is read from $REDIS_PASSWORD", NULL,
		  &tail->user, NULL },
		{ 'p', "prefix", "TEXT", "of the keys (default tocsin)", NULL,
		  &tail->prefix, NULL },
		{ 'l', "language", "zh|en",
		  "of the messages (default: what -c says, else zh)", NULL,
		  &tail->language, NULL },
	};
	int n = flags_parse(verb, flags, ARRAY_SIZE(flags), argc, argv);
	char *end = NULL;

	if (n < 0)
		return -1 - n;
	if (n > 0)
		return usage_error(verb, "what is `%s` for?", argv[0]);
	if (tail->language &&
	    !language_find(&tail->columns.language, tail->language))
		return usage_error(verb, "--language is zh or en");
	if (tail->count)
		tail->left = strtol(tail->count, &end, 10);
	if (tail->count && (*end || tail->left <= 0))
		return usage_error(verb, "--count is a number from 1");
	if (tail->config_path && !take_config(tail))
		return FINDINGS;
	take_defaults(tail);
	return follow(tail);
}

static int tail(const struct verb *verb, int argc, char **argv) {
	struct sigaction action = { .sa_handler = on_signal };
	struct tail tail = {
		.left = -1,
		.columns = { .rule = 28,
			     .key = 32,
			     .colour = isatty(STDOUT_FILENO) == 1 },
	};
	int r;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	r = run(verb, &tail, argc, argv);
	for (size_t i = 0; i < tail.n; i++)
		free(tail.lanes[i].stream);
	link_free(tail.link);
	config_free(&tail.config);
	diag_free(&tail.diag);
	arena_free(&tail.arena);
	buf_free(&tail.line);
	return r;
}

const struct verb tail_verb = {
	.name = "tail",
	.summary = "Shows alerts as they arrive in Redis, coloured by level.",
	.arguments = "",
	.example = "tocsin tail -c /etc/tocsin/tocsin.yaml --from-start",
	.run = tail,
};
