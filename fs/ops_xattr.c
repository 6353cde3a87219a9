/* Extended attributes of volumes that are files: those of the file itself. */
#include "fs/ops.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "backends/model/volume.h"
#include "fs/request.h"

#define LIST_MAX 65536 /* XATTR_LIST_MAX and XATTR_SIZE_MAX */

/* Runs on the descriptor of an open file, or of one opened for it. Returns a count or -1,
 * errno. */
typedef ssize_t on_fd(struct request *r, int fd);

static int refuse(const struct request *r, struct error *err)
{
	char path[300];

	node_path(r->node, path, sizeof(path));
	return error_set(err, EOPNOTSUPP,
			 "'%s': only volumes that are files have extended "
			 "attributes",
			 path);
}

static int failed(const struct request *r, int code, struct error *err)
{
	char path[300];

	node_path(r->node, path, sizeof(path));
	return error_code(err, code, "cannot read or change extended attribute '%s' of '%s'",
			  r->name ? r->name : "*", path);
}

static int with_handle(struct request *r, struct handle *h, on_fd *fn, struct error *err)
{
	struct volume_handle *v = handle_volume(h);
	int fd = v ? volume_fd(v) : -1;

	if (fd < 0)
		return refuse(r, err);
	r->out.count = fn(r, fd);
	return r->out.count < 0 ? failed(r, errno, err) : 0;
}

static int run_on_volume(struct request *r, on_fd *fn, struct error *err)
{
	struct handle *h = NULL;
	int ret;

	if (!S_ISREG(r->out.st.st_mode))
		return refuse(r, err);
	if (r->file)
		return with_handle(r, r->file->handle, fn, err);
	ret = node_open(r->node, O_RDONLY, false, r->pid, &h, &r->call, err);
	if (ret < 0)
		return ret;
	ret = with_handle(r, h, fn, err);
	handle_close(h, &r->call);
	return ret;
}

static int on_inode(struct request *r, on_fd *fn, struct error *err)
{
	int ret = 0;

	r->file = inode_volume_file(r->inode);
	if (r->file)
		r->out.st.st_mode = S_IFREG;
	else
		ret = node_stat(r->node, &r->out.st, &r->call, err);
	return ret < 0 ? ret : run_on_volume(r, fn, err);
}

/* size 0 asks how much there is; else the content, as much as fits. */
static void reply_xattr(struct request *r)
{
	if (r->size)
		fuse_reply_buf(r->req, r->out.buf.data, r->out.count);
	else
		fuse_reply_xattr(r->req, r->out.count);
}

static int reserve(struct request *r, struct error *err)
{
	if (r->size > LIST_MAX)
		r->size = LIST_MAX;
	return buf_reserve(&r->out.buf, r->size) < 0 ?
		error_set(err, ENOMEM, "out of memory") : 0;
}

static ssize_t get_on_fd(struct request *r, int fd)
{
	return fgetxattr(fd, r->name, r->out.buf.data, r->size);
}

static int run_getxattr(struct request *r, struct error *err)
{
	int ret = reserve(r, err);

	return ret < 0 ? ret : on_inode(r, get_on_fd, err);
}

static ssize_t list_on_fd(struct request *r, int fd)
{
	return flistxattr(fd, r->out.buf.data, r->size);
}

static int run_listxattr(struct request *r, struct error *err)
{
	int ret = reserve(r, err);

	return ret < 0 ? ret : on_inode(r, list_on_fd, err);
}

static ssize_t set_on_fd(struct request *r, int fd)
{
	return fsetxattr(fd, r->name, r->data, r->size, r->flags);
}

static int run_setxattr(struct request *r, struct error *err)
{
	return on_inode(r, set_on_fd, err);
}

static ssize_t remove_on_fd(struct request *r, int fd)
{
	return fremovexattr(fd, r->name);
}

static int run_removexattr(struct request *r, struct error *err)
{
	return on_inode(r, remove_on_fd, err);
}

static const struct op getxattr_op = {
	.node_op = NODE_OPEN, .metric = METRIC_ATTR, .probes = true,
	.run = run_getxattr, .reply = reply_xattr,
};
static const struct op listxattr_op = {
	.node_op = NODE_OPEN, .metric = METRIC_ATTR, .probes = true,
	.run = run_listxattr, .reply = reply_xattr,
};
static const struct op setxattr_op = {
	.node_op = NODE_OPEN,
	.metric = METRIC_ATTR,
	.run = run_setxattr,
	.reply = reply_done,
};
static const struct op removexattr_op = {
	.node_op = NODE_OPEN,
	.metric = METRIC_ATTR,
	.run = run_removexattr,
	.reply = reply_done,
};

static struct request *new_xattr(fuse_req_t req, const struct op *op, fuse_ino_t ino,
				 const char *name, size_t size)
{
	struct request *r = request_new(req, op, ino, NULL);

	if (r) {
		r->name = name;
		r->size = size;
	}
	return r;
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		 size_t size, int flags)
{
	struct request *r = new_xattr(req, &setxattr_op, ino, name, size);

	if (!r)
		return;
	r->data = value;
	r->flags = flags;
	dispatch(r);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct request *r = new_xattr(req, &getxattr_op, ino, name, size);

	if (r)
		dispatch(r);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct request *r = new_xattr(req, &listxattr_op, ino, NULL, size);

	if (r)
		dispatch(r);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct request *r = new_xattr(req, &removexattr_op, ino, name, 0);

	if (r)
		dispatch(r);
}
