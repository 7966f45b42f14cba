#include "ops/http.h"

#include "ops/metrics.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char answer[4096];
static time_t later; /* seconds by which the clock is ahead */

/* The clock, instead of the library's. */
int clock_gettime(clockid_t clock, struct timespec *t) {
	int r = (int)syscall(SYS_clock_gettime, clock, t);

	t->tv_sec += later;
	return r;
}

static const char *get(const struct http *http, const char *path) {
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char request[128];
	size_t n = 0;
	ssize_t got;

	address.sin_port = htons((uint16_t)http_port(http));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	assert_true(write(fd, request, strlen(request)) > 0);
	while ((got = read(fd, answer + n, sizeof(answer) - 1 - n)) > 0)
		n += (size_t)got;
	answer[n] = 0;
	close(fd);
	return answer;
}

static void shows_the_page_that_was_published_last(void **state) {
	struct http *http;

	(void)state;
	assert_int_equal(http_new(&http, "127.0.0.1", 0), 0);
	assert_non_null(strstr(get(http, "/health"), "200 OK"));
	assert_non_null(strstr(get(http, "/ready"), "503 "));
	assert_non_null(strstr(get(http, "/elsewhere"), "404 "));
	http_publish(http, &(struct http_page){ strdup("a 1\n"), 4,
						strdup("redis: away") });
	assert_non_null(strstr(get(http, "/ready"), "503 "));
	assert_non_null(strstr(answer, "redis: away"));
	http_publish(http, &(struct http_page){ strdup("a 2\n"), 4, NULL });
	assert_non_null(strstr(get(http, "/ready"), "200 OK"));
	assert_non_null(strstr(get(http, "/metrics"), "\r\n\r\na 2\n"));
	http_free(http);
}

/* Whoever publishes no longer does: what he said last counts no longer. */
static void is_not_ready_when_nothing_is_published(void **state) {
	struct http *http;

	(void)state;
	assert_int_equal(http_new(&http, "127.0.0.1", 0), 0);
	http_publish(http, &(struct http_page){ strdup("a 1\n"), 4, NULL });
	later = 9;
	assert_non_null(strstr(get(http, "/ready"), "200 OK"));
	later = 11;
	assert_non_null(strstr(get(http, "/ready"), "503 "));
	assert_non_null(strstr(answer, "lane: it stands still"));
	assert_non_null(strstr(get(http, "/metrics"), "\r\n\r\na 1\n"));
	http_publish(http, &(struct http_page){ strdup("a 2\n"), 4, NULL });
	assert_non_null(strstr(get(http, "/ready"), "200 OK"));
	later = 0;
	http_free(http);
}

static void does_not_take_a_port_in_use(void **state) {
	struct http *http, *other;

	(void)state;
	assert_int_equal(http_new(&http, "127.0.0.1", 0), 0);
	assert_true(http_new(&other, "127.0.0.1", http_port(http)) < 0);
	http_free(http);
}

static void writes_metrics_as_prometheus_reads_them(void **state) {
	struct metric_label labels[] = { { "rule", "a\"b\\c\nd" },
					 { "why", "x" } };
	struct buf out = { 0 };

	(void)state;
	metric_family(&out, METRIC_COUNTER, "n_total", "How many.");
	metric_count(&out, "n_total", labels, 2, 18446744073709551615u);
	metric_family(&out, METRIC_GAUGE, "g", "What.");
	metric_sample(&out, "g", NULL, 0, 0.25);
	assert_string_equal(buf_cstr(&out),
			    "# HELP n_total How many.\n# TYPE n_total counter\n"
			    "n_total{rule=\"a\\\"b\\\\c\\nd\",why=\"x\"} "
			    "18446744073709551615\n"
			    "# HELP g What.\n# TYPE g gauge\ng 0.25\n");
	buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_the_page_that_was_published_last),
		cmocka_unit_test(is_not_ready_when_nothing_is_published),
		cmocka_unit_test(does_not_take_a_port_in_use),
		cmocka_unit_test(writes_metrics_as_prometheus_reads_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
