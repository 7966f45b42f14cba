#include "tocsin/alert.h"

#include <assert.h>
#include <stddef.h>

#include "base/util.h"

static const char *const states[] = {
	[STATE_PENDING] = "pending",     [STATE_INCONCLUSIVE] = "inconclusive",
	[STATE_FIRING] = "firing",       [STATE_RESOLVED] = "resolved",
	[STATE_WITHDRAWN] = "withdrawn", [STATE_STALE] = "stale",
};
static const char *const changes[] = {
	[CHANGE_FIRED] = "fired",         [CHANGE_RAISED] = "raised",
	[CHANGE_LOWERED] = "lowered",     [CHANGE_UPDATED] = "updated",
	[CHANGE_AMENDED] = "amended",     [CHANGE_RESOLVED] = "resolved",
	[CHANGE_WITHDRAWN] = "withdrawn", [CHANGE_STALE] = "stale",
	[CHANGE_REVIEWED] = "reviewed",
};
static const char *const whys[] = {
	[WHY_CONDITION] = "condition",
	[WHY_WINDOW] = "window",
	[WHY_PERIOD] = "period",
	[WHY_CORRECTION] = "correction",
	[WHY_LATE] = "late",
	[WHY_MERGED] = "merged",
	[WHY_RULES] = "rules",
	[WHY_SEAM] = "seam",
	[WHY_GAP] = "gap",
	[WHY_COMMAND] = "command",
	[WHY_EVICTED] = "evicted",
};

static_assert(ARRAY_SIZE(states) == STATE_MAX, "each state has a name");
static_assert(ARRAY_SIZE(changes) == CHANGE_MAX, "each change has a name");
static_assert(ARRAY_SIZE(whys) == WHY_MAX, "each reason has a name");

const char *alert_state_name(enum alert_state state) {
	assert((size_t)state < STATE_MAX);
	return states[state];
}

const char *alert_change_name(enum alert_change change) {
	assert((size_t)change < CHANGE_MAX);
	return changes[change];
}

const char *alert_why_name(enum alert_why why) {
	assert((size_t)why < WHY_MAX);
	return whys[why];
}
