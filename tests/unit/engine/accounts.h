/*
 * Each cell is somebody's, or the limit of memory would ask the wrong one.
 */
#pragma once

#include "engine/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static inline void assert_accounts(const struct engine *engine) {
	const struct ruleset *set = engine->set;
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < set->n_plans; i++)
		bytes += engine->plans[i].counters.bytes;
	for (i = 0; i < set->n_registries; i++)
		bytes += engine->registries[i].counters.bytes;
	for (i = 0; i < set->n_streams; i++)
		bytes += engine->streams[i].ids_bytes;
	for (i = 0; i < set->n_rules; i++)
		bytes += engine->rules[i].review_bytes;
	assert_int_equal(bytes, engine->pages.used_bytes);
}
