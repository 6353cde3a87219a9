/* Pool type "disk": the pool itself. */
#include "backends/disk/disk.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "backends/common/block_volumes.h"
#include "backends/common/holder.h"
#include "backends/common/uevent.h"

static void pool_free(struct disk_pool *p)
{
	uevent_remove(p->watch);
	disk_table_clear(&p->table);
	kernel_parts_clear(&p->kernel);
	pthread_mutex_destroy(&p->changing);
	pthread_mutex_destroy(&p->lock);
	free(p->path);
	free(p->target);
	free(p);
}
DEFINE_CLEANUP(cleanup_pool, struct disk_pool *, pool_free)
#define AUTO_DISK CLEANUP(cleanup_pool)

/* -- what the kernel tells -- */

/* The part of /sys that an event is about: its last name. */
static const char *last_name(const struct uevent *e)
{
	const char *path = uevent_get(e, "DEVPATH");
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : "";
}

static unsigned long number_of(const struct uevent *e, const char *name)
{
	const char *value = uevent_get(e, name);

	return value ? strtoul(value, NULL, 10) : ULONG_MAX;
}

static bool is_disk(const struct disk_pool *p, const struct uevent *e)
{
	return number_of(e, "MAJOR") == major(p->disk.device) &&
	       number_of(e, "MINOR") == minor(p->disk.device);
}

/* Whether it is back is asked: its links below /dev come later than what is told here. */
static void on_uevent(void *arg, const struct uevent *e)
{
	struct disk_pool *p = arg;
	const char *action = e ? uevent_get(e, "ACTION") : NULL, *name;
	struct error err = { 0 };
	unsigned number;

	if (!e) {
		p->host.changed(p->host.ctx, CHANGE_ALL, NULL);
		return;
	}
	name = uevent_get(e, "SUBSYSTEM");
	if (!name || strcmp(name, "block") || !action)
		return;
	name = last_name(e);
	if (is_disk(p, e) && !strcmp(action, "remove")) {
		error_set(&err, ENODEV,
			  "the disk '%s' was removed: the pool goes on when it is back",
			  p->path);
		p->host.lost(p->host.ctx, &err);
		return;
	}
	number = disk_number(p->disk.prefix, name);
	if (p->disk.mapped && !strncmp(name, "dm-", 3))
		p->host.changed(p->host.ctx, CHANGE_ALL, NULL);
	else if (number && !disk_is_echo(p, number, strcmp(action, "change")))
		p->host.changed(p->host.ctx,
				!strcmp(action, "add")	    ? CHANGE_ADDED
				: !strcmp(action, "remove") ? CHANGE_REMOVED
							    : CHANGE_DATA,
				name);
}

/* -- start and stop -- */

static struct disk_pool *pool_new(const struct pool_spec *spec, const struct host *host,
				  const char *path, const char *label,
				  const struct disk *disk)
{
	struct disk_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	pthread_mutex_init(&p->changing, NULL);
	pthread_mutex_init(&p->lock, NULL);
	p->disk = *disk;
	p->host = *host;
	p->path = strdup(path);
	p->target = spec->target ? strdup(spec->target) : NULL;
	strncpy(p->label, label, sizeof(p->label) - 1);
	if (p->path && (p->target || !spec->target))
		return p;
	pool_free(p);
	return NULL;
}

static int check_label(const struct disk_pool *p, struct error *err)
{
	const char *is = p->table.label;

	if (!strcmp(is, "none"))
		return error_set(
			err, ENODEV,
			"there is no table of partitions on '%s'; not built yet: echo "
			"build > ctl",
			p->path);
	if (!strcmp(is, "other"))
		return error_set(
			err, EINVAL,
			"what is on '%s' is no table of partitions of a format that "
			"disk pools have",
			p->path);
	if (strcmp(p->label, "unknown") && strcmp(p->label, is))
		return error_set(
			err, EINVAL,
			"the definition says that '%s' has a table of the format '%s', "
			"and it has '%s': correct the definition, or make it anew with "
			"'build overwrite', which loses what is there",
			p->path, p->label, is);
	return 0;
}

static int disk_start(const struct pool_spec *spec, const struct host *host,
		      struct call *call, void **pool, struct error *err)
{
	AUTO_DISK struct disk_pool *p = NULL;
	const char *path = NULL, *label = NULL;
	struct disk disk;
	int r = disk_of_spec(spec, &disk, &path, &label, err);

