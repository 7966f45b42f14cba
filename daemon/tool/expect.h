/*
 * Expect: transitions that a test wants, held against those that came.
 *
 * Every transition must be expected and every expectation must come, each once.
 * An expectation says as much as it likes of a transition: rule, at, level,
 * was, state, change, why, open, key, period, with.
 */
#pragma once

#include "alert/outbox.h"
#include "event/json.h"
#include "rule/shape.h"
#include "rule/yaml.h"

struct transition {
	struct outbox_item item; /* json and key are the arena's */
	const struct json *record;
	const struct zone *zone; /* in which `at` is a date */
	bool matched;
};

/* 0, or -EINVAL: a complaint about the `expect` list itself. */
int expect_check(const struct yaml_node *expect, struct place place,
		 struct diag *diag);
/*
 * How many do not fit; what is amiss stands in @out, a line each.
 * @expect has passed expect_check().
 */
size_t expect_compare(struct buf *out, const struct yaml_node *expect,
		      struct transition *transitions, size_t n);

/* Which keys a transition may ask for. */
extern const struct shape expect_shape;
