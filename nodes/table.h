/*
 * How the tree is described: rows and kinds (after Linux configfs). For nodes/ alone.
 *
 * A row is a name in a directory, a kind is a behaviour. Adding an attribute is one show_
 * function and one row: readdir, lookup, mode, open and read follow from it. A NULL
 * member of a kind means that such a thing cannot be done there, which the callers in
 * table.c turn into an errno.
 */
#pragma once

#include "backends/model/xml.h"
#include "backends/support/list.h"
#include "backends/support/map.h"
#include "nodes/node.h"

struct scratch;

struct handle {
	struct node node;
	int flags;    /* of open(2) */
	pid_t opener; /* thread-group id, or 0 where nobody needs it */
	pthread_mutex_t lock; /* guards what follows */
	struct buf text;      /* values, documents: the content at open */
	struct xml_feed *feed; /* documents: NULL until the first write */
	uint64_t feed_base;    /* file offset of the document's first byte */
	struct error refused;  /* documents, secrets: why, when refused */
	bool said;             /* what refused says has been told */
	uint64_t base;         /* streams: position of the event log at offset 0 */
	uint64_t seen;         /* streams: position behind what was read last */
	struct scratch *scratch;
	struct buf before; /* secrets: what there was before the first write */
	struct volume_handle *volume;
};

struct kind {
	mode_t type; /* S_IFDIR or S_IFREG */
	/* directories; st is filled in by lookup and make where they know it already
	 * (st_ino != 0) */
	int (*lookup)(const struct node *dir, const char *name, struct node *out,
		      struct stat *st, struct call *call, struct error *err);
	int (*list)(const struct node *dir, struct listing *into, struct call *call,
		    struct error *err);
	/* NULL: names are stored, or kept in memory only, before who makes them is
	 * answered */
	int (*sync)(const struct node *dir, struct call *call, struct error *err);
	int (*make)(const struct node *dir, const char *name, mode_t type,
		    struct node *out, struct stat *st, struct call *call,
		    struct error *err);
	int (*remove)(const struct node *dir, const char *name, bool directory,
		      struct call *call, struct error *err);
	int (*rename)(const struct node *dir, const char *name, const struct node *to_dir,
		      const char *to_name, unsigned flags, struct node *moved,
		      struct call *call, struct error *err);
	/* anything; st has ino, mode, owner, nlink and times by default */
	int (*stat)(const struct node *n, struct stat *st, struct call *call,
		    struct error *err);
	int (*setattr)(const struct node *n, const struct node_attr *a, struct call *call,
		       struct error *err);
	/* files */
	int (*open)(struct handle *h, bool created, pid_t pid, struct call *call,
		    struct error *err);
	int (*read)(struct handle *h, uint64_t off, size_t size, struct buf *out,
		    struct error *err);
	ssize_t (*write)(struct handle *h, const void *data, size_t size, uint64_t off,
			 struct call *call, struct error *err);
	int (*truncate)(struct handle *h, uint64_t size, struct call *call,
			struct error *err);
	int (*flush)(struct handle *h, pid_t pid, struct call *call, struct error *err);
	int (*fsync)(struct handle *h, bool data_only, struct call *call,
		     struct error *err);
	void (*close)(struct handle *h, struct call *call);
	/* NULL: nothing of it waits */
	struct executor *(*where)(const struct node *n, enum node_op op, bool *verb);
};

#define ROW_ASKS    (1u << 0) /* show may ask the source */
#define ROW_WORKS   (1u << 1) /* store may take long: a verb */
#define ROW_PRIVATE (1u << 2) /* nothing for group and others */
#define ROW_RECENT  (1u << 3) /* stat makes do with what was last known: it must not wait */
#define ROW_PATHS   (1u << 4) /* there in pools whose volumes have paths */

struct row {
	const char *name; /* NULL ends a table */
	mode_t perm;      /* the most that it may have, cut by the mount's mode */
	const struct kind *kind;
	unsigned flags;
	const struct row *rows; /* of a table */
	/* the directory of such nodes, from their pool's on; NULL: the row's name is
	 * theirs */
	const char *in;
	int (*show)(const struct node *n, struct call *call, struct buf *out,
		    struct error *err);
	/* text is NUL-terminated; values and verbs come without their final newline */
	int (*store)(const struct node *n, const char *text, size_t len,
		     struct call *call, struct error *err);
};

#define ATTR(n, fn)            { .name = n, .perm = 0444, .kind = &value_kind, .show = fn }
#define ATTR_ASKS(n, fn)       { .name = n, .perm = 0444, .kind = &value_kind, .show = fn, .flags = ROW_ASKS }
#define ATTR_RW(n, fn, st)     { .name = n, .perm = 0666, .kind = &value_kind, .show = fn, .store = st }
#define ATTR_SETS(n, fn, st)   { .name = n, .perm = 0666, .kind = &value_kind, .show = fn, .store = st, .flags = ROW_ASKS | ROW_WORKS }
#define ATTR_RECENT(n, fn)     { .name = n, .perm = 0444, .kind = &value_kind, .show = fn, .flags = ROW_ASKS | ROW_RECENT }
#define VERBS(n, fn, st)       { .name = n, .perm = 0666, .kind = &value_kind, .show = fn, .store = st, .flags = ROW_WORKS }
#define DOCUMENT(n, fn, st)    { .name = n, .perm = 0666, .kind = &document_kind, .show = fn, .store = st, .flags = ROW_ASKS | ROW_WORKS }
#define DIRECTORY(n, k)        { .name = n, .perm = 0777, .kind = k }
#define TABLE(n, k, r, i)      { .name = n, .perm = 0777, .kind = k, .rows = r, .in = i }

