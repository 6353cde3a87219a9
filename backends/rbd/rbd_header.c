/*
 * Images as their metadata objects have them, many at once. An image of the present
 * format has three: rbd_id.NAME holds its identity, rbd_header.ID its size and more as
 * keys, and rbd_object_map.ID two bits for each of its objects.
 *
 * A batch's lock guards which header is next and how many are under way; a header belongs
 * to the fetch that works on it. librados ends each operation in bounded time, so a batch
 * ends, too.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#define DEPTH	  48	      /* images under way at once */
#define MAP_PIECE (64 * 1024) /* of an object map, read at a time: 1 TiB of image */
#define ID_MAX	  256

struct batch {
	struct rbd_pool *pool;
	const struct headers_told *told;
	void *arg;
	struct header *headers;
	size_t n, next;
	pthread_mutex_t lock;
	unsigned busy; /* fetches that work, and who begins them */
	int failed;    /* what ends it for all: Ceph does not answer, no memory */
	unsigned char *maps;
	struct fetch *fetches;
};

/* Works on one header after the other. */
struct fetch {
	struct batch *batch;
	struct header *h;
	atomic_int pending; /* operations whose end is the header's */
	char id[ID_MAX];
	bool looked_up; /* the identity is its name's of just now */
	rados_omap_iter_t keys;
	int keys_result; /* written with the answer */
	int header_result, map_result;
	unsigned char *map;
	uint64_t map_off, objects, existing;
	bool last_exists;
};

static void fetch_next(struct fetch *f);

void header_clear(struct header *h)
{
	free(h->name);
	free(h->id);
	*h = (struct header){ 0 };
}

/* Begins an operation whose end calls fn; nothing began when it fails. */
static int begin(struct fetch *f, rados_callback_t fn, rados_completion_t *out)
{
	return rados_aio_create_completion2(f, fn, out);
}

/* -- the header's keys -- */

static void take_key(struct header *h, const char *key, const char *value, size_t len)
{
	uint64_t order = 0;

	if (!strcmp(key, "size"))
		decode_u64(value, len, &h->size);
	else if (!strcmp(key, "features"))
		decode_u64(value, len, &h->features);
	else if (!strcmp(key, "flags"))
		decode_u64(value, len, &h->flags);
	else if (!strcmp(key, "modify_timestamp"))
		h->has_modified = decode_time(value, len, &h->modified);
	else if (!strcmp(key, "parent"))
		h->has_parent = true;
	else if (!strcmp(key, "order") && len >= 1)
		order = (unsigned char)*value;
	if (order >= 12 && order <= 26)
		h->order = order;
}

static int take_keys(struct fetch *f)
{
	char *key, *value;
	size_t len;
	int r = f->header_result < 0 ? f->header_result : f->keys_result;

	while (r == 0) {
		r = rados_omap_get_next(f->keys, &key, &value, &len);
		if (r < 0 || !key)
			break;
		take_key(f->h, key, value, len);
	}
	if (r == 0 && (!f->h->order || f->h->size > INT64_MAX))
		r = -EIO;
	if (f->h->snap_id)
		f->h->size = f->h->snap_size;
	rados_omap_get_end(f->keys);
	return r;
}

/* -- the end of one -- */

/* What exists, in bytes; the last object may be shorter than the rest. While an image is
 * resized its map has other objects than its size: then that is near enough. */
static void take_map(struct fetch *f)
{
	struct header *h = f->h;
	uint64_t all = f->objects << h->order;

	if (f->map_result < 0 || h->flags & RBD_FLAG_OBJECT_MAP_INVALID)
		return;
	h->has_used = true;
	h->used = f->existing << h->order;
	if (f->last_exists && all > h->size)
		h->used -= MIN(all - h->size, h->used);
	h->used = MIN(h->used, h->size);
}

static void fetch_failed(struct fetch *f, int r)
{
	struct batch *b = f->batch;

	f->h->result = r;
	if (r != -ETIMEDOUT && r != -ESHUTDOWN && r != -ENOMEM)
		return;
	SCOPED_LOCK(&b->lock);
	b->failed = r;
}

static void fetch_over(struct fetch *f)
{
	int r;

	if (atomic_fetch_sub(&f->pending, 1) != 1)
		return;
	r = take_keys(f);
	if (r == -ENOENT && f->looked_up)
		r = -EIO; /* not removed: broken */
	if (r < 0)
		fetch_failed(f, r);
	else
		take_map(f);
	fetch_next(f);
}

