/* Reads the partitions of a disk from /sys. */
#include "backends/disk/disk_kernel.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/disk/disk_table.h"

#define KERNEL_SECTOR 512
#define LINE	      256

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)

/* -- names -- */

unsigned disk_number(const char *prefix, const char *name)
{
	size_t len = strlen(prefix);
	unsigned n = 0;

	if (strncmp(name, prefix, len))
		return 0;
	name += len;
	if (*name == '0' || strlen(name) > 4)
		return 0;
	for (; isdigit((unsigned char)*name); name++)
		n = n * 10 + (*name - '0');
	return *name || n > DISK_PARTS_MAX ? 0 : n;
}

void disk_prefix(const char *name, enum choice separator, char out[DISK_NAME_MAX])
{
	size_t len = strlen(name);
	bool digit = len && isdigit((unsigned char)name[len - 1]);

	snprintf(out, DISK_NAME_MAX, "%s%s", name,
		 digit || separator == CHOICE_YES ? "p" : "");
}

void disk_part_name(const char *prefix, unsigned number, char out[DISK_NAME_MAX])
{
	snprintf(out, DISK_NAME_MAX, "%.*s%u", DISK_NAME_MAX - 12, prefix, number);
}

/* -- files of /sys -- */

static int open_sys(dev_t device, const char *below)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u%s", major(device),
		 minor(device), below);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool read_at(int dir, const char *name, const char *file, char line[LINE])
{
	char path[NAME_MAX + 64];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", name, file);

	AUTO_FD int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, line, LINE - 1);
	if (n < 0)
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static uint64_t number_at(int dir, const char *name, const char *file)
{
	char line[LINE];

	return read_at(dir, name, file, line) ? strtoull(line, NULL, 10) : 0;
}

static dev_t device_at(int dir, const char *name)
{
	char line[LINE];
	unsigned major_, minor_;

	if (!read_at(dir, name, "dev", line) ||
	    sscanf(line, "%u:%u", &major_, &minor_) != 2)
		return 0;
	return makedev(major_, minor_);
}

static int gone(const struct disk *d, struct error *err)
{
	return error_set(err, ENODEV, "the disk %s is gone", d->name);
}

/* -- partitions -- */

static bool take_place(int dir, const char *entry, bool mapped, enum kernel_depth depth,
		       struct kernel_part *p)
{
	if (depth >= KERNEL_SIZES)
		p->size = number_at(dir, entry, "size") * KERNEL_SECTOR;
	if (depth < KERNEL_PLACES)
		return true;
	p->device = device_at(dir, entry);
	p->start = mapped ? 0 : number_at(dir, entry, "start") * KERNEL_SECTOR;
	return p->device;
}

/* A map that is a partition says so in its UUID: "part1-mpath-…". */
static bool take_map(int dir, const char *entry, struct kernel_part *p)
{
	char line[LINE];
	unsigned n;

	if (!read_at(dir, entry, "dm/uuid", line) || sscanf(line, "part%u-", &n) != 1 ||
	    n > DISK_PARTS_MAX || !read_at(dir, entry, "dm/name", line) ||
	    strlen(line) >= sizeof(p->name))
		return false;
	p->number = n;
	strcpy(p->name, line);
	return true;
}

static bool take_entry(const struct disk *d, int dir, const char *entry,
		       enum kernel_depth depth, struct kernel_part *p)
{
	*p = (struct kernel_part){ 0 };
	if (d->mapped) {
		if (!take_map(dir, entry, p))
			return false;
	} else {
		p->number = disk_number(d->prefix, entry);
		if (!p->number || strlen(entry) >= sizeof(p->name))
			return false;
		strcpy(p->name, entry);
	}
	return take_place(dir, entry, d->mapped, depth, p);
}

