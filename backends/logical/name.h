/* Names: what LVM takes for a logical volume, and what device-mapper makes of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backends/support/error.h"

#define LOGICAL_NAME_MAX 128 /* with its NUL */
#define LOGICAL_MAP_MAX	 (4 * LOGICAL_NAME_MAX)

/* Whether there can be a logical volume of the name. */
bool logical_name_valid(const char *name);

/* -EINVAL, with LVM's rule that a new name in the volume group does not meet. */
int logical_name_check(const char *vg, const char *name, struct error *err);

/*
 * The logical volume that an entry of /dev/mapper is of: false where it is of another
 * volume group, or a layer that LVM puts below a volume.
 */
bool logical_name_of_map(const char *map, const char *vg, char lv[LOGICAL_NAME_MAX]);

/* The name of its own map, cut where the names are too long for one. */
void logical_name_to_map(const char *vg, const char *lv, char map[LOGICAL_MAP_MAX]);
