/*
 * Usage: how the programs are called and how they end, for --help and for the
 * reference.
 */
#pragma once

#include "base/buf.h"

/* sysexits.h has 64, 65, 69, 75 and 78; a supervisor must not restart 65. */
enum {
	EXIT_DONE = 0,
	EXIT_HALTED = 1, /* see the log; a person must judge */
	EXIT_USAGE_ERROR = 64,
	EXIT_FENCED = 65,     /* another daemon has taken the lane */
	EXIT_LOCKED = 69,     /* the state directory is in use */
	EXIT_INCOMPLETE = 75, /* the next start delivers what is left */
	EXIT_CONFIG = 78      /* configuration or rules are refused */
};

struct usage_option {
	const char *name;  /* with its dashes */
	const char *value; /* NULL: none */
	const char *help;
};

struct usage_exit {
	int code;
	const char *meaning;
};

/* Of tocsind; each ends with a row of nothing. */
extern const struct usage_option daemon_options[];
extern const struct usage_exit daemon_exits[];
/* Of tocsin. */
extern const struct usage_exit tool_exits[];

/* "  0   ended as asked", a line each. */
void usage_exits(struct buf *out, const struct usage_exit *exits);
