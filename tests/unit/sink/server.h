/*
 * A redis-server of its own, and a sink that is driven by hand.
 */
#pragma once

#include "sink/redis.h"

#include "alert/outbox.h"
#include "tocsin/log.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[96];
static pid_t server;
static const char *without; /* a command that it does not know, or NULL */
static redisContext *plain; /* to look at what the sink has done */
static struct outbox outbox;
static struct sink sink;

static const char *way; /* the socket that sinks use; NULL: the server's */
static void (*between)(void); /* what stands there has its turn; or NULL */
static int64_t ahead;         /* microseconds by which the clock of sinks is */

static int64_t now(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + ahead;
}

static void start_server(void) {
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("redis-server", "redis-server", "--port", "0",
		       "--unixsocket", path, "--dir", dir, "--save", "",
		       "--appendonly", "yes", "--appendfsync", "always",
		       "--logfile", "log", without ? "--rename-command" : NULL,
		       without, "", NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000; i++) {
		redisReply *reply;

		plain = redisConnectUnix(path);
		if (plain && !plain->err &&
		    (reply = redisCommand(plain, "PING"))) {
			bool up = reply->type == REDIS_REPLY_STATUS;

			freeReplyObject(reply);
			if (up)
				return;
		}
		redisFree(plain);
		usleep(10000);
	}
	fail_msg("redis-server does not answer");
}

static void stop_server(void) {
	redisFree(plain);
	plain = NULL;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static char answer[4096];

/* The answer of a command as one text; arrays with blanks between. */
static void flatten(const redisReply *reply) {
	size_t used = strlen(answer);

	if (reply->type == REDIS_REPLY_INTEGER)
		snprintf(answer + used, sizeof(answer) - used, "%lld",
			 reply->integer);
	else if (reply->type == REDIS_REPLY_NIL)
		snprintf(answer + used, sizeof(answer) - used, "nil");
	else if (reply->str)
		snprintf(answer + used, sizeof(answer) - used, "%s",
			 reply->str);
	for (size_t i = 0; i < reply->elements; i++) {
		if (i)
			strcat(answer, " ");
		flatten(reply->element[i]);
	}
}

static const char *redis(const char *format, ...) {
	redisReply *reply;
	va_list ap;

	va_start(ap, format);
	reply = redisvCommand(plain, format, ap);
	va_end(ap);
	assert_non_null(reply);
	answer[0] = 0;
	flatten(reply);
	freeReplyObject(reply);
	return answer;
}

static struct sink new_sink(const char *user) {
	struct redis_options options = {
		.link = { .socket = way ? way : path,
			  .user = user,
			  .password = user && strcmp(user, "open") ? "secret"
								   : NULL },
		.prefix = "tocsin",
		.lane = "0",
		.instance = "test",
		.keep_s = 1000,
		.history = 100000,
		.dead_history = 100000,
		.timeout = 5000000,
	};
	struct sink made;
	char why[LINK_WHY];

	assert_int_equal(redis_sink_new(&made, &options, why), 0);
	return made;
}

static int set_up(void **state) {
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/tocsin-sink-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/redis.sock", dir);
	start_server();
	assert_int_equal(outbox_init(&outbox, 4096, 4096), 0);
	sink = new_sink(NULL);
	return 0;
}

static int tear_down(void **state) {
	char command[128];

	(void)state;
	sink.class->free(sink.self);
	outbox_free(&outbox);
	stop_server();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void add(uint64_t seq, enum level level, enum level was, bool open) {
	struct outbox_item item = {
		.seq = seq,
		.ordinal = seq,
		.rev = 1,
		.state = open ? STATE_FIRING : STATE_RESOLVED,
		.change = open ? CHANGE_FIRED : CHANGE_RESOLVED,
		.level = level,
		.was = was,
		.open = open,
		.fired = INT64_C(1700000000000000),
		.rule = "finance/over-budget",
	};
	struct buf json = { 0 };

	item.id[0] = (uint8_t)seq;
	item.id[1] = (uint8_t)(seq >> 8);
	item.hash[0] = (uint8_t)seq;
	item.key = strdup("U-03");
	buf_printf(&json, "{\"seq\":%llu,\"hash\":\"", (unsigned long long)seq);
	buf_hex(&json, item.hash, 32);
	buf_puts(&json, "\"}");
	item.json_len = json.len;
	item.json = strdup(buf_cstr(&json));
	buf_free(&json);
	outbox_add(&outbox, &item);
}

static inline void add_dead(uint64_t ordinal) {
	struct dead_letter dead = { .ordinal = ordinal,
				    .at = { "fin.payments", 2,
					    (int64_t)ordinal },
				    .refusal = REFUSED_NOT_JSON };

	outbox_add_dead(&outbox, &dead);
}

static void serve_once(struct sink *of) {
	struct pollfd fd = { .fd = of->class->fd(of->self) };
	unsigned events = of->class->events(of->self);

	fd.events = (short)((events & EPOLLIN ? POLLIN : 0) |
			    (events & EPOLLOUT ? POLLOUT : 0));
	if (between)
		between();
	poll(&fd, 1, between ? 0 : 5);
	of->class->serve(of->self, now());
}

static void wait_state(struct sink *of, enum sink_state state) {
	int64_t end = now() + 20000000;

	while (of->class->state(of->self) != state) {
		assert_true(now() < end);
		serve_once(of);
	}
}

static void open_lane(struct sink *of, uint64_t epoch) {
	static const uint8_t rules[32] = { 7 };

	wait_state(of, SINK_MET);
	of->class->claim(of->self, epoch, rules);
	wait_state(of, SINK_OPEN);
}

/* Sends all, drops what is acknowledged; false if the connection broke. */
static bool send_out(void) {
	int64_t end = now() + 20000000;

	while (outbox.n || outbox.dead_n) {
		size_t items, dead;

		if (sink.class->state(sink.self) != SINK_OPEN)
			return false;
		assert_true(now() < end);
		sink.class->send(sink.self, &outbox, outbox.n, outbox.dead_n,
				 now());
		serve_once(&sink);
		sink.class->acknowledged(sink.self, &items, &dead);
		outbox_drop(&outbox, items);
		outbox_drop_dead(&outbox, dead);
	}
	return true;
}
