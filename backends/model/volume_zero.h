/* Zeros for a range of an open volume. */
#pragma once

#include "backends/model/volume_io.h"

/* [off, off + len) reads as zeros afterwards: discarded where the source then guarantees
 * that, else zeroed, else written. late: as of volume_io. Looks at the call's deadline
 * and flag. */
int volume_zero(struct volume_handle *h, uint64_t off, uint64_t len, struct io_late *late,
		struct call *call, struct error *err);
