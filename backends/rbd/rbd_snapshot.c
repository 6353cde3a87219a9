/* Taking, deleting and going back to snapshots of images. */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>

static int no_snapshot(const char *name, const char *snap, struct error *err)
{
	return error_set(err, ENOENT, "image '%s' has no snapshot '%s'", name, snap);
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
	r = image_settle(i, call, err);
	if (r < 0) {
		image_put(i, IMAGE_CHANGE);
		return r;
	}
	r = rbd_snap_create(i->rbd, snap);
	snapshots_look(i);
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
		snapshots_forget(p);
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
