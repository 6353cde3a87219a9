/* Names of block devices: their own, and the links that udev makes to them. */
#include "backends/common/block_volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/common/sysfs.h"
#include "backends/support/clock.h"

#define SETTLE_NS (5 * NS_PER_S)
#define LOOK_NS	  (10 * NS_PER_MS)

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)
DEFINE_CLEANUP(cleanup_file, FILE *, fclose)

static int no_memory(struct error *err)
{
	return error_code(err, ENOMEM, "cannot name a device");
}

int block_device_path(dev_t device, char **out, struct error *err)
{
	char path[64], line[PATH_MAX], name[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(device),
		 minor(device));

	CLEANUP(cleanup_file) FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "DEVNAME=%4000s", name) != 1)
			continue;
		return asprintf(out, "/dev/%s", name) < 0 ? no_memory(err) : 0;
	}
	return error_set(err, ENODEV, "block device %u:%u is gone", major(device),
			 minor(device));
}

static bool is_below_dev(const char *directory)
{
	size_t len = strlen(directory);

	while (len > 1 && directory[len - 1] == '/')
		len--;
	return len > 5 && !strncmp(directory, "/dev/", 5);
}

/* Whether the entry is the device or leads to it. */
static bool leads_to(DIR *d, const struct dirent *e, dev_t device)
{
	struct stat st;

	return (e->d_type == DT_LNK || e->d_type == DT_BLK || e->d_type == DT_UNKNOWN) &&
	       fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISBLK(st.st_mode) &&
	       st.st_rdev == device;
}

/* The first by name, so that it is the same each time. */
static bool find_link(const char *directory, dev_t device, char name[NAME_MAX + 1])
{
	CLEANUP(cleanup_dir) DIR *d = opendir(directory);
	struct dirent *e;
	bool found = false;

	while (d && (e = readdir(d))) {
		if (found && strcmp(e->d_name, name) >= 0)
			continue;
		if (leads_to(d, e, device)) {
			snprintf(name, NAME_MAX + 1, "%s", e->d_name);
			found = true;
		}
	}
	return found;
}

int block_stable_path(const char *directory, dev_t device, char **out, struct error *err)
{
	char name[NAME_MAX + 1];
	size_t len = directory ? strlen(directory) : 0;

	if (!directory || !is_below_dev(directory) || !find_link(directory, device, name))
		return block_device_path(device, out, err);
	while (len && directory[len - 1] == '/')
		len--;
	return asprintf(out, "%.*s/%s", (int)len, directory, name) < 0 ? no_memory(err)
								       : 0;
}

/* udev keeps what it has found of a device there, once it has made its links. */
void block_settle(dev_t device, uint64_t deadline_ns)
{
	uint64_t until = clock_now() + SETTLE_NS;

	if (deadline_ns)
		until = MIN(until, deadline_ns);
	if (!sys_exists("/run/udev/control"))
		return;
	while (!sys_exists("/run/udev/data/b%u:%u", major(device), minor(device)) &&
	       sys_exists("/sys/dev/block/%u:%u", major(device), minor(device)) &&
	       clock_now() < until) {
		struct timespec pause = { .tv_nsec = LOOK_NS };

		nanosleep(&pause, NULL);
	}
}
