/*
 * The kernel's multipath maps, by libdevmapper.
 *
 * The library has global state: one lock around each call of it, which is never held
 * during I/O. None of them waits for a disk.
 */
#pragma once

#include <sys/types.h>

#include "backends/mpath/paths.h"
#include "backends/support/error.h"

#define MAP_NAME 128 /* with its NUL */

struct map {
	char name[MAP_NAME]; /* as under /dev/mapper */
	dev_t device;
	struct paths paths;
};

/* Whether the kernel has device-mapper and lets us use it: -ENODEV, -EACCES. */
int maps_check(struct error *err);

/* All of them, in the kernel's order; *out is the caller's to free(). Returns how many.
 */
int maps_list(struct map **out, struct error *err);

/* -ENOENT: there is no multipath map of this name. */
int maps_find(const char *name, struct map *out, struct error *err);
