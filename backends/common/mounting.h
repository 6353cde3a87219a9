/*
 * Mounting filesystems and knowing what is mounted, with libmount: what fs and netfs
 * pools share.
 *
 * No state is kept here, so each module has its own copy. Nothing that is mounted is
 * touched to learn of it, since its server may be dead: the kernel's list of mounts says
 * all.
 */
#pragma once

#include <sys/types.h>

#include "backends/backend.h"

/* One mount. */
struct mounted {
	int id;
	dev_t device; /* of its files */
	char *source, *target, *type;
	char *root; /* what of the filesystem is to be seen there: "/" for all */
};
void mounted_clear(struct mounted *m);
#define AUTO_MOUNTED CLEANUP(mounted_clear)

/* The mount that path leads to, which is the uppermost one there. 1, or 0: nothing is
 * mounted at it. */
int mounting_find(const char *path, struct mounted *out, struct error *err);

/* The mount that the pool's open directory is in, which is the uppermost at its target:
 * -EBUSY where something was mounted over it. 0: it is mounted no longer. */
int mounting_held(int dir, const char *target, struct mounted *out, struct error *err);

/* Whether the target may be one: -EINVAL unless it is absolute. */
int mounting_check_target(const struct pool_spec *spec, struct error *err);
/* -ENOENT, saying how to build it, where the directory to mount on is not there. */
int mounting_check_directory(const struct pool_spec *spec, struct error *err);
/* -EBUSY: something is mounted on the target that is not what. */
int mounting_refuse(const struct mounted *m, const struct pool_spec *spec,
		    const char *what, struct error *err);

/* For struct backend, where the pool is a struct file_pool: as file_pool_refresh, but the
 * bare directory below is never taken for the pool. */
int mounting_refresh(void *pool, struct call *, struct error *);

/* Mounts without helper programs. Where only reading is possible it is mounted for that.
 * options: as mount(8) has them. */
int mounting_mount(const char *source, const char *target, const char *type,
		   const char *options, struct error *err);

/* Unmounts; -EBUSY names who has something open there. */
int mounting_umount(const struct mounted *m, struct call *call, struct error *err);

/* "nodev,nosuid,noexec" and the definition's own; the caller frees it. NULL: no memory.
 */
char *mounting_options(const struct pool_spec *spec, const char *more);
