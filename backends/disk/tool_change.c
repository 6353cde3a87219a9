/* Changes tables of partitions: what refuses a change, and how it is taken back. */
#include <errno.h>
#include <string.h>

#include "backends/disk/tool.h"

static int commit(struct tool *t, struct error *err)
{
	if (!ped_disk_commit_to_dev(t->disk))
		return tool_failed(t, err, "write the table of partitions of");
	return 0;
}

/* In memory alone. */
static PedDisk *fresh(const struct tool *t, const char *label, struct error *err)
{
	const char *name = tool_label(label);
	PedDiskType *type = name ? ped_disk_type_get(name) : NULL;
	PedDisk *disk = type ? ped_disk_new_fresh(t->dev, type) : NULL;

	if (!type)
		error_set(err, EOPNOTSUPP,
			  "libparted here knows no tables of the format '%s'", label);
	else if (!disk)
		tool_failed(t, err, "make a table of partitions on");
	return disk;
}

int tool_vacate(struct tool *t, const char *label, struct error *err)
{
	PedDisk *disk = fresh(t, label, err);
	int r;

	if (!disk)
		return -err->code;
	ped_disk_destroy(disk);
	r = kernel_remove_all(t, err);
	if (r < 0)
		kernel_sync(t, NULL);
	return r;
}

int tool_make_label(struct tool *t, const char *label, struct error *err)
{
	int r = tool_vacate(t, label, err);
	PedDisk *disk = r < 0 ? NULL : fresh(t, label, err);

	if (!disk)
		return -err->code;
	if (t->disk)
		ped_disk_destroy(t->disk);
	t->disk = disk;
	strcpy(t->label, label);
	return commit(t, err);
}

int tool_clear(struct tool *t, struct error *err)
{
	int r = kernel_remove_all(t, err);

	if (r == 0 && !ped_disk_clobber(t->dev))
		r = tool_failed(t, err, "remove the table of partitions of");
	return r;
}

/* -- what it is for -- */

/* A table that has no mark for it gets none. */
static void mark(PedPartition *part, const char *format)
{
	static const struct {
		const char *format, *type;
		PedPartitionFlag flag;
	} marks[] = {
		{ "none", "ext2", 0 },
		{ "linux", "ext2", 0 },
		{ "fat16", "fat16", 0 },
		{ "fat32", "fat32", 0 },
		{ "linux-swap", "linux-swap(v1)", PED_PARTITION_SWAP },
		{ "linux-lvm", "ext2", PED_PARTITION_LVM },
		{ "linux-raid", "ext2", PED_PARTITION_RAID },
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		if (strcmp(marks[i].format, format))
			continue;
		ped_partition_set_system(part, ped_file_system_type_get(marks[i].type));
		if (marks[i].flag && ped_partition_is_flag_available(part, marks[i].flag))
			ped_partition_set_flag(part, marks[i].flag, 1);
	}
}

static int check_kind(const struct tool *t, enum disk_kind kind, struct error *err)
{
	if (kind == DISK_PRIMARY)
		return 0;
	if (!tool_has_extended(t))
		return error_set(
			err, EINVAL,
			"only a table of the format 'dos' has extended and logical "
			"partitions, and that of '%s' is '%s'",
			t->path, t->label);
	if (kind == DISK_EXTENDED && ped_disk_extended_partition(t->disk))
		return error_set(
			err, EINVAL,
			"there is an extended partition on '%s' already, and a table "
			"has one at most",
			t->path);
	return 0;
}

