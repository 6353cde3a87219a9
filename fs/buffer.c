/* The buffers that nobody uses right now. */
#include "fs/buffer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backends/support/cleanup.h"
#include "fs/fuse_compat.h"

/*
 * Of the sizes that are used most. The one used last is given first, to whichever thread:
 * it is the one that the caches hold. There are as many as were in use at once, at most.
 */
struct spare {
	struct spare *next;
};
struct spares {
	pthread_mutex_t lock;
	struct spare *first;
	unsigned n, most;
};
static struct spares large = { .lock = PTHREAD_MUTEX_INITIALIZER, .most = 16 };
static struct spares pages = { .lock = PTHREAD_MUTEX_INITIALIZER, .most = 64 };

#define PAGE  4096
#define SMALL (64u << 10) /* is malloc's: above, that asks the kernel for new pages */

static _Thread_local struct fuse_buf *receiving;

static void *take_spare(struct spares *of)
{
	SCOPED_LOCK(&of->lock);

	struct spare *s = of->first;

	if (s) {
		of->first = s->next;
		of->n--;
	}
	return s;
}

static bool keep_spare(struct spares *of, void *memory)
{
	struct spare *s = memory;

	SCOPED_LOCK(&of->lock);
	if (of->n >= of->most)
		return false;
	s->next = of->first;
	of->first = s;
	of->n++;
	return true;
}

static void *take_large(void)
{
	void *buffer = take_spare(&large);

	return buffer ? buffer : compat_buffer_new(BUFFER_SIZE);
}

static void give_page(void *page)
{
	if (page && !keep_spare(&pages, page))
		free(page);
}

void *buffer_take(size_t size, void (**give)(void *))
{
	void *page;

	if (size > SMALL) {
		*give = buffer_give;
		return take_large();
	}
	if (size > PAGE) {
		*give = free;
		return aligned_alloc(PAGE, (size + PAGE - 1) & ~(size_t)(PAGE - 1));
	}
	*give = give_page;
	page = take_spare(&pages);
	return page ? page : aligned_alloc(PAGE, PAGE);
}

void buffer_give(void *buffer)
{
	if (buffer && !keep_spare(&large, buffer))
		compat_buffer_free(buffer);
}

void buffer_receive(struct fuse_buf *buf)
{
	void *buffer = take_large();

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

void *buffer_keep(const void *data, size_t size)
{
	void *buffer = receiving ? compat_received_in(receiving) : NULL, *next;

	if (size <= SMALL || !buffer || buffer != data)
		return NULL;
	next = take_large();
	if (!next)
		return NULL;
	compat_receive_into(receiving, next);
	return buffer;
}
