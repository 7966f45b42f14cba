#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool/verb.h"

/* The quickstart beside the build folder in which this program lies. */
static bool find_quickstart(char *path, size_t size) {
	ssize_t n = readlink("/proc/self/exe", path, size);

	for (int up = 0; n > 0 && up < 2; up++) {
		while (n > 0 && path[--n] != '/')
			;
	}
	if (n <= 0 || (size_t)n + sizeof("/deploy/quickstart") > size)
		return false;
	memcpy(path + n, "/deploy/quickstart", sizeof("/deploy/quickstart"));
	return access(path, X_OK) == 0;
}

static int demo(const struct verb *verb, int argc, char **argv) {
	char path[PATH_MAX];
	int n = flags_parse(verb, NULL, 0, argc, argv);

	if (n < 0)
		return -1 - n;
	if (n > 0)
		return usage_error(verb, "what is `%s` for?", argv[0]);
	if (!find_quickstart(path, sizeof(path))) {
		fprintf(stderr, "tocsin demo: there is no deploy/quickstart "
				"beside this program's build folder\n");
		return FINDINGS;
	}
	execl(path, path, (char *)NULL);
	fprintf(stderr, "tocsin demo: %s: %s\n", path, strerror(errno));
	return FINDINGS;
}

const struct verb demo_verb = {
	.name = "demo",
	.summary = "Plays two years of a fictional city, from Kafka to "
		   "alerts.",
	.arguments = "",
	.example = "tocsin demo",
	.run = demo,
};
