/* Snapshots of volumes, by name. */
#include <errno.h>
#include <string.h>

#include "backends/model/volume_base.h"
#include "backends/model/volumes.h"

static int begin(struct pool *p, struct use *u, struct error *err)
{
	int r = pool_begin(p, u, err);

	return r < 0 || USE_HAS(u, snap_list)
		       ? r
		       : volume_unsupported(u, "have snapshots", err);
}

static int collect(void *arg, const char *name)
{
	return buf_add(arg, name, strlen(name) + 1);
}

int snapshot_list(struct pool *p, const char *volume, vol_each each, void *arg,
		  struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	AUTO_BUF struct buf names = { 0 };
	int r = begin(p, &u, err);

	if (r < 0)
		return r;
	r = u.backend->snap_list(u.pool, volume, collect, &names, call, err);
	for (size_t at = 0; r >= 0 && at < names.len; at += strlen(names.data + at) + 1)
		r = each(arg, names.data + at);
	return r < 0 ? r : 0;
}

int snapshot_stat(struct pool *p, const char *volume, const char *snap,
		  struct vol_stat *out, struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	int r = begin(p, &u, err);

	if (r < 0)
		return r;
	if (!USE_HAS(&u, snap_stat))
		return volume_unsupported(&u, "look at its snapshots", err);
	r = u.backend->snap_stat(u.pool, volume, snap, out, call, err);
	if (r == 0)
		volume_set_io_size(&u, out);
	return r;
}

static int check_name(const char *snap, struct error *err)
{
	if (*snap && strcmp(snap, ".") && strcmp(snap, "..") && !strpbrk(snap, "/\n"))
		return 0;
	return error_set(err, EINVAL, "'%s' is no name for a snapshot", snap);
}

int snapshot_create(struct pool *p, const char *volume, const char *snap,
		    struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	int r = begin(p, &u, err);

	if (r == 0)
		r = check_name(snap, err);
	if (r < 0)
		return r;
	if (!USE_HAS(&u, snap_create))
		return volume_unsupported(&u, "take snapshots", err);
	r = u.backend->snap_create(u.pool, volume, snap, call, err);
	if (r == 0)
		volume_event(p, EVENT_SNAPSHOTS, volume, NULL);
	return r;
}

int snapshot_delete(struct pool *p, const char *volume, const char *snap,
		    struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	int r = begin(p, &u, err);

	if (r < 0)
		return r;
	if (!USE_HAS(&u, snap_delete))
		return volume_unsupported(&u, "delete snapshots", err);
	r = volume_check_protected(p, "delete a snapshot of", volume, err);
	if (r == 0)
		r = u.backend->snap_delete(u.pool, volume, snap, call, err);
	if (r == 0)
		volume_event(p, EVENT_SNAPSHOTS, volume, NULL);
	return r;
}
