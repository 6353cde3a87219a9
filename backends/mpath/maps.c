/* Asks device-mapper for its multipath maps. */
#include "backends/mpath/maps.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "backends/common/device_mapper.h"
#include "backends/support/cleanup.h"

#define TARGET	  "multipath"
#define LOG_LEVEL 7 /* the bits of a level that are no flags */
#define LOG_ERROR 3

DEFINE_CLEANUP(cleanup_task, struct dm_task *, dm_task_destroy)
#define AUTO_TASK CLEANUP(cleanup_task)

static char said[200]; /* the library's last complaint; under its lock */

/* -- the library -- */

__attribute__((format(printf, 5, 6))) static void
on_log(int level, const char *file, int line, int code, const char *fmt, ...)
{
	va_list ap;

	if ((level & LOG_LEVEL) > LOG_ERROR)
		return;
	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
}

/* The descriptor that the library keeps would be inherited by what other threads run. */
static void library_end(pthread_mutex_t **m)
{
	dm_lib_release();
	pthread_mutex_unlock(*m);
}

/* Names stay as the kernel has them, which is as they are under /dev/mapper. */
static pthread_mutex_t *library_begin(void)
{
	pthread_mutex_lock(&device_mapper_lock);
	dm_log_with_errno_init(on_log);
	dm_set_name_mangling_mode(DM_STRING_MANGLING_NONE);
	said[0] = '\0';
	return &device_mapper_lock;
}

/* The library is ours until the end of the scope. */
#define SCOPED_LIBRARY                                                           \
	pthread_mutex_t *library_ CLEANUP(library_end) __attribute__((unused)) = \
		library_begin()

static const char *reason(void)
{
	return said[0] ? said : "it does not say why";
}

int maps_check(struct error *err)
{
	SCOPED_LIBRARY;
	char version[80];

	if (dm_driver_version(version, sizeof(version)))
		return 0;
	if (geteuid())
		return error_set(err, EACCES, "multipath maps are for root only: %s",
				 reason());
	return error_set(err, ENODEV,
			 "the kernel's device-mapper cannot be used (modprobe "
			 "dm_multipath): %s",
			 reason());
}

/* -- one map -- */

/* 1: *out is of the multipath map that has the name, 0: there is none. With the library.
 */
static int read_map(const char *name, struct map *out, struct error *err)
{
	AUTO_TASK struct dm_task *task = dm_task_create(DM_DEVICE_STATUS);
	struct dm_info info = { 0 };
	char *type = NULL, *status = NULL;
	uint64_t start, length;

	if (!task || !dm_task_set_name(task, name) || !dm_task_no_flush(task) ||
	    !dm_task_no_open_count(task) || !dm_task_run(task) ||
	    !dm_task_get_info(task, &info)) {
		if (task && dm_task_get_errno(task) == ENXIO)
			return 0;
		return error_set(err, EIO, "cannot ask for map '%s': %s", name, reason());
	}
	if (!info.exists || !info.live_table)
		return 0;
	dm_get_next_target(task, NULL, &start, &length, &type, &status);
	if (!type || strcmp(type, TARGET))
		return 0;
	*out = (struct map){ .device = makedev(info.major, info.minor) };
	strcpy(out->name, name);
	if (!status || !paths_parse(status, &out->paths))
		out->paths = (struct paths){ 0 };
	return 1;
}

int maps_find(const char *name, struct map *out, struct error *err)
{
	SCOPED_LIBRARY;
	int r = strlen(name) < MAP_NAME ? read_map(name, out, err) : 0;

	if (r == 0)
		return error_set(err, ENOENT, "there is no multipath map '%s'", name);
	return r < 0 ? r : 0;
}

/* -- all of them -- */

static int add(struct map **list, size_t *n, const struct map *map)
{
	struct map *more = reallocarray(*list, *n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	*list = more;
	more[(*n)++] = *map;
	return 0;
}

/* The entries come one behind the other, each with the distance to the next; the last
 * has 0, an empty list a device of 0. */
static int read_names(const struct dm_names *at, struct map **list, size_t *n,
		      struct error *err)
{
	struct map map;
	int r = 0;

	if (!at || !at->dev)
		return 0;
	for (;;) {
		if (strlen(at->name) < MAP_NAME)
			r = read_map(at->name, &map, err);
		if (r > 0 && add(list, n, &map) < 0)
			r = error_code(err, ENOMEM, "cannot list multipath maps");
		if (r < 0 || !at->next)
			return r < 0 ? r : 0;
		at = (const struct dm_names *)((const char *)at + at->next);
	}
}

int maps_list(struct map **out, struct error *err)
{
	SCOPED_LIBRARY;
	AUTO_TASK struct dm_task *task = dm_task_create(DM_DEVICE_LIST);
	AUTO_FREE struct map *list = NULL;
	size_t n = 0;
	int r;

	if (!task || !dm_task_run(task))
		return error_set(err, EIO, "cannot list multipath maps: %s", reason());
	r = read_names(dm_task_get_names(task), &list, &n, err);
	if (r < 0)
		return r;
	*out = take(list);
	return n;
}
