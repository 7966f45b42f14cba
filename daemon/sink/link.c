#include "sink/link.h"

#include "base/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/sds.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define HOST_MAX 256u

enum stage {
	STAGE_NONE,
	STAGE_CONNECTING, /* TCP */
	STAGE_SHAKING,    /* TLS */
	STAGE_ASKING,     /* a sentinel, for its master */
	STAGE_OPEN
};

struct link {
	struct link_options options;
	SSL_CTX *tls;
	redisContext *context;
	SSL *ssl;
	enum stage stage;
	bool is_sentinel; /* whom the context is connected to */
	bool wants_write; /* before TLS can go on */
	size_t sent;      /* of the context's output, over TLS */
	/* Of the sentinels. */
	size_t next_sentinel;
	unsigned answers; /* still to come */
	char host[HOST_MAX];
	int port;
	char peer[HOST_MAX + 32];
	char error[256];
};

static int fail(struct link *link, const char *format, ...) {
	char text[sizeof(link->error)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (link->is_sentinel)
		snprintf(link->error, sizeof(link->error), "%.128s: %.120s",
			 link->peer, text);
	else
		memcpy(link->error, text, sizeof(text));
	return -EIO;
}

/* --- TLS --- */

static const char *tls_reason(void) {
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return reason ? reason : "unknown error";
}

static int use_files(SSL_CTX *tls, const struct link_options *o, char *why) {
	const char *what = NULL;

	if (o->tls_ca ? SSL_CTX_load_verify_locations(tls, o->tls_ca, NULL) != 1
		      : SSL_CTX_set_default_verify_paths(tls) != 1)
		what = o->tls_ca ? o->tls_ca : "the system's certificates";
	else if (o->tls_cert &&
		 SSL_CTX_use_certificate_chain_file(tls, o->tls_cert) != 1)
		what = o->tls_cert;
	else if (o->tls_key &&
		 (SSL_CTX_use_PrivateKey_file(tls, o->tls_key,
					      SSL_FILETYPE_PEM) != 1 ||
		  SSL_CTX_check_private_key(tls) != 1))
		what = o->tls_key;
	if (!what)
		return 0;
	snprintf(why, LINK_WHY, "%s: %s", what, tls_reason());
	return -EINVAL;
}

int link_new(struct link **ret, const struct link_options *options, char *why) {
	struct link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		abort();
	link->options = *options;
	if (options->tls) {
		link->tls = SSL_CTX_new(TLS_client_method());
		if (!link->tls)
			abort();
		SSL_CTX_set_min_proto_version(link->tls, TLS1_2_VERSION);
		SSL_CTX_set_verify(link->tls, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_mode(link->tls,
				 SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		r = use_files(link->tls, options, why);
		if (r < 0) {
			link_free(link);
			return r;
		}
	}
	*ret = link;
	return 0;
}

void link_free(struct link *link) {
	if (!link)
		return;
	link_close(link);
	SSL_CTX_free(link->tls);
	free(link);
}

void link_close(struct link *link) {
	/* Not shut down in words: who is behind may not answer any more. */
	SSL_free(TAKE(link->ssl));
	if (link->context)
		redisFree(link->context);
	link->context = NULL;
	link->stage = STAGE_NONE;
	link->wants_write = false;
	link->sent = 0;
}

static bool is_address(const char *host) {
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 ||
	       inet_pton(AF_INET6, host, &address) == 1;
}

static int begin_tls(struct link *link, const char *host) {
	const char *name =
		link->options.tls_name ? link->options.tls_name : host;
	X509_VERIFY_PARAM *param;

	link->ssl = SSL_new(link->tls);
	if (!link->ssl || SSL_set_fd(link->ssl, link->context->fd) != 1)
		abort();
	param = SSL_get0_param(link->ssl);
	if (is_address(name)) {
		X509_VERIFY_PARAM_set1_ip_asc(param, name);
	} else {
		X509_VERIFY_PARAM_set1_host(param, name, 0);
		SSL_set_tlsext_host_name(link->ssl, name);
	}
	link->stage = STAGE_SHAKING;
	return 0;
}

/* What OpenSSL's refusal means: 0: later; negative: the end. */
static int tls_result(struct link *link, int n) {
	int code = SSL_get_error(link->ssl, n);
	long verified;

	link->wants_write = code == SSL_ERROR_WANT_WRITE;
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
		return 0;
	verified = SSL_get_verify_result(link->ssl);
	if (verified != X509_V_OK)
		return fail(link, "its certificate is refused: %s",
			    X509_verify_cert_error_string(verified));
	if (code == SSL_ERROR_SYSCALL && !ERR_peek_error())
		return fail(link, "%s",
			    errno ? strerror(errno)
				  : "Server closed the connection");
	if (code == SSL_ERROR_ZERO_RETURN)
		return fail(link, "Server closed the connection");
	return fail(link, "TLS: %s", tls_reason());
}

/* --- connecting --- */

static void connect_to(struct link *link, const char *host, int port,
		       bool is_sentinel) {
	const struct link_options *o = &link->options;

	link_close(link);
	link->is_sentinel = is_sentinel;
	if (o->socket) {
		snprintf(link->peer, sizeof(link->peer), "%s", o->socket);
		link->context = redisConnectUnixNonBlock(o->socket);
	} else {
		snprintf(link->peer, sizeof(link->peer), "%s%s:%d",
			 is_sentinel ? "sentinel " : "", host, port);
		link->context = redisConnectNonBlock(host, port);
	}
	if (!link->context)
		abort();
	link->context->reader->maxbuf = 0;
	link->stage = STAGE_CONNECTING;
}

/* The next of HOST:PORT,…; round and round. */
static void choose_sentinel(struct link *link) {
	const char *at = link->options.sentinels;
	const char *colon;
	size_t len;

	for (size_t i = 0; i < link->next_sentinel; i++) {
		at += strcspn(at, ",");
		if (!*at++) {
			link->next_sentinel = 0;
			at = link->options.sentinels;
			break;
		}
	}
	link->next_sentinel++;
	len = strcspn(at, ",");
	colon = memrchr(at, ':', len);
	snprintf(link->host, sizeof(link->host), "%.*s",
		 (int)(colon ? (size_t)(colon - at) : len), at);
	link->port = colon ? (int)strtol(colon + 1, NULL, 10) : 26379;
}

void link_open(struct link *link) {
	const struct link_options *o = &link->options;

	link->error[0] = 0;
	if (o->master) {
		choose_sentinel(link);
		connect_to(link, link->host, link->port, true);
		return;
	}
	if (!o->socket) {
		snprintf(link->host, sizeof(link->host), "%s", o->host);
		link->port = o->port;
	}
	connect_to(link, link->host, link->port, false);
}

static int finish_connect(struct link *link) {
	struct pollfd fd = { .fd = link->context->fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (link->context->err)
		return fail(link, "%s", link->context->errstr);
	if (poll(&fd, 1, 0) == 0)
		return 0;
	if (getsockopt(fd.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		return fail(link, "%s", strerror(error));
	if (link->tls)
		return begin_tls(link, link->host);
	link->stage = STAGE_OPEN;
	return 1;
}

static int shake_hands(struct link *link) {
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_connect(link->ssl);
	if (n != 1)
		return tls_result(link, n);
	link->wants_write = false;
	link->stage = STAGE_OPEN;
	return 1;
}

static void ask_sentinel(struct link *link) {
	const struct link_options *o = &link->options;

	link->answers = 1;
	if (o->sentinel_user)
		redisAppendCommand(
			link->context, "AUTH %s %s", o->sentinel_user,
			o->sentinel_password ? o->sentinel_password : "");
	else if (o->sentinel_password)
		redisAppendCommand(link->context, "AUTH %s",
				   o->sentinel_password);
	link->answers += o->sentinel_user || o->sentinel_password;
	redisAppendCommand(link->context, "SENTINEL get-master-addr-by-name %s",
			   o->master);
	link->stage = STAGE_ASKING;
}

static int on_sentinel(struct link *link, const redisReply *reply) {
	if (reply->type == REDIS_REPLY_ERROR) /* it may quote a secret */
		return fail(link, "%.*s: it refuses to answer",
			    (int)strcspn(reply->str, " "), reply->str);
	if (--link->answers)
		return 0;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    !reply->element[0]->str || !reply->element[1]->str)
		return fail(link, "it knows no master %s",
			    link->options.master);
	snprintf(link->host, sizeof(link->host), "%s", reply->element[0]->str);
	link->port = (int)strtol(reply->element[1]->str, NULL, 10);
	return 1;
}

static int hear_sentinel(struct link *link) {
	redisReply *reply = NULL;
	bool done;
	int r = link_write(link, &done);

	if (r == 0)
		r = link_read(link);
	while (r == 0) {
		r = link_reply(link, &reply);
		if (r <= 0)
			return r;
		r = on_sentinel(link, reply);
		freeReplyObject(reply);
	}
	if (r < 0)
		return r;
	/* The same one is asked first the next time. */
	link->next_sentinel--;
	connect_to(link, link->host, link->port, false);
	return 0;
}

int link_connect(struct link *link) {
	int r = 0;

	if (link->stage == STAGE_CONNECTING)
		r = finish_connect(link);
	if (r == 0 && link->stage == STAGE_SHAKING)
		r = shake_hands(link);
	if (r < 0)
		return r;
	if (link->stage == STAGE_OPEN && link->is_sentinel)
		ask_sentinel(link);
	if (link->stage == STAGE_ASKING)
		return hear_sentinel(link);
	return link->stage == STAGE_OPEN;
}

/* --- bytes --- */

int link_read(struct link *link) {
	char bytes[16384];
	int n;

	if (!link->ssl)
		return redisBufferRead(link->context) == REDIS_OK
			       ? 0
			       : fail(link, "%s", link->context->errstr);
	for (;;) {
		ERR_clear_error();
		errno = 0;
		n = SSL_read(link->ssl, bytes, sizeof(bytes));
		if (n <= 0)
			return tls_result(link, n);
		if (redisReaderFeed(link->context->reader, bytes, (size_t)n) !=
		    REDIS_OK)
			return fail(link, "%s", link->context->reader->errstr);
	}
}

static int write_tls(struct link *link, bool *done) {
	sds out = link->context->obuf;
	size_t len = sdslen(out);

	while (link->sent < len) {
		size_t left = len - link->sent;
		int n;

		ERR_clear_error();
		errno = 0;
		n = SSL_write(link->ssl, out + link->sent,
			      left < INT32_MAX ? (int)left : INT32_MAX);
		if (n <= 0) {
			*done = false;
			return tls_result(link, n);
		}
		link->sent += (size_t)n;
	}
	link->sent = 0;
	sdsclear(out);
	*done = true;
	return 0;
}

int link_write(struct link *link, bool *done) {
	int all = 0;

	if (link->ssl)
		return write_tls(link, done);
	if (redisBufferWrite(link->context, &all) != REDIS_OK)
		return fail(link, "%s", link->context->errstr);
	*done = all != 0;
	return 0;
}

int link_reply(struct link *link, redisReply **reply) {
	void *got = NULL;

	if (redisReaderGetReply(link->context->reader, &got) != REDIS_OK)
		return fail(link, "%s", link->context->reader->errstr);
	*reply = got;
	return got != NULL;
}

redisContext *link_context(struct link *link) {
	return link->context;
}

int link_fd(const struct link *link, bool *out) {
	*out = link->stage == STAGE_CONNECTING || link->wants_write;
	return link->context ? link->context->fd : -1;
}

const char *link_error(const struct link *link) {
	return link->error;
}

const char *link_peer(const struct link *link) {
	return link->peer;
}

/* --- for tools --- */

static int64_t now_ms(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the other side has something to say; false: it was too long. */
static bool wait_for(struct link *link, bool writes, int64_t until) {
	struct pollfd fd = { .events = POLLIN };
	int64_t left = until - now_ms();
	bool out;

	fd.fd = link_fd(link, &out);
	if (out || writes)
		fd.events |= POLLOUT;
	if (left > 0 && poll(&fd, 1, (int)left) > 0)
		return true;
	fail(link, "no answer in time");
	return false;
}

bool link_open_wait(struct link *link, int timeout_ms) {
	int64_t until = now_ms() + timeout_ms;
	int r;

	link_open(link);
	while ((r = link_connect(link)) == 0)
		if (!wait_for(link, false, until))
			return false;
	return r > 0;
}

redisReply *link_call(struct link *link, const char *const *argv, int n,
		      int timeout_ms) {
	int64_t until = now_ms() + timeout_ms;
	redisReply *reply = NULL;
	bool done = false;

	if (!link->context)
		return NULL;
	if (redisAppendCommandArgv(link->context, n,
				   (const char **)(uintptr_t)argv,
				   NULL) != REDIS_OK)
		abort();
	for (;;) {
		if ((!done && link_write(link, &done) < 0) ||
		    link_read(link) < 0)
			return NULL;
		if (link_reply(link, &reply) != 0)
			return reply;
		if (!wait_for(link, !done, until))
			return NULL;
	}
}
