/* Zeros for a range of an open volume. */
#pragma once

#include "backends/model/volume_io.h"

/* [off, off + len) reads as zeros afterwards: discarded where the source then guarantees
 * that, else zeroed, else written. late: as of volume_io. Looks at the call's deadline
 * and flag. */
int volume_zero(struct volume_handle *h, uint64_t off, uint64_t len, struct io_late *late,
		struct call *call, struct error *err);

/* fallocate(2)'s punching (IO_PUNCH) or zeroing (IO_ZERO) of a range within the size.
 * -EOPNOTSUPP: the source cannot, and has changed nothing. What is too small for a device
 * to punch is written. */
int volume_clear(struct volume_handle *h, enum io_op op, uint64_t off, uint64_t len,
		 struct call *call, struct error *err);
