/* Makes and removes tables of partitions, and looks for disks that have one. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/common/block_volumes.h"
#include "backends/common/device.h"
#include "backends/common/holder.h"
#include "backends/common/sysfs.h"
#include "backends/disk/disk.h"

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)

int disk_of_spec(const struct pool_spec *spec, struct disk *disk, const char **path,
		 const char **label, struct error *err)
{
	const struct pool_source *s = &spec->source;

	if (s->n_devices != 1 || !s->devices[0].path)
		return error_set(err, EINVAL,
				 "a disk pool has exactly one source device, not %zu",
				 s->n_devices);
	if (s->devices[0].path[0] != '/')
		return error_set(err, EINVAL,
				 "the path of a device must be absolute, not '%s'",
				 s->devices[0].path);
	*label = s->format ? s->format : "unknown";
	if (!strcmp(*label, "lvm2"))
		return error_set(
			err, EINVAL,
			"lvm2 is no table of partitions: use a pool of type 'logical'");
	*path = s->devices[0].path;
	return disk_identify(*path, s->devices[0].part_separator, disk, err);
}

/* The claim on it, a descriptor: while it lasts nobody can begin to use the device. */
static int claim(const struct pool_spec *spec, struct disk *disk, const char **path,
		 const char **label, struct error *err)
{
	int r = disk_of_spec(spec, disk, path, label, err);

	return r < 0 ? r : device_claim(*path, err);
}

static int show(const struct disk *disk, const char *path, struct call *call,
		struct disk_table *out, struct error *err)
{
	const char *const arguments[] = { "show", NULL };

	return disk_run(disk, path, arguments, false, call, out, err);
}

/* libparted is asked as well: libblkid does not know all of its tables. */
static int check_empty(int fd, const struct disk *disk, const char *path,
		       struct call *call, struct error *err)
{
	AUTO_TABLE struct disk_table table = { 0 };
	struct device_content found;
	int r = device_probe(fd, path, &found, err);
	bool blank = r == 0;

	if (r == 0)
		r = show(disk, path, call, &table, err);
	if (r < 0 || (blank && !strcmp(table.label, "none")))
		return r;
	return error_set(
		err, EEXIST,
		"device '%s' is not empty (%s), so no table of partitions is made: "
		"'build overwrite' makes one over it",
		path, blank ? table.label : found.type);
}

/* What can refuse comes first, while all that was there is there. */
static int overwrite(int fd, const struct disk *disk, const char *path,
		     const char *const *vacate, struct call *call, struct error *err)
{
	AUTO_TABLE struct disk_table table = { 0 };
	int r = disk_run(disk, path, vacate, true, call, &table, err);

	return r < 0 ? r : device_wipe_marks(fd, path, err);
}

int disk_build(const struct pool_spec *spec, const struct host *host,
	       enum build_mode mode, struct call *call, struct error *err)
{
	AUTO_TABLE struct disk_table table = { 0 };
	const char *path = NULL, *label = NULL, *arguments[] = { "vacate", NULL, NULL };
	struct disk disk;
	AUTO_FD int fd = claim(spec, &disk, &path, &label, err);
	int r;

	if (fd < 0)
		return fd;
	/* as libvirt has it */
	arguments[1] = strcmp(label, "unknown") ? label : "dos";
	r = mode == BUILD_OVERWRITE ? overwrite(fd, &disk, path, arguments, call, err)
				    : check_empty(fd, &disk, path, call, err);
	if (r < 0)
		return r;
	arguments[0] = "label";
	return disk_run(&disk, path, arguments, true, call, &table, err);
}

static int check_bare(const struct disk *disk, const char *path,
		      const struct disk_table *table, struct error *err)
{
	char name[DISK_NAME_MAX];

	if (!strcmp(table->label, "none"))
		return error_set(err, ENODEV,
				 "there is no table of partitions on '%s' to delete",
				 path);
	if (!strcmp(table->label, "other"))
		return error_set(
			err, EEXIST,
			"what is on '%s' was not made by 'build', so it is not deleted",
			path);
	for (size_t i = 0; i < table->n_parts; i++) {
		if (table->parts[i].kind == DISK_METADATA)
			continue;
		disk_part_name(disk->prefix, table->parts[i].number, name);
		return error_set(
			err, EBUSY,
			"there are partitions on '%s' (%s): remove these volumes "
			"first",
			path, name);
	}
	return 0;
}

