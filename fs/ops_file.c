/* Open files: opening, texts, and what is asked of a volume's descriptor.
 * Data is io.c's. */
#include "fs/ops.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/pools.h"
#include "backends/model/volume.h"
#include "fs/backing.h"
#include "fs/fuse_compat.h"
#include "fs/io.h"
#include "fs/lane.h"
#include "fs/notify.h"
#include "fs/own.h"
#include "fs/request.h"

/* -- open and create -- */

/* Makes the open file of a handle; the handle is closed when that fails. */
static int open_file(struct request *r, struct inode *i, const struct node *n,
		     struct handle *h, struct error *err)
{
	struct file *f = file_new(i, n, h, r->flags);

	if (!f) {
		handle_close(h, &r->call);
		return error_set(err, ENOMEM, "out of memory");
	}
	if (f->volume && f->fd < 0) {
		f->lane = lane_get(pool_serial(n->pool));
		if (!f->lane) {
			file_put(f);
			return error_set(err, ENOMEM, "out of memory");
		}
	}
	r->out.file = f;
	return 0;
}

/*
 * How the kernel is to read and write a volume. direct_io overrides passthrough, which
 * would serialise O_DIRECT writes to one file; the id is needed all the same while the
 * inode has one. Before Linux 6.6 what is direct_io could not be mapped shared: there the
 * kernel caches volumes, and writes them through.
 */
static int volume_flags(struct file *f, struct open_reply *o)
{
	bool writes = (f->flags & O_ACCMODE) != O_RDONLY;

	if (f->fd >= 0 && f->inline_data && volume_is_regular(f->volume))
		o->backing_id = backing_acquire(f->inode, f->fd);
	if (o->backing_id < 0)
		return o->backing_id;
	f->passthrough = o->backing_id;
	o->flags = f->passthrough ? OPEN_PASSTHROUGH : 0;
	if (f->passthrough ? (f->flags & O_DIRECT) && writes : compat_direct_mmap())
		o->flags |= OPEN_DIRECT_IO | OPEN_PARALLEL_WRITES;
	return 0;
}

static void text_flags(const struct file *f, struct open_reply *o)
{
	o->flags = OPEN_DIRECT_IO;
	if ((f->flags & O_ACCMODE) == O_RDONLY && handle_needs_no_flush(f->handle))
		o->flags |= OPEN_NO_FLUSH;
}

/* Also gives it its id. */
static int prepare_reply(struct file *f, struct open_reply *o)
{
	int ret = 0;

	*o = (struct open_reply){ 0 };
	if (f->volume)
		ret = volume_flags(f, o);
	else
		text_flags(f, o);
	if (ret == 0)
		ret = file_publish(f);
	o->fh = f->id;
	return ret;
}

static void drop_file(struct request *r)
{
	if (r->out.file)
		file_put(take(r->out.file));
}

/* The kernel did not take the answer: no release will follow. */
static void forget_open(uint64_t fh)
{
	struct file *f = file_withdraw(fh);

	if (f)
		file_put(f);
}

static int run_open(struct request *r, struct error *err)
{
	struct handle *h = NULL;
	int ret = node_open(r->node, r->flags, false, r->pid, &h, &r->call, err);

	return ret < 0 ? ret : open_file(r, r->inode, r->node, h, err);
}

static void reply_open(struct request *r)
{
	struct open_reply o;
	struct file *f = take(r->out.file);
	int ret = prepare_reply(f, &o);

	if (ret < 0) {
		file_put(f);
		fuse_reply_err(r->req, -ret);
	} else if (compat_reply_open(r->req, &o) == -ENOENT) {
		forget_open(o.fh);
	}
}

static const struct op open_op = {
	.node_op = NODE_OPEN, .metric = METRIC_OPEN,
	.run = run_open, .reply = reply_open, .drop = drop_file,
};

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &open_op, ino, NULL);

	if (!r)
		return;
	r->flags = fi->flags;
	dispatch(r);
}

/* Makes the name; or, where somebody else was faster and that is
 * allowed, takes theirs. */
static int make_or_find(struct request *r, bool *created, struct error *err)
{
	for (int tries = 0;; tries++) {
		int ret = node_make(r->node, r->name, S_IFREG, &r->out.node, &r->out.st,
				    &r->call, err);

		*created = ret == 0;
		if (ret != -EEXIST || (r->flags & O_EXCL))
			return ret;
		ret = node_lookup(r->node, r->name, &r->out.node, &r->out.st, &r->call,
				  err);
		if (ret != -ENOENT || tries == 3)
			return ret;
	}
}

/* The inode is counted at once, since the open file needs it; see drop_create. */
static int run_create(struct request *r, struct error *err)
{
	struct handle *h = NULL;
	bool created;
	int ret;

	own_begin(r->inode->id, r->name);
	ret = make_or_find(r, &created, err);
	if (ret < 0)
		return ret;
	ret = node_open(&r->out.node, r->flags, created, r->pid, &h, &r->call, err);
	if (ret < 0)
		return ret;
	/* what a plan had made of it may be gone again */
	if (created && r->flags & O_EXCL && r->out.st.st_size)
		node_stat(&r->out.node, &r->out.st, &r->call, NULL);

	uint64_t id = inode_lookup(&r->out.node);

	r->to_inode = id ? inode_get(id, &r->to_node) : NULL;
	if (!r->to_inode) {
		handle_close(h, &r->call);
		return error_set(err, ENOMEM, "out of memory");
	}
	ret = open_file(r, r->to_inode, r->to_node, h, err);
	if (ret < 0)
		inode_forget(id, 1);
	return ret;
}

