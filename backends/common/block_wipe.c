/*
 * Taking a block device alone, and overwriting it.
 *
 * The kernel's lists say who uses it (holder.h); what the host's LVM has found a volume
 * group on is used as well, though nothing of it need be active.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/common/block_volumes.h"
#include "backends/common/device.h"
#include "backends/common/file_pool.h"
#include "backends/common/scrub.h"

#define PIECE	      (UINT64_C(32) << 20) /* zeroed between two looks at the caller */
#define DISCARD_PIECE (UINT64_C(1) << 30)

/* Where LVM notes the physical volumes that udev has shown it. */
#define PVS_ONLINE "/run/lvm/pvs_online"

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)
DEFINE_CLEANUP(cleanup_file, FILE *, fclose)

/* -- LVM -- */

/* "8:16", then "vg:NAME" where it has one. */
static bool note_is_of(int dir, const char *name, dev_t device, char vg[256])
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_file) FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned a, b;
	char line[512];

	if (fd >= 0 && !f)
		close(fd);
	if (!f || !fgets(line, sizeof(line), f) || sscanf(line, "%u:%u", &a, &b) != 2 ||
	    makedev(a, b) != device)
		return false;
	strcpy(vg, "?");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "vg:%255s", vg) == 1)
			break;
	return true;
}

static bool lvm_knows(dev_t device, char vg[256])
{
	CLEANUP(cleanup_dir) DIR *d = opendir(PVS_ONLINE);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && note_is_of(dirfd(d), e->d_name, device, vg))
			return true;
	return false;
}

/* The note may be older than what is on it now. */
static int check_lvm(int fd, const char *path, struct error *err)
{
	struct device_content found;
	struct stat st;
	char vg[256];

	if (fstat(fd, &st) < 0 || !lvm_knows(st.st_rdev, vg) ||
	    device_probe(fd, path, &found, NULL) <= 0 ||
	    strcmp(found.type, "LVM2_member"))
		return 0;
	return error_set(err, EBUSY,
			 "device '%s' is in use: it is a physical volume of volume group "
			 "'%s' on this host",
			 path, vg);
}

static int claim(const char *path, struct error *err)
{
	AUTO_FD int fd = device_claim(path, err);
	int r = fd < 0 ? fd : check_lvm(fd, path, err);

	return r < 0 ? r : take_fd(&fd);
}

int block_check_unused(const char *path, struct error *err)
{
	AUTO_FD int fd = claim(path, err);

	return fd < 0 ? fd : 0;
}

/* -- wiping -- */

/* BLKZEROOUT or BLKDISCARD, in pieces. */
static int in_pieces(int fd, uint64_t size, unsigned long request, uint64_t piece,
		     struct call *call, struct error *err)
{
	for (uint64_t off = 0; off < size;) {
		uint64_t range[2] = { off, MIN(piece, size - off) };
		int r = call_check(call, err);

		if (r < 0)
			return error_prefix(err, "after %" PRIu64 " of %" PRIu64 " bytes",
					    off, size);
		if (ioctl(fd, request, range) < 0)
			return error_errno(err, "at byte %" PRIu64, off);
		off += range[1];
		if (call->progress)
			call->progress(call, off, size);
	}
	return fdatasync(fd) < 0 ? error_errno(err, "cannot sync it") : 0;
}

static int discard(int fd, uint64_t size, struct call *call, struct error *err)
{
	struct error why = { 0 };
	int r = in_pieces(fd, size, BLKDISCARD, DISCARD_PIECE, call, &why);

	if (r == -EOPNOTSUPP)
		return error_set(err, EOPNOTSUPP,
				 "the device cannot discard: use 'wipe zero'");
	return r < 0 ? error_copy(err, &why) : 0;
}

int block_wipe(const char *path, const char *algorithm, struct call *call,
	       struct error *err)
{
	AUTO_FD int fd = -1;
	struct error why = { 0 };
	uint64_t size;
	int r;

	if (strcmp(algorithm, "zero") && strcmp(algorithm, "trim") &&
	    !scrub_knows(algorithm))
		return error_set(err, EINVAL,
				 "no algorithm '%s' to wipe with: known are "
				 "zero trim " SCRUB_PATTERNS,
				 algorithm);
	fd = claim(path, err);
	if (fd < 0)
		return fd;
	if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		return error_errno(err, "cannot look at device '%s'", path);
	if (!strcmp(algorithm, "zero"))
		r = in_pieces(fd, size, BLKZEROOUT, PIECE, call, &why);
	else if (!strcmp(algorithm, "trim"))
		r = discard(fd, size, call, &why);
	else
		r = scrub_run(fd, algorithm, call, &why);
	if (r == 0)
		return 0;
	error_prefix(&why, "cannot wipe device '%s' with '%s'", path, algorithm);
	return error_copy(err, &why);
}
