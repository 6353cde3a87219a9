/* Volumes that are block devices: opening, measuring and describing them. */
#include "backends/common/block_volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/common/sysfs.h"
#include "backends/support/map.h"

#define SECTOR 512

static int look(const char *path, struct stat *st, struct error *err)
{
	if (stat(path, st) < 0)
		return error_set(err, errno == ENOENT ? ENODEV : errno,
				 "there is no device '%s': %s", path, strerror(errno));
	if (!S_ISBLK(st->st_mode))
		return error_set(err, ENODEV, "'%s' is not a block device", path);
	return 0;
}

/* -- opening -- */

static int open_failed(const char *path, int flags, struct error *err)
{
	switch (errno) {
	case ENXIO:
	case ENOENT:
		return error_set(err, ENODEV, "device '%s' is gone", path);
	case ENOMEDIUM:
		return error_set(err, ENODEV, "there is no medium in device '%s'", path);
	case EROFS:
		return error_set(err, EROFS, "device '%s' can only be read", path);
	case EBUSY:
		return error_set(
			err, EBUSY,
			"device '%s' is in use: the kernel says that somebody has "
			"it alone",
			path);
	case EINVAL:
		if (flags & O_DIRECT)
			return error_errno(err, "cannot open device '%s' with O_DIRECT",
					   path);
		/* fall through */
	default:
		return error_errno(err, "cannot open device '%s'", path);
	}
}

/* The kernel lets some be opened for writing that then refuse each write. */
static int check_writable(int fd, const char *path, struct error *err)
{
	int read_only = 0;

	if (ioctl(fd, BLKROGET, &read_only) == 0 && read_only)
		return error_set(err, EROFS, "device '%s' can only be read", path);
	return 0;
}

int block_open(const char *path, int flags, struct vol_file *out, struct error *err)
{
	struct stat before, st;
	AUTO_FD int fd = -1;
	int r = look(path, &before, err);

	if (r < 0)
		return r;
	fd = open(path, (flags & (O_ACCMODE | O_DIRECT)) | O_CLOEXEC);
	if (fd < 0)
		return open_failed(path, flags, err);
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode) || st.st_rdev != before.st_rdev)
		return error_set(err, ENODEV, "device '%s' was just replaced: try again",
				 path);
	if ((flags & O_ACCMODE) != O_RDONLY)
		r = check_writable(fd, path, err);
	if (r == 0)
		*out = (struct vol_file){ .fd = take_fd(&fd) };
	return r;
}

void block_close(struct vol_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* -- measuring -- */

int block_size(dev_t device, uint64_t *size, struct error *err)
{
	uint64_t sectors;
	int r = sys_number(&sectors, "/sys/dev/block/%u:%u/size", major(device),
			   minor(device));

	if (r == 0 && !__builtin_mul_overflow(sectors, SECTOR, size))
		return 0;
	return error_set(err, ENODEV, "block device %u:%u is gone", major(device),
			 minor(device));
}

void block_add_size(dev_t device, struct pool_stat *out)
{
	uint64_t size = 0;

	if (block_size(device, &size, NULL) < 0)
		return;
	out->capacity += size;
	out->allocation += size;
}

/* The kernel counts disks, so that another in the place of one is told from it. */
static uint64_t ident(dev_t device)
{
	uint64_t id[2] = { device, 0 };
	unsigned a = major(device), b = minor(device);

	if (sys_number(&id[1], "/sys/dev/block/%u:%u/diskseq", a, b) < 0 &&
	    sys_number(&id[1], "/sys/dev/block/%u:%u/../diskseq", a, b) < 0)
		id[1] = 0;
	return hash_bytes(id, sizeof(id), 0);
}

static void fill(const struct stat *st, uint64_t size, struct vol_stat *out)
{
	*out = (struct vol_stat){
		.size = size,
		.allocated = size,
		.ident = ident(st->st_rdev),
		.has_owner = true,
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
	};
}

int block_stat(const char *path, struct vol_stat *out, struct error *err)
{
	struct stat st;
	uint64_t size = 0;
	int r = look(path, &st, err);

	if (r == 0)
		r = block_size(st.st_rdev, &size, err);
	if (r == 0)
		fill(&st, size, out);
	return r;
}

int block_fstat(const struct vol_file *f, struct vol_stat *out, struct error *err)
{
	struct stat st;
	uint64_t size;

	if (fstat(f->fd, &st) < 0 || ioctl(f->fd, BLKGETSIZE64, &size) < 0)
		return error_errno(err, "cannot look at a device");
	fill(&st, size, out);
	return 0;
}

int block_describe(const char *path, struct volume_spec *out, struct error *err)
{
	struct stat st;
	uint64_t size = 0;
	int r = look(path, &st, err);

	if (r == 0)
		r = block_size(st.st_rdev, &size, err);
	if (r < 0)
		return r;
	out->has_capacity = out->has_allocation = true;
	out->capacity = out->allocation = out->physical = size;
	out->permissions.mode = st.st_mode & 07777;
	out->permissions.owner = st.st_uid;
	out->permissions.group = st.st_gid;
	out->has_times = true;
	out->atime = st.st_atim;
	out->mtime = st.st_mtim;
	out->ctime = st.st_ctim;
	free(out->path);
	out->path = strdup(path);
	return out->path ? 0 : error_code(err, ENOMEM, "cannot describe '%s'", path);
}
