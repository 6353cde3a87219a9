/*
 * Overwriting a volume's bytes: zeros by ourselves, the patterns with a name by scrub(1).
 */
#include "backends/common/file_volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backends/common/file_pool.h"
#include "backends/common/scrub.h"

/* Where QEMU locks the images it uses: one byte per permission held, one per permission
 * refused. */
#define QEMU_LOCKS_START 100
#define QEMU_LOCKS_LEN	 200

/* Never written: the kernel's zero page, and no space in the executable. */
static char zeros[1 << 20] __attribute__((aligned(4096)));

int file_write_zeros(int fd, uint64_t off, uint64_t end, uint64_t total,
		     struct call *call, struct error *err)
{
	while (off < end) {
		size_t len = end - off < sizeof(zeros) ? end - off : sizeof(zeros);
		int r = call_check(call, err);
		ssize_t n;

		if (r < 0)
			return r;
		n = pwrite(fd, zeros, len, off);
		if (n < 0 && errno != EINTR)
			return error_errno(err, "cannot write zeros");
		off += n > 0 ? n : 0;
		if (call && call->progress)
			call->progress(call, off, total);
	}
	return 0;
}

/* Holes stay holes: they read as zeros, and nothing of this volume is below them. */
static int wipe_zero(int fd, uint64_t size, struct call *call, struct error *err)
{
	off_t data, hole = 0;

	while ((uint64_t)hole < size) {
		int r;

		data = lseek(fd, hole, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			return error_errno(err, "cannot look for data");
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole > size)
			hole = size;
		if (data >= hole)
			break;
		r = file_write_zeros(fd, data, hole, size, call, err);
		if (r < 0)
			return r;
	}
	if (fdatasync(fd) < 0)
		return error_errno(err, "cannot write zeros to the disk");
	if (call && call->progress)
		call->progress(call, size, size);
	return 0;
}

/* scrub fills up the last block of the filesystem: the size is put back. */
static int wipe_scrub(int fd, uint64_t size, const char *pattern, struct call *call,
		      struct error *err)
{
	int r;

	if (!size)
		return 0;
	r = scrub_run(fd, pattern, call, err);
	if (ftruncate(fd, size) < 0 && r == 0)
		r = error_errno(err, "cannot set the size back");
	if (fdatasync(fd) < 0 && r == 0)
		r = error_errno(err, "cannot write the pattern to the disk");
	return r;
}

/* -EBUSY while QEMU or a tool of it has the image open. */
static int check_unused(int fd, const char *name, struct error *err)
{
	struct flock l = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = QEMU_LOCKS_START,
		.l_len = QEMU_LOCKS_LEN,
	};

	if (!fcntl(fd, F_OFD_GETLK, &l) && l.l_type != F_UNLCK)
		return error_set(err, EBUSY,
				 "volume '%s' is in use by a virtual machine or a tool",
				 name);
	return 0;
}

int file_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *call,
		  struct error *err)
{
	bool zero = !strcmp(algorithm, "zero");
	struct error why = { 0 };
	struct stat st;
	int r;

	if (!strcmp(algorithm, "trim"))
		return error_set(err, EOPNOTSUPP,
				 "a volume that is a file cannot be wiped with 'trim': "
				 "use zero");
	if (!zero && !scrub_knows(algorithm))
		return error_set(err, EINVAL,
				 "no algorithm '%s' to wipe with: known are "
				 "zero " SCRUB_PATTERNS,
				 algorithm);

	AUTO_FD int fd = file_open(pool, name, O_RDWR, &st, err);

	if (fd < 0)
		return fd;
	r = check_unused(fd, name, err);
	if (r < 0)
		return r;
	if (zero)
		r = wipe_zero(fd, st.st_size, call, &why);
	else
		r = wipe_scrub(fd, st.st_size, algorithm, call, &why);
	if (r < 0 && err)
		*err = why;
	return r < 0 && err ? error_prefix(err, "cannot wipe volume '%s'", name) : r;
}
