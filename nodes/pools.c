/* The directory pools/: mkdir makes a pool, NAME.xml waits for one. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/pools.h"
#include "nodes/table.h"

/* -- definitions that wait: pools/NAME.xml -- */

/* "NAME" of "NAME.xml" into stem; false: it does not end so. */
static bool pending_name(const char *name, char stem[NAME_MAX + 1])
{
	size_t len = strlen(name);

	if (len <= 4 || len > NAME_MAX || strcmp(name + len - 4, ".xml"))
		return false;
	memcpy(stem, name, len - 4);
	stem[len - 4] = '\0';
	return true;
}

static int show_pending(const struct node *n, struct call *call, struct buf *out,
			struct error *err)
{
	/* between the making of the file and its first whole document there is no text */
	int r = pending_show(n->name, out);

	return r == -ENOENT ? 0 : r;
}

static int store_pending(const struct node *n, const char *text, size_t len,
			 struct call *call, struct error *err)
{
	struct node pools = { .row = row_find(root_rows, "pools") };
	char file[NAME_MAX + 5];
	int r = pending_store(n->name, text, len, err);

	snprintf(file, sizeof(file), "%s.xml", n->name);
	if (r == 0)
		scratch_remove(&pools, file);
	return r;
}

const struct row pending_row = {
	.name = "definition",
	.perm = 0666,
	.kind = &document_kind,
	.show = show_pending,
	.store = store_pending,
	.in = "pools",
};

/* A file just made by open(O_CREAT) has no document yet: it stands as a scratch file of
 * its name. */
static int pending_lookup(const struct node *dir, const char *name, struct node *out)
{
	char stem[NAME_MAX + 1];
	AUTO_BUF struct buf text = { 0 };

	if (!pending_name(name, stem))
		return -ENOENT;
	if (pending_show(stem, &text) < 0 && scratch_text(dir, name, &text) < 0)
		return -ENOENT;
	return node_set(out, &pending_row, NULL, stem, NULL, 0);
}

/* -- the kind -- */

static int pools_lookup(const struct node *dir, const char *name, struct node *out,
			struct stat *st, struct call *call, struct error *err)
{
	AUTO_POOL struct pool *p = pools_find(name);

	if (p)
		return node_set(out, &pool_row, p, NULL, NULL, 0);
	if (pending_lookup(dir, name, out) == 0 || scratch_lookup(dir, name, out) == 0)
		return 0;
	return error_set(err, ENOENT, "there is no pool '%s'", name);
}

static int add_pool(void *arg, struct pool *p)
{
	char name[POOL_NAME_MAX];

	pool_name(p, name);
	return listing_add(arg, name, DT_DIR);
}

static int add_pending(void *arg, const char *name)
{
	char file[NAME_MAX + 5];

	snprintf(file, sizeof(file), "%s.xml", name);
	return listing_add(arg, file, DT_REG);
}

static int add_scratch(void *arg, const char *name)
{
	char stem[NAME_MAX + 1];
	AUTO_BUF struct buf text = { 0 };

	/* the marker of an opened definition is not listed twice */
	if (pending_name(name, stem) && pending_show(stem, &text) == 0)
		return 0;
	return listing_add(arg, name, DT_REG);
}

static int pools_list(const struct node *dir, struct listing *into, struct call *call,
		      struct error *err)
{
	if (pools_each(add_pool, into) < 0 || pending_each(add_pending, into) < 0 ||
	    scratch_each(dir, add_scratch, into) < 0)
		return error_set(err, ENOMEM, "cannot list the pools: out of memory");
	return 0;
}

static int pools_mkdir(const char *name, struct node *out, struct call *call,
		       struct error *err)
{
	AUTO_POOL struct pool *p = NULL;
	int r = pools_make(name, call, &p, err);

	return r < 0 ? r : node_set(out, &pool_row, p, NULL, NULL, 0);
}

static int pools_make_node(const struct node *dir, const char *name, mode_t type,
			   struct node *out, struct stat *st, struct call *call,
			   struct error *err)
{
	char stem[NAME_MAX + 1];
	AUTO_POOL struct pool *taken = pools_find(name);
	int r;

	if (taken)
		return error_set(err, EEXIST, "there is a pool '%s'", name);
	if (type == S_IFDIR)
		return pools_mkdir(name, out, call, err);
	r = scratch_make(dir, name, call->mode, out, err);
	if (r < 0 || !pending_name(name, stem))
		return r;
	node_clear(out);
	return node_set(out, &pending_row, NULL, stem, NULL, 0);
}

static int pools_rmdir(const char *name, struct error *err)
{
	AUTO_POOL struct pool *p = pools_find(name);
	int r;

	if (!p)
		return error_set(err, ENOENT, "there is no pool '%s'", name);
	r = pools_remove(p, err);
	if (r == 0)
		scratch_drop(p, NULL);
	return r;
}

