/* Looking at logical volumes, and opening them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/block_volumes.h"
#include "backends/logical/logical.h"
#include "backends/logical/thin.h"

struct lv *logical_find(const struct logical_pool *p, const char *name)
{
	struct lv *lv = vg_find(&p->vg, name);

	return lv && lv_is_volume(lv) ? lv : NULL;
}

int logical_look(struct logical_pool *p, const char *name, bool whole, struct lv **out,
		 struct call *call, struct error *err)
{
	int r = group_look(p, whole, call, err);

	if (r < 0)
		return r;
	*out = logical_find(p, name);
	if (*out)
		return 0;
	pthread_mutex_unlock(&p->lock);
	return error_set(err, ENOENT, "volume group '%s' has no volume '%s'", p->name,
			 name);
}

struct lv *logical_find_snapshot(const struct logical_pool *p, const struct lv *of,
				 const char *snap)
{
	for (size_t i = 0; i < p->vg.n_lvs; i++) {
		struct lv *lv = &p->vg.lvs[i];

		if (lv_is_snapshot_of(lv, of) && !strcmp(lv->snap, snap))
			return lv;
	}
	return NULL;
}

uint64_t logical_used(const struct lv *lv)
{
	return lv->kind == LV_THIN ? lv->size / 10000 * lv->filled : lv->room;
}

int logical_list(void *pool, vol_each each, void *arg, struct call *call,
		 struct error *err)
{
	struct logical_pool *p = pool;
	int r = group_look(p, true, call, err);

	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	for (size_t i = 0; r >= 0 && i < p->vg.n_lvs; i++)
		if (lv_is_volume(&p->vg.lvs[i]))
			r = each(arg, p->vg.lvs[i].name);
	return r;
}

/* -- stat -- */

/* What is known of a volume without its device. */
struct known {
	enum lv_kind kind;
	uint64_t size, used;
	bool active;
};

static int learn(struct logical_pool *p, const char *name, struct known *out,
		 struct call *call, struct error *err)
{
	struct lv *lv;
	int r = logical_look(p, name, false, &lv, call, err);

	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	*out = (struct known){ lv->kind, lv->size, logical_used(lv), lv->active };
	return 0;
}

/* The device knows its size best; one that is not active has none. */
static int stat_known(struct logical_pool *p, const char *name, const struct known *known,
		      struct vol_stat *out, struct error *err)
{
	AUTO_FREE char *path = group_path(p, name);
	int r;

	if (!path)
		return error_code(err, ENOMEM, "cannot look at volume '%s'", name);
	r = block_stat(path, out, err);
	if (r == -ENODEV && !known->active) {
		*out = (struct vol_stat){ .size = known->size };
		r = 0;
	}
	if (r == 0 && known->kind != LV_PLAIN)
		out->allocated = known->used;
	if (r == 0 && known->kind == LV_THIN)
		thin_used(p->name, name, &out->allocated);
	return r;
}

int logical_vol_stat(void *pool, const char *name, struct vol_stat *out,
		     struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	struct known known;
	int r = learn(p, name, &known, call, err);

	if (r == 0)
		r = stat_known(p, name, &known, out, err);
	if (r != -ENODEV)
		return r;
	/* somebody has just removed it, or made it inactive */
	group_forget(p);
	r = learn(p, name, &known, call, err);
	return r < 0 ? r : stat_known(p, name, &known, out, err);
}

int logical_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
		      struct call *call, struct error *err)
{
	return block_fstat(f, out, err);
}

/* -- the description -- */

static int copy_extents(const struct lv *lv, struct volume_spec *out)
{
	out->extents = calloc(lv->n_extents + 1, sizeof(*out->extents));
	if (!out->extents)
		return -ENOMEM;
	for (size_t i = 0; i < lv->n_extents; i++) {
		struct extent *e = &out->extents[i];

		*e = lv->extents[i];
		e->device = strdup(e->device);
		if (!e->device)
			return -ENOMEM;
		out->n_extents++;
	}
	return 0;
}

