/*
 * tocsin: the operator's tool. Each verb is a file of its own beside this one.
 */
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "tool/verb.h"
#include "usage.h"

const struct verb *const verbs[] = {
	&audit_verb, &check_verb,     &demo_verb,   &eval_verb,
	&new_verb,   &reference_verb, &replay_verb, &state_verb,
	&tail_verb,  &test_verb,      NULL,
};

static void print_help(void) {
	struct buf exits = { 0 };

	printf("usage: tocsin VERB [OPTION]... [ARGUMENT]...\n\n"
	       "Tocsin watches public money while it moves; this is the tool of"
	       " those who\nwrite its rules and read its alerts.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs) - 1; i++)
		printf("  %-9s  %s\n", verbs[i]->name, verbs[i]->summary);
	usage_exits(&exits, tool_exits);
	printf("\nEach verb explains itself: tocsin VERB --help\n"
	       "Exit codes:\n%s",
	       buf_cstr(&exits));
	buf_free(&exits);
}

static int unknown(const char *name) {
	const char *names[ARRAY_SIZE(verbs)];
	const char *near;

	for (size_t i = 0; i < ARRAY_SIZE(verbs) - 1; i++)
		names[i] = verbs[i]->name;
	near = diag_nearest(name, names, ARRAY_SIZE(verbs) - 1);
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
	for (size_t i = 0; i < ARRAY_SIZE(verbs) - 1; i++) {
		if (!strcmp(verbs[i]->name, argv[1]))
			return verbs[i]->run(verbs[i], argc - 2, argv + 2);
	}
	return unknown(argv[1]);
}
