/* Addresses: making, comparing and naming nodes; the mount's owner and mode. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/pools.h"
#include "nodes/table.h"

static struct nodes_options options = { .mode = 0755 };
static struct timespec opened;
static struct executor *tree, *discovery, *transfers;

#define TREE_THREADS      16
#define DISCOVERY_THREADS 16
#define TRANSFER_THREADS  32

int nodes_open(const struct nodes_options *o, struct error *err)
{
	options = *o;
	clock_gettime(CLOCK_REALTIME, &opened);
	tree = executor_new(TREE_THREADS);
	discovery = executor_new(DISCOVERY_THREADS);
	transfers = executor_new(TRANSFER_THREADS);
	if (!tree || !discovery || !transfers)
		return error_set(err, ENOMEM, "cannot prepare the tree: out of memory");
	return 0;
}

void nodes_close(void)
{
	if (tree)
		executor_close(take(tree));
	if (discovery)
		executor_close(take(discovery));
	if (transfers)
		executor_close(take(transfers));
	value_forget_kept();
	scratch_exit();
	sources_exit();
}

const struct nodes_options *nodes_options(void)
{
	return &options;
}

struct executor *tree_executor(void)
{
	return tree;
}

struct executor *sources_executor(void)
{
	return discovery;
}

/* Of its own, so that a source that hangs takes no thread of the other's pool. */
struct executor *transfer_executor(void)
{
	return transfers;
}

struct executor *pool_where(struct pool *p)
{
	return pool_runs_inline(p) ? NULL : pool_executor(p);
}

struct call no_wait(const struct call *call, struct pool *p)
{
	struct call c = call ? *call : (struct call){ 0 };

	if (p && !pool_runs_inline(p))
		c.deadline_ns = 1; /* has passed */
	return c;
}

int node_set(struct node *out, const struct row *row, struct pool *pool, const char *name,
	     const char *sub, uint64_t ident)
{
	AUTO_FREE char *n = name ? strdup(name) : NULL;
	AUTO_FREE char *s = sub ? strdup(sub) : NULL;

	if ((name && !n) || (sub && !s))
		return -ENOMEM;
	*out = (struct node){
		.row = row,
		.pool = pool ? pool_ref(pool) : NULL,
		.name = take(n),
		.sub = take(s),
		.ident = ident,
	};
	return 0;
}

void node_root(struct node *out)
{
	*out = (struct node){ .row = &root_row };
}

int node_copy(const struct node *from, struct node *to)
{
	return node_set(to, from->row, from->pool, from->name, from->sub, from->ident);
}

void node_clear(struct node *n)
{
	free(n->name);
	free(n->sub);
	if (n->pool)
		pool_unref(n->pool);
	*n = (struct node){ 0 };
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool node_equal(const struct node *a, const struct node *b)
{
	return a->row == b->row && a->pool == b->pool && a->ident == b->ident &&
	       same_text(a->name, b->name) && same_text(a->sub, b->sub);
}

static uint64_t hash_names(uint64_t h, const char *name, const char *sub)
{
	if (name)
		h = hash_bytes(name, strlen(name) + 1, h);
	return sub ? hash_bytes(sub, strlen(sub) + 1, h ^ 1) : h;
}

uint64_t node_hash(const struct node *n)
{
	uint64_t seed = (uintptr_t)n->row ^ n->ident;

	if (n->pool)
		seed ^= pool_serial(n->pool) * UINT64_C(0x9e3779b97f4a7c15);
	return hash_names(hash_bytes(&seed, sizeof(seed), 0), n->name, n->sub);
}

uint64_t ino_of(const struct row *row, struct pool *pool, const char *name,
		const char *sub)
{
	uint64_t seed = pool ? pool_hash(pool) : 0;

	return hash_names(hash_string(row->name, seed), name, sub);
}

void stat_defaults(const struct node *n, struct stat *st)
{
	mode_t mode = options.mode & n->row->perm;

	if (n->row->kind->type != S_IFDIR)
		mode &= ~0111;
	if (n->row->flags & ROW_PRIVATE)
		mode &= 0700;
	*st = (struct stat){
		.st_ino = ino_of(n->row, n->pool, n->name, n->sub),
		.st_mode = n->row->kind->type | mode,
		.st_uid = options.uid,
		.st_gid = options.gid,
		.st_nlink = n->row->kind->type == S_IFDIR ? 2 : 1,
		.st_blksize = 4096,
		.st_mtim = n->pool ? pool_changed(n->pool) : opened,
	};
	st->st_atim = st->st_ctim = st->st_mtim;
}

void stat_from_volume(const struct vol_stat *vs, struct stat *st)
{
	st->st_size = vs->size;
	st->st_blocks = (vs->allocated + 511) / 512;
	if (vs->io_size)
		st->st_blksize = vs->io_size;
	if (vs->has_owner) {
		st->st_mode = S_IFREG | (vs->mode & 07777);
		st->st_uid = vs->uid;
		st->st_gid = vs->gid;
	}
	if (vs->has_times) {
		st->st_atim = vs->atime;
		st->st_mtim = vs->mtime;
		st->st_ctim = vs->ctime;
	} else {
		clock_gettime(CLOCK_REALTIME, &st->st_mtim);
		st->st_atim = st->st_ctim = st->st_mtim;
	}
}

/* Which directory of its pool, or of the root, the node is in; "": none. */
static const char *directory_of(const struct node *n)
{
	if (n->row == &scratch_row && !n->pool)
		return "pools";
	if (n->row == &scratch_row || !n->row->in)
		return n->pool && n->name ? "info" : "";
	return n->row->in;
}

void node_path(const struct node *n, char *path, size_t size)
{
	char pool[POOL_NAME_MAX] = "";
	const char *parts[] = { n->pool ? "pools" : "", pool, directory_of(n), n->name,
				n->row->in ? NULL : n->row->name, n->sub };
	size_t len = 0;

	if (n->pool)
		pool_name(n->pool, pool);
	snprintf(path, size, "%s", n->row == &root_row ? "/" : "");
	for (size_t i = 0; n->row != &root_row && i < 6 && len < size; i++)
		if (parts[i] && *parts[i])
			len += snprintf(path + len, size - len, "%s%s", len ? "/" : "",
					parts[i]);
	if (n->row == &pending_row && len < size)
		snprintf(path + len, size - len, ".xml");
}

int show_text(struct buf *out, const char *text)
{
	return buf_printf(out, "%s\n", text);
}
