/*
 * Snapshots: logical volumes with a tag that names them, and one that says what they are
 * of, since LVM forgets that when a thin origin is reverted. Snapshots without the tag
 * are volumes like any other, which have a backing store.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/block_volumes.h"
#include "backends/logical/logical.h"
#include "backends/logical/name.h"

#define TAG_MAX 256

/* One snapshot, as far as it is known. */
struct snapshot {
	char lv[2 * LOGICAL_NAME_MAX], of[2 * LOGICAL_NAME_MAX]; /* "VG/LV" */
	char name[LOGICAL_NAME_MAX], tag[TAG_MAX], tag_of[TAG_MAX];
	char *path, *of_path;
	char fresh[LOGICAL_NAME_MAX], old[LOGICAL_NAME_MAX]; /* see exchange() */
	bool thin, invalid, mergeable;
	uint64_t room, full_room;
};

static void snapshot_clear(struct snapshot *s)
{
	free(s->path);
	free(s->of_path);
}
#define AUTO_SNAPSHOT CLEANUP(snapshot_clear)

/* The lock is held. lv: the name of the snapshot's own logical volume. */
static int fill(const struct logical_pool *p, const struct lv *volume, const char *snap,
		const char *lv, struct snapshot *s, struct error *err)
{
	s->thin = volume->kind == LV_THIN;
	s->full_room = lv_snapshot_room(volume->size);
	snprintf(s->name, sizeof(s->name), "%s", lv);
	snprintf(s->lv, sizeof(s->lv), "%s/%s", p->name, lv);
	snprintf(s->of, sizeof(s->of), "%s/%s", p->name, volume->name);
	snprintf(s->tag, sizeof(s->tag), LOGICAL_TAG_SNAPSHOT "%s", snap);
	snprintf(s->tag_of, sizeof(s->tag_of), LOGICAL_TAG_OF "%s",
		 lv_identity(volume) ? lv_identity(volume) : "?");
	s->path = group_path(p, lv);
	s->of_path = group_path(p, volume->name);
	return s->path && s->of_path
		       ? 0
		       : error_code(err, ENOMEM, "cannot use snapshot '%s'", snap);
}

/* "V.S", or with a number behind it where that is taken. */
static int pick_name(const struct logical_pool *p, const char *volume, const char *snap,
		     char lv[LOGICAL_NAME_MAX], struct error *err)
{
	for (unsigned i = 1;; i++) {
		int n = i == 1 ? snprintf(lv, LOGICAL_NAME_MAX, "%s.%s", volume, snap)
			       : snprintf(lv, LOGICAL_NAME_MAX, "%s.%s.%u", volume, snap,
					  i);

		if (n >= LOGICAL_NAME_MAX)
			return error_set(
				err, EINVAL,
				"'%s' is too long a name for a snapshot of volume "
				"'%s': LVM takes no more than 127 characters for "
				"both",
				snap, volume);
		if (!vg_find(&p->vg, lv))
			return logical_name_check(p->name, lv, err);
	}
}

static int find(struct logical_pool *p, const char *name, const char *snap,
		struct snapshot *s, struct call *call, struct error *err)
{
	struct lv *volume, *lv;
	int r = logical_look(p, name, true, &volume, call, err);

	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	lv = logical_find_snapshot(p, volume, snap);
	if (!lv)
		return error_set(err, ENOENT, "volume '%s' has no snapshot '%s'", name,
				 snap);
	s->invalid = lv->invalid;
	s->room = lv->room ? lv->room : logical_used(lv);
	s->mergeable = lv->kind != LV_THIN ||
		       (!volume->id && lv->origin && !strcmp(lv->origin, name));
	if (!s->mergeable && ((r = pick_name(p, name, "new", s->fresh, err)) < 0 ||
			      (r = pick_name(p, name, "old", s->old, err)) < 0))
		return r;
	return fill(p, volume, snap, lv->name, s, err);
}

