/*
 * Pool type "iscsi": by the kernel's initiator where the host has one and the definition
 * wants device nodes, else by a session of our own, whose keys and paths are those of the
 * devices that a kernel would have.
 */
#include <errno.h>
#include <stdlib.h>

#include "backends/iscsi/kernel.h"
#include "backends/iscsi/pool.h"

static const struct backend session_backend = {
	.start = iscsi_start,
	.stop = iscsi_stop,
	.detach = iscsi_detach,
	.refresh = iscsi_refresh,
	.pool_stat = iscsi_pool_stat,
	.list = iscsi_list,
	.vol_stat = iscsi_vol_stat,
	.vol_describe = iscsi_vol_describe,
	.vol_wipe = iscsi_vol_wipe,
	.vol_open = iscsi_vol_open,
	.vol_close = iscsi_vol_close,
	.vol_fstat = iscsi_vol_fstat,
};

/* A running pool. Both ways have all of the members above. */
struct way {
	const struct backend *by;
	void *pool;
};

static int way_check(const struct pool_spec *spec, const struct host *host,
		     struct call *call, bool *active, struct error *err)
{
	if (!kernel_is_for(spec))
		return -EOPNOTSUPP;
	return kernel_backend.check(spec, host, call, active, err);
}

static int way_start(const struct pool_spec *spec, const struct host *host,
		     struct call *call, void **pool, struct error *err)
{
	AUTO_FREE struct way *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_code(err, ENOMEM, "cannot keep the session");
	w->by = kernel_is_for(spec) ? &kernel_backend : &session_backend;
	r = w->by->start(spec, host, call, &w->pool, err);
	if (r == 0)
		*pool = take(w);
	return r;
}

static int way_stop(void *pool, struct call *call, struct error *err)
{
	struct way *w = pool;
	int r = w->by->stop(w->pool, call, err);

	if (r == 0)
		free(w);
	return r;
}

static void way_detach(void *pool)
{
	struct way *w = pool;

	w->by->detach(w->pool);
	free(w);
}

static int way_refresh(void *pool, struct call *call, struct error *err)
{
	struct way *w = pool;

	return w->by->refresh(w->pool, call, err);
}

static int way_pool_stat(void *pool, struct pool_stat *out, struct call *call,
			 struct error *err)
{
	struct way *w = pool;

	return w->by->pool_stat(w->pool, out, call, err);
}

static int way_list(void *pool, vol_each each, void *arg, struct call *call,
		    struct error *err)
{
	struct way *w = pool;

	return w->by->list(w->pool, each, arg, call, err);
}

static int way_vol_stat(void *pool, const char *name, struct vol_stat *out,
			struct call *call, struct error *err)
{
	struct way *w = pool;

	return w->by->vol_stat(w->pool, name, out, call, err);
}

static int way_vol_describe(void *pool, const char *name, struct volume_spec *out,
			    struct call *call, struct error *err)
{
	struct way *w = pool;

	return w->by->vol_describe(w->pool, name, out, call, err);
}

static int way_vol_wipe(void *pool, const char *name, const char *algorithm,
			struct call *call, struct error *err)
{
	struct way *w = pool;

	return w->by->vol_wipe(w->pool, name, algorithm, call, err);
}

static int way_vol_open(void *pool, const char *name, const char *snap, int flags,
			struct vol_file *out, struct call *call, struct error *err)
{
	struct way *w = pool;

	return w->by->vol_open(w->pool, name, snap, flags, out, call, err);
}

static void way_vol_close(void *pool, struct vol_file *f)
{
	struct way *w = pool;

	w->by->vol_close(w->pool, f);
}

static int way_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
			 struct call *call, struct error *err)
{
	struct way *w = pool;

	return w->by->vol_fstat(w->pool, f, out, call, err);
}

static const char *const tools[] = { "iscsiadm", "scrub", NULL };

/* Volumes of the kernel's have a descriptor, and are asked neither for I/O nor for holes.
 */
BACKEND_DEFINE(.type = "iscsi", .volumes = VOLUMES_GIVEN, .parallel = true,
	       .tools = tools, .check = way_check, .start = way_start, .stop = way_stop,
	       .detach = way_detach, .refresh = way_refresh, .pool_stat = way_pool_stat,
	       .list = way_list, .vol_stat = way_vol_stat,
	       .vol_describe = way_vol_describe, .vol_wipe = way_vol_wipe,
	       .vol_open = way_vol_open, .vol_close = way_vol_close,
	       .vol_submit = iscsi_vol_submit, .vol_cancel = iscsi_vol_cancel,
	       .vol_fstat = way_vol_fstat, .vol_seek = iscsi_vol_seek,
	       .discover = iscsi_discover, );
