/* The buffers that nobody uses right now. */
#include "fs/buffer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backends/support/cleanup.h"
#include "fs/fuse_compat.h"

/*
 * The one used last is given first, to whichever thread: it is the one that the caches
 * hold. There are as many as were in use at once, SPARES_MAX at most.
 */
struct spare {
	struct spare *next;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct spare *spares; /* under lock */
static unsigned n_spares;

#define SPARES_MAX 16

static _Thread_local struct fuse_buf *receiving;

static struct spare *take_spare(void)
{
	SCOPED_LOCK(&lock);

	struct spare *s = spares;

	if (s) {
		spares = s->next;
		n_spares--;
	}
	return s;
}

static bool keep_spare(struct spare *s)
{
	SCOPED_LOCK(&lock);
	if (n_spares >= SPARES_MAX)
		return false;
	s->next = spares;
	spares = s;
	n_spares++;
	return true;
}

void *buffer_take(void)
{
	struct spare *s = take_spare();

	return s ? (void *)s : compat_buffer_new(BUFFER_SIZE);
}

void buffer_give(void *buffer)
{
	if (buffer && !keep_spare(buffer))
		compat_buffer_free(buffer);
}

void buffer_receive(struct fuse_buf *buf)
{
	void *buffer = buffer_take();

	if (buffer && compat_receive_into(buf, buffer))
		receiving = buf;
	else
		buffer_give(buffer);
}

void buffer_receive_end(struct fuse_buf *buf)
{
	if (receiving)
		buffer_give(compat_received_in(buf));
	else
		free(buf->mem);
}

void *buffer_keep(const void *data)
{
	void *buffer = receiving ? compat_received_in(receiving) : NULL, *next;

	if (!buffer || buffer != data)
		return NULL;
	next = buffer_take();
	if (!next)
		return NULL;
	compat_receive_into(receiving, next);
	return buffer;
}
