/*
 * Changes, as they happen: to subscribers at once, and kept for the file `events`. Thread
 * safe.
 *
 * A line is "2026-11-22T20:05:01.123Z POOL VERB [VOLUME]"; blanks, controls and
 * backslashes in names are written \xHH. The last 10,000 lines are kept (up to 11,000
 * between trimmings).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backends/support/buf.h"

struct pool;

enum event_what {
	EVENT_POOL_ADDED,    /* pool: valid during the callback; as for all below */
	EVENT_POOL_REMOVED,
	EVENT_POOL_RENAMED,  /* name: the old name */
	EVENT_POOL_DEFINED,
	EVENT_POOL_STATE,    /* name: the new state */
	EVENT_VOLUME_ADDED,  /* name: the volume */
	EVENT_VOLUME_REMOVED,
	EVENT_VOLUME_RENAMED, /* name: old, other: new */
	EVENT_VOLUME_CHANGED,
	EVENT_VOLUMES_ALL,   /* any volume may have come, gone or changed */
	EVENT_SNAPSHOTS,     /* name: the volume whose snapshots changed */
	EVENT_ERROR, /* an error file changed; name: the volume, or NULL; pool: or NULL */
};

struct event {
	enum event_what what;
	struct pool *pool; /* NULL: the root */
	const char *name, *other;
	bool from_outside; /* seen by watching, not made by a request of ours */
	bool by_file; /* made through the volume's own file, whose caller sees the result
		       */
};

/* Called in the thread that made the change, without locks of the model; must not block.
 */
int events_subscribe(void (*fn)(void *arg, const struct event *), void *arg);
void events_unsubscribe(void (*fn)(void *arg, const struct event *), void *arg);

/* Records and tells. */
void events_emit(const struct event *e);

/* The log of changes as a byte stream: positions count all bytes since start. */
uint64_t events_first(void); /* position of the oldest kept byte */
uint64_t events_end(void);   /* position behind the newest */
/* Adds up to size bytes from position on; a position before the first is moved to it.
 * Returns the position of the first byte given. */
uint64_t events_read(uint64_t position, size_t size, struct buf *out);
void events_exit(void);
