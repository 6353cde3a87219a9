/*
 * Snapshots of VDIs.
 *
 * A VDI that is snapshotted becomes the snapshot, and a new one takes its name. So a tag
 * is written to the VDI first; open ones are held meanwhile and then follow the name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sheepdog/sheep_behind.h"
#include "backends/sheepdog/sheep_lock.h"

/* -- names -- */

void snap_name(const struct sheep_vdi *v, char out[SHEEP_NAME])
{
	if (sheep_is_file_name(v->tag))
		strcpy(out, v->tag);
	else
		snprintf(out, SHEEP_NAME, "%" PRIu32, v->snapid);
}

static uint32_t number_of(const char *snap)
{
	char *end;
	unsigned long n = strtoul(snap, &end, 10);

	return *snap >= '1' && *snap <= '9' && !*end && n <= UINT32_MAX ? n : 0;
}

static int no_snapshot(const char *name, const char *snap, struct error *err)
{
	return error_set(err, ENOENT, "volume '%s' has no snapshot '%s'", name, snap);
}

int snap_find(struct sheep_pool *sp, const char *name, const char *snap,
	      struct sheep_vdi *out, struct call *call, struct error *err)
{
	uint32_t number = number_of(snap);
	char shown[SHEEP_NAME];
	int r = vdi_find(sp, name, snap, 0, out, call, err);

	if (r != -ENOENT)
		return r;
	if (!number)
		return no_snapshot(name, snap, err);
	r = vdi_find(sp, name, NULL, number, out, call, err);
	if (r == -ENOENT)
		return no_snapshot(name, snap, err);
	if (r < 0)
		return r;
	snap_name(out, shown);
	return strcmp(shown, snap) ? no_snapshot(name, snap, err) : 0;
}

struct names {
	vol_each each;
	void *arg;
};

static int each_snapshot(void *arg, const struct sheep_vdi *v)
{
	const struct names *n = arg;
	char name[SHEEP_NAME];

	if (!v->snapshot)
		return 0;
	snap_name(v, name);
	return n->each(n->arg, name);
}

int sheep_snap_list(void *pool, const char *name, vol_each each, void *arg,
		    struct call *call, struct error *err)
{
	struct names n = { each, arg };
	struct sheep_vdi v;
	int r = vdi_find(pool, name, NULL, 0, &v, call, err);

	return r < 0 ? r : vdi_list_name(pool, name, each_snapshot, &n, call, err);
}

/* -- taking one -- */

static int write_tag(struct sheep_pool *sp, uint32_t vid, const char *tag,
		     struct call *call, struct error *err)
{
	char bytes[SHEEP_NAME] = "";

	if (strlen(tag) >= sizeof(bytes))
		return error_set(err, ENAMETOOLONG,
				 "the name of a snapshot has 255 bytes at most");
	strcpy(bytes, tag);
	return vdi_write_head(sp, vid, SHEEP_TAG_AT, bytes, sizeof(bytes), call, err);
}

/* What has the name now. It has to come from what we made the snapshot of: else another
 * client did the same at once, and the sheep took ours for going back to the old one. */
static int find_next(struct sheep_pool *sp, const struct sheep_vdi *was,
		     struct sheep_vdi *now, struct call *call, struct error *err)
{
	int r = vdi_find(sp, was->name, NULL, 0, now, call, err);

	if (r == 0 && now->parent != was->vid)
		r = error_set(
			err, EIO,
			"another client took a snapshot of volume '%s' at the same "
			"time: look at its snapshots, the last without a tag has what "
			"was written last",
			was->name);
	return r;
}

static int freeze_vdi(struct sheep_pool *sp, const struct sheep_vdi *was,
		      const char *snap, struct sheep_vdi *now, struct call *call,
		      struct error *err)
{
	uint32_t vid;
	int r = write_tag(sp, was->vid, snap, call, err);

	if (r < 0)
		return r;
	r = vdi_new(sp, was->name, was->size, was, was->vid, &vid, call, err);
	if (r == 0)
		return find_next(sp, was, now, call, err);
	write_tag(sp, was->vid, "", call, NULL);
	return r;
}

static int snapshot_frozen(struct sheep_inode *i, const char *snap, struct sheep_vdi *now,
			   uint32_t **map, struct call *call, struct error *err)
{
	struct sheep_vdi was;
	int r = vdi_find(i->sp, i->vdi.name, NULL, 0, &was, call, err);

	if (r == 0)
		r = freeze_vdi(i->sp, &was, snap, now, call, err);
	if (r == 0 && vdi_read_map(i->sp, now, map, call, NULL) < 0)
		*map = NULL; /* its next write finds out */
	return r;
}

static int snapshot_open(struct sheep_inode *i, const char *snap, struct call *call,
			 struct error *err)
{
	struct sheep_vdi now;
	uint32_t *map = NULL;
	int r = op_run(i, IO_FLUSH, 0, 0, call, err);

	if (r == 0)
		r = inode_freeze(i, call, err);
	if (r < 0)
		return r;
	r = snapshot_frozen(i, snap, &now, &map, call, err);
	inode_thaw(i, r == 0 && map ? &now : NULL, map);
	if (r == 0 && i->sp->locks)
		sheep_relock(i, call);
	return r;
}

int sheep_snap_create(void *pool, const char *name, const char *snap, struct call *call,
		      struct error *err)
{
	struct sheep_inode *i;
	struct sheep_vdi other;
	int r = snap_find(pool, name, snap, &other, call, err);

	if (r == 0)
		return error_set(err, EEXIST, "volume '%s' has a snapshot '%s' already",
				 name, snap);
	if (r != -ENOENT)
		return r;
	r = inode_open(pool, name, NULL, true, &i, call, err);
	if (r < 0)
		return r;
	r = snapshot_open(i, snap, call, err);
	inode_close(i, true);
	return r < 0 ? error_prefix(err, "cannot take snapshot '%s' of volume '%s'", snap,
				    name)
		     : 0;
}

/* -- deleting one, and going back to one -- */

int sheep_snap_delete(void *pool, const char *name, const char *snap, struct call *call,
		      struct error *err)
{
	struct sheep_vdi v;
	int r = snap_find(pool, name, snap, &v, call, err);

	if (r < 0)
		return r;
	if (inode_is_open(pool, &v))
		return error_set(err, EBUSY,
				 "snapshot '%s' of volume '%s' is open: close it first",
				 snap, name);
	return vdi_delete(pool, &v, call, err);
}

/* The name never goes: what it stood for becomes a snapshot without a tag, and is then
 * deleted. */
int sheep_snap_revert(void *pool, const char *name, const char *snap, struct call *call,
		      struct error *err)
{
	struct sheep_pool *sp = pool;
	struct sheep_vdi was, base;
	uint32_t vid;
	int r = snap_find(sp, name, snap, &base, call, err);

	if (r == 0)
		r = vdi_find(sp, name, NULL, 0, &was, call, err);
	if (r == 0)
		r = behind_settle(sp, &was, call, err);
	if (r == 0)
		r = vdi_new(sp, name, base.size, &base, was.vid, &vid, call, err);
	if (r < 0)
		return r;
	r = vdi_read(sp, was.vid, &was, call, err);
	if (r == 0 && was.snapshot)
		r = vdi_delete(sp, &was, call, err);
	return r < 0 ? error_prefix(
			       err,
			       "volume '%s' is as snapshot '%s' again, but what it was "
			       "is left as snapshot %" PRIu32,
			       name, snap, was.snapid)
		     : 0;
}
