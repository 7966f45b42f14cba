/*
 * Inputs: which files a replay reads, and of which stream each is.
 *
 * A file says by its name whose it is: the stream, then, if anything, `-` or
 * `.` and what tells it from others of the stream, then the ending:
 * payments.jsonl, payments-2024.csv.gz, payments.2.jsonl.zst. A folder stands
 * for its files.
 */
#pragma once

#include "rule/rule.h"

struct input {
	const struct stream *stream;
	const char *path;
};

/* All zero bytes but for the ruleset are no inputs. */
struct inputs {
	const struct ruleset *set;
	struct arena arena;
	struct input *items; /* in the order in which they are read */
	size_t n, cap;
	bool folder; /* one was among the arguments */
};

/*
 * Takes an argument: STREAM=FILE, a folder, or a file by its name. 0, or
 * -EINVAL with @why. Files of a folder that no stream claims are named in
 * @notes, a line each; labels.jsonl and counts.json, which tell of events, are
 * passed over.
 */
int inputs_add(struct inputs *inputs, const char *arg, struct buf *notes,
	       struct buf *why);
/* Names the streams that rules read and that have no file, if a folder was to
 * bring them. */
void inputs_absent(const struct inputs *inputs, struct buf *notes);
void inputs_free(struct inputs *inputs);
