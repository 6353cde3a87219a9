/* What is gathered lies in few pieces: copies lie next to one another. */
#include "backends/sheepdog/sheep_pieces.h"

#include <stdlib.h>

struct sheep_pieces *pieces_new(size_t room)
{
	struct sheep_pieces *p = calloc(1, sizeof(*p));

	if (p)
		p->room = room;
	return p;
}

void pieces_free(struct sheep_pieces *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->n_taken; i++)
		p->taken[i].free_bytes(p->taken[i].bytes);
	pages_put(&p->copies);
	free(p);
}

static bool can_take(const struct io *io, size_t len)
{
	return io->bytes && io->iovcnt == 1 && io->iov[0].iov_len == len &&
	       len >= PIECE_MIN;
}

static void add_taken(struct sheep_pieces *p, struct io *io)
{
	p->taken[p->n_taken].bytes = take(io->bytes);
	p->taken[p->n_taken++].free_bytes = io->free_bytes;
	p->iov[p->n++] = io->iov[0];
	p->len += io->iov[0].iov_len;
}

bool pieces_add(struct sheep_pieces *p, struct io *io, size_t skip, size_t len)
{
	struct sheep_slice bytes = { io->iov, io->iovcnt, skip, len };
	struct iovec *last = p->n ? &p->iov[p->n - 1] : NULL;
	char *to;

	if (can_take(io, len)) {
		add_taken(p, io);
		return true;
	}
	if (!p->copies.at && !pages_get(&p->copies, p->room))
		return false;
	to = (char *)p->copies.at + p->copied;
	slice_copy(&bytes, to);
	if (last && (char *)last->iov_base + last->iov_len == to)
		last->iov_len += len;
	else
		p->iov[p->n++] = (struct iovec){ to, len };
	p->copied += len;
	p->len += len;
	return true;
}
