/*
 * Directories: a snapshot of names is taken at opendir and read by position. Offset 1 is
 * behind ".", 2 behind "..", and the rest are the listing's positions plus 2.
 */
#include "fs/ops.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "fs/fuse_compat.h"
#include "fs/own.h"
#include "fs/request.h"

#define DOTS 2

/* -- opendir -- */

static int take_listing(struct file *f, struct call *call, struct error *err)
{
	struct listing fresh = { 0 };
	int ret = node_list(f->node, &fresh, call, err);

	if (ret < 0) {
		listing_free(&fresh);
		return ret;
	}
	listing_free(&f->listing);
	f->listing = fresh;
	f->read = false;
	return 0;
}

static int run_opendir(struct request *r, struct error *err)
{
	struct file *f = file_new(r->inode, r->node, NULL, r->flags);
	int ret;

	if (!f)
		return error_set(err, ENOMEM, "out of memory");
	ret = take_listing(f, &r->call, err);
	if (ret < 0)
		file_put(f);
	else
		r->out.file = f;
	return ret;
}

static void drop_dir(struct request *r)
{
	file_put(take(r->out.file));
}

static void reply_opendir(struct request *r)
{
	struct file *f = take(r->out.file);
	struct open_reply o = { 0 };
	int ret = file_publish(f);

	if (ret < 0) {
		file_put(f);
		fuse_reply_err(r->req, -ret);
		return;
	}
	o.fh = f->id;
	if (compat_reply_open(r->req, &o) == -ENOENT && (f = file_withdraw(o.fh)))
		file_put(f);
}

static const struct op opendir_op = {
	.node_op = NODE_LIST, .metric = METRIC_LIST, .holds_directory = true,
	.run = run_opendir, .reply = reply_opendir, .drop = drop_dir,
};

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &opendir_op, ino, NULL);

	if (!r)
		return;
	r->flags = fi->flags;
	dispatch(r);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	op_release(req, ino, fi);
}

static int run_fsyncdir(struct request *r, struct error *err)
{
	return node_sync(r->node, &r->call, err);
}

static const struct op fsyncdir_op = {
	.node_op = NODE_FLUSH, .metric = METRIC_SYNC, .holds_directory = true,
	.run = run_fsyncdir, .reply = reply_done,
};

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	struct request *r = request_new(req, &fsyncdir_op, ino, fi);

	if (r)
		dispatch(r);
}

/* -- readdir -- */

/* One entry into the reply; false: it does not fit. */
typedef bool adder(struct request *r, const char *name, unsigned char type,
		   uint64_t next);

static char *room(struct request *r, size_t *left)
{
	*left = r->size - r->out.buf.len;
	return r->out.buf.data + r->out.buf.len;
}

static bool took(struct request *r, size_t need, size_t left)
{
	if (need > left)
		return false;
	r->out.buf.len += need;
	return true;
}

static bool add_plain(struct request *r, const char *name, unsigned char type,
		      uint64_t next)
{
	struct stat st = { .st_mode = (mode_t)type << 12, .st_ino = 1 };
	size_t left;
	char *at = room(r, &left);

	if (next > DOTS)
		st.st_ino = node_child_ino(r->node, name);
	return took(r, fuse_add_direntry(r->req, at, left, name, &st, next), left);
}

/* What the kernel gets of an entry; without an inode it gets the name alone. false: it is
 * gone. */
static bool find_entry(struct request *r, const char *name, unsigned char type,
		       struct fuse_entry_param *e)
{
	struct node child = { 0 };
	int ret = node_lookup(r->node, name, &child, &e->attr, &r->call, NULL);

	if (ret == -ENOENT)
		return false;
	if (ret == 0) {
		struct caching caching = node_caching(&child);

		e->entry_timeout = caching.entry_s;
		e->attr_timeout = caching.attr_s;
		e->ino = inode_lookup(&child);
		own_end(r->inode->id, name);
	}
	if (e->ino && buf_add(&r->out.ids, &(uint64_t){ e->ino }, sizeof(uint64_t)) < 0) {
		inode_forget(e->ino, 1);
		e->ino = 0;
	}
	if (!e->ino)
		e->attr = (struct stat){ .st_mode = (mode_t)type << 12,
					 .st_ino = node_child_ino(r->node, name) };
	return true;
}

static bool add_plus(struct request *r, const char *name, unsigned char type,
		     uint64_t next)
{
	struct fuse_entry_param e = { .attr = { .st_mode = (mode_t)type << 12,
						.st_ino = 1 } };
	size_t left;
	char *at = room(r, &left);

	if (fuse_add_direntry_plus(r->req, NULL, 0, name, NULL, 0) > left)
		return false;
	if (next > DOTS && !find_entry(r, name, type, &e))
		return true;
	return took(r, fuse_add_direntry_plus(r->req, at, left, name, &e, next), left);
}

/* Entries from r->off on, as many as fit. */
static void fill(struct request *r, struct file *f, adder *add)
{
	static const char *const dots[DOTS] = { ".", ".." };
	uint64_t off = r->off;

	for (; off < DOTS; off++)
		if (!add(r, dots[off], DT_DIR, off + 1))
			return;
	for (;;) {
		const char *name;
		unsigned char type;
		size_t next = listing_at(&f->listing, off - DOTS, &name, &type);

		if (!next || !add(r, name, type, next + DOTS))
			return;
		off = next + DOTS;
	}
}

static int read_names(struct request *r, adder *add, struct error *err)
{
	struct file *f = r->file;
	int ret = 0;

	if (buf_reserve(&r->out.buf, r->size) < 0)
		return error_set(err, ENOMEM, "out of memory");

	SCOPED_LOCK(&f->listing_lock);
	if (r->off == 0 && f->read) /* rewinddir shows the present state */
		ret = take_listing(f, &r->call, err);
	if (ret < 0)
		return ret;
	f->read = true;
	fill(r, f, add);
	return 0;
}

static int run_readdir(struct request *r, struct error *err)
{
	return read_names(r, add_plain, err);
}

static int run_readdirplus(struct request *r, struct error *err)
{
	return read_names(r, add_plus, err);
}

static void forget_ids(struct request *r)
{
	const uint64_t *id = (const uint64_t *)r->out.ids.data;

	for (size_t n = r->out.ids.len / sizeof(*id); n; n--)
		inode_forget(*id++, 1);
}

static void reply_names(struct request *r)
{
	if (fuse_reply_buf(r->req, r->out.buf.data, r->out.buf.len) == -ENOENT)
		forget_ids(r);
}

static const struct op readdir_op = {
	.node_op = NODE_LIST, .metric = METRIC_LIST, .holds_directory = true,
	.run = run_readdir, .reply = reply_names,
};

static const struct op readdirplus_op = {
	.node_op = NODE_LOOKUP, .metric = METRIC_LIST, .holds_directory = true,
	.run = run_readdirplus, .reply = reply_names, .drop = forget_ids,
};

static void read_directory(fuse_req_t req, const struct op *op, fuse_ino_t ino,
			   size_t size, off_t off, const struct fuse_file_info *fi)
{
	struct request *r = request_new(req, op, ino, fi);

	if (!r)
		return;
	r->size = size;
	r->off = off;
	dispatch(r);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	read_directory(req, &readdir_op, ino, size, off, fi);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	read_directory(req, &readdirplus_op, ino, size, off, fi);
}
