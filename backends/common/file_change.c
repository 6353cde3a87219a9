/* Volumes that are files: deleting, renaming, attributes, copying between two of them. */
#include "backends/common/file_volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "backends/common/file_pool.h"

#define COPY_MAX     (128u << 20) /* a call answers within about a second */
#define RENAME_TRIES 8
#define CLONE_ALIGN  4096

int file_vol_delete(void *pool, const char *name, struct call *call, struct error *err)
{
	struct file_pool *fp = pool;
	struct stat st;
	int r = file_stat(fp, name, &st, err);

	if (r < 0)
		return r;
	if (unlinkat(fp->dir, name, 0) < 0)
		return file_fail(fp, "delete", name, err);
	return 0;
}

int rename_noreplace(int from_dir, const char *from, int to_dir, const char *to)
{
	if (!renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* no flags on this filesystem (NFS): link is the call that never replaces */
	if (linkat(from_dir, from, to_dir, to, 0) < 0)
		return -1;
	if (!unlinkat(from_dir, from, 0))
		return 0;

	int code = errno;

	unlinkat(to_dir, to, 0);
	errno = code;
	return -1;
}

static int exchange(struct file_pool *fp, const char *from, const char *to,
		    struct error *err)
{
	struct stat st;
	int r = file_stat(fp, to, &st, err);

	if (r < 0)
		return r;
	if (!renameat2(fp->dir, from, fp->dir, to, RENAME_EXCHANGE))
		return 0;
	if (errno == EINVAL || errno == ENOSYS)
		return error_set(err, EOPNOTSUPP,
				 "the filesystem of directory '%s' cannot exchange two "
				 "names",
				 fp->target);
	return file_fail(fp, "exchange", from, err);
}

static int name_taken(struct file_pool *fp, const char *name, int kind, struct error *err)
{
	return error_set(err, EEXIST,
			 "%s '%s' exists already in directory '%s'",
			 kind == FILE_VOLUME ? "volume" : "something that is no volume,",
			 name, fp->target);
}

/* What is no volume is not seen through us, so it is not replaced either. */
static int rename_once(struct file_pool *fp, const char *from, const char *to,
		       bool replace, struct error *err)
{
	struct stat st;
	int kind = file_kind(fp, to, &st, err), r;

	if (kind < 0)
		return kind;
	if (kind == FILE_OTHER || (kind == FILE_VOLUME && !replace))
		return name_taken(fp, to, kind, err);
	if (kind == FILE_VOLUME)
		r = renameat(fp->dir, from, fp->dir, to);
	else
		r = rename_noreplace(fp->dir, from, fp->dir, to);
	return r < 0 ? file_fail(fp, "rename", from, err) : 0;
}

int file_vol_rename(void *pool, const char *from, const char *to, unsigned flags,
		    struct call *call, struct error *err)
{
	struct file_pool *fp = pool;
	bool replace = !(flags & RENAME_VOL_NOREPLACE);
	struct stat st;
	int r = file_stat(fp, from, &st, err);

	if (r == 0)
		r = file_check_name(to, err);
	if (r < 0)
		return r;
	if (flags & RENAME_VOL_EXCHANGE)
		return exchange(fp, from, to, err);
	/* again when the name was taken between the look and the rename */
	for (int i = 0; i < RENAME_TRIES; i++) {
		r = rename_once(fp, from, to, replace, err);
		if (r != -EEXIST || !replace)
			break;
	}
	return r;
}

/* The mode last: a change of owner drops the set-id bits. */
int file_vol_setattr(void *pool, const char *name, const struct vol_attr *a,
		     struct call *call, struct error *err)
{
	struct timespec keep = { .tv_nsec = UTIME_OMIT };
	struct timespec times[] = {
		a->mask & VOL_ATIME ? a->atime : keep,
		a->mask & VOL_MTIME ? a->mtime : keep,
	};
	uid_t uid = a->mask & VOL_UID ? a->uid : (uid_t)-1;
	gid_t gid = a->mask & VOL_GID ? a->gid : (gid_t)-1;
	char path[FD_PATH_MAX];
	struct stat st;
	AUTO_FD int fd = file_locate(pool, name, &st, err);
	int r = fd < 0 ? fd : file_check_meant(&st, call, name, err);

	if (r < 0)
		return r;
	fd_path(fd, path);
	if ((a->mask & (VOL_UID | VOL_GID)) &&
	    fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return file_fail(pool, "change the owner of", name, err);
	if ((a->mask & VOL_MODE) && chmod(path, a->mode & 07777) < 0)
		return file_fail(pool, "change the mode of", name, err);
	if ((a->mask & (VOL_ATIME | VOL_MTIME)) &&
	    utimensat(AT_FDCWD, path, times, 0) < 0)
		return file_fail(pool, "set the times of", name, err);
	return 0;
}

/* The whole range as a reflink: nothing is read or written. false: not here, or not these
 * bytes. */
static bool clone_range(int from, off_t from_off, int to, off_t to_off, size_t len)
{
	struct file_clone_range range = {
		.src_fd = from,
		.src_offset = from_off,
		.src_length = len,
		.dest_offset = to_off,
	};

	if (from_off % CLONE_ALIGN || to_off % CLONE_ALIGN)
		return false;
	return !ioctl(to, FICLONERANGE, &range);
}

ssize_t file_vol_copy(const struct vol_file *from, off_t from_off,
		      const struct vol_file *to, off_t to_off, size_t len,
		      struct call *call, struct error *err)
{
	struct stat st;
	ssize_t n;

	if (fstat(from->fd, &st) < 0)
		return error_errno(err,
				   "cannot read the size of the volume to copy from");
	if (!len || from_off >= st.st_size)
		return 0;
	if (len > (uint64_t)(st.st_size - from_off))
		len = st.st_size - from_off;
	if (clone_range(from->fd, from_off, to->fd, to_off, len))
		return len;
	if (len > COPY_MAX)
		len = COPY_MAX;
	n = copy_file_range(from->fd, &from_off, to->fd, &to_off, len, 0);
	if (n < 0 && (errno == EXDEV || errno == ENOSYS || errno == EOPNOTSUPP))
		return error_set(err, EOPNOTSUPP,
				 "the filesystem cannot copy between these two volumes "
				 "by itself");
	if (n < 0)
		return error_errno(err, "cannot copy from one volume to another");
	return n;
}
