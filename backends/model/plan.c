/*
 * Plans: what info/V says of a volume before it exists.
 *
 * One lock per pool's plans, held for moments only; it is taken after none and before
 * none.
 */
#include "backends/model/plan.h"

#include <errno.h>
#include <string.h>

#include "backends/model/own_mount.h"
#include "backends/model/pools.h"
#include "backends/model/volume.h"
#include "backends/model/volumes.h"
#include "backends/support/map.h"
#include "backends/support/size.h"

struct plan {
	struct map_link link;
	/* has capacity, allocation, format and backing path at most */
	struct volume_spec spec;
	char name[];
};

struct plans {
	pthread_mutex_t lock;
	struct map map;
};

struct plans *plans_new(void)
{
	struct plans *ps = calloc(1, sizeof(*ps));

	if (ps)
		pthread_mutex_init(&ps->lock, NULL);
	return ps;
}

static void plan_free(struct plan *plan)
{
	volume_spec_clear(&plan->spec);
	free(plan);
}

void plans_clear(struct plans *ps)
{
	SCOPED_LOCK(&ps->lock);
	for (size_t i = 0; i < ps->map.size; i++) {
		for (struct map_link *l = ps->map.buckets[i], *next; l; l = next) {
			next = l->next;
			plan_free(container_of(l, struct plan, link));
		}
	}
	map_free(&ps->map);
}

void plans_free(struct plans *ps)
{
	if (!ps)
		return;
	plans_clear(ps);
	pthread_mutex_destroy(&ps->lock);
	free(ps);
}

static struct plan *find(struct plans *ps, const char *name)
{
	struct map_link *l = map_first(&ps->map, hash_string(name, 0));

	for (; l; l = map_next(l)) {
		struct plan *plan = container_of(l, struct plan, link);

		if (!strcmp(plan->name, name))
			return plan;
	}
	return NULL;
}

bool plan_exists(struct pool *p, const char *name)
{
	struct plans *ps = volumes_plans(pool_volumes(p));

	SCOPED_LOCK(&ps->lock);
	return find(ps, name) != NULL;
}

int plan_make(struct pool *p, const char *name, struct error *err)
{
	struct plans *ps = volumes_plans(pool_volumes(p));
	size_t len = strlen(name) + 1;

	SCOPED_LOCK(&ps->lock);
	if (find(ps, name))
		return error_set(err, EEXIST, "volume '%s' is planned already", name);

	AUTO_FREE struct plan *plan = calloc(1, sizeof(*plan) + len);

	if (!plan)
		return error_code(err, ENOMEM, "cannot plan volume '%s'", name);
	plan->spec = (struct volume_spec)VOLUME_SPEC_INIT;
	memcpy(plan->name, name, len);
	if (map_insert(&ps->map, &plan->link, hash_string(name, 0)) < 0)
		return error_code(err, ENOMEM, "cannot plan volume '%s'", name);
	plan = NULL;
	return 0;
}

static bool drop(struct pool *p, const char *name)
{
	struct plans *ps = volumes_plans(pool_volumes(p));

	SCOPED_LOCK(&ps->lock);
	struct plan *plan = find(ps, name);

	if (!plan)
		return false;
	map_remove(&ps->map, &plan->link);
	plan_free(plan);
	return true;
}

int plan_remove(struct pool *p, const char *name, struct error *err)
{
	if (!drop(p, name))
		return error_set(err, ENOENT, "no volume '%s' is planned", name);
	return 0;
}

void plan_drop(struct pool *p, const char *name)
{
	drop(p, name);
}

/* The names are copied first: each may look at plans itself. */
int plan_each(struct pool *p, vol_each each, void *arg)
{
	struct plans *ps = volumes_plans(pool_volumes(p));
	AUTO_BUF struct buf names = { 0 };

	pthread_mutex_lock(&ps->lock);

	int r = 0;

	map_for_each(l, &ps->map) {
		const char *name = container_of(l, struct plan, link)->name;

		if (r == 0)
			r = buf_add(&names, name, strlen(name) + 1);
	}
	pthread_mutex_unlock(&ps->lock);
	for (size_t at = 0; r >= 0 && at < names.len; at += strlen(names.data + at) + 1)
		r = each(arg, names.data + at);
	return r < 0 ? r : 0;
}

static int copy_text(const char *from, char **to)
{
	if (!from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

int plan_get(struct pool *p, const char *name, struct volume_spec *out, struct error *err)
{
	struct plans *ps = volumes_plans(pool_volumes(p));

	SCOPED_LOCK(&ps->lock);
	const struct plan *plan = find(ps, name);

	if (!plan)
		return error_set(err, ENOENT, "no volume '%s' is planned", name);

	const struct volume_spec *s = &plan->spec;

	if (copy_text(name, &out->name) < 0 || copy_text(s->format, &out->format) < 0 ||
	    copy_text(s->backing.path, &out->backing.path) < 0) {
		volume_spec_clear(out);
		return error_code(err, ENOMEM, "cannot plan volume '%s'", name);
	}
	out->has_capacity = s->has_capacity;
	out->capacity = s->capacity;
	out->has_allocation = true;
	out->allocation = s->allocation;
	return 0;
}

/* -- writing -- */

int backing_check(const char *path, struct error *err)
{
	const struct model_options *o = model_options();

	if (!o || !own_mount_has(o->mountpoint, path))
		return 0;
	return error_set(err, EINVAL,
			 "the backing file '%s' is inside this mount, which would wait for "
			 "itself: give the path of the file itself (cat info/V/path)",
			 path);
}

static int store_format(const struct pool_type *type, struct volume_spec *s,
			const char *value, struct error *err)
{
	if (!type || !type->volume_formats)
		return error_set(err, EOPNOTSUPP,
				 "volumes of a pool of type '%s' have no format",
				 type ? type->name : "undefined");
	if (!format_listed(type->volume_formats, value))
		return error_set(err, EINVAL,
				 "a pool of type '%s' has no volume format '%s': see backends/%s",
				 type->name, value, type->name);

	char *format = strdup(value);

	if (!format)
		return error_code(err, ENOMEM, "cannot plan the format");
	free(s->format);
	s->format = format;
	return 0;
}

/* An empty path: no backing file. */
static int store_backing(struct volume_spec *s, const char *value, struct error *err)
{
	char *path = *value ? strdup(value) : NULL;

	if (*value && !path)
		return error_code(err, ENOMEM, "cannot plan the backing file");
	free(s->backing.path);
	s->backing.path = path;
	return 0;
}

int plan_store(struct pool *p, const char *name, const char *field, const char *value,
	       struct error *err)
{
	struct plans *ps = volumes_plans(pool_volumes(p));
	const struct pool_type *type = pool_type(p);
	bool backing = !strcmp(field, "backing");
	int r = backing ? backing_check(value, err) : 0;

	if (r < 0)
		return r;

	SCOPED_LOCK(&ps->lock);
	struct plan *plan = find(ps, name);

	if (!plan)
		return error_set(err, ENOENT, "no volume '%s' is planned", name);
	if (!strcmp(field, "format"))
		return store_format(type, &plan->spec, value, err);
	if (backing)
		return store_backing(&plan->spec, value, err);
	if (!strcmp(field, "allocation"))
		return size_parse_text(value, &plan->spec.allocation, err);
	if (strcmp(field, "capacity"))
		return error_set(err, EPERM, "'%s' of a planned volume cannot be written",
				 field);
	r = size_parse_text(value, &plan->spec.capacity, err);
	if (r == 0)
		plan->spec.has_capacity = true;
	return r;
}
