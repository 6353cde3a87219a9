/* Pool type "fake": the pool itself, and its one exported struct. */
#include "backends/fake/fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/support/size.h"

static enum volume_class class_of(const char *format)
{
	if (format && !strcmp(format, "provisioned"))
		return VOLUMES_PROVISIONED;
	return format && !strcmp(format, "given") ? VOLUMES_GIVEN : VOLUMES_ARE_FILES;
}

static enum volume_class fake_volume_class(void *pool)
{
	return ((struct fake_pool *)pool)->class;
}

static void pool_free(struct fake_pool *fp)
{
	free(fp->control);
	free(fp);
}
DEFINE_CLEANUP(cleanup_pool, struct fake_pool *, pool_free)
#define AUTO_FAKE CLEANUP(cleanup_pool)

static struct fake_pool *pool_new(const struct pool_spec *spec, const struct host *host)
{
	struct fake_pool *fp = calloc(1, sizeof(*fp));

	if (!fp)
		return NULL;
	fp->class = class_of(spec->source.format);
	if (host)
		fp->host = *host;
	if (spec->source.name)
		fp->control = strdup(spec->source.name);
	fp->store = store_get(spec->source.name ? spec->source.name : spec->uuid);
	if (!fp->store || (spec->source.name && !fp->control)) {
		pool_free(fp);
		return NULL;
	}
	return fp;
}

static int add_given(struct fake_pool *fp, const char *line)
{
	char name[256], size[64];
	uint64_t bytes;

	if (sscanf(line, "%255s %63s", name, size) != 2 ||
	    size_parse_text(size, &bytes, NULL) < 0 || store_find(fp->store, name))
		return 0;

	struct fake_volume *v = store_add(fp->store, name);

	return v ? store_resize(fp, v, bytes, NULL) : -ENOMEM;
}

/* What the server has. */
static int find_given(struct fake_pool *fp, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	char *line, *rest = NULL;
	int r = 0;

	if (fp->class != VOLUMES_GIVEN)
		return 0;
	if (control_read(fp, "given", &text) < 0)
		r = buf_puts(&text, "unit0 64M\nunit1 64M");
	SCOPED_LOCK(&fp->store->lock);
	for (line = strtok_r(text.data, "\n", &rest); line && r == 0;
	     line = strtok_r(NULL, "\n", &rest))
		r = add_given(fp, line);
	return r < 0 ? error_code(err, -r, "cannot find the fake's volumes") : 0;
}

static int fake_check(const struct pool_spec *spec, const struct host *host,
		      struct call *call, bool *active, struct error *err)
{
	struct fake_store *s =
		store_get(spec->source.name ? spec->source.name : spec->uuid);

	if (!s)
		return error_code(err, ENOMEM, "cannot look at the fake pool");
	SCOPED_LOCK(&s->lock);
	*active = s->active;
	return 0;
}

static void set_active(struct fake_pool *fp, bool active)
{
	SCOPED_LOCK(&fp->store->lock);
	fp->store->active = active;
}

static int fake_start(const struct pool_spec *spec, const struct host *host,
		      struct call *call, void **pool, struct error *err)
{
	AUTO_FAKE struct fake_pool *fp = pool_new(spec, host);
	int r;

	if (!fp)
		return error_code(err, ENOMEM, "cannot start the fake pool");
	r = fault(fp, "start", call, err);
	if (r == 0 && control_has(fp, "unbuilt"))
		r = error_set(err, ENODEV, "not built yet: echo build > ctl");
	if (r == 0)
		r = find_given(fp, err);
	if (r == 0)
		r = fake_io_start(fp, err);
	if (r < 0)
		return r;
	set_active(fp, true);
	*pool = take(fp);
	return 0;
}

static void fake_detach(void *pool)
{
	struct fake_pool *fp = pool;

	fake_io_stop(fp);
	pool_free(fp);
}

static int fake_stop(void *pool, struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	int r = fault(fp, "stop", call, err);

	if (r < 0)
		return r;
	set_active(fp, false);
	fake_detach(fp);
	return 0;
}

static void drop_volumes(struct fake_store *s)
{
	SCOPED_LOCK(&s->lock);
	list_for_each(l, &s->volumes)
		store_remove(s, container_of(l, struct fake_volume, link));
}

