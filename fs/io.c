/*
 * Four ways for the bytes of a volume: in place on its descriptor; on an executor, where
 * that may wait or something has to be done before a write; small direct ones of a device
 * that may hang, or has others under way, by the kernel meanwhile; or submitted to the
 * backend and completed by it.
 *
 * The first never makes a request: it is the path that counts. The others own their
 * bytes, in pages.
 */
#include "fs/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/model/volume.h"
#include "fs/crew.h"
#include "fs/descriptor.h"
#include "fs/lane.h"
#include "fs/request.h"

#define PAGE 4096

/* -- buffers -- */

static int add_buffer(struct request *r, struct error *err)
{
	r->buffer = buffer_take(r->size, &r->give_buffer);
	return r->buffer ? 0 : error_set(err, ENOMEM, "out of memory");
}

void io_release(struct request *r)
{
	if (r->buffer)
		r->give_buffer(r->buffer);
}

/* A large write is left in what it was received in. */
static int take_bytes(struct request *r, const void *data, struct error *err)
{
	r->buffer = buffer_keep(data, r->size);
	if (r->buffer) {
		r->give_buffer = buffer_give;
		return 0;
	}
	if (add_buffer(r, err) < 0)
		return -ENOMEM;
	memcpy(r->buffer, data, r->size);
	return 0;
}

/* -- on a descriptor -- */

/* Reads and writes of devices, in place or direct. An answer may bring the next, so what
 * is answered is no longer under way. */
static atomic_uint under_way;

static void began(const struct file *f)
{
	if (f->device)
		atomic_fetch_add(&under_way, 1);
}

/* In place, which may not be what was expected of this one. */
static void began_to_wait(const struct file *f)
{
	began(f);
	if (f->device)
		crew_waits();
}

static void ended(const struct file *f)
{
	if (f->device)
		atomic_fetch_sub(&under_way, 1);
}

static int data_error(struct error *err, int code, const char *what, const struct node *n)
{
	char path[300];

	node_path(n, path, sizeof(path));
	return error_code(err, -code, "cannot %s '%s'", what, path);
}

/* -- in place -- */

static void fail_inline(fuse_req_t req, struct file *f, int code, const char *what)
{
	struct error err = { 0 };

	data_error(&err, code, what, f->node);
	reply_error(req, f->node, NULL, &err);
}

/* What of a small read lies in memory; for the rest, if any, another reads meanwhile. */
static size_t read_cached(struct file *f, char *to, size_t size, off_t off)
{
	struct iovec iov = { to, size };
	ssize_t n;

	if (size > IO_SMALL || (f->flags & O_DIRECT) || atomic_load(&f->cannot_tell))
		return 0;
	n = preadv2(f->fd, &iov, 1, off, RWF_NOWAIT);
	if (n < 0 && errno == EOPNOTSUPP)
		atomic_store(&f->cannot_tell, true);
	file_note_cached(f, n == (ssize_t)size);
	if (n != (ssize_t)size)
		crew_waits();
	return n > 0 ? n : 0;
}

static ssize_t read_rest(struct file *f, int flags, char *to, size_t size, off_t off)
{
	size_t done = read_cached(f, to, size, off);
	ssize_t n;

	if (done == size)
		return done;
	n = descriptor_read(f, flags, to + done, size - done, off + done);
	return n < 0 ? (done ? (ssize_t)done : n) : (ssize_t)done + n;
}

static void read_inline(fuse_req_t req, struct file *f, size_t size, off_t off, int flags)
{
	uint64_t start = clock_now();
	void (*give)(void *);
	char *buffer = buffer_take(IO_MAX, &give);
	ssize_t n = -ENOMEM;

	began_to_wait(f);
	if (buffer)
		n = read_rest(f, flags, buffer, size, off);
	ended(f);
	request_count(METRIC_READ, start, n < 0 ? -n : 0);
	if (n < 0)
		fail_inline(req, f, n, "read");
	else
		fuse_reply_buf(req, buffer, n);
	give(buffer);
	file_put(f);
}

/* For a direct descriptor, where the bytes lie as libfuse received them. */
static ssize_t write_bounced(const struct file *f, int flags, const void *data,
			     size_t size, off_t off)
{
	void (*give)(void *);
	void *buffer = buffer_take(IO_MAX, &give);
	ssize_t n = -ENOMEM;

	if (buffer)
		n = descriptor_write(f, flags, memcpy(buffer, data, size), size, off);
	give(buffer);
	return n;
}

