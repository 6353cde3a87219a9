/*
 * Writes that are answered before they are stored, at most 32 MiB of a pool.
 */
#pragma once

#include "backends/sheepdog/sheep_op.h"

/* -- on the loop -- */

/* True: the operation waits for the end of what was answered before it and is not stored
 * yet, and begins again then. */
bool behind_holds(struct sheep_op *);

/* True: the write was answered, or waits for room. */
bool behind_takes(struct sheep_op *);

/* Tells a flush that has waited what was lost. */
void behind_flushed(struct sheep_op *);

/* One of ours has come to its end. */
void behind_ended(struct sheep_op *);

/* Stores what has been gathered. */
void behind_begin(struct sheep_inode *);

/* The same for what has waited long enough for more; lowers *until. */
void behind_prepare(struct sheep_pool *, uint64_t *until);

/* -- for threads that may wait -- */

/* All of the pool is stored, or lost, or the time is up. */
void behind_drain(struct sheep_pool *, uint64_t deadline_ns);

/* What was answered of the VDI is stored, where it is open. */
int behind_settle(struct sheep_pool *, const struct sheep_vdi *, struct call *,
		  struct error *);
