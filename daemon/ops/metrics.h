/*
 * Metrics: Prometheus' text format, one family after the other.
 *
 * A counter carries its own manual text: metric_family() writes it, and
 * samples of that family follow until the next one begins.
 */
#pragma once

#include "base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric_label {
	const char *name, *value;
};

void metric_family(struct buf *out, enum metric_kind kind, const char *name,
		   const char *help);
void metric_sample(struct buf *out, const char *name,
		   const struct metric_label *labels, size_t n, double value);
void metric_count(struct buf *out, const char *name,
		  const struct metric_label *labels, size_t n, uint64_t value);
