/* The members of the logical backend, by the file that has them. Their contracts are
 * backends/backend.h's. */
#pragma once

#include "backends/logical/group.h"

/* build.c */
int logical_build(const struct pool_spec *spec, const struct host *host,
		  enum build_mode mode, struct call *call, struct error *err);
int logical_remove(const struct pool_spec *spec, const struct host *host,
		   struct call *call, struct error *err);
int logical_discover(const struct pool_source *from, const struct host *host,
		     source_each each, void *arg, struct call *call, struct error *err);

/* volume.c */
int logical_list(void *pool, vol_each each, void *arg, struct call *call,
		 struct error *err);
int logical_vol_stat(void *pool, const char *name, struct vol_stat *out,
		     struct call *call, struct error *err);
int logical_vol_describe(void *pool, const char *name, struct volume_spec *out,
			 struct call *call, struct error *err);
int logical_vol_open(void *pool, const char *name, const char *snap, int flags,
		     struct vol_file *out, struct call *call, struct error *err);
void logical_vol_close(void *pool, struct vol_file *f);
int logical_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
		      struct call *call, struct error *err);

/* create.c */
int logical_vol_create(void *pool, const char *name, const struct volume_spec *spec,
		       struct call *call, struct error *err);

/* change.c */
int logical_vol_delete(void *pool, const char *name, struct call *call,
		       struct error *err);
int logical_vol_rename(void *pool, const char *from, const char *to, unsigned flags,
		       struct call *call, struct error *err);
int logical_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		       struct call *call, struct error *err);
int logical_vol_wipe(void *pool, const char *name, const char *algorithm,
		     struct call *call, struct error *err);

/* snapshot.c */
int logical_snap_list(void *pool, const char *name, vol_each each, void *arg,
		      struct call *call, struct error *err);
int logical_snap_stat(void *pool, const char *name, const char *snap,
		      struct vol_stat *out, struct call *call, struct error *err);
int logical_snap_create(void *pool, const char *name, const char *snap, struct call *call,
			struct error *err);
int logical_snap_delete(void *pool, const char *name, const char *snap, struct call *call,
			struct error *err);
int logical_snap_revert(void *pool, const char *name, const char *snap, struct call *call,
			struct error *err);

/* away.c */

/* Tells the host when a disk of the group goes. */
int away_watch(struct logical_pool *p, struct error *err);
/* lvm knows no such group, for this reason: tells the host, where it was there before. */
void away_found(struct logical_pool *p, const struct error *why);
/* The group is there: where it was not, its volumes are made usable again. */
void away_return(struct logical_pool *p, struct call *call);

/* What the files above ask of volume.c: */

/* As group_look(), for one volume. -ENOENT: there is none. */
int logical_look(struct logical_pool *p, const char *name, bool whole, struct lv **out,
		 struct call *call, struct error *err);
/* The volume, or the snapshot of it; the lock is held. NULL: there is none. */
struct lv *logical_find(const struct logical_pool *p, const char *name);
struct lv *logical_find_snapshot(const struct logical_pool *p, const struct lv *of,
				 const char *snap);
/* What of the group's room it has. */
uint64_t logical_used(const struct lv *lv);