static int set_unbuilt(const struct fake_pool *fp, bool on, struct error *err)
{
	char path[4096];

	if (!fp->control)
		return 0;
	snprintf(path, sizeof(path), "%s/unbuilt", fp->control);
	if (!on)
		return unlink(path) < 0 && errno != ENOENT
			       ? error_errno(err, "cannot build")
			       : 0;

	FILE *f = fopen(path, "we");

	if (!f)
		return error_errno(err, "cannot remove what was built");
	fclose(f);
	return 0;
}

static int fake_build(const struct pool_spec *spec, const struct host *host,
		      enum build_mode mode, struct call *call, struct error *err)
{
	AUTO_FAKE struct fake_pool *fp = pool_new(spec, host);
	int r;

	if (!fp)
		return error_code(err, ENOMEM, "cannot build the fake pool");
	r = fault(fp, "build", call, err);
	if (r < 0)
		return r;
	if (mode == BUILD_OVERWRITE)
		drop_volumes(fp->store);
	else if (mode == BUILD_NO_OVERWRITE && !control_has(fp, "unbuilt"))
		return error_set(err, EEXIST, "the fake pool is built already");
	return set_unbuilt(fp, false, err);
}

static int fake_remove(const struct pool_spec *spec, const struct host *host,
		       struct call *call, struct error *err)
{
	AUTO_FAKE struct fake_pool *fp = pool_new(spec, host);
	int r;

	if (!fp)
		return error_code(err, ENOMEM, "cannot remove the fake pool");
	r = fault(fp, "remove", call, err);
	if (r < 0)
		return r;
	drop_volumes(fp->store);
	return set_unbuilt(fp, true, err);
}

static int fake_refresh(void *pool, struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	int r = fault(fp, "refresh", call, err);

	return r < 0 ? r : find_given(fp, err);
}

static int fake_pool_stat(void *pool, struct pool_stat *out, struct call *call,
			  struct error *err)
{
	struct fake_pool *fp = pool;
	int r = fault(fp, "pool_stat", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	out->capacity = control_size(fp, "size", UINT64_C(1) << 30);
	out->allocation = store_used(fp);
	out->available =
		out->capacity > out->allocation ? out->capacity - out->allocation : 0;
	return 0;
}

static int fake_sync_names(void *pool, struct call *call, struct error *err)
{
	return fault(pool, "sync_names", call, err);
}

static int fake_discover(const struct pool_source *from, const struct host *host,
			 source_each each, void *arg, struct call *call,
			 struct error *err)
{
	static const char *const names[] = { "one", "two" };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < 2; i++) {
		AUTO_POOL_SOURCE struct pool_source s = { 0 };

		s.name = strdup(names[i]);
		s.format = strdup("provisioned");
		r = s.name && s.format
			    ? each(arg, &s)
			    : error_code(err, ENOMEM, "cannot find fake sources");
	}
	return r;
}

BACKEND_DEFINE(
	.type = "fake",
	.volumes = VOLUMES_ARE_FILES,
	.volume_class = fake_volume_class,
	.parallel = true,
	.check = fake_check,
	.start = fake_start,
	.stop = fake_stop,
	.detach = fake_detach,
	.build = fake_build,
	.remove = fake_remove,
	.refresh = fake_refresh,
	.pool_stat = fake_pool_stat,
	.list = fake_list,
	.vol_stat = fake_vol_stat,
	.vol_describe = fake_vol_describe,
	.vol_create = fake_vol_create,
	.vol_delete = fake_vol_delete,
	.vol_rename = fake_vol_rename,
	.vol_resize = fake_vol_resize,
	.vol_unit = fake_vol_unit,
	.sync_names = fake_sync_names,
	.vol_wipe = fake_vol_wipe,
	.vol_flatten = fake_vol_flatten,
	.vol_open = fake_vol_open,
	.vol_close = fake_vol_close,
	.vol_submit = fake_vol_submit,
	.vol_cancel = fake_vol_cancel,
	.vol_fstat = fake_vol_fstat,
	.vol_seek = fake_vol_seek,
	.vol_copy = fake_vol_copy,
	.snap_list = fake_snap_list,
	.snap_stat = fake_snap_stat,
	.snap_create = fake_snap_create,
	.snap_delete = fake_snap_delete,
	.snap_revert = fake_snap_revert,
	.discover = fake_discover,
);
