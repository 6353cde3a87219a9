/* The bytes of writes that are gathered: in the buffers that they came in, or copied. */
#pragma once

#include "backends/backend.h"
#include "backends/sheepdog/sheep_pages.h"
#include "backends/sheepdog/sheep_slice.h"

#define PIECE_MIN  (UINT32_C(896) << 10) /* smaller ones are copied */
#define PIECES_MAX 16			 /* of 4 MiB: every other one large, at most */

struct sheep_pieces {
	size_t len, room; /* bytes, and how many there may be */
	struct iovec iov[PIECES_MAX];
	int n;
	struct {
		void *bytes;
		void (*free_bytes)(void *);
	} taken[PIECES_MAX];
	int n_taken;
	struct pages copies;
	size_t copied;
};

/* NULL: no memory. */
struct sheep_pieces *pieces_new(size_t room);
void pieces_free(struct sheep_pieces *);

/* Adds len of the write's bytes from skip on, and takes what they lie in where they are
 * all of it. They fit. False: no memory. */
bool pieces_add(struct sheep_pieces *, struct io *, size_t skip, size_t len);