int disk_remove(const struct pool_spec *spec, const struct host *host, struct call *call,
		struct error *err)
{
	const char *const clear[] = { "clear", NULL };
	AUTO_TABLE struct disk_table table = { 0 };
	AUTO_TABLE struct disk_table after = { 0 };
	const char *path = NULL, *label = NULL;
	struct disk disk;
	AUTO_FD int fd = claim(spec, &disk, &path, &label, err);
	int r;

	if (fd < 0)
		return fd;
	r = show(&disk, path, call, &table, err);
	if (r == 0)
		r = check_bare(&disk, path, &table, err);
	if (r == 0)
		r = disk_run(&disk, path, clear, true, call, &after, err);
	return r < 0 ? r : device_wipe_marks(fd, path, err);
}

/* -- discovery -- */

/* libblkid's names of tables, and ours; NULL: it is none of a disk pool. */
static const char *label_of(const struct device_content *found)
{
	static const char *const same[] = { "dos", "gpt", "mac", "bsd", "sun" };

	if (!strcmp(found->type, "sgi"))
		return "dvh";
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		if (!strcmp(found->type, same[i]))
			return same[i];
	return NULL;
}

/* Whether it is one path of several: its map is the disk. */
static bool is_path(const char *name)
{
	char path[PATH_MAX], line[SYS_LINE];
	struct dirent *e;

	snprintf(path, sizeof(path), "/sys/block/%s/holders", name);

	CLEANUP(cleanup_dir) DIR *d = opendir(path);

	while (d && (e = readdir(d)))
		if (sys_read(line, sizeof(line), "%s/%s/dm/uuid", path, e->d_name) >= 0 &&
		    !strncmp(line, "mpath-", 6))
			return true;
	return false;
}

/* A disk with a table, or a blank one that nobody uses; not what is itself made of
 * others, but for multipath maps. */
static bool is_candidate(const char *name, dev_t *device)
{
	char line[SYS_LINE];
	unsigned major_, minor_;
	uint64_t number;

	if (sys_number(&number, "/sys/block/%s/size", name) < 0 || !number ||
	    sys_number(&number, "/sys/block/%s/ro", name) < 0 || number ||
	    sys_read(line, sizeof(line), "/sys/block/%s/dev", name) < 0 ||
	    sscanf(line, "%u:%u", &major_, &minor_) != 2)
		return false;
	*device = makedev(major_, minor_);
	if (!strncmp(name, "dm-", 3))
		return sys_read(line, sizeof(line), "/sys/block/%s/dm/uuid", name) >= 0 &&
		       !strncmp(line, "mpath-", 6);
	return strncmp(name, "ram", 3) && strncmp(name, "zram", 4) &&
	       strncmp(name, "sr", 2) && strncmp(name, "md", 2) && !is_path(name);
}

/* 0: it is none. */
static int tell(dev_t device, source_each each, void *arg, struct error *err)
{
	AUTO_POOL_SOURCE struct pool_source s = { 0 };
	AUTO_BUF struct buf who = { 0 };
	AUTO_FREE char *path = NULL;
	struct device_content found = { 0 };
	const char *label = "unknown";
	int r = block_device_path(device, &path, NULL);

	if (r < 0 || device_look(path, &found, NULL) < 0)
		return 0;
	if (*found.type)
		label = label_of(&found);
	if (!label || (!*found.type && holder_of_device(device, &who)))
		return 0;
	s.devices = calloc(1, sizeof(*s.devices));
	s.format = strdup(label);
	if (!s.devices || !s.format)
		return error_code(err, ENOMEM, "cannot look for disks");
	s.n_devices = 1;
	free(path);
	path = NULL;
	r = block_stable_path("/dev/disk/by-id", device, &path, err);
	s.devices[0].path = take(path);
	return r < 0 ? 0 : each(arg, &s);
}

int disk_discover(const struct pool_source *from, const struct host *host,
		  source_each each, void *arg, struct call *call, struct error *err)
{
	CLEANUP(cleanup_dir) DIR *d = opendir("/sys/block");
	struct dirent *e;
	dev_t device;
	int r = 0;

	if (!d)
		return error_errno(err, "cannot list this host's disks");
	while (r >= 0 && (e = readdir(d)))
		if (e->d_name[0] != '.' && is_candidate(e->d_name, &device))
			r = tell(device, each, arg, err);
	return r;
}
