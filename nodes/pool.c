/* The directory pools/NAME: one row per thing that can be said about a pool. */
#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <inttypes.h>
#include <string.h>

#include "backends/model/pools.h"
#include "nodes/table.h"

/* -- rows -- */

/* Must answer at once also when the source is dead. */
static int show_xml(const struct node *n, struct call *call, struct buf *out,
		    struct error *err)
{
	struct call now = no_wait(call, n->pool);

	return pool_show_xml(n->pool, &now, out, err);
}

static int store_xml(const struct node *n, const char *text, size_t len,
		     struct call *call, struct error *err)
{
	return pool_define(n->pool, text, len, call, err);
}

static int show_saved(const struct node *n, struct call *call, struct buf *out,
		      struct error *err)
{
	return pool_show_saved(n->pool, out, err);
}

static int show_verbs(const struct node *n, struct call *call, struct buf *out,
		      struct error *err)
{
	return pool_show_verbs(n->pool, out);
}

static int store_verb(const struct node *n, const char *text, size_t len,
		      struct call *call, struct error *err)
{
	return pool_verb(n->pool, text, call, err);
}

static int show_state(const struct node *n, struct call *call, struct buf *out,
		      struct error *err)
{
	return show_text(out, pool_state_name(pool_state(n->pool)));
}

static int read_switch(const char *text, const char *what, bool *on, struct error *err)
{
	if (strcmp(text, "0") && strcmp(text, "1"))
		return error_set(err, EINVAL, "'%s' is 0 or 1, not '%.40s'", what, text);
	*on = *text == '1';
	return 0;
}

static int show_autostart(const struct node *n, struct call *call, struct buf *out,
			  struct error *err)
{
	return show_text(out, pool_autostart(n->pool) ? "1" : "0");
}

static int store_autostart(const struct node *n, const char *text, size_t len,
			   struct call *call, struct error *err)
{
	bool on = false;

	if (read_switch(text, "autostart", &on, err) < 0)
		return -EINVAL;
	return pool_set_autostart(n->pool, on, err);
}

static int show_protected(const struct node *n, struct call *call, struct buf *out,
			  struct error *err)
{
	return show_text(out, pool_protected(n->pool) ? "1" : "0");
}

static int store_protected(const struct node *n, const char *text, size_t len,
			   struct call *call, struct error *err)
{
	bool on = false;

	if (read_switch(text, "protected", &on, err) < 0)
		return -EINVAL;
	return pool_set_protected(n->pool, on, err);
}

static int show_uuid(const struct node *n, struct call *call, struct buf *out,
		     struct error *err)
{
	return pool_show_uuid(n->pool, out);
}

static int show_type(const struct node *n, struct call *call, struct buf *out,
		     struct error *err)
{
	const struct pool_type *type = pool_type(n->pool);

	return type ? show_text(out, type->name) : 0;
}

static int sizes(const struct node *n, struct call *call, struct pool_stat *ps,
		 struct error *err)
{
	int r;

	*ps = (struct pool_stat){ .permissions = PERMISSIONS_UNSET };
	r = pool_stat(n->pool, call, ps, err);
	permissions_clear(&ps->permissions);
	return r;
}

#define SHOW_SIZE(field)                                                                 \
	static int show_##field(const struct node *n, struct call *call, struct buf *out, \
				struct error *err)                                       \
	{                                                                                \
		struct pool_stat ps;                                                     \
		int r = sizes(n, call, &ps, err);                                        \
                                                                                         \
		return r < 0 ? r : buf_printf(out, "%" PRIu64 "\n", ps.field);           \
	}

SHOW_SIZE(capacity)
SHOW_SIZE(allocation)
SHOW_SIZE(available)

static int show_error(const struct node *n, struct call *call, struct buf *out,
		      struct error *err)
{
	return pool_show_error(n->pool, NULL, out);
}

const struct row pool_rows[] = {
	{ .name = "xml", .perm = 0666, .kind = &document_kind, .show = show_xml,
	  .store = store_xml, .flags = ROW_WORKS },
	ATTR("xml.saved", show_saved),
	VERBS("ctl", show_verbs, store_verb),
	ATTR("state", show_state),
	ATTR_RW("autostart", show_autostart, store_autostart),
	ATTR_RW("protected", show_protected, store_protected),
	ATTR("uuid", show_uuid),
	ATTR("type", show_type),
	ATTR_RECENT("capacity", show_capacity),
	ATTR_RECENT("allocation", show_allocation),
	ATTR_RECENT("available", show_available),
	ATTR("error", show_error),
	DIRECTORY("volumes", &volumes_kind),
	DIRECTORY("snapshots", &snapshots_kind),
	DIRECTORY("info", &infos_kind),
	{ 0 },
};

/* -- a directory of rows with a document that editors edit: pools/NAME and info/VOL -- */

static int described_lookup(const struct node *dir, const char *name, struct node *out,
			    struct stat *st, struct call *call, struct error *err)
{
	const struct row *row = row_in(dir, name);

	if (row && !(row->kind == &document_kind && document_hidden(dir)))
		return node_set(out, row, dir->pool, dir->name, NULL, 0);
	if (scratch_lookup(dir, name, out) == 0)
		return 0;
	return error_set(err, ENOENT, "there is no '%s' here", name);
}

