/*
 * Secrets: SOURCE/secrets/ID, 0600, ID a UUID or a usage name (/ as %2F). Written, never
 * read back by a user; used by backends through struct host. Thread safe.
 */
#pragma once

#include <time.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"
#include "backends/support/spec.h"

/* One trailing newline is dropped. -EINVAL: empty, or id is no legal name. */
int secret_store(const char *id, const void *value, size_t len, struct error *err);
int secret_remove(const char *id, struct error *err);
bool secret_exists(const char *id, struct timespec *mtime);
int secrets_list(int (*each)(void *arg, const char *id), void *arg, struct error *err);

/* Adds the value; the buffer must be wiped. -ENOENT names what to type. */
int secret_get(const struct secret_ref *ref, struct buf *value, struct error *err);
