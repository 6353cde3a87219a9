/*
 * Memory that the data of one request lies in: requests are received into it, and large
 * reads are filled into it. A large write stays where it was received.
 */
#pragma once

#include <stddef.h>

struct fuse_buf;

#define BUFFER_SIZE (1u << 20) /* of the largest, as negotiated */

/* Memory for so many bytes, up to BUFFER_SIZE, that begins a page; *give is what takes it
 * back, from any thread. NULL: no memory. */
void *buffer_take(size_t size, void (**give)(void *));
/* Of one that is as large as the largest. */
void buffer_give(void *buffer);

/* This thread receives its requests into such a buffer, if the library lets it. */
void buffer_receive(struct fuse_buf *buf);
void buffer_receive_end(struct fuse_buf *buf);
/* The caller owns what data was received into, by this thread, which goes on with
 * another. NULL: that is not such a buffer, or one is too much for data. */
void *buffer_keep(const void *data, size_t size);
