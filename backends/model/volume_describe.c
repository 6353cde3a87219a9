/*
 * info/V: the description of a volume shown, as XML or value by value, and what may be
 * written to it: before the volume exists all that libvirt's createXML takes, later what
 * can be applied.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backends/model/attributes.h"
#include "backends/model/plan.h"
#include "backends/model/volume_base.h"
#include "backends/model/volume_xml.h"
#include "backends/model/volumes.h"
#include "backends/support/size.h"

/* -- the present state -- */

static int set_text(char **at, const char *text)
{
	char *copy;

	if (*at || !text)
		return 0;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	*at = copy;
	return 0;
}

/* What follows from the type where the backend left it open, and what SOURCE keeps. */
static int complete(struct pool *p, const struct use *u, const char *name,
		    struct volume_spec *s, struct error *err)
{
	const struct pool_type *type = pool_type(p);
	struct volume_attributes a = VOLUME_ATTRIBUTES_INIT;

	if (set_text(&s->name, name) < 0 ||
	    (type && set_text(&s->type, type->volume_type) < 0) ||
	    set_text(&s->key, s->path) < 0)
		return error_code(err, ENOMEM, "cannot describe volume '%s'", name);
	if (USE_HAS(u, vol_setattr))
		return 0;
	attributes_volume(pool_attributes(p), name, &a);
	if (a.mode >= 0)
		s->permissions.mode = a.mode;
	if (a.uid >= 0)
		s->permissions.owner = a.uid;
	if (a.gid >= 0)
		s->permissions.group = a.gid;
	return 0;
}

static int describe(struct pool *p, const struct use *u, const char *name,
		    struct volume_spec *out, struct call *call, struct error *err)
{
	int r;

	if (!USE_HAS(u, vol_describe))
		return volume_unsupported(u, "describe its volumes", err);
	r = u->backend->vol_describe(u->pool, name, out, call, err);
	return r < 0 ? r : complete(p, u, name, out, err);
}

/* Whether it is a plan still. One that somebody has overtaken from outside is dropped. */
static bool is_planned(struct pool *p, const char *name, struct call *call)
{
	struct vol_stat st = { 0 };
	struct error ignored;

	if (!plan_exists(p, name))
		return false;
	if (volume_stat(p, name, &st, call, &ignored) < 0)
		return true;
	plan_drop(p, name);
	return false;
}

/* What a plan says, or the volume; -EAGAIN and the like concern volumes only. */
static int describe_any(struct pool *p, const char *name, bool planned,
			struct volume_spec *out, struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	const struct pool_type *type = pool_type(p);
	int r;

	if (planned) {
		r = plan_get(p, name, out, err);
		if (r == 0 && type && set_text(&out->type, type->volume_type) < 0)
			r = error_code(err, ENOMEM, "cannot describe volume '%s'", name);
		return r;
	}
	r = pool_begin(p, &u, err);
	return r < 0 ? r : describe(p, &u, name, out, call, err);
}

int volume_show_xml(struct pool *p, const char *name, struct call *call, struct buf *out,
		    struct error *err)
{
	AUTO_VOLUME_SPEC struct volume_spec s = VOLUME_SPEC_INIT;
	const struct pool_type *type = pool_type(p);
	int r = describe_any(p, name, is_planned(p, name, call), &s, call, err);

	if (r < 0)
		return r;
	if (!type)
		return error_set(err, EAGAIN,
				 "the pool has no definition yet: write its xml");
	return volume_xml_print(&s, type, out, err);
}

/* -- one value -- */

static int show_text(const char *text, struct buf *out)
{
	return text && *text ? buf_printf(out, "%s\n", text) : 0;
}

static int show_size(uint64_t size, struct buf *out)
{
	return buf_printf(out, "%" PRIu64 "\n", size);
}

static int show_field(const struct volume_spec *s, const char *field, bool planned,
		      struct buf *out)
{
	if (!strcmp(field, "capacity"))
		return planned && !s->has_capacity ? 0 : show_size(s->capacity, out);
	if (!strcmp(field, "allocation"))
		return show_size(s->allocation, out);
	if (!strcmp(field, "physical"))
		return planned ? 0 : show_size(s->physical, out);
	if (!strcmp(field, "format"))
		return show_text(s->format, out);
	if (!strcmp(field, "backing"))
		return show_text(s->backing.path, out);
	if (!strcmp(field, "type"))
		return show_text(s->type, out);
	if (!strcmp(field, "key"))
		return show_text(s->key, out);
	if (!strcmp(field, "path"))
		return show_text(s->path, out);
	if (!strcmp(field, "paths"))
		return planned ? 0 : buf_printf(out, "%u/%u\n", s->paths_up, s->paths);
	return -ENOENT;
}

