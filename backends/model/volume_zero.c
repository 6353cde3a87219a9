/* Zeros for a range of an open volume, by whatever way of the source is fastest. */
#include "backends/model/volume_zero.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/param.h>

#define WRITE	     (UINT64_C(1) << 20)   /* bytes of zeros written at a time */
#define PIECE	     (UINT64_C(256) << 20) /* discarded or zeroed at a time */
#define DEVICE_PIECE (UINT64_C(64) << 20)  /* a disk may have to write them all */
#define ALIGNMENT    UINT64_C(4096)

/* A range, and what of it the source can discard up to. */
struct range {
	uint64_t off, from, to, end;
};

static struct range range_of(const struct volume_handle *h, uint64_t off, uint64_t len)
{
	uint64_t unit = MAX(ALIGNMENT, h->file.discard_zeroes), end = off + len;
	uint64_t from = MIN((off + unit - 1) / unit * unit, end);

	return (struct range){ off, from, MAX(end / unit * unit, from), end };
}

/* -- on a descriptor -- */

static int clear_fd(struct volume_handle *h, enum io_op op, uint64_t off, uint64_t len,
		    struct error *err)
{
	int mode = op == IO_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	uint64_t range[2] = { off, len };

	if (op == IO_PUNCH && h->file.discard_zeroes &&
	    ioctl(h->file.fd, BLKDISCARD, range) == 0)
		return 0;
	if (fallocate(h->file.fd, mode | FALLOC_FL_KEEP_SIZE, off, len) < 0)
		return error_errno(err, "cannot zero a range of volume '%s'", h->name);
	return 0;
}

/* What was opened with O_DIRECT cannot write just any range. */
static int undirect(const struct volume_handle *h)
{
	char path[40];

	if (h->file.fd < 0 || !(h->flags & O_DIRECT))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", h->file.fd);
	return open(path, O_WRONLY | O_CLOEXEC);
}

static ssize_t write_fd(struct volume_handle *h, int fd, const void *data, size_t len,
			uint64_t off, struct error *err)
{
	ssize_t n;

	do
		n = pwrite(fd, data, len, off);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(err, "cannot write zeros to volume '%s'", h->name) : n;
}

/* -- on either -- */

/* One IO_PUNCH or IO_ZERO, or for descriptors what they do; -EOPNOTSUPP: not fast. */
static int zero_fast(struct volume_handle *h, enum io_op op, uint64_t off, uint64_t len,
		     struct io_late *late, struct call *call, struct error *err)
{
	if (h->file.fd >= 0)
		return clear_fd(h, op, off, len, err);
	return volume_io(h, op, off, NULL, len, late, call, err);
}

static int zero_write(struct volume_handle *h, uint64_t off, uint64_t len,
		      struct io_late *late, struct call *call, struct error *err)
{
	static char zeros[WRITE] __attribute__((aligned(ALIGNMENT)));
	AUTO_FD int other = len ? undirect(h) : -1;
	int fd = other >= 0 ? other : h->file.fd;

	while (len) {
		size_t n = MIN(len, WRITE);
		ssize_t r = volume_call_check(call, h->name, err);

		if (r == 0 && fd >= 0)
			r = write_fd(h, fd, zeros, n, off, err);
		else if (r == 0)
			r = volume_io(h, IO_WRITE, off, zeros, n, late, call, err);
		if (r <= 0)
			return r < 0 ? r
				     : error_set(err, EIO,
						 "volume '%s' ends where it should not",
						 h->name);
		off += r;
		len -= r;
	}
	return 0;
}

static bool is_slow(int r)
{
	return r == -EOPNOTSUPP || r == -EINVAL || r == -ENOTTY;
}

/* One piece whose ends a device can discard up to. */
static int zero_piece(struct volume_handle *h, uint64_t off, uint64_t len,
		      struct io_late *late, struct call *call, struct error *err)
{
	int r = zero_fast(h, IO_PUNCH, off, len, late, call, err);

	if (is_slow(r))
		r = zero_fast(h, IO_ZERO, off, len, late, call, err);
	return is_slow(r) ? zero_write(h, off, len, late, call, err) : r;
}

static uint64_t piece_of(const struct volume_handle *h)
{
	return h->file.fd >= 0 ? DEVICE_PIECE : PIECE;
}

int volume_zero(struct volume_handle *h, uint64_t off, uint64_t len, struct io_late *late,
		struct call *call, struct error *err)
{
	struct range g = range_of(h, off, len);
	int r = zero_write(h, g.off, g.from - g.off, late, call, err);

	for (uint64_t at = g.from; r == 0 && at < g.to;) {
		uint64_t n = MIN(g.to - at, piece_of(h));

		r = volume_call_check(call, h->name, err);
		if (r == 0)
			r = zero_piece(h, at, n, late, call, err);
		at += n;
	}
	return r < 0 ? r : zero_write(h, g.to, g.end - g.to, late, call, err);
}

/* The middle first, which may not be possible; sources without a descriptor know
 * themselves how to do the ends. */
int volume_clear(struct volume_handle *h, enum io_op op, uint64_t off, uint64_t len,
		 struct call *call, struct error *err)
{
	struct range g = range_of(h, off, len);
	int r = 0;

	if (h->file.fd < 0) {
		ssize_t n = volume_io(h, op, off, NULL, len, NULL, call, err);

		return n < 0 ? (int)n : 0;
	}
	for (uint64_t at = g.from; r == 0 && at < g.to;) {
		uint64_t n = MIN(g.to - at, piece_of(h));

		r = volume_call_check(call, h->name, err);
		if (r == 0)
			r = clear_fd(h, op, at, n, err);
		at += n;
	}
	if (r == 0)
		r = zero_write(h, g.off, g.from - g.off, NULL, call, err);
	return r < 0 ? r : zero_write(h, g.to, g.end - g.to, NULL, call, err);
}
