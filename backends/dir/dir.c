/* Pool type "dir": volumes are the regular files of one directory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

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

/* cow='no' and an unset cow switch copy-on-write off on btrfs; only what was asked for
 * may fail. */
static int set_cow(int fd, const struct pool_spec *spec, struct error *err)
{
	struct statfs fs;
	int flags;

	if (fstatfs(fd, &fs) < 0 || (unsigned)fs.f_type != BTRFS_SUPER_MAGIC) {
		if (spec->cow == CHOICE_UNSET)
			return 0;
		return error_set(err, EOPNOTSUPP,
				 "directory '%s' is not on btrfs: leave <cow> out of "
				 "the definition",
				 spec->target);
	}
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		if (spec->cow == CHOICE_YES)
			flags &= ~FS_NOCOW_FL;
		else
			flags |= FS_NOCOW_FL;
		if (ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0)
			return 0;
	}
	if (spec->cow == CHOICE_UNSET)
		return 0;
	return error_errno(err,
			   "cannot set copy-on-write of directory '%s'", spec->target);
}

/* A directory that is there already is fine; what it holds is never touched. */
static int dir_build(const struct pool_spec *spec, const struct host *host,
		     enum build_mode mode, struct call *call, struct error *err)
{
	AUTO_FD int fd = -1;
	int r;

	if (mode != BUILD)
		return error_set(err, EOPNOTSUPP,
				 "a directory has nothing to overwrite: use plain build");
	r = target_make(spec, &fd, err);
	return r < 0 ? r : set_cow(fd, spec, err);
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
