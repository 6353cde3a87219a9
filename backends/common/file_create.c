/* Making raw volumes; other formats are made in file_create_image.c. Nothing half made is
 * seen. */
#include "backends/common/file_create.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "backends/common/file_stage.h"
#include "backends/common/file_volumes.h"

int file_set_owner(struct file_pool *fp, int fd, const struct volume_spec *spec,
		   const struct call *call, struct error *err)
{
	const struct permissions *p = &spec->permissions;
	uid_t uid = p->owner >= 0 ? p->owner : fp->owner >= 0 ? fp->owner : call->uid;
	gid_t gid = p->group >= 0 ? p->group : fp->group >= 0 ? fp->group : call->gid;
	mode_t mode = p->mode >= 0 ? (mode_t)p->mode : call->mode & 07777;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "cannot read the owner of a new volume");
	if ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0)
		return error_errno(err,
				   "cannot give a new volume to owner %u, group %u",
				   uid, gid);
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return error_errno(err, "cannot set the mode of a new volume");
	return 0;
}

/* Only an empty file on btrfs takes it. */
static int set_nocow(int fd, struct error *err)
{
	struct statfs fs;
	int flags;

	if (fstatfs(fd, &fs) < 0)
		return error_errno(err, "cannot read the filesystem's type");
	if ((unsigned)fs.f_type != BTRFS_SUPER_MAGIC)
		return error_set(err, EOPNOTSUPP,
				 "nocow is for volumes on btrfs only: leave it out");
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return error_errno(err, "cannot read the flags of a new volume");
	flags |= FS_NOCOW_FL;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		return error_errno(err,
				   "cannot switch copy-on-write off for a new volume");
	return 0;
}

static int allocate(int fd, uint64_t len, struct call *call, struct error *err)
{
	if (!len || !fallocate(fd, 0, 0, len))
		return 0;
	if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
		return file_write_zeros(fd, 0, len, len, call, err);
	return error_errno(err, "cannot allocate %llu bytes", (unsigned long long)len);
}

static int fill(struct file_pool *fp, int fd, const struct volume_spec *spec,
		struct call *call, struct error *err)
{
	uint64_t capacity = spec->has_capacity ? spec->capacity : 0;
	uint64_t allocation = spec->has_allocation ? spec->allocation : capacity;
	int r = spec->nocow ? set_nocow(fd, err) : 0;

	if (r < 0)
		return r;
	if (capacity && ftruncate(fd, capacity) < 0)
		return error_errno(err,
				   "cannot make a file of %llu bytes",
				   (unsigned long long)capacity);
	r = allocate(fd, allocation < capacity ? allocation : capacity, call, err);
	return r < 0 ? r : file_set_owner(fp, fd, spec, call, err);
}

/* touch: nothing in it can fail half way but its owner; what a crash leaves is usable. */
static int create_empty(struct file_pool *fp, const char *name,
			const struct volume_spec *spec, struct call *call,
			struct error *err)
{
	AUTO_FD int fd =
		openat(fp->dir, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return file_fail(fp, "create", name, err);
	r = file_set_owner(fp, fd, spec, call, err);
	if (r < 0)
		unlinkat(fp->dir, name, 0);
	return r;
}

/* For filesystems without nameless files (NFS). */
static int create_staged(struct file_pool *fp, const char *name,
			 const struct volume_spec *spec, struct call *call,
			 struct error *err)
{
	AUTO_STAGE struct stage stage = STAGE_INIT;
	int r = stage_open(&stage, fp, name, err);

	if (r < 0)
		return r;

	AUTO_FD int fd =
		openat(stage.dir, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return file_fail(fp, "create", name, err);
	r = fill(fp, fd, spec, call, err);
	return r < 0 ? r : stage_commit(&stage, err);
}

/* A file that has no name until it is whole: a crash leaves nothing. */
static int create_whole(struct file_pool *fp, const char *name,
			const struct volume_spec *spec, struct call *call,
			struct error *err)
{
	char path[FD_PATH_MAX];
	int r = file_check_free(fp, name, err);

	if (r < 0)
		return r;

	AUTO_FD int fd = openat(fp->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		return create_staged(fp, name, spec, call, err);
	if (fd < 0)
		return file_fail(fp, "create", name, err);
	r = fill(fp, fd, spec, call, err);
	if (r < 0)
		return r;
	if (linkat(AT_FDCWD, fd_path(fd, path), fp->dir, name, AT_SYMLINK_FOLLOW) < 0)
		return file_fail(fp, "create", name, err);
	return 0;
}

/* Before long work; who comes first is decided when the file gets its name. */
int file_check_free(struct file_pool *fp, const char *name, struct error *err)
{
	struct stat st;
	int kind = file_kind(fp, name, &st, err);

	if (kind < 0 || kind == FILE_ABSENT)
		return kind < 0 ? kind : 0;
	return error_set(err, EEXIST,
			 "the name exists already in directory '%s'", fp->target);
}

static int create_raw(struct file_pool *fp, const char *name,
		      const struct volume_spec *spec, struct call *call,
		      struct error *err)
{
	if (spec->backing.path)
		return error_set(err, EINVAL,
				 "a raw volume cannot have a backing image: give it a "
				 "format such as qcow2");
	if ((spec->has_capacity && spec->capacity) || spec->nocow)
		return create_whole(fp, name, spec, call, err);
	return create_empty(fp, name, spec, call, err);
}

int file_vol_create(void *pool, const char *name, const struct volume_spec *spec,
		    struct call *call, struct error *err)
{
	struct file_pool *fp = pool;
	const char *format = spec->format ? spec->format : "raw";
	struct error why = { 0 };
	int r = file_check_name(name, err);

	if (r < 0)
		return r;
	if (!strcmp(format, "raw") && !spec->encryption.format)
		r = create_raw(fp, name, spec, call, &why);
	else
		r = file_create_image(fp, name, format, spec, call, &why);
	if (r < 0) {
		error_prefix(&why, "cannot create volume '%s'", name);
		return error_copy(err, &why);
	}
	return 0;
}
