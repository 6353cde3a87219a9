/*
 * I/O on volumes without a descriptor: each operation in flight is known to its handle,
 * so that it can be cancelled, and the volume is not closed before the last has ended.
 *
 * A handle's lock guards its list; done functions and the backend are called without it.
 */
#include "backends/model/volume_io.h"

#include <errno.h>
#include <string.h>

#include "backends/model/volume_base.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"
#include "backends/support/thread.h"

struct flight {
	struct io io; /* what the backend has */
	struct io *asked;
	struct volume_handle *h;
	struct list link;
	atomic_int refs; /* of being in flight, and of a cancel that looks at it */
};

int volume_call_check(const struct call *call, const char *name, struct error *err)
{
	if (call->cancelled && *call->cancelled)
		return error_set(err, EINTR, "the operation on volume '%s' was cancelled",
				 name);
	if (deadline_passed(call->deadline_ns))
		return error_set(err, ETIMEDOUT,
				 "the operation on volume '%s' took too long", name);
	return 0;
}

static void flight_unref(struct flight *f)
{
	if (--f->refs == 0)
		free(f);
}

static void close_late(struct task *t)
{
	struct volume_handle *h = container_of(t, struct volume_handle, closing);
	struct call call = { 0 };

	volume_close(h, &call);
}

/* The last operation of a handle that was closed meanwhile: the backend's own thread is
 * not the place to close its volume. */
static void closed_late(struct volume_handle *h)
{
	h->closing.run = close_late;
	if (executor_submit_close(pool_executor(h->pool), &h->closing) < 0)
		log_warning("volume '%s' stays open: no thread is left to close it",
			    h->name);
}

static void landed(struct flight *f)
{
	struct volume_handle *h = f->h;
	bool last;

	pthread_mutex_lock(&h->lock);
	list_remove(&f->link);
	last = list_empty(&h->flights);
	if (last)
		pthread_cond_broadcast(&h->idle);
	last = last && h->closed;
	pthread_mutex_unlock(&h->lock);
	if (last)
		closed_late(h);
	flight_unref(f);
}

static void flight_done(struct io *io, ssize_t result, const struct error *err)
{
	struct flight *f = io->owner;

	if (io->op != IO_READ && io->op != IO_FLUSH)
		atomic_store(&f->h->unflushed, true);
	f->asked->bytes = f->io.bytes; /* unless taken */
	f->asked->done(f->asked, result, err);
	landed(f);
}

void volume_submit(struct volume_handle *h, struct io *io)
{
	struct flight *f = malloc(sizeof(*f));
	struct error err = { 0 };

	if (!f) {
		io->done(io, error_code(&err, ENOMEM, "cannot access a volume"), &err);
		return;
	}
	*f = (struct flight){ .io = *io, .asked = io, .h = h, .refs = 1 };
	f->io.done = flight_done;
	f->io.owner = f;
	pthread_mutex_lock(&h->lock);
	list_append(&h->flights, &f->link);
	pthread_mutex_unlock(&h->lock);
	if (io->op == IO_FLUSH) /* what is written from here on is not part of it */
		atomic_store(&h->unflushed, false);
	h->use.backend->vol_submit(h->file.vol, &f->io);
}

static struct flight *flight_of(struct volume_handle *h, const struct io *io)
{
	SCOPED_LOCK(&h->lock);
	list_for_each(l, &h->flights) {
		struct flight *f = container_of(l, struct flight, link);

		if (f->asked == io) {
			f->refs++;
			return f;
		}
	}
	return NULL;
}

void volume_cancel(struct volume_handle *h, struct io *io)
{
	struct flight *f;

	if (!USE_HAS(&h->use, vol_cancel))
		return;
	f = flight_of(h, io);
	if (!f)
		return;
	h->use.backend->vol_cancel(h->file.vol, &f->io);
	flight_unref(f);
}

bool volume_io_drain(struct volume_handle *h, struct call *call)
{
	int r = 0;

	SCOPED_LOCK(&h->lock);
	while (!list_empty(&h->flights) && r == 0)
		r = thread_wait(&h->idle, &h->lock, call->deadline_ns);
	return list_empty(&h->flights);
}

/* -- one operation, waited for -- */

struct waited {
	struct io io;
	struct iovec iov;
	struct volume_handle *h;
	void (*late)(struct volume_handle *);
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done, given_up;
	ssize_t result;
	struct error err;
};

static void waited_free(struct waited *w)
{
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->cond);
	free(w);
}

/* Whoever comes second, the waiter giving up or this, frees it. */
static void waited_done(struct io *io, ssize_t result, const struct error *err)
{
	struct waited *w = container_of(io, struct waited, io);
	bool given_up;

	pthread_mutex_lock(&w->lock);
	w->done = true;
	w->result = result;
	if (err)
		w->err = *err;
	given_up = w->given_up;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
	if (!given_up)
		return;
	if (w->late)
		w->late(w->h);
	waited_free(w);
}

static struct waited *waited_new(struct volume_handle *h, enum io_op op, uint64_t off,
				 const void *data, uint64_t len)
{
	struct waited *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->cond, NULL);
	w->h = h;
	w->iov = (struct iovec){ .iov_base = (void *)data, .iov_len = data ? len : 0 };
	w->io = (struct io){ .op = op, .off = off, .len = len, .iov = &w->iov,
			     .iovcnt = data ? 1 : 0, .done = waited_done };
	return w;
}

/* False: given up, and done owns it. */
static bool wait_for(struct waited *w, uint64_t deadline)
{
	int r = 0;

	SCOPED_LOCK(&w->lock);
	while (!w->done && r == 0)
		r = thread_wait(&w->cond, &w->lock, deadline);
	w->given_up = !w->done;
	return w->done;
}

static ssize_t result_of(struct waited *w, struct error *err)
{
	ssize_t r = w->result;

	if (r < 0 && w->err.code)
		error_copy(err, &w->err);
	else if (r < 0)
		error_code(err, -r, "cannot access volume '%s'", w->h->name);
	waited_free(w);
	return r;
}

static ssize_t run_waited(struct volume_handle *h, struct waited *w, struct io_late *late,
			  struct call *call, struct error *err)
{
	if (!w)
		return error_code(err, ENOMEM, "cannot access volume '%s'", h->name);
	w->late = late ? late->fn : NULL;
	volume_submit(h, &w->io);
	if (wait_for(w, call->deadline_ns))
		return result_of(w, err);
	/* A stuck operation is left alone: from here on w is its own. */
	if (late)
		late->given_up = true;
	return error_set(err, ETIMEDOUT,
			 "volume '%s' does not answer: its source may be away", h->name);
}

ssize_t volume_io(struct volume_handle *h, enum io_op op, uint64_t off, const void *data,
		  uint64_t len, struct io_late *late, struct call *call,
		  struct error *err)
{
	return run_waited(h, waited_new(h, op, off, data, len), late, call, err);
}

int volume_io_flush(struct volume_handle *h, bool closes, struct call *call,
		    struct error *err)
{
	struct waited *w = waited_new(h, IO_FLUSH, 0, NULL, 0);
	ssize_t r;

	if (w)
		w->io.closes = closes;
	r = run_waited(h, w, NULL, call, err);
	return r < 0 ? (int)r : 0;
}