/* -- the object map -- */

static void read_map(struct fetch *f);

static uint64_t map_count(struct fetch *f, const unsigned char *bits, size_t len)
{
	uint64_t n = MIN(f->objects - f->map_off, len * UINT64_C(4));

	f->existing += decode_map_count(bits, n, &f->last_exists);
	return n;
}

static void map_read(rados_completion_t c, void *arg)
{
	struct fetch *f = arg;
	const unsigned char *bits = f->map;
	ssize_t n = rados_aio_get_return_value(c);
	bool first = !f->objects;

	rados_aio_release(c);
	if (n < 0) {
		f->map_result = n;
	} else if (first && !decode_map_header((char *)f->map, n, &f->objects)) {
		f->map_result = -EIO;
	} else if (f->objects > f->map_off) {
		if (first) {
			bits += OBJECT_MAP_HEADER;
			n -= OBJECT_MAP_HEADER;
		}
		f->map_off += map_count(f, bits, n);
		if (!n)
			f->map_result = -EIO; /* shorter than it says */
		else if (f->map_off < f->objects) {
			read_map(f);
			return;
		}
	}
	fetch_over(f);
}

void header_map_name(char name[OBJECT_NAME], const char *id, uint64_t snap_id)
{
	if (snap_id)
		snprintf(name, OBJECT_NAME, "rbd_object_map.%s.%016" PRIx64, id, snap_id);
	else
		snprintf(name, OBJECT_NAME, "rbd_object_map.%s", id);
}

static void read_map(struct fetch *f)
{
	char name[OBJECT_NAME];
	rados_completion_t c;
	uint64_t off = f->map_off ? OBJECT_MAP_HEADER + f->map_off / 4 : 0;
	int r = begin(f, map_read, &c);

	header_map_name(name, f->h->id, f->h->snap_id);
	if (r == 0) {
		r = rados_aio_read(f->batch->pool->cluster.io, name, c, (char *)f->map,
				   MAP_PIECE + (off ? 0 : OBJECT_MAP_HEADER), off);
		if (r < 0)
			rados_aio_release(c);
	}
	if (r < 0) {
		f->map_result = r;
		fetch_over(f);
	}
}

/* -- the header -- */

static void header_read(rados_completion_t c, void *arg)
{
	struct fetch *f = arg;

	f->header_result = rados_aio_get_return_value(c);
	rados_aio_release(c);
	fetch_over(f);
}

/* Only those that take_key looks at: each that comes costs, here and in the OSD. */
static void ask_for_keys(struct fetch *f, rados_read_op_t op)
{
	static const char *const keys[] = { "features", "flags",  "modify_timestamp",
					    "order",	"parent", "size" };
	static const size_t lens[] = { 8, 5, 16, 5, 6, 4 };

	rados_read_op_omap_get_vals_by_keys2(op, keys, sizeof(keys) / sizeof(*keys), lens,
					     &f->keys, &f->keys_result);
}

static void read_header(struct fetch *f)
{
	rados_read_op_t op = rados_create_read_op();
	char name[OBJECT_NAME];
	rados_completion_t c;
	int r = begin(f, header_read, &c);

	snprintf(name, sizeof(name), "rbd_header.%s", f->h->id);
	ask_for_keys(f, op);
	if (r == 0) {
		r = rados_aio_read_op_operate(op, f->batch->pool->cluster.io, c, name, 0);
		if (r < 0)
			rados_aio_release(c);
	}
	rados_release_read_op(op);
	if (r < 0) {
		f->header_result = r;
		fetch_over(f);
	}
}

/* Both at once: neither needs the other's answer. */
static void read_both(struct fetch *f)
{
	bool map = !f->batch->pool->all_allocated;

	f->header_result = f->keys_result = f->map_result = 0;
	f->map_off = f->objects = f->existing = 0;
	f->last_exists = false;
	atomic_store(&f->pending, 1 + map);
	if (map)
		read_map(f);
	else
		f->map_result = -ENOENT;
	read_header(f);
}

/* -- the identity -- */

