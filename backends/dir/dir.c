/* Pool type "dir": volumes are the regular files of one directory. */
#include <errno.h>
#include <fcntl.h>

#include "backends/backend.h"
#include "backends/common/file_volumes.h"
#include "backends/common/target.h"

static int dir_check(const struct pool_spec *spec, const struct host *host,
		     struct call *call, bool *active, struct error *err)
{
	AUTO_FD int fd = -1;

	if (spec->target)
		fd = open(spec->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*active = fd >= 0;
	return 0;
}

static int dir_start(const struct pool_spec *spec, const struct host *host,
		     struct call *call, void **pool, struct error *err)
{
	struct file_pool *fp;
	int r = file_pool_open(spec, host, &fp, err);

	if (r == 0)
		*pool = fp;
	return r;
}

static void dir_detach(void *pool)
{
	file_pool_close(pool);
}

static int dir_stop(void *pool, struct call *call, struct error *err)
{
	file_pool_close(pool);
	return 0;
}

/* A directory that is there already is fine; what it holds is never touched. */
static int dir_build(const struct pool_spec *spec, const struct host *host,
		     enum build_mode mode, struct call *call, struct error *err)
{
	if (mode != BUILD)
		return error_set(err, EOPNOTSUPP,
				 "a directory has nothing to overwrite: use plain build");
	return target_make(spec, err);
}

static int dir_remove(const struct pool_spec *spec, const struct host *host,
		      struct call *call, struct error *err)
{
	return target_remove(spec, err);
}

static const char *const tools[] = { "qemu-img", "scrub", NULL };

BACKEND_DEFINE(
	.type    = "dir",
	.tools   = tools,
	.check   = dir_check,
	.start   = dir_start,
	.stop    = dir_stop,
	.detach  = dir_detach,
	.build   = dir_build,
	.remove  = dir_remove,
	.refresh = file_pool_refresh,
	FILE_VOLUME_MEMBERS,
);