int logical_snap_list(void *pool, const char *name, vol_each each, void *arg,
		      struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	struct lv *volume;
	int r = logical_look(p, name, true, &volume, call, err);

	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	for (size_t i = 0; r >= 0 && i < p->vg.n_lvs; i++)
		if (lv_is_snapshot_of(&p->vg.lvs[i], volume))
			r = each(arg, p->vg.lvs[i].snap);
	return r;
}

int logical_snap_stat(void *pool, const char *name, const char *snap,
		      struct vol_stat *out, struct call *call, struct error *err)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	int r = find(pool, name, snap, &s, call, err);

	if (r == 0)
		r = block_stat(s.path, out, err);
	if (r == 0)
		out->allocated = s.room;
	return r;
}

/* -- taking -- */

static int plan_new(struct logical_pool *p, const char *name, const char *snap,
		    struct snapshot *s, struct call *call, struct error *err)
{
	char lv[LOGICAL_NAME_MAX];
	struct lv *volume;
	int r = logical_look(p, name, true, &volume, call, err);

	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	if (logical_find_snapshot(p, volume, snap))
		return error_set(err, EEXIST, "volume '%s' has a snapshot '%s' already",
				 name, snap);
	if (volume->kind == LV_SNAPSHOT || volume->kind == LV_SPARSE)
		return error_set(
			err, EOPNOTSUPP,
			"volume '%s' is a sparse one or a snapshot, of which LVM "
			"takes no snapshots",
			name);
	r = pick_name(p, name, snap, lv, err);
	return r < 0 ? r : fill(p, volume, snap, lv, s, err);
}

/* So that the event of its device is not taken for a new volume's. */
static bool patch_taken(struct vg *g, const void *arg)
{
	const struct snapshot *s = arg;
	struct lv *lv = vg_add(g, s->name);

	if (!lv)
		return false;
	lv->kind = s->thin ? LV_THIN : LV_SNAPSHOT;
	lv->snap = strdup(s->tag + strlen(LOGICAL_TAG_SNAPSHOT));
	lv->snap_of = strdup(s->tag_of + strlen(LOGICAL_TAG_OF));
	lv->origin = strdup(strchr(s->of, '/') + 1);
	return lv->snap && lv->snap_of && lv->origin;
}

/*
 * A thin snapshot takes what is written later. Another one is lost when it has run full,
 * so it gets room for all of its origin.
 */
static int take_snapshot(struct logical_pool *p, const struct snapshot *s,
			 struct call *call, struct error *err)
{
	struct lvm_command c;
	char room[32];

	/* in per cent of the origin lvm would take less where there is no more */
	snprintf(room, sizeof(room), "%" PRIu64 "b", s->full_room);
	lvm_begin(&c, "lvcreate", "--yes", "--snapshot", "--name", s->name, "--addtag",
		  s->tag, "--addtag", s->tag_of, NULL);
	if (s->thin)
		lvm_add(&c, "--setactivationskip", "n", s->of, NULL);
	else
		lvm_add(&c, "--size", room, s->of, NULL);
	return group_change(p, &c, patch_taken, s, call, err);
}

int logical_snap_create(void *pool, const char *name, const char *snap, struct call *call,
			struct error *err)
{
	struct logical_pool *p = pool;
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	int r = logical_name_check(p->name, snap, err);

	if (r == 0)
		r = plan_new(p, name, snap, &s, call, err);
	if (r < 0)
		return r;
	r = take_snapshot(p, &s, call, err);
	if (r == -ENOSPC)
		return error_prefix(
			err,
			"cannot take snapshot '%s' of volume '%s', which is to "
			"have room for all that may change (a smaller one, that "
			"may be lost, is made with lvcreate --snapshot)",
			snap, name);
	return r < 0 ? error_prefix(err, "cannot take snapshot '%s' of volume '%s'", snap,
				    name)
		     : 0;
}

/* -- removing and reverting -- */

static int remove_lv(struct logical_pool *p, const char *name, struct call *call,
		     struct error *err)
{
	char lv[2 * LOGICAL_NAME_MAX];
	struct lvm_command c;

