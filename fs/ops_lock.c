/* Locks on volumes: the backing file's own. One that waits is asked for again until it is
 * free. */
#include "fs/ops.h"

#include <errno.h>
#include <sys/file.h>

#include "backends/model/volume.h"
#include "fs/request.h"

/* A file server may not answer. */
static void dispatch_lock(struct request *r)
{
	dispatch_on(r, node_executor(r->node, r->op->node_op, NULL));
}

static int need_volume(const struct request *r, struct error *err)
{
	char path[300];

	if (r->file->volume)
		return 0;
	node_path(r->node, path, sizeof(path));
	return error_set(err, EOPNOTSUPP, "'%s' is a text: it has no locks", path);
}

static int run_getlk(struct request *r, struct error *err)
{
	int ret = need_volume(r, err);

	r->out.lock = r->lock;
	return ret < 0 ? ret
		       : volume_getlk(r->file->volume, r->lock_owner, &r->out.lock, err);
}

static void reply_lock(struct request *r)
{
	fuse_reply_lock(r->req, &r->out.lock);
}

static const struct op getlk_op = {
	.node_op = NODE_DATA, .metric = METRIC_OTHER, .retries = true, .run = run_getlk,
	.reply = reply_lock,
};

void op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	      struct flock *lock)
{
	struct request *r = request_new(req, &getlk_op, ino, fi);

	if (!r)
		return;
	r->lock = *lock;
	r->lock_owner = fi->lock_owner;
	dispatch_lock(r);
}

static int run_setlk(struct request *r, struct error *err)
{
	int ret = need_volume(r, err);

	if (ret < 0)
		return ret;
	return volume_setlk(r->file->volume, r->lock_owner, &r->lock, err);
}

/* The client was told that it has not got it. */
static void drop_setlk(struct request *r)
{
	struct error ignored;

	r->lock.l_type = F_UNLCK;
	volume_setlk(r->file->volume, r->lock_owner, &r->lock, &ignored);
}

static const struct op setlk_op = {
	.node_op = NODE_DATA, .metric = METRIC_OTHER, .retries = true, .run = run_setlk,
	.reply = reply_done, .drop = drop_setlk,
};

void op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	      struct flock *lock, int sleep)
{
	struct request *r = request_new(req, &setlk_op, ino, fi);

	if (!r)
		return;
	r->lock = *lock;
	r->lock_owner = fi->lock_owner;
	r->sleep = sleep;
	r->verb = sleep; /* a lock is waited for as long as it takes */
	dispatch_lock(r);
}

static int run_flock(struct request *r, struct error *err)
{
	int ret = need_volume(r, err);

	return ret < 0 ? ret : volume_flock(r->file->volume, r->flags, err);
}

static void drop_flock(struct request *r)
{
	struct error ignored;

	volume_flock(r->file->volume, LOCK_UN, &ignored);
}

static const struct op flock_op = {
	.node_op = NODE_DATA, .metric = METRIC_OTHER, .retries = true, .run = run_flock,
	.reply = reply_done, .drop = drop_flock,
};

void op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int operation)
{
	struct request *r = request_new(req, &flock_op, ino, fi);

	if (!r)
		return;
	r->flags = operation & ~LOCK_NB;
	r->sleep = !(operation & LOCK_NB);
	r->verb = r->sleep;
	dispatch_lock(r);
}
