#include "ops/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/*
 * Whoever finds no memory calls abort(), here and in every library; without a
 * word nobody would know what for. Only what a signal handler may call.
 */
static void on_abort(int number) {
	static const char memory[] = "tocsind: out of memory: aborted\n";
	static const char other[] = "tocsind: aborted\n";
	const char *text = errno == ENOMEM ? memory : other;

	(void)number;
	(void)!write(STDERR_FILENO, text, strlen(text));
}

static int open_for(int one, int other) {
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, one);
	sigaddset(&set, other);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int signals_open(int *stop_fd, int *reload_fd) {
	/* hiredis writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGABRT, on_abort);
	*stop_fd = open_for(SIGTERM, SIGINT);
	*reload_fd = open_for(SIGHUP, SIGHUP);
	return *stop_fd < 0 ? *stop_fd : *reload_fd < 0 ? *reload_fd : 0;
}

void signals_take(int fd) {
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) > 0)
		;
}
