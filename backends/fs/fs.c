/*
 * Pool type "fs": volumes are the regular files of a filesystem, which start mounts and
 * stop unmounts.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/backend.h"
#include "backends/common/device.h"
#include "backends/common/file_pool.h"
#include "backends/common/file_volumes.h"
#include "backends/common/mounting.h"
#include "backends/fs/build.h"
#include "backends/fs/format.h"

/* Whether the mount shows all of the device's filesystem. btrfs numbers its devices
 * itself, and its root is a subvolume's. */
static bool shows_device(const struct mounted *m, dev_t device)
{
	struct stat st;

	if (m->device == device)
		return !strcmp(m->root, "/");
	return !strncmp(m->source, "/dev/", 5) && !stat(m->source, &st) &&
	       S_ISBLK(st.st_mode) && st.st_rdev == device;
}

/* 1: its device is mounted on the target, 0: nothing is. */
static int is_mounted(const struct pool_spec *spec, const char *path, struct error *err)
{
	AUTO_MOUNTED struct mounted m = { 0 };
	dev_t device;
	int r = mounting_check_target(spec, err);

	if (r == 0)
		r = mounting_find(spec->target, &m, err);
	if (r <= 0)
		return r;
	r = device_number(path, &device, err);
	if (r < 0)
		return r;
	if (shows_device(&m, device))
		return 1;
	return mounting_refuse(&m, spec, path, err);
}

static int fs_check(const struct pool_spec *spec, const struct host *host,
		    struct call *call, bool *active, struct error *err)
{
	const char *path = NULL;

	*active = fs_device(spec, &path, NULL) == 0 && is_mounted(spec, path, NULL) == 1;
	return 0;
}

static int check_driver(const struct format *format, struct error *err)
{
	if (!format || !format->cannot_mount)
		return 0;
	return error_set(err, EOPNOTSUPP,
			 "a filesystem of format '%s' cannot be mounted: %s",
			 format->name, format->cannot_mount);
}

static int nothing_there(const char *path, struct error *err)
{
	return error_set(err, EINVAL,
			 "there is no filesystem on device '%s': 'build "
			 "no-overwrite' makes the one that the definition names",
			 path);
}

/* Linux does not tell the variants of ufs apart, and libblkid does. */
static const char *variant(const struct pool_spec *spec, const char *type,
			   const struct device_content *found)
{
	if (strcmp(type, "ufs") || strcmp(found->type, "ufs"))
		return NULL;
	for (size_t i = 0; i < spec->n_options; i++)
		if (!strncmp(spec->options[i].name, "ufstype=", 8))
			return NULL;
	return !strcmp(found->version, "2") ? "ufstype=ufs2" : "ufstype=44bsd";
}

/* The kernel's name of what is on the device. */
static int pick_type(const char *path, const struct device_content *found,
		     const char **type, struct error *err)
{
	const struct format *format = format_of_content(found);

	if (!*found->type)
		return nothing_there(path, err);
	if (!format && !found->filesystem)
		return error_set(err, EINVAL,
				 "device '%s' has %s, which is no filesystem", path,
				 found->type);
	*type = format ? format_kernel(format) : found->type;
	return check_driver(format, err);
}

/* What the kernel did not take for the format: libblkid knows better what it is. */
static int explain(const struct format *format, const char *path, struct error *err)
{
	struct device_content found;
	int r = device_look(path, &found, NULL);

	if (r == 0)
		return nothing_there(path, err);
	if (r > 0 && !format_fits(format, &found))
		error_prefix(err, "the definition says %s, the device has %s",
			     format->name, found.type);
	return -EINVAL;
}

/* A named format is mounted as that: to look at the device takes longer than to mount. */
static int do_mount(const struct pool_spec *spec, const char *path, struct error *err)
{
	const struct format *format = format_find(spec->source.format);
	const char *type = format ? format_kernel(format) : NULL;
	struct device_content found = { 0 };
	AUTO_FREE char *options = NULL;
	dev_t device = 0;
	int r = device_number(path, &device, err);

	if (r == 0)
		r = check_driver(format, err);
	if (r == 0 && (!format || !strcmp(type, "ufs")))
		r = device_look(path, &found, err);
	if (r >= 0 && !format)
		r = pick_type(path, &found, &type, err);
	if (r < 0)
		return r;
	options = mounting_options(spec, variant(spec, type, &found));
	if (!options)
		return error_code(err, ENOMEM, "cannot mount '%s'", path);
	r = mounting_mount(path, spec->target, type, options, err);
	return r == -EINVAL && format ? explain(format, path, err) : r;
}

static int fs_start(const struct pool_spec *spec, const struct host *host,
		    struct call *call, void **pool, struct error *err)
{
	AUTO_MOUNTED struct mounted m = { 0 };
	struct file_pool *fp = NULL;
	const char *path = NULL;
	bool ours = false;
	int r = fs_device(spec, &path, err);

	if (r == 0)
		r = is_mounted(spec, path, err);
	if (r < 0)
		return r;
	if (r == 0) {
		r = mounting_check_directory(spec, err);
		if (r == 0)
			r = do_mount(spec, path, err);
		if (r < 0)
			return r;
		ours = true;
	}
	r = file_pool_open(spec, host, &fp, err);
	if (r == 0)
		*pool = fp;
	else if (ours && mounting_find(spec->target, &m, NULL) > 0)
		mounting_umount(&m, call, NULL);
	return r;
}

static void fs_detach(void *pool)
{
	file_pool_close(pool);
}

static int fs_stop(void *pool, struct call *call, struct error *err)
{
	AUTO_MOUNTED struct mounted m = { 0 };
	struct file_pool *fp = pool;
	int r = mounting_held(fp->dir, fp->target, &m, err);

	if (r > 0) {
		r = file_pool_let_go(fp, err);
		if (r == 0)
			r = mounting_umount(&m, call, err);
		if (r < 0)
			file_pool_refresh(fp, call, NULL);
	}
	if (r == 0)
		file_pool_close(fp);
	return r;
}

static const char *const tools[] = { "mkfs.ext4", "mkfs.xfs",	"mkfs.vfat",
				     "mkudffs",	  "mkfs.btrfs", "mkfs.gfs2",
				     "qemu-img",  "scrub",	NULL };

BACKEND_DEFINE(.type = "fs", .tools = tools, .check = fs_check, .start = fs_start,
	       .stop = fs_stop, .detach = fs_detach, .build = fs_build,
	       .remove = fs_remove, .refresh = mounting_refresh, FILE_VOLUME_MEMBERS, );