int volume_show(struct pool *p, const char *name, const char *field, struct call *call,
		struct buf *out, struct error *err)
{
	AUTO_VOLUME_SPEC struct volume_spec s = VOLUME_SPEC_INIT;
	bool planned = is_planned(p, name, call);
	int r = describe_any(p, name, planned, &s, call, err);

	if (r == 0) {
		r = show_field(&s, field, planned, out);
		if (r < 0)
			return error_code(err, -r, "cannot show the %s of volume '%s'",
					  field, name);
	}
	return r;
}

/* -- capacity -- */

static int grow(struct pool *p, const struct use *u, const char *name, uint64_t size,
		struct call *call, struct error *err)
{
	int r;

	if (!USE_HAS(u, vol_resize))
		return volume_unsupported(u, "have its volumes resized", err);
	if (volume_class(u) != VOLUMES_ARE_FILES)
		return volume_resize_in(p, u, name, size, 0, call, err);
	r = u->backend->vol_resize(u->pool, name, size, RESIZE_VIRTUAL, call, err);
	if (r == 0)
		volume_event(p, EVENT_VOLUME_CHANGED, name, NULL);
	return r;
}

static int shrink(struct pool *p, const struct use *u, const char *name, uint64_t size,
		  struct call *call, struct error *err)
{
	struct volume_use alone = { 0 };
	int r = volume_check_protected(p, "shrink", name, err);

	if (r < 0)
		return r;
	if (!USE_HAS(u, vol_resize))
		return volume_unsupported(u, "have its volumes resized", err);
	if (volume_class(u) != VOLUMES_ARE_FILES)
		return volume_resize_in(p, u, name, size, RESIZE_SHRINK, call, err);
	r = volumes_claim(pool_volumes(p), name, "shrunk", &alone, err);
	if (r < 0)
		return r;
	r = u->backend->vol_resize(u->pool, name, size, RESIZE_VIRTUAL | RESIZE_SHRINK,
				   call, err);
	volumes_leave(pool_volumes(p), &alone);
	if (r == 0)
		volume_event(p, EVENT_VOLUME_CHANGED, name, NULL);
	return r;
}

static const char *image_format(const struct use *u, const struct volume_spec *s)
{
	return volume_class(u) == VOLUMES_ARE_FILES ? s->format : NULL;
}

/* "10G", or "shrink 10G". */
static int store_capacity(struct pool *p, const struct use *u, const char *name,
			  const char *value, struct call *call, struct error *err)
{
	static const char word[] = "shrink ";
	AUTO_VOLUME_SPEC struct volume_spec now = VOLUME_SPEC_INIT;
	bool smaller = !strncmp(value, word, sizeof(word) - 1);
	const char *number = smaller ? value + sizeof(word) - 1 : value;
	uint64_t size;
	int r = size_parse_text(number, &size, err);

	if (r == 0)
		r = describe(p, u, name, &now, call, err);
	if (r < 0)
		return r;
	if (!smaller)
		size = volume_size_meant(u, image_format(u, &now), size, now.capacity);
	if (smaller && size > now.capacity)
		return error_set(err, EINVAL,
				 "volume '%s' has %" PRIu64 " bytes: that is no shrinking; "
				 "without 'shrink' it is made larger",
				 name, now.capacity);
	if (!smaller && size < now.capacity)
		return error_set(err, EINVAL,
				 "volume '%s' has %" PRIu64 " bytes: to make it smaller and lose "
				 "what is behind, write 'shrink %s'",
				 name, now.capacity, number);
	if (size == now.capacity && (volume_class(u) != VOLUMES_PROVISIONED))
		return 0;
	return size < now.capacity ? shrink(p, u, name, size, call, err) :
				     grow(p, u, name, size, call, err);
}

int volume_store(struct pool *p, const char *name, const char *field, const char *value,
		 struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	AUTO_FREE char *line = strndup(value, strcspn(value, "\n"));
	int r;

	if (!line)
		return error_code(err, ENOMEM, "cannot write the %s of volume '%s'",
				  field, name);
	if (is_planned(p, name, call))
		return plan_store(p, name, field, line, err);
	if (strcmp(field, "capacity"))
		return error_set(err, EPERM,
				 "the %s of volume '%s' is read-only once the volume exists",
				 field, name);
	r = pool_begin(p, &u, err);
	return r < 0 ? r : store_capacity(p, &u, name, line, call, err);
}

/* -- a description written -- */

static bool same(const char *want, const char *is)
{
	return !want || (is && !strcmp(want, is));
}

