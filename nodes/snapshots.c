/* The directory snapshots/: one directory per volume, one read-only file per snapshot. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "nodes/table.h"

/* -- snapshots/VOL/SNAP -- */

static int snapshot_node_stat(const struct node *n, struct stat *st, struct call *call,
			      struct error *err)
{
	struct vol_stat vs = { 0 };
	int r = snapshot_stat(n->pool, n->name, n->sub, &vs, call, err);

	if (r < 0)
		return r;
	stat_from_volume(&vs, st);
	st->st_mode &= ~0222;
	return 0;
}

static int snapshot_setattr(const struct node *n, const struct node_attr *a,
			    struct call *call, struct error *err)
{
	if (a->attr.mask & ~(VOL_ATIME | VOL_MTIME))
		return error_set(err, EROFS, "a snapshot is read-only");
	return 0;
}

static int snapshot_open(struct handle *h, bool created, pid_t pid, struct call *call,
			 struct error *err)
{
	/* of touch(1) and `: >SNAP`, which have made it so: nothing can be written */
	if (created && (h->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	return volume_open(h->node.pool, h->node.name, h->node.sub, h->flags, created,
			   pid, &h->volume, call, err);
}

static void snapshot_close(struct handle *h, struct call *call)
{
	if (h->volume)
		volume_close(take(h->volume), call);
}

static struct executor *snapshot_where(const struct node *n, enum node_op op, bool *verb)
{
	if (op == NODE_TRANSFER)
		return transfer_executor();
	return op == NODE_STAT && !n->sub ? NULL : pool_where(n->pool);
}

static const struct kind snapshot_kind = {
	.type = S_IFREG,
	.stat = snapshot_node_stat,
	.setattr = snapshot_setattr,
	.open = snapshot_open,
	.close = snapshot_close,
	.where = snapshot_where,
};

static const struct row snapshot_row = { .name = "snapshot", .perm = 0444,
					 .kind = &snapshot_kind, .in = "snapshots" };

/* -- snapshots/VOL -- */

static int add_snapshot(void *arg, const char *name)
{
	return listing_add(arg, name, DT_REG);
}

static int snapshot_dir_lookup(const struct node *dir, const char *name, struct node *out,
			       struct stat *st, struct call *call, struct error *err)
{
	struct vol_stat vs = { 0 };
	int r = snapshot_stat(dir->pool, dir->name, name, &vs, call, err);

	if (r == -EOPNOTSUPP) /* so it has none */
		return error_set(err, ENOENT, "'%s' has no snapshots", dir->name);
	if (r < 0)
		return r;
	return node_set(out, &snapshot_row, dir->pool, dir->name, name, vs.ident);
}

static int snapshot_dir_list(const struct node *dir, struct listing *into,
			     struct call *call, struct error *err)
{
	int r = snapshot_list(dir->pool, dir->name, add_snapshot, into, call, err);

	return r == -EOPNOTSUPP ? 0 : r;
}

static int snapshot_dir_make(const struct node *dir, const char *name, mode_t type,
			     struct node *out, struct stat *st, struct call *call,
			     struct error *err)
{
	int r;

	if (type != S_IFREG)
		return error_set(err, EPERM, "a snapshot is taken with touch");
	r = snapshot_create(dir->pool, dir->name, name, call, err);
	return r < 0 ? r : snapshot_dir_lookup(dir, name, out, st, call, err);
}

static int snapshot_dir_remove(const struct node *dir, const char *name, bool directory,
			       struct call *call, struct error *err)
{
	return snapshot_delete(dir->pool, dir->name, name, call, err);
}

static struct executor *snapshot_dir_where(const struct node *n, enum node_op op,
					   bool *verb)
{
	if (op == NODE_MAKE || op == NODE_REMOVE) {
		*verb = true;
		return pool_executor(n->pool);
	}
	return op == NODE_STAT ? NULL : pool_where(n->pool);
}

static const struct kind snapshot_dir_kind = {
	.type = S_IFDIR,
	.lookup = snapshot_dir_lookup,
	.list = snapshot_dir_list,
	.make = snapshot_dir_make,
	.remove = snapshot_dir_remove,
	.where = snapshot_dir_where,
};

const struct row snapshot_dir_row = { .name = "snapshots of", .perm = 0777,
				      .kind = &snapshot_dir_kind, .in = "snapshots" };

/* -- the directory -- */

static int snapshots_lookup(const struct node *dir, const char *name, struct node *out,
			    struct stat *st, struct call *call, struct error *err)
{
	struct vol_stat vs = { 0 };
	int r = volume_stat(dir->pool, name, &vs, call, err);

	return r < 0 ? r : node_set(out, &snapshot_dir_row, dir->pool, name, NULL, 0);
}

static int add_directory(void *arg, const char *name)
{
	return listing_add(arg, name, DT_DIR);
}

static int snapshots_list(const struct node *dir, struct listing *into, struct call *call,
			  struct error *err)
{
	return volume_list(dir->pool, add_directory, into, call, err);
}

const struct kind snapshots_kind = {
	.type = S_IFDIR,
	.lookup = snapshots_lookup,
	.list = snapshots_list,
	.where = snapshot_where,
};
