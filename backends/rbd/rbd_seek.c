/* Data and holes of an open image, from the difference to nothing: whole objects. */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

/* Asked for at once of an image without an object map: each object is a question. */
#define OBJECTS_ASKED 256

struct seek {
	int whence;
	uint64_t at; /* SEEK_HOLE: where the data that began at off ends so far */
	bool found;
};

/* Extents come in their order. */
static int look_at(uint64_t off, size_t len, int exists, void *arg)
{
	struct seek *s = arg;

	if (!exists || off + len <= s->at)
		return 0;
	if (s->whence == SEEK_DATA) {
		s->at = MAX(s->at, off);
		s->found = true;
	} else if (off > s->at) {
		s->found = true;
	} else {
		s->at = off + len;
	}
	return s->found ? -ECANCELED : 0;
}

/* How much to look at in one go. */
static uint64_t window(rbd_image_t image)
{
	uint64_t features = 0, flags = 0;
	rbd_image_info_t info;

	rbd_get_features(image, &features);
	rbd_get_flags(image, &flags);
	if (features & RBD_FEATURE_FAST_DIFF && !(flags & RBD_FLAG_FAST_DIFF_INVALID))
		return INT64_MAX;
	if (rbd_stat(image, &info, sizeof(info)) < 0)
		return UINT64_C(1) << 30;
	return info.obj_size * OBJECTS_ASKED;
}

/* Striped images have their objects' extents out of order. */
static bool is_striped(rbd_image_t image)
{
	uint64_t count = 1;

	return rbd_get_stripe_count(image, &count) == 0 && count > 1;
}

static int look_through(struct image *i, struct seek *s, uint64_t size)
{
	uint64_t step = window(i->rbd), from = s->at;
	int r = 0;

	while (r == 0 && from < size && !s->found) {
		uint64_t n = MIN(step, size - from);

		r = rbd_diff_iterate2(i->rbd, NULL, from, n, 1, 1, look_at, s);
		from += n;
		/* a hole begins where this window has no more data */
		if (s->whence == SEEK_HOLE && s->at < from)
			s->found = true;
	}
	return s->found ? 0 : r;
}

off_t rbd_vol_seek(void *vol, off_t off, int whence, struct call *call, struct error *err)
{
	struct image *i = ((struct opened *)vol)->image;
	struct seek s = { .whence = whence, .at = off };
	uint64_t size;
	int r = rbd_get_size(i->rbd, &size);

	if (r == 0 && (off < 0 || (uint64_t)off >= size))
		return error_set(err, ENXIO, "there is nothing behind that offset");
	if (r == 0 && is_striped(i->rbd))
		return whence == SEEK_DATA ? off : (off_t)size;
	if (r == 0)
		r = look_through(i, &s, size);
	if (r < 0)
		return rbd_failed(i->pool, r, err, "cannot look for data in image '%s'", i->name);
	if (whence == SEEK_HOLE)
		return MIN(s.at, size);
	return s.found ? (off_t)s.at :
			 error_set(err, ENXIO, "there is no more data in image '%s'", i->name);
}
