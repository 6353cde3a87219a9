/*
 * Record locks of open volumes, as OFD locks on the backing file: one descriptor per lock
 * owner and volume. The calls themselves are in model/volume.h.
 */
#pragma once

#include "backends/model/volumes.h"

void volume_locks_init(struct volume_locks *l);
void volume_locks_exit(struct volume_locks *l);

struct volume_handle;
/* The handle is closed: drops its flock, and the owners that used it last. */
void volume_locks_close(struct volume_handle *h);
