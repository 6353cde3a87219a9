/* Listing, and what stat(2) and the description show, without opening images. */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#define NAMES_GUESS 1024
#define COUNT_MOST  4096 /* objects that are asked for one by one */

/* -- names -- */

struct names {
	rbd_image_spec_t *specs;
	size_t n, room;
};

static void names_clear(struct names *names)
{
	rbd_image_spec_list_cleanup(names->specs, names->n);
	free(names->specs);
}

static int read_names(struct rbd_pool *p, struct names *names)
{
	int r;

	names->room = NAMES_GUESS;
	do {
		free(names->specs);
		names->specs = calloc(names->room, sizeof(*names->specs));
		if (!names->specs)
			return -ENOMEM;
		r = rbd_list2(p->cluster.io, names->specs, &names->room);
	} while (r == -ERANGE);
	names->n = r < 0 ? 0 : names->room;
	return r < 0 ? r : 0;
}

/* A name that no file can have is not shown. */
static bool is_file_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

static size_t to_headers(struct names *names, struct header *headers)
{
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++) {
		rbd_image_spec_t *s = &names->specs[i];

		if (!is_file_name(s->name))
			continue;
		headers[n++] =
			(struct header){ .name = take(s->name), .id = take(s->id) };
	}
	return n;
}

int rbd_vol_list(void *pool, vol_each each, void *arg, struct call *call,
		 struct error *err)
{
	struct rbd_pool *p = pool;
	CLEANUP(names_clear) struct names names = { 0 };
	int r = read_names(p, &names);
	struct header *headers;
	size_t n;

	if (r < 0)
		return rbd_failed(p, r, err, "cannot list the images of '%s'", p->path);
	headers = calloc(names.n + 1, sizeof(*headers));
	if (!headers)
		return error_code(err, ENOMEM, "cannot list the images of '%s'", p->path);
	n = to_headers(&names, headers);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = each(arg, headers[i].name);
	roll_replace(p, headers, n);
	return r;
}

/* -- one image -- */

/* Objects of an image that were seen to hold something. */
struct seen {
	uint64_t size, used;
	unsigned order;
	bool objects[COUNT_MOST];
};

static int add_extent(uint64_t off, size_t len, int exists, void *arg)
{
	struct seen *s = arg;
	uint64_t end = MIN(off + len, s->size), object = UINT64_C(1) << s->order;

	for (uint64_t o = off >> s->order; exists && o << s->order < end; o++) {
		if (!s->objects[o])
			s->used += MIN(object, s->size - (o << s->order));
		s->objects[o] = true;
	}
	return 0;
}

/* It takes a question for each object: for small images only. */
static void count_objects(struct image *i, uint64_t size, unsigned order,
			  struct vol_stat *out)
{
	struct seen seen = { .size = size, .order = order };

	if (size >> order < COUNT_MOST &&
	    image_extents(i, 0, size, false, add_extent, &seen) == 0)
		out->allocated = seen.used;
}

/* Images of the old format have no metadata objects but one of their own kind. */
static int open_to_look(struct rbd_pool *p, const char *name, struct vol_stat *out,
			struct call *call, struct error *err)
{
	struct image *i;
	rbd_image_info_t info;
	int r = image_get(p, name, NULL, IMAGE_READ, call, &i, err);

	if (r < 0)
		return r;
	r = rbd_stat(i->rbd, &info, sizeof(info));
	if (r == 0) {
		*out = (struct vol_stat){ .size = info.size,
					  .allocated = info.size,
					  .io_size = RBD_IO_SIZE };
		out->ident = hash_string(i->id, 0);
		if (!p->all_allocated)
			count_objects(i, info.size, info.order, out);
	}
	image_put(i, IMAGE_READ);
	return r < 0 ? rbd_failed(p, r, err, "cannot look at image '%s'", name) : 0;
}

/* Where no object map says what is used. */
static void open_to_count(struct rbd_pool *p, const struct header *h,
			  struct vol_stat *out, struct call *call)
{
	struct image *i;

	if (h->size >> h->order >= COUNT_MOST ||
	    image_get(p, h->name, NULL, IMAGE_READ, call, &i, NULL) < 0)
		return;
	count_objects(i, h->size, h->order, out);
	image_put(i, IMAGE_READ);
}

