/*
 * Plans: what info/V says of a volume before it exists. In memory, by name. Thread safe.
 * plan_exists, plan_make, plan_remove and plan_each are in model/volume.h.
 */
#pragma once

#include "backends/model/pool.h"
#include "backends/support/spec.h"

struct plans;

/* NULL: no memory. */
struct plans *plans_new(void);
void plans_free(struct plans *ps);
void plans_clear(struct plans *ps);

/* A copy of what is planned; out is VOLUME_SPEC_INIT on entry. -ENOENT: no such plan. A
 * plan that does not say it has allocation 0. */
int plan_get(struct pool *p, const char *name, struct volume_spec *out,
	     struct error *err);
/* Writes capacity, allocation, format or backing. -ENOENT, -EINVAL, -EPERM: another
 * field. */
int plan_store(struct pool *p, const char *name, const char *field, const char *value,
	       struct error *err);
/* The volume has come to be, or the name is another's. Nothing when there is no plan. */
void plan_drop(struct pool *p, const char *name);

/* -EINVAL: a backing file inside our own mount would wait for ourselves. */
int backing_check(const char *path, struct error *err);
