/*
 * Paths that lead into our own mount: using one as a pool's storage would have the daemon
 * wait for itself, and so would a stat(2) to find out. They are told from names and
 * symbolic links alone.
 */
#pragma once

#include <stdbool.h>

/* Whether an absolute path leads to or below the mount at this point, or below another
 * mount of the same filesystem (a bind mount). The mount itself is not touched. */
bool own_mount_has(const char *mountpoint, const char *path);
