/* Making, removing, renaming and resizing images. */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>

/* -- making -- */

static int not_made(struct rbd_pool *p, const char *name, int r, struct error *err)
{
	if (r == -EEXIST)
		return error_set(err, EEXIST, "there is an image '%s' in '%s' already",
				 name, p->path);
	return rbd_failed(p, r, err, "cannot make image '%s'", name);
}

static int make_image(struct rbd_pool *p, const char *name, uint64_t size,
		      struct error *err)
{
	rbd_image_options_t options;
	int r;

	rbd_image_options_create(&options);
	r = rbd_create4(p->cluster.io, name, size, options);
	rbd_image_options_destroy(options);
	return r < 0 ? not_made(p, name, r, err) : 0;
}

/* A clone has its snapshot's size, unless the description wants more. */
static int size_clone(struct rbd_pool *p, const char *name,
		      const struct volume_spec *spec, struct call *call,
		      struct error *err)
{
	struct vol_stat st;
	int r = spec->has_capacity ? rbd_vol_stat(p, name, &st, call, err) : 0;

	if (r == 0 && spec->has_capacity && spec->capacity > st.size)
		r = rbd_vol_resize(p, name, spec->capacity, 0, call, err);
	if (r < 0 && image_wait_closed(p, name, call, NULL) == 0)
		rbd_remove(p->cluster.io, name);
	return r;
}

/* Of the newer kind, whose snapshot need not be protected. */
static int clone_snapshot(struct rbd_pool *p, const char *parent, const char *snap,
			  const char *name, struct error *err)
{
	rbd_image_options_t options;
	int r;

	rbd_image_options_create(&options);
	rbd_image_options_set_uint64(options, RBD_IMAGE_OPTION_CLONE_FORMAT, 2);
	r = rbd_clone3(p->cluster.io, parent, snap, p->cluster.io, name, options);
	rbd_image_options_destroy(options);
	if (r == -ENOENT)
		return error_set(err, ENOENT,
				 "there is no snapshot '%s' of image '%s' in '%s'", snap,
				 parent, p->path);
	return r < 0 ? not_made(p, name, r, err) : 0;
}

static int make_clone(struct rbd_pool *p, const char *name,
		      const struct volume_spec *spec, struct call *call,
		      struct error *err)
{
	AUTO_FREE char *parent = NULL;
	AUTO_FREE char *snap = NULL;
	int r = config_split_backing(spec->backing.path, p->path, &parent, &snap, err);

	if (r == 0)
		r = clone_snapshot(p, parent, snap, name, err);
	return r < 0 ? r : size_clone(p, name, spec, call, err);
}

static int check_spec(const struct volume_spec *spec, struct error *err)
{
	if (spec->format && strcmp(spec->format, "raw"))
		return error_set(err, EINVAL, "an image in Ceph is raw, not '%s'",
				 spec->format);
	if (spec->encryption.format)
		return error_set(err, EOPNOTSUPP,
				 "images in Ceph are not encrypted by us");
	return 0;
}

int rbd_vol_create(void *pool, const char *name, const struct volume_spec *spec,
		   struct call *call, struct error *err)
{
	struct rbd_pool *p = pool;
	uint64_t size = spec->has_capacity ? config_round_size(spec->capacity) : 0;
	int r = check_spec(spec, err);

	if (r < 0)
		return r;
	r = spec->backing.path ? make_clone(p, name, spec, call, err)
			       : make_image(p, name, size, err);
	pulse_forgive(p);
	roll_forget(p, name);
	return r;
}

/* -- removing -- */

/* Not of a group or of mirroring, nor one that was removed while clones stand on it. */
static bool is_ours(struct image *i, uint64_t snap_id)
{
	rbd_snap_namespace_type_t type;

	return rbd_snap_get_namespace_type(i->rbd, snap_id, &type) == 0 &&
	       type == RBD_SNAP_NAMESPACE_TYPE_USER;
}

/* "snap1, snap2, …"; of none that is shown: nothing */
static void name_snapshots(struct rbd_pool *p, const char *name, struct call *call,
			   struct buf *out)
{
	rbd_snap_info_t snaps[8];
	int most = sizeof(snaps) / sizeof(*snaps), n;
	struct image *i;

	if (image_get(p, name, NULL, IMAGE_READ, call, &i, NULL) < 0) {
		buf_printf(out, "of unknown names");
		return;
	}
	n = rbd_snap_list(i->rbd, snaps, &most);
	for (int k = 0; k < n; k++)
		if (is_ours(i, snaps[k].id))
			buf_printf(out, "%s'%s'", out->len ? ", " : "", snaps[k].name);
	if (n >= 0)
		rbd_snap_list_end(snaps);
	else
		buf_printf(out, "more than a few");
	image_put(i, IMAGE_READ);
	image_wait_closed(p, name, call, NULL);
}

static int has_snapshots(struct rbd_pool *p, const char *name, struct call *call,
			 struct error *err)
{
	AUTO_BUF struct buf names = { 0 };

