/* Changes tables of partitions: where partitions go, and how a change is taken back. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/param.h>

#include "backends/disk/tool.h"

#define GRAIN (UINT64_C(1) << 20) /* partitions begin and end at multiples of it */

DEFINE_CLEANUP(cleanup_constraint, PedConstraint *, ped_constraint_destroy)
DEFINE_CLEANUP(cleanup_geometry, PedGeometry *, ped_geometry_destroy)

static PedSector grain(const struct tool *t)
{
	return MAX(GRAIN / t->dev->sector_size, 1);
}

static PedSector sectors(const struct tool *t, uint64_t size)
{
	return size / t->dev->sector_size + !!(size % t->dev->sector_size);
}

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

/* -- where a new one goes -- */

struct place {
	PedSector start, length;
	PedSector last; /* of the free region */
};

static PedSector up(PedSector at, PedSector unit)
{
	return (at + unit - 1) / unit * unit;
}

/* Sized ones go where they fit best, others where there is most room to grow. */
static bool better(const struct place *a, const struct place *b, bool sized)
{
	PedSector room_a = a->last - a->start, room_b = b->last - b->start;

	return !b->length || (sized ? room_a < room_b : room_a > room_b);
}

static bool place_in(const struct tool *t, const PedPartition *region, bool logical,
		     PedSector want, struct place *out)
{
	PedSector g = grain(t), room, first = region->geom.start;

	out->last = region->geom.end;
	/* a logical one has a table of its own before it; and that of the disk is in its
	 * first sectors, also where the format (sun) lets a partition begin at 0 */
	out->start = up(MAX(first + logical, 1), g);
	room = out->last + 1 - out->start;
	if (room < want || room <= 0)
		return false;
	out->length = MIN(up(want, g), room);
	return true;
}

static bool find_place(const struct tool *t, bool logical, uint64_t size,
		       struct place *out)
{
	PedSector want = MAX(sectors(t, size ? size : GRAIN), 1);

	*out = (struct place){ 0 };
	for (const PedPartition *p = ped_disk_next_partition(t->disk, NULL); p;
	     p = ped_disk_next_partition(t->disk, p)) {
		struct place here;

		if (!(p->type & PED_PARTITION_FREESPACE) ||
		    !(p->type & PED_PARTITION_LOGICAL) != !logical)
			continue;
		if (place_in(t, p, logical, want, &here) && better(&here, out, size))
			*out = here;
	}
	return out->length;
}

/* Just there; or, for tables that know whole cylinders only, near behind it. */
static PedConstraint *constraint(const struct tool *t, const struct place *p, bool exact)
{
	CLEANUP(cleanup_geometry) PedGeometry *range = NULL;
	PedGeometry at;

	if (exact)
		return ped_geometry_init(&at, t->dev, p->start, p->length)
			       ? ped_constraint_exact(&at)
			       : NULL;
	range = ped_geometry_new(t->dev, p->start, p->last - p->start + 1);
	if (!range)
		return NULL;
	return ped_constraint_new(ped_alignment_any, ped_alignment_any, range, range,
				  p->length, range->length);
}

