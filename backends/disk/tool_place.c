/* Where partitions go: the region of a new one, and the end of one that is resized. */
#include <errno.h>
#include <inttypes.h>
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

static PedSector up(PedSector at, PedSector unit)
{
	return (at + unit - 1) / unit * unit;
}

/* -- a new one -- */

struct place {
	PedSector start, length;
	PedSector last; /* of the free region */
};

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

static int no_room(const struct tool *t, bool logical, uint64_t size, struct error *err)
{
	return error_set(err, ENOSPC,
			 "there is no room for a partition of %" PRIu64
			 " bytes on '%s'%s",
			 size ? size : GRAIN, t->path,
			 logical ? " in its extended partition" : "");
}

PedPartition *tool_place(struct tool *t, enum disk_kind kind, uint64_t size,
			 struct error *err)
{
	PedPartition *part = NULL;
	struct place place;

	if (!find_place(t, kind == DISK_LOGICAL, size, &place))
		no_room(t, kind == DISK_LOGICAL, size, err);
	else if (!(part = add(t, kind, &place)))
		tool_failed(t, err, "make a partition on");
	return part;
}

/* -- one that is there -- */

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

int tool_find_end(const struct tool *t, PedPartition *part, uint64_t size,
		  struct tool_end *to, struct error *err)
{
	PedSector begin = part->geom.start;

	to->most = reach(t, part);
	to->least = begin + MAX(sectors(t, size), 1) - 1;
	to->end = MIN(up(to->least + 1, grain(t)) - 1, to->most);
	if (to->least <= to->most)
		return 0;
	return error_set(err, ENOSPC,
			 "partition %d of '%s' cannot have %" PRIu64
			 " bytes: with the free space behind it these are %" PRIu64,
			 part->num, t->path, size,
			 (uint64_t)((to->most - begin + 1) * t->dev->sector_size));
}

/* Just there; or near behind it, for tables that know whole cylinders only. */
bool tool_set_end(struct tool *t, PedPartition *part, const struct tool_end *to)
{
	const PedCHSGeometry *chs = &t->dev->bios_geom;
	PedSector begin = part->geom.start,
		  cylinder = (PedSector)chs->heads * chs->sectors;
	CLEANUP(cleanup_constraint) PedConstraint *exact = NULL;
	CLEANUP(cleanup_constraint) PedConstraint *near = NULL;
	PedGeometry at, start, ends;

	if (!ped_geometry_init(&at, t->dev, begin, to->end - begin + 1) ||
	    !ped_geometry_init(&start, t->dev, begin, 1) ||
	    !ped_geometry_init(&ends, t->dev, to->least,
			       MIN(to->most - to->least, cylinder) + 1))
		return false;
	tool_forget();
	exact = ped_constraint_exact(&at);
	if (exact && ped_disk_set_partition_geom(t->disk, part, exact, begin, to->end))
		return true;
	near = ped_constraint_new(ped_alignment_any, ped_alignment_any, &start, &ends,
				  to->least - begin + 1, to->most - begin + 1);
	return near && ped_disk_set_partition_geom(t->disk, part, near, begin, to->end);
}