int tool_create(struct tool *t, unsigned number, enum disk_kind kind, const char *format,
		uint64_t size, struct error *err)
{
	unsigned next = tool_next(t, kind);
	PedPartition *part;
	int r = check_kind(t, kind, err);

	if (r < 0)
		return r;
	if (next != number)
		return error_set(
			err, EINVAL,
			"the next partition of '%s' is number %u, not %u: its table has "
			"been changed meanwhile",
			t->path, next, number);
	part = tool_place(t, kind, size, err);
	if (!part)
		return -err->code;
	if (part->num != (int)number)
		return error_set(err, EIO,
				 "libparted numbers the new partition of '%s' %d, not %u",
				 t->path, part->num, number);
	if (kind != DISK_EXTENDED)
		mark(part, format);
	r = commit(t, err);
	if (r < 0)
		return r;
	r = kernel_add(t, part, err);
	if (r < 0 && ped_disk_delete_partition(t->disk, part))
		commit(t, NULL);
	return r;
}

/* -- changing one that is there -- */

static PedPartition *find(const struct tool *t, unsigned number, struct error *err)
{
	PedPartition *part = ped_disk_get_partition(t->disk, number);

	if (part && !tool_is_metadata(t, part))
		return part;
	error_set(err, ENOENT, "there is no partition %u on '%s'", number, t->path);
	return NULL;
}

/* An extended one has to reach around the logical ones. */
static int check_around(const struct tool *t, const PedPartition *part, PedSector end,
			struct error *err)
{
	if (!(part->type & PED_PARTITION_EXTENDED))
		return 0;
	for (const PedPartition *p = ped_disk_next_partition(t->disk, NULL); p;
	     p = ped_disk_next_partition(t->disk, p))
		if (p->type & PED_PARTITION_LOGICAL && p->num > 0 && p->geom.end > end)
			return error_set(
				err, EBUSY,
				"partition %d of '%s' is the extended one, and the "
				"logical partition %d would no longer be in it",
				part->num, t->path, p->num);
	return 0;
}

int tool_resize(struct tool *t, unsigned number, uint64_t size, bool shrink,
		struct error *err)
{
	PedPartition *part = find(t, number, err);
	struct tool_end was, to;
	int r;

	if (!part)
		return -err->code;
	was = (struct tool_end){ part->geom.end, part->geom.end, part->geom.end };
	r = tool_find_end(t, part, size, &to, err);
	/* somebody else may have changed it since it was looked at */
	if (r < 0 || (shrink ? to.end >= was.end : to.end <= was.end))
		return r;
	r = check_around(t, part, to.end, err);
	if (r < 0)
		return r;
	if (!tool_set_end(t, part, &to))
		return tool_failed(t, err, "resize a partition of");
	r = commit(t, err);
	if (r < 0)
		return r;
	r = kernel_resize(t, part, err);
	if (r < 0 && tool_set_end(t, part, &was))
		commit(t, NULL);
	return r;
}

static int check_removable(const struct tool *t, const PedPartition *part,
			   struct error *err)
{
	int last = ped_disk_get_last_partition_num(t->disk);

	if (part->type & PED_PARTITION_EXTENDED && tool_next(t, DISK_LOGICAL) > 5)
		return error_set(
			err, EBUSY,
			"partition %d of '%s' is the extended one and has %u logical "
			"ones in it: remove these first",
			part->num, t->path, tool_next(t, DISK_LOGICAL) - 5);
	if (part->type & PED_PARTITION_LOGICAL && last > part->num)
		return error_set(
			err, EBUSY,
			"partition %d of '%s' is a logical one and not the last: "
			"removing it would renumber those behind it; remove %d first",
			part->num, t->path, last);
	return 0;
}

/* The kernel gets back what the disk still has. */
static void take_back(struct tool *t)
{
	if (tool_read(t, NULL) == 0)
		kernel_sync(t, NULL);
}

/* The kernel is asked first: it knows who has it open. */
int tool_remove(struct tool *t, unsigned number, struct error *err)
{
	PedPartition *part = find(t, number, err);
	int r = part ? check_removable(t, part, err) : -err->code;

	if (r == 0)
		r = kernel_remove(t, number, err);
	if (r < 0)
		return r;
	if (!ped_disk_delete_partition(t->disk, part))
		r = tool_failed(t, err, "remove a partition of");
	else
		r = commit(t, err);
	if (r < 0)
		take_back(t);
	return r;
}
