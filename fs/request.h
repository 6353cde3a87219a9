/*
 * One FUSE request on its way: from the op that made it to whoever answers it first.
 *
 * An op is a constant struct: what to run (no FUSE in it, may wait), how to answer, what
 * to give back when the answer is not wanted any more. dispatch decides where it runs.
 * Its result, its deadline and an interrupt race for request_claim; the loser only
 * releases. Memory lives as long as anyone still looks at it (refs), also when the kernel
 * has its answer long since.
 */
#pragma once

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/model/metrics.h"
#include "backends/support/clock.h"
#include "backends/support/list.h"
#include "fs/aio.h"
#include "fs/file.h"
#include "fs/fuse.h"
#include "fs/inode.h"
#include "nodes/node.h"

struct request;

struct op {
	enum node_op node_op;
	enum metric_op metric;
	/* The kernel holds the directory (request->inode) locked until the answer. */
	bool holds_directory;
	/* The kernel holds the file locked, against opening it anew, too. */
	bool holds_file;
	/* ENOENT, EOPNOTSUPP and ERANGE are answers here, not failures to be told. */
	bool may_miss, probes;
	/* -EAGAIN means that another holds the lock: asked again every 20 ms if
	 * request->sleep, where node_op runs. */
	bool retries;
	/* Results are left in request->out. 0, -errno, or REQUEST_PENDING: a completion
	 * will call request_done. */
	int (*run)(struct request *r, struct error *err);
	void (*reply)(struct request *r);
	/* The answer came too late: gives back what run has made. May be NULL. */
	void (*drop)(struct request *r);
	/* Parked work is not wanted any more. May be NULL. */
	void (*cancel)(struct request *r);
};

#define REQUEST_PENDING (-EINPROGRESS)

/* What run leaves for reply. */
struct outcome {
	struct node node;
	struct stat st;
	struct statvfs vfs;
	struct file *file;
	struct buf buf, ids; /* ids: inodes that a readdirplus has counted */
	struct flock lock;
	off_t off;
	ssize_t count;
};

struct request {
	const struct op *op;
	fuse_req_t req;
	atomic_int refs;
	atomic_bool answered, cancelled, interrupted;
	bool verb, parked; /* parked: parked.c's lock */
	atomic_bool queued; /* on an executor, or about to be */
	uint64_t started_ns;
	struct call call;
	struct task task;
	struct list link; /* parked.c's */

	/* what it is about; for names: the directory */
	struct inode *inode, *to_inode;
	const struct node *node, *to_node;
	struct file *file, *to_file;
	const char *name, *to_name; /* libfuse's until it is parked, then names */
	const char *data;           /* as name */
	size_t size;
	uint64_t off, to_off;
	int flags; /* of open, rename, fallocate, flock; whence; datasync */
	pid_t pid;
	mode_t mode; /* with type bits */
	bool sleep;
	struct node_attr attr;
	struct flock lock;
	uint64_t lock_owner;
	char *names[2], *copy; /* own copies */

	struct outcome out;

	/* io.c's and lane.c's */
	struct io io;
	struct iovec iov;
	struct aio aio;
	void *buffer; /* of buffer.h */
	void (*give_buffer)(void *);
	atomic_bool submitted;
	struct list waiting;
	size_t charged;
	void (*submit)(struct request *);
};

/* A request about an inode; with fi (not NULL) also about the open file. NULL: answered
 * already. */
struct request *request_new(fuse_req_t req, const struct op *op, fuse_ino_t ino,
			    const struct fuse_file_info *fi);
/* A second inode, or file, as to_inode, to_file. false: answered, and r is gone. */
bool request_to(struct request *r, fuse_ino_t ino, const struct fuse_file_info *fi);

/* Runs it where its node says: here, or on the pool's executor. Consumes the creator's
 * reference, as do the next four. */
void dispatch(struct request *r);
void dispatch_here(struct request *r);
void dispatch_on(struct request *r, struct executor *e); /* NULL: here */
/* For one that is parked already. */
void request_queue(struct request *r, struct executor *e);
/* Its work is done: result is what run would have returned. */
void request_done(struct request *r, int result, struct error *err);

/* Asks again for a lock. */
void request_retry(struct request *r);

/* Before it leaves the libfuse thread: own copies, its deadline, interrupts. false:
 * answered. */
bool request_park(struct request *r);

/* true once. */
bool request_claim(struct request *r);
/* After a claim: answers with the failure. Does not drop the reference. */
void request_fail(struct request *r, int result, struct error *err);
/* Accounts for an answer that was given without a request. */
void request_count(enum metric_op op, uint64_t started_ns, int code);

void request_ref(struct request *r);
void request_unref(struct request *r);

/* An answer without a request: remembered and logged as any other. */
void reply_error(fuse_req_t req, const struct node *n, const char *name,
		 const struct error *err);

/* -- common replies -- */
void reply_done(struct request *r);  /* 0 */
void reply_count(struct request *r); /* out.count, of write and the like */
void reply_entry(struct request *r); /* out.node, out.st */
void drop_node(struct request *r);
void reply_attr(struct request *r); /* out.st */