static void write_inline(fuse_req_t req, struct file *f, const char *data, size_t size,
			 off_t off, int flags)
{
	uint64_t start = clock_now();
	bool aligned = !(f->flags & O_DIRECT) || (uintptr_t)data % PAGE == 0;
	ssize_t n;

	began_to_wait(f);
	n = aligned ? descriptor_write(f, flags, data, size, off) :
		      write_bounced(f, flags, data, size, off);
	ended(f);
	request_count(METRIC_WRITE, start, n < 0 ? -n : 0);
	if (n < 0)
		fail_inline(req, f, n, "write");
	else
		fuse_reply_write(req, n);
	file_put(f);
}

/* -- submitted -- */

static void end_io(struct request *r, ssize_t result, const struct error *err)
{
	struct error copy = { 0 };

	if (result < 0 && err && err->code)
		copy = *err;
	else if (result < 0)
		data_error(&copy, result, r->io.op == IO_READ ? "read" : "write", r->node);
	lane_leave(r->file->lane, r);
	request_done(r, result < 0 ? result : 0, &copy);
}

static void flush_done(struct io *io, ssize_t result, const struct error *err)
{
	end_io(io->owner, result, err);
}

static void io_done(struct io *io, ssize_t result, const struct error *err)
{
	struct request *r = io->owner;

	if (io->free_bytes)
		r->buffer = io->bytes;
	r->out.count = result;
	if (result <= 0 || io->op != IO_WRITE || !descriptor_stores(r->flags)) {
		end_io(r, result, err);
		return;
	}
	r->io = (struct io){ .op = IO_FLUSH, .done = flush_done, .owner = r };
	volume_submit(r->file->volume, &r->io);
}

/* A large buffer that is mostly empty is not for keeping. */
static void lend_bytes(struct request *r)
{
	if (r->give_buffer == buffer_give && r->size < IO_MAX / 2)
		return;
	r->io.bytes = r->buffer;
	r->io.free_bytes = r->give_buffer;
}

static void submit(struct request *r)
{
	struct error err = { 0 };

	if (atomic_load(&r->answered) || (!r->buffer && add_buffer(r, &err) < 0)) {
		lane_leave(r->file->lane, r);
		request_done(r, err.code ? -err.code : -ECANCELED, &err);
		return;
	}
	r->iov = (struct iovec){ r->buffer, r->size };
	r->io.off = r->off;
	r->io.iov = &r->iov;
	r->io.iovcnt = 1;
	r->io.done = io_done;
	r->io.owner = r;
	r->io.anywhere = r->io.op == IO_READ;
	if (r->io.op == IO_WRITE)
		lend_bytes(r);
	atomic_store(&r->submitted, true);
	volume_submit(r->file->volume, &r->io);
}

static void cancel(struct request *r)
{
	if (atomic_load(&r->submitted))
		volume_cancel(r->file->volume, &r->io);
}

static int enter(struct request *r, enum io_op op, struct error *err)
{
	r->io.op = op;
	if (lane_enter(r->file->lane, r, r->size, submit))
		return REQUEST_PENDING;
	return error_set(err, EAGAIN, "too many reads and writes wait for this pool");
}

/* -- on an executor, and from there on -- */

static int run_read(struct request *r, struct error *err)
{
	struct file *f = r->file;
	int ret;

	if (f->fd < 0)
		return enter(r, IO_READ, err);
	ret = r->buffer ? 0 : add_buffer(r, err);
	if (ret < 0)
		return ret;
	r->out.count = descriptor_read(f, r->flags, r->buffer, r->size, r->off);
	return r->out.count < 0 ? data_error(err, r->out.count, "read", r->node) : 0;
}

static void reply_read(struct request *r)
{
	const void *bytes = r->io.anywhere ? r->iov.iov_base : r->buffer;

	fuse_reply_buf(r->req, bytes, r->out.count);
}

static int run_write(struct request *r, struct error *err)
{
	struct file *f = r->file;

	if (!volume_write_ready(f->volume, r->off, r->size)) {
		ssize_t n = volume_prepare_write(f->volume, r->off, r->size, &r->call,
						 err);

		if (n < 0)
			return n;
		r->size = n;
	}
	if (f->fd < 0)
		return enter(r, IO_WRITE, err);
	r->out.count = descriptor_write(f, r->flags, r->buffer, r->size, r->off);
	return r->out.count < 0 ? data_error(err, r->out.count, "write", r->node) : 0;
}

static const struct op read_op = {
	.node_op = NODE_DATA, .metric = METRIC_READ,
	.run = run_read, .reply = reply_read, .cancel = cancel,
};

