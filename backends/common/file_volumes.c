/* A directory as a pool: opening, listing and reading it. Only refresh changes a struct
 * file_pool. */
#include "backends/common/file_volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "backends/common/file_pool.h"
#include "backends/common/file_stage.h"
#include "backends/support/clock.h"

#ifndef LUSTRE_SUPER_MAGIC
#define LUSTRE_SUPER_MAGIC 0x0BD00BD0
#endif
#ifndef GFS2_MAGIC
#define GFS2_MAGIC 0x01161970
#endif

#define CHECK_EVERY 1024 /* entries of a listing between two looks at the caller */

/* Filesystems that ask another host or another process, and so may not answer. */
static const unsigned remote[] = {
	NFS_SUPER_MAGIC, CIFS_SUPER_MAGIC,   SMB_SUPER_MAGIC,	 SMB2_SUPER_MAGIC,
	V9FS_MAGIC,	 FUSE_SUPER_MAGIC,   CEPH_SUPER_MAGIC,	 CODA_SUPER_MAGIC,
	AFS_SUPER_MAGIC, AFS_FS_MAGIC,	     AUTOFS_SUPER_MAGIC, OCFS2_SUPER_MAGIC,
	GFS2_MAGIC,	 LUSTRE_SUPER_MAGIC,
};

int call_check(const struct call *call, struct error *err)
{
	if (!call)
		return 0;
	if (call->cancelled && atomic_load(call->cancelled))
		return error_set(err, EINTR, "it was cancelled");
	if (deadline_passed(call->deadline_ns))
		return error_set(err, ETIMEDOUT, "it did not end in time");
	return 0;
}

static bool is_local(int fd)
{
	struct statfs s;

	if (fstatfs(fd, &s) < 0)
		return false;
	for (size_t i = 0; i < sizeof(remote) / sizeof(*remote); i++)
		if ((unsigned)s.f_type == remote[i])
			return false;
	return true;
}

static void changed(void *arg, enum change what, const char *name)
{
	struct file_pool *fp = arg;

	fp->host->changed(fp->host->ctx, what, name);
}

static int open_target(const char *target, struct error *err)
{
	int fd;

	if (!target || target[0] != '/')
		return error_set(err, EINVAL,
				 "the pool's target path must be absolute, not '%s'",
				 target ? target : "");
	fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ENOENT,
				 "directory '%s' does not exist: not built yet: echo "
				 "build > ctl",
				 target);
	return fd < 0 ? error_errno(err, "cannot open directory '%s'", target) : fd;
}

static void pool_free(struct file_pool *fp)
{
	watch_remove(fp->watch);
	if (fp->dir >= 0)
		close(fp->dir);
	free(fp->target);
	free(fp);
}
DEFINE_CLEANUP(cleanup_pool, struct file_pool *, pool_free)

static int watch_dir(struct file_pool *fp, int dir, struct watch **watch,
		     struct error *err)
{
	*watch = NULL;
	if (!fp->host || !fp->host->changed)
		return 0;
	return watch_add(dir, changed, fp, watch, err);
}

int file_pool_open(const struct pool_spec *spec, const struct host *host,
		   struct file_pool **out, struct error *err)
{
	CLEANUP(cleanup_pool) struct file_pool *fp = calloc(1, sizeof(*fp));
	int r;

	if (!fp)
		return error_code(err, ENOMEM, "cannot open a directory");
	fp->dir = open_target(spec->target, err);
	if (fp->dir < 0)
		return fp->dir;
	fp->target = strdup(spec->target);
	if (!fp->target)
		return error_code(err, ENOMEM, "cannot open a directory");
	fp->owner = spec->permissions.owner;
	fp->group = spec->permissions.group;
	fp->host = host;
	fp->local = is_local(fp->dir);
	r = watch_dir(fp, fp->dir, &fp->watch, err);
	if (r < 0)
		return r;
	stage_sweep(fp);
	*out = take(fp);
	return 0;
}

void file_pool_close(struct file_pool *fp)
{
	pool_free(fp);
}

bool file_pool_local(void *pool)
{
	struct file_pool *fp = pool;

	return fp->local;
}

int file_pool_refresh(void *pool, struct call *call, struct error *err)
{
	struct file_pool *fp = pool;
	AUTO_FD int fd = open_target(fp->target, err);
	struct watch *watch;
	struct stat now, before;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &now) < 0 || fstat(fp->dir, &before) < 0)
		return error_errno(err, "cannot read directory '%s'", fp->target);
	if (now.st_ino == before.st_ino && now.st_dev == before.st_dev)
		return 0;
	r = watch_dir(fp, fd, &watch, err);
	if (r < 0)
		return r;
	/* at once for the calls that run meanwhile: the number stays */
	if (dup3(fd, fp->dir, O_CLOEXEC) < 0) {
		r = error_errno(err, "cannot open directory '%s'", fp->target);
		watch_remove(watch);
		return r;
	}
	watch_remove(fp->watch);
	fp->watch = watch;
	if (watch)
		changed(fp, CHANGE_ALL, NULL);
	return 0;
}

int file_pool_let_go(struct file_pool *fp, struct error *err)
{
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	/* the number stays valid, and refresh sees that it is another directory */
	if (root < 0 || dup3(root, fp->dir, O_CLOEXEC) < 0)
		return error_errno(err, "cannot let go of directory '%s'", fp->target);
	return 0;
}

