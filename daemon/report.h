/*
 * Report: the lane's counters as Prometheus text.
 */
#pragma once

#include "base/buf.h"
#include "lane/lane.h"

void report_metrics(struct buf *out, const struct lane *lane);