static void id_read(rados_completion_t c, void *arg)
{
	struct fetch *f = arg;
	ssize_t n = rados_aio_get_return_value(c);

	rados_aio_release(c);
	if (n >= 0) {
		f->h->id = decode_string(f->id, n);
		n = f->h->id ? 0 : -EIO;
	}
	if (n == 0) {
		read_both(f);
		return;
	}
	fetch_failed(f, n);
	fetch_next(f);
}

static void read_id(struct fetch *f)
{
	AUTO_FREE char *name = NULL;
	rados_completion_t c;
	int r = begin(f, id_read, &c);

	if (r == 0) {
		r = asprintf(&name, "rbd_id.%s", f->h->name) < 0
			    ? -ENOMEM
			    : rados_aio_read(f->batch->pool->cluster.io, name, c, f->id,
					     ID_MAX, 0);
		if (r < 0)
			rados_aio_release(c);
	}
	if (r < 0) {
		fetch_failed(f, r);
		fetch_next(f);
	}
}

/* -- one after the other -- */

static void batch_free(struct batch *b)
{
	pthread_mutex_destroy(&b->lock);
	free(b->maps);
	free(b->fetches);
	free(b);
}

static struct header *take_next(struct batch *b)
{
	SCOPED_LOCK(&b->lock);
	while (b->next < b->n && b->failed)
		b->headers[b->next++].result = b->failed;
	return b->next < b->n ? &b->headers[b->next++] : NULL;
}

/* One that worked does no more; the last one ends the batch. */
static void leave(struct batch *b)
{
	unsigned busy;

	pthread_mutex_lock(&b->lock);
	busy = --b->busy;
	pthread_mutex_unlock(&b->lock);
	if (busy)
		return;
	b->told->over(b->arg, b->failed);
	batch_free(b);
}

static void fetch_next(struct fetch *f)
{
	struct batch *b = f->batch;

	if (f->h && b->told->each)
		b->told->each(b->arg, f->h);
	f->h = take_next(b);
	if (!f->h) {
		leave(b);
		return;
	}
	f->h->result = 0;
	f->looked_up = !f->h->id;
	if (f->h->id)
		read_both(f);
	else
		read_id(f);
}

static struct batch *batch_new(struct rbd_pool *p, unsigned depth)
{
	size_t piece = p->all_allocated ? 0 : MAP_PIECE + OBJECT_MAP_HEADER;
	struct batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	pthread_mutex_init(&b->lock, NULL);
	b->fetches = calloc(depth, sizeof(*b->fetches));
	b->maps = malloc(depth * piece + 1);
	if (!b->fetches || !b->maps) {
		batch_free(b);
		return NULL;
	}
	for (unsigned i = 0; i < depth; i++) {
		b->fetches[i].batch = b;
		b->fetches[i].map = b->maps + i * piece;
	}
	return b;
}

int headers_begin(struct rbd_pool *p, struct header *headers, size_t n,
		  const struct headers_told *told, void *arg)
{
	unsigned depth = MIN(n, DEPTH);
	struct batch *b = batch_new(p, depth);

	if (!b)
		return -ENOMEM;
	b->pool = p;
	b->told = told;
	b->arg = arg;
	b->headers = headers;
	b->n = n;
	b->busy = depth + 1;
	for (unsigned i = 0; i < depth; i++)
		fetch_next(&b->fetches[i]);
	leave(b);
	return 0;
}

/* -- for who waits -- */

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool over;
	int failed;
};

static void wake(void *arg, int failed)
{
	struct waiter *w = arg;

	SCOPED_LOCK(&w->lock);
	w->over = true;
	w->failed = failed;
	pthread_cond_signal(&w->cond);
}

int headers_read(struct rbd_pool *p, struct header *headers, size_t n, struct error *err)
{
	static const struct headers_told told = { .over = wake };
	struct waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER,
			    .cond = PTHREAD_COND_INITIALIZER };
	int r = headers_begin(p, headers, n, &told, &w);

	if (r < 0)
		return error_code(err, -r, "cannot look at the images");
	pthread_mutex_lock(&w.lock);
	while (!w.over)
		pthread_cond_wait(&w.cond, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_mutex_destroy(&w.lock);
	pthread_cond_destroy(&w.cond);
	return w.failed < 0 ? rbd_failed(p, w.failed, err, "cannot look at the images")
			    : 0;
}