/* What lvm says of it; libvirt calls the origin of a snapshot its backing store. */
static int describe_lv(const struct logical_pool *p, const struct lv *lv,
		       struct volume_spec *out)
{
	out->key = strdup(lv->uuid ? lv->uuid : "");
	out->path = group_path(p, lv->name);
	if (!out->key || !out->path || copy_extents(lv, out) < 0)
		return -ENOMEM;
	if (lv->origin && lv->origin[0] != '[') {
		out->backing.path = group_path(p, lv->origin);
		if (!out->backing.path)
			return -ENOMEM;
	}
	out->has_capacity = out->has_allocation = true;
	out->capacity = lv->size;
	out->allocation = logical_used(lv);
	return 0;
}

static int describe_group(struct logical_pool *p, const char *name,
			  struct volume_spec *out, enum lv_kind *kind, bool *active,
			  struct call *call, struct error *err)
{
	struct lv *lv;
	int r = logical_look(p, name, true, &lv, call, err);

	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	*kind = lv->kind;
	*active = lv->active;
	if (describe_lv(p, lv, out) < 0)
		return error_code(err, ENOMEM, "cannot describe volume '%s'", name);
	return 0;
}

int logical_vol_describe(void *pool, const char *name, struct volume_spec *out,
			 struct call *call, struct error *err)
{
	AUTO_VOLUME_SPEC struct volume_spec device = VOLUME_SPEC_INIT;
	struct logical_pool *p = pool;
	enum lv_kind kind = LV_PLAIN;
	bool active = false;
	int r = describe_group(p, name, out, &kind, &active, call, err);

	if (r == 0)
		r = block_describe(out->path, &device, err);
	if (r == -ENODEV && !active)
		return 0;
	if (r < 0)
		return r;
	out->capacity = device.capacity;
	out->physical = device.physical;
	if (kind == LV_PLAIN)
		out->allocation = device.allocation;
	if (kind == LV_THIN)
		thin_used(p->name, name, &out->allocation);
	permissions_clear(&out->permissions);
	out->permissions = device.permissions;
	device.permissions = (struct permissions)PERMISSIONS_UNSET;
	out->has_times = device.has_times;
	out->atime = device.atime;
	out->mtime = device.mtime;
	out->ctime = device.ctime;
	out->btime = device.btime;
	return 0;
}

/* -- opening -- */

struct device {
	char *path;
	bool active;
	uint64_t chunk; /* see vol_file.discard_zeroes */
};

static void device_clear(struct device *d)
{
	free(d->path);
}

/* Where the pool does not zero what it gives (lvcreate -Zn), what was discarded reads as
 * zeros only until a part of its chunk is written. */
static uint64_t chunk_of(const struct logical_pool *p, const struct lv *lv)
{
	const struct lv *in = NULL;

	if (lv->kind == LV_THIN && lv->pool)
		in = vg_find(&p->vg, lv->pool);
	return in && in->zeroes ? in->chunk : 0;
}

static int find_device(struct logical_pool *p, const char *name, const char *snap,
		       struct device *out, struct call *call, struct error *err)
{
	struct lv *lv;
	int r = logical_look(p, name, snap, &lv, call, err);

	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	if (snap)
		lv = logical_find_snapshot(p, lv, snap);
	if (!lv)
		return error_set(err, ENOENT, "volume '%s' has no snapshot '%s'", name,
				 snap);
	if (lv->invalid)
		return error_set(err, EIO,
				 "'%s' has run full and is lost: more was written to its "
				 "origin than it has room for",
				 lv->name);
	out->active = lv->active;
	out->chunk = chunk_of(p, lv);
	out->path = group_path(p, lv->name);
	return out->path ? 0 : error_code(err, ENOMEM, "cannot open volume '%s'", name);
}

int logical_vol_open(void *pool, const char *name, const char *snap, int flags,
		     struct vol_file *out, struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	CLEANUP(device_clear) struct device device = { 0 };
	int r = find_device(p, name, snap, &device, call, err);

	if (r < 0)
		return r;
	r = block_open(device.path, flags, out, err);
	if (r == -ENODEV && !device.active)
		return error_set(err, ENODEV,
				 "'%s' is not active: lvchange -ay %s, or stop and start "
				 "the pool",
				 device.path, device.path + strlen("/dev/"));
	if (r == 0 && device.chunk <= UINT32_MAX)
		out->discard_zeroes = device.chunk;
	return r;
}

void logical_vol_close(void *pool, struct vol_file *f)
{
	block_close(f);
}
