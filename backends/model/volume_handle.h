/*
 * An open volume from the inside: what the volume_*.c files share that open it, move its
 * bytes, size it and lock it. Everybody else uses model/volume.h.
 */
#pragma once

#include <stdatomic.h>

#include "backends/backend.h"
#include "backends/model/executor.h"
#include "backends/model/pool.h"
#include "backends/model/volume.h"
#include "backends/model/volumes.h"

struct volume_handle {
	struct pool *pool;     /* a reference */
	/* The backend and its instance. Nothing that pool_end takes: an open volume alone
	 * keeps the pool from being stopped. */
	struct use use;
	struct volume_use of;
	struct vol_file file;
	enum volume_class class;
	int flags;
	pid_t opener;          /* its thread group; 0: not needed */
	char *name;            /* as it was opened: for messages, and where names stay */
	char *snap;            /* NULL: the volume itself */
	uint64_t snap_size;

	/* Guarded by the volume's space.lock: an O_TRUNC writer of a sized volume owes
	 * zeros from high on, as does one that emptied a volume which nobody had written
	 * to; wrote: something, to an unsized one. */
	bool truncated, emptied, wrote;
	uint64_t high;

	atomic_bool unflushed; /* something was written since the last flush */

	pthread_mutex_t lock;  /* guards the rest */
	pthread_cond_t idle;
	struct list flights;
	bool closed;           /* the last flight closes it */
	struct task closing;
	int flock_fd;          /* bears flock(2) where the volume has no descriptor; -1 */
};

static inline bool handle_writes(const struct volume_handle *h)
{
	return (h->flags & O_ACCMODE) != O_RDONLY;
}

static inline struct volume_space *handle_space(const struct volume_handle *h)
{
	return &h->of.volume->space;
}
