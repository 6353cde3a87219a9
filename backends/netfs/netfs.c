/*
 * Pool type "netfs": volumes are the regular files of another host's directory, which
 * start mounts and stop unmounts.
 */
#include <errno.h>
#include <string.h>

#include "backends/backend.h"
#include "backends/common/file_pool.h"
#include "backends/common/file_volumes.h"
#include "backends/common/target.h"
#include "backends/netfs/netfs.h"
#include "backends/netfs/pulse.h"
#include "backends/support/clock.h"

/* A question under way ends by then, or its server is taken for dead. */
#define PATIENCE_NS (3 * NS_PER_S)

/* 1: the share is mounted on the target, 0: nothing is. */
static int is_mounted(const struct pool_spec *spec, const struct share *s,
		      struct error *err)
{
	AUTO_MOUNTED struct mounted m = { 0 };
	int r = mounting_check_target(spec, err);

	if (r == 0)
		r = mounting_find(spec->target, &m, err);
	if (r <= 0 || share_is(s, &m))
		return r;
	return mounting_refuse(&m, spec, s->source, err);
}

static int netfs_check(const struct pool_spec *spec, const struct host *host,
		       struct call *call, bool *active, struct error *err)
{
	AUTO_SHARE struct share s = { 0 };

	*active = share_of(spec, &s, NULL) == 0 && is_mounted(spec, &s, NULL) == 1;
	return 0;
}

static int mount_it(const struct pool_spec *spec, const struct host *host,
		    const struct share *s, struct call *call, struct error *err)
{
	int r = mounting_check_directory(spec, err);

	return r < 0 ? r : share_mount(spec, host, s, call, err);
}

static int netfs_start(const struct pool_spec *spec, const struct host *host,
		       struct call *call, void **pool, struct error *err)
{
	AUTO_MOUNTED struct mounted m = { 0 };
	AUTO_SHARE struct share s = { 0 };
	struct file_pool *fp = NULL;
	bool ours = false;
	int r = share_of(spec, &s, err);

	if (r == 0)
		r = is_mounted(spec, &s, err);
	if (r == 0) {
		r = mount_it(spec, host, &s, call, err);
		ours = r == 0;
	}
	if (r < 0)
		return r;
	r = file_pool_open(spec, host, &fp, err);
	if (r == 0) {
		fp->own = pulse_start(spec->target, host);
		*pool = fp;
	} else if (ours && mounting_find(spec->target, &m, NULL) > 0) {
		share_umount(&m, true, call, NULL);
	}
	return r;
}

static void netfs_detach(void *pool)
{
	struct file_pool *fp = pool;

	pulse_end(fp->own, 0);
	file_pool_close(fp);
}

static int netfs_stop(void *pool, struct call *call, struct error *err)
{
	AUTO_MOUNTED struct mounted m = { 0 };
	struct file_pool *fp = pool;
	bool answers;
	int r = mounting_held(fp->dir, fp->target, &m, err);

	if (r < 0)
		return r;
	answers = pulse_end(fp->own, clock_now() + PATIENCE_NS);
	if (r > 0) {
		r = file_pool_let_go(fp, err);
		if (r == 0)
			r = share_umount(&m, answers, call, err);
	}
	if (r == 0) {
		file_pool_close(fp);
		return 0;
	}
	file_pool_refresh(fp, call, NULL);
	fp->own = pulse_start(fp->target, fp->host);
	return r;
}

static int netfs_build(const struct pool_spec *spec, const struct host *host,
		       enum build_mode mode, struct call *call, struct error *err)
{
	AUTO_MOUNTED struct mounted m = { 0 };
	int r;

	if (mode != BUILD)
		return error_set(err, EOPNOTSUPP,
				 "the server has the filesystem: use plain build, which "
				 "makes the directory");
	r = spec->target ? mounting_find(spec->target, &m, err) : 0;
	if (r > 0)
		return error_set(err, EBUSY, "'%s' is mounted on '%s' already", m.source,
				 spec->target);
	return r < 0 ? r : target_make(spec, err);
}

static int netfs_remove(const struct pool_spec *spec, const struct host *host,
			struct call *call, struct error *err)
{
	return target_remove(spec, err);
}

static const char *const tools[] = { "mount",	   "umount",	"mount.nfs", "mount.cifs",
				     "mount.glusterfs", "showmount", "qemu-img",  "scrub",
				     NULL };

BACKEND_DEFINE(
	.type     = "netfs",
	.tools    = tools,
	.check    = netfs_check,
	.start    = netfs_start,
	.stop     = netfs_stop,
	.detach   = netfs_detach,
	.build    = netfs_build,
	.remove   = netfs_remove,
	.refresh  = mounting_refresh,
	.discover = netfs_discover,
	FILE_VOLUME_MEMBERS,
);
