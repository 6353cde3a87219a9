/*
 * Volumes of running pools: by name, open ones, plans, and the semantics of those
 * whose size is provisioned (storagefs-tree(7)).
 *
 * Every function that may wait takes the call. All take a pool reference that the caller
 * holds. Errors beyond each one's own: -EAGAIN the pool is not running, -EOPNOTSUPP the
 * type cannot.
 */
#pragma once

#include <fcntl.h>

#include "backends/backend.h"
#include "backends/model/pool.h"

/* How the volumes of this running pool come to be. */
enum volume_class volume_class(const struct use *u);

/* -- by name -- */

int volume_list(struct pool *p, vol_each each, void *arg, struct call *call,
		struct error *err);
/* fsync(2) of the directory: made, renamed and deleted volumes stay so. */
int volume_sync_names(struct pool *p, struct call *call, struct error *err);
/* With the modes and owners that SOURCE keeps where the backend cannot. -ENOENT. */
int volume_stat(struct pool *p, const char *name, struct vol_stat *out, struct call *call,
		struct error *err);
/* touch, mknod: consumes a plan of that name. -EEXIST: the name is taken. The owner
 * is the pool's permissions' or the call's; mode the call's, nothing for others. */
int volume_create(struct pool *p, const char *name, struct call *call, struct error *err);
int volume_delete(struct pool *p, const char *name, struct call *call, struct error *err);
/* flags: RENAME_VOL_*. */
int volume_rename(struct pool *p, const char *from, const char *to, unsigned flags,
		  struct call *call, struct error *err);
int volume_setattr(struct pool *p, const char *name, const struct vol_attr *a,
		   struct call *call, struct error *err);
/* truncate(2) by path, by the rules of the pool's class of volumes. */
int volume_truncate(struct pool *p, const char *name, uint64_t size, struct call *call,
		    struct error *err);

/* -- info/V -- */

int volume_show_xml(struct pool *p, const char *name, struct call *call, struct buf *out,
		    struct error *err);
/* info/V/xml written: creates V, or applies to an existing one what can be applied. */
int volume_define(struct pool *p, const char *name, const char *text, size_t len,
		  struct call *call, struct error *err);
/* One value of the description as text with a newline: capacity, format, backing,
 * allocation, physical, type, key, path, paths. Empty values give an empty file. Plans
 * answer what they have. */
int volume_show(struct pool *p, const char *name, const char *field, struct call *call,
		struct buf *out, struct error *err);
/* Writes to capacity (also "shrink 10G"), and in a plan: format, backing, allocation. */
int volume_store(struct pool *p, const char *name, const char *field, const char *value,
		 struct call *call, struct error *err);
/* ctl: wipe ALGORITHM | revert SNAP | flatten. */
int volume_verb(struct pool *p, const char *name, const char *line, struct call *call,
		struct error *err);
int volume_show_verbs(struct pool *p, const char *name, struct call *call,
		      struct buf *out, struct error *err);

/* -- plans: info/V made before V -- */

bool plan_exists(struct pool *p, const char *name);
int plan_make(struct pool *p, const char *name, struct error *err); /* -EEXIST */
int plan_remove(struct pool *p, const char *name, struct error *err); /* -ENOENT */
int plan_each(struct pool *p, vol_each each, void *arg);

/* -- snapshots -- */

int snapshot_list(struct pool *p, const char *volume, vol_each each, void *arg,
		  struct call *call, struct error *err);
int snapshot_stat(struct pool *p, const char *volume, const char *snap,
		  struct vol_stat *out, struct call *call, struct error *err);
int snapshot_create(struct pool *p, const char *volume, const char *snap,
		    struct call *call, struct error *err);
int snapshot_delete(struct pool *p, const char *volume, const char *snap,
		    struct call *call, struct error *err);

/* -- open volumes -- */

struct volume_handle; /* one per open(2) */

