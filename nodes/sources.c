/*
 * The directory sources/: what could become a pool. Opening a file asks; a lookup never
 * does.
 *
 * What is written to a file (a <source> document: auth, initiator) is kept in memory and
 * goes with the next questions to that host; its own lock guards that.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "backends/model/pools.h"
#include "nodes/table.h"

/* -- questions: <source> documents by type and host -- */

struct question {
	struct list link;
	char *type, *host;
	struct buf text;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list questions = LIST_INIT(questions);

#define QUESTIONS_MAX 1000

static struct question *find(const char *type, const char *host)
{
	list_for_each(l, &questions) {
		struct question *q = container_of(l, struct question, link);

		if (!strcmp(q->type, type) && !strcmp(q->host, host))
			return q;
	}
	return NULL;
}

static void drop(struct question *q)
{
	list_remove(&q->link);
	free(q->type);
	free(q->host);
	buf_wipe(&q->text);
	free(q);
}

void sources_exit(void)
{
	SCOPED_LOCK(&lock);
	while (!list_empty(&questions))
		drop(container_of(questions.next, struct question, link));
}

static int keep(const char *type, const char *host, const char *text, size_t len)
{
	size_t count = 0;

	SCOPED_LOCK(&lock);

	struct question *q = find(type, host);

	if (q)
		drop(q);
	list_for_each(l, &questions)
		count++;
	q = count < QUESTIONS_MAX ? calloc(1, sizeof(*q)) : NULL;
	if (!q)
		return -ENOMEM;
	list_append(&questions, &q->link);
	q->type = strdup(type);
	q->host = strdup(host);
	if (!q->type || !q->host || buf_add(&q->text, text, len) < 0) {
		drop(q);
		return -ENOMEM;
	}
	return 0;
}

/* -- sources/TYPE/HOST and sources/TYPE: texts made at open -- */

static int show_sources(const struct node *n, struct call *call, struct buf *out,
			struct error *err)
{
	WIPED_BUF struct buf text = { 0 };

	if (n->sub) {
		SCOPED_LOCK(&lock);

		struct question *q = find(n->name, n->sub);

		if (q && buf_add(&text, q->text.data, q->text.len) < 0)
			return error_set(err, ENOMEM, "cannot ask '%s': out of memory",
					 n->sub);
	}
	return sources_show(n->name, n->sub, text.len ? &text : NULL, call, out, err);
}

static int store_question(const struct node *n, const char *text, size_t len,
			  struct call *call, struct error *err)
{
	if (keep(n->name, n->sub, text, len) < 0)
		return error_set(err, ENOMEM,
				 "cannot keep what to ask '%s': out of memory", n->sub);
	return 0;
}

/* Nobody is asked for a size: the one exception to exact sizes. */
static int source_stat(const struct node *n, struct stat *st, struct call *call,
		       struct error *err)
{
	return 0;
}

static int source_open(struct handle *h, bool created, pid_t pid, struct call *call,
		       struct error *err)
{
	return document_kind.open(h, created, pid, call, err);
}

static ssize_t source_write(struct handle *h, const void *data, size_t size, uint64_t off,
			    struct call *call, struct error *err)
{
	return document_kind.write(h, data, size, off, call, err);
}

static int source_truncate(struct handle *h, uint64_t size, struct call *call,
			   struct error *err)
{
	return document_kind.truncate(h, size, call, err);
}

static int source_flush(struct handle *h, pid_t pid, struct call *call, struct error *err)
{
	return document_kind.flush(h, pid, call, err);
}

static struct executor *source_where(const struct node *n, enum node_op op, bool *verb)
{
	return op == NODE_OPEN ? sources_executor() : NULL;
}

static const struct kind host_kind = {
	.type = S_IFREG,
	.stat = source_stat,
	.open = source_open,
	.write = source_write,
	.truncate = source_truncate,
	.flush = source_flush,
	.where = source_where,
};

static const struct kind local_kind = {
	.type = S_IFREG,
	.stat = source_stat,
	.open = source_open,
	.where = source_where,
};

static const struct row host_row = { .name = "host", .perm = 0600, .kind = &host_kind,
				     .flags = ROW_PRIVATE, .show = show_sources,
				     .store = store_question, .in = "sources" };
static const struct row local_row = { .name = "local", .perm = 0400, .kind = &local_kind,
				      .flags = ROW_PRIVATE, .show = show_sources,
				      .in = "sources" };

/* -- sources/TYPE: a directory of hosts -- */

/* A name, IPv4 or [IPv6], and a port: letters, digits and . - _ : [ ] % alone. */
static bool well_formed(const char *host)
{
	size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789.-_:[]%");

	return len && !host[len] && *host != '.' && *host != '-' && len < 256;
}

static int hosts_lookup(const struct node *dir, const char *name, struct node *out,
			struct stat *st, struct call *call, struct error *err)
{
	if (!well_formed(name))
		return error_set(err, ENOENT, "'%s' is not a host or HOST:PORT", name);
	return node_set(out, &host_row, NULL, dir->name, name, 0);
}

/* Every host can be looked up, none can be listed: only those that were told a question.
 */
static int hosts_list(const struct node *dir, struct listing *into, struct call *call,
		      struct error *err)
{
	SCOPED_LOCK(&lock);
	list_for_each(l, &questions) {
		struct question *q = container_of(l, struct question, link);

		if (!strcmp(q->type, dir->name) && listing_add(into, q->host, DT_REG) < 0)
			return error_set(err, ENOMEM, "cannot list: out of memory");
	}
	return 0;
}

static int hosts_remove(const struct node *dir, const char *name, bool directory,
			struct call *call, struct error *err)
{
	SCOPED_LOCK(&lock);

	struct question *q = find(dir->name, name);

	if (!q)
		return error_set(err, EPERM, "nothing was written for '%s'", name);
	drop(q);
	return 0;
}

static const struct kind hosts_kind = {
	.type = S_IFDIR,
	.lookup = hosts_lookup,
	.list = hosts_list,
	.remove = hosts_remove,
};

static const struct row hosts_row = { .name = "hosts", .perm = 0700, .kind = &hosts_kind,
				      .flags = ROW_PRIVATE, .in = "sources" };

/* -- the directory -- */

static const struct {
	const char *type;
	const struct row *row;
} types[] = {
	{ "disk", &local_row },   { "logical", &local_row }, { "mpath", &local_row },
	{ "scsi", &local_row },   { "netfs", &hosts_row },   { "iscsi", &hosts_row },
	{ "rbd", &hosts_row },    { "sheepdog", &hosts_row },
	{ "fake", &hosts_row }, /* the tests' */
};

#define SHOWN (sizeof(types) / sizeof(*types) - 1)

static int sources_lookup(const struct node *dir, const char *name, struct node *out,
			  struct stat *st, struct call *call, struct error *err)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i].type, name))
			return node_set(out, types[i].row, NULL, name, NULL, 0);
	return error_set(err, ENOENT, "sources of type '%s' cannot be discovered", name);
}

static int sources_list(const struct node *dir, struct listing *into, struct call *call,
			struct error *err)
{
	for (size_t i = 0; i < SHOWN; i++)
		if (listing_add(into, types[i].type, IFTODT(types[i].row->kind->type)) <
		    0)
			return error_set(err, ENOMEM, "cannot list: out of memory");
	return 0;
}

const struct kind sources_kind = {
	.type = S_IFDIR,
	.lookup = sources_lookup,
	.list = sources_list,
};
