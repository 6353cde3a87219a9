/*
 * The backend modules: loaded on first use, never unloaded. They are looked for in
 * backends/ beside /proc/self/exe (the build tree), then in LIBDIR/storagefs. Thread
 * safe.
 */
#pragma once

#include <stddef.h>

#include "backends/backend.h"
#include "backends/support/error.h"

/* NULL with -EOPNOTSUPP in err: "the backend 'rbd' is not installed: …". */
const struct backend *registry_get(const char *type, struct error *err);

/* Whether a member of a backend's struct is there: older modules have a shorter struct.
 */
#define BACKEND_HAS(b, member)                                                  \
	(offsetof(struct backend, member) + sizeof((b)->member) <= (b)->size && \
	 (b)->member)

/* For unit tests: a backend that is not a module. -EEXIST. */
int registry_add(const struct backend *b);
