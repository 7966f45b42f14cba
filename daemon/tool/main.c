/*
 * tocsin: the operator's tool. Each verb is a file of its own beside this one.
 */
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "tool/verb.h"

static const struct verb *const verbs[] = {
	&check_verb,  &demo_verb,  &eval_verb, &new_verb,
	&replay_verb, &state_verb, &tail_verb, &test_verb,
};

static void print_help(void) {
	printf("usage: tocsin VERB [OPTION]... [ARGUMENT]...\n\n"
	       "Tocsin watches public money while it moves; this is the tool of"
	       " those who\nwrite its rules and read its alerts.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-8s  %s\n", verbs[i]->name, verbs[i]->summary);
	printf("\nEach verb explains itself: tocsin VERB --help\n"
	       "Exit codes: 0 clean, 1 findings, 2 wrong usage.\n");
}

static int unknown(const char *name) {
	const char *names[ARRAY_SIZE(verbs)];
	const char *near;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		names[i] = verbs[i]->name;
	near = diag_nearest(name, names, ARRAY_SIZE(verbs));
	fprintf(stderr, "tocsin: there is no verb `%s`", name);
	if (near)
		fprintf(stderr, " (did you mean `%s`?)", near);
	fprintf(stderr, "\nTry: tocsin --help\n");
	return USAGE;
}

int main(int argc, char **argv) {
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		print_help();
		return argc < 2 ? USAGE : CLEAN;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("tocsin %s\n", TOCSIN_VERSION);
		return CLEAN;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verbs[i]->name, argv[1]))
			return verbs[i]->run(verbs[i], argc - 2, argv + 2);
	}
	return unknown(argv[1]);
}
