/*
 * Data and holes of an open image, in whole objects: from its object map, which is read
 * piece by piece from where the question begins, else from the difference to nothing,
 * which librbd asks the OSDs for.
 *
 * An image may have more objects than can be asked for in the time of a call. Then the
 * answer is how far that came: "data" may always be said of what was not looked at. The
 * object that was said to be data with nothing in it stays so for this descriptor, or
 * its end would be where it begins.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/clock.h"

/* Looked at in one go. */
#define PIECE_FIRST    (UINT64_C(16) << 10) /* of a map; each byte has four */
#define PIECE_MOST     (UINT64_C(512) << 10)
#define OBJECTS_DIFFED 65536 /* of a map that librbd reads, whole for each */
#define OBJECTS_ASKED  256

#define ALL_EXIST 0x55 /* four objects of a map */

struct seeking {
	struct opened *opened;
	struct image *image;
	uint64_t size, objects, overlap; /* overlap: what its parent may have */
	unsigned order;
	bool mapped, diffed; /* there is a map that we, that librbd can use */
	char map[OBJECT_NAME];
	uint64_t piece; /* bytes to read of the map next */
	uint64_t stop_ns;
	/* what was seen last: objects [first, end), as an object map has them */
	uint64_t first, end;
	unsigned char bits[OBJECT_MAP_HEADER + PIECE_MOST];
};

/* -- from the object map -- */

/* 0: seen; 1: the map is of no use. */
static int look_in_map(struct seeking *s, uint64_t object)
{
	uint64_t first = object & ~UINT64_C(3), all = 0;
	char header[OBJECT_MAP_HEADER];
	rados_ioctx_t io = s->image->pool->cluster.io;
	int n = rados_read(io, s->map, header, sizeof(header), 0);

	if (n < 0)
		return n == -ENOENT ? 1 : n;
	if (!decode_map_header(header, n, &all) || all < s->objects)
		return 1;
	n = rados_read(io, s->map, (char *)s->bits, s->piece,
		       OBJECT_MAP_HEADER + first / 4);
	if (n <= 0)
		return n < 0 ? n : 1;
	s->piece = MIN(s->piece * 4, PIECE_MOST);
	s->first = first;
	s->end = MIN(first + n * UINT64_C(4), s->objects);
	return 0;
}

/* -- from the difference to nothing -- */

/* Not in whole objects, of which librbd would read the object maps: it asserts that what
 * it takes for the size of the image stays so meanwhile. */
int image_extents(struct image *i, uint64_t off, uint64_t len, bool parent,
		  int (*each)(uint64_t off, size_t len, int exists, void *arg), void *arg)
{
	return rbd_diff_iterate2(i->rbd, NULL, off, len, parent, 0, each, arg);
}

static int see(uint64_t off, size_t len, int exists, void *arg)
{
	struct seeking *s = arg;
	uint64_t from = off >> s->order, to = (off + len - 1) >> s->order;

	if (!exists || !len)
		return 0;
	for (uint64_t o = MAX(from, s->first); o <= to && o < s->end; o++)
		s->bits[(o - s->first) / 4] |= 1u << (6 - 2 * ((o - s->first) % 4));
	return 0;
}

/* It does in an opening that nobody else uses: only who is asked something learns of
 * another size. */
static int whole_objects(struct seeking *s, uint64_t off, uint64_t len)
{
	struct image *i = s->image;
	int r = 0;

	SCOPED_LOCK(&i->looker_lock);
	if (!i->looker)
		r = rbd_open_by_id_read_only(i->pool->cluster.io, i->id, &i->looker,
					     i->snap);
	return r < 0 ? r : rbd_diff_iterate2(i->looker, NULL, off, len, 1, 1, see, s);
}

static int look_by_diff(struct seeking *s, uint64_t object)
{
	uint64_t n = s->diffed ? OBJECTS_DIFFED : OBJECTS_ASKED;
	uint64_t off = object << s->order, len;
	int r;

	s->first = object;
	s->end = MIN(object + n, s->objects);
	n = s->end - object;
	len = MIN(n << s->order, s->size - off);
	memset(s->bits, 0, n / 4 + 1);
	r = s->diffed ? whole_objects(s, off, len)
		      : image_extents(s->image, off, len, true, see, s);
	if (r != -EINVAL)
		return r;
	/* it has shrunk to less than that: whoever reads it will find its end */
	memset(s->bits, ALL_EXIST, n / 4 + 1);
	return 0;
}

static int look(struct seeking *s, uint64_t object)
{
	int r = 1;

	if (s->mapped && object << s->order >= s->overlap)
		r = look_in_map(s, object);
	if (r <= 0)
		return r;
	if (object << s->order >= s->overlap)
		s->mapped = false;
	return look_by_diff(s, object);
}

