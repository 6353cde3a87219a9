/* Snapshots of images. */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>

#define SNAPS_GUESS 64

/* -- what there is -- */

struct snaps {
	rbd_snap_info_t *list;
	int n;
};

static void snaps_clear(struct snaps *s)
{
	if (s->n > 0)
		rbd_snap_list_end(s->list);
	free(s->list);
}

static int read_snaps(struct image *i, struct snaps *s)
{
	int room = SNAPS_GUESS, r;

	do {
		free(s->list);
		s->list = calloc(room, sizeof(*s->list));
		if (!s->list)
			return -ENOMEM;
		r = rbd_snap_list(i->rbd, s->list, &room);
	} while (r == -ERANGE);
	s->n = r < 0 ? 0 : r;
	return r < 0 ? r : 0;
}

/* Not those of groups, mirrors and the trash. */
static bool is_users(struct image *i, const rbd_snap_info_t *s)
{
	rbd_snap_namespace_type_t type = RBD_SNAP_NAMESPACE_TYPE_USER;

	rbd_snap_get_namespace_type(i->rbd, s->id, &type);
	return type == RBD_SNAP_NAMESPACE_TYPE_USER && !strchr(s->name, '/');
}

int rbd_snapshot_list(void *pool, const char *name, vol_each each, void *arg,
		      struct call *call, struct error *err)
{
	CLEANUP(snaps_clear) struct snaps snaps = { 0 };
	struct image *i;
	int r = image_get(pool, name, NULL, IMAGE_READ, call, &i, err);

	if (r < 0)
		return r;
	r = read_snaps(i, &snaps);
	if (r < 0)
		r = rbd_failed(pool, r, err, "cannot list the snapshots of image '%s'",
			       name);
	for (int k = 0; r >= 0 && k < snaps.n; k++)
		if (is_users(i, &snaps.list[k]))
			r = each(arg, snaps.list[k].name);
	image_put(i, IMAGE_READ);
	return r;
}

static int no_snapshot(const char *name, const char *snap, struct error *err)
{
	return error_set(err, ENOENT, "image '%s' has no snapshot '%s'", name, snap);
}

/* Its objects, as the map that was kept with it has them. */
static void read_used(struct image *i, const rbd_snap_info_t *s, struct vol_stat *out)
{
	struct header h = {
		.id = i->id, .name = i->name, .snap_id = s->id, .snap_size = s->size
	};

	if (*i->id && headers_read(i->pool, &h, 1, NULL) == 0 && h.result == 0 &&
	    h.has_used)
		out->allocated = h.used;
}

static void stat_snapshot(struct image *i, const rbd_snap_info_t *s, struct vol_stat *out)
{
	struct timespec t;

	*out = (struct vol_stat){ .size = s->size,
				  .allocated = s->size,
				  .io_size = RBD_IO_SIZE,
				  .ident = hash_bytes(&s->id, sizeof(s->id),
						      hash_string(i->id, 0)) };
	if (rbd_snap_get_timestamp(i->rbd, s->id, &t) == 0) {
		out->has_times = true;
		out->atime = out->mtime = out->ctime = t;
	}
	read_used(i, s, out);
}

int rbd_snapshot_stat(void *pool, const char *name, const char *snap,
		      struct vol_stat *out, struct call *call, struct error *err)
{
	CLEANUP(snaps_clear) struct snaps snaps = { 0 };
	struct image *i;
	int r = image_get(pool, name, NULL, IMAGE_READ, call, &i, err), k = 0;

	if (r < 0)
		return r;
	r = read_snaps(i, &snaps);
	while (k < snaps.n &&
	       (strcmp(snaps.list[k].name, snap) || !is_users(i, &snaps.list[k])))
		k++;
	if (r < 0)
		r = rbd_failed(pool, r, err, "cannot look at the snapshots of image '%s'",
			       name);
	else if (k == snaps.n)
		r = no_snapshot(name, snap, err);
	else
		stat_snapshot(i, &snaps.list[k], out);
	image_put(i, IMAGE_READ);
	return r;
}

/* -- taking one -- */

/* A writer elsewhere takes it for us: the exclusive lock stays where it is. */
int rbd_snapshot_create(void *pool, const char *name, const char *snap, struct call *call,
			struct error *err)
{
	struct image *i;
	int r = image_get(pool, name, NULL, IMAGE_CHANGE, call, &i, err);