static void stat_of_header(struct rbd_pool *p, const struct header *h,
			   struct vol_stat *out, struct call *call)
{
	*out = (struct vol_stat){
		.size = h->size,
		.allocated = h->has_used ? h->used : h->size,
		.ident = hash_string(h->id, 0),
		.io_size = RBD_IO_SIZE,
		.has_times = h->has_modified,
		.atime = h->modified,
		.mtime = h->modified,
		.ctime = h->modified,
	};
	if (!h->has_used && !p->all_allocated)
		open_to_count(p, h, out, call);
}

static bool is_old_format(struct rbd_pool *p, const char *name)
{
	AUTO_FREE char *object = NULL;
	uint64_t size;
	time_t mtime;

	return asprintf(&object, "%s.rbd", name) >= 0 &&
	       rados_stat(p->cluster.io, object, &size, &mtime) == 0;
}

static int no_image(struct rbd_pool *p, const char *name, struct error *err)
{
	return error_set(err, ENOENT, "there is no image '%s' in '%s'", name, p->path);
}

/* h: empty where it is of the old format; the caller clears it. */
static int look_at(struct rbd_pool *p, const char *name, struct header *h,
		   struct vol_stat *out, struct call *call, struct error *err)
{
	int r = roll_header(p, name, h, err);

	if (r == 0)
		stat_of_header(p, h, out, call);
	else if (r == -ENOENT && is_old_format(p, name))
		r = open_to_look(p, name, out, call, err);
	else if (r == -ENOENT)
		r = no_image(p, name, err);
	return r;
}

int rbd_vol_stat(void *pool, const char *name, struct vol_stat *out, struct call *call,
		 struct error *err)
{
	struct header h;
	int r = look_at(pool, name, &h, out, call, err);

	header_clear(&h);
	return r;
}

int rbd_vol_fstat(void *pool, const struct vol_file *file, struct vol_stat *out,
		  struct call *call, struct error *err)
{
	struct rbd_pool *p = pool;
	const struct image *i = ((struct opened *)file->vol)->image;
	struct header h = { .id = i->id, .name = i->name };
	int r;

	if (!*i->id)
		return open_to_look(p, i->name, out, call, err);
	r = headers_read(p, &h, 1, err);
	if (r == 0 && h.result < 0)
		r = rbd_failed(p, h.result, err, "cannot look at image '%s'", i->name);
	if (r == 0)
		stat_of_header(p, &h, out, call);
	return r;
}

/* -- a description -- */

/* POOL/IMAGE@SNAP of what it is a clone of. */
static int describe_parent(struct rbd_pool *p, const char *name, struct volume_spec *out,
			   struct call *call, struct error *err)
{
	rbd_linked_image_spec_t parent;
	rbd_snap_spec_t snap;
	struct image *i;
	int r = image_get(p, name, NULL, IMAGE_READ, call, &i, err);

	if (r < 0)
		return r;
	r = rbd_get_parent(i->rbd, &parent, &snap);
	image_put(i, IMAGE_READ);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return rbd_failed(p, r, err,
				  "cannot find out what image '%s' is a clone of", name);
	r = asprintf(&out->backing.path, "%s%s%s/%s@%s", parent.pool_name,
		     *parent.pool_namespace ? "/" : "", parent.pool_namespace,
		     parent.image_name, snap.name);
	rbd_linked_image_spec_cleanup(&parent);
	rbd_snap_spec_cleanup(&snap);
	out->backing.format = strdup("raw");
	if (r < 0)
		out->backing.path = NULL;
	return r < 0 || !out->backing.format
		       ? error_code(err, ENOMEM, "cannot describe image '%s'", name)
		       : 0;
}

static int describe(struct rbd_pool *p, const char *name, const struct vol_stat *st,
		    struct volume_spec *out, struct error *err)
{
	out->has_capacity = out->has_allocation = true;
	out->capacity = st->size;
	out->allocation = st->allocated;
	out->format = strdup("raw");
	if (out->format && asprintf(&out->path, "%s/%s", p->path, name) >= 0)
		return 0;
	out->path = NULL;
	return error_code(err, ENOMEM, "cannot describe image '%s'", name);
}

int rbd_vol_describe(void *pool, const char *name, struct volume_spec *out,
		     struct call *call, struct error *err)
{
	struct rbd_pool *p = pool;
	struct vol_stat st;
	struct header h;
	int r = look_at(p, name, &h, &st, call, err);

	if (r == 0)
		r = describe(p, name, &st, out, err);
	if (r == 0 && h.has_parent)
		r = describe_parent(p, name, out, call, err);
	header_clear(&h);
	return r;
}
