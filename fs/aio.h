/*
 * Reads and writes that the kernel has under way: none of our threads waits for them, so
 * that a device that hangs holds none.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* One of them; a member of what waits for it. */
struct aio {
	void (*_Atomic done)(struct aio *a, ssize_t result);
};

/*
 * bytes [off, off + size) of a descriptor that is open with O_DIRECT. done is called
 * once, by a thread of ours, with how many were moved or with -errno; -EAGAIN: only with
 * a wait, after all; -EOPNOTSUPP: this descriptor cannot. Returns 0, or -errno and done
 * is not called: -EAGAIN it would have to wait now, all else that this descriptor cannot.
 * how: RWF_ flags of pwritev2(2).
 */
int aio_submit(struct aio *a, void (*done)(struct aio *a, ssize_t result), int fd,
	       bool write, int how, void *bytes, size_t size, off_t off);
