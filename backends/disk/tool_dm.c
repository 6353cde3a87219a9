/*
 * Partitions of mapped devices: linear maps, named and identified as kpartx(8) does it,
 * so that it takes them for its own.
 */
#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "backends/disk/disk_kernel.h"
#include "backends/disk/tool.h"

#define KERNEL_SECTOR 512

DEFINE_CLEANUP(cleanup_task, struct dm_task *, dm_task_destroy)

static int failed(const struct tool *t, unsigned number, const char *what,
		  const struct dm_task *task, struct error *err)
{
	int code = task ? dm_task_get_errno((struct dm_task *)task) : ENOMEM;

	return error_code(err, code ? code : EIO, "cannot %s partition %u of '%s'", what,
			  number, t->path);
}

/* Runs it, and waits until udev has dealt with it where it makes or removes a name. */
static bool run(struct dm_task *task, bool names)
{
	uint32_t cookie = 0;
	bool done;

	if (names && !dm_task_set_cookie(task, &cookie, 0))
		return false;
	done = dm_task_run(task);
	if (names)
		dm_udev_wait(cookie);
	return done;
}

static void quiet(int level, const char *file, int line, int code, const char *format,
		  ...)
{
}

/* The name of the map that is the partition, if there is one; else what it is to get. */
static void name_of(const struct tool *t, unsigned number, char out[DISK_NAME_MAX])
{
	struct kernel_part part;
	struct disk d;

	dm_log_with_errno_init(quiet);
	if (disk_identify(t->path, CHOICE_UNSET, &d, NULL) == 0 &&
	    kernel_find_number(&d, number, &part) == 0)
		strcpy(out, part.name);
	else
		disk_part_name(t->prefix, number, out);
}

/* The disk's own UUID, with the partition before it. */
static bool make_uuid(const struct tool *t, unsigned number, char out[DISK_NAME_MAX])
{
	char path[64], line[128] = "";

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/uuid", major(t->device),
		 minor(t->device));

	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		*line = '\0';
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	snprintf(out, DISK_NAME_MAX, "part%u-%s", number, line);
	return *line;
}

static struct dm_task *new_task(const struct tool *t, int type, unsigned number,
				uint64_t start, uint64_t length)
{
	char name[DISK_NAME_MAX], table[64];
	struct dm_task *task = dm_task_create(type);

	name_of(t, number, name);
	snprintf(table, sizeof(table), "%u:%u %llu", major(t->device), minor(t->device),
		 (unsigned long long)start / KERNEL_SECTOR);
	if (task && dm_task_set_name(task, name) &&
	    (!length ||
	     dm_task_add_target(task, 0, length / KERNEL_SECTOR, "linear", table)))
		return task;
	if (task)
		dm_task_destroy(task);
	return NULL;
}

int dm_add(const struct tool *t, unsigned number, uint64_t start, uint64_t length,
	   struct error *err)
{
	CLEANUP(cleanup_task)
	struct dm_task *task = new_task(t, DM_DEVICE_CREATE, number, start, length);
	char uuid[DISK_NAME_MAX];

	if (task && make_uuid(t, number, uuid))
		dm_task_set_uuid(task, uuid);
	return task && run(task, true) ? 0 : failed(t, number, "map", task, err);
}

static int resume(const struct tool *t, unsigned number, struct error *err)
{
	CLEANUP(cleanup_task)
	struct dm_task *task = new_task(t, DM_DEVICE_RESUME, number, 0, 0);

	return task && run(task, true) ? 0 : failed(t, number, "resume", task, err);
}

int dm_resize(const struct tool *t, unsigned number, uint64_t start, uint64_t length,
	      struct error *err)
{
	CLEANUP(cleanup_task)
	struct dm_task *task = new_task(t, DM_DEVICE_RELOAD, number, start, length);

	if (!task || !run(task, false))
		return failed(t, number, "resize", task, err);
	return resume(t, number, err);
}

int dm_remove(const struct tool *t, unsigned number, struct error *err)
{
	CLEANUP(cleanup_task)
	struct dm_task *task = new_task(t, DM_DEVICE_REMOVE, number, 0, 0);
	struct kernel_part part;
	struct disk d;

	if (disk_identify(t->path, CHOICE_UNSET, &d, NULL) < 0 ||
	    kernel_find_number(&d, number, &part) < 0)
		return 0;
	if (task && run(task, true))
		return 0;
	if (task && dm_task_get_errno(task) == EBUSY)
		return error_set(err, EBUSY,
				 "partition %u of '%s' is in use: a program has it open",
				 number, t->path);
	return failed(t, number, "remove the map of", task, err);
}
