/* The fake's volumes by name. */
#include "backends/fake/fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>

/* done: to its volumes. */
static int may_be(struct fake_pool *fp, const char *done, const char *operation,
		  struct call *call, struct error *err)
{
	if (fp->class == VOLUMES_GIVEN)
		return error_set(err, EOPNOTSUPP, "volumes of a given pool cannot be %s",
				 done);
	return fault(fp, operation, call, err);
}

int fake_list(void *pool, vol_each each, void *arg, struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	int r = 0;

	pthread_mutex_lock(&fp->store->lock);
	list_for_each (l, &fp->store->volumes)
		if (r >= 0)
			r = each(arg, container_of(l, struct fake_volume, link)->name);
	pthread_mutex_unlock(&fp->store->lock);
	/* A fault comes late: what was given before it must not be believed. */
	return r < 0 ? r : fault(fp, "list", call, err);
}

void fake_stat_of(const struct fake_pool *fp, const struct fake_volume *v,
		  struct vol_stat *out)
{
	struct stat st;

	*out = (struct vol_stat){ .size = v->size,
				  .allocated = v->size,
				  .ident = v->ident };
	if (fp->class != VOLUMES_ARE_FILES)
		return;
	if (fstat(v->fd, &st) == 0)
		out->allocated = st.st_blocks * UINT64_C(512);
	out->has_times = true;
	out->atime = out->mtime = out->ctime = v->mtime;
}

