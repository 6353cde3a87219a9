/*
 * Reads and writes of volumes: in place on a descriptor, else completed by the backend,
 * within its pool's lane.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/buffer.h"
#include "fs/fuse.h"

struct file;
struct request;

#define IO_MAX	 BUFFER_SIZE /* of one request */
#define IO_SMALL (16u << 10) /* takes no longer than to wake a thread */

/* Consumes a reference on the file. */
void io_read(fuse_req_t req, fuse_ino_t ino, struct file *f, size_t size, off_t off,
	     const struct fuse_file_info *fi);
void io_write(fuse_req_t req, fuse_ino_t ino, struct file *f, const char *data,
	      size_t size, off_t off, const struct fuse_file_info *fi);

/* What a request holds of ours. */
void io_release(struct request *r);
