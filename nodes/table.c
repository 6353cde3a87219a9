/* Directories of rows, and the calls of node.h: find the kind, ask it, say why not. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/pools.h"
#include "nodes/table.h"

/* -- the table kind -- */

const struct row *row_find(const struct row *rows, const char *name)
{
	for (const struct row *r = rows; r->name; r++)
		if (!strcmp(r->name, name))
			return r;
	return NULL;
}

bool row_is_in(const struct node *dir, const struct row *row)
{
	const struct pool_type *type;

	if (!(row->flags & ROW_PATHS))
		return true;
	type = pool_type(dir->pool);
	return type && type->multipath;
}

const struct row *row_in(const struct node *dir, const char *name)
{
	const struct row *row = dir->row->rows ? row_find(dir->row->rows, name) : NULL;

	return row && row_is_in(dir, row) ? row : NULL;
}

static int table_lookup(const struct node *dir, const char *name, struct node *out,
			struct stat *st, struct call *call, struct error *err)
{
	const struct row *row = row_find(dir->row->rows, name);

	if (!row)
		return error_set(err, ENOENT, "there is no '%s' here", name);
	return node_set(out, row, dir->pool, dir->name, NULL,
			row->kind == &stream_kind ? stream_ident() : 0);
}

static int table_list(const struct node *dir, struct listing *into, struct call *call,
		      struct error *err)
{
	for (const struct row *r = dir->row->rows; r->name; r++)
		if (listing_add(into, r->name, IFTODT(r->kind->type)) < 0)
			return error_set(err, ENOMEM, "cannot list: out of memory");
	return 0;
}

const struct kind table_kind = {
	.type = S_IFDIR,
	.lookup = table_lookup,
	.list = table_list,
};

/* -- listings -- */

int listing_add(struct listing *l, const char *name, unsigned char type)
{
	if (buf_reserve(&l->names, strlen(name) + 2) < 0)
		return -ENOMEM;
	buf_putc(&l->names, type);
	buf_add(&l->names, name, strlen(name) + 1);
	l->count++;
	return 0;
}

void listing_free(struct listing *l)
{
	buf_free(&l->names);
	l->count = 0;
}

size_t listing_at(const struct listing *l, size_t position, const char **name,
		  unsigned char *type)
{
	if (position >= l->names.len)
		return 0;
	*type = l->names.data[position];
	*name = l->names.data + position + 1;
	return position + strlen(*name) + 2;
}

uint64_t node_child_ino(const struct node *dir, const char *name)
{
	const struct row *row = row_in(dir, name);

	if (row)
		return ino_of(row, dir->pool, dir->name, NULL);
	if (dir->row->kind == &volumes_kind)
		return ino_of(&volume_row, dir->pool, name, NULL);
	if (dir->row->kind == &infos_kind)
		return ino_of(&info_row, dir->pool, name, NULL);
	return hash_string(name, ino_of(dir->row, dir->pool, dir->name, dir->sub));
}

/* -- node.h's calls -- */

static int cannot(const struct node *n, int code, const char *what, struct error *err)
{
	char path[512];

	node_path(n, path, sizeof(path));
	return error_set(err, code, "cannot %s '%s': it is not meant for that", what,
			 path);
}

struct executor *node_executor(const struct node *n, enum node_op op, bool *verb)
{
	bool unused;

	if (!verb)
		verb = &unused;
	*verb = false;
	return n->row->kind->where ? n->row->kind->where(n, op, verb) : NULL;
}

int node_lookup(const struct node *dir, const char *name, struct node *out,
		struct stat *st, struct call *call, struct error *err)
{
	st->st_ino = 0;
	if (!dir->row->kind->lookup)
		return error_set(err, ENOTDIR, "'%s' is in no directory", name);

	int r = dir->row->kind->lookup(dir, name, out, st, call, err);

	if (r < 0)
		return r;
	if (!st->st_ino)
		r = node_stat(out, st, call, err);
	if (r < 0)
		node_clear(out);
	return r;
}

int node_stat(const struct node *n, struct stat *st, struct call *call, struct error *err)
{
	stat_defaults(n, st);
	return n->row->kind->stat ? n->row->kind->stat(n, st, call, err) : 0;
}

