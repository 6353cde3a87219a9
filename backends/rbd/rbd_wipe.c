/* Wiping: zeros over all that an image has, or all of it given back. */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#define PIECE (UINT64_C(64) << 20)

/* Ranges that hold something, their parent's data as well. */
struct ranges {
	struct image *image;
	int result;
};

static int zero_range(uint64_t off, size_t len, int exists, void *arg)
{
	struct ranges *z = arg;
	ssize_t r = exists ? rbd_write_zeroes(z->image->rbd, off, len,
					      RBD_WRITE_ZEROES_FLAG_THICK_PROVISION, 0)
			   : 0;

	z->result = r < 0 ? r : 0;
	return z->result;
}

static int overwrite(struct image *i, uint64_t off, uint64_t len)
{
	struct ranges z = { .image = i };
	int r = image_extents(i, off, len, true, zero_range, &z);

	return z.result < 0 ? z.result : r;
}

static int give_back(struct image *i, uint64_t off, uint64_t len)
{
	int r = rbd_discard(i->rbd, off, len);

	return r < 0 ? r : 0;
}

/* Piece by piece, so that it can be watched and cancelled. */
static int wipe(struct image *i, int (*piece)(struct image *, uint64_t, uint64_t),
		struct call *call, struct error *err)
{
	uint64_t size;
	int r = rbd_get_size(i->rbd, &size);

	for (uint64_t at = 0; r == 0 && at < size; at += PIECE) {
		if (call->cancelled && atomic_load(call->cancelled))
			return error_set(err, EINTR, "wiping image '%s' was cancelled",
					 i->name);
		r = piece(i, at, MIN(PIECE, size - at));
		if (call->progress)
			call->progress(call, MIN(at + PIECE, size), size);
	}
	if (r == 0)
		r = rbd_flush(i->rbd);
	return r < 0 ? rbd_failed(i->pool, r, err, "cannot wipe image '%s'", i->name) : 0;
}

int rbd_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *call,
		 struct error *err)
{
	bool trim = !strcmp(algorithm, "trim");
	struct image *i;
	int r;

	if (!trim && strcmp(algorithm, "zero"))
		return error_set(err, EOPNOTSUPP,
				 "images in Ceph are wiped with zero or trim, not '%s'",
				 algorithm);
	r = image_get(pool, name, NULL, IMAGE_WRITE, call, &i, err);
	if (r < 0)
		return r;
	atomic_store(&i->wrote, true);
	r = image_settle(i, call, err);
	if (r == 0)
		r = wipe(i, trim ? give_back : overwrite, call, err);
	image_put(i, IMAGE_WRITE);
	return r;
}
