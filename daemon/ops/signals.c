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

int signals_open(void) {
	sigset_t set;
	int fd;

	/* hiredis writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGABRT, on_abort);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
