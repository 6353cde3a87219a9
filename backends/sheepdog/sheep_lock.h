/*
 * Locks of VDIs, in clusters that were formatted with them: one for all of ours who write
 * a volume. The cluster knows the gateway as their owner, not us.
 */
#pragma once

#include "backends/sheepdog/sheep_inode.h"

/* Called by each who opens it for writing, and by each who closes. -EBUSY: another client
 * has it. */
int sheep_lock(struct sheep_inode *, struct call *, struct error *);
void sheep_unlock(struct sheep_inode *);

/* After a snapshot: the lock follows the name to its new VDI. */
void sheep_relock(struct sheep_inode *, struct call *);
