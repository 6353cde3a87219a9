/* Makes and removes the target directory of a pool. */
#include "backends/common/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "backends/support/cleanup.h"
#include "backends/support/error.h"

#define DEFAULT_MODE 0711 /* libvirt's */
#define PARENT_MODE  0755

/* Makes what is missing above the target. */
static int make_parents(const char *target, struct error *err)
{
	AUTO_FREE char *path = strdup(target);

	if (!path)
		return error_code(err, ENOMEM, "cannot create directory '%s'", target);
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, PARENT_MODE) < 0 && errno != EEXIST)
			return error_errno(err, "cannot create directory '%s'", path);
		*slash = '/';
	}
	return 0;
}

static int wanted_mode(const struct pool_spec *spec)
{
	return spec->permissions.mode < 0 ? DEFAULT_MODE : spec->permissions.mode;
}

static int set_permissions(int fd, const struct pool_spec *spec, bool made,
			   struct error *err)
{
	const struct permissions *p = &spec->permissions;
	int mode = made ? wanted_mode(spec) : p->mode;

	if ((p->owner >= 0 || p->group >= 0) && fchown(fd, p->owner, p->group) < 0)
		return error_errno(err,
				   "cannot change the owner of directory '%s'",
				   spec->target);
	if (mode >= 0 && fchmod(fd, mode) < 0)
		return error_errno(err,
				   "cannot change the mode of directory '%s'",
				   spec->target);
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

int target_make(const struct pool_spec *spec, struct error *err)
{
	AUTO_FD int dir = -1;
	bool made;
	int r;

	if (!spec->target || spec->target[0] != '/')
		return error_set(err, EINVAL, "the pool's target path must be absolute");
	r = make_parents(spec->target, err);
	if (r < 0)
		return r;
	made = mkdir(spec->target, wanted_mode(spec)) == 0;
	if (!made && errno != EEXIST)
		return error_errno(err, "cannot create directory '%s'", spec->target);
	dir = open(spec->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(err, "cannot open directory '%s'", spec->target);
	r = set_permissions(dir, spec, made, err);
	if (r == 0)
		r = set_cow(dir, spec, err);
	if (r < 0 && made)
		rmdir(spec->target);
	return r;
}

int target_remove(const struct pool_spec *spec, struct error *err)
{
	if (!spec->target || rmdir(spec->target) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return error_set(err, EBUSY,
				 "directory '%s' is not empty: remove what is in it "
				 "first",
				 spec->target);
	return error_errno(err, "cannot remove directory '%s'", spec->target);
}
