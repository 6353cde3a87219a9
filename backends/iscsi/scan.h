/* Which units the target has, and what each of them is. In the session's turn. */
#pragma once

#include "backends/iscsi/ask.h"

/* Asks for the list, and looks at each unit: at all of them when `whole`, else only where
 * the list is another than the one known. */
void scan_start(struct iscsi_pool *, bool whole);

/* As scan_start; a->then is called when it is over, well or not. */
void scan_and_then(struct ask *a, bool whole, void (*then)(struct ask *));
