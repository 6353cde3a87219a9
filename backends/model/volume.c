/*
 * Volumes by name: listing, attributes, making, removing, renaming and resizing them.
 *
 * No lock is held here; the backend's instance is kept by pool_begin.
 */
#include "backends/model/volume.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/model/attributes.h"
#include "backends/model/plan.h"
#include "backends/model/volume_base.h"
#include "backends/model/volume_space.h"
#include "backends/model/volumes.h"

#define IMAGE_UNIT 512 /* what qemu-img rounds the disk inside an image up to */

/* Without a page cache each read(2) is a request: cmp, python and stdio ask for that. */
#define IO_SIZE (128u << 10)

enum volume_class volume_class(const struct use *u)
{
	return USE_HAS(u, volume_class) ? u->backend->volume_class(u->pool) :
					  u->backend->volumes;
}

int volume_unsupported(const struct use *u, const char *what, struct error *err)
{
	return error_set(err, EOPNOTSUPP, "a pool of type '%s' cannot %s",
			 u->backend->type, what);
}

int volume_check_protected(struct pool *p, const char *verb, const char *name,
			   struct error *err)
{
	char what[64 + NAME_MAX];

	snprintf(what, sizeof(what), "%s volume '%s'", verb, name);
	return pool_check_protected(p, what, err);
}

void volume_event(struct pool *p, enum event_what what, const char *name,
		  const char *other)
{
	events_emit(
		&(struct event){ .what = what, .pool = p, .name = name, .other = other });
}

void volume_event_by_file(struct pool *p, const char *name)
{
	events_emit(&(struct event){
		.what = EVENT_VOLUME_CHANGED, .pool = p, .name = name, .by_file = true });
}

/* -- looking -- */

static int collect(void *arg, const char *name)
{
	return buf_add(arg, name, strlen(name) + 1);
}

/* Gives the names that were collected, now that the listing is whole. */
static int give(const struct buf *names, vol_each each, void *arg)
{
	for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1) {
		int r = each(arg, names->data + at);

		if (r < 0)
			return r;
	}
	return 0;
}

int volume_list(struct pool *p, vol_each each, void *arg, struct call *call,
		struct error *err)
{
	AUTO_USE struct use u = { 0 };
	AUTO_BUF struct buf names = { 0 };
	int r = pool_begin(p, &u, err);

	if (r < 0)
		return r;
	if (!USE_HAS(&u, list))
		return volume_unsupported(&u, "list its volumes", err);
	r = u.backend->list(u.pool, collect, &names, call, err);
	return r < 0 ? r : give(&names, each, arg);
}

void volume_set_io_size(const struct use *u, struct vol_stat *st)
{
	if (volume_class(u) != VOLUMES_ARE_FILES && !st->io_size)
		st->io_size = IO_SIZE;
}

/* Mode and owner that SOURCE keeps, and the size of one that is growing. */
void volume_overlay(struct pool *p, const struct use *u, const char *name,
		    struct vol_stat *st)
{
	if (volume_class(u) == VOLUMES_PROVISIONED)
		volumes_visible_size(pool_volumes(p), name, &st->size);
	if (volume_class(u) == VOLUMES_GIVEN)
		volumes_resized(pool_volumes(p), name, st->size);
	volume_set_io_size(u, st);
	if (USE_HAS(u, vol_setattr))
		return;

	struct volume_attributes a = VOLUME_ATTRIBUTES_INIT;

	attributes_volume(pool_attributes(p), name, &a);
	if (a.mode < 0 && a.uid < 0 && a.gid < 0)
		return;
	if (!st->has_owner) {
		st->mode = 0600;
		st->uid = geteuid();
		st->gid = getegid();
	}
	st->has_owner = true;
	st->mode = a.mode >= 0 ? (mode_t)a.mode : st->mode;
	st->uid = a.uid >= 0 ? (uid_t)a.uid : st->uid;
	st->gid = a.gid >= 0 ? (gid_t)a.gid : st->gid;
}

int volume_stat_in(struct pool *p, const struct use *u, const char *name,
		   struct vol_stat *out, struct call *call, struct error *err)
{
	if (!USE_HAS(u, vol_stat))
		return volume_unsupported(u, "look at its volumes", err);

	int r = u->backend->vol_stat(u->pool, name, out, call, err);

	if (r == 0)
		volume_overlay(p, u, name, out);
	return r;
}

