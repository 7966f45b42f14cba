#include "tool/inputs.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"

/* How many bytes stand before @ending, or @len if it is another one. */
static size_t before(const char *name, size_t len, const char *ending) {
	size_t n = strlen(ending);

	return len > n && !memcmp(name + len - n, ending, n) ? len - n : len;
}

/* The name without its ending; 0: it is not one of events. */
static size_t stem_of(const char *name) {
	size_t all = strlen(name);
	size_t plain = before(name, all, ".gz");
	size_t stem;

	if (plain == all)
		plain = before(name, all, ".zst");
	stem = before(name, plain, ".jsonl");
	if (stem == plain)
		stem = before(name, plain, ".csv");
	return stem == plain ? 0 : stem;
}

static bool is_of(const struct stream *stream, const char *name, size_t stem) {
	size_t n = strlen(stream->name);

	return n <= stem && !memcmp(stream->name, name, n) &&
	       (n == stem || name[n] == '-' || name[n] == '.');
}

/* 1: *ret is the stream, 0: no stream has this name, -EINVAL: several have. */
static int find_stream(const struct inputs *inputs, const char *name,
		       const struct stream **ret, struct buf *why) {
	const struct ruleset *set = inputs->set;
	const struct stream *found = NULL;
	size_t stem = stem_of(name);

	for (size_t i = 0; i < set->n_streams && stem; i++) {
		const struct stream *stream = set->streams[i];

		if (!is_of(stream, name, stem) ||
		    (found && strlen(stream->name) < strlen(found->name)))
			continue;
		if (found && strlen(stream->name) == strlen(found->name)) {
			buf_printf(why,
				   "%s may be of `%s/%s` or of `%s/%s`; say "
				   "which: %s/%s=FILE",
				   name, found->package, found->name,
				   stream->package, stream->name,
				   found->package, found->name);
			return -EINVAL;
		}
		found = stream;
	}
	*ret = found;
	return found != NULL;
}

static void take(struct inputs *inputs, const struct stream *stream,
		 const char *path) {
	if (inputs->n == inputs->cap) {
		inputs->cap = inputs->cap ? 2 * inputs->cap : 16;
		inputs->items = reallocarray(inputs->items, inputs->cap,
					     sizeof(struct input));
		if (!inputs->items)
			abort();
	}
	inputs->items[inputs->n++] = (struct input){
		.stream = stream,
		.path = arena_strdup(&inputs->arena, path),
	};
}

/* By bytes: which file is the first of a stream is part of its coordinates. */
static int by_bytes(const struct dirent **a, const struct dirent **b) {
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_shown(const struct dirent *entry) {
	return entry->d_name[0] != '.';
}

static bool tells_of_events(const char *name) {
	return !strcmp(name, "labels.jsonl") || !strcmp(name, "counts.json");
}

static int take_entry(struct inputs *inputs, const char *folder,
		      const char *name, struct buf *notes, struct buf *why) {
	const struct stream *stream;
	const char *path = arena_printf(
		&inputs->arena, "%s%s%s", folder,
		*folder && folder[strlen(folder) - 1] == '/' ? "" : "/", name);
	int r = find_stream(inputs, name, &stream, why);

	if (r > 0)
		take(inputs, stream, path);
	else if (r == 0 && !tells_of_events(name))
		buf_printf(notes, "%s: no stream has this name; left\n", path);
	return r < 0 ? r : 0;
}

static int take_folder(struct inputs *inputs, const char *folder,
		       struct buf *notes, struct buf *why) {
	struct dirent **entries;
	size_t before_it = inputs->n;
	int n, r = 0;

	n = scandir(folder, &entries, is_shown, by_bytes);
	if (n < 0) {
		buf_printf(why, "%s: %s", folder, strerror(errno));
		return -EINVAL;
	}
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = take_entry(inputs, folder, entries[i]->d_name,
				       notes, why);
		free(entries[i]);
	}
	free(entries);
	inputs->folder = true;
	if (r < 0 || inputs->n > before_it)
		return r;
	buf_printf(why,
		   "%s has no file that is named after a stream: "
		   "STREAM.jsonl, STREAM-2024.csv.gz …",
		   folder);
	return -EINVAL;
}

static int take_pair(struct inputs *inputs, const char *arg, struct buf *why) {
	const char *sign = strchr(arg, '=');
	char *name = arena_strndup(&inputs->arena, arg, (size_t)(sign - arg));
	const struct stream *stream = ruleset_stream(inputs->set, name);

	if (!stream) {
		buf_printf(why, "the rules have no stream `%s`", name);
		return -EINVAL;
	}
	take(inputs, stream, sign + 1);
	return 0;
}

int inputs_add(struct inputs *inputs, const char *arg, struct buf *notes,
	       struct buf *why) {
	const char *slash = strrchr(arg, '/');
	const struct stream *stream;
	struct stat st;
	bool is_there = !stat(arg, &st);
	int r;

	if (is_there && S_ISDIR(st.st_mode))
		return take_folder(inputs, arg, notes, why);
	if (!is_there && strchr(arg, '='))
		return take_pair(inputs, arg, why);
	r = find_stream(inputs, slash ? slash + 1 : arg, &stream, why);
	if (r > 0)
		take(inputs, stream, arg);
	else if (r == 0)
		buf_printf(why,
			   "`%s` is no folder, and no stream has this name; "
			   "say STREAM=FILE",
			   arg);
	return r > 0 ? 0 : -EINVAL;
}

static bool has_file(const struct inputs *inputs, const struct stream *stream) {
	for (size_t i = 0; i < inputs->n; i++) {
		if (inputs->items[i].stream == stream)
			return true;
	}
	return false;
}

void inputs_absent(const struct inputs *inputs, struct buf *notes) {
	const char *sign = "no file of: ";

	if (!inputs->folder)
		return;
	for (size_t i = 0; i < inputs->set->n_streams; i++) {
		if (!inputs->set->streams[i]->is_read ||
		    has_file(inputs, inputs->set->streams[i]))
			continue;
		buf_printf(notes, "%s%s", sign, inputs->set->streams[i]->name);
		sign = ", ";
	}
	if (*sign == ',')
		buf_putc(notes, '\n');
}

void inputs_free(struct inputs *inputs) {
	free(inputs->items);
	arena_free(&inputs->arena);
}