	if (r < 0)
		return r;
	r = rbd_snap_create(i->rbd, snap);
	image_put(i, IMAGE_CHANGE);
	if (r == -EEXIST)
		return error_set(err, EEXIST, "image '%s' has a snapshot '%s' already",
				 name, snap);
	if (r == -EDQUOT)
		return error_set(
			err, ENOSPC,
			"image '%s' has as many snapshots as its limit allows ('rbd snap "
			"limit')",
			name);
	return r < 0 ? rbd_failed(pool, r, err, "cannot take snapshot '%s' of image '%s'",
				  snap, name)
		     : 0;
}

/* -- deleting one -- */

static int name_children(struct rbd_pool *p, struct image *at_snap, struct buf *out)
{
	rbd_linked_image_spec_t children[8];
	size_t n = sizeof(children) / sizeof(*children);
	int r = rbd_list_children3(at_snap->rbd, children, &n);

	if (r == -ERANGE)
		return buf_printf(out, "%zu clones", n);
	for (size_t k = 0; r == 0 && k < n; k++) {
		const rbd_linked_image_spec_t *c = &children[k];

		buf_printf(out, "%s'%s%s%s/%s'%s", k ? ", " : "", c->pool_name,
			   *c->pool_namespace ? "/" : "", c->pool_namespace,
			   c->image_name, c->trash ? " (in the trash)" : "");
	}
	if (r == 0)
		rbd_linked_image_spec_list_cleanup(children, n);
	return r;
}

/* Ceph would hide a snapshot that clones stand on, and then keep its image for ever. */
static int check_children(struct rbd_pool *p, const char *name, const char *snap,
			  struct call *call, struct error *err)
{
	AUTO_BUF struct buf children = { 0 };
	struct image *i;
	int r = image_get(p, name, snap, IMAGE_READ, call, &i, err);

	if (r == -ENOENT)
		return no_snapshot(name, snap, err);
	if (r < 0)
		return r;
	r = name_children(p, i, &children);
	image_put(i, IMAGE_READ);
	if (r < 0)
		return rbd_failed(p, r, err,
				  "cannot find the clones of snapshot '%s' of image '%s'",
				  snap, name);
	if (!children.len)
		return 0;
	return error_set(err, EBUSY,
			 "snapshot '%s' of image '%s' is what %s stands on: write "
			 "flatten to its ctl "
			 "first",
			 snap, name, buf_text(&children));
}

static int check_protected(struct rbd_pool *p, struct image *i, const char *snap,
			   struct error *err)
{
	int is_protected = 0;
	int r = rbd_snap_is_protected(i->rbd, snap, &is_protected);

	if (r == -ENOENT)
		return no_snapshot(i->name, snap, err);
	if (r < 0)
		return rbd_failed(p, r, err, "cannot look at snapshot '%s' of image '%s'",
				  snap, i->name);
	if (!is_protected)
		return 0;
	return error_set(
		err, EBUSY,
		"snapshot '%s' of image '%s' is protected: 'rbd snap unprotect %s/%s@%s' "
		"ends that",
		snap, i->name, p->path, i->name, snap);
}

int rbd_snapshot_delete(void *pool, const char *name, const char *snap, struct call *call,
			struct error *err)
{
	struct rbd_pool *p = pool;
	struct image *i;
	int r = check_children(p, name, snap, call, err);

	if (r < 0)
		return r;
	r = image_get(p, name, NULL, IMAGE_CHANGE, call, &i, err);
	if (r < 0)
		return r;
	r = check_protected(p, i, snap, err);
	if (r == 0) {
		r = rbd_snap_remove(i->rbd, snap);
		if (r == -ENOENT)
			r = no_snapshot(name, snap, err);
		else if (r < 0)
			r = rbd_failed(p, r, err,
				       "cannot delete snapshot '%s' of image '%s'", snap,
				       name);
	}
	image_put(i, IMAGE_CHANGE);
	return r;
}

/* -- going back -- */

int rbd_snapshot_revert(void *pool, const char *name, const char *snap, struct call *call,
			struct error *err)
{
	struct image *i;
	int r = image_get(pool, name, NULL, IMAGE_WRITE, call, &i, err);

	if (r < 0)
		return r;
	atomic_store(&i->wrote, true);
	r = rbd_snap_rollback_with_progress(i->rbd, snap, rbd_progress, call);
	image_put(i, IMAGE_WRITE);
	if (r == -ENOENT)
		return no_snapshot(name, snap, err);
	if (r == -ECANCELED)
		return error_set(
			err, EINTR,
			"reverting image '%s' was cancelled: it is neither what it was "
			"nor the snapshot; revert it again",
			name);
	return r < 0 ? rbd_failed(pool, r, err,
				  "cannot revert image '%s' to its snapshot '%s'", name,
				  snap)
		     : 0;
}
