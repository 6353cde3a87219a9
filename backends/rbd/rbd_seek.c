/* Data and holes of an open image, from the difference to nothing: whole objects. */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/param.h>

/* Looked at in one go: as many as librbd has in its object map; without one it asks for
 * each, and so concurrently that it tells of them in any order. */
#define OBJECTS_MAPPED 65536
#define OBJECTS_ASKED  256

struct seen {
	unsigned order; /* of an object's size */
	uint64_t first, n;
	unsigned char exists[OBJECTS_MAPPED / CHAR_BIT];
};

static int see(uint64_t off, size_t len, int exists, void *arg)
{
	struct seen *s = arg;
	uint64_t from = off >> s->order, to = (off + len - 1) >> s->order;

	if (!exists || !len)
		return 0;
	for (uint64_t o = MAX(from, s->first); o <= to && o - s->first < s->n; o++)
		s->exists[(o - s->first) / CHAR_BIT] |= 1u << (o - s->first) % CHAR_BIT;
	return 0;
}

static bool exists(const struct seen *s, uint64_t object)
{
	return s->exists[(object - s->first) / CHAR_BIT] >>
		       (object - s->first) % CHAR_BIT &
	       1;
}

static bool has_map(rbd_image_t image)
{
	uint64_t features = 0, flags = 0;

	return rbd_get_features(image, &features) == 0 &&
	       rbd_get_flags(image, &flags) == 0 && features & RBD_FEATURE_FAST_DIFF &&
	       !(flags & RBD_FLAG_FAST_DIFF_INVALID);
}

static int look(struct image *i, uint64_t at, uint64_t size, struct seen *s)
{
	uint64_t from = at >> s->order << s->order, all = ((size - 1) >> s->order) + 1;

	s->first = at >> s->order;
	s->n = MIN(all - s->first, has_map(i->rbd) ? OBJECTS_MAPPED : OBJECTS_ASKED);
	memset(s->exists, 0, sizeof(s->exists));
	return rbd_diff_iterate2(i->rbd, NULL, from, MIN(s->n << s->order, size - from),
				 1, 1, see, s);
}

/* The first object from an offset on that exists, or does not: where it begins. size:
 * there is none. */
static int find(struct image *i, uint64_t at, uint64_t size, bool data, struct seen *s,
		uint64_t *found)
{
	while (at < size) {
		int r = look(i, at, size, s);

		if (r < 0)
			return r;
		for (uint64_t o = s->first; o < s->first + s->n; o++) {
			*found = MAX(at, o << s->order);
			if (exists(s, o) == data)
				return 0;
		}
		at = (s->first + s->n) << s->order;
	}
	*found = size;
	return 0;
}

/* The objects of a striped image are no ranges of it: all of it is data. */
static bool is_striped(rbd_image_t image)
{
	uint64_t count = 1;

	return rbd_get_stripe_count(image, &count) == 0 && count > 1;
}

off_t rbd_vol_seek(void *vol, off_t off, int whence, struct call *call, struct error *err)
{
	struct image *i = ((struct opened *)vol)->image;
	AUTO_FREE struct seen *s = malloc(sizeof(*s));
	rbd_image_info_t info;
	uint64_t found = off;
	int r = s ? rbd_stat(i->rbd, &info, sizeof(info)) : -ENOMEM;

	if (r == 0 && (off < 0 || (uint64_t)off >= info.size))
		return error_set(err, ENXIO, "there is nothing behind that offset");
	if (r == 0 && is_striped(i->rbd))
		return whence == SEEK_DATA ? off : (off_t)info.size;
	if (r == 0) {
		s->order = info.order;
		r = find(i, off, info.size, whence == SEEK_DATA, s, &found);
	}
	if (r < 0)
		return rbd_failed(i->pool, r, err, "cannot look for data in image '%s'",
				  i->name);
	if (whence == SEEK_DATA && found >= info.size)
		return error_set(err, ENXIO, "there is no more data in image '%s'",
				 i->name);
	return found;
}
