/*
 * Open files and directories: what the kernel's file handles stand for. A handle is a
 * slot and its generation, so an id that was released finds nothing.
 *
 * Requests hold references: a file whose request was answered by its deadline stays until
 * the work is done. The last reference closes it, on its pool's executor where closing
 * may wait.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/support/list.h"
#include "nodes/node.h"

struct fuse_pollhandle;
struct inode;
struct lane;

struct file {
	uint64_t id;
	atomic_int refs;
	struct inode *inode;    /* a reference */
	const struct node *node; /* at open */
	struct list of_inode;   /* inode.c's */
	struct task closing;

	/* files; all but the flags fixed at open */
	struct handle *handle;        /* NULL: a directory */
	struct volume_handle *volume; /* of handle; NULL: a text */
	int flags;                    /* of open(2) */
	int fd;                       /* the volume's; -1: none */
	bool inline_data;             /* reads and writes of fd are done in place */
	bool device;                  /* fd is a block device's */
	atomic_int cached;            /* how sure it is that reads do not wait */
	atomic_int many;              /* how sure it is that others are under way */
	atomic_bool cannot_tell;      /* its filesystem knows no RWF_NOWAIT */
	bool passthrough;             /* holds the inode's backing id */
	struct lane *lane;            /* for volumes without fd */
	struct fuse_pollhandle *poll; /* notify.c's */
	struct list polled;

	/* directories */
	pthread_mutex_t listing_lock;
	struct listing listing;
	bool read; /* some of the listing was given */
};

/* A directory, or with h a file, that has no id yet. Takes a reference on the inode.
 * NULL: no memory; h stays the caller's. */
struct file *file_new(struct inode *i, const struct node *n, struct handle *h, int flags);
/* Gives it an id; it is found from now on. -ENFILE, -ENOMEM. */
int file_publish(struct file *f);
/* It is found no more; the caller has got the table's reference. NULL: no such id. */
struct file *file_withdraw(uint64_t id);

/* A reference; NULL: no such id. */
struct file *file_get(uint64_t id);
/* What becomes of its reads and writes. */
enum file_data {
	FILE_TEXT,      /* no volume; or no such id */
	FILE_SUBMITTED, /* only given to a backend or executor, without a wait */
	FILE_DIRECT,    /* small ones are only given to the kernel, others in place */
	FILE_CACHED,    /* in place; most that was read lately lay in memory */
	FILE_WAITS,     /* in place */
};
enum file_data file_data(uint64_t id);
/* Whether small reads and writes with O_DIRECT are aio.h's: in place one after the other
 * costs less, a thread for each of many more. */
bool file_is_direct(const struct file *f);
/* Whether others were under way when a read or write came. */
void file_note_many(struct file *f, bool were);
/* That a read did or did not have to wait. */
void file_note_cached(struct file *f, bool was);
void file_ref(struct file *f);
void file_put(struct file *f);

/* At the end: withdraws and closes all. */
void file_close_all(void);
