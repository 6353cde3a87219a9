/* From a change in the model to what the kernel may have cached of the tree. */
#include <string.h>

#include "nodes/table.h"

typedef void (*tell_fn)(void *arg, const struct node *n, const char *name);

struct caching node_caching(const struct node *n)
{
	const struct kind *k = n->row->kind;

	/* names come and go behind our back, but we are told; sizes change without a word
	 */
	if (n->row == &volume_row)
		return (struct caching){ .entry_s = 60, .attr_s = 1 };
	if (n->row == &info_row)
		return (struct caching){ .entry_s = 60, .attr_s = 60 };
	if (k == &volumes_kind || k == &infos_kind || k == &snapshots_kind)
		return (struct caching){ .entry_s = 60, .attr_s = 1 };
	if (k == &table_kind || k == &pools_kind || k == &backends_kind ||
	    n->row == &pool_row)
		return (struct caching){ .entry_s = 60, .attr_s = 1 };
	return (struct caching){ 0 };
}

/* A directory or document among the rows of a pool. */
static void tell_row(const struct event *e, const char *row, const char *name,
		     tell_fn each, void *arg)
{
	struct node n = { .row = row_find(pool_rows, row), .pool = e->pool };

	each(arg, &n, name);
}

/*
 * A name in the three directories that have it. What a request of ours did in volumes/
 * the kernel knows; nothing is kept of names that were not there.
 */
static void tell_volume(const struct event *e, const char *name, tell_fn each, void *arg)
{
	if (e->from_outside)
		tell_row(e, "volumes", name, each, arg);
	tell_row(e, "info", name, each, arg);
	tell_row(e, "snapshots", name, each, arg);
}

static void tell_pools(const char *name, tell_fn each, void *arg)
{
	struct node n = { .row = row_find(root_rows, "pools") };

	each(arg, &n, name);
	each(arg, &n, NULL);
}

/* What stands in a pool's directory, all of it: the state decides what can be seen below.
 */
static void tell_pool(const struct event *e, tell_fn each, void *arg)
{
	for (const struct row *r = pool_rows; r->name; r++)
		tell_row(e, r->name, NULL, each, arg);
}

static void tell_gone_pool(const struct event *e, const char *name, tell_fn each,
			   void *arg)
{
	char current[POOL_NAME_MAX];

	if (!name) {
		pool_name(e->pool, current);
		name = current;
	}
	tell_pools(name, each, arg);
}

void nodes_affected(const struct event *e, tell_fn each, void *arg)
{
	struct node snapshots = { .row = &snapshot_dir_row, .pool = e->pool,
				  .name = (char *)e->name };

	switch (e->what) {
	case EVENT_POOL_ADDED:
	case EVENT_POOL_REMOVED:
	case EVENT_POOL_RENAMED:
		tell_gone_pool(e, e->name, each, arg);
		return;
	case EVENT_POOL_DEFINED:
	case EVENT_POOL_STATE:
		tell_pool(e, each, arg);
		return;
	case EVENT_VOLUME_ADDED:
		/* it may have replaced another */
		if (e->from_outside)
			tell_row(e, "volumes", e->name, each, arg);
		return;
	case EVENT_VOLUME_REMOVED:
		tell_volume(e, e->name, each, arg);
		return;
	case EVENT_VOLUME_RENAMED:
		tell_volume(e, e->name, each, arg);
		tell_volume(e, e->other, each, arg);
		return;
	case EVENT_VOLUME_CHANGED:
		/* from outside: attributes are cached for no longer than they may be
		 * wrong */
		if (e->from_outside || e->by_file)
			return;
		tell_row(e, "volumes", e->name, each, arg);
		return;
	case EVENT_VOLUMES_ALL:
		tell_row(e, "volumes", NULL, each, arg);
		tell_row(e, "info", NULL, each, arg);
		tell_row(e, "snapshots", NULL, each, arg);
		return;
	case EVENT_SNAPSHOTS:
		each(arg, &snapshots, NULL);
		return;
	case EVENT_ERROR:
		return;
	}
}

const char *node_name_in(const struct node *n, const struct node *dir)
{
	const struct kind *k = dir->row->kind;

	if (n->pool != dir->pool)
		return NULL;
	if ((k == &volumes_kind && n->row == &volume_row) ||
	    (k == &infos_kind && n->row == &info_row) ||
	    (k == &snapshots_kind && n->row == &snapshot_dir_row))
		return n->name;
	return NULL;
}