/* -- the kinds -- */

/* A call that asks nobody: pool_stat and the like answer it with what was last known. */
struct call no_wait(const struct call *call, struct pool *p);

/* Where mode and owner cannot be changed: 0 where they are what st says, as cp -p and tar
 * set them again; else -EPERM. */
int node_keeps_owner(const struct node *n, const struct node_attr *a,
		     const struct stat *st, struct error *err);

/* What documents share with values. */
int value_stat(const struct node *n, struct stat *st, struct call *call,
	       struct error *err);
int value_open(struct handle *h, bool created, pid_t pid, struct call *call,
	       struct error *err);
struct executor *value_where(const struct node *n, enum node_op op, bool *verb);
void value_forget_kept(void);

extern const struct kind table_kind;    /* a directory of rows */
extern const struct kind value_kind;    /* a value or verb per write */
extern const struct kind
	document_kind; /* XML, committed by the write that completes it */
extern const struct kind stream_kind;   /* events */
/* What a node of events gets when it is looked up: where its log begins. */
uint64_t stream_ident(void);
extern const struct kind
	described_kind; /* rows, one of them a document that editors edit */
extern const struct kind pools_kind, volumes_kind, infos_kind, snapshots_kind,
	secrets_kind, backends_kind, sources_kind;

/* -- rows that more than one file needs -- */

extern const struct row root_row, pool_row, scratch_row, pending_row;
extern const struct row volume_row, info_row, snapshot_dir_row;
extern const struct row root_rows[], pool_rows[];

/* -- making nodes -- */

/* Fills out with a reference on pool and copies of the strings. -ENOMEM leaves it empty.
 */
int node_set(struct node *out, const struct row *row, struct pool *pool, const char *name,
	     const char *sub, uint64_t ident);
/* The row of that name in a table, or NULL. */
const struct row *row_find(const struct row *rows, const char *name);
/* The same of a directory, which need not have all of its kind. */
const struct row *row_in(const struct node *dir, const char *name);
bool row_is_in(const struct node *dir, const struct row *row);
/* Adds a name to a listing. -ENOMEM. */
int listing_add(struct listing *l, const char *name, unsigned char type);
/* st_ino of a row, pool and two names (any may be NULL). */
uint64_t ino_of(const struct row *row, struct pool *pool, const char *name,
		const char *sub);

/* Adds the text and a newline. -ENOMEM. */
int show_text(struct buf *out, const char *text);

/* Defaults of st for a node: ino, type, mode, owner, nlink, times. */
void stat_defaults(const struct node *n, struct stat *st);
void stat_from_volume(const struct vol_stat *vs, struct stat *st);
const struct nodes_options *nodes_options(void);

/* The executors for blocking work that belongs to no pool: mkdir pools/x, discovery, and
 * copies that wait for two. */
struct executor *tree_executor(void);
struct executor *sources_executor(void);
struct executor *transfer_executor(void);
/* The pool's executor, unless nothing of the pool can hang. */
struct executor *pool_where(struct pool *p);

/* Scratch files and hidden documents of a directory that has a document: see scratch.c.
 * -ENOENT: there is none of the name. */
int scratch_lookup(const struct node *dir, const char *name, struct node *out);
int scratch_make(const struct node *dir, const char *name, mode_t mode, struct node *out,
		 struct error *err);
int scratch_remove(const struct node *dir, const char *name);
int scratch_move(const struct node *dir, const char *name, const char *to);
int scratch_each(const struct node *dir, int (*fn)(void *arg, const char *name),
		 void *arg);
/* Its content added to out; -ENOENT. */
int scratch_text(const struct node *dir, const char *name, struct buf *out);
/* A new one with this content, replacing one of that name. */
int scratch_put(const struct node *dir, const char *name, const struct buf *text,
		struct error *err);
/* The document `xml` was unlinked or renamed away: not shown until a document takes its
 * name. */
void document_hide(const struct node *dir, bool hide);
bool document_hidden(const struct node *dir);
/* A pool or volume went or was renamed: its scratch files go. */
void scratch_drop(struct pool *p, const char *volume);
void scratch_exit(void);

/* Commits a whole text to a document's row; a refusal is -EBADMSG. wait false: the text
 * is parsed here and carried out by the pool's executor. */
int document_commit(const struct node *doc, const struct buf *text, bool wait,
		    struct call *call, struct error *err);

void sources_exit(void);
