/*
 * Origin: the journals of a lane that can be computed again, and from what: the
 * archive of inputs, or the run journal's order with Kafka's records.
 */
#pragma once

#include "config.h"
#include "tool/recompute.h"

#include <stdbool.h>
#include <stdint.h>

struct origin {
	uint32_t journal;
	bool is_archived;
	bool has_order; /* its run journal is still there */
};

/* Greatest number first; the caller frees. */
struct origin *origin_list(const char *state, size_t *n);
/*
 * Where to look for its inputs, the better place first: whether that is the
 * log. How many places: 1 or 2.
 */
size_t origin_places(const struct origin *origin, const struct config *config,
		     bool from_log[2]);
/* Sets what tells @what where to look. */
void origin_set(struct recompute *what, const struct origin *origin,
		const struct config *config, bool from_log);
/* From the first place that has its beginning. As recompute(). */
int origin_recompute(const struct origin *origin, const struct config *config,
		     struct recompute *what, struct buf *why);
