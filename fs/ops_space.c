/* What is asked of an open volume's space: allocation, holes, copies. Texts have none. */
#include "fs/ops.h"

#include <errno.h>

#include "backends/model/volume.h"
#include "fs/io.h"
#include "fs/request.h"

static int refuse_text(struct request *r, const char *what, struct error *err)
{
	char path[300];

	node_path(r->node, path, sizeof(path));
	return error_set(err, EOPNOTSUPP, "'%s' is a text: %s", path, what);
}

static int run_fallocate(struct request *r, struct error *err)
{
	if (!r->file->volume)
		return refuse_text(r, "space is not allocated for it", err);
	return volume_allocate(r->file->volume, r->flags, r->off, r->to_off - r->off,
			       &r->call, err);
}

static const struct op fallocate_op = {
	.node_op = NODE_DATA,
	.metric = METRIC_RESIZE,
	.run = run_fallocate,
	.reply = reply_done,
};

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
		  struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &fallocate_op, ino, fi);

	if (!r)
		return;
	r->flags = mode;
	r->off = off;
	r->to_off = (uint64_t)off + len; /* off_t is wider than size_t on 32 bits */
	dispatch(r);
}

/* A text has no holes: data up to its end. */
static off_t seek_text(struct request *r, struct error *err)
{
	uint64_t off = r->off;

	for (size_t got = 1; got; off += got) {
		AUTO_BUF struct buf part = { 0 };
		int ret = handle_read(r->file->handle, off, IO_MAX, &part, err);

		if (ret < 0)
			return ret;
		got = part.len;
		if (got && r->flags == SEEK_DATA)
			return off;
	}
	return off == r->off ? -ENXIO : (off_t)off;
}

static int run_lseek(struct request *r, struct error *err)
{
	if (r->flags != SEEK_DATA && r->flags != SEEK_HOLE)
		return error_set(err, EINVAL, "seeking in a way that is not known");
	if (r->file->volume)
		r->out.off =
			volume_seek(r->file->volume, r->off, r->flags, &r->call, err);
	else
		r->out.off = seek_text(r, err);
	return r->out.off < 0 ? r->out.off : 0;
}

static void reply_lseek(struct request *r)
{
	fuse_reply_lseek(r->req, r->out.off);
}

static const struct op lseek_op = {
	.node_op = NODE_DATA,
	.metric = METRIC_OTHER,
	.run = run_lseek,
	.reply = reply_lseek,
};

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
	      struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &lseek_op, ino, fi);

	if (!r)
		return;
	r->off = off;
	r->flags = whence;
	dispatch(r);
}

/* One answer copies so much at most, so that no thread is lost to a copy for long. */
#define COPY_MAX (64u << 20)

static int run_copy(struct request *r, struct error *err)
{
	struct volume_handle *from = r->file->volume, *to = r->to_file->volume;

	if (!from || !to)
		return -EXDEV; /* an answer: the kernel then copies the bytes */
	r->out.count = volume_copy(from, r->off, to, r->to_off, r->size, &r->call, err);
	if (r->out.count == -EOPNOTSUPP)
		return -EXDEV;
	return r->out.count < 0 ? r->out.count : 0;
}

static const struct op copy_op = {
	.node_op = NODE_DATA,
	.metric = METRIC_WRITE,
	.run = run_copy,
	.reply = reply_count,
};

static const struct op transfer_op = {
	.node_op = NODE_TRANSFER,
	.metric = METRIC_WRITE,
	.run = run_copy,
	.reply = reply_count,
};

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino, off_t off,
			struct fuse_file_info *fi, fuse_ino_t to_ino, off_t to_off,
			struct fuse_file_info *to_fi, size_t len, int flags)
{
	struct request *r = request_new(req, &copy_op, ino, fi);

	if (!r || !request_to(r, to_ino, to_fi))
		return;
	r->off = off;
	r->to_off = to_off;
	r->size = len < COPY_MAX ? len : COPY_MAX;
	if (r->file->volume && r->to_file->volume &&
	    volume_transfers(r->file->volume, r->to_file->volume))
		r->op = &transfer_op;
	dispatch(r);
}