	snprintf(lv, sizeof(lv), "%s/%s", p->name, name);
	lvm_begin(&c, "lvremove", "--yes", lv, NULL);
	return group_change(p, &c, NULL, NULL, call, err);
}

int logical_snap_delete(void *pool, const char *name, const char *snap, struct call *call,
			struct error *err)
{
	struct logical_pool *p = pool;
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	int r = find(p, name, snap, &s, call, err);

	if (r == 0 && !s.invalid)
		r = block_check_unused(s.path, err);
	if (r < 0)
		return r;
	r = remove_lv(p, s.name, call, err);
	return r < 0 ? error_prefix(err, "cannot remove snapshot '%s' of volume '%s'",
				    snap, name)
		     : 0;
}

/* Whether the merge is over, which takes the snapshot away. */
static int check_merged(struct logical_pool *p, const struct snapshot *s,
			struct call *call, struct error *err)
{
	int r;

	group_forget(p);
	r = group_look(p, true, call, err);
	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	if (!vg_find(&p->vg, s->name))
		return 0;
	return error_set(err, EBUSY,
			 "LVM merges '%s' only when nothing uses it and its origin any "
			 "longer: stop and start the pool",
			 s->name);
}

/* Merging a snapshot uses it up; it is taken again, so that it can be reverted to once
 * more. */
static int merge(struct logical_pool *p, const struct snapshot *s, struct call *call,
		 struct error *err)
{
	struct lvm_command c;
	int r;

	lvm_begin(&c, "lvconvert", "--yes", "--merge", s->lv, NULL);
	r = group_change_long(p, &c, call, err);
	if (r == 0)
		r = check_merged(p, s, call, err);
	if (r < 0)
		return r;
	r = take_snapshot(p, s, call, err);
	return r < 0 ? error_prefix(err, "it is reverted, but the snapshot could not be "
					 "taken again")
		     : 0;
}

static int rename_lv(struct logical_pool *p, const char *from, const char *to,
		     struct call *call, struct error *err)
{
	struct lvm_command c;

	lvm_begin(&c, "lvrename", p->name, from, to, NULL);
	return group_change(p, &c, NULL, NULL, call, err);
}

/*
 * When a thin snapshot is merged LVM forgets what the others are of, and merges those no
 * more. The volume is then exchanged for a snapshot of the snapshot.
 */
static int exchange(struct logical_pool *p, const char *name, const struct snapshot *s,
		    struct call *call, struct error *err)
{
	char id[TAG_MAX];
	struct error ignored;
	struct lvm_command c;
	int r;

	snprintf(id, sizeof(id), LOGICAL_TAG_ID "%s", s->tag_of + strlen(LOGICAL_TAG_OF));
	lvm_begin(&c, "lvcreate", "--yes", "--snapshot", "--setactivationskip", "n",
		  "--name", s->fresh, "--addtag", id, s->lv, NULL);
	r = group_change(p, &c, NULL, NULL, call, err);
	if (r < 0)
		return r;
	r = rename_lv(p, name, s->old, call, err);
	if (r == 0) {
		r = rename_lv(p, s->fresh, name, call, err);
		if (r < 0)
			rename_lv(p, s->old, name, call, &ignored);
	}
	if (r < 0)
		remove_lv(p, s->fresh, call, &ignored);
	return r < 0 ? r : remove_lv(p, s->old, call, err);
}

int logical_snap_revert(void *pool, const char *name, const char *snap, struct call *call,
			struct error *err)
{
	struct logical_pool *p = pool;
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	int r = find(p, name, snap, &s, call, err);

	if (r == 0 && s.invalid)
		r = error_set(
			err, EIO,
			"snapshot '%s' has run full and is lost: only removing it is "
			"left",
			snap);
	if (r == 0)
		r = block_check_unused(s.of_path, err);
	if (r == 0)
		r = block_check_unused(s.path, err);
	if (r < 0)
		return r;
	r = s.mergeable ? merge(p, &s, call, err) : exchange(p, name, &s, call, err);
	return r < 0 ? error_prefix(err, "cannot revert volume '%s' to '%s'", name, snap)
		     : 0;
}
