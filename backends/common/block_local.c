/* Whether a block device can hang: told from where /sys has it. */
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/common/block_volumes.h"
#include "backends/common/mounting.h"
#include "backends/common/sysfs.h"

#define DEPTH 8 /* of devices on devices */

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)

static bool sys_is_local(const char *sys, int depth);

/* Those of LVM, RAID, crypt and multipath; none: nothing is known of it. */
static bool slaves_are_local(const char *sys, int depth)
{
	char path[PATH_MAX];
	struct dirent *e;
	bool any = false;

	snprintf(path, sizeof(path), "%s/slaves", sys);

	CLEANUP(cleanup_dir) DIR *d = opendir(path);

	while (d && (e = readdir(d))) {
		AUTO_FREE char *slave = NULL;

		if (e->d_name[0] == '.')
			continue;
		slave = sys_real("%s/slaves/%s", sys, e->d_name);
		if (!slave || !sys_is_local(slave, depth - 1))
			return false;
		any = true;
	}
	return any;
}

/* By the kernel's list of mounts, which waits for no server. */
static bool file_is_local(char *file)
{
	static const char *const types[] = { "ext2", "ext3", "ext4",  "xfs",	 "btrfs",
					     "f2fs", "vfat", "tmpfs", "devtmpfs" };
	AUTO_MOUNTED struct mounted m = { 0 };

	while (mounting_find(file, &m, NULL) <= 0) {
		if (!file[1])
			return false;
		file = dirname(file);
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(m.type, types[i]))
			return true;
	return false;
}

static bool loop_is_local(const char *sys)
{
	char file[PATH_MAX];

	return sys_read(file, sizeof(file), "%s/loop/backing_file", sys) == 0 &&
	       file[0] == '/' && file_is_local(file);
}

static bool nvme_is_local(const char *sys)
{
	char transport[SYS_LINE];

	return sys_read(transport, sizeof(transport), "%s/device/transport", sys) == 0 &&
	       !strcmp(transport, "pcie");
}

/* By the driver's name, and where the disk is plugged in. */
static bool disk_is_local(const char *sys)
{
	static const char *const memory[] = { "/zram", "/ram", "/pmem", "/nullb" };
	const char *name = strrchr(sys, '/');

	for (size_t i = 0; i < sizeof(memory) / sizeof(*memory); i++)
		if (!strncmp(name, memory[i], strlen(memory[i])))
			return true;
	if (!strncmp(name, "/loop", 5))
		return loop_is_local(sys);
	if (!strncmp(name, "/nvme", 5))
		return nvme_is_local(sys);
	if (!strncmp(name, "/sd", 3) || !strncmp(name, "/sr", 3))
		return strstr(sys, "/ata") != NULL;
	return !strncmp(name, "/mmcblk", 7) ||
	       (!strncmp(name, "/vd", 3) && strstr(sys, "/virtio"));
}

/* sys: where the device really is below /sys. */
static bool sys_is_local(const char *sys, int depth)
{
	AUTO_FREE char *disk = NULL;

	if (!depth)
		return false;
	if (sys_exists("%s/partition", sys)) {
		disk = sys_real("%s/..", sys);
		return disk && sys_is_local(disk, depth - 1);
	}
	if (sys_exists("%s/dm", sys) || sys_exists("%s/md", sys))
		return slaves_are_local(sys, depth);
	return disk_is_local(sys);
}

bool block_is_local(const char *path)
{
	AUTO_FREE char *sys = NULL;
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
		return false;
	sys = sys_real("/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return sys && sys_is_local(sys, DEPTH);
}