	name_snapshots(p, name, call, &names);
	if (!names.len)
		return error_set(
			err, EBUSY,
			"image '%s' has snapshots of a group or of mirroring, or removed "
			"ones that clones stand on: 'rbd snap ls --all %s/%s' shows them",
			name, p->path, name);
	return error_set(
		err, EBUSY,
		"image '%s' has snapshots (%s): remove them first, in snapshots/%s", name,
		buf_text(&names), name);
}

/* Who else has it open; a client that died is there for half a minute more. */
static int is_watched(struct rbd_pool *p, const char *name, struct call *call,
		      struct error *err)
{
	return error_set(
		err, EBUSY,
		"image '%s' is open elsewhere: 'rbd status %s/%s' shows where; a client "
		"that died is forgotten after 30 seconds",
		name, p->path, name);
}

static int not_deleted(struct rbd_pool *p, const char *name, int r, struct call *call,
		       struct error *err)
{
	switch (r) {
	case -ENOTEMPTY:
		return has_snapshots(p, name, call, err);
	case -EBUSY:
		return is_watched(p, name, call, err);
	case -EMLINK:
		return error_set(err, EBUSY,
				 "image '%s' belongs to a group: 'rbd group image rm' "
				 "takes it out",
				 name);
	case -EINVAL:
		return error_set(err, EINVAL,
				 "cannot remove image '%s': Ceph refuses it, as it does "
				 "with mirrored images that are not primary ('rbd info' "
				 "shows it)",
				 name);
	case -ENOENT:
		return error_set(err, ENOENT, "there is no image '%s' in '%s'", name,
				 p->path);
	default:
		return rbd_failed(p, r, err, "cannot remove image '%s'", name);
	}
}

int rbd_vol_delete(void *pool, const char *name, struct call *call, struct error *err)
{
	struct rbd_pool *p = pool;
	int r = image_wait_closed(p, name, call, err);

	if (r < 0)
		return r;
	r = rbd_remove_with_progress(p->cluster.io, name, rbd_progress, call);
	snapshots_forget(p);
	pulse_forgive(p);
	roll_forget(p, name);
	return r < 0 ? not_deleted(p, name, r, call, err) : 0;
}

/* -- renaming and resizing -- */

int rbd_vol_rename(void *pool, const char *from, const char *to, unsigned flags,
		   struct call *call, struct error *err)
{
	struct rbd_pool *p = pool;
	int r = image_wait_closed(p, from, call, err);

	if (r < 0)
		return r;
	r = rbd_rename(p->cluster.io, from, to);
	pulse_forgive(p);
	roll_forget(p, NULL);
	snapshots_forget(p);
	if (r == 0)
		image_renamed(p, from, to);
	if (r == -EEXIST)
		return error_set(err, EEXIST, "there is an image '%s' in '%s' already",
				 to, p->path);
	if (r == -ENOENT)
		return error_set(err, ENOENT, "there is no image '%s' in '%s'", from,
				 p->path);
	return r < 0 ? rbd_failed(p, r, err, "cannot rename image '%s' to '%s'", from, to)
		     : 0;
}

uint64_t rbd_vol_unit(void *pool)
{
	(void)pool;
	return config_round_size(1);
}

static int resize_image(struct image *i, uint64_t size, unsigned flags, struct call *call,
			struct error *err)
{
	int r = rbd_resize2(i->rbd, config_round_size(size), flags & RESIZE_SHRINK,
			    rbd_progress, call);

	atomic_store(&i->wrote, true);
	return r < 0 ? rbd_failed(i->pool, r, err, "cannot resize image '%s'", i->name)
		     : 0;
}

int rbd_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		   struct call *call, struct error *err)
{
	struct rbd_pool *p = pool;
	struct image *i;
	int r = image_get(p, name, NULL, IMAGE_WRITE, call, &i, err);

	if (r < 0)
		return r;
	if (flags & RESIZE_SHRINK)
		r = image_settle(i, call, err);
	if (r == 0)
		r = resize_image(i, size, flags, call, err);
	image_put(i, IMAGE_WRITE);
	return r;
}

int rbd_vol_flatten(void *pool, const char *name, struct call *call, struct error *err)
{
	struct rbd_pool *p = pool;
	struct image *i;
	int r = image_get(p, name, NULL, IMAGE_WRITE, call, &i, err);

	if (r < 0)
		return r;
	r = rbd_flatten_with_progress(i->rbd, rbd_progress, call);
	image_put(i, IMAGE_WRITE);
	if (r == -EINVAL)
		return error_set(err, EINVAL,
				 "image '%s' is no clone: it has all of its data", name);
	if (r == -ECANCELED)
		return error_set(err, EINTR, "flattening image '%s' was cancelled", name);
	return r < 0 ? rbd_failed(p, r, err, "cannot flatten image '%s'", name) : 0;
}
