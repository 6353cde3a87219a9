/* Removing, renaming, resizing and wiping logical volumes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/common/block_volumes.h"
#include "backends/common/sysfs.h"
#include "backends/logical/logical.h"
#include "backends/logical/name.h"
#include "backends/support/clock.h"

/* What the commands below need of a volume. */
struct target {
	char lv[2 * LOGICAL_NAME_MAX]; /* "VG/LV" */
	char *path;
	enum lv_kind kind;
	uint64_t size, extent, free; /* free: of the group */
	bool active;
};

static void target_clear(struct target *t)
{
	free(t->path);
}
#define AUTO_TARGET CLEANUP(target_clear)

/* Whether removing or resizing what the other stands on would harm that one. */
static bool depends(const struct lv *other, const struct lv *lv)
{
	if (lv_is_snapshot_of(other, lv))
		return true;
	return other->origin && !strcmp(other->origin, lv->name) &&
	       !(other->kind == LV_THIN && lv->kind == LV_THIN);
}

static int check_alone(const struct logical_pool *p, const struct lv *lv,
		       const char *what, struct error *err)
{
	for (size_t i = 0; i < p->vg.n_lvs; i++) {
		const struct lv *other = &p->vg.lvs[i];

		if (!depends(other, lv))
			continue;
		if (other->snap)
			return error_set(
				err, EBUSY,
				"volume '%s' cannot be %s: it has snapshot '%s', "
				"remove that first",
				lv->name, what, other->snap);
		return error_set(err, EBUSY,
				 "volume '%s' cannot be %s: volume '%s' stands on it, "
				 "remove that first",
				 lv->name, what, other->name);
	}
	return 0;
}

/* alone: what is done to it, where nothing may stand on it; else NULL. whole: see
 * group_look(). */
static int find_target(struct logical_pool *p, const char *name, const char *alone,
		       bool whole, struct target *t, struct call *call, struct error *err)
{
	struct lv *lv;
	int r = logical_look(p, name, whole, &lv, call, err);

	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	if (alone && (r = check_alone(p, lv, alone, err)) < 0)
		return r;
	t->kind = lv->kind;
	t->size = lv->size;
	t->extent = p->vg.extent_size;
	t->free = p->vg.free;
	t->active = lv->active;
	snprintf(t->lv, sizeof(t->lv), "%s/%s", p->name, name);
	t->path = group_path(p, name);
	return t->path ? 0 : error_code(err, ENOMEM, "cannot use volume '%s'", name);
}

/* -- removing and renaming -- */

static bool patch_removed(struct vg *r, const void *name)
{
	struct lv *lv = vg_find(r, name);

	if (!lv)
		return false;
	r->free += lv->room;
	vg_remove(r, lv);
	return true;
}

int logical_vol_delete(void *pool, const char *name, struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	AUTO_TARGET struct target t = { 0 };
	struct lvm_command c;
	int r = find_target(p, name, "removed", false, &t, call, err);

	if (r == 0 && t.active)
		r = block_check_unused(t.path, err);
	if (r < 0)
		return r;
	lvm_begin(&c, "lvremove", "--yes", t.lv, NULL);
	r = group_change(p, &c, patch_removed, name, call, err);
	return r < 0 ? error_prefix(err, "cannot remove volume '%s'", name) : 0;
}

struct renaming {
	const char *from, *to;
};

static bool patch_renamed(struct vg *r, const void *arg)
{
	const struct renaming *names = arg;
	struct lv *lv = vg_find(r, names->from);

	return lv && vg_rename(r, lv, names->to) == 0;
}

int logical_vol_rename(void *pool, const char *from, const char *to, unsigned flags,
		       struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	struct renaming names = { from, to };
	AUTO_TARGET struct target t = { 0 };
	struct lvm_command c;
	int r = logical_name_check(p->name, to, err);

	if (r == 0)
		r = find_target(p, from, NULL, false, &t, call, err);
	if (r < 0)
		return r;
	lvm_begin(&c, "lvrename", p->name, from, to, NULL);
	r = group_change(p, &c, patch_renamed, &names, call, err);
	return r < 0 ? error_prefix(err, "cannot rename volume '%s' to '%s'", from, to)
		     : 0;
}

/* -- resizing -- */

struct sizing {
	const char *name;
	uint64_t size;
};

static bool patch_resized(struct vg *r, const void *arg)
{
	const struct sizing *to = arg;
	struct lv *lv = vg_find(r, to->name);

	if (!lv)
		return false;
	if (lv->kind == LV_PLAIN) {
		r->free += lv->room;
		r->free -= MIN(r->free, to->size);
		lv->room = to->size;
	}
	lv->size = to->size;
	return true;
}

/* "discard_max_bytes" and the like of the device's queue; 0 also where it has none. */
static uint64_t queue_limit(dev_t device, const char *name)
{
	uint64_t value;

	if (sys_number(&value, "/sys/dev/block/%u:%u/queue/%s", major(device),
		       minor(device), name) < 0)
		return 0;
	return value;
}

#define ZERO_PIECE (UINT64_C(1) << 30)

/*
 * What a volume gains reads as zeros where that is fast: the disk writes zeros by itself,
 * and is not one that does so no faster than we would (those discard nothing).
 */
