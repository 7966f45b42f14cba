#include "ops/http.h"

#include "base/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_SECONDS 10
#define CONNECTIONS 32

/* Whoever publishes once a second has stopped doing so. */
#define STILL_SECONDS 10

struct http {
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock;
	struct http_page page;
	time_t published; /* monotonic */
};

static time_t now(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static enum MHD_Result answer(struct MHD_Connection *connection,
			      unsigned status, const char *type,
			      const char *text, size_t len) {
	/* Copied: the page may be replaced while it is being sent. */
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status,
			   const char *text) {
	return answer(connection, status, "text/plain; charset=utf-8", text,
		      strlen(text));
}

static enum MHD_Result metrics(struct http *http,
			       struct MHD_Connection *connection) {
	enum MHD_Result r;

	pthread_mutex_lock(&http->lock);
	r = answer(connection, MHD_HTTP_OK,
		   "text/plain; version=0.0.4; charset=utf-8",
		   http->page.metrics ? http->page.metrics : "",
		   http->page.metrics_len);
	pthread_mutex_unlock(&http->lock);
	return r;
}

static enum MHD_Result ready(struct http *http,
			     struct MHD_Connection *connection) {
	const char *trouble = NULL;
	char text[256];

	pthread_mutex_lock(&http->lock);
	if (!http->page.metrics)
		trouble = "starting";
	else if (now() - http->published > STILL_SECONDS)
		trouble = "lane: it stands still";
	else
		trouble = http->page.not_ready;
	snprintf(text, sizeof(text), "%s\n", trouble ? trouble : "ready");
	pthread_mutex_unlock(&http->lock);
	return say(connection,
		   trouble ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, text);
}

static enum MHD_Result on_request(void *context,
				  struct MHD_Connection *connection,
				  const char *url, const char *method,
				  const char *version, const char *upload,
				  size_t *upload_len, void **state) {
	struct http *http = context;

	(void)version;
	(void)upload;
	(void)state;
	*upload_len = 0;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			   "only GET\n");
	if (strcmp(url, "/metrics") == 0)
		return metrics(http, connection);
	if (strcmp(url, "/ready") == 0)
		return ready(http, connection);
	if (strcmp(url, "/health") == 0)
		return say(connection, MHD_HTTP_OK, "alive\n");
	return say(connection, MHD_HTTP_NOT_FOUND,
		   "/metrics, /health or /ready\n");
}

int http_new(struct http **ret, const char *host, int port) {
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE };
	struct addrinfo *address = NULL;
	struct http *http;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD;
	char service[16];
	int error = 0;

	snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(host, service, &hints, &address) != 0)
		return -EADDRNOTAVAIL;
	http = calloc(1, sizeof(*http));
	if (!http)
		abort();
	pthread_mutex_init(&http->lock, NULL);
	if (address->ai_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	http->daemon = MHD_start_daemon(
		flags, (uint16_t)port, NULL, NULL, on_request, http,
		MHD_OPTION_SOCK_ADDR, address->ai_addr,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_SECONDS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_END);
	error = errno;
	freeaddrinfo(address);
	if (!http->daemon) {
		http_free(http);
		return error ? -error : -EADDRINUSE;
	}
	*ret = http;
	return 0;
}

int http_port(const struct http *http) {
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info ? info->port : 0;
}

static void free_page(struct http_page *page) {
	free(page->metrics);
	free(page->not_ready);
}

void http_publish(struct http *http, const struct http_page *page) {
	struct http_page before;

	pthread_mutex_lock(&http->lock);
	before = http->page;
	http->page = *page;
	http->published = now();
	pthread_mutex_unlock(&http->lock);
	free_page(&before);
}

void http_free(struct http *http) {
	if (!http)
		return;
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	free_page(&http->page);
	pthread_mutex_destroy(&http->lock);
	free(http);
}
