/*
 * Watches a session of the kernel's: a pool is away while its target is, units come and
 * go, and what the target tells of them is looked at.
 */
#pragma once

#include "backends/backend.h"

struct kernel_watch;

int kernel_watch_start(unsigned sid, const char *target, const struct host *host,
		       struct kernel_watch **out, struct error *err);

/* The host is not told any more. NULL is allowed. */
void kernel_watch_end(struct kernel_watch *w);
