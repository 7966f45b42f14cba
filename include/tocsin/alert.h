/*
 * Alert: the words of an alert's life, as records, Redis and metrics say them.
 *
 * The record itself is a JSON document, described field by field in
 * deploy/alert.schema.json and written by daemon/alert/record.c.
 */
#pragma once

#include <stdint.h>

/* Raised with each change that can change a record's bytes. */
#define ENGINE_NUMBER 3

enum alert_state {
	STATE_PENDING,
	STATE_INCONCLUSIVE,
	STATE_FIRING,
	STATE_RESOLVED,
	STATE_WITHDRAWN,
	STATE_STALE,
	STATE_MAX
};

enum alert_change {
	CHANGE_FIRED,
	CHANGE_RAISED,
	CHANGE_LOWERED,
	CHANGE_UPDATED,
	CHANGE_AMENDED,
	CHANGE_RESOLVED,
	CHANGE_WITHDRAWN,
	CHANGE_STALE,
	CHANGE_REVIEWED,
	CHANGE_MAX
};

enum alert_why {
	WHY_CONDITION,
	WHY_WINDOW,
	WHY_PERIOD,
	WHY_CORRECTION,
	WHY_LATE,
	WHY_MERGED,
	WHY_RULES,
	WHY_SEAM,
	WHY_GAP,
	WHY_COMMAND,
	WHY_EVICTED,
	WHY_MAX
};

const char *alert_state_name(enum alert_state state);
const char *alert_change_name(enum alert_change change);
const char *alert_why_name(enum alert_why why);
