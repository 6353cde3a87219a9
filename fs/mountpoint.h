/* What is mounted where we are to be, and what a daemon that died has left there. */
#pragma once

#include <stdbool.h>

#include "backends/support/error.h"

/* Whether a storagefs is mounted there; with source (not NULL) that one. The mountpoint
 * itself is not looked at. */
bool mountpoint_taken(const char *path, const char *source);

/*
 * Clears a mount away whose daemon is gone: nothing can be done with it. Also where the
 * kernel still holds a thread of the one of this source, and every use of the mount would
 * wait for ever. What works is left alone; 0 as well where nothing is mounted.
 */
int mountpoint_clear(const char *source, const char *path, struct error *err);
