#include "ops/log.h"

#include "ops/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char said[1024];

/* What one message writes to standard error. */
static const char *capture(enum log_level level, const char *text) {
	int fds[2], before = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	log_write(level, "%s", text);
	dup2(before, STDERR_FILENO);
	close(before);
	n = read(fds[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = 0;
	close(fds[0]);
	return said;
}

static void writes_one_line_whatever_it_quotes(void **state) {
	const char *line;

	(void)state;
	log_setup(LOG_LEVEL_INFO, LOG_TEXT);
	line = capture(LOG_LEVEL_WARN, "topic a\nb\x1b[31m");
	assert_string_equal(line + strlen("2026-01-01T00:00:00.000Z"),
			    " warn: topic a b [31m\n");
}

static void leaves_out_what_was_not_asked_for(void **state) {
	(void)state;
	log_setup(LOG_LEVEL_INFO, LOG_TEXT);
	assert_string_equal(capture(LOG_LEVEL_DEBUG, "x"), "");
	log_setup(LOG_LEVEL_DEBUG, LOG_TEXT);
	assert_non_null(strstr(capture(LOG_LEVEL_DEBUG, "x"), " debug: x\n"));
}

static void writes_json_if_asked(void **state) {
	(void)state;
	log_setup(LOG_LEVEL_INFO, LOG_JSON);
	assert_non_null(
		strstr(capture(LOG_LEVEL_ERROR, "say \"no\"\n"),
		       "\"level\":\"error\",\"message\":\"say \\\"no\\\"\\n\"}"
		       "\n"));
}

static void tells_systemd(void **state) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[32] = "";

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path),
		 "/tmp/tocsin-notify-%d", (int)getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	notify("READY=1");
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 7);
	assert_string_equal(text, "READY=1");
	unsetenv("NOTIFY_SOCKET");
	notify("STOPPING=1");
	unlink(address.sun_path);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_one_line_whatever_it_quotes),
		cmocka_unit_test(leaves_out_what_was_not_asked_for),
		cmocka_unit_test(writes_json_if_asked),
		cmocka_unit_test(tells_systemd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