static int by_number(const void *a, const void *b)
{
	const struct kernel_part *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int append(struct kernel_parts *to, const struct kernel_part *p)
{
	if (!(to->n & (to->n - 1))) {
		void *more = reallocarray(to->at, to->n ? 2 * to->n : 1, sizeof(*to->at));

		if (!more)
			return -ENOMEM;
		to->at = more;
	}
	to->at[to->n++] = *p;
	return 0;
}

int kernel_list(const struct disk *d, enum kernel_depth depth, struct kernel_parts *out,
		struct error *err)
{
	AUTO_PARTS struct kernel_parts found = { 0 };
	int fd = open_sys(d->device, d->mapped ? "/holders" : "");
	CLEANUP(cleanup_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct kernel_part p;
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return gone(d, err);
	}
	while ((e = readdir(dir)))
		if (take_entry(d, fd, e->d_name, depth, &p) && append(&found, &p) < 0)
			return error_code(err, ENOMEM, "cannot list the partitions of %s",
					  d->name);
	if (found.n)
		qsort(found.at, found.n, sizeof(*found.at), by_number);
	*out = found;
	found = (struct kernel_parts){ 0 };
	return 0;
}

void kernel_parts_clear(struct kernel_parts *p)
{
	free(p->at);
	*p = (struct kernel_parts){ 0 };
}

const struct kernel_part *kernel_part_of(const struct kernel_parts *p, unsigned number)
{
	struct kernel_part key = { .number = number };

	return p->n ? bsearch(&key, p->at, p->n, sizeof(key), by_number) : NULL;
}

static int find_mapped(const struct disk *d, const char *name, unsigned number,
		       struct kernel_part *out)
{
	AUTO_PARTS struct kernel_parts all = { 0 };
	int r = kernel_list(d, KERNEL_PLACES, &all, NULL);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++)
		if (name ? !strcmp(all.at[i].name, name) : all.at[i].number == number) {
			*out = all.at[i];
			return 0;
		}
	return -ENOENT;
}

static int find_plain(const struct disk *d, unsigned number, struct kernel_part *out)
{
	AUTO_FD int dir = open_sys(d->device, "");
	char name[DISK_NAME_MAX];

	if (dir < 0)
		return -ENODEV;
	disk_part_name(d->prefix, number, name);
	return take_entry(d, dir, name, KERNEL_PLACES, out) ? 0 : -ENOENT;
}

int kernel_find(const struct disk *d, const char *name, struct kernel_part *out)
{
	unsigned number;

	if (d->mapped)
		return find_mapped(d, name, 0, out);
	number = disk_number(d->prefix, name);
	return number ? find_plain(d, number, out) : -ENOENT;
}

int kernel_find_number(const struct disk *d, unsigned number, struct kernel_part *out)
{
	return d->mapped ? find_mapped(d, NULL, number, out) : find_plain(d, number, out);
}

/* -- the disk -- */

/* Partitions that are there already are what new ones are named after. */
static void learn_prefix(struct disk *d)
{
	AUTO_PARTS struct kernel_parts parts = { 0 };
	char number[16];
	size_t len;

	if (kernel_list(d, KERNEL_NAMES, &parts, NULL) < 0 || !parts.n)
		return;
	snprintf(number, sizeof(number), "%u", parts.at[0].number);
	len = strlen(parts.at[0].name);
	if (len > strlen(number) &&
	    !strcmp(parts.at[0].name + len - strlen(number), number))
		snprintf(d->prefix, sizeof(d->prefix), "%.*s",
			 (int)(len - strlen(number)), parts.at[0].name);
}

int disk_identify(const char *path, enum choice separator, struct disk *out,
		  struct error *err)
{
	char sys[64], real[PATH_MAX], line[LINE];
	struct stat st;
	ssize_t n;

	if (stat(path, &st) < 0)
		return error_set(err, errno == ENOENT ? ENODEV : errno,
				 "there is no device '%s': %s", path, strerror(errno));
	if (!S_ISBLK(st.st_mode))
		return error_set(err, ENODEV, "'%s' is not a block device", path);
	*out = (struct disk){ .device = st.st_rdev };
	snprintf(sys, sizeof(sys), "/sys/dev/block/%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
	n = readlink(sys, real, sizeof(real) - 1);
	if (n < 0)
		return error_errno(err, "the kernel does not know device '%s'", path);
	real[n] = '\0';
	snprintf(out->name, sizeof(out->name), "%s", strrchr(real, '/') + 1);
	if (read_at(AT_FDCWD, sys, "partition", line))
		return error_set(err, EINVAL,
				 "'%s' is a partition: a disk pool has a whole disk",
				 path);
	out->mapped = read_at(AT_FDCWD, sys, "dm/name", line);
	if (out->mapped)
		snprintf(out->name, sizeof(out->name), "%.*s", DISK_NAME_MAX - 16, line);
	disk_prefix(out->name, out->mapped ? separator : CHOICE_UNSET, out->prefix);
	if (out->mapped)
		learn_prefix(out);
	return 0;
}
