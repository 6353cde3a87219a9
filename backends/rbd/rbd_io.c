/*
 * Open volumes: reads, writes, flushes and zeros go to librbd, many at once, and are
 * answered from its completions. No thread waits for any.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* -- opening -- */

static enum image_use use_of(int flags)
{
	return (flags & O_ACCMODE) == O_RDONLY ? IMAGE_READ : IMAGE_WRITE;
}

int rbd_vol_open(void *pool, const char *name, const char *snap, int flags,
		 struct vol_file *out, struct call *call, struct error *err)
{
	AUTO_FREE struct opened *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return error_code(err, ENOMEM, "cannot open image '%s'", name);
	o->use = use_of(flags);
	r = image_get(pool, name, snap, o->use, call, &o->image, err);
	if (r < 0)
		return r;
	o->seen = behind_seen(&o->image->behind);
	*out = (struct vol_file){ .vol = take(o), .fd = -1 };
	return 0;
}

void rbd_vol_close(void *pool, struct vol_file *file)
{
	struct opened *o = file->vol;

	image_put(o->image, o->use);
	free(o);
}

/* -- one operation -- */

struct flight {
	struct io *io;
	struct image *image;
};

static const char *const doing[] = {
	[IO_READ] = "read",
	[IO_WRITE] = "write to",
	[IO_FLUSH] = "sync",
	[IO_PUNCH] = "punch a hole into",
	[IO_ZERO] = "zero a range of",
};

static void answer(struct io *io, struct image *i, ssize_t result)
{
	struct error err = { 0 };

	if (result >= 0) {
		io->done(io, result, NULL);
		return;
	}
	result = rbd_failed(i->pool, result, &err, "cannot %s image '%s'", doing[io->op],
			    i->name);
	io->done(io, result, &err);
}

static size_t length(const struct io *io)
{
	size_t len = 0;

	for (int k = 0; k < io->iovcnt; k++)
		len += io->iov[k].iov_len;
	return len;
}

/* librbd's writes, flushes and zeros end with 0. */
static void landed(rbd_completion_t c, void *arg)
{
	struct flight *f = arg;
	struct io *io = f->io;
	struct image *i = f->image;
	ssize_t r = rbd_aio_get_return_value(c);

	rbd_aio_release(c);
	free(f);
	answer(io, i, r == 0 && io->op == IO_WRITE ? (ssize_t)length(io) : r);
}

static int begin(struct image *i, struct io *io, rbd_completion_t c)
{
	if (io->op != IO_READ && io->op != IO_FLUSH)
		atomic_store_explicit(&i->wrote, true, memory_order_relaxed);
	switch (io->op) {
	case IO_READ:
		return rbd_aio_readv(i->rbd, io->iov, io->iovcnt, io->off, c);
	case IO_WRITE:
		return rbd_aio_writev(i->rbd, io->iov, io->iovcnt, io->off, c);
	case IO_FLUSH:
		return rbd_aio_flush(i->rbd, c);
	case IO_PUNCH:
		return rbd_aio_write_zeroes(i->rbd, io->off, io->len, c, 0, 0);
	case IO_ZERO:
		return rbd_aio_write_zeroes(i->rbd, io->off, io->len, c,
					    RBD_WRITE_ZEROES_FLAG_THICK_PROVISION, 0);
	}
	return -EOPNOTSUPP;
}

void image_submit(void *image, struct io *io)
{
	struct image *i = image;
	struct flight *f = malloc(sizeof(*f));
	rbd_completion_t c;
	int r = -ENOMEM;

	if (f) {
		*f = (struct flight){ .io = io, .image = i };
		r = rbd_aio_create_completion(f, landed, &c);
	}
	if (r == 0) {
		r = begin(i, io, c);
		if (r < 0)
			rbd_aio_release(c);
	}
	if (r < 0) {
		free(f);
		answer(io, i, r);
	}
}

void rbd_vol_submit(void *vol, struct io *io)
{
	struct opened *o = vol;

	behind_submit(&o->image->behind, &o->seen, io);
}
