/* Names: finding, making, removing and renaming them. */
#include "fs/ops.h"

#include <errno.h>
#include <stdio.h>

#include "fs/notify.h"
#include "fs/own.h"
#include "fs/request.h"

/* -- lookup and forget -- */

static int run_lookup(struct request *r, struct error *err)
{
	return node_lookup(r->node, r->name, &r->out.node, &r->out.st, &r->call, err);
}

static const struct op lookup = {
	.node_op = NODE_LOOKUP,
	.metric = METRIC_LOOKUP,
	.holds_directory = true,
	.may_miss = true,
	.run = run_lookup,
	.reply = reply_entry,
	.drop = drop_node,
};

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct request *r = request_new(req, &lookup, parent, NULL);

	if (!r)
		return;
	r->name = name;
	dispatch(r);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	inode_forget(ino, lookups);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		inode_forget(forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* -- making -- */

static int run_make(struct request *r, struct error *err)
{
	own_begin(r->inode->id, r->name);
	return node_make(r->node, r->name, r->mode & S_IFMT, &r->out.node, &r->out.st,
			 &r->call, err);
}

static const struct op make = {
	.node_op = NODE_MAKE, .metric = METRIC_CREATE, .holds_directory = true,
	.run = run_make, .reply = reply_entry, .drop = drop_node,
};

static void make_name(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct request *r = request_new(req, &make, parent, NULL);

	if (!r)
		return;
	r->name = name;
	r->mode = mode;
	r->call.mode = mode & 07777;
	dispatch(r);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev)
{
	make_name(req, parent, name, mode);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make_name(req, parent, name, S_IFDIR | (mode & 07777));
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	make_name(req, parent, name, S_IFLNK | 0777);
}

static int run_link(struct request *r, struct error *err)
{
	return error_set(err, EPERM, "cannot make '%s': there are no hard links here",
			 r->name);
}

static const struct op hard_link = {
	.metric = METRIC_CREATE, .run = run_link, .reply = reply_entry,
};

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct request *r = request_new(req, &hard_link, parent, NULL);

	if (!r)
		return;
	r->name = name;
	dispatch_here(r);
}

/* -- removing and renaming -- */

/* What has the name now; *out stays empty where it cannot be told. */
static void find_child(const struct node *dir, const char *name, struct request *r,
		       struct node *out)
{
	struct stat st;

	if (node_lookup(dir, name, out, &st, &r->call, NULL) < 0)
		*out = (struct node){ 0 };
}

static int run_remove(struct request *r, struct error *err)
{
	CLEANUP(node_clear) struct node child = { 0 };
	int ret;

	own_begin(r->inode->id, r->name);
	find_child(r->node, r->name, r, &child);
	ret = node_remove(r->node, r->name, r->mode == S_IFDIR, &r->call, err);
	if (ret < 0)
		own_end(r->inode->id, r->name);
	else if (child.row)
		inode_detach(&child);
	return ret;
}

/* It happened, and the kernel was told that it did not. */
static void drop_changed(struct request *r)
{
	own_end(r->inode->id, r->name);
	notify_name(r->inode->id, r->node->pool, r->name);
	if (!r->to_name)
		return;
	own_end(r->to_inode->id, r->to_name);
	notify_name(r->to_inode->id, r->to_node->pool, r->to_name);
}

static const struct op remove_name = {
	.node_op = NODE_REMOVE, .metric = METRIC_REMOVE, .holds_directory = true,
	.run = run_remove, .reply = reply_done, .drop = drop_changed,
};

static void remove_it(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t type)
{
	struct request *r = request_new(req, &remove_name, parent, NULL);

	if (!r)
		return;
	r->name = name;
	r->mode = type;
	dispatch(r);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_it(req, parent, name, S_IFREG);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_it(req, parent, name, S_IFDIR);
}

static void move_inode(const struct node *from, struct node *to)
{
	if (to->row && from->ident)
		inode_move(from, to);
	else if (from->row)
		inode_detach(from);
}

/* The kernel exchanges what it knows by the two names, without a lookup. */
static void exchange_inodes(struct request *r, const struct node *from,
			    const struct node *to)
{
	CLEANUP(node_clear) struct node now_from = { 0 }, now_to = { 0 };

	find_child(r->node, r->name, r, &now_from);
	find_child(r->to_node, r->to_name, r, &now_to);
	move_inode(from, &now_to);
	move_inode(to, &now_from);
}

/*
 * The inodes of both names are found before, by their identity: afterwards the names say
 * something else. Between two directories nothing may wait, not even for that.
 */
static int run_rename(struct request *r, struct error *err)
{
	CLEANUP(node_clear) struct node from = { 0 }, to = { 0 }, moved = { 0 };
	int ret;

	if (!node_executor(r->node, NODE_LOOKUP, NULL) || r->inode == r->to_inode) {
		find_child(r->node, r->name, r, &from);
		find_child(r->to_node, r->to_name, r, &to);
	}
	own_begin(r->inode->id, r->name);
	own_begin(r->to_inode->id, r->to_name);
	ret = node_rename(r->node, r->name, r->to_node, r->to_name, r->flags, &moved,
			  &r->call, err);
	if (ret < 0 || (r->flags & RENAME_EXCHANGE))
		own_end(r->inode->id, r->name);
	if (ret < 0) {
		own_end(r->to_inode->id, r->to_name);
		return ret;
	}
	if (r->flags & RENAME_EXCHANGE) {
		exchange_inodes(r, &from, &to);
		return 0;
	}
	if (to.row)
		inode_detach(&to);
	if (from.row && moved.row)
		inode_move(&from, &moved);
	else if (from.row)
		inode_detach(&from);
	return 0;
}

static void reply_renamed(struct request *r)
{
	own_end(r->to_inode->id, r->to_name);
	fuse_reply_err(r->req, 0);
}

static const struct op rename_name = {
	.node_op = NODE_RENAME, .metric = METRIC_RENAME, .holds_directory = true,
	.run = run_rename, .reply = reply_renamed, .drop = drop_changed,
};

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	       const char *to_name, unsigned flags)
{
	struct request *r = request_new(req, &rename_name, parent, NULL);

	if (!r || !request_to(r, to_parent, NULL))
		return;
	r->name = name;
	r->to_name = to_name;
	r->flags = flags;
	/* until this is answered no other rename between directories begins */
	if (parent == to_parent)
		dispatch(r);
	else
		dispatch_here(r);
}