int volume_stat(struct pool *p, const char *name, struct vol_stat *out, struct call *call,
		struct error *err)
{
	AUTO_USE struct use u = { 0 };
	int r = pool_begin(p, &u, err);

	return r < 0 ? r : volume_stat_in(p, &u, name, out, call, err);
}

/* -- making -- */

/* What the model has to keep of a new volume; failing to is told, but undoes nothing. */
static int keep_attributes(struct pool *p, const struct use *u, const char *name,
			   const struct volume_spec *spec, struct call *call,
			   struct error *err)
{
	struct volume_attributes a = VOLUME_ATTRIBUTES_INIT;
	struct vol_stat st = { 0 };
	int r = 0, kept;

	if (USE_HAS(u, vol_setattr) && volume_class(u) == VOLUMES_ARE_FILES)
		return 0;
	/* Also when it is sized, as a clone is by what it was made from: an older one of
	 * that name may have been removed from outside. */
	a.unsized = volume_class(u) == VOLUMES_PROVISIONED && !spec->has_capacity &&
		    !spec->backing.path;
	if (!USE_HAS(u, vol_setattr)) {
		a.mode = spec->permissions.mode;
		a.uid = spec->permissions.owner;
		a.gid = spec->permissions.group;
	}
	if (a.unsized) {
		r = u->backend->vol_stat(u->pool, name, &st, call, err);
		a.unsized = r == 0;
		a.made = st.size;
	}
	kept = attributes_set_volume(pool_attributes(p), name, &a, r < 0 ? NULL : err);
	return r < 0 ? r : kept;
}

/* Owner and group: the description's, else the pool's for its volumes, else who asks. */
static void fill_permissions(struct pool *p, struct permissions *to,
			     const struct call *call)
{
	struct permissions d = pool_default_permissions(p);

	if (to->owner < 0)
		to->owner = d.owner >= 0 ? d.owner : (int64_t)call->uid;
	if (to->group < 0)
		to->group = d.group >= 0 ? d.group : (int64_t)call->gid;
	if (to->mode < 0)
		to->mode = call->mode & 07777 & ~07;
}

int volume_create_in(struct pool *p, const struct use *u, const char *name,
		     struct volume_spec *spec, struct call *call, struct error *err)
{
	struct call own = *call;

	if (!USE_HAS(u, vol_create))
		return volume_unsupported(u, "have volumes made in it", err);
	fill_permissions(p, &spec->permissions, call);
	if (spec->format && strcmp(spec->format, "raw") && strcmp(spec->format, "none") &&
	    !spec->has_capacity && !spec->backing.path)
		return error_set(err, EINVAL,
				 "a volume of format '%s' needs a capacity: write one to its "
				 "capacity first, such as 20G",
				 spec->format);

	/* nothing of it can hang, and zeros for all of a large file take their time */
	if (pool_runs_inline(p))
		own.deadline_ns = 0;

	int r = u->backend->vol_create(u->pool, name, spec, &own, err);

	if (r < 0)
		return r;
	plan_drop(p, name);
	volumes_removed(pool_volumes(p), name); /* the error of its first try, say */
	r = keep_attributes(p, u, name, spec, call, err);
	volume_event(p, EVENT_VOLUME_ADDED, name, NULL);
	return r;
}

int volume_create(struct pool *p, const char *name, struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	AUTO_VOLUME_SPEC struct volume_spec spec = VOLUME_SPEC_INIT;
	int r = pool_begin(p, &u, err);

	if (r < 0)
		return r;
	if (plan_exists(p, name) && plan_get(p, name, &spec, err) == -ENOMEM)
		return -ENOMEM;
	spec.has_allocation = true;
	return volume_create_in(p, &u, name, &spec, call, err);
}

/* -- removing and renaming -- */

int volume_delete(struct pool *p, const char *name, struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	struct volume_use alone = { 0 };
	struct volume_attributes forget = VOLUME_ATTRIBUTES_INIT;
	struct error ignored;
	int r = pool_begin(p, &u, err);

	if (r < 0)
		return r;
	if (!USE_HAS(&u, vol_delete))
		return volume_unsupported(&u, "have volumes removed from it", err);
	r = volume_check_protected(p, "remove", name, err);
	if (r == 0 && volume_class(&u) != VOLUMES_ARE_FILES)
		r = volumes_claim(pool_volumes(p), name, "removed", &alone, err);
	if (r < 0)
		return r;
	r = u.backend->vol_delete(u.pool, name, call, err);
	if (r == 0) {
		volumes_removed(pool_volumes(p), name);
		attributes_set_volume(pool_attributes(p), name, &forget, &ignored);
	}
	volumes_leave(pool_volumes(p), &alone);
	if (r == 0)
		volume_event(p, EVENT_VOLUME_REMOVED, name, NULL);
	return r;
}

