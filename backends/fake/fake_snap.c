/* The fake's snapshots: whole copies of the bytes. */
#include "backends/fake/fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The snapshot, with the store's lock held. */
static int find(struct fake_pool *fp, const char *name, const char *snap,
		struct fake_volume **v, struct fake_snap **s, struct error *err)
{
	*v = store_find(fp->store, name);
	if (!*v)
		return store_no_volume(name, err);
	*s = store_find_snap(*v, snap);
	if (!*s)
		return error_set(err, ENOENT, "volume '%s' has no snapshot '%s'", name,
				 snap);
	return 0;
}

int fake_snap_list(void *pool, const char *name, vol_each each, void *arg,
		   struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	int r = fault(fp, "snap_list", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	struct fake_volume *v = store_find(fp->store, name);

	if (!v)
		return store_no_volume(name, err);
	list_for_each(l, &v->snaps)
		if (r >= 0)
			r = each(arg, container_of(l, struct fake_snap, link)->name);
	return r;
}

int fake_snap_stat(void *pool, const char *name, const char *snap, struct vol_stat *out,
		   struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	struct fake_volume *v;
	struct fake_snap *s;
	int r = fault(fp, "snap_stat", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	r = find(fp, name, snap, &v, &s, err);
	if (r == 0)
		*out = (struct vol_stat){ .size = s->size, .allocated = s->size };
	return r;
}

static struct fake_snap *snap_new(const struct fake_volume *v, const char *name,
				  struct error *err)
{
	struct fake_snap *s = calloc(1, sizeof(*s));

	if (!s || !(s->name = strdup(name))) {
		free(s);
		error_code(err, ENOMEM, "cannot take snapshot '%s'", name);
		return NULL;
	}
	s->size = v->size;
	s->fd = copy_memory(v->fd, v->size, err);
	if (s->fd < 0) {
		free(s->name);
		free(s);
		return NULL;
	}
	return s;
}

int fake_snap_create(void *pool, const char *name, const char *snap, struct call *call,
		     struct error *err)
{
	struct fake_pool *fp = pool;
	int r = fault(fp, "snap_create", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	struct fake_volume *v = store_find(fp->store, name);
	struct fake_snap *s;

	if (!v)
		return store_no_volume(name, err);
	if (store_find_snap(v, snap))
		return error_set(err, EEXIST, "volume '%s' has a snapshot '%s' already",
				 name, snap);
	s = snap_new(v, snap, err);
	if (!s)
		return -ENOMEM;
	list_append(&v->snaps, &s->link);
	return 0;
}

/* Whether a volume is a clone that still needs VOLUME@SNAP. */
static const char *clone_of(struct fake_store *store, const char *name, const char *snap)
{
	size_t len = strlen(name);

	list_for_each(l, &store->volumes) {
		const struct fake_volume *v = container_of(l, struct fake_volume, link);

		if (v->backing && !strncmp(v->backing, name, len) &&
		    v->backing[len] == '@' && !strcmp(v->backing + len + 1, snap))
			return v->name;
	}
	return NULL;
}

int fake_snap_delete(void *pool, const char *name, const char *snap, struct call *call,
		     struct error *err)
{
	struct fake_pool *fp = pool;
	struct fake_volume *v;
	struct fake_snap *s;
	int r = fault(fp, "snap_delete", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	r = find(fp, name, snap, &v, &s, err);
	if (r < 0)
		return r;

	const char *clone = clone_of(fp->store, name, snap);

	if (clone)
		return error_set(err, EBUSY,
				 "snapshot '%s' is what volume '%s' stands on: flatten that",
				 snap, clone);
	store_remove_snap(s);
	return 0;
}

int fake_snap_revert(void *pool, const char *name, const char *snap, struct call *call,
		     struct error *err)
{
	struct fake_pool *fp = pool;
	struct fake_volume *v;
	struct fake_snap *s;
	int r = fault(fp, "snap_revert", call, err), fd;

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	r = find(fp, name, snap, &v, &s, err);
	if (r < 0)
		return r;
	fd = copy_memory(s->fd, s->size, err);
	if (fd < 0)
		return fd;
	close(v->fd);
	v->fd = fd;
	v->size = s->size;
	return 0;
}
