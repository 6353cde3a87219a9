/* The directory volumes/ and the volumes in it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nodes/table.h"

/* -- a volume -- */

static int volume_node_stat(const struct node *n, struct stat *st, struct call *call,
			    struct error *err)
{
	struct vol_stat vs = { 0 };
	int r = volume_stat(n->pool, n->name, &vs, call, err);

	if (r == 0)
		stat_from_volume(&vs, st);
	return r;
}

/* The call, about the volume that the node stands for: the kernel looked at the
 * permissions of that one, and another may have its name by now. */
static struct call meant(const struct call *call, const struct node *n)
{
	struct call c = call ? *call : (struct call){ 0 };

	c.ident = n->ident;
	return c;
}

static int volume_setattr_node(const struct node *n, const struct node_attr *a,
			       struct call *call, struct error *err)
{
	struct call mine = meant(call, n);
	int r = 0;

	if (a->attr.mask & NODE_SIZE)
		r = volume_truncate(n->pool, n->name, a->size, &mine, err);
	if (r == 0 && (a->attr.mask & ~NODE_SIZE)) {
		struct vol_attr attr = a->attr;

		attr.mask &= ~NODE_SIZE;
		r = volume_setattr(n->pool, n->name, &attr, &mine, err);
	}
	return r;
}

static int volume_node_open(struct handle *h, bool created, pid_t pid, struct call *call,
			    struct error *err)
{
	struct call mine = meant(call, &h->node);

	return volume_open(h->node.pool, h->node.name, h->node.sub, h->flags, created,
			   pid, &h->volume, &mine, err);
}

static int volume_node_truncate(struct handle *h, uint64_t size, struct call *call,
				struct error *err)
{
	return volume_ftruncate(h->volume, size, call, err);
}

static int volume_node_flush(struct handle *h, pid_t pid, struct call *call,
			     struct error *err)
{
	return volume_flush_ready(h->volume) ? 0
					     : volume_flush(h->volume, pid, call, err);
}

static int volume_node_fsync(struct handle *h, bool data_only, struct call *call,
			     struct error *err)
{
	return volume_fsync(h->volume, data_only, call, err);
}

static void volume_node_close(struct handle *h, struct call *call)
{
	if (h->volume)
		volume_close(take(h->volume), call);
}

static struct executor *volume_where(const struct node *n, enum node_op op, bool *verb)
{
	return op == NODE_TRANSFER ? transfer_executor() : pool_where(n->pool);
}

static const struct kind volume_kind = {
	.type = S_IFREG,
	.stat = volume_node_stat,
	.setattr = volume_setattr_node,
	.open = volume_node_open,
	.truncate = volume_node_truncate,
	.flush = volume_node_flush,
	.fsync = volume_node_fsync,
	.close = volume_node_close,
	.where = volume_where,
};

const struct row volume_row = { .name = "volume", .perm = 0666, .kind = &volume_kind,
				.in = "volumes" };

/* -- the directory -- */

static int volumes_lookup(const struct node *dir, const char *name, struct node *out,
			  struct stat *st, struct call *call, struct error *err)
{
	struct vol_stat vs = { 0 };
	int r = volume_stat(dir->pool, name, &vs, call, err);

	if (r == 0 && node_set(out, &volume_row, dir->pool, name, NULL, vs.ident) < 0)
		r = error_set(err, ENOMEM, "cannot look up '%s': out of memory", name);
	if (r < 0)
		return r;
	stat_defaults(out, st);
	stat_from_volume(&vs, st);
	return 0;
}

static int add_volume(void *arg, const char *name)
{
	return listing_add(arg, name, DT_REG);
}

static int volumes_list(const struct node *dir, struct listing *into, struct call *call,
			struct error *err)
{
	return volume_list(dir->pool, add_volume, into, call, err);
}

static int volumes_sync(const struct node *dir, struct call *call, struct error *err)
{
	return volume_sync_names(dir->pool, call, err);
}

static int volumes_make(const struct node *dir, const char *name, mode_t type,
			struct node *out, struct stat *st, struct call *call,
			struct error *err)
{
	int r;

	if (type != S_IFREG)
		return error_set(err, EPERM,
				 "volumes holds volumes only, no directories");
	r = volume_create(dir->pool, name, call, err);
	return r < 0 ? r : volumes_lookup(dir, name, out, st, call, err);
}

static int volumes_remove(const struct node *dir, const char *name, bool directory,
			  struct call *call, struct error *err)
{
	if (directory)
		return error_set(err, ENOTDIR, "'%s' is a volume: use rm", name);
	return volume_delete(dir->pool, name, call, err);
}

static int volumes_rename(const struct node *dir, const char *name,
			  const struct node *to_dir, const char *to_name, unsigned flags,
			  struct node *moved, struct call *call, struct error *err)
{
	unsigned how = 0;
	struct stat st;
	int r;

	if (!node_equal(dir, to_dir))
		return error_set(err, EXDEV,
				 "a volume cannot be renamed into another directory");
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return error_set(err, EINVAL, "volumes cannot be renamed in that way");
	if (flags & RENAME_NOREPLACE)
		how |= RENAME_VOL_NOREPLACE;
	if (flags & RENAME_EXCHANGE)
		how |= RENAME_VOL_EXCHANGE;
	r = volume_rename(dir->pool, name, to_name, how, call, err);
	if (r == 0)
		scratch_drop(dir->pool, name);
	/* an exchange moves two: who asked looks both up */
	if (r == 0 && !(flags & RENAME_EXCHANGE))
		volumes_lookup(dir, to_name, moved, &st, call, NULL);
	return r;
}

/* The directory of a file pool has the owner and mode of what it stands for. Others have
 * none, and are not asked: every ls(1) and touch(1) comes by here. */
static int volumes_stat(const struct node *n, struct stat *st, struct call *call,
			struct error *err)
{
	const struct pool_type *type = pool_type(n->pool);
	struct pool_stat ps = { .permissions = PERMISSIONS_UNSET };
	struct call recent = no_wait(call, n->pool);

	if (!type || strcmp(type->volume_type, "file"))
		return 0;
	if (pool_stat(n->pool, &recent, &ps, NULL) == 0) {
		const struct permissions *p = &ps.permissions;

		if (p->mode >= 0)
			st->st_mode = S_IFDIR | p->mode;
		if (p->owner >= 0)
			st->st_uid = p->owner;
		if (p->group >= 0)
			st->st_gid = p->group;
	}
	permissions_clear(&ps.permissions);
	return 0;
}

static int any_plan(void *arg, const char *name)
{
	return -EEXIST;
}

/* Making what was planned may run qemu-img. */
static struct executor *volumes_where(const struct node *n, enum node_op op, bool *verb)
{
	if (op == NODE_MAKE && plan_each(n->pool, any_plan, NULL) < 0) {
		*verb = true;
		return pool_executor(n->pool);
	}
	return op == NODE_STAT ? NULL : pool_where(n->pool);
}

const struct kind volumes_kind = {
	.type = S_IFDIR,
	.lookup = volumes_lookup,
	.list = volumes_list,
	.sync = volumes_sync,
	.make = volumes_make,
	.remove = volumes_remove,
	.rename = volumes_rename,
	.stat = volumes_stat,
	.where = volumes_where,
};
