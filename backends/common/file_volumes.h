/*
 * Volumes that are the regular files of one directory: what dir, fs and netfs pools
 * share. Nothing is followed out of the directory: openat2 with RESOLVE_BENEATH and no
 * magic links.
 *
 * A backend whose pool is a struct file_pool can use these as its members as they are.
 */
#pragma once

#include "backends/backend.h"

struct file_pool;

/* Opens the directory and watches it (one inotify instance for the process). host is kept
 * until close, of spec what is needed is copied. */
int file_pool_open(const struct pool_spec *spec, const struct host *host,
		   struct file_pool **out, struct error *err);
void file_pool_close(struct file_pool *fp);

/* Looks at the target again, and takes the directory that is there now. */
int file_pool_refresh(void *pool, struct call *, struct error *);
/* Lets go of the directory, so that its filesystem can be unmounted; file_pool_refresh
 * takes it again. */
int file_pool_let_go(struct file_pool *fp, struct error *err);
int file_pool_stat(void *pool, struct pool_stat *, struct call *, struct error *);
bool file_pool_local(void *pool); /* fstatfs: not NFS, CIFS, 9p, FUSE */
int file_pool_sync_names(void *pool, struct call *, struct error *);

int file_vol_list(void *pool, vol_each, void *arg, struct call *, struct error *);
int file_vol_stat(void *pool, const char *name, struct vol_stat *, struct call *,
		  struct error *);
int file_vol_describe(void *pool, const char *name, struct volume_spec *, struct call *,
		      struct error *);
int file_vol_create(void *pool, const char *name, const struct volume_spec *,
		    struct call *, struct error *);
int file_vol_delete(void *pool, const char *name, struct call *, struct error *);
int file_vol_rename(void *pool, const char *from, const char *to, unsigned flags,
		    struct call *, struct error *);
int file_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		    struct call *, struct error *);
int file_vol_setattr(void *pool, const char *name, const struct vol_attr *, struct call *,
		     struct error *);
int file_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *,
		  struct error *);
int file_vol_flatten(void *pool, const char *name, struct call *, struct error *);
int file_vol_open(void *pool, const char *name, const char *snap, int flags,
		  struct vol_file *, struct call *, struct error *);
void file_vol_close(void *pool, struct vol_file *);
int file_vol_fstat(void *pool, const struct vol_file *, struct vol_stat *, struct call *,
		   struct error *);
ssize_t file_vol_copy(const struct vol_file *from, off_t from_off,
		      const struct vol_file *to, off_t to_off, size_t len, struct call *,
		      struct error *);
int file_snap_list(void *pool, const char *name, vol_each, void *arg, struct call *,
		   struct error *);
int file_snap_stat(void *pool, const char *name, const char *snap, struct vol_stat *,
		   struct call *, struct error *);
int file_snap_create(void *pool, const char *name, const char *snap, struct call *,
		     struct error *);
int file_snap_delete(void *pool, const char *name, const char *snap, struct call *,
		     struct error *);
int file_snap_revert(void *pool, const char *name, const char *snap, struct call *,
		     struct error *);

/*
 * The members of struct backend that a directory of files fills in, for BACKEND_DEFINE.
 */
#define FILE_VOLUME_MEMBERS                                                          \
	.volumes = VOLUMES_ARE_FILES, .parallel = true, .pool_stat = file_pool_stat, \
	.local = file_pool_local, .list = file_vol_list, .vol_stat = file_vol_stat,  \
	.vol_describe = file_vol_describe, .vol_create = file_vol_create,            \
	.vol_delete = file_vol_delete, .vol_rename = file_vol_rename,                \
	.vol_resize = file_vol_resize, .vol_setattr = file_vol_setattr,              \
	.vol_wipe = file_vol_wipe, .vol_flatten = file_vol_flatten,                  \
	.vol_open = file_vol_open, .vol_close = file_vol_close,                      \
	.vol_fstat = file_vol_fstat, .vol_copy = file_vol_copy,                      \
	.snap_list = file_snap_list, .snap_stat = file_snap_stat,                    \
	.snap_create = file_snap_create, .snap_delete = file_snap_delete,            \
	.snap_revert = file_snap_revert, .sync_names = file_pool_sync_names
