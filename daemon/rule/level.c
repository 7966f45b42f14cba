#include "rule/rule.h"

#include <assert.h>

#include "base/util.h"

const char *level_name(enum level level) {
	static const char *const names[] = {
		[LEVEL_NONE] = "none",     [LEVEL_GREEN] = "green",
		[LEVEL_YELLOW] = "yellow", [LEVEL_ORANGE] = "orange",
		[LEVEL_RED] = "red",
	};

	assert((size_t)level < ARRAY_SIZE(names));
	return names[level];
}
