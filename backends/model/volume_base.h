/* What the files about volumes share: refusals, events, and calls of a backend with what
 * the model knows better. */
#pragma once

#include <stddef.h>

#include "backends/model/events.h"
#include "backends/model/pool.h"
#include "backends/model/registry.h"
#include "backends/model/volume.h"

#define USE_HAS(u, member) BACKEND_HAS((u)->backend, member)

/* -EOPNOTSUPP: "a pool of type 'dir' cannot …". */
int volume_unsupported(const struct use *u, const char *what, struct error *err);

/* pool_check_protected for "VERB volume 'name'". */
int volume_check_protected(struct pool *p, const char *verb, const char *name,
			   struct error *err);

/* Tells that something of volume name changed by our own doing. other may be NULL. */
void volume_event(struct pool *p, enum event_what what, const char *name,
		  const char *other);
/* EVENT_VOLUME_CHANGED by a call on the file in volumes/, whose attributes the caller
 * gets. */
void volume_event_by_file(struct pool *p, const char *name);

/* Of what is no file, where the backend says nothing of it. */
void volume_set_io_size(const struct use *u, struct vol_stat *st);

/* vol_stat with the sizes and owners that the model knows better. */
int volume_stat_in(struct pool *p, const struct use *u, const char *name,
		   struct vol_stat *out, struct call *call, struct error *err);
void volume_overlay(struct pool *p, const struct use *u, const char *name,
		    struct vol_stat *st);
int volume_setattr_in(struct pool *p, const struct use *u, const char *name,
		      const struct vol_attr *a, struct call *call, struct error *err);
/*
 * What is meant by a size that is not said to shrink it: the one that there is now, where
 * it would be rounded up to that. So the same can be asked for twice. format: of an image
 * in a file, else NULL.
 */
uint64_t volume_size_meant(const struct use *u, const char *format, uint64_t size,
			   uint64_t now);
/* Resizes by name what is not a file: for good, open or not. */
int volume_resize_in(struct pool *p, const struct use *u, const char *name, uint64_t size,
		     unsigned flags, struct call *call, struct error *err);
/* Makes it with spec, whose missing owner, group and mode are filled in. */
int volume_create_in(struct pool *p, const struct use *u, const char *name,
		     struct volume_spec *spec, struct call *call, struct error *err);
