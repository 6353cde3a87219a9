/* Looks for the users of a mount or a device. */
#include "backends/common/holder.h"

#include <dirent.h>
#include <errno.h>
#include <libmount.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/common/sysfs.h"
#include "backends/support/process.h"

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)
DEFINE_CLEANUP(cleanup_file, FILE *, fclose)
DEFINE_CLEANUP(cleanup_table, struct libmnt_table *, mnt_unref_table)
DEFINE_CLEANUP(cleanup_iter, struct libmnt_iter *, mnt_free_iter)

int holder_mount_id(pid_t pid, int fd)
{
	char path[64], line[128];
	int id;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);

	CLEANUP(cleanup_file) FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "mnt_id: %d", &id) == 1)
			return id;
	return -EOPNOTSUPP;
}

/* -- mounts -- */

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return !strncmp(path, top, len) && (path[len] == '/' || !path[len]);
}

static bool tell(struct buf *who, pid_t pid, const char *does, const char *what)
{
	char name[PROCESS_NAME_MAX];

	process_name(pid, name);
	buf_printf(who, "process %d (%s) %s '%s'", (int)pid, *name ? name : "?", does,
		   what);
	return true;
}

/* Where a link of /proc leads; it is read, not followed. */
static bool link_of(pid_t pid, const char *name, char out[PATH_MAX])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = readlink(path, out, PATH_MAX - 1);
	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

static bool has_open(pid_t pid, int id, struct buf *who)
{
	char path[32], name[32], at[PATH_MAX];
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);

	CLEANUP(cleanup_dir) DIR *d = opendir(path);

	while (d && (e = readdir(d))) {
		int fd;

		if (sscanf(e->d_name, "%d", &fd) != 1 || holder_mount_id(pid, fd) != id)
			continue;
		snprintf(name, sizeof(name), "fd/%d", fd);
		return tell(who, pid, "has open",
			    link_of(pid, name, at) ? at : "a file of it");
	}
	return false;
}

static bool stands_in(pid_t pid, const char *target, struct buf *who)
{
	static const struct {
		const char *link, *does;
	} ways[] = { { "cwd", "works in" }, { "root", "has its root at" },
		     { "exe", "runs" } };
	char at[PATH_MAX];

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (link_of(pid, ways[i].link, at) && is_below(at, target))
			return tell(who, pid, ways[i].does, at);
	return false;
}

static bool process_uses(int id, const char *target, struct buf *who)
{
	CLEANUP(cleanup_dir) DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int pid;

		if (sscanf(e->d_name, "%d", &pid) != 1 || pid == getpid())
			continue;
		if (has_open(pid, id, who) || stands_in(pid, target, who))
			return true;
	}
	return false;
}

static bool loop_uses(const char *target, struct buf *who)
{
	CLEANUP(cleanup_dir) DIR *d = opendir("/sys/block");
	char file[PATH_MAX];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, "loop", 4) ||
		    sys_read(file, sizeof(file), "/sys/block/%s/loop/backing_file",
			     e->d_name) < 0 ||
		    !is_below(file, target))
			continue;
		buf_printf(who, "/dev/%s is a loop device of '%s'", e->d_name, file);
		return true;
	}
	return false;
}

/* swapon(8)'s list has paths, of files as of devices. */
static bool swap_uses(const char *target, struct buf *who)
{
	CLEANUP(cleanup_file) FILE *f = fopen("/proc/swaps", "re");
	char line[PATH_MAX + 128], path[PATH_MAX];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%4095s", path) == 1 && is_below(path, target)) {
			buf_printf(who, "'%s' is swap space", path);
			return true;
		}
	return false;
}

typedef bool (*fs_test)(struct libmnt_fs *fs, const void *arg);

/* The first mount that passes; who gets the sentence about where it is. */
static bool find_mount(fs_test test, const void *arg, const char *text, struct buf *who)
{
	CLEANUP(cleanup_table) struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	CLEANUP(cleanup_iter) struct libmnt_iter *i = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	while (table && i && !mnt_table_next_fs(table, i, &fs))
		if (test(fs, arg)) {
			const char *target = mnt_fs_get_target(fs);

			buf_printf(who, "%s '%s'", text, target ? target : "?");
			return true;
		}
	return false;
}

static bool has_parent(struct libmnt_fs *fs, const void *arg)
{
	return mnt_fs_get_parent_id(fs) == *(const int *)arg;
}

