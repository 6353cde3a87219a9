/*
 * Telling the kernel what it holds that is no longer so, and pollers that there is news.
 *
 * The kernel takes a directory's lock for it, which any request parked in that directory
 * holds: so it is never done inside a request, each pool has a thread of its own for it
 * while there is something to tell, and nothing is told of a directory that has a parked
 * request until the last is answered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backends/support/error.h"

struct file;
struct fuse_pollhandle;
struct inode;
struct pool;

/* After the session is mounted. */
int notify_open(struct error *err);
/* Nothing is told any more. true: no thread is left in the kernel. */
bool notify_close(unsigned timeout_ms);

void notify_directory_parked(struct inode *i);
void notify_directory_released(struct inode *i);

/* The name changed although the kernel was told that it did not. */
void notify_name(uint64_t directory, struct pool *pool, const char *name);

/* Before an answer: waits, but not for long, until the kernel has been told what this
 * thread has just changed, so that whoever made the change sees it. */
void notify_settle(void);

/* A poll(2) on a stream; takes over ph. */
void notify_poll_add(struct file *f, struct fuse_pollhandle *ph);
void notify_poll_end(struct file *f);
