/* Asks device-mapper for the state of a thin volume. */
#include "backends/logical/thin.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/device_mapper.h"
#include "backends/logical/name.h"
#include "backends/support/cleanup.h"

#define SECTOR UINT64_C(512)

DEFINE_CLEANUP(cleanup_task, struct dm_task *, dm_task_destroy)

/* The descriptor that the library keeps would be inherited by what other threads run. */
static void library_end(pthread_mutex_t **m)
{
	dm_lib_release();
	pthread_mutex_unlock(*m);
}

static void no_log(int level, const char *file, int line, int code, const char *fmt, ...)
{
}

static pthread_mutex_t *library_begin(void)
{
	pthread_mutex_lock(&device_mapper_lock);
	dm_log_with_errno_init(no_log);
	dm_set_name_mangling_mode(DM_STRING_MANGLING_NONE);
	return &device_mapper_lock;
}

/* "MAPPED HIGHEST", in sectors. */
int thin_used(const char *vg, const char *lv, uint64_t *bytes)
{
	pthread_mutex_t *library CLEANUP(library_end) = library_begin();
	CLEANUP(cleanup_task)
	struct dm_task *task = dm_task_create(DM_DEVICE_STATUS);
	char map[LOGICAL_MAP_MAX], *type = NULL, *status = NULL;
	uint64_t start, length;
	unsigned long long mapped;

	(void)library;
	logical_name_to_map(vg, lv, map);
	if (!task || !dm_task_set_name(task, map) || !dm_task_no_flush(task) ||
	    !dm_task_no_open_count(task) || !dm_task_run(task))
		return -ENODEV;
	dm_get_next_target(task, NULL, &start, &length, &type, &status);
	if (!type || strcmp(type, "thin") || !status ||
	    sscanf(status, "%llu", &mapped) != 1)
		return -EIO;
	*bytes = mapped * SECTOR;
	return 0;
}