bool holder_of_mount(int id, const char *target, struct buf *who)
{
	return find_mount(has_parent, &id, "something is mounted on", who) ||
	       process_uses(id, target, who) || loop_uses(target, who) ||
	       swap_uses(target, who);
}

/* -- devices -- */

/* A btrfs has a device number of its own, and names one of its devices as source. */
static bool is_of_device(struct libmnt_fs *fs, const void *arg)
{
	const dev_t *device = arg;
	const char *source = mnt_fs_get_srcpath(fs);
	struct stat st;

	if (mnt_fs_get_devno(fs) == *device)
		return true;
	return source && !strncmp(source, "/dev/", 5) && !stat(source, &st) &&
	       S_ISBLK(st.st_mode) && st.st_rdev == *device;
}

static bool swap_is_on(dev_t device, struct buf *who)
{
	CLEANUP(cleanup_file) FILE *f = fopen("/proc/swaps", "re");
	char line[PATH_MAX + 128], path[PATH_MAX];
	struct stat st;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "/dev/%4000s", path) == 1) {
			char at[PATH_MAX + 8];

			snprintf(at, sizeof(at), "/dev/%s", path);
			if (!stat(at, &st) && st.st_rdev == device) {
				buf_puts(who, "it is swap space");
				return true;
			}
		}
	return false;
}

/* What stands on it by the kernel's own book-keeping: LVM, RAID, multipath, crypt. */
static bool has_upper(const char *sys, struct buf *who)
{
	char path[PATH_MAX], name[256];
	struct dirent *e;

	snprintf(path, sizeof(path), "%s/holders", sys);

	CLEANUP(cleanup_dir) DIR *d = opendir(path);

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		if (sys_read(name, sizeof(name), "/sys/block/%s/dm/name", e->d_name) < 0)
			snprintf(name, sizeof(name), "%s", e->d_name);
		buf_printf(who, "%s stands on it", name);
		return true;
	}
	return false;
}

static bool device_in_use(dev_t device, struct buf *who)
{
	char sys[64];

	snprintf(sys, sizeof(sys), "/sys/dev/block/%u:%u", major(device), minor(device));
	return find_mount(is_of_device, &device, "it is mounted on", who) ||
	       swap_is_on(device, who) || has_upper(sys, who);
}

/* Only links that lead to /dev are followed: others may lead to a server that is dead. */
static bool has_device_open(pid_t pid, dev_t device, struct buf *who)
{
	char path[32], name[32], at[PATH_MAX], comm[PROCESS_NAME_MAX];
	struct dirent *e;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);

	CLEANUP(cleanup_dir) DIR *d = opendir(path);

	while (d && (e = readdir(d))) {
		int fd;

		if (sscanf(e->d_name, "%d", &fd) != 1)
			continue;
		snprintf(name, sizeof(name), "fd/%d", fd);
		if (!link_of(pid, name, at) || strncmp(at, "/dev/", 5) ||
		    fstatat(dirfd(d), e->d_name, &st, 0) < 0 || !S_ISBLK(st.st_mode) ||
		    st.st_rdev != device)
			continue;
		process_name(pid, comm);
		return !strstr(comm, "udev") && tell(who, pid, "has open", at);
	}
	return false;
}

bool holder_of_open_device(dev_t device, struct buf *who)
{
	CLEANUP(cleanup_dir) DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int pid;

		if (sscanf(e->d_name, "%d", &pid) == 1 && pid != getpid() &&
		    has_device_open(pid, device, who))
			return true;
	}
	return false;
}

bool holder_of_device(dev_t device, struct buf *who)
{
	char sys[64], line[32];
	struct dirent *e;
	unsigned major_, minor_;

	if (device_in_use(device, who))
		return true;
	snprintf(sys, sizeof(sys), "/sys/dev/block/%u:%u", major(device), minor(device));

	CLEANUP(cleanup_dir) DIR *d = opendir(sys);

	while (d && (e = readdir(d))) {
		AUTO_BUF struct buf part = { 0 };

		if (!sys_exists("%s/%s/partition", sys, e->d_name) ||
		    sys_read(line, sizeof(line), "%s/%s/dev", sys, e->d_name) < 0 ||
		    sscanf(line, "%u:%u", &major_, &minor_) != 2 ||
		    !device_in_use(makedev(major_, minor_), &part))
			continue;
		buf_printf(who, "of its partition %s: %s", e->d_name, buf_text(&part));
		return true;
	}
	return false;
}
