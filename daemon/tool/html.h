/*
 * Html: a report of a replay as one file, for a browser without a network.
 *
 * The same rows, rules and --as-of give the same bytes. It is written beside
 * its name and takes the name when it is whole.
 */
#pragma once

#include "engine/engine.h"
#include "tool/inputs.h"

struct html;

/* What the head says of the replay. */
struct html_facts {
	const struct engine *engine;
	const struct inputs *inputs;
	const char *const *rules; /* paths */
	size_t n_rules;
	usec_t as_of;
	const struct zone *zone; /* NULL: UTC */
};

/* Makes the file, so that a path that cannot be written is known at once. */
int html_new(struct html **ret, const char *path, const struct ruleset *set,
	     enum language language);
void html_free(struct html *html);
/* Before the engine takes them: when the first of them happened. */
void html_events(struct html *html, struct event *const *events, size_t n);
void html_take(struct html *html, const struct outbox_item *item);
/* Writes it; 0 or negative errno. */
int html_end(struct html *html, const struct html_facts *facts);
