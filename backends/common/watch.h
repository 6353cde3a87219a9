/*
 * Watching directories: one inotify instance and one thread for the whole process,
 * started with the first watch and gone after the last one.
 */
#pragma once

#include "backends/backend.h"
#include "backends/support/error.h"

struct watch;

/* name: of the entry that changed; NULL with CHANGE_ALL. Does not block, and adds or
 * removes no watch. */
typedef void (*watch_fn)(void *arg, enum change what, const char *name);

/*
 * Watches an open directory for names that come and go and for attributes and contents
 * that change (contents when a writer closes). Several watches of one directory are each
 * told. -ENOSPC and -EMFILE: a limit of inotify is reached.
 */
int watch_add(int dir, watch_fn fn, void *arg, struct watch **out, struct error *err);

/* When it returns, fn is not running and will not be called again. NULL is allowed. */
void watch_remove(struct watch *w);
