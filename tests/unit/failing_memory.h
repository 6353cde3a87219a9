/* Allocations of our own code fail, one after the other. The test is linked with --wrap. */
#pragma once

#include <stdbool.h>

#include "backends/support/error.h"

/* Runs it again and again, with one more allocation of this thread that succeeds, until all do:
 * then it returns 0, before that -ENOMEM. may_do_without: or 0, since not all is needed. */
void with_each_failing(int (*run)(struct error *err), bool may_do_without);

/* Whether none fails, nor is counted: for what the test itself does in a run. */
void memory_is_there(bool there);
