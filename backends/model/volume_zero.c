/* Zeros for a range of an open volume, by whatever way of the source is fastest. */
#include "backends/model/volume_zero.h"

#include <errno.h>
#include <sys/param.h>

#define WRITE     (UINT64_C(1) << 20)   /* bytes of zeros written at a time */
#define PIECE     (UINT64_C(256) << 20) /* discarded or zeroed at a time */
#define ALIGNMENT UINT64_C(4096)

/* One IO_PUNCH or IO_ZERO, or for descriptors what they do; -EOPNOTSUPP: not fast. */
static int zero_fast(struct volume_handle *h, enum io_op op, uint64_t off, uint64_t len,
		     struct io_late *late, struct call *call, struct error *err)
{
	int mode = op == IO_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;

	if (h->file.fd < 0)
		return volume_io(h, op, off, NULL, len, late, call, err);
	if (fallocate(h->file.fd, mode | FALLOC_FL_KEEP_SIZE, off, len) < 0)
		return error_errno(err, "cannot zero a range of volume '%s'",
				   h->name);
	return 0;
}

static int zero_write(struct volume_handle *h, uint64_t off, uint64_t len,
		      struct io_late *late, struct call *call, struct error *err)
{
	static char zeros[WRITE] __attribute__((aligned(ALIGNMENT)));

	while (len) {
		size_t n = MIN(len, WRITE);
		ssize_t r = volume_call_check(call, h->name, err);

		if (r == 0 && h->file.fd >= 0) {
			r = pwrite(h->file.fd, zeros, n, off);
			if (r < 0)
				r = error_errno(err, "cannot write zeros to volume '%s'",
						h->name);
		} else if (r == 0) {
			r = volume_io(h, IO_WRITE, off, zeros, n, late, call, err);
		}
		if (r <= 0)
			return r < 0 ? r : error_set(err, EIO,
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

int volume_zero(struct volume_handle *h, uint64_t off, uint64_t len, struct io_late *late,
	       struct call *call, struct error *err)
{
	uint64_t end = off + len,
		 from = MIN((off + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, end);
	uint64_t to = MAX(end / ALIGNMENT * ALIGNMENT, from);
	int r = zero_write(h, off, from - off, late, call, err);

	for (uint64_t at = from; r == 0 && at < to;) {
		uint64_t n = MIN(to - at, PIECE);

		r = volume_call_check(call, h->name, err);
		if (r == 0)
			r = zero_piece(h, at, n, late, call, err);
		at += n;
	}
	return r < 0 ? r : zero_write(h, to, end - to, late, call, err);
}
