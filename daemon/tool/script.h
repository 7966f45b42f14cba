/*
 * Script: what an inline test gives to the engine, step by step.
 *
 * `like` puts another test's steps and tables before its own, `change` edits
 * events of that other test by their id, `given` and `file` add events,
 * `advance` lets time pass. Events become JSON by the stream's own paths and
 * types, so a test goes the way of an event from its first byte.
 */
#pragma once

#include "rule/rule.h"
#include "rule/shape.h"
#include "rule/yaml.h"

struct step {
	/* An event; NULL: an advance. */
	const struct stream *stream;
	const struct yaml_node *fields;   /* a map; NULL: payload is set */
	const struct yaml_node **changes; /* maps; the last one wins */
	size_t n_changes;
	const char *payload; /* of a file's row */
	size_t len;
	struct span advance;
	struct place place;
};

struct script {
	struct arena *arena;
	const struct ruleset *set;
	struct diag *diag;
	struct step *steps;
	size_t n, cap;
	struct table_rows *rows; /* tables that are replaced */
	size_t n_rows, cap_rows;
};

/* 0, or -EINVAL after complaints. */
int script_gather(struct script *script, const struct rule_test *test);
/* The payload of an event's step, fields put where their paths say. */
int script_payload(struct buf *out, const struct script *script,
		   const struct step *step);

/* Which keys a test has. */
extern const struct shape test_shape;