/* Refuses what renaming would lose: a volume under the new name. */
static int check_target(struct pool *p, const struct use *u, const char *to,
			unsigned flags, struct call *call, struct error *err)
{
	struct vol_stat st = { 0 };
	struct error none = { 0 };
	int r;

	if (flags & (RENAME_VOL_NOREPLACE | RENAME_VOL_EXCHANGE))
		return 0;
	if (volume_class(u) == VOLUMES_ARE_FILES && !pool_protected(p))
		return 0;
	r = u->backend->vol_stat(u->pool, to, &st, call, &none);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_copy(err, &none);
	if (volume_class(u) != VOLUMES_ARE_FILES)
		return error_set(err, EEXIST,
				 "there is a volume '%s' already, and a pool of type '%s' "
				 "cannot replace it: remove it first",
				 to, u->backend->type);
	return volume_check_protected(p, "replace", to, err);
}

static void carry_attributes(struct pool *p, const char *from, const char *to,
			     unsigned flags)
{
	struct attributes *a = pool_attributes(p);
	struct volume_attributes mine = VOLUME_ATTRIBUTES_INIT,
				 other = VOLUME_ATTRIBUTES_INIT;
	struct error ignored;

	if (!(flags & RENAME_VOL_EXCHANGE)) {
		attributes_rename_volume(a, from, to, &ignored);
		return;
	}
	attributes_volume(a, from, &mine);
	attributes_volume(a, to, &other);
	attributes_set_volume(a, from, &other, &ignored);
	attributes_set_volume(a, to, &mine, &ignored);
}

/* Both names alone where open volumes are known by name to the backend. */
static int claim_names(struct pool *p, const struct use *u, const char *from,
		       const char *to, struct volume_use both[2], struct error *err)
{
	int r;

	if (volume_class(u) == VOLUMES_ARE_FILES)
		return 0;
	r = volumes_claim(pool_volumes(p), from, "renamed", &both[0], err);
	if (r == 0)
		r = volumes_claim(pool_volumes(p), to, "renamed", &both[1], err);
	return r;
}

static int rename_claimed(struct pool *p, const struct use *u, const char *from,
			  const char *to, unsigned flags, struct call *call,
			  struct error *err)
{
	int r = check_target(p, u, to, flags, call, err);

	if (r == 0)
		r = u->backend->vol_rename(u->pool, from, to, flags, call, err);
	if (r < 0)
		return r;
	carry_attributes(p, from, to, flags);
	plan_drop(p, to);
	return 0;
}

static int rename_to_itself(struct pool *p, const struct use *u, const char *name,
			    unsigned flags, struct call *call, struct error *err)
{
	struct vol_stat st = { 0 };
	int r = volume_stat_in(p, u, name, &st, call, err);

	if (r == 0 && flags & RENAME_VOL_NOREPLACE)
		return error_set(err, EEXIST, "there is a volume '%s' already", name);
	return r;
}

int volume_rename(struct pool *p, const char *from, const char *to, unsigned flags,
		  struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	struct volume_use both[2] = { 0 };
	bool exchange = flags & RENAME_VOL_EXCHANGE;
	int r = pool_begin(p, &u, err);

	if (r < 0)
		return r;
	if (!USE_HAS(&u, vol_rename))
		return volume_unsupported(&u, "have its volumes renamed", err);
	if (exchange && volume_class(&u) != VOLUMES_ARE_FILES)
		return volume_unsupported(&u, "exchange two volumes", err);
	if (!strcmp(from, to))
		return rename_to_itself(p, &u, from, flags, call, err);
	r = claim_names(p, &u, from, to, both, err);
	if (r == 0)
		r = rename_claimed(p, &u, from, to, flags, call, err);
	volumes_leave(pool_volumes(p), &both[0]);
	volumes_leave(pool_volumes(p), &both[1]);
	if (r < 0)
		return r;
	volumes_moved(pool_volumes(p), from, to, exchange);
	volume_event(p, EVENT_VOLUME_RENAMED, from, to);
	if (exchange) {
		volume_event(p, EVENT_VOLUME_CHANGED, from, NULL);
		volume_event(p, EVENT_VOLUME_CHANGED, to, NULL);
	}
	return 0;
}

