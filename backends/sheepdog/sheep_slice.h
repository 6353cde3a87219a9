/* Payloads: bytes that lie in the entries of an iovec. */
#pragma once

#include <stddef.h>
#include <sys/uio.h>

/* len bytes of an iovec from skip on; iov NULL: nowhere, they are dropped. */
struct sheep_slice {
	const struct iovec *iov;
	int iovcnt;
	size_t skip, len;
};

/* Its bytes from `done` on, as many as n entries can name; returns how many entries. */
int slice_iov(const struct sheep_slice *, size_t done, struct iovec *out, int n);

/* Puts len bytes into it, at `done`. */
void slice_fill(const struct sheep_slice *, size_t done, const void *from, size_t len);

/* Makes all of it zeros. */
void slice_clear(const struct sheep_slice *);

/* Copies all of it out. */
void slice_copy(const struct sheep_slice *, void *to);
