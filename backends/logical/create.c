/*
 * Making logical volumes: of all their room, thin, sparse, or as the writable snapshot of
 * another one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "backends/common/block_luks.h"
#include "backends/common/block_volumes.h"
#include "backends/logical/logical.h"
#include "backends/logical/name.h"

/* What is to be made, and how. */
struct plan {
	const char *name;
	enum lv_kind kind;
	uint64_t size, room;	       /* bytes, whole extents */
	char of[2 * LOGICAL_NAME_MAX]; /* "VG/LV": the thin pool or the origin */
	bool has_origin;
};

static int round_up(uint64_t size, uint64_t extent, uint64_t *out, struct error *err)
{
	uint64_t n = size ? (size - 1) / extent + 1 : 1;

	if (__builtin_mul_overflow(n, extent, out) || *out > INT64_MAX)
		return error_set(err, EFBIG, "no volume is as large as that");
	return 0;
}

/* The one with most room; NULL: the group has none. */
static const struct lv *thin_pool(const struct logical_pool *p)
{
	const struct lv *best = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < p->vg.n_lvs; i++) {
		const struct lv *lv = &p->vg.lvs[i];
		uint64_t left = lv->room / 10000 * (10000 - lv->filled);

		if (lv->kind != LV_THINPOOL || (best && left <= most))
			continue;
		best = lv;
		most = left;
	}
	return best;
}

/* A backing store is another volume of this group, by its path. */
static int plan_snapshot(const struct logical_pool *p, const struct volume_spec *spec,
			 struct plan *plan, struct error *err)
{
	const char *path = spec->backing.path;
	size_t len = strlen(p->links);
	const struct lv *of = NULL;

	if (!strncmp(path, p->links, len) && path[len] == '/')
		of = logical_find(p, path + len + 1);
	if (!of)
		return error_set(
			err, EINVAL,
			"the backing store of a logical volume is another volume "
			"of its volume group, such as %s/NAME, not '%s'",
			p->links, path);
	if (spec->has_capacity && spec->capacity > of->size)
		return error_set(err, EINVAL,
				 "a volume with a backing store is as large as that: "
				 "%" PRIu64 " bytes",
				 of->size);
	plan->has_origin = true;
	plan->kind = of->kind == LV_THIN ? LV_THIN : LV_SNAPSHOT;
	plan->size = of->size;
	/* one that has run full is lost: without another wish it has room for all */
	plan->room = spec->has_allocation && spec->allocation
			     ? plan->room
			     : lv_snapshot_room(of->size);
	snprintf(plan->of, sizeof(plan->of), "%s/%s", p->name, of->name);
	return 0;
}

/*
 * Less allocation than capacity: thin where the group has a pool for it, else sparse with
 * that much room. With no room at all a sparse one would be lost by its first writes, so
 * it then gets all.
 */
static void plan_sparse(const struct logical_pool *p, const struct volume_spec *spec,
			struct plan *plan)
{
	const struct lv *pool = thin_pool(p);

	if (pool) {
		plan->kind = LV_THIN;
		snprintf(plan->of, sizeof(plan->of), "%s/%s", p->name, pool->name);
	} else if (spec->allocation) {
		plan->kind = LV_SPARSE;
	}
}

static int make_plan(struct logical_pool *p, const char *name,
		     const struct volume_spec *spec, const struct block_luks *luks,
		     struct plan *plan, struct call *call, struct error *err)
{
	uint64_t size = 0;
	bool sparse = spec->has_capacity && spec->has_allocation &&
		      spec->allocation < spec->capacity;
	int r = block_luks_room(luks, spec->has_capacity ? spec->capacity : 0, &size,
				err);

	if (r == 0)
		r = group_look(p, false, call, err);
	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	const struct lv *other = vg_find(&p->vg, name);
	uint64_t extent = p->vg.extent_size;

	if (other)
		return error_set(err, EEXIST,
				 "volume group '%s' has a logical volume '%s' already%s",
				 p->name, name,
				 lv_is_volume(other) ? "" : ", which is no volume of it");
	*plan = (struct plan){ .name = name, .kind = LV_PLAIN };
	r = round_up(size, extent, &plan->size, err);
	if (r == 0)
		r = round_up(spec->allocation, extent, &plan->room, err);
	if (r < 0)
		return r;
	if (spec->backing.path)
		return plan_snapshot(p, spec, plan, err);
	if (sparse)
		plan_sparse(p, spec, plan);
	return 0;
}

static bool patch_created(struct vg *r, const void *arg)
{
	const struct plan *plan = arg;
	struct lv *lv = vg_add(r, plan->name);
	char **of;

	if (!lv)
		return false;
	lv->kind = plan->kind;
	lv->size = plan->size;
	lv->room = plan->kind == LV_PLAIN  ? plan->size
		   : plan->kind == LV_THIN ? 0
					   : plan->room;
	r->free -= MIN(r->free, lv->room);
	if (!*plan->of)
		return true;
	of = plan->has_origin ? &lv->origin : &lv->pool;
	*of = strdup(strchr(plan->of, '/') + 1);
	return *of;
}

static int carry_out(struct logical_pool *p, const struct plan *plan, struct call *call,
		     struct error *err)
{
	char size[32], room[32];
	struct lvm_command c;

	snprintf(size, sizeof(size), "%" PRIu64 "b", plan->size);
	snprintf(room, sizeof(room), "%" PRIu64 "b", plan->room);
	/* what an older volume left there is not found on the new one */
	lvm_begin(&c, "lvcreate", "--yes", "--name", plan->name, NULL);
	if (plan->has_origin && plan->kind == LV_THIN)
		lvm_add(&c, "--snapshot", "--setactivationskip", "n", plan->of, NULL);
	else if (plan->has_origin)
		lvm_add(&c, "--snapshot", "--size", room, plan->of, NULL);
	else if (plan->kind == LV_THIN)
		lvm_add(&c, "--virtualsize", size, "--thinpool", plan->of, NULL);
	else if (plan->kind == LV_SPARSE)
		lvm_add(&c, "--type", "snapshot", "--size", room, "--virtualsize", size,
			p->name, NULL);
	else
		lvm_add(&c, "--zero", "y", "--wipesignatures", "y", "--size", size,
			p->name, NULL);
	return group_change(p, &c, patch_created, plan, call, err);
}

/* One that cannot be encrypted is not left as one that is not. */
static int encrypt(struct logical_pool *p, const char *name,
		   const struct block_luks *luks, struct call *call, struct error *err)
{
	AUTO_FREE char *path = group_path(p, name);
	struct error ignored;
	int r = path ? block_luks_make(luks, path, call, err)
		     : error_code(err, ENOMEM, "cannot encrypt it");

	if (r < 0)
		logical_vol_delete(p, name, call, &ignored);
	return r;
}

int logical_vol_create(void *pool, const char *name, const struct volume_spec *spec,
		       struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	AUTO_BLOCK_LUKS struct block_luks luks = { 0 };
	struct plan plan;
	int r = logical_name_check(p->name, name, err);

	if (r == 0)
		r = block_luks_plan(p->host, spec, &luks, err);
	if (r < 0)
		return r;
	r = make_plan(p, name, spec, &luks, &plan, call, err);
	if (r == 0)
		r = carry_out(p, &plan, call, err);
	if (r == 0)
		r = encrypt(p, name, &luks, call, err);
	return r < 0 && r != -EEXIST ? error_prefix(err, "cannot make volume '%s'", name)
				     : r;
}