int file_pool_sync_names(void *pool, struct call *call, struct error *err)
{
	struct file_pool *fp = pool;

	if (fsync(fp->dir) < 0 && errno != EINVAL) /* not every filesystem can */
		return error_errno(err, "cannot sync directory '%s'", fp->target);
	return 0;
}

/* A file's SELinux label, or NULL; owned by the caller. */
static char *read_label(int fd)
{
	char label[256];
	ssize_t len = fgetxattr(fd, "security.selinux", label, sizeof(label) - 1);

	return len > 0 ? strndup(label, len) : NULL;
}

void file_permissions(int fd, const struct stat *st, struct permissions *out)
{
	out->mode = st->st_mode & 0777;
	out->owner = st->st_uid;
	out->group = st->st_gid;
	out->label = read_label(fd);
}

/* Counted as libvirt does: the blocks kept for root are available too. */
int file_pool_stat(void *pool, struct pool_stat *out, struct call *call,
		   struct error *err)
{
	struct file_pool *fp = pool;
	struct statvfs fs;
	struct stat st;
	int r = file_check_dir(fp, err);

	if (r < 0)
		return r;
	if (fstatvfs(fp->dir, &fs) < 0 || fstat(fp->dir, &st) < 0)
		return error_errno(err, "cannot read directory '%s'", fp->target);
	out->capacity = (uint64_t)fs.f_frsize * fs.f_blocks;
	out->available = (uint64_t)fs.f_frsize * fs.f_bfree;
	out->allocation = out->capacity - out->available;
	out->reserved = (uint64_t)fs.f_frsize * (fs.f_bfree - fs.f_bavail);
	out->files = fs.f_files;
	out->files_free = fs.f_ffree;
	file_permissions(fp->dir, &st, &out->permissions);
	/* the sticky bit decides who may delete from volumes/, too */
	out->permissions.mode = st.st_mode & 07777;
	return 0;
}

/* 1: a volume, 0: not, -errno. */
static int is_volume(struct file_pool *fp, const struct dirent *e, struct error *err)
{
	struct stat st;
	int kind;

	if (e->d_type == DT_REG)
		return 1;
	if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
		return 0;
	if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
		return 0;
	kind = file_kind(fp, e->d_name, &st, err);
	return kind < 0 ? kind : kind == FILE_VOLUME;
}

static int list_entries(struct file_pool *fp, DIR *d, vol_each each, void *arg,
			struct call *call, struct error *err)
{
	struct dirent *e;

	for (unsigned n = 1;; n++) {
		int r = n % CHECK_EVERY ? 0 : call_check(call, err);

		if (r < 0)
			return r;
		errno = 0;
		e = readdir(d);
		if (!e)
			break;
		r = is_volume(fp, e, err);
		if (r > 0)
			r = each(arg, e->d_name);
		if (r < 0)
			return r;
	}
	if (errno)
		return error_errno(err, "cannot read directory '%s'", fp->target);
	/* a removed directory reads as an empty one */
	return file_check_dir(fp, err);
}

int file_vol_list(void *pool, vol_each each, void *arg, struct call *call,
		  struct error *err)
{
	struct file_pool *fp = pool;
	int fd = openat(fp->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		r = file_check_dir(fp, NULL) < 0
			    ? file_check_dir(fp, err)
			    : error_errno(err, "cannot read directory '%s'", fp->target);
		if (fd >= 0)
			close(fd);
		return r;
	}
	r = list_entries(fp, d, each, arg, call, err);
	closedir(d);
	return r;
}

static void fill_stat(const struct stat *st, struct vol_stat *out)
{
	*out = (struct vol_stat){
		.size = st->st_size,
		.allocated = (uint64_t)st->st_blocks * 512,
		.ident = file_ident(st),
		.has_owner = true,
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.has_times = true,
		.atime = st->st_atim,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
	};
}

int file_vol_stat(void *pool, const char *name, struct vol_stat *out, struct call *call,
		  struct error *err)
{
	struct stat st;
	int r = file_stat(pool, name, &st, err);

	if (r == 0)
		fill_stat(&st, out);
	return r;
}

int file_vol_open(void *pool, const char *name, const char *snap, int flags,
		  struct vol_file *out, struct call *call, struct error *err)
{
	struct stat st;
	int fd;

	if (snap)
		return error_set(err, EOPNOTSUPP,
				 "the bytes of a snapshot inside a qcow2 image cannot "
				 "be read: qemu-img convert -l '%s' copies them out",
				 snap);
	fd = file_open_meant(pool, name, flags & (O_ACCMODE | O_DIRECT | O_TRUNC), &st,
			     call, err);
	if (fd < 0)
		return fd;
	*out = (struct vol_file){ .vol = pool, .fd = fd, .regular = true };
	return 0;
}

void file_vol_close(void *pool, struct vol_file *file)
{
	if (file->fd >= 0)
		close(take_fd(&file->fd));
}

int file_vol_fstat(void *pool, const struct vol_file *file, struct vol_stat *out,
		   struct call *call, struct error *err)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return error_errno(err, "cannot read the attributes of an open volume");
	fill_stat(&st, out);
	return 0;
}
