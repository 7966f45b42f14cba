/*
 * HTTP: /metrics, /health, /ready.
 *
 * A thread of its own that reads nothing but the page that was published last,
 * and steers nothing. A page is replaced whole. One that has not been replaced
 * for ten seconds is no longer ready, whatever it says.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct http;

struct http_page {
	char *metrics; /* Prometheus text; owned by the page */
	size_t metrics_len;
	char *not_ready; /* NULL: ready */
};

/* @port 0: any. Negative errno. */
int http_new(struct http **ret, const char *host, int port);
int http_port(const struct http *http);
/* Takes over what the page points to. */
void http_publish(struct http *http, const struct http_page *page);
void http_free(struct http *http);