int node_keeps_owner(const struct node *n, const struct node_attr *a,
		     const struct stat *st, struct error *err)
{
	unsigned mask = a->attr.mask;

	if ((!(mask & VOL_MODE) || a->attr.mode == (st->st_mode & 07777)) &&
	    (!(mask & VOL_UID) || a->attr.uid == st->st_uid) &&
	    (!(mask & VOL_GID) || a->attr.gid == st->st_gid))
		return 0;
	return error_set(err, EPERM, "mode and owner of '%s' come from %s", n->row->name,
			 n->row->kind == &volumes_kind ?
				 "the pool's directory, else from the mount options" :
				 "the mount options");
}

/* Times are accepted everywhere: touch and editors set them. */
int node_setattr(const struct node *n, const struct node_attr *a, struct call *call,
		 struct error *err)
{
	struct stat st;
	int r;

	if (n->row->kind->setattr)
		return n->row->kind->setattr(n, a, call, err);
	if (a->attr.mask & NODE_SIZE)
		return cannot(n, EPERM, "truncate", err);
	if (!(a->attr.mask & (VOL_MODE | VOL_UID | VOL_GID)))
		return 0; /* nothing to compare, so no text is made */
	r = node_stat(n, &st, call, err);
	return r < 0 ? r : node_keeps_owner(n, a, &st, err);
}

int node_make(const struct node *dir, const char *name, mode_t type, struct node *out,
	      struct stat *st, struct call *call, struct error *err)
{
	st->st_ino = 0;
	if (!dir->row->kind->make)
		return error_set(err, EPERM, "cannot make '%s': nothing is made here", name);
	if (type != S_IFREG && type != S_IFDIR)
		return error_set(err, EPERM,
				 "cannot make '%s': there are no links, pipes, sockets and "
				 "devices here",
				 name);

	int r = dir->row->kind->make(dir, name, type, out, st, call, err);

	if (r == 0 && !st->st_ino)
		r = node_stat(out, st, call, err);
	if (r < 0)
		node_clear(out);
	return r;
}

int node_remove(const struct node *dir, const char *name, bool directory,
		struct call *call, struct error *err)
{
	if (!dir->row->kind->remove)
		return error_set(err, EPERM, "'%s' cannot be removed", name);
	return dir->row->kind->remove(dir, name, directory, call, err);
}

int node_rename(const struct node *dir, const char *name, const struct node *to_dir,
		const char *to_name, unsigned flags, struct node *moved,
		struct call *call, struct error *err)
{
	*moved = (struct node){ 0 };
	if (!dir->row->kind->rename)
		return error_set(err, EPERM, "'%s' cannot be renamed", name);
	return dir->row->kind->rename(dir, name, to_dir, to_name, flags, moved, call,
				      err);
}

int node_statfs(const struct node *n, struct statvfs *st, struct call *call,
		struct error *err)
{
	struct pool_stat ps = { 0 };

	*st = (struct statvfs){ .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };
	if (!n->pool)
		return 0;

	int r = pool_stat(n->pool, call, &ps, err);

	permissions_clear(&ps.permissions);
	if (r < 0)
		return r;
	st->f_blocks = ps.capacity / st->f_frsize;
	st->f_bfree = ps.available / st->f_frsize;
	st->f_bavail = (ps.available - ps.reserved) / st->f_frsize;
	st->f_files = ps.files;
	st->f_ffree = st->f_favail = ps.files_free;
	return 0;
}

int node_list(const struct node *dir, struct listing *into, struct call *call,
	      struct error *err)
{
	*into = (struct listing){ 0 };
	if (!dir->row->kind->list)
		return error_set(err, ENOTDIR, "'%s' is no directory", dir->row->name);

	int r = dir->row->kind->list(dir, into, call, err);

	if (r < 0)
		listing_free(into);
	return r;
}

int node_sync(const struct node *dir, struct call *call, struct error *err)
{
	return dir->row->kind->sync ? dir->row->kind->sync(dir, call, err) : 0;
}

/* -- open files -- */

int node_open(const struct node *n, int flags, bool created, pid_t pid,
	      struct handle **out, struct call *call, struct error *err)
{
	AUTO_FREE struct handle *h = calloc(1, sizeof(*h));