static void zero_gained(const char *path, uint64_t from, uint64_t to, struct call *call)
{
	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    !queue_limit(st.st_rdev, "discard_max_bytes") ||
	    !queue_limit(st.st_rdev, "write_zeroes_max_bytes"))
		return;
	for (uint64_t at = from; at < to; at += ZERO_PIECE) {
		if (deadline_passed(call->deadline_ns) ||
		    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
			      MIN(to - at, ZERO_PIECE)) < 0)
			return;
	}
}

static int run_resize(struct logical_pool *p, const char *command, const struct target *t,
		      const struct sizing *to, const char *more, struct call *call,
		      struct error *err)
{
	struct lvm_command c;
	char size[32];

	snprintf(size, sizeof(size), "%" PRIu64 "b", to->size);
	lvm_begin(&c, command, "--yes", "--size", size, NULL);
	if (more)
		lvm_add(&c, "--fs", more, NULL);
	lvm_add(&c, t->lv, NULL);
	return group_change(p, &c, patch_resized, to, call, err);
}

/* A writer grows a volume by guesses: one that cannot be is refused without lvm. */
static int grow(struct logical_pool *p, const struct target *t, const struct sizing *to,
		unsigned flags, struct call *call, struct error *err)
{
	int r;

	if (t->kind == LV_PLAIN && to->size - t->size > t->free)
		return error_set(err, ENOSPC,
				 "volume group '%s' has only %" PRIu64 " bytes left",
				 p->name, t->free);
	r = run_resize(p, "lvextend", t, to, NULL, call, err);
	if (r == 0 && t->kind == LV_PLAIN && !(flags & RESIZE_ROOM))
		zero_gained(t->path, t->size, to->size, call);
	return r;
}

/* The file system on it, if any, is the affair of who shrinks; later versions of lvm
 * (2.03.17) want to be told that. */
static int shrink(struct logical_pool *p, const struct target *t, const struct sizing *to,
		  struct call *call, struct error *err)
{
	struct error first = { 0 };
	int r = t->active ? block_check_unused(t->path, err) : 0;

	if (r < 0)
		return r;
	r = run_resize(p, "lvreduce", t, to, NULL, call, &first);
	if (r < 0 && strstr(first.text, "--fs ignore"))
		return run_resize(p, "lvreduce", t, to, "ignore", call, err);
	return r < 0 ? error_copy(err, &first) : 0;
}

static int check_resizable(const struct target *t, const char *name, struct error *err)
{
	if (t->kind == LV_PLAIN || t->kind == LV_THIN)
		return 0;
	return error_set(err, EOPNOTSUPP,
			 "volume '%s' is %s, whose size LVM does not change", name,
			 t->kind == LV_SPARSE ? "a sparse one" : "a snapshot of another");
}

int logical_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		       struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	AUTO_TARGET struct target t = { 0 };
	struct sizing to = { .name = name };
	struct error why = { 0 };
	int r = find_target(p, name, "resized", false, &t, call, err);

	if (r == 0)
		r = check_resizable(&t, name, err);
	if (r < 0)
		return r;
	if (__builtin_mul_overflow(size ? (size - 1) / t.extent + 1 : 1, t.extent,
				   &to.size))
		return error_set(err, EFBIG, "no volume is as large as that");
	if (to.size == t.size)
		return 0;
	if (to.size > t.size)
		r = grow(p, &t, &to, flags, call, &why);
	else if (flags & RESIZE_SHRINK)
		r = shrink(p, &t, &to, call, &why);
	else
		r = error_set(&why, EINVAL, "it is larger than that");
	if (r < 0) {
		error_copy(err, &why);
		error_prefix(err, "cannot resize volume '%s'", name);
	}
	return r;
}

/* -- wiping -- */

/* Whether the pool of a thin volume has room for all of it. */
static bool pool_has_room(struct logical_pool *p, const char *name, struct call *call)
{
	struct error ignored;
	struct lv *lv;

	if (logical_look(p, name, true, &lv, call, &ignored) < 0)
		return false;
	SCOPED_LOOK(p);
	const struct lv *in = lv->pool ? vg_find(&p->vg, lv->pool) : NULL;

	return in && in->room / 10000 * (10000 - in->filled) >
			     lv->size - MIN(lv->size, logical_used(lv));
}

int logical_vol_wipe(void *pool, const char *name, const char *algorithm,
		     struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	AUTO_TARGET struct target t = { 0 };
	bool trims = !strcmp(algorithm, "trim");
	int r = find_target(p, name, NULL, false, &t, call, err);

	if (r < 0)
		return r;
	if (t.kind == LV_SNAPSHOT || t.kind == LV_SPARSE)
		return error_set(err, EOPNOTSUPP,
				 "volume '%s' is sparse: wiping it would only fill its "
				 "room. Remove it, and wipe what comes after it",
				 name);
	if (t.kind == LV_THIN && !trims && !pool_has_room(p, name, call))
		return error_set(err, EOPNOTSUPP,
				 "volume '%s' is thin, and its thin pool has no room for "
				 "all of it: 'wipe trim' gives back what it has",
				 name);
	r = block_wipe(t.path, algorithm, call, err);
	/* all of it is overwritten, and what it did not have is given back */
	if (r == 0 && t.kind == LV_THIN && !strcmp(algorithm, "zero"))
		r = block_wipe(t.path, "trim", call, err);
	return r;
}
