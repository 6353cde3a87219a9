/*
 * Ranges of blocks that are written, and who has to wait for whom: a write of part of a
 * block reads the block first, and would undo what another one writes into it meanwhile.
 *
 * Also the pieces that a range of memory is cut into. Nothing here knows of sessions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "backends/support/list.h"

struct range {
	struct list link;
	uint64_t first, end; /* blocks */
	bool alone;	     /* it reads what it writes */
};

/* The blocks that [off, off + len) touches; alone when it does not fill all of them. */
struct range range_of(uint64_t off, uint64_t len, uint32_t block_size);

/* Enters it among those that write, or behind those that are blocked: true when it may go
 * on now. */
bool range_enter(struct list *writing, struct list *blocked, struct range *r);

/* It has ended, and leaves. Then range_next gives those that may go on, one after the
 * other; NULL: no more. */
void range_leave(struct range *r);
struct range *range_next(struct list *writing, struct list *blocked);

/*
 * The part [skip, skip + len) of an array of memory. out has room for n entries; returns
 * how many it took.
 */
size_t iov_slice(const struct iovec *iov, size_t n, size_t skip, size_t len,
		 struct iovec *out);
size_t iov_length(const struct iovec *iov, size_t n);
/* Between an array and plain memory, from skip on. */
void iov_gather(const struct iovec *iov, size_t n, void *to);
void iov_scatter(const struct iovec *iov, size_t n, const void *from, size_t len);
