#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "lane/journal.h"
#include "lane/statedir.h"
#include "tool/verb.h"

/* A daemon may be writing: what was torn a moment ago is whole in the next. */
#define TRIES 5

static void collect(void *context, const char *text, size_t len) {
	buf_add(context, text, len);
	buf_putc(context, '\n');
}

static int dump(const char *dir) {
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };
	int r = -EBADMSG;

	for (int i = 0; r == -EBADMSG && i < TRIES; i++) {
		buf_reset(&out);
		buf_reset(&why);
		r = journal_dump(dir, &why, collect, &out);
	}
	fwrite(out.data ? out.data : "", 1, out.len, stdout);
	if (r < 0 && r != -ENOENT)
		fprintf(stderr, "tocsin: %s\n", buf_cstr(&why));
	return r;
}

/* The newest journal, or the one before if that has not begun. */
static int dump_newest(const char *path) {
	uint32_t *numbers = NULL;
	size_t n = 0;
	int r = statedir_journals(path, &numbers, &n);

	if (r < 0) {
		fprintf(stderr, "tocsin: %s: %s\n", path, strerror(-r));
		return FINDINGS;
	}
	r = -ENOENT;
	for (size_t i = 0; r == -ENOENT && i < n; i++) {
		char *dir = statedir_journal(path, numbers[i]);

		r = dump(dir);
		free(dir);
	}
	free(numbers);
	return r < 0 && r != -ENOENT ? FINDINGS : CLEAN;
}

static int state(const struct verb *verb, int argc, char **argv) {
	int n = flags_parse(verb, NULL, 0, argc, argv);

	if (n < 0)
		return -1 - n;
	if (n != 2 || strcmp(argv[0], "journal") != 0)
		return usage_error(verb, "say what to show of which folder: "
					 "journal FOLDER");
	return dump_newest(argv[1]);
}

const struct verb state_verb = {
	.name = "state",
	.summary = "Prints what lies in a daemon's state folder.",
	.arguments = "journal FOLDER",
	.example = "tocsin state journal /var/lib/tocsin | head",
	.run = state,
};
