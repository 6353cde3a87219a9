/*
 * Taking a block device alone, and overwriting it.
 *
 * The kernel's lists say who uses it (holder.h); a physical volume of the host's LVM is
 * in use as well, though nothing of it need be active.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/param.h>

#include "backends/common/block_volumes.h"
#include "backends/common/device.h"
#include "backends/common/file_pool.h"
#include "backends/common/scrub.h"
#include "backends/support/clock.h"
#include "backends/support/run.h"

#define PIECE	      (UINT64_C(32) << 20) /* zeroed between two looks at the caller */
#define DISCARD_PIECE (UINT64_C(1) << 30)

#define LVM_NS (30 * NS_PER_S)

/* -- LVM -- */

/* Whether LVM of this host sees it: what a guest has made on a volume is not seen, or
 * filtered out. A group of another host, or of several, may be in use there. 1, and the
 * group's name if it is in one. */
static int ask_lvm(const char *path, struct buf *vg, struct error *err)
{
	const char *argv[] = { "lvm",	    "pvs",	"--readonly",
			       "--foreign", "--shared", "--noheadings",
			       "-o",	    "vg_name",	path,
			       NULL };
	struct run run = { .argv = argv,
			   .output = vg,
			   .deadline_ns = clock_now() + LVM_NS };
	int r = run_tool(&run, err);

	if (r == -EOPNOTSUPP || r == -EIO)
		return 0; /* it is not installed, or knows no such volume */
	return r < 0 ? error_prefix(err, "cannot tell whether LVM uses device '%s'", path)
		     : 1;
}

static int check_lvm(int fd, const char *path, struct error *err)
{
	AUTO_BUF struct buf vg = { 0 };
	struct device_content found;
	char name[256] = "";
	int r;

	if (device_probe(fd, path, &found, NULL) <= 0 ||
	    strcmp(found.type, "LVM2_member"))
		return 0;
	r = ask_lvm(path, &vg, err);
	if (r <= 0)
		return r;
	sscanf(buf_text(&vg), " %255s", name);
	if (*name)
		return error_set(
			err, EBUSY,
			"device '%s' is in use: it is a physical volume of volume "
			"group '%s' (vgremove and pvremove end that)",
			path, name);
	return error_set(
		err, EBUSY,
		"device '%s' is in use: it is a physical volume of LVM (pvremove "
		"ends that)",
		path);
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
