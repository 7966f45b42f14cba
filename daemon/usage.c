#include "usage.h"

const struct usage_option daemon_options[] = {
	{ "-c", "FILE", "the configuration" },
	{ "-n", NULL, "check configuration and rules, and exit" },
	{ "-v", NULL, "say more: each alert with its message, in `language`" },
	{ "--help", NULL, "print the options, and exit" },
	{ "--version", NULL, "print the version, and exit" },
	{ NULL },
};

const struct usage_exit daemon_exits[] = {
	{ EXIT_DONE, "ended as asked" },
	{ EXIT_HALTED, "halted, see the log; a person must judge" },
	{ EXIT_USAGE_ERROR, "wrong usage" },
	{ EXIT_FENCED, "another daemon has taken the lane (do not restart)" },
	{ EXIT_LOCKED, "the state folder is in use" },
	{ EXIT_INCOMPLETE, "ended before everything was delivered (the next "
			   "start does)" },
	{ EXIT_CONFIG, "configuration or rules are refused" },
	{ 0 },
};

const struct usage_exit tool_exits[] = {
	{ 0, "clean" },
	{ 1, "findings, or something went wrong on the way" },
	{ 2, "wrong usage" },
	{ 0 },
};

void usage_exits(struct buf *out, const struct usage_exit *exits) {
	for (; exits->meaning; exits++)
		buf_printf(out, "  %-4d%s\n", exits->code, exits->meaning);
}
