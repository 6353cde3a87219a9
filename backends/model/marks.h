/*
 * Marks of running pools, outside SOURCE and lost at a reboot: a daemon that is started
 * again finds running what ran before. For root in /run/storagefs, else in
 * $XDG_RUNTIME_DIR/storagefs, in a directory per SOURCE. A mark that cannot be written is
 * logged, no more.
 */
#pragma once

#include <stdbool.h>

void marks_open(const char *source);
void mark_set(const char *pool, const char *uuid);
void mark_clear(const char *pool);
/* Whether a pool of that name and UUID was running. */
bool mark_is_set(const char *pool, const char *uuid);
