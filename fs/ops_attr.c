/* Attributes of inodes, df, and the one ioctl. */
#include "fs/ops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/model/pools.h"
#include "backends/support/remount.h"
#include "fs/request.h"

/* -- stat -- */

/* An open volume whose name is gone, or another's. */
static int stat_volume(struct request *r, struct volume_handle *v, struct error *err)
{
	struct vol_stat s = { 0 };
	int ret = volume_fstat(v, &s, &r->call, err);

	if (ret < 0)
		return ret;
	r->out.st = (struct stat){
		.st_ino = node_hash(r->node), .st_mode = S_IFREG | s.mode, .st_nlink = 0,
		.st_uid = s.uid, .st_gid = s.gid, .st_size = s.size,
		.st_blocks = s.allocated / 512, .st_blksize = 4096,
		.st_atim = s.atime, .st_mtim = s.mtime, .st_ctim = s.ctime,
	};
	return 0;
}

static int stat_inode(struct request *r, struct error *err)
{
	int ret = inode_is_gone(r->inode) ?
		-ENOENT : node_stat(r->node, &r->out.st, &r->call, err);

	/* its directory may be gone, too */
	if ((ret == -ENOENT || ret == -EIO) && r->file && r->file->volume)
		ret = stat_volume(r, r->file->volume, err);
	return ret;
}

static const struct op stat_op = {
	.node_op = NODE_STAT, .metric = METRIC_ATTR, .may_miss = true,
	.run = stat_inode, .reply = reply_attr,
};

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &stat_op, ino, NULL);

	if (!r)
		return;
	r->file = inode_volume_file(r->inode);
	dispatch(r);
}

/* -- chmod, chown, utimens, truncate -- */

/* fchmod and the like of a file whose name is gone: its descriptor is all there is. */
static int set_by_descriptor(int fd, const struct vol_attr *a, struct error *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { .tv_nsec = UTIME_OMIT } };
	int ret = 0;

	if (fd < 0)
		return error_set(err, ESTALE,
				 "this volume is gone: its name has been removed");
	if (a->mask & VOL_ATIME)
		times[0] = a->atime;
	if (a->mask & VOL_MTIME)
		times[1] = a->mtime;
	if (a->mask & (VOL_UID | VOL_GID))
		ret = fchown(fd, a->mask & VOL_UID ? a->uid : (uid_t)-1,
			     a->mask & VOL_GID ? a->gid : (gid_t)-1);
	if (ret == 0 && (a->mask & VOL_MODE))
		ret = fchmod(fd, a->mode);
	if (ret == 0 && (a->mask & (VOL_ATIME | VOL_MTIME)))
		ret = futimens(fd, times);
	return ret < 0 ? error_errno(err, "cannot set attributes of a removed volume")
		       : 0;
}

static int set_size(struct request *r, struct error *err)
{
	struct file *f = r->file;

	r->attr.attr.mask &= ~NODE_SIZE;
	if (f->volume)
		return volume_ftruncate(f->volume, r->attr.size, &r->call, err);
	return handle_truncate(f->handle, r->attr.size, &r->call, err);
}

static int set_nameless(struct request *r, struct error *err)
{
	struct file *f = r->file;
	int ret = set_by_descriptor(f ? f->fd : -1, &r->attr.attr, err);

	return ret < 0 ? ret : stat_volume(r, f->volume, err);
}

static int run_setattr(struct request *r, struct error *err)
{
	struct vol_attr *a = &r->attr.attr;
	bool by_file = r->file; /* truncate(2) and ftruncate(2) have different rules */
	int ret = 0;

	if (!r->file)
		r->file = inode_volume_file(r->inode);
	if (by_file && r->file->handle && (a->mask & NODE_SIZE))
		ret = set_size(r, err);
	if (ret < 0 || !a->mask)
		return ret < 0 ? ret : stat_inode(r, err);
	ret = inode_is_gone(r->inode) ?
		-ESTALE : node_setattr(r->node, &r->attr, &r->call, err);
	if (ret == -ESTALE && !(a->mask & NODE_SIZE))
		return set_nameless(r, err);
	return ret < 0 ? ret : stat_inode(r, err);
}

static const struct op setattr = {
	.node_op = NODE_SETATTR,
	.metric = METRIC_ATTR,
	.run = run_setattr,
	.reply = reply_attr,
};

static void fill_attr(struct node_attr *out, const struct stat *st, int to_set)
{
	static const struct timespec now = { .tv_nsec = UTIME_NOW };
	struct vol_attr *a = &out->attr;

	if (to_set & FUSE_SET_ATTR_MODE)
		a->mask |= VOL_MODE;
	if (to_set & FUSE_SET_ATTR_UID)
		a->mask |= VOL_UID;
	if (to_set & FUSE_SET_ATTR_GID)
		a->mask |= VOL_GID;
	if (to_set & FUSE_SET_ATTR_SIZE)
		a->mask |= NODE_SIZE;
	if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
		a->mask |= VOL_ATIME;
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
		a->mask |= VOL_MTIME;
	a->mode = st->st_mode & 07777;
	a->uid = st->st_uid;
	a->gid = st->st_gid;
	a->atime = to_set & FUSE_SET_ATTR_ATIME_NOW ? now : st->st_atim;
	a->mtime = to_set & FUSE_SET_ATTR_MTIME_NOW ? now : st->st_mtim;
	out->size = st->st_size;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &setattr, ino, fi);

	if (!r)
		return;
	fill_attr(&r->attr, attr, to_set);
	dispatch(r);
}

/* -- df -- */

static int run_statfs(struct request *r, struct error *err)
{
	return node_statfs(r->node, &r->out.vfs, &r->call, err);
}

static void reply_statfs(struct request *r)
{
	fuse_reply_statfs(r->req, &r->out.vfs);
}

static const struct op statfs_op = {
	.node_op = NODE_STATFS,
	.metric = METRIC_ATTR,
	.run = run_statfs,
	.reply = reply_statfs,
};

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct request *r = request_new(req, &statfs_op, ino ? ino : INODE_ROOT, NULL);

	if (r)
		dispatch(r);
}

/* -- remount -- */

static void remount(fuse_req_t req, const struct remount *in)
{
	struct error err = { 0 };
	struct remount out = *in;
	uid_t uid = fuse_req_ctx(req)->uid;
	int ret;

	if (uid != 0 && uid != geteuid())
		ret = error_set(&err, EPERM,
				"only root and who mounted it may remount it");
	else
		ret = model_reconfigure(in->read_only, in->timeout_s, &err);
	snprintf(out.why, sizeof(out.why), "%.*s", (int)sizeof(out.why) - 1, err.text);
	fuse_reply_ioctl(req, ret, &out, sizeof(out));
}

void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
	      struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
	      size_t out_size)
{
	struct remount copy;

	if (ino != INODE_ROOT || cmd != STORAGEFS_REMOUNT || in_size < sizeof(copy) ||
	    out_size < sizeof(copy)) {
		fuse_reply_err(req, ENOTTY);
		return;
	}
	memcpy(&copy, in, sizeof(copy));
	remount(req, &copy);
}
