/* What of a unit is provisioned, from GET LBA STATUS. In the session's turn. */
#pragma once

#include "backends/iscsi/ask.h"

/* Counts what is allocated of a->lun, if that can be told and is not known; then calls
 * then. What cannot be counted in a moment counts as allocated. */
void map_measure(struct ask *a, void (*then)(struct ask *));