static int pools_remove_node(const struct node *dir, const char *name, bool directory,
			     struct call *call, struct error *err)
{
	char stem[NAME_MAX + 1];
	bool gone = false;

	if (directory)
		return pools_rmdir(name, err);
	if (pending_name(name, stem))
		gone = pending_remove(stem) == 0;
	gone = scratch_remove(dir, name) == 0 || gone;
	return gone ? 0 : error_set(err, ENOENT, "there is no '%s' in pools", name);
}

/* -- renaming -- */

/* The text of a waiting definition or a scratch file; -ENOENT. */
static int file_text(const struct node *dir, const char *name, struct buf *out)
{
	char stem[NAME_MAX + 1];

	if (pending_name(name, stem) && pending_show(stem, out) == 0)
		return 0;
	return scratch_text(dir, name, out);
}

/* mv pools/new.xml pools/x/xml: answered at once, carried out by the pool. */
static int commit_into(const struct node *dir, const char *name,
		       const struct node *to_dir, const char *to_name, struct call *call,
		       struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	struct node doc = { 0 };
	int r;

	if (file_text(dir, name, &text) < 0 || to_dir->row != &pool_row ||
	    strcmp(to_name, "xml"))
		return error_set(err, EXDEV,
				 "'%s' cannot be renamed into another directory", name);
	r = node_set(&doc, row_find(pool_rows, "xml"), to_dir->pool, NULL, NULL, 0);
	if (r == 0)
		r = document_commit(&doc, &text, false, call, err);
	node_clear(&doc);
	if (r == 0) {
		document_hide(to_dir, false);
		pools_remove_node(dir, name, false, call, NULL);
	}
	return r;
}

static int rename_pool(struct pool *p, const char *to_name, unsigned flags,
		       struct error *err)
{
	AUTO_POOL struct pool *other = pools_find(to_name);

	if (flags & ~RENAME_NOREPLACE)
		return error_set(err, EINVAL, "pools cannot be exchanged");
	if (other == p)
		return 0;
	if (other)
		return error_set(err, EEXIST, "there is a pool '%s' already", to_name);
	return pools_rename(p, to_name, err);
}

/* A file beside the pools takes another name; one that ends in .xml must be a definition.
 */
static int rename_file(const struct node *dir, const char *name, const char *to_name,
		       unsigned flags, struct node *moved, struct call *call,
		       struct error *err)
{
	AUTO_BUF struct buf text = { 0 }, old = { 0 };
	char stem[NAME_MAX + 1];
	struct error why = { 0 };
	int r;

	if (file_text(dir, name, &text) < 0)
		return error_set(err, ENOENT, "there is no '%s' in pools", name);
	if (flags & ~RENAME_NOREPLACE)
		return error_set(err, EINVAL,
				 "files beside the pools cannot be exchanged");
	if ((flags & RENAME_NOREPLACE) && file_text(dir, to_name, &old) == 0)
		return error_set(err, EEXIST, "'%s' exists", to_name);
	if (pending_name(to_name, stem)) {
		if (pending_store(stem, text.data, text.len, &why) < 0) {
			if (why.code == EINVAL) /* as document_commit */
				why.code = EBADMSG;
			return error_copy(err, &why);
		}
		pools_remove_node(dir, name, false, call, NULL);
		return node_set(moved, &pending_row, NULL, stem, NULL, 0);
	}
	r = scratch_move(dir, name, to_name);
	if (r == -ENOENT)
		r = scratch_put(dir, to_name, &text, err);
	if (r == 0 && pending_name(name, stem))
		pending_remove(stem);
	return r < 0 ? r : scratch_lookup(dir, to_name, moved);
}

static int pools_rename_node(const struct node *dir, const char *name,
			     const struct node *to_dir, const char *to_name,
			     unsigned flags, struct node *moved, struct call *call,
			     struct error *err)
{
	AUTO_POOL struct pool *p = pools_find(name);

	if (p && to_dir->row->kind != &pools_kind)
		return error_set(err, EXDEV, "a pool stays in pools");
	if (p) {
		int r = rename_pool(p, to_name, flags, err);

		/* its node does not have the name, and stays */
		return r < 0 ? r : node_set(moved, &pool_row, p, NULL, NULL, 0);
	}
	if (to_dir->row->kind != &pools_kind)
		return commit_into(dir, name, to_dir, to_name, call, err);
	return rename_file(dir, name, to_name, flags, moved, call, err);
}

/* mkdir may start what a waiting definition defines. */
static struct executor *pools_where(const struct node *n, enum node_op op, bool *verb)
{
	if (op != NODE_MAKE)
		return NULL;
	*verb = true;
	return tree_executor();
}

const struct kind pools_kind = {
	.type = S_IFDIR,
	.lookup = pools_lookup,
	.list = pools_list,
	.make = pools_make_node,
	.remove = pools_remove_node,
	.rename = pools_rename_node,
	.where = pools_where,
};
