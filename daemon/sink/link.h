/*
 * Link: a connection to Redis over TCP, TLS or a Unix socket, and the question
 * to sentinels who is the master.
 *
 * hiredis formats and reads what goes over it. Debian's has no TLS, so over TLS
 * OpenSSL carries the bytes; without it hiredis does. A link never blocks,
 * except for looking a host name up, and in link_call().
 */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_options {
	const char *socket; /* a path, or NULL: */
	const char *host;
	int port;
	/* Or, with a master: HOST:PORT,… of sentinels, of which each is asked
	 * in turn. */
	const char *sentinels, *master;
	const char *sentinel_user, *sentinel_password; /* NULL: none */
	const char *user;     /* NULL: the default user */
	const char *password; /* NULL: no AUTH */
	bool tls;
	const char *tls_ca;             /* a file; NULL: those of the system */
	const char *tls_cert, *tls_key; /* files; NULL: none is shown */
	const char *tls_name;           /* in the certificate; NULL: the host */
};

struct link;

/*
 * Texts are borrowed. -EINVAL: a certificate or key cannot be used; @why (of
 * LINK_WHY bytes) says which.
 */
#define LINK_WHY 256u
int link_new(struct link **ret, const struct link_options *options, char *why);
void link_free(struct link *link);

/* Begins to connect; what there was is dropped. */
void link_open(struct link *link);
void link_close(struct link *link);
/* 1: the connection stands, nothing was said on it yet; 0: not yet; negative:
 * it failed. */
int link_connect(struct link *link);
/* Takes what has come, for link_reply(). Negative: the connection is gone. */
int link_read(struct link *link);
/* Sends what was appended to the context. @done: all of it has left. */
int link_write(struct link *link, bool *done);
/* 1: a reply, the caller frees it; 0: none yet; negative: nonsense came. */
int link_reply(struct link *link, redisReply **reply);
/* What to append commands to; NULL: none is open. */
redisContext *link_context(struct link *link);
/* -1: none. @out: wants to hear when it can write. */
int link_fd(const struct link *link, bool *out);
/* Why the last step failed. */
const char *link_error(const struct link *link);
/* Who answers: "redis at HOST:PORT", for logs. */
const char *link_peer(const struct link *link);

/* For tools: connects, and asks one question; waits up to @timeout_ms. */
bool link_open_wait(struct link *link, int timeout_ms);
redisReply *link_call(struct link *link, const char *const *argv, int n,
		      int timeout_ms);