/* -- changing -- */

/* Mode and owner in SOURCE, for backends that cannot keep them. */
static int keep_attr(struct pool *p, const struct use *u, const char *name,
		     const struct vol_attr *a, struct call *call, struct error *err)
{
	struct volume_attributes kept = VOLUME_ATTRIBUTES_INIT;
	struct vol_stat st = { 0 };
	int r = volume_stat_in(p, u, name, &st, call, err);

	if (r < 0 || !(a->mask & (VOL_MODE | VOL_UID | VOL_GID)))
		return r;
	attributes_volume(pool_attributes(p), name, &kept);
	if (a->mask & VOL_MODE)
		kept.mode = a->mode & 07777;
	if (a->mask & VOL_UID)
		kept.uid = a->uid;
	if (a->mask & VOL_GID)
		kept.gid = a->gid;
	return attributes_set_volume(pool_attributes(p), name, &kept, err);
}

int volume_setattr_in(struct pool *p, const struct use *u, const char *name,
		      const struct vol_attr *a, struct call *call, struct error *err)
{
	return USE_HAS(u, vol_setattr)
		       ? u->backend->vol_setattr(u->pool, name, a, call, err)
		       : keep_attr(p, u, name, a, call, err);
}

int volume_setattr(struct pool *p, const char *name, const struct vol_attr *a,
		   struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	int r = pool_begin(p, &u, err);

	if (r == 0)
		r = volume_setattr_in(p, &u, name, a, call, err);
	if (r == 0)
		volume_event_by_file(p, name);
	return r;
}

uint64_t volume_size_meant(const struct use *u, const char *format, uint64_t size,
			   uint64_t now)
{
	uint64_t unit = 0;

	if (format && strcmp(format, "raw"))
		unit = IMAGE_UNIT;
	else if (USE_HAS(u, vol_unit))
		unit = u->backend->vol_unit(u->pool);
	/* nothing is meant to be nothing: who says so reads zeros afterwards */
	return size && size < now && now - size < unit ? now : size;
}

int volume_resize_in(struct pool *p, const struct use *u, const char *name, uint64_t size,
		     unsigned flags, struct call *call, struct error *err)
{
	struct volumes *vs = pool_volumes(p);
	struct volume_use use = { 0 };
	struct vol_stat st = { 0 };
	int r = flags & RESIZE_SHRINK ? volumes_claim(vs, name, "shrunk", &use, err) :
					volumes_enter(vs, name, 0, &use, err);

	if (r < 0)
		return r;
	r = u->backend->vol_stat(u->pool, name, &st, call, err);
	if (r == 0) {
		volume_space_load(p, use.volume, &st);
		r = volume_space_resize(p, u, use.volume, size, flags, call, err);
	}
	volumes_leave(vs, &use);
	if (r == 0)
		volume_event(p, EVENT_VOLUME_CHANGED, name, NULL);
	return r;
}

static int truncate_file(struct pool *p, const struct use *u, const char *name,
			 uint64_t size, struct call *call, struct error *err)
{
	struct vol_stat st = { 0 };
	int r = u->backend->vol_stat(u->pool, name, &st, call, err);

	if (r == 0 && size < st.size)
		r = volume_check_protected(p, "shrink", name, err);
	if (r < 0)
		return r;
	if (!USE_HAS(u, vol_resize))
		return volume_unsupported(u, "have its volumes resized", err);
	r = u->backend->vol_resize(u->pool, name, size,
				   size < st.size ? RESIZE_SHRINK : 0, call, err);
	if (r == 0)
		volume_event_by_file(p, name);
	return r;
}

int volume_truncate(struct pool *p, const char *name, uint64_t size, struct call *call,
		    struct error *err)
{
	AUTO_USE struct use u = { 0 };
	int r = pool_begin(p, &u, err);

	if (r < 0)
		return r;
	if (volume_class(&u) == VOLUMES_ARE_FILES)
		return truncate_file(p, &u, name, size, call, err);
	return volume_resize_in(p, &u, name, size, 0, call, err);
}
