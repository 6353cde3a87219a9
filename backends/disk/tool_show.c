/* Tells a table of partitions in lines. */
#include <blkid.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "backends/disk/tool.h"

#define KERNEL_SECTOR 512
#define LOGICAL_FIRST 5

DEFINE_CLEANUP(cleanup_probe, blkid_probe, blkid_free_probe)

/* What a type of a table says of a partition's use; 0 or NULL: it is not told so. */
static const struct {
	const char *format;
	unsigned dos;
	const char *gpt;
	PedPartitionFlag flag;
} formats[] = {
	{ "linux-lvm", 0x8e, "e6d6d379-f507-44c2-a23c-238f2a3df928", PED_PARTITION_LVM },
	{ "linux-raid", 0xfd, "a19d880f-05fc-4d3b-a006-743f0f84911e",
	  PED_PARTITION_RAID },
	{ "linux-swap", 0x82, "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
	  PED_PARTITION_SWAP },
	{ "linux", 0x83, "0fc63daf-8483-4772-8e79-3d69d8477de4", 0 },
	{ "fat32", 0x0b, NULL, 0 },
	{ "fat32", 0x0c, NULL, 0 },
	{ "fat16", 0x06, NULL, 0 },
	{ "fat16", 0x0e, NULL, 0 },
	{ "fat16", 0x04, NULL, 0 },
};

static bool has_flag(const PedPartition *part, PedPartitionFlag flag)
{
	return flag && ped_partition_is_flag_available(part, flag) &&
	       ped_partition_get_flag(part, flag) == 1;
}

/* Where the table does not tell, what was found in the partition does. */
static const char *format_of_content(const PedPartition *part)
{
	const char *type = part->fs_type ? part->fs_type->name : "";

	if (!strcmp(type, "fat16") || !strcmp(type, "fat32"))
		return type[3] == '1' ? "fat16" : "fat32";
	if (!strncmp(type, "linux-swap", 10))
		return "linux-swap";
	if (!strncmp(type, "ext", 3) || !strcmp(type, "xfs") || !strcmp(type, "btrfs"))
		return "linux";
	return "none";
}

static const char *format_of(const struct tool *t, const PedPartition *part,
			     blkid_partlist list)
{
	uint64_t start = part->geom.start * t->dev->sector_size / KERNEL_SECTOR;
	bool dos = !strcmp(t->label, "dos"), gpt = !strcmp(t->label, "gpt");

	if (part->type & PED_PARTITION_EXTENDED)
		return dos ? "extended" : "none";
	for (int i = 0; list && i < blkid_partlist_numof_partitions(list); i++) {
		blkid_partition p = blkid_partlist_get_partition(list, i);
		const char *type = blkid_partition_get_type_string(p);
		unsigned id = blkid_partition_get_type(p);

		if ((uint64_t)blkid_partition_get_start(p) != start)
			continue;
		for (size_t f = 0; f < sizeof(formats) / sizeof(*formats); f++)
			if ((dos && formats[f].dos == id) ||
			    (gpt && type && formats[f].gpt &&
			     !strcasecmp(formats[f].gpt, type)))
				return formats[f].format;
	}
	for (size_t f = 0; f < sizeof(formats) / sizeof(*formats); f++)
		if (has_flag(part, formats[f].flag))
			return formats[f].format;
	return format_of_content(part);
}

bool tool_has_extended(const struct tool *t)
{
	return !strcmp(t->label, "dos");
}

bool tool_is_metadata(const struct tool *t, const PedPartition *part)
{
	const char *name = "";

	if (part->type & (PED_PARTITION_METADATA | PED_PARTITION_PROTECTED))
		return true;
	if (part->type & PED_PARTITION_FREESPACE || part->num < 1)
		return false;
	/* the volume header of a dvh table, with its files */
	if (part->type && !tool_has_extended(t))
		return true;
	/* a mac table is its own first partition */
	if (ped_disk_type_check_feature(t->disk->type, PED_DISK_TYPE_PARTITION_NAME))
		name = ped_partition_get_name(part);
	return !strcmp(t->label, "mac") && name && !strcmp(name, "Apple") &&
	       part->geom.start == 1;
}

static enum disk_kind kind_of(const struct tool *t, const PedPartition *part)
{
	if (tool_is_metadata(t, part))
		return DISK_METADATA;
	if (part->type & PED_PARTITION_EXTENDED)
		return DISK_EXTENDED;
	return part->type & PED_PARTITION_LOGICAL ? DISK_LOGICAL : DISK_PRIMARY;
}

unsigned tool_next(const struct tool *t, enum disk_kind kind)
{
	int most = ped_disk_get_max_primary_partition_count(t->disk), n = LOGICAL_FIRST;

	if (kind == DISK_LOGICAL) {
		if (!tool_has_extended(t) || !ped_disk_extended_partition(t->disk))
			return 0;
		while (ped_disk_get_partition(t->disk, n))
			n++;
		return n;
	}
	for (n = 1; n <= most; n++) {
		/* the third of a sun table is all of the disk, for its own tools */
		if (n == 3 && !strcmp(t->label, "sun"))
			continue;
		if (!ped_disk_get_partition(t->disk, n))
			return n;
	}
	return 0;
}

static void show_partition(const struct tool *t, const PedPartition *part,
			   blkid_partlist list)
{
	uint64_t sector = t->dev->sector_size, start = part->geom.start * sector,
		 end = (part->geom.end + 1) * sector;

	if (part->type & PED_PARTITION_LOGICAL && !tool_has_extended(t))
		return;
	if (part->type & PED_PARTITION_FREESPACE)
		/* the first sector is the table's, though libparted has it for free */
		printf("free %s %" PRIu64 " %" PRIu64 "\n",
		       part->type & PED_PARTITION_LOGICAL ? "logical" : "primary",
		       MAX(start, sector), end);
	else if (part->num > 0)
		printf("part %d %s %" PRIu64 " %" PRIu64 " %s\n", part->num,
		       disk_kind_name(kind_of(t, part)), start, end,
		       format_of(t, part, list));
}

static blkid_probe probe(const struct tool *t)
{
	blkid_probe pr = blkid_new_probe();

	if (!pr)
		return NULL;
	blkid_probe_enable_superblocks(pr, 0);
	blkid_probe_enable_partitions(pr, 1);
	if (blkid_probe_set_device(pr, t->fd, 0, 0) == 0)
		return pr;
	blkid_free_probe(pr);
	return NULL;
}

int tool_show(const struct tool *t, struct error *err)
{
	CLEANUP(cleanup_probe) blkid_probe pr = t->disk ? probe(t) : NULL;
	blkid_partlist list = pr ? blkid_probe_get_partitions(pr) : NULL;
	unsigned next = 0, logical = 0;

	printf("disk %lld %lld\nlabel %s\n", t->dev->length * t->dev->sector_size,
	       t->dev->sector_size, t->label);
	if (t->disk) {
		for (const PedPartition *p = ped_disk_next_partition(t->disk, NULL); p;
		     p = ped_disk_next_partition(t->disk, p))
			show_partition(t, p, list);
		next = tool_next(t, DISK_PRIMARY);
		logical = tool_next(t, DISK_LOGICAL);
	}
	printf("next %u %u\ndone\n", next, logical);
	return fflush(stdout) ? error_errno(err, "cannot tell the table of '%s'", t->path)
			      : 0;
}
