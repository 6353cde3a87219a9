/*
 * Pool type "logical": volumes are the logical volumes of an LVM volume group, which
 * start activates and stop deactivates.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/block_volumes.h"
#include "backends/common/watch.h"
#include "backends/logical/logical.h"
#include "backends/logical/name.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"

#define MAPS	"/dev/mapper"
#define BACKUPS "/etc/lvm/backup/"

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)

static int check_name(const struct pool_spec *spec, struct error *err)
{
	const char *vg = spec->source.name;

	return vg && logical_name_valid(vg)
		       ? 0
		       : error_set(err, EINVAL, "'%s' is no name of a volume group",
				   vg ? vg : "");
}

/* Whether LVM's backup describes a group without volumes, of which nothing is active. */
static bool has_no_volumes(const char *vg)
{
	char path[sizeof(BACKUPS) + LOGICAL_NAME_MAX], line[256];
	bool none = true;
	FILE *f;

	snprintf(path, sizeof(path), BACKUPS "%s", vg);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (none && fgets(line, sizeof(line), f))
		none = strncmp(line, "\tlogical_volumes {",
			       strlen("\tlogical_volumes {"));
	fclose(f);
	return none;
}

static int logical_check(const struct pool_spec *spec, const struct host *host,
			 struct call *call, bool *active, struct error *err)
{
	CLEANUP(cleanup_dir) DIR *d = opendir(MAPS);
	char lv[LOGICAL_NAME_MAX];
	struct dirent *e;
	int r = check_name(spec, err);

	*active = false;
	if (r < 0)
		return r;
	while (d && !*active && (e = readdir(d)))
		*active = logical_name_of_map(e->d_name, spec->source.name, lv);
	return !*active && has_no_volumes(spec->source.name) ? -EOPNOTSUPP : 0;
}

/* -- what is told of changes that others make -- */

/* What is known to be no volume is nobody's business. */
static bool is_hidden(struct logical_pool *p, const char *name)
{
	SCOPED_LOCK(&p->lock);
	const struct lv *lv = vg_find(&p->vg, name);

	return lv && !lv_is_volume(lv);
}

static void map_changed(void *arg, enum change what, const char *map)
{
	struct logical_pool *p = arg;
	char lv[LOGICAL_NAME_MAX];

	if (!map)
		p->host->changed(p->host->ctx, CHANGE_ALL, NULL);
	else if (logical_name_of_map(map, p->name, lv) && !is_hidden(p, lv))
		p->host->changed(p->host->ctx, what, lv);
}

