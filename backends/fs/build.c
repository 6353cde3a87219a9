/*
 * Builds an fs pool: a filesystem is made only where it was asked for, never on a device
 * in use, and over something else only by `build overwrite`.
 */
#include "backends/fs/build.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/device.h"
#include "backends/common/mounting.h"
#include "backends/common/target.h"
#include "backends/fs/format.h"
#include "backends/support/run.h"

#define MKFS_ARGS 16

int fs_device(const struct pool_spec *spec, const char **path, struct error *err)
{
	if (spec->source.n_devices != 1 || !spec->source.devices[0].path)
		return error_set(err, EINVAL,
				 "an fs pool has exactly one source device, not %zu",
				 spec->source.n_devices);
	*path = spec->source.devices[0].path;
	return 0;
}

/*
 * The device's own name: a link by what is on it ends when that is made anew, and the
 * definition would then name nothing.
 */
static int real_device(const char *path, char real[PATH_MAX], struct error *err)
{
	static const char *const by[] = { "/dev/disk/by-uuid/", "/dev/disk/by-label/" };
	dev_t device;
	int r = device_number(path, &device, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(by) / sizeof(*by); i++)
		if (!strncmp(path, by[i], strlen(by[i])))
			return error_set(err, EINVAL,
					 "'%s' is a name of the filesystem on the device, "
					 "and a new one has another: give the device by "
					 "path or by-id",
					 path);
	if (!realpath(path, real))
		return error_errno(err, "cannot find device '%s'", path);
	return 0;
}

static int pick_format(const struct pool_spec *spec, const struct format **out,
		       struct error *err)
{
	const struct format *f = format_find(spec->source.format);

	if (!f)
		return error_set(err, EINVAL,
				 "which filesystem is to be made? give the definition a "
				 "<format type='ext4'/> in <source>");
	if (!f->mkfs)
		return error_set(err, EOPNOTSUPP,
				 "a filesystem of format '%s' cannot be made: %s", f->name,
				 f->cannot_make);
	if (!run_have(f->mkfs[0]))
		return error_set(err, EOPNOTSUPP,
				 "a filesystem of format '%s' needs '%s', which is not "
				 "installed",
				 f->name, f->mkfs[0]);
	*out = f;
	return 0;
}

/* The claim ends with this: mkfs claims the device itself. */
static int clear_device(const char *device, enum build_mode mode, struct error *err)
{
	AUTO_FD int fd = device_claim(device, err);
	struct device_content found;
	int r;

	if (fd < 0)
		return fd;
	if (mode == BUILD_OVERWRITE)
		return device_wipe_marks(fd, device, err);
	r = device_probe(fd, device, &found, err);
	if (r > 0)
		return error_set(err, EEXIST,
				 "device '%s' is not empty (%s), so no filesystem is made: "
				 "'build overwrite' makes one over it",
				 device, found.type);
	return r;
}

static int make_filesystem(const struct pool_spec *spec, enum build_mode mode,
			   struct call *call, struct error *err)
{
	const char *argv[MKFS_ARGS] = { NULL }, *path = NULL;
	struct run run = { .argv = argv,
			   .deadline_ns = call->deadline_ns,
			   .cancelled = call->cancelled };
	const struct format *f = NULL;
	char device[PATH_MAX];
	size_t n = 0;
	int r;

	r = pick_format(spec, &f, err);
	if (r == 0)
		r = fs_device(spec, &path, err);
	if (r == 0)
		r = real_device(path, device, err);
	if (r == 0)
		r = clear_device(device, mode, err);
	if (r < 0)
		return r;
	for (; f->mkfs[n]; n++)
		argv[n] = f->mkfs[n];
	argv[n] = device;
	return run_tool(&run, err);
}

/* The device is looked at before the directory is made: a refusal changes nothing. */
int fs_build(const struct pool_spec *spec, const struct host *host, enum build_mode mode,
	     struct call *call, struct error *err)
{
	AUTO_MOUNTED struct mounted m = { 0 };
	int r = mounting_check_target(spec, err);

	if (r < 0)
		return r;
	r = mounting_find(spec->target, &m, err);
	if (r > 0)
		return error_set(err, EBUSY,
				 "'%s' is mounted on '%s' already: unmount it, or start "
				 "the pool if that is its device",
				 m.source, spec->target);
	if (r == 0 && mode != BUILD)
		r = make_filesystem(spec, mode, call, err);
	return r < 0 ? r : target_make(spec, err);
}

/* The filesystem stays: its data is no work of build's. */
int fs_remove(const struct pool_spec *spec, const struct host *host, struct call *call,
	      struct error *err)
{
	return target_remove(spec, err);
}