static int add_scratch(void *arg, const char *name)
{
	return listing_add(arg, name, DT_REG);
}

static int described_list(const struct node *dir, struct listing *into, struct call *call,
			  struct error *err)
{
	bool hidden = document_hidden(dir);
	int r = 0;

	for (const struct row *row = dir->row->rows; row->name && r == 0; row++)
		if (row_is_in(dir, row) && (!hidden || row->kind != &document_kind))
			r = listing_add(into, row->name, IFTODT(row->kind->type));
	if (r < 0 || scratch_each(dir, add_scratch, into) < 0)
		return error_set(err, ENOMEM, "cannot list: out of memory");
	return 0;
}

static int described_make(const struct node *dir, const char *name, mode_t type,
			  struct node *out, struct stat *st, struct call *call,
			  struct error *err)
{
	const struct row *row = row_in(dir, name);

	if (type == S_IFDIR)
		return error_set(err, EPERM, "there are no directories to make here");
	if (!row)
		return scratch_make(dir, name, call->mode, out, err);
	if (row->kind != &document_kind || !document_hidden(dir))
		return error_set(err, EEXIST, "'%s' exists", name);
	document_hide(dir, false);
	return node_set(out, row, dir->pool, dir->name, NULL, 0);
}

static int described_remove(const struct node *dir, const char *name, bool directory,
			    struct call *call, struct error *err)
{
	const struct row *row = row_in(dir, name);

	if (!row && scratch_remove(dir, name) == 0)
		return 0;
	if (!row)
		return error_set(err, ENOENT, "there is no '%s' here", name);
	if (row->kind != &document_kind)
		return error_set(err, EPERM, "'%s' cannot be removed", name);
	document_hide(dir, true);
	return 0;
}

/* An editor puts the old document aside under another name. */
static int put_aside(const struct node *dir, const struct row *row, const char *to_name,
		     struct node *moved, struct call *call, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	struct node doc = { .row = row, .pool = dir->pool, .name = dir->name };
	int r;

	if (row_in(dir, to_name))
		return error_set(err, EPERM, "'%s' cannot be replaced", to_name);
	r = row->show(&doc, call, &text, err);
	if (r == 0)
		r = scratch_put(dir, to_name, &text, err);
	if (r < 0)
		return r;
	document_hide(dir, true);
	return scratch_lookup(dir, to_name, moved);
}

static int take_name(const struct node *dir, const char *name, const struct row *row,
		     struct node *moved, struct call *call, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	struct node doc = { .row = row, .pool = dir->pool, .name = dir->name };
	int r;

	if (row->kind != &document_kind)
		return error_set(err, EPERM, "'%s' cannot be replaced: write to it",
				 row->name);
	if (scratch_text(dir, name, &text) < 0)
		return error_set(err, ENOENT, "there is no '%s' here", name);
	r = document_commit(&doc, &text, true, call, err);
	if (r < 0)
		return r;
	scratch_remove(dir, name);
	document_hide(dir, false);
	return node_set(moved, row, dir->pool, dir->name, NULL, 0);
}

static int described_rename(const struct node *dir, const char *name,
			    const struct node *to_dir, const char *to_name,
			    unsigned flags, struct node *moved, struct call *call,
			    struct error *err)
{
	const struct row *row = row_in(dir, name);
	const struct row *to_row = row_in(dir, to_name);
	struct node old = { 0 };

	if (!node_equal(dir, to_dir))
		return error_set(err, EXDEV,
				 "'%s' cannot be renamed into another directory", name);
	if (flags & ~RENAME_NOREPLACE)
		return error_set(err, EINVAL, "these files cannot be exchanged");
	if ((flags & RENAME_NOREPLACE) &&
	    described_lookup(dir, to_name, &old, NULL, call, NULL) == 0) {
		node_clear(&old);
		return error_set(err, EEXIST, "'%s' exists", to_name);
	}
	if (row && row->kind != &document_kind)
		return error_set(err, EPERM, "'%s' cannot be renamed", name);
	if (row)
		return put_aside(dir, row, to_name, moved, call, err);
	if (to_row)
		return take_name(dir, name, to_row, moved, call, err);
	if (scratch_move(dir, name, to_name) < 0)
		return error_set(err, ENOENT, "there is no '%s' here", name);
	return scratch_lookup(dir, to_name, moved);
}

/* Taking the document's name carries it out: a verb, when it stays in one directory. */
static struct executor *described_where(const struct node *n, enum node_op op, bool *verb)
{
	if (op == NODE_STATFS)
		return pool_where(n->pool);
	if (op != NODE_RENAME)
		return NULL;
	*verb = true;
	return pool_executor(n->pool);
}

const struct kind described_kind = {
	.type = S_IFDIR,
	.lookup = described_lookup,
	.list = described_list,
	.make = described_make,
	.remove = described_remove,
	.rename = described_rename,
	.where = described_where,
};

/* name: never shown, since a pool's directory is found by the pool's own name */
const struct row pool_row = TABLE("pool", &described_kind, pool_rows, "");