	if (r < 0)
		return r;
	p = pool_new(spec, host, path, label, &disk);
	if (!p)
		return error_code(err, ENOMEM, "cannot start the pool");
	p->local = block_is_local(path);
	r = disk_load(p, call, err);
	if (r == 0)
		r = check_label(p, err);
	if (r == 0)
		r = uevent_add(on_uevent, p, &p->watch, err);
	if (r == 0)
		*pool = take(p);
	return r;
}

static void disk_detach(void *pool)
{
	pool_free(pool);
}

/* Partitions of a mapped device stand on it themselves: they are no users. */
static bool in_use(const struct disk *d, struct buf *who)
{
	AUTO_PARTS struct kernel_parts parts = { 0 };

	if (!d->mapped)
		return holder_of_device(d->device, who);
	if (kernel_list(d, KERNEL_PLACES, &parts, NULL) < 0)
		return false;
	for (size_t i = 0; i < parts.n; i++) {
		AUTO_BUF struct buf of = { 0 };

		if (!holder_of_device(parts.at[i].device, &of))
			continue;
		buf_printf(who, "of its partition %s: %s", parts.at[i].name,
			   buf_text(&of));
		return true;
	}
	return false;
}

static int disk_stop(void *pool, struct call *call, struct error *err)
{
	struct disk_pool *p = pool;
	AUTO_BUF struct buf who = { 0 };

	if (in_use(&p->disk, &who))
		return error_set(err, EBUSY, "disk '%s' is in use: %s", p->path,
				 buf_text(&who));
	pool_free(p);
	return 0;
}

/* Whether it is still there, or there again, under the number that all is asked by. */
static int check_place(const struct disk_pool *p, struct error *err)
{
	struct disk now;
	int r = disk_identify(p->path, CHOICE_UNSET, &now, err);

	if (r < 0 || (now.device == p->disk.device && !strcmp(now.name, p->disk.name)))
		return r;
	return error_set(err, ENODEV,
			 "disk '%s' is '%s' now, and was '%s': stop and start the pool",
			 p->path, now.name, p->disk.name);
}

static int disk_refresh(void *pool, struct call *call, struct error *err)
{
	struct disk_pool *p = pool;
	int r = check_place(p, err);

	if (r == 0)
		r = disk_load(p, call, err);
	return r < 0 ? r : check_label(p, err);
}

/* As libvirt counts: what lies in the extended partition is counted there, and it is not
 * itself. */
static int disk_stat(void *pool, struct pool_stat *out, struct call *call,
		     struct error *err)
{
	AUTO_TABLE struct disk_table t = { 0 };
	int r = disk_get(pool, call, &t, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t.n_parts; i++) {
		const struct disk_part *part = &t.parts[i];

		if (part->kind == DISK_PRIMARY || part->kind == DISK_LOGICAL)
			out->allocation += part->end - part->start;
		if (part->kind != DISK_METADATA && part->end > out->capacity)
			out->capacity = part->end;
	}
	for (size_t i = 0; i < t.n_free; i++) {
		out->available += t.free[i].end - t.free[i].start;
		if (t.free[i].end > out->capacity)
			out->capacity = t.free[i].end;
	}
	return 0;
}

static int disk_free_extents(void *pool, struct extent **out, size_t *n)
{
	struct disk_pool *p = pool;

	SCOPED_LOCK(&p->lock);
	*out = p->table.n_free ? calloc(p->table.n_free, sizeof(**out)) : NULL;
	if (!*out && p->table.n_free)
		return -ENOMEM;
	for (*n = 0; *n < p->table.n_free; (*n)++)
		(*out)[*n] = (struct extent){ .start = p->table.free[*n].start,
					      .end = p->table.free[*n].end };
	return 0;
}

static bool disk_local(void *pool)
{
	return ((struct disk_pool *)pool)->local;
}

static const char *const tools[] = { "scrub", NULL };

BACKEND_DEFINE(.type = "disk", .volumes = VOLUMES_PROVISIONED, .parallel = true,
	       .tools = tools, .start = disk_start, .stop = disk_stop,
	       .detach = disk_detach, .build = disk_build, .remove = disk_remove,
	       .refresh = disk_refresh, .pool_stat = disk_stat, .local = disk_local,
	       .list = disk_list, .vol_stat = disk_vol_stat,
	       .vol_describe = disk_vol_describe, .vol_create = disk_vol_create,
	       .vol_delete = disk_vol_delete, .vol_resize = disk_vol_resize,
	       .vol_unit = disk_vol_unit,
	       .vol_wipe = disk_vol_wipe, .vol_open = disk_vol_open,
	       .vol_close = disk_vol_close, .vol_fstat = disk_vol_fstat,
	       .discover = disk_discover, .free_extents = disk_free_extents,
	       .lost_is_asked = true, );