/*
 * flags: access mode, O_TRUNC, O_DIRECT, O_APPEND. snap: NULL or a snapshot (read-only).
 * created: this open made the volume. opener: the process that opens, whose close(2)
 * trims and sizes.
 */
int volume_open(struct pool *p, const char *name, const char *snap, int flags,
		bool created, pid_t opener, struct volume_handle **out, struct call *call,
		struct error *err);
/* release: the last reference of the description is gone. Trims what is not trimmed yet;
 * waits. */
void volume_close(struct volume_handle *h, struct call *call);

/* The backing descriptor for passthrough and inline I/O; -1: use volume_submit. */
int volume_fd(const struct volume_handle *h);
/* Whether that is a regular file (fit for kernel passthrough). */
bool volume_is_regular(const struct volume_handle *h);

/*
 * Before bytes [off, off + len) are written: true when nothing has to be done first. Else
 * volume_prepare_write does it (grows an unsized volume, zeroes what an O_TRUNC writer
 * skipped) and may wait; it returns how many of len may be written, or -ENOSPC at the end
 * of a sized volume. Files need neither.
 */
bool volume_write_ready(struct volume_handle *h, uint64_t off, size_t len);
ssize_t volume_prepare_write(struct volume_handle *h, uint64_t off, size_t len,
			     struct call *call, struct error *err);
/* For volumes without a descriptor. Reads are cut at the size by the caller, see
 * volume_size. */
void volume_submit(struct volume_handle *h, struct io *io);
void volume_cancel(struct volume_handle *h, struct io *io);
/* Current end for readers, without waiting; descriptors: UINT64_MAX (the file knows). */
uint64_t volume_size(struct volume_handle *h);

/* A flush: one close(2) of the description by process pid. The opener's own trims and
 * sizes. volume_flush_ready is asked first, and takes note of it: true, nothing to do. */
bool volume_flush_ready(struct volume_handle *h);
int volume_flush(struct volume_handle *h, pid_t pid, struct call *call,
		 struct error *err);
int volume_fsync(struct volume_handle *h, bool data_only, struct call *call,
		 struct error *err);
int volume_ftruncate(struct volume_handle *h, uint64_t size, struct call *call,
		     struct error *err);
/* mode: 0, KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE[|KEEP_SIZE] of fallocate(2). */
int volume_allocate(struct volume_handle *h, int mode, uint64_t off, uint64_t len,
		    struct call *call, struct error *err);
off_t volume_seek(struct volume_handle *h, off_t off, int whence, struct call *call,
		  struct error *err);
/* Server-side or reflink copy, else a transfer; may do less than asked. -EXDEV between
 * pools, -EOPNOTSUPP: copy bytes instead. */
ssize_t volume_copy(struct volume_handle *from, off_t from_off, struct volume_handle *to,
		    off_t to_off, size_t len, struct call *call, struct error *err);
/* Whether that would read and write the bytes here, waiting for two sources. */
bool volume_transfers(const struct volume_handle *from, const struct volume_handle *to);
int volume_fstat(struct volume_handle *h, struct vol_stat *out, struct call *call,
		 struct error *err);

/*
 * Locks. owner 0 with flock(2)'s operations (LOCK_SH, LOCK_EX, LOCK_UN), any other owner
 * with F_RDLCK, F_WRLCK, F_UNLCK on a range. Never waits: -EAGAIN when another holds it.
 * Forwarded to the backing file as OFD locks, one descriptor per owner, so that users of
 * the native path see them.
 */
int volume_flock(struct volume_handle *h, int operation, struct error *err);
int volume_setlk(struct volume_handle *h, uint64_t owner, const struct flock *lock,
		 struct error *err);
int volume_getlk(struct volume_handle *h, uint64_t owner, struct flock *lock,
		 struct error *err);
void volume_unlock_owner(struct volume_handle *h, uint64_t owner); /* at its close */
/* Whether there is anything to unlock; does not wait. */
bool volume_locked_by(struct volume_handle *h, uint64_t owner);
