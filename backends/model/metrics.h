/* Counters for the file `metrics`, as OpenMetrics text. Thread safe and cheap. */
#pragma once

#include <stdint.h>

#include "backends/support/buf.h"

enum metric_op {
	METRIC_LOOKUP, METRIC_ATTR, METRIC_OPEN, METRIC_READ, METRIC_WRITE, METRIC_LIST,
	METRIC_CREATE, METRIC_REMOVE, METRIC_RENAME, METRIC_RESIZE, METRIC_SYNC,
	METRIC_OTHER,
	METRIC_OPS
};

/* One finished request. code: 0 or a positive errno. */
void metrics_request(enum metric_op op, uint64_t started_ns, int code);

/* Prints all, with the model's gauges (pools by state, open volumes, jobs), and "# EOF"
 * at the end. */
int metrics_show(struct buf *out);