int fake_vol_stat(void *pool, const char *name, struct vol_stat *out, struct call *call,
		  struct error *err)
{
	struct fake_pool *fp = pool;
	int r = fault(fp, "vol_stat", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	const struct fake_volume *v = store_find(fp->store, name);

	if (!v)
		return store_no_volume(name, err);
	fake_stat_of(fp, v, out);
	return 0;
}

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

int fake_vol_describe(void *pool, const char *name, struct volume_spec *out,
		      struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	struct vol_stat st;
	int r = fault(fp, "vol_describe", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	const struct fake_volume *v = store_find(fp->store, name);

	if (!v)
		return store_no_volume(name, err);
	fake_stat_of(fp, v, &st);
	out->has_capacity = out->has_allocation = true;
	out->capacity = v->capacity ? v->capacity : v->size;
	out->allocation = st.allocated;
	out->physical = v->size;
	if (asprintf(&out->path, "/fake/%s", name) < 0 ||
	    copy_text(&out->format, v->format) < 0 ||
	    copy_text(&out->backing.path, v->backing) < 0)
		return error_code(err, ENOMEM, "cannot describe volume '%s'", name);
	return 0;
}

/* A backing path VOLUME@SNAPSHOT makes a clone, which has the snapshot's bytes from the
 * start. */
static int clone_into(struct fake_pool *fp, struct fake_volume *v, const char *backing,
		      struct error *err)
{
	const char *at = strrchr(backing, '@');
	AUTO_FREE char *parent = at ? strndup(backing, at - backing) : NULL;
	struct fake_volume *from = parent ? store_find(fp->store, parent) : NULL;
	struct fake_snap *snap = from ? store_find_snap(from, at + 1) : NULL;
	int fd;

	if (!snap)
		return error_set(err, ENOENT, "there is no snapshot '%s' to clone",
				 backing);
	fd = copy_memory(snap->fd, snap->size, err);
	if (fd < 0)
		return fd;
	close(v->fd);
	v->fd = fd;
	v->size = snap->size;
	return copy_text(&v->backing, backing);
}

static int fill_in(struct fake_pool *fp, struct fake_volume *v,
		   const struct volume_spec *spec, struct error *err)
{
	bool raw = !spec->format || !strcmp(spec->format, "raw");
	uint64_t size = 0;
	int r = copy_text(&v->format, raw ? "raw" : spec->format);

	if (r == 0 && spec->backing.path)
		r = clone_into(fp, v, spec->backing.path, err);
	if (r < 0)
		return r;
	if (spec->has_capacity && (raw || fp->class != VOLUMES_ARE_FILES))
		size = spec->capacity;
	else if (spec->has_capacity)
		v->capacity = spec->capacity;
	return store_resize(fp, v, store_round(fp, MAX(size, v->size)), err);
}

int fake_vol_create(void *pool, const char *name, const struct volume_spec *spec,
		    struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	int r = may_be(fp, "made", "vol_create", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	if (store_find(fp->store, name))
		return error_set(err, EEXIST, "there is a volume '%s' already", name);

	struct fake_volume *v = store_add(fp->store, name);

	if (!v)
		return error_code(err, ENOMEM, "cannot make volume '%s'", name);
	r = fill_in(fp, v, spec, err);
	if (r < 0)
		store_remove(fp->store, v);
	return r;
}

int fake_vol_delete(void *pool, const char *name, struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	int r = may_be(fp, "removed", "vol_delete", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	struct fake_volume *v = store_find(fp->store, name);

	if (!v)
		return store_no_volume(name, err);
	if (!list_empty(&v->snaps))
		return error_set(
			err, EBUSY,
			"volume '%s' has snapshots, such as '%s': remove them first",
			name, container_of(v->snaps.next, struct fake_snap, link)->name);
	store_remove(fp->store, v);
	return 0;
}

static int rename_volume(struct fake_pool *fp, struct fake_volume *v, const char *to,
			 unsigned flags, struct error *err)
{
	struct fake_volume *other = store_find(fp->store, to);
	char *name;

	if (flags & RENAME_VOL_EXCHANGE) {
		if (!other)
			return store_no_volume(to, err);
		name = v->name;
		v->name = other->name;
		other->name = name;
		return 0;
	}
	if (other && (flags & RENAME_VOL_NOREPLACE || fp->class != VOLUMES_ARE_FILES))
		return error_set(err, EEXIST, "there is a volume '%s' already", to);
	name = strdup(to);
	if (!name)
		return error_code(err, ENOMEM, "cannot rename volume '%s'", v->name);
	if (other && other != v)
		store_remove(fp->store, other);
	free(v->name);
	v->name = name;
	return 0;
}

int fake_vol_rename(void *pool, const char *from, const char *to, unsigned flags,
		    struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	int r = may_be(fp, "renamed", "vol_rename", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	struct fake_volume *v = store_find(fp->store, from);

	return v ? rename_volume(fp, v, to, flags, err) : store_no_volume(from, err);
}

uint64_t fake_vol_unit(void *pool)
{
	return store_round(pool, 1);
}

int fake_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		    struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	int r = may_be(fp, "resized", "vol_resize", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	struct fake_volume *v = store_find(fp->store, name);

	if (!v)
		return store_no_volume(name, err);
	if (flags & RESIZE_VIRTUAL && v->capacity) {
		v->capacity = size;
		return 0;
	}
	if (size < v->size && !(flags & RESIZE_SHRINK))
		return error_set(err, EINVAL,
				 "the fake was told to grow volume '%s' to less", name);
	return store_resize(fp, v, store_round(fp, size), err);
}

/* In steps, so that it can be watched and cancelled. */
int fake_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *call,
		  struct error *err)
{
	struct fake_pool *fp = pool;
	int r = 0;

	if (strcmp(algorithm, "zero"))
		return error_set(err, EOPNOTSUPP, "the fake only wipes with zeros");
	for (uint64_t done = 0, size = 1; r == 0 && done < size; done += 1 << 20) {
		r = fault(fp, "vol_wipe", call, err);
		if (r == 0 && call->cancelled && *call->cancelled)
			r = error_set(err, EINTR, "wiping volume '%s' was cancelled",
				      name);
		if (r < 0)
			return r;
		SCOPED_LOCK(&fp->store->lock);
		struct fake_volume *v = store_find(fp->store, name);

		if (!v)
			return store_no_volume(name, err);
		size = v->size;
		if (done < size &&
		    fallocate(v->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, done,
			      MIN(size - done, 1 << 20)) < 0)
			r = error_errno(err, "cannot wipe volume '%s'", name);
		if (call->progress)
			call->progress(call, done, size);
	}
	return r;
}

int fake_vol_flatten(void *pool, const char *name, struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	int r = fault(fp, "vol_flatten", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	struct fake_volume *v = store_find(fp->store, name);

	if (!v)
		return store_no_volume(name, err);
	if (!v->backing)
		return error_set(err, EINVAL, "volume '%s' has no backing store", name);
	free(v->backing);
	v->backing = NULL;
	return 0;
}
