/*
 * A pool's table in memory. The kernel's partitions tell whether it is still right: they
 * are compared with those of the time it was read; and what the kernel tells makes it
 * stale.
 */
#include <errno.h>
#include <string.h>

#include "backends/disk/disk.h"
#include "backends/support/clock.h"

static int no_memory(const struct disk_pool *p, struct error *err)
{
	return error_code(err, ENOMEM, "cannot read the partitions of %s", p->disk.name);
}

/* Takes both over. */
static void put(struct disk_pool *p, struct disk_table *table,
		struct kernel_parts *kernel)
{
	SCOPED_LOCK(&p->lock);
	disk_table_clear(&p->table);
	kernel_parts_clear(&p->kernel);
	p->table = *table;
	p->kernel = *kernel;
	*table = (struct disk_table){ 0 };
	*kernel = (struct kernel_parts){ 0 };
}

static void set_stale(struct disk_pool *p, bool stale)
{
	SCOPED_LOCK(&p->lock);
	p->stale = stale;
}

/* With `changing`. What is told meanwhile makes it stale again. */
static int run(struct disk_pool *p, const char *const *arguments, bool changes,
	       struct call *call, struct error *err)
{
	AUTO_TABLE struct disk_table table = { 0 };
	AUTO_PARTS struct kernel_parts kernel = { 0 };
	int r;

	set_stale(p, false);
	r = disk_run(&p->disk, p->path, arguments, changes, call, &table, err);

	if (r == 0)
		r = kernel_list(&p->disk, KERNEL_PLACES, &kernel, err);
	if (r == 0)
		put(p, &table, &kernel);
	else
		set_stale(p, true);
	return r;
}

/* A change may take its time, and a disk that hangs all of it. */
static int turn_take(struct disk_pool *p, const struct call *call, struct error *err)
{
	struct timespec at = clock_timespec(call->deadline_ns);

	if (!call->deadline_ns)
		pthread_mutex_lock(&p->changing);
	else if (pthread_mutex_clocklock(&p->changing, CLOCK_MONOTONIC, &at) != 0)
		return error_set(
			err, ETIMEDOUT,
			"the partitions of %s are being read or changed still: try "
			"again",
			p->disk.name);
	return 0;
}

int disk_load(struct disk_pool *p, struct call *call, struct error *err)
{
	const char *const show[] = { "show", NULL };
	int r = turn_take(p, call, err);

	if (r < 0)
		return r;
	r = run(p, show, false, call, err);
	pthread_mutex_unlock(&p->changing);
	return r;
}

static void set_own(struct disk_pool *p, unsigned number)
{
	SCOPED_LOCK(&p->lock);
	p->own = number;
}

int disk_change(struct disk_pool *p, unsigned number, const char *const *arguments,
		struct call *call, struct error *err)
{
	int r = turn_take(p, call, err);

	if (r < 0)
		return r;
	set_own(p, number);
	r = run(p, arguments, true, call, err);
	if (r < 0)
		set_own(p, 0); /* nothing will be told */
	pthread_mutex_unlock(&p->changing);
	return r;
}

bool disk_is_echo(struct disk_pool *p, unsigned number, bool moved)
{
	SCOPED_LOCK(&p->lock);
	if (p->own != number) {
		p->stale |= moved;
		return false;
	}
	p->own = 0;
	return true;
}

static bool same(const struct kernel_parts *a, const struct kernel_parts *b, bool sizes)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->at[i].number != b->at[i].number ||
		    (sizes && a->at[i].size != b->at[i].size))
			return false;
	return true;
}

static bool is_current(struct disk_pool *p, const struct kernel_parts *now, bool sizes)
{
	SCOPED_LOCK(&p->lock);
	return !p->stale && same(now, &p->kernel, sizes);
}

int disk_get(struct disk_pool *p, struct call *call, struct disk_table *out,
	     struct error *err)
{
	AUTO_PARTS struct kernel_parts now = { 0 };
	int r = kernel_list(&p->disk, KERNEL_SIZES, &now, err);