static PedPartition *add(struct tool *t, enum disk_kind kind, const struct place *p)
{
	PedPartitionType type = kind == DISK_EXTENDED  ? PED_PARTITION_EXTENDED
				: kind == DISK_LOGICAL ? PED_PARTITION_LOGICAL
						       : PED_PARTITION_NORMAL;

	for (int exact = 1; exact >= 0; exact--) {
		CLEANUP(cleanup_constraint)
		PedConstraint *c = constraint(t, p, exact);
		PedPartition *part = ped_partition_new(t->disk, type, NULL, p->start,
						       p->start + p->length - 1);

		if (exact)
			tool_forget();
		if (c && part && ped_disk_add_partition(t->disk, part, c))
			return part;
		if (part)
			ped_partition_destroy(part);
	}
	return NULL;
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

static int no_room(const struct tool *t, bool logical, uint64_t size, struct error *err)
{
	return error_set(err, ENOSPC,
			 "there is no room for a partition of %" PRIu64
			 " bytes on '%s'%s",
			 size ? size : GRAIN, t->path,
			 logical ? " in its extended partition" : "");
}

int tool_create(struct tool *t, unsigned number, enum disk_kind kind, const char *format,
		uint64_t size, struct error *err)
{
	unsigned next = tool_next(t, kind);
	struct place place;
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
	if (!find_place(t, kind == DISK_LOGICAL, size, &place))
		return no_room(t, kind == DISK_LOGICAL, size, err);
	part = add(t, kind, &place);
	if (!part)
		return tool_failed(t, err, "make a partition on");
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

/* How far it could reach with its beginning where it is. */
static PedSector reach(const struct tool *t, PedPartition *part)
{
	CLEANUP(cleanup_geometry) PedGeometry *most = NULL;
	CLEANUP(cleanup_constraint) PedConstraint *c = NULL;
	PedGeometry start, end;

	if (!ped_geometry_init(&start, t->dev, part->geom.start, 1) ||
	    !ped_geometry_init(&end, t->dev, part->geom.start,
			       t->dev->length - part->geom.start))
		return part->geom.end;
	c = ped_constraint_new(ped_alignment_any, ped_alignment_any, &start, &end, 1,
			       t->dev->length);
	most = c ? ped_disk_get_max_partition_geometry(t->disk, part, c) : NULL;
	return most && most->start == part->geom.start ? MAX(most->end, part->geom.end)
						       : part->geom.end;
}

/* Just there; or near behind it, for tables that know whole cylinders only. */
static bool set_end(struct tool *t, PedPartition *part, PedSector least, PedSector end,
		    PedSector most)
{
	const PedCHSGeometry *chs = &t->dev->bios_geom;
	PedSector begin = part->geom.start,
		  cylinder = (PedSector)chs->heads * chs->sectors;
	CLEANUP(cleanup_constraint) PedConstraint *exact = NULL;
	CLEANUP(cleanup_constraint) PedConstraint *near = NULL;
	PedGeometry at, start, ends;

	if (!ped_geometry_init(&at, t->dev, begin, end - begin + 1) ||
	    !ped_geometry_init(&start, t->dev, begin, 1) ||
	    !ped_geometry_init(&ends, t->dev, least, MIN(most - least, cylinder) + 1))
		return false;
	tool_forget();
	exact = ped_constraint_exact(&at);
	if (exact && ped_disk_set_partition_geom(t->disk, part, exact, begin, end))
		return true;
	near = ped_constraint_new(ped_alignment_any, ped_alignment_any, &start, &ends,
				  least - begin + 1, most - begin + 1);
	return near && ped_disk_set_partition_geom(t->disk, part, near, begin, end);
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
	PedSector begin, was, most, least, end;
	int r;

	if (!part)
		return -err->code;
	begin = part->geom.start;
	was = part->geom.end;
	most = reach(t, part);
	least = begin + MAX(sectors(t, size), 1) - 1;
	end = MIN(up(least + 1, grain(t)) - 1, most);
	if (least > most)
		return error_set(
			err, ENOSPC,
			"partition %u of '%s' cannot have %" PRIu64
			" bytes: with the free space behind it these are %" PRIu64,
			number, t->path, size,
			(uint64_t)((most - begin + 1) * t->dev->sector_size));
	/* somebody else may have changed it since it was looked at */
	if (shrink ? end >= was : end <= was)
		return 0;
	r = check_around(t, part, end, err);
	if (r < 0)
		return r;
	if (!set_end(t, part, least, end, most))
		return tool_failed(t, err, "resize a partition of");
	r = commit(t, err);
	if (r < 0)
		return r;
	r = kernel_resize(t, part, err);
	if (r < 0 && set_end(t, part, was, was, was))
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
