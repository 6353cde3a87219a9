/*
 * I/O on volumes without a descriptor: what is in flight, and waiting for one operation.
 */
#pragma once

#include "backends/model/volume_handle.h"

/*
 * Does one operation and waits for it, at most until the call's deadline; returns what
 * done was given. data (of WRITE) must stay as it is for good, since a backend that does
 * not answer keeps it. After -ETIMEDOUT the operation may still be under way: then
 * late->given_up is set, and late->fn called when it has ended (late may be NULL).
 */
struct io_late {
	void (*fn)(struct volume_handle *h);
	bool given_up;
};
ssize_t volume_io(struct volume_handle *h, enum io_op op, uint64_t off, const void *data,
		  uint64_t len, struct io_late *late, struct call *call,
		  struct error *err);

/* IO_FLUSH; closes: as in struct io. */
int volume_io_flush(struct volume_handle *h, bool closes, struct call *call,
		    struct error *err);

/* volume_copy of those that volume_transfers is true of; to is prepared for len bytes. */
ssize_t volume_transfer(struct volume_handle *from, off_t from_off,
			struct volume_handle *to, off_t to_off, size_t len,
			struct call *call, struct error *err);

/* Waits until nothing is in flight, at most until the deadline. */
bool volume_io_drain(struct volume_handle *h, struct call *call);

/* Whether the call was cancelled or its deadline has passed: -EINTR, -ETIMEDOUT. */
int volume_call_check(const struct call *call, const char *name, struct error *err);
