/* Looks at block devices, and claims them. */
#include "backends/common/device.h"

#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "backends/common/holder.h"
#include "backends/support/cleanup.h"

DEFINE_CLEANUP(cleanup_probe, blkid_probe, blkid_free_probe)

int device_number(const char *path, dev_t *device, struct error *err)
{
	struct stat st;

	if (path[0] != '/')
		return error_set(err, EINVAL,
				 "the path of a device must be absolute, not '%s'", path);
	if (stat(path, &st) < 0)
		return error_set(err, errno == ENOENT ? ENODEV : errno,
				 "there is no device '%s': %s", path, strerror(errno));
	if (!S_ISBLK(st.st_mode))
		return error_set(err, ENODEV, "'%s' is not a block device", path);
	*device = st.st_rdev;
	return 0;
}

/* The kernel lets some be opened for writing that then refuse each write. */
static bool is_read_only(int fd)
{
	int read_only = 0;

	return ioctl(fd, BLKROGET, &read_only) == 0 && read_only;
}

int device_claim(const char *path, struct error *err)
{
	AUTO_BUF struct buf who = { 0 };
	dev_t device = 0;
	int r = device_number(path, &device, err), fd;

	if (r < 0)
		return r;
	/* the lists give the name, and O_EXCL knows what another mount namespace hides
	 * from them */
	if (holder_of_device(device, &who) || holder_of_open_device(device, &who))
		return error_set(err, EBUSY, "device '%s' is in use: %s", path,
				 buf_text(&who));
	fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY)
		return error_set(err, EBUSY,
				 "device '%s' is in use: the kernel says that something "
				 "holds it",
				 path);
	if (fd >= 0 && is_read_only(fd)) {
		close(fd);
		fd = -1;
		errno = EROFS;
	}
	if (fd < 0 && errno == EROFS)
		return error_set(err, EROFS, "device '%s' can only be read", path);
	return fd < 0 ? error_errno(err, "cannot open device '%s'", path) : fd;
}

static blkid_probe new_probe(int fd, int flags)
{
	blkid_probe pr = blkid_new_probe();

	if (!pr)
		return NULL;
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_VERSION |
						      BLKID_SUBLKS_USAGE | flags);
	blkid_probe_enable_partitions(pr, 1);
	if (flags)
		blkid_probe_set_partitions_flags(pr, BLKID_PARTS_MAGIC);
	if (blkid_probe_set_device(pr, fd, 0, 0) == 0)
		return pr;
	blkid_free_probe(pr);
	return NULL;
}

static void take_value(blkid_probe pr, const char *name, char *out, size_t size)
{
	const char *value = NULL;

	if (!blkid_probe_lookup_value(pr, name, &value, NULL) && value)
		snprintf(out, size, "%s", value);
}

int device_probe(int fd, const char *path, struct device_content *out, struct error *err)
{
	CLEANUP(cleanup_probe) blkid_probe pr = new_probe(fd, 0);
	char usage[32] = "";
	int r;

	*out = (struct device_content){ 0 };
	if (!pr)
		return error_set(err, EIO, "cannot look at device '%s'", path);
	r = blkid_do_safeprobe(pr);
	if (r == 1)
		return 0;
	if (r == -2) {
		strcpy(out->type, "marks of several filesystems or tables");
		return 1;
	}
	if (r < 0)
		return error_set(err, EIO, "cannot read device '%s'", path);
	take_value(pr, "PTTYPE", out->type, sizeof(out->type));
	take_value(pr, "TYPE", out->type, sizeof(out->type));
	take_value(pr, "VERSION", out->version, sizeof(out->version));
	take_value(pr, "USAGE", usage, sizeof(usage));
	out->filesystem = !strcmp(usage, "filesystem");
	return 1;
}

int device_look(const char *path, struct device_content *out, struct error *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "cannot open device '%s'", path);
	return device_probe(fd, path, out, err);
}

int device_wipe_marks(int fd, const char *path, struct error *err)
{
	CLEANUP(cleanup_probe) blkid_probe pr = new_probe(fd, BLKID_SUBLKS_MAGIC);

	if (!pr)
		return error_set(err, EIO, "cannot look at device '%s'", path);
	while (blkid_do_probe(pr) == 0)
		if (blkid_do_wipe(pr, 0) < 0)
			return error_errno(err, "cannot write device '%s'", path);
	return 0;
}