/* -- the answer -- */

/* In what was seen; end: it has no such object. */
static uint64_t find_seen(const struct seeking *s, uint64_t object, bool data)
{
	uint64_t presumed = atomic_load(&s->opened->presumed), found;

	if (data && presumed == object + 1)
		return object;
	found = s->first +
		decode_map_find(s->bits, object - s->first, s->end - s->first, data);
	if (!data && presumed == found + 1 && found < s->end)
		found = s->first + decode_map_find(s->bits, found + 1 - s->first,
						   s->end - s->first, false);
	return found;
}

/* The first object from this one on that may have data, or has none. */
static int find(struct seeking *s, uint64_t object, bool data, uint64_t *found)
{
	int r = 0;

	for (*found = object; r == 0 && *found < s->objects; object = *found) {
		r = look(s, object);
		if (r < 0)
			return r;
		*found = find_seen(s, object, data);
		if (*found < s->end)
			return 0;
		if (*found < s->objects && deadline_passed(s->stop_ns)) {
			if (data)
				atomic_store(&s->opened->presumed, *found + 1);
			return 0;
		}
	}
	return r;
}

/* -- the question -- */

#define NOT_IN_MAP (RBD_FEATURE_JOURNALING | RBD_FEATURE_DIRTY_CACHE)

/* What was written and is in a journal or cache is not in the map yet; librbd knows of
 * that. */
static int learn_map(struct seeking *s)
{
	struct image *i = s->image;
	uint64_t features = 0, flags = 0, snap_id = 0;
	int r = rbd_get_features(i->rbd, &features);

	if (r == 0)
		r = rbd_get_flags(i->rbd, &flags);
	if (r == 0)
		r = rbd_get_overlap(i->rbd, &s->overlap);
	if (r == 0 && i->snap)
		r = rbd_snap_get_id(i->rbd, i->snap, &snap_id);
	s->diffed = features & RBD_FEATURE_FAST_DIFF &&
		    !(flags & RBD_FLAG_FAST_DIFF_INVALID) && *i->id;
	s->mapped = features & RBD_FEATURE_OBJECT_MAP && !(features & NOT_IN_MAP) &&
		    !(flags & RBD_FLAG_OBJECT_MAP_INVALID) && *i->id;
	header_map_name(s->map, i->id, snap_id);
	return r;
}

/* A third of the time that there is: a look may take long. */
static uint64_t stop_time(const struct call *call)
{
	uint64_t now = clock_now();

	if (!call->deadline_ns)
		return now + 10 * NS_PER_S;
	return call->deadline_ns > now ? now + (call->deadline_ns - now) / 3 : now;
}

static int learn(struct seeking *s, struct opened *o, struct call *call)
{
	rbd_image_info_t info;
	int r;

	s->opened = o;
	s->image = o->image;
	s->stop_ns = stop_time(call);
	s->piece = PIECE_FIRST;
	/* an object is in the map before a write to it is stored; rbd_flush: a definition
	 * may have turned librbd's cache on; EROFS: the lock was given back, and all that
	 * was written stored before */
	r = image_settle(s->image, call, NULL);
	if (r == 0 && atomic_load(&s->image->wrote))
		r = rbd_flush(s->image->rbd);
	if (r == -EROFS)
		r = 0;
	if (r == 0)
		r = rbd_stat(s->image->rbd, &info, sizeof(info));
	if (r < 0)
		return r;
	s->size = info.size;
	s->objects = info.num_objs;
	s->order = info.order;
	return learn_map(s);
}

/* The objects of a striped image are no ranges of it: all of it is data. */
static bool is_striped(rbd_image_t image)
{
	uint64_t count = 1;

	return rbd_get_stripe_count(image, &count) == 0 && count > 1;
}

off_t rbd_vol_seek(void *vol, off_t off, int whence, struct call *call, struct error *err)
{
	struct opened *o = vol;
	struct image *i = o->image;
	AUTO_FREE struct seeking *s = calloc(1, sizeof(*s));
	uint64_t object = 0;
	int r = s ? learn(s, o, call) : -ENOMEM;

	if (r == 0 && (off < 0 || (uint64_t)off >= s->size))
		return error_set(err, ENXIO, "there is nothing behind that offset");
	if (r == 0 && is_striped(i->rbd))
		return whence == SEEK_DATA ? off : (off_t)s->size;
	if (r == 0)
		r = find(s, off >> s->order, whence == SEEK_DATA, &object);
	if (r < 0)
		return rbd_failed(i->pool, r, err, "cannot look for data in image '%s'",
				  i->name);
	if (whence == SEEK_DATA && object >= s->objects)
		return error_set(err, ENXIO, "there is no more data in image '%s'",
				 i->name);
	return MIN(MAX((uint64_t)off, object << s->order), s->size);
}
