/*
 * What the model keeps of a pool's volumes beside the backend: the open ones, plans, last errors.
 * Made with the pool, by pool.c; used by volume.c. Its lock is taken after the pool's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"

struct pool;
struct volumes;

struct volumes *volumes_new(void);
void volumes_free(struct volumes *v);

/* One that is open, and who opened it; false: none. */
bool volumes_busy(struct volumes *v, char *name, size_t size, pid_t *opener);
size_t volumes_open_count(struct volumes *v);
/* The pool is no longer running, or undefined: plans and errors are dropped. */
void volumes_reset(struct volumes *v);

void volumes_remember(struct volumes *v, const char *name, const struct error *err);
int volumes_show_error(struct volumes *v, const char *name, struct buf *out);

/* In pool.c, for volume.c. */
struct volumes *pool_volumes(struct pool *p);
struct attributes *pool_attributes(struct pool *p);
/* The permissions that its definition gives new volumes; label is not copied. */
struct permissions pool_default_permissions(struct pool *p);
