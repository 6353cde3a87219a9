/*
 * The tree as nodes: what fs/ needs to know of it, without FUSE.
 *
 * A node is an address: a row (what kind of thing), the pool it belongs to, and names. It
 * is a value that holds a reference on its pool and owns its strings; looking at a node
 * never asks the storage. Functions are synchronous and return 0 (or a count) or -errno
 * with the sentence in err; whether one may wait is told by node_executor, and where it
 * then runs is fs' affair. struct call carries the deadline, the caller's ids and, for
 * making, the mode.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "backends/model/events.h"
#include "backends/model/executor.h"
#include "backends/model/pool.h"
#include "backends/model/volume.h"
#include "backends/support/buf.h"
#include "backends/support/error.h"

struct row; /* a name in a directory, see nodes/table.h */

struct node {
	const struct row *row;
	struct pool *pool; /* a reference, or NULL */
	char *name; /* volume, secret, type, …; NULL where the row says all */
	char *sub;  /* snapshot, host, or a scratch file beside name's xml; or NULL */
	/* of the object that had the name at lookup (a replaced file differs); 0: none */
	uint64_t ident;
};

/* uid, gid and mode of directories (files get the mode less the x bits), from the mount
 * options. */
struct nodes_options {
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/* After model_open, before the first thread. */
int nodes_open(const struct nodes_options *o, struct error *err);
void nodes_close(void);

/* -- addresses -- */

void node_root(struct node *out);
int node_copy(const struct node *from, struct node *to); /* -ENOMEM */
void node_clear(struct node *n);
bool node_equal(const struct node *a, const struct node *b);
uint64_t node_hash(const struct node *n);
/* For messages and the root's error file: "pools/x/volumes/v"; "/" for the root. */
void node_path(const struct node *n, char *path, size_t size);

/* How the kernel may cache this node. */
struct caching {
	double entry_s, attr_s; /* timeouts in seconds */
};
struct caching node_caching(const struct node *n);

/* -- where it runs -- */

enum node_op {
	NODE_LOOKUP, NODE_STAT, NODE_SETATTR, NODE_LIST, NODE_MAKE, NODE_REMOVE,
	NODE_RENAME,
	NODE_OPEN, NODE_READ, NODE_WRITE, NODE_FLUSH, NODE_CLOSE, NODE_STATFS, NODE_DATA,
	NODE_TRANSFER
};
/*
 * The executor for an operation that may wait, NULL: it does not wait, run it in place. n
 * is the directory for LOOKUP, MAKE, REMOVE and RENAME; NODE_DATA is I/O and the like on
 * an open volume's descriptor, NODE_TRANSFER a copy that waits for two pools. *verb (may
 * be NULL) is set when the operation is a verb or the like that may rightly take longer
 * than the timeout: it is then not answered by the deadline, only by its end or an
 * interrupt. An interrupted verb goes on as a job.
 */
struct executor *node_executor(const struct node *n, enum node_op op, bool *verb);

/* -- files and directories by name -- */

/* Finds name in dir. *out is a new node and st its attributes. -ENOENT. */
int node_lookup(const struct node *dir, const char *name, struct node *out,
		struct stat *st, struct call *call, struct error *err);
/* st_ino is 64 bits of hash, never 0, equal after a restart. */
int node_stat(const struct node *n, struct stat *st, struct call *call,
	      struct error *err);

#define NODE_SIZE (1u << 8) /* beside VOL_MODE … VOL_MTIME in the mask */
struct node_attr {
	struct vol_attr attr; /* mask, mode, uid, gid, times */
	uint64_t size; /* with NODE_SIZE; by path, see handle_truncate for descriptors */
};
int node_setattr(const struct node *n, const struct node_attr *a, struct call *call,
		 struct error *err);

/* Makes a regular file or directory (mode's type bits: S_IFREG, S_IFDIR; anything else is
 * -EPERM). call->mode has the permission bits, umask applied. */
int node_make(const struct node *dir, const char *name, mode_t type, struct node *out,
	      struct stat *st, struct call *call, struct error *err);
/* unlink (directory false) or rmdir. */
int node_remove(const struct node *dir, const char *name, bool directory,
		struct call *call, struct error *err);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE of renameat2(2). Between two directories it
 * never waits (-EXDEV between pools). *moved (an empty node on entry) becomes the address
 * under the new name where an inode of the old one should follow it; its row is NULL
 * where none should. */
int node_rename(const struct node *dir, const char *name, const struct node *to_dir,
		const char *to_name, unsigned flags, struct node *moved,
		struct call *call, struct error *err);
/* df. */
int node_statfs(const struct node *n, struct statvfs *st, struct call *call,
		struct error *err);

/* -- directories -- */

/* A snapshot of names, whole or failed; the caller frees it. */
struct listing {
	struct buf names;    /* for each: a byte of DT_ type, then the name and its NUL */
	size_t count;
};
int node_list(const struct node *dir, struct listing *into, struct call *call,
	      struct error *err);
void listing_free(struct listing *l);
/* fsync(2) of a directory: the names in it are stored. */
int node_sync(const struct node *dir, struct call *call, struct error *err);
/* The entry at a position (0: the first); returns the position of the next, 0 behind the
 * last. */
size_t listing_at(const struct listing *l, size_t position, const char **name,
		  unsigned char *type);
/* st_ino that name would have in dir, without asking: for plain readdir. */
uint64_t node_child_ino(const struct node *dir, const char *name);

/* -- open files -- */

struct handle; /* one per open(2); functions on one handle may run at the same time */

/* flags: of open(2), with O_TRUNC. created: made by this very open. pid: who opens (a
 * thread id will do). */
int node_open(const struct node *n, int flags, bool created, pid_t pid,
	      struct handle **out, struct call *call, struct error *err);
void handle_close(struct handle *h, struct call *call);

/* The volume behind it, or NULL for texts: data of volumes goes through model/volume.h.
 */
struct volume_handle *handle_volume(struct handle *h);

/* Texts. Reads give at most size bytes from off, adding to out; 0: end. Writes return a
 * count. */
int handle_read(struct handle *h, uint64_t off, size_t size, struct buf *out,
		struct error *err);
ssize_t handle_write(struct handle *h, const void *data, size_t size, uint64_t off,
		     struct call *call, struct error *err);
int handle_truncate(struct handle *h, uint64_t size, struct call *call,
		    struct error *err);
int handle_flush(struct handle *h, pid_t pid, struct call *call, struct error *err);
int handle_fsync(struct handle *h, bool data_only, struct call *call, struct error *err);
/* Whether a read-only open of it needs no flush (FOPEN_NOFLUSH). */
bool handle_needs_no_flush(const struct handle *h);
/* Whether it is a stream of events; readable: whether there is something behind position.
 */
bool handle_is_stream(const struct handle *h);
bool handle_readable(struct handle *h);
/* Whether this failure of it has been told: what is refused once is refused by each write
 * that follows and by close, with the same words. From now on it has. */
bool handle_has_said(struct handle *h, const struct error *err);

/* -- errors and changes -- */

/* Leaves the sentence in the nearest error file (and the root's). name: the child of n
 * that was concerned, or NULL. Plain ENOENT is not remembered; fs does not call it for
 * that. */
void node_remember(const struct node *n, const char *name, const struct error *err);

/* What the kernel may have cached that an event makes wrong. name NULL: n's own
 * attributes and content; else the entry name in directory n. */
void nodes_affected(const struct event *e,
		    void (*each)(void *arg, const struct node *n, const char *name),
		    void *arg);

/* The name under which n stands in the directory of volumes, descriptions or snapshots
 * dir; NULL: not there. For EVENT_VOLUMES_ALL, after which all that stands in an affected
 * directory is stale. */
const char *node_name_in(const struct node *n, const struct node *dir);