	if (!n->row->kind->open)
		return cannot(n, EISDIR, "open", err);
	if (!h || node_copy(n, &h->node) < 0)
		return error_set(err, ENOMEM, "cannot open: out of memory");
	pthread_mutex_init(&h->lock, NULL);
	h->flags = flags;

	int r = n->row->kind->open(h, created, pid, call, err);

	if (r < 0) {
		buf_free(&h->text);
		node_clear(&h->node);
		pthread_mutex_destroy(&h->lock);
		return r;
	}
	*out = take(h);
	return 0;
}

void handle_close(struct handle *h, struct call *call)
{
	if (h->node.row->kind->close)
		h->node.row->kind->close(h, call);
	xml_feed_free(h->feed);
	buf_wipe(&h->text);
	buf_wipe(&h->before);
	node_clear(&h->node);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

struct volume_handle *handle_volume(struct handle *h)
{
	return h->volume;
}

int handle_read(struct handle *h, uint64_t off, size_t size, struct buf *out,
		struct error *err)
{
	if (h->node.row->kind->read)
		return h->node.row->kind->read(h, off, size, out, err);

	SCOPED_LOCK(&h->lock);

	if (off >= h->text.len)
		return 0;
	if (size > h->text.len - off)
		size = h->text.len - off;
	if (buf_add(out, h->text.data + off, size) < 0)
		return error_set(err, ENOMEM, "cannot read: out of memory");
	return 0;
}

ssize_t handle_write(struct handle *h, const void *data, size_t size, uint64_t off,
		     struct call *call, struct error *err)
{
	if (!h->node.row->kind->write)
		return cannot(&h->node, EPERM, "write to", err);
	value_forget_kept();
	return h->node.row->kind->write(h, data, size, off, call, err);
}

int handle_truncate(struct handle *h, uint64_t size, struct call *call, struct error *err)
{
	if (!h->node.row->kind->truncate)
		return size ? cannot(&h->node, EPERM, "truncate", err) : 0;
	return h->node.row->kind->truncate(h, size, call, err);
}

int handle_flush(struct handle *h, pid_t pid, struct call *call, struct error *err)
{
	return h->node.row->kind->flush ? h->node.row->kind->flush(h, pid, call, err) : 0;
}

int handle_fsync(struct handle *h, bool data_only, struct call *call, struct error *err)
{
	return h->node.row->kind->fsync
		       ? h->node.row->kind->fsync(h, data_only, call, err)
		       : 0;
}

bool handle_needs_no_flush(const struct handle *h)
{
	return !h->volume && (h->flags & O_ACCMODE) == O_RDONLY;
}

bool handle_is_stream(const struct handle *h)
{
	return h->node.row->kind == &stream_kind;
}

bool handle_has_said(struct handle *h, const struct error *err)
{
	bool said;

	SCOPED_LOCK(&h->lock);
	if (!h->refused.code || strcmp(h->refused.text, err->text))
		return false;
	said = h->said;
	h->said = true;
	return said;
}

/* A volume that cannot be made has no info/V/error to read: what a name in a directory
 * meets is the pool's failure too. */
static void remember_in_pool(const struct node *n, const char *name,
			     const struct error *err)
{
	const struct kind *kind = n->row->kind;

	if (n->name)
		pool_remember(n->pool, n->name, err);
	else if (name && (kind == &volumes_kind || kind == &infos_kind ||
			  kind == &snapshots_kind))
		pool_remember(n->pool, name, err);
	if (!n->name)
		pool_remember(n->pool, NULL, err);
}

void node_remember(const struct node *n, const char *name, const struct error *err)
{
	char path[1024];

	node_path(n, path, sizeof(path));
	if (name) {
		size_t len = n->row == &root_row ? 0 : strlen(path);

		snprintf(path + len, sizeof(path) - len, "%s%s", len ? "/" : "", name);
	}
	if (n->pool) {
		remember_in_pool(n, name, err);
	} else if (n->row->kind == &pools_kind && name) {
		/* the object that refused: a pool that is there, else only the root's
		 * file */
		AUTO_POOL struct pool *p = pools_find(name);

		if (p)
			pool_remember(p, NULL, err);
	}
	model_remember(err, path);
}
