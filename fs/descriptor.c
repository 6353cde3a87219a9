/* What pread(2) and pwrite(2) leave to their caller. */
#include "fs/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backends/support/cleanup.h"
#include "fs/file.h"

static ssize_t read_fd(int fd, char *to, size_t size, off_t off)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, to + done, size - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !done)
			return -errno;
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

static ssize_t write_fd(int fd, const char *from, size_t size, off_t off, int how)
{
	size_t done = 0;

	while (done < size) {
		struct iovec rest = { (char *)from + done, size - done };
		ssize_t n = pwritev2(fd, &rest, 1, off + done, how);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !done)
			return -errno;
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

/*
 * dd drops O_DIRECT for an unaligned last block by fcntl, which no file system is told
 * of: the flags come with each request, and what was opened direct is then written
 * through another descriptor.
 */
static int undirect(const struct file *f, int flags)
{
	char path[40];

	if (!(f->flags & O_DIRECT) || (flags & O_DIRECT))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	return open(path, (f->flags & O_ACCMODE) | O_CLOEXEC);
}

ssize_t descriptor_read(const struct file *f, int flags, void *to, size_t size, off_t off)
{
	AUTO_FD int other = undirect(f, flags);

	return read_fd(other < 0 ? f->fd : other, to, size, off);
}

/* RWF_DSYNC and mounts with the option sync come as these flags, too. */
int descriptor_stores(int flags)
{
	if ((flags & O_SYNC) == O_SYNC)
		return RWF_SYNC;
	return flags & O_DSYNC ? RWF_DSYNC : 0;
}

/*
 * The end that the kernel knows may be a second old, and others write to the file as
 * well. Not for direct writes: several pieces of one may be under way, in any order.
 */
static int appends(const struct file *f, int flags)
{
	return (flags & O_APPEND) && !(flags & O_DIRECT) && !f->device ? RWF_APPEND : 0;
}

ssize_t descriptor_write(const struct file *f, int flags, const void *from, size_t size,
			 off_t off)
{
	AUTO_FD int other = undirect(f, flags);

	return write_fd(other < 0 ? f->fd : other, from, size, off,
			descriptor_stores(flags) | appends(f, flags));
}
