/* Tells the kernel of partitions, one by one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <sys/sysmacros.h>

#include "backends/disk/disk_kernel.h"
#include "backends/disk/tool.h"

/* Of an extended partition the kernel shows its table alone. */
#define EXTENDED_SIZE 1024

static int blkpg(const struct tool *t, int op, unsigned number, uint64_t start,
		 uint64_t length)
{
	struct blkpg_partition p = { .start = start, .length = length, .pno = number };
	struct blkpg_ioctl_arg arg = { .op = op, .datalen = sizeof(p), .data = &p };

	return ioctl(t->fd, BLKPG, &arg) < 0 ? -errno : 0;
}

static void place(const struct tool *t, const PedPartition *part, uint64_t *start,
		  uint64_t *length)
{
	uint64_t sector = t->dev->sector_size;

	*start = part->geom.start * sector;
	*length = part->geom.length * sector;
	if (part->type & PED_PARTITION_EXTENDED)
		*length = MIN(*length, MAX(sector, EXTENDED_SIZE));
}

static int refused(const struct tool *t, unsigned number, int code, const char *what,
		   struct error *err)
{
	return error_code(err, -code, "the kernel does not %s partition %u of '%s'", what,
			  number, t->path);
}

int kernel_add(const struct tool *t, const PedPartition *part, struct error *err)
{
	uint64_t start, length;
	int r;

	place(t, part, &start, &length);
	if (!t->device)
		return 0;
	if (t->prefix)
		return dm_add(t, part->num, start, length, err);
	r = blkpg(t, BLKPG_ADD_PARTITION, part->num, start, length);
	return r < 0 ? refused(t, part->num, r, "take", err) : 0;
}

int kernel_resize(const struct tool *t, const PedPartition *part, struct error *err)
{
	uint64_t start, length;
	int r;

	place(t, part, &start, &length);
	if (!t->device || part->type & PED_PARTITION_EXTENDED)
		return 0;
	if (t->prefix)
		return dm_resize(t, part->num, start, length, err);
	r = blkpg(t, BLKPG_RESIZE_PARTITION, part->num, start, length);
	return r < 0 ? refused(t, part->num, r, "resize", err) : 0;
}

int kernel_remove(const struct tool *t, unsigned number, struct error *err)
{
	int r;

	if (!t->device)
		return 0;
	if (t->prefix)
		return dm_remove(t, number, err);
	r = blkpg(t, BLKPG_DEL_PARTITION, number, 0, 0);
	if (r == -EBUSY)
		return error_set(err, EBUSY,
				 "partition %u of '%s' is in use: a program has it open",
				 number, t->path);
	return r < 0 && r != -ENXIO ? refused(t, number, r, "give up", err) : 0;
}

static int list(const struct tool *t, struct disk *d, struct kernel_parts *out,
		struct error *err)
{
	int r = disk_identify(t->path, CHOICE_UNSET, d, err);

	return r < 0 ? r : kernel_list(d, KERNEL_PLACES, out, err);
}

int kernel_remove_all(const struct tool *t, struct error *err)
{
	AUTO_PARTS struct kernel_parts parts = { 0 };
	struct disk d;
	int r = t->device ? list(t, &d, &parts, err) : 0;

	for (size_t i = 0; r == 0 && i < parts.n; i++)
		r = kernel_remove(t, parts.at[i].number, err);
	return r;
}

/* A partition that reaches beyond what the disk now has is not for the kernel. */
int kernel_sync(const struct tool *t, struct error *err)
{
	AUTO_PARTS struct kernel_parts parts = { 0 };
	struct disk d;
	int r = t->device && t->disk ? list(t, &d, &parts, err) : 0;

	if (!t->device || !t->disk)
		return 0;
	for (const PedPartition *p = ped_disk_next_partition(t->disk, NULL); p && r == 0;
	     p = ped_disk_next_partition(t->disk, p))
		if (p->num > 0 && !tool_is_metadata(t, p) &&
		    !kernel_part_of(&parts, p->num))
			r = kernel_add(t, p, err);
	return r;
}

void kernel_tell_udev(const struct tool *t)
{
	char path[64];

	if (!t->device)
		return;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(t->device),
		 minor(t->device));

	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, "change", 6);
}