static const struct op write_op = {
	.node_op = NODE_DATA, .metric = METRIC_WRITE,
	.run = run_write, .reply = reply_count, .cancel = cancel,
};

/* -- direct, of a device: by the kernel meanwhile -- */

static struct executor *executor_of(const struct request *r)
{
	const struct node *n = r->file->node;
	struct executor *e = node_executor(n, NODE_DATA, NULL);

	return e ? e : pool_executor(n->pool);
}

/* What is not whole, for any reason but the device's, is done again where it may wait. */
static void direct_done(struct aio *a, ssize_t n)
{
	struct request *r = container_of(a, struct request, aio);
	struct error err = { 0 };

	ended(r->file);
	if (n == -EOPNOTSUPP) /* multipath maps say so only now */
		atomic_store(&r->file->cannot_tell, true);
	if (n != (ssize_t)r->size && n != -EIO) {
		request_queue(r, executor_of(r));
		return;
	}
	if (n < 0)
		data_error(&err, n, r->op == &read_op ? "read" : "write", r->node);
	r->out.count = n;
	request_done(r, n < 0 ? n : 0, &err);
}

/* Small: one that is split may be refused behind its beginning. */
static bool is_direct(const struct file *f, size_t size, int flags)
{
	return (flags & O_DIRECT) && size && size <= IO_SMALL && file_is_direct(f);
}

static void submit_direct(struct request *r)
{
	struct file *f = r->file;
	struct error err = { 0 };
	int ret;

	if (!request_park(r))
		return;
	if (!r->buffer && add_buffer(r, &err) < 0) {
		request_done(r, -ENOMEM, &err);
		return;
	}
	began(f);
	ret = aio_submit(&r->aio, direct_done, f->fd, r->op == &write_op,
			 descriptor_stores(r->flags), r->buffer, r->size, r->off);
	if (ret == 0)
		return;
	ended(f);
	if (ret != -EAGAIN && ret != -EINVAL)
		atomic_store(&f->cannot_tell, true);
	request_queue(r, executor_of(r));
}

/* A request with the reference on the file that the caller gave us. */
static struct request *new_io(fuse_req_t req, const struct op *op, fuse_ino_t ino,
			      struct file *f, size_t size, off_t off, int flags)
{
	struct request *r = request_new(req, op, ino, NULL);

	if (!r) {
		file_put(f);
		return NULL;
	}
	r->file = f;
	r->size = size < IO_MAX ? size : IO_MAX;
	r->off = off;
	r->flags = flags;
	return r;
}

/* Where it may wait, or is not ready: on the executor; else it is submitted from here,
 * watched all the same. */
static void start(struct request *r, bool ready)
{
	if (ready && is_direct(r->file, r->size, r->flags))
		submit_direct(r);
	else if (!ready || r->file->fd >= 0)
		dispatch_on(r, executor_of(r));
	else if (request_park(r))
		dispatch_here(r);
}

void io_read(fuse_req_t req, fuse_ino_t ino, struct file *f, size_t size, off_t off,
	     const struct fuse_file_info *fi)
{
	uint64_t end = volume_size(f->volume);

	if ((uint64_t)off >= end)
		size = 0;
	else if (size > end - off)
		size = end - off;
	if (size > IO_MAX)
		size = IO_MAX;
	if (f->device)
		file_note_many(f, atomic_load(&under_way));
	if (f->fd >= 0 && f->inline_data && !is_direct(f, size, fi->flags)) {
		read_inline(req, f, size, off, fi->flags);
	} else if (!size) {
		fuse_reply_buf(req, NULL, 0);
		file_put(f);
	} else {
		struct request *r = new_io(req, &read_op, ino, f, size, off, fi->flags);

		if (r)
			start(r, true);
	}
}

void io_write(fuse_req_t req, fuse_ino_t ino, struct file *f, const char *data,
	      size_t size, off_t off, const struct fuse_file_info *fi)
{
	bool ready = volume_write_ready(f->volume, off, size);
	struct error err = { 0 };

	if (f->device)
		file_note_many(f, atomic_load(&under_way));
	if (f->fd >= 0 && f->inline_data && ready && size <= IO_MAX &&
	    !is_direct(f, size, fi->flags)) {
		write_inline(req, f, data, size, off, fi->flags);
		return;
	}

	struct request *r = new_io(req, &write_op, ino, f, size, off, fi->flags);

	if (!r)
		return;
	if (take_bytes(r, data, &err) < 0) {
		request_done(r, -ENOMEM, &err);
		return;
	}
	start(r, ready);
}