	if (r == 0 && !is_current(p, &now, true))
		r = disk_load(p, call, err);
	if (r < 0)
		return r;
	SCOPED_LOCK(&p->lock);
	return disk_table_copy(&p->table, out) < 0 ? no_memory(p, err) : 0;
}

/* Drops what is no volume: what the table does not have, and metadata. With the lock. */
static void keep_volumes(const struct disk_table *t, struct kernel_parts *parts)
{
	size_t n = 0;

	for (size_t i = 0; i < parts->n; i++) {
		const struct disk_part *part = disk_table_find(t, parts->at[i].number);

		if (part && part->kind != DISK_METADATA)
			parts->at[n++] = parts->at[i];
	}
	parts->n = n;
}

/* Partitions of the table that the kernel does not have. With the lock. */
static const struct disk_part *missing(const struct disk_table *t,
				       const struct kernel_parts *parts)
{
	for (size_t i = 0; i < t->n_parts; i++)
		if (t->parts[i].kind != DISK_METADATA &&
		    !kernel_part_of(parts, t->parts[i].number))
			return &t->parts[i];
	return NULL;
}

int disk_numbers(struct disk_pool *p, struct call *call, struct kernel_parts *out,
		 struct error *err)
{
	AUTO_PARTS struct kernel_parts now = { 0 };
	const struct disk_part *gone;
	int r = kernel_list(&p->disk, KERNEL_NAMES, &now, err);

	if (r == 0 && !is_current(p, &now, false)) {
		kernel_parts_clear(&now);
		r = disk_load(p, call, err);
		if (r == 0)
			r = kernel_list(&p->disk, KERNEL_NAMES, &now, err);
	}
	if (r < 0)
		return r;
	SCOPED_LOCK(&p->lock);
	gone = missing(&p->table, &now);
	if (gone)
		return error_set(
			err, EIO,
			"the kernel has lost partition %u of '%s': try again, and if "
			"that does not help, look for what else changes the disk",
			gone->number, p->path);
	keep_volumes(&p->table, &now);
	*out = now;
	now = (struct kernel_parts){ 0 };
	return 0;
}

/* 1: it is a volume, 0: the table says that it is none, -1: the table does not know it.
 */
static int is_volume(struct disk_pool *p, unsigned number)
{
	const struct disk_part *part;

	SCOPED_LOCK(&p->lock);
	part = disk_table_find(&p->table, number);
	return part ? part->kind != DISK_METADATA : -1;
}

static bool had(struct disk_pool *p, const char *name)
{
	SCOPED_LOCK(&p->lock);
	for (size_t i = 0; i < p->kernel.n; i++)
		if (!strcmp(p->kernel.at[i].name, name))
			return true;
	return false;
}

int disk_find(struct disk_pool *p, const char *name, struct call *call,
	      struct kernel_part *out, struct error *err)
{
	int r = kernel_find(&p->disk, name, out);

	if (r == -ENODEV)
		return error_set(err, ENODEV, "the disk %s is gone", p->disk.name);
	if (r < 0 && !had(p, name))
		return error_set(err, ENOENT, "there is no partition '%s'", name);
	if (r < 0 || is_volume(p, out->number) < 0) {
		r = disk_load(p, call, err);
		if (r < 0)
			return r;
		r = kernel_find(&p->disk, name, out);
	}
	if (r < 0 || is_volume(p, out->number) <= 0)
		return error_set(err, ENOENT, "there is no partition '%s'", name);
	return 0;
}

bool disk_known(struct disk_pool *p, const char *name, dev_t device)
{
	unsigned number = p->disk.mapped ? 0 : disk_number(p->disk.prefix, name);
	const struct kernel_part *part;

	if (!number || is_volume(p, number) != 1)
		return false;
	SCOPED_LOCK(&p->lock);
	part = kernel_part_of(&p->kernel, number);
	return part && part->device == device;
}