/* The element that an existing volume cannot take from a description; NULL: none. */
static const char *what_differs(const struct volume_spec *want,
				const struct volume_spec *is)
{
	/* "none", a partition for nothing in particular, is what no <format> means */
	if (!same(want->format, is->format) && strcmp(want->format, "none"))
		return "format";
	if (!same(want->encryption.format, is->encryption.format) ||
	    !same(want->encryption.cipher.name, is->encryption.cipher.name))
		return "encryption";
	if (!same(want->compat, is->compat))
		return "compat";
	if (want->nocow && !is->nocow)
		return "nocow";
	if (want->cluster_size && want->cluster_size != is->cluster_size)
		return "clusterSize";
	if (want->has_features && want->features != is->features)
		return "features";
	if (!same(want->backing.path, is->backing.path) ||
	    (want->backing.path && !same(want->backing.format, is->backing.format)))
		return "backingStore";
	return NULL;
}

/* Permissions that are given and are not so yet. */
static struct vol_attr new_permissions(const struct volume_spec *want,
				       const struct volume_spec *is)
{
	const struct permissions *w = &want->permissions, *i = &is->permissions;
	struct vol_attr a = { .mode = w->mode, .uid = w->owner, .gid = w->group };

	if (w->mode >= 0 && w->mode != i->mode)
		a.mask |= VOL_MODE;
	if (w->owner >= 0 && w->owner != i->owner)
		a.mask |= VOL_UID;
	if (w->group >= 0 && w->group != i->group)
		a.mask |= VOL_GID;
	return a;
}

static int set_some(struct pool *p, const struct use *u, const char *name,
		    const struct vol_attr *a, unsigned mask, struct call *call,
		    struct error *err)
{
	struct vol_attr some = *a;

	some.mask &= mask;
	return some.mask ? volume_setattr_in(p, u, name, &some, call, err) : 0;
}

/* The owner first, since that may be refused, and put back when the size cannot be had;
 * the mode last, since nobody may be able to write then. */
static int change(struct pool *p, const struct use *u, const char *name,
		  const struct vol_attr *a, const struct volume_spec *is,
		  uint64_t capacity, struct call *call, struct error *err)
{
	struct vol_attr before = { .mask = a->mask,
				   .uid = is->permissions.owner,
				   .gid = is->permissions.group };
	int r = set_some(p, u, name, a, VOL_UID | VOL_GID, call, err);

	if (r < 0)
		return r;
	if (capacity > is->capacity)
		r = grow(p, u, name, capacity, call, err);
	if (r < 0)
		set_some(p, u, name, &before, VOL_UID | VOL_GID, call, NULL);
	else
		r = set_some(p, u, name, a, VOL_MODE, call, err);
	if (r == 0 && a->mask)
		volume_event(p, EVENT_VOLUME_CHANGED, name, NULL);
	return r;
}

static int apply(struct pool *p, const struct use *u, const char *name,
		 const struct volume_spec *want, struct call *call, struct error *err)
{
	AUTO_VOLUME_SPEC struct volume_spec is = VOLUME_SPEC_INIT;
	int r = describe(p, u, name, &is, call, err);
	const char *differs;
	uint64_t capacity;

	if (r < 0)
		return r;
	capacity = is.capacity;
	if (want->has_capacity)
		capacity = volume_size_meant(u, image_format(u, &is), want->capacity,
					     is.capacity);
	differs = capacity < is.capacity ? "capacity" : what_differs(want, &is);
	if (differs)
		return error_set(err, EINVAL,
				 "volume '%s' exists, and its <%s> is another: only permissions "
				 "and a larger capacity can be changed%s",
				 name, differs,
				 strcmp(differs, "capacity") ?
					 "" :
					 " (write 'shrink SIZE' to its capacity)");

	struct vol_attr a = new_permissions(want, &is);

	return change(p, u, name, &a, &is, capacity, call, err);
}

/* As libvirt does it: without <allocation> all is allocated, and without <mode> the
 * volume is its owner's alone, since a write has no mode to make files with. */
static int create(struct pool *p, const struct use *u, const char *name,
		  struct volume_spec *spec, struct call *call, struct error *err)
{
	int r = spec->backing.path ? backing_check(spec->backing.path, err) : 0;

	if (r < 0)
		return r;
	if (!spec->has_allocation && spec->has_capacity) {
		spec->has_allocation = true;
		spec->allocation = spec->capacity;
	}
	if (spec->permissions.mode < 0)
		spec->permissions.mode = 0600;
	return volume_create_in(p, u, name, spec, call, err);
}

int volume_define(struct pool *p, const char *name, const char *text, size_t len,
		  struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	AUTO_VOLUME_SPEC struct volume_spec spec = VOLUME_SPEC_INIT;
	struct vol_stat st = { 0 };
	struct error none = { 0 };
	int r = pool_begin(p, &u, err);

	if (r < 0)
		return r;
	r = volume_xml_parse(text, len, pool_type(p), name, &spec, err);
	if (r < 0)
		return r;
	r = volume_stat_in(p, &u, name, &st, call, &none);
	if (r == -ENOENT)
		return create(p, &u, name, &spec, call, err);
	return r < 0 ? error_copy(err, &none) : apply(p, &u, name, &spec, call, err);
}