static int watch_maps(struct logical_pool *p, struct error *err)
{
	AUTO_FD int dir = -1;

	if (!p->host || !p->host->changed)
		return 0;
	dir = open(MAPS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(err, "cannot open directory '" MAPS
					"': has this kernel the device mapper (dm_mod)?");
	return watch_add(dir, map_changed, p, &p->watch, err);
}

/* -- activating -- */

static bool any_active(const struct vg *r)
{
	for (size_t i = 0; i < r->n_lvs; i++)
		if (r->lvs[i].active)
			return true;
	return false;
}

static bool all_active(const struct vg *r)
{
	for (size_t i = 0; i < r->n_lvs; i++)
		if (!r->lvs[i].active && !r->lvs[i].skipped)
			return false;
	return true;
}

static int activate(const char *vg, const char *yes, struct call *call, struct error *err)
{
	struct lvm_command c;

	lvm_begin(&c, "vgchange", "--activate", yes, vg, NULL);
	return lvm_change(&c, call, err);
}

/* Where a disk is missing, what does not need it is activated and can be saved. */
static int activate_all(const struct pool_spec *spec, struct logical_pool *p,
			struct call *call, struct error *err)
{
	const char *vg = p->name;
	const struct vg *report = &p->vg;
	bool active = false;
	int r;

	if (all_active(report))
		return 0;
	group_forget(p);
	r = activate(vg, "y", call, err);
	if (r == 0)
		return 0;
	error_prefix(err, "cannot activate volume group '%s'", vg);
	if (report->missing) {
		logical_check(spec, NULL, call, &active, NULL);
		if (active)
			log_warning("%s (%u of its disks are missing)", err->text,
				    report->missing);
	}
	if (active)
		return 0;
	if (!any_active(report))
		activate(vg, "n", call, NULL);
	return r;
}

static bool is_local(const struct vg *r)
{
	for (size_t i = 0; i < r->n_pvs; i++)
		if (!block_is_local(r->pvs[i]))
			return false;
	return !r->missing;
}

static int logical_refresh(void *pool, struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	int r;

	group_forget(p);
	r = group_look(p, true, call, err);
	if (r == 0) {
		pthread_mutex_unlock(&p->lock);
		away_return(p, call);
	}
	return r;
}

static int logical_start(const struct pool_spec *spec, const struct host *host,
			 struct call *call, void **pool, struct error *err)
{
	struct logical_pool *p = NULL;
	int r = check_name(spec, err);

	if (r == 0)
		r = group_new(spec, host, &p, err);
	if (r == 0)
		r = logical_refresh(p, call, err);
	if (r == -ENODEV && spec->source.n_devices)
		error_set(
			err, ENODEV,
			"there is no volume group '%s' on this host: not built yet: echo "
			"build > ctl",
			spec->source.name);
	if (r == 0)
		r = activate_all(spec, p, call, err);
	if (r == 0) {
		p->local = is_local(&p->vg);
		r = away_watch(p, err);
	}
	if (r == 0)
		r = watch_maps(p, err);
	if (r < 0)
		group_free(p);
	else
		*pool = p;
	return r;
}

/* -- deactivating -- */

static void logical_detach(void *pool)
{
	struct logical_pool *p = pool;

	watch_remove(p->watch);
	group_free(p);
}

/* All of them are looked at before the first is deactivated. */
static int check_unused(const struct logical_pool *p, const struct vg *report,
			struct error *err)
{
	for (size_t i = 0; i < report->n_lvs; i++) {
		const struct lv *lv = &report->lvs[i];
		AUTO_FREE char *path = NULL;
		int r;

		if (!lv->open || lv->kind >= LV_THINPOOL)
			continue;
		path = group_path(p, lv->name);
		if (!path)
			return error_code(err, ENOMEM, "cannot stop the pool");
		r = block_check_unused(path, err);
		if (r == 0 || r == -ENODEV)
			r = error_set(err, EBUSY,
				      "volume '%s' is in use: a process has %s open",
				      lv->name, path);
		return r;
	}
	return 0;
}

static int deactivate(const struct logical_pool *p, struct call *call, struct error *err)
{
	struct error ignored;
	int r = activate(p->name, "n", call, err);

	/* some may be inactive now */
	if (r < 0)
		activate(p->name, "y", call, &ignored);
	return r;
}

static int logical_stop(void *pool, struct call *call, struct error *err)
{
	struct logical_pool *p = pool;
	struct vg report = { 0 };
	int r = group_ask(p->name, &report, call, err);

	if (r == 0)
		r = check_unused(p, &report, err);
	if (r == 0 && any_active(&report))
		r = deactivate(p, call, err);
	vg_clear(&report);
	/* a group that is gone has nothing to deactivate */
	if (r < 0 && r != -ENODEV)
		return error_prefix(err, "cannot deactivate volume group '%s'", p->name);
	logical_detach(p);
	return 0;
}

/* -- the rest -- */

static int logical_pool_stat(void *pool, struct pool_stat *out, struct call *call,
			     struct error *err)
{
	struct logical_pool *p = pool;
	int r = 0;

	/* who cannot wait for lvm gets what it said last */
	if (deadline_passed(call->deadline_ns))
		pthread_mutex_lock(&p->lock);
	else
		r = group_look(p, true, call, err);
	if (r < 0)
		return r;
	SCOPED_LOOK(p);
	out->capacity = p->vg.size;
	out->available = p->vg.free;
	out->allocation = p->vg.size - p->vg.free;
	return 0;
}

static uint64_t logical_vol_unit(void *pool)
{
	struct logical_pool *p = pool;

	SCOPED_LOCK(&p->lock);
	return p->vg.extent_size;
}

static bool logical_local(void *pool)
{
	return ((struct logical_pool *)pool)->local;
}

static const char *const tools[] = { "lvm", "scrub", NULL };

BACKEND_DEFINE(.type = "logical", .volumes = VOLUMES_PROVISIONED, .parallel = true,
	       .tools = tools, .check = logical_check, .start = logical_start,
	       .stop = logical_stop, .detach = logical_detach, .build = logical_build,
	       .remove = logical_remove, .refresh = logical_refresh,
	       .pool_stat = logical_pool_stat, .local = logical_local,
	       .list = logical_list, .vol_stat = logical_vol_stat,
	       .vol_describe = logical_vol_describe, .vol_create = logical_vol_create,
	       .vol_delete = logical_vol_delete, .vol_rename = logical_vol_rename,
	       .vol_resize = logical_vol_resize, .vol_unit = logical_vol_unit,
	       .vol_wipe = logical_vol_wipe,
	       .vol_open = logical_vol_open, .vol_close = logical_vol_close,
	       .vol_fstat = logical_vol_fstat, .snap_list = logical_snap_list,
	       .snap_stat = logical_snap_stat, .snap_create = logical_snap_create,
	       .snap_delete = logical_snap_delete, .snap_revert = logical_snap_revert,
	       .discover = logical_discover, .lost_is_asked = true, );
