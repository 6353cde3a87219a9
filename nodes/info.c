/* The directory info/: the description of each volume, and plans of volumes to come. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "nodes/table.h"

/* -- rows of info/VOL -- */

static int show_xml(const struct node *n, struct call *call, struct buf *out,
		    struct error *err)
{
	return volume_show_xml(n->pool, n->name, call, out, err);
}

static int store_xml(const struct node *n, const char *text, size_t len,
		     struct call *call, struct error *err)
{
	return volume_define(n->pool, n->name, text, len, call, err);
}

/* The row's name is the field's. */
static int show_field(const struct node *n, struct call *call, struct buf *out,
		      struct error *err)
{
	return volume_show(n->pool, n->name, n->row->name, call, out, err);
}

static int store_field(const struct node *n, const char *text, size_t len,
		       struct call *call, struct error *err)
{
	return volume_store(n->pool, n->name, n->row->name, text, call, err);
}

static int show_verbs(const struct node *n, struct call *call, struct buf *out,
		      struct error *err)
{
	return volume_show_verbs(n->pool, n->name, call, out, err);
}

static int store_verb(const struct node *n, const char *text, size_t len,
		      struct call *call, struct error *err)
{
	return volume_verb(n->pool, n->name, text, call, err);
}

static int show_error(const struct node *n, struct call *call, struct buf *out,
		      struct error *err)
{
	return pool_show_error(n->pool, n->name, out);
}

static const struct row info_rows[] = {
	DOCUMENT("xml", show_xml, store_xml),
	ATTR_SETS("capacity", show_field, store_field),
	ATTR_SETS("format", show_field, store_field),
	ATTR_SETS("backing", show_field, store_field),
	ATTR_SETS("allocation", show_field, store_field),
	ATTR_ASKS("physical", show_field),
	ATTR_ASKS("type", show_field),
	ATTR_ASKS("key", show_field),
	ATTR_ASKS("path", show_field),
	{ .name = "paths", .perm = 0444, .kind = &value_kind, .show = show_field,
	  .flags = ROW_ASKS | ROW_PATHS },
	{ .name = "ctl", .perm = 0666, .kind = &value_kind, .show = show_verbs,
	  .store = store_verb, .flags = ROW_ASKS | ROW_WORKS },
	ATTR("error", show_error),
	{ 0 },
};

const struct row info_row = TABLE("info of", &described_kind, info_rows, "info");

/* -- the directory -- */

static int infos_lookup(const struct node *dir, const char *name, struct node *out,
			struct stat *st, struct call *call, struct error *err)
{
	struct vol_stat vs = { 0 };
	int r = plan_exists(dir->pool, name)
			? 0
			: volume_stat(dir->pool, name, &vs, call, err);

	return r < 0 ? r : node_set(out, &info_row, dir->pool, name, NULL, 0);
}

static int add_directory(void *arg, const char *name)
{
	return listing_add(arg, name, DT_DIR);
}

static int infos_list(const struct node *dir, struct listing *into, struct call *call,
		      struct error *err)
{
	int r = volume_list(dir->pool, add_directory, into, call, err);

	return r < 0 ? r : plan_each(dir->pool, add_directory, into);
}

static int infos_make(const struct node *dir, const char *name, mode_t type,
		      struct node *out, struct stat *st, struct call *call,
		      struct error *err)
{
	struct vol_stat vs = { 0 };
	int r;

	if (type != S_IFDIR)
		return error_set(err, EPERM,
				 "info holds a directory per volume: use mkdir");
	r = volume_stat(dir->pool, name, &vs, call, err);
	if (r == 0)
		return error_set(err, EEXIST, "there is a volume '%s' already", name);
	if (r == -ENOENT)
		r = plan_make(dir->pool, name, err);
	return r < 0 ? r : node_set(out, &info_row, dir->pool, name, NULL, 0);
}

static int infos_remove(const struct node *dir, const char *name, bool directory,
			struct call *call, struct error *err)
{
	int r = plan_remove(dir->pool, name, err);

	if (r == -ENOENT)
		return error_set(err, EPERM,
				 "the description of volume '%s' goes with the volume: rm it in "
				 "volumes",
				 name);
	if (r == 0)
		scratch_drop(dir->pool, name);
	return r;
}

static struct executor *infos_where(const struct node *n, enum node_op op, bool *verb)
{
	return op == NODE_REMOVE || op == NODE_STAT ? NULL : pool_where(n->pool);
}

const struct kind infos_kind = {
	.type = S_IFDIR,
	.lookup = infos_lookup,
	.list = infos_list,
	.make = infos_make,
	.remove = infos_remove,
	.where = infos_where,
};
