/*
 * Report: the lane's counters as Prometheus text.
 */
#pragma once

#include "base/buf.h"
#include "lane/lane.h"
#include "ops/metrics.h"

struct report_family {
	enum metric_kind kind;
	const char *name;
	const char *labels; /* "rule, reason" */
	const char *help;
};

/* How often rules were read again. */
struct report_reloads {
	uint64_t taken, refused;
};

void report_metrics(struct buf *out, const struct lane *lane,
		    const struct report_reloads *reloads);
/* All that report_metrics() may write, without a lane. */
void report_families(void (*tell)(void *context,
				  const struct report_family *family),
		     void *context);
