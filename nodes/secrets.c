/* The directory secrets/: written, never read back. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "backends/model/secrets.h"
#include "nodes/table.h"

#define SECRET_LIMIT (64 << 10)

/* The newline is for secret_store, which drops one. */
static void keep_before(struct handle *h)
{
	struct secret_ref ref = { .usage = h->node.name };

	buf_wipe(&h->before);
	if (secret_get(&ref, &h->before, NULL) == 0)
		buf_putc(&h->before, '\n');
}

/* Too long after all: what there was before stands again. */
static int refuse_long(struct handle *h, struct error *err)
{
	if (h->text.len && h->before.len)
		secret_store(h->node.name, h->before.data, h->before.len, NULL);
	else if (h->text.len)
		secret_remove(h->node.name, NULL);
	error_set(&h->refused, EFBIG, "a secret has at most 64 KiB: '%s' is as it was before",
		  h->node.name);
	return error_copy(err, &h->refused);
}

/*
 * A write stores the secret as far as it has come, so that a shell's echo learns of a
 * failure; one that comes in several writes is whole after the last.
 */
static ssize_t secret_write(struct handle *h, const void *data, size_t size, uint64_t off,
			    struct call *call, struct error *err)
{
	WIPED_BUF struct buf whole = { 0 };
	int r;

	SCOPED_LOCK(&h->lock);
	if (h->refused.code)
		return error_copy(err, &h->refused);
	if (off != h->text.len)
		return error_set(err, EINVAL, "a secret is written in order, once");
	if (off + size > SECRET_LIMIT)
		return refuse_long(h, err);
	if (!off)
		keep_before(h);
	/* at once: one that grows leaves its bytes behind */
	if (buf_reserve(&whole, h->text.len + size) < 0 ||
	    buf_add(&whole, h->text.data, h->text.len) < 0 ||
	    buf_add(&whole, data, size) < 0)
		return error_set(err, ENOMEM, "cannot store the secret: out of memory");
	r = secret_store(h->node.name, whole.data, whole.len, err);
	if (r < 0)
		return r;
	buf_wipe(&h->text);
	h->text = whole;
	whole = (struct buf){ 0 };
	return size;
}

static int secret_open(struct handle *h, bool created, pid_t pid, struct call *call,
		       struct error *err)
{
	if ((h->flags & O_ACCMODE) != O_WRONLY)
		return error_set(err, EACCES, "a secret is written, never read");
	return 0;
}

static int secret_truncate(struct handle *h, uint64_t size, struct call *call,
			   struct error *err)
{
	SCOPED_LOCK(&h->lock);
	if (size && size != h->text.len)
		return error_set(err, EINVAL, "a secret has the size of what is written");
	if (!size)
		buf_wipe(&h->text);
	return 0;
}

static int secret_stat(const struct node *n, struct stat *st, struct call *call,
		       struct error *err)
{
	secret_exists(n->name, &st->st_mtim);
	st->st_mode = S_IFREG | 0200;
	return 0;
}

/* Editors and install set what is fixed already. */
static int secret_setattr(const struct node *n, const struct node_attr *a,
			  struct call *call, struct error *err)
{
	if ((a->attr.mask & NODE_SIZE) && a->size)
		return error_set(err, EINVAL, "a secret has the size of what is written");
	if ((a->attr.mask & VOL_MODE) && (a->attr.mode & 0577 & ~0200))
		return error_set(err, EPERM, "a secret's mode is 0200");
	if (a->attr.mask & (VOL_UID | VOL_GID))
		return error_set(err, EPERM,
				 "a secret's owner comes from the mount options");
	return 0;
}

static int secret_read(struct handle *h, uint64_t off, size_t size, struct buf *out,
		       struct error *err)
{
	return error_set(err, EACCES, "a secret is written, never read");
}

static const struct kind secret_kind = {
	.type = S_IFREG,
	.stat = secret_stat,
	.setattr = secret_setattr,
	.open = secret_open,
	.read = secret_read,
	.write = secret_write,
	.truncate = secret_truncate,
};

static const struct row secret_row = {
	.name = "secret", .perm = 0200, .kind = &secret_kind, .in = "secrets"
};

/* -- the directory -- */

static int secrets_lookup(const struct node *dir, const char *name, struct node *out,
			  struct stat *st, struct call *call, struct error *err)
{
	if (!secret_exists(name, NULL))
		return error_set(err, ENOENT, "there is no secret '%s'", name);
	return node_set(out, &secret_row, NULL, name, NULL, 0);
}

static int add_secret(void *arg, const char *id)
{
	return listing_add(arg, id, DT_REG);
}

static int secrets_list_node(const struct node *dir, struct listing *into,
			     struct call *call, struct error *err)
{
	return secrets_list(add_secret, into, err);
}

/* Nothing is stored until it has a value; the node is enough for the open that follows.
 */
static int secrets_make(const struct node *dir, const char *name, mode_t type,
			struct node *out, struct stat *st, struct call *call,
			struct error *err)
{
	if (type != S_IFREG)
		return error_set(err, EPERM, "secrets holds secrets only");
	if (secret_exists(name, NULL))
		return error_set(err, EEXIST, "there is a secret '%s'", name);
	return node_set(out, &secret_row, NULL, name, NULL, 0);
}

static int secrets_remove(const struct node *dir, const char *name, bool directory,
			  struct call *call, struct error *err)
{
	return secret_remove(name, err);
}

const struct kind secrets_kind = {
	.type = S_IFDIR,
	.lookup = secrets_lookup,
	.list = secrets_list_node,
	.make = secrets_make,
	.remove = secrets_remove,
};