static void drop_create(struct request *r)
{
	drop_file(r);
	inode_forget(r->to_inode->id, 1);
}

static void reply_create(struct request *r)
{
	struct caching caching = node_caching(r->to_node);
	struct fuse_entry_param e = {
		.ino = r->to_inode->id, .attr = r->out.st,
		.attr_timeout = caching.attr_s, .entry_timeout = caching.entry_s,
	};
	struct file *f = take(r->out.file);
	struct open_reply o;
	int ret = prepare_reply(f, &o);

	own_end(r->inode->id, r->name);
	if (ret < 0) {
		file_put(f);
		inode_forget(e.ino, 1);
		fuse_reply_err(r->req, -ret);
	} else if (compat_reply_create(r->req, &e, &o) == -ENOENT) {
		forget_open(o.fh);
		inode_forget(e.ino, 1);
	}
}

static const struct op create_op = {
	.node_op = NODE_MAKE, .metric = METRIC_CREATE, .holds_directory = true,
	.run = run_create, .reply = reply_create, .drop = drop_create,
};

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &create_op, parent, NULL);

	if (!r)
		return;
	r->name = name;
	r->call.mode = mode & 07777;
	r->flags = fi->flags;
	dispatch(r);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct file *f = file_withdraw(fi->fh);

	if (f)
		file_put(f);
	fuse_reply_err(req, 0);
}

/* -- texts; volumes go to io.c -- */

static int run_read(struct request *r, struct error *err)
{
	return handle_read(r->file->handle, r->off, r->size, &r->out.buf, err);
}

static void reply_data(struct request *r)
{
	fuse_reply_buf(r->req, r->out.buf.data, r->out.buf.len);
}

static const struct op read_op = {
	.node_op = NODE_READ, .metric = METRIC_READ, .run = run_read, .reply = reply_data,
};

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	     struct fuse_file_info *fi)
{
	struct file *f = file_get(fi->fh);

	if (f && f->volume) {
		io_read(req, ino, f, size, off, fi);
		return;
	}
	if (f)
		file_put(f);

	struct request *r = request_new(req, &read_op, ino, fi);

	if (!r)
		return;
	r->off = off;
	r->size = size;
	dispatch(r);
}

static int run_write(struct request *r, struct error *err)
{
	r->out.count =
		handle_write(r->file->handle, r->data, r->size, r->off, &r->call, err);
	return r->out.count < 0 ? r->out.count : 0;
}

static const struct op write_op = {
	.node_op = NODE_WRITE, .metric = METRIC_WRITE, .holds_file = true,
	.run = run_write, .reply = reply_count,
};

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
	      struct fuse_file_info *fi)
{
	struct file *f = file_get(fi->fh);

	if (f && f->volume) {
		io_write(req, ino, f, data, size, off, fi);
		return;
	}
	if (f)
		file_put(f);

	struct request *r = request_new(req, &write_op, ino, fi);

	if (!r)
		return;
	r->data = data;
	r->size = size;
	r->off = off;
	dispatch(r);
}

/* -- flush and fsync -- */

static int run_flush(struct request *r, struct error *err)
{
	struct file *f = r->file;

	if (r->lock_owner)
		volume_unlock_owner(f->volume, r->lock_owner);
	if (f->volume)
		return volume_flush(f->volume, r->pid, &r->call, err);
	return handle_flush(f->handle, r->pid, &r->call, err);
}

static const struct op flush_op = {
	.node_op = NODE_FLUSH,
	.metric = METRIC_SYNC,
	.run = run_flush,
	.reply = reply_done,
};

void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &flush_op, ino, fi);
	struct file *f = r ? r->file : NULL;

	if (!r)
		return;
	if (f->volume && volume_locked_by(f->volume, fi->lock_owner))
		r->lock_owner = fi->lock_owner;
	if (f->volume && volume_flush_ready(f->volume) && !r->lock_owner) {
		fuse_reply_err(req, 0);
		request_unref(r);
		return;
	}
	dispatch(r);
}

static int run_fsync(struct request *r, struct error *err)
{
	struct file *f = r->file;

	if (f->volume)
		return volume_fsync(f->volume, r->flags, &r->call, err);
	return handle_fsync(f->handle, r->flags, &r->call, err);
}

static const struct op fsync_op = {
	.node_op = NODE_FLUSH,
	.metric = METRIC_SYNC,
	.run = run_fsync,
	.reply = reply_done,
};

void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &fsync_op, ino, fi);

	if (!r)
		return;
	r->flags = data_only;
	dispatch(r);
}

/* -- poll -- */

void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	     struct fuse_pollhandle *ph)
{
	struct file *f = file_get(fi->fh);
	bool stream = f && f->handle && handle_is_stream(f->handle);
	unsigned events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

	if (stream && ph)
		notify_poll_add(f, ph);
	else if (ph)
		fuse_pollhandle_destroy(ph);
	if (stream && !handle_readable(f->handle))
		events = 0;
	fuse_reply_poll(req, events);
	if (f)
		file_put(f);
}
