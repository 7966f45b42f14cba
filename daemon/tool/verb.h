/*
 * Verb: what `tocsin` can do, one file each.
 *
 * A verb describes itself; main.c finds it in a table and gives it the
 * arguments behind its name. Exit codes are those of a checker: 0 clean,
 * 1 findings (or something went wrong on the way), 2 wrong usage.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { CLEAN = 0, FINDINGS = 1, USAGE = 2 };

/* An option, described once: parsing and --help come from it. */
struct flag {
	char letter;       /* 0: none */
	const char *name;  /* without the dashes */
	const char *value; /* what --help calls its argument; NULL: none */
	const char *help;
	bool *given;               /* one of these three is set */
	const char **text;         /* the last one given counts */
	struct texts_given *texts; /* all that were given */
};

struct texts_given {
	const char **items;
	size_t n;
};

struct verb {
	const char *name;
	const char *summary;   /* one line */
	const char *arguments; /* "PATH…" */
	const char *example;   /* one or more lines, each a command */
	int (*run)(const struct verb *verb, int argc, char **argv);
};

extern const struct verb audit_verb, check_verb, demo_verb, eval_verb, new_verb,
	reference_verb, replay_verb, state_verb, tail_verb, test_verb;
/* All of them, by name; NULL ends. */
extern const struct verb *const verbs[];

/*
 * Takes the options out of argv (also behind arguments; `--` ends them) and
 * leaves the arguments in front. How many there are, or negative: the verb
 * ends with the exit code -1 - n (help was printed, or a complaint).
 */
int flags_parse(const struct verb *verb, const struct flag *flags, size_t n,
		int argc, char **argv);
/*
 * Asks a verb for its options, as --help does: the table stands in the verb's
 * own function, beside the variables that it fills.
 */
void flags_each(const struct verb *verb,
		void (*each)(void *context, const struct flag *flag),
		void *context);
/* Complains on stderr, with a pointer to --help; returns USAGE. */
int usage_error(const struct verb *verb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
