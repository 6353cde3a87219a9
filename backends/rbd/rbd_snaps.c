/*
 * What snapshots an image has. Those of the image that was looked at last are kept for a
 * moment: a listing asks for each, and taking one looks before and after.
 *
 * What is kept is under the pool's lock, never changes, and lives while it is used.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>

#include "backends/support/clock.h"

#define SNAPS_GUESS 64
#define FRESH_NS    NS_PER_S

struct snap {
	char *name;
	uint64_t id, size;
	struct timespec taken;
	bool has_taken;
};

struct snaps {
	atomic_int refs;
	char *image, *id;
	struct snap *list;
	size_t n;
	uint64_t read_ns;
};

/* -- kept -- */

static void snaps_unref(struct snaps *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (size_t k = 0; k < s->n; k++)
		free(s->list[k].name);
	free(s->list);
	free(s->image);
	free(s->id);
	free(s);
}
DEFINE_CLEANUP(cleanup_snaps, struct snaps *, snaps_unref)
#define AUTO_SNAPS CLEANUP(cleanup_snaps)

static void keep(struct rbd_pool *p, struct snaps *s)
{
	struct snaps *old;

	if (s)
		atomic_fetch_add(&s->refs, 1);
	pthread_mutex_lock(&p->lock);
	old = p->snaps;
	p->snaps = s;
	pthread_mutex_unlock(&p->lock);
	if (old)
		snaps_unref(old);
}

void snapshots_forget(struct rbd_pool *p)
{
	keep(p, NULL);
}

static struct snaps *kept(struct rbd_pool *p, const char *image)
{
	SCOPED_LOCK(&p->lock);
	struct snaps *s = p->snaps;

	if (!s || strcmp(s->image, image) || clock_now() - s->read_ns > FRESH_NS)
		return NULL;
	atomic_fetch_add(&s->refs, 1);
	return s;
}

/* -- reading -- */

static int read_infos(struct image *i, rbd_snap_info_t **list)
{
	int room = SNAPS_GUESS, n;

	*list = NULL;
	do {
		free(*list);
		*list = calloc(room, sizeof(**list));
		if (!*list)
			return -ENOMEM;
		n = rbd_snap_list(i->rbd, *list, &room);
	} while (n == -ERANGE);
	return n;
}

/* Not those of groups, mirrors and the trash. */
static bool is_users(struct image *i, const rbd_snap_info_t *s)
{
	rbd_snap_namespace_type_t type = RBD_SNAP_NAMESPACE_TYPE_USER;

	rbd_snap_get_namespace_type(i->rbd, s->id, &type);
	return type == RBD_SNAP_NAMESPACE_TYPE_USER && !strchr(s->name, '/');
}

static int add(struct snaps *s, struct image *i, const rbd_snap_info_t *info)
{
	struct snap *one = &s->list[s->n];

	*one = (struct snap){ .name = strdup(info->name),
			      .id = info->id,
			      .size = info->size };
	if (!one->name)
		return -ENOMEM;
	one->has_taken = rbd_snap_get_timestamp(i->rbd, info->id, &one->taken) == 0;
	s->n++;
	return 0;
}

static int fill(struct snaps *s, struct image *i)
{
	rbd_snap_info_t *infos;
	int n = read_infos(i, &infos), r = 0;

	s->image = strdup(i->name);
	s->id = strdup(i->id);
	s->list = calloc(n > 0 ? n : 1, sizeof(*s->list));
	s->read_ns = clock_now();
	if (!s->image || !s->id || !s->list)
		r = -ENOMEM;
	for (int k = 0; r == 0 && k < n; k++)
		if (is_users(i, &infos[k]))
			r = add(s, i, &infos[k]);
	if (n >= 0)
		rbd_snap_list_end(infos);
	free(infos);
	return n < 0 ? n : r;
}

static int read_open(struct image *i, struct snaps **out, struct error *err)
{
	AUTO_SNAPS struct snaps *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (s) {
		atomic_init(&s->refs, 1);
		r = fill(s, i);
	}
	if (r < 0)
		return rbd_failed(i->pool, r, err,
				  "cannot list the snapshots of image '%s'", i->name);
	keep(i->pool, s);
	*out = take(s);
	return 0;
}

void snapshots_look(struct image *i)
{
	AUTO_SNAPS struct snaps *s = NULL;

	if (read_open(i, &s, NULL) < 0)
		snapshots_forget(i->pool);
}

static int snaps_of(struct rbd_pool *p, const char *name, struct snaps **out,
		    struct call *call, struct error *err)
{
	struct image *i;
	int r;

	*out = kept(p, name);
	if (*out)
		return 0;
	r = image_get(p, name, NULL, IMAGE_READ, call, &i, err);
	if (r < 0)
		return r;
	r = read_open(i, out, err);
	image_put(i, IMAGE_READ);
	return r;
}

/* -- what is shown -- */

int rbd_snapshot_list(void *pool, const char *name, vol_each each, void *arg,
		      struct call *call, struct error *err)
{
	AUTO_SNAPS struct snaps *s = NULL;
	int r = snaps_of(pool, name, &s, call, err);

	for (size_t k = 0; r >= 0 && k < s->n; k++)
		r = each(arg, s->list[k].name);
	return r;
}

/* Its objects, as the map that was kept with it has them. */
static void read_used(struct rbd_pool *p, const struct snaps *s, const struct snap *one,
		      struct vol_stat *out)
{
	struct header h = {
		.id = s->id, .name = s->image, .snap_id = one->id, .snap_size = one->size
	};

	if (*s->id && headers_read(p, &h, 1, NULL) == 0 && h.result == 0 && h.has_used)
		out->allocated = h.used;
}

int rbd_snapshot_stat(void *pool, const char *name, const char *snap,
		      struct vol_stat *out, struct call *call, struct error *err)
{
	AUTO_SNAPS struct snaps *s = NULL;
	int r = snaps_of(pool, name, &s, call, err);
	size_t k = 0;

	if (r < 0)
		return r;
	while (k < s->n && strcmp(s->list[k].name, snap))
		k++;
	if (k == s->n)
		return error_set(err, ENOENT, "image '%s' has no snapshot '%s'", name,
				 snap);

	const struct snap *one = &s->list[k];

	*out = (struct vol_stat){
		.size = one->size,
		.allocated = one->size,
		.io_size = RBD_IO_SIZE,
		.ident = hash_bytes(&one->id, sizeof(one->id), hash_string(s->id, 0)),
		.has_times = one->has_taken,
		.atime = one->taken,
		.mtime = one->taken,
		.ctime = one->taken,
	};
	read_used(pool, s, one, out);
	return 0;
}
