/*
 * Writes that are answered before they are stored: a writer that waits for each of its
 * writes may then send the next ones, as it may with any disk that has a cache. One that
 * has several large ones on their way itself is answered when they are stored, which
 * needs no copy.
 *
 * Nothing of it shows: what touches such a write's range waits for it, and so does a
 * flush, which tells each that has the image open, once, what could not be stored.
 * librbd's own cache does not: an error before the next flush is asked for is forgotten.
 *
 * A behind's lock is held neither while anything is submitted nor while it is answered.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"
#include "backends/support/thread.h"

#define BYTES_MOST (UINT64_C(16) << 20) /* of early writes */
#define EARLY_MOST 256
#define POOL_MOST  (UINT64_C(64) << 20) /* bytes of all images, about */
#define DEEP	   256 /* a client that had several on their way once goes on so */
#define SMALL	   (64u << 10) /* is copied faster than another thread answers */

/* A write or a flush on its way, or anything that waits. */
struct flight {
	struct io io; /* what is submitted */
	struct iovec iov;
	struct behind *behind;
	struct io *asked; /* NULL: answered already */
	uint64_t *seen, serial;
	uint64_t len;
	bool early;
	struct list link;
	void *bytes; /* an early write's */
	void (*free_bytes)(void *);
};

void behind_init(struct behind *b, void (*submit)(void *vol, struct io *), void *vol,
		 atomic_uint_fast64_t *of_pool)
{
	*b = (struct behind){ .submit = submit, .vol = vol, .of_pool = of_pool };
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->all_stored, NULL);
	list_init(&b->early);
	list_init(&b->waiting);
}

void behind_exit(struct behind *b)
{
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->all_stored);
}

uint64_t behind_seen(struct behind *b)
{
	SCOPED_LOCK(&b->lock);
	return b->lost;
}

static uint64_t length(const struct io *io)
{
	uint64_t len = 0;

	if (io->op != IO_READ && io->op != IO_WRITE)
		return io->len;
	for (int i = 0; i < io->iovcnt; i++)
		len += io->iov[i].iov_len;
	return len;
}

/* -- what waits: the lock is held -- */

/* Whether this has to wait for an early write; for a flush, one before its serial. */
static bool meets_early(const struct behind *b, const struct io *io, uint64_t serial)
{
	uint64_t end = io->off + length(io);

	if (io->op == IO_FLUSH)
		return !list_empty(&b->early) &&
		       container_of(b->early.next, struct flight, link)->serial < serial;
	list_for_each (l, &b->early) {
		const struct flight *f = container_of(l, struct flight, link);

		if (f->io.off < end && io->off < f->io.off + f->len)
			return true;
	}
	return false;
}

/* What has to wait no longer. */
static void take_ready(struct behind *b, struct list *ready)
{
	list_for_each (l, &b->waiting) {
		struct flight *f = container_of(l, struct flight, link);

		if (meets_early(b, f->asked, f->serial))
			continue;
		list_remove(l);
		list_append(ready, l);
		b->unanswered -= f->asked->op == IO_WRITE;
	}
}

/* -- the begin of one -- */

static bool is_early(struct behind *b, uint64_t len)
{
	if (b->unanswered)
		b->deep = DEEP;
	else if (b->deep)
		b->deep--;
	return (!b->deep || len <= SMALL) && b->n_early < EARLY_MOST &&
	       b->bytes + len <= BYTES_MOST && atomic_load(b->of_pool) + len <= POOL_MOST;
}

static void begin_write(struct behind *b, struct flight *f)
{
	f->early = is_early(b, f->len);
	if (!f->early) {
		b->unanswered++;
		return;
	}
	f->serial = b->serial++;
	list_append(&b->early, &f->link);
	atomic_fetch_add(b->of_pool, f->len);
	b->bytes += f->len;
	b->n_early++;
}

static bool copy_bytes(struct flight *f)
{
	size_t done = 0;

	f->bytes = malloc(f->len ? f->len : 1);
	if (!f->bytes)
		return false;
	f->free_bytes = free;
	for (int i = 0; i < f->io.iovcnt; i++) {
		memcpy((char *)f->bytes + done, f->io.iov[i].iov_base,
		       f->io.iov[i].iov_len);
		done += f->io.iov[i].iov_len;
	}
	f->iov = (struct iovec){ .iov_base = f->bytes, .iov_len = f->len };
	return true;
}

/* Where there is no memory it is answered when it is stored. */
static bool keep_bytes(struct flight *f)
{
	if (f->asked->bytes && f->io.iovcnt == 1) {
		f->bytes = take(f->asked->bytes);
		f->free_bytes = f->asked->free_bytes;
		f->iov = *f->io.iov;
	} else if (!copy_bytes(f)) {
		return false;
	}
	f->io.iov = &f->iov;
	f->io.iovcnt = 1;
	f->asked = NULL;
	return true;
}

static void submit(struct behind *b, struct flight *f)
{
	struct io *asked = f->asked;
	uint64_t len = f->len;
	bool answered = f->early && keep_bytes(f);

	b->submit(b->vol, &f->io);
	if (answered)
		asked->done(asked, len, NULL);
}

/* What has waited. */
static void submit_ready(struct behind *b, struct list *ready)
{
	for (struct list *l; (l = list_shift(ready));) {
		struct flight *f = container_of(l, struct flight, link);

		if (f->io.op == IO_WRITE) {
			pthread_mutex_lock(&b->lock);
			begin_write(b, f);
			pthread_mutex_unlock(&b->lock);
		}
		if (f->io.op == IO_WRITE || f->io.op == IO_FLUSH) {
			submit(b, f);
		} else {
			b->submit(b->vol, f->asked);
			free(f);
		}
	}
}

/* -- the end of one -- */

static void note_lost(struct behind *b, ssize_t result, const struct error *err)
{
	if (err)
		b->error = *err;
	else
		error_code(&b->error, result < 0 ? -result : EIO,
			   "it could not be stored");
	error_prefix(&b->error, "what was written before is lost");
	if (!b->lost++ || b->told)
		log_error("%s", b->error.text); /* perhaps nobody asks any more */
	b->told = false;
}

static void count_landed(struct behind *b, struct flight *f, ssize_t result,
			 const struct error *err)
{
	if (f->early) {
		list_remove(&f->link);
		atomic_fetch_sub(b->of_pool, f->len);
		b->bytes -= f->len;
		b->n_early--;
		if (!f->asked && result != (ssize_t)f->len)
			note_lost(b, result, err);
	} else if (f->io.op == IO_WRITE) {
		b->unanswered--;
	}
}

/* What a flush has to tell besides its own result. */
static bool take_lost(struct behind *b, struct flight *f, struct error *err)
{
	if (f->io.op != IO_FLUSH || *f->seen == b->lost)
		return false;
	if (!f->io.closes)
		*f->seen = b->lost;
	b->told = true;
	*err = b->error;
	return true;
}

/* After asked is done, b is there only for those who wait, or until all is stored. */
static void landed(struct io *io, ssize_t result, const struct error *err)
{
	struct flight *f = io->owner;
	struct behind *b = f->behind;
	struct list ready = LIST_INIT(ready);
	void (*stored)(void *) = NULL;
	struct error lost;
	void *arg = NULL;

	pthread_mutex_lock(&b->lock);
	count_landed(b, f, result, err);
	take_ready(b, &ready);
	if (result >= 0 && take_lost(b, f, &lost)) {
		err = &lost;
		result = -lost.code;
	}
	if (list_empty(&b->early)) {
		pthread_cond_broadcast(&b->all_stored);
		stored = b->stored;
		arg = b->stored_arg;
	}
	pthread_mutex_unlock(&b->lock);
	if (f->asked)
		f->asked->done(f->asked, result, err);
	if (f->bytes)
		f->free_bytes(f->bytes);
	free(f);
	submit_ready(b, &ready);
	if (stored)
		stored(arg);
}

/* -- asked from outside -- */

static struct flight *flight_new(struct behind *b, uint64_t *seen, struct io *io)
{
	struct flight *f = malloc(sizeof(*f));

	if (!f)
		return NULL;
	*f = (struct flight){ .io = *io,
			      .behind = b,
			      .asked = io,
			      .seen = seen,
			      .serial = b->serial++,
			      .len = length(io) };
	f->io.done = landed;
	f->io.owner = f;
	list_init(&f->link);
	return f;
}

void behind_submit(struct behind *b, uint64_t *seen, struct io *io)
{
	struct error err = { 0 };
	struct flight *f = NULL;
	bool waits, own;

	pthread_mutex_lock(&b->lock);
	waits = meets_early(b, io, b->serial);
	own = waits || io->op == IO_WRITE || io->op == IO_FLUSH;
	if (own)
		f = flight_new(b, seen, io);
	if (f && waits) {
		list_append(&b->waiting, &f->link);
		b->unanswered += io->op == IO_WRITE;
	} else if (f && io->op == IO_WRITE) {
		begin_write(b, f);
	}
	pthread_mutex_unlock(&b->lock);
	if (own && !f)
		io->done(io, error_code(&err, ENOMEM, "cannot access a volume"), &err);
	else if (!own)
		b->submit(b->vol, io);
	else if (!waits)
		submit(b, f);
}

void behind_when_stored(struct behind *b, void (*fn)(void *), void *arg)
{
	bool now;

	pthread_mutex_lock(&b->lock);
	now = list_empty(&b->early);
	if (!now) {
		b->stored = fn;
		b->stored_arg = arg;
	}
	pthread_mutex_unlock(&b->lock);
	if (now)
		fn(arg);
}

bool behind_wait(struct behind *b, uint64_t deadline_ns)
{
	int r = 0;

	SCOPED_LOCK(&b->lock);
	while (!list_empty(&b->early) && r == 0)
		r = thread_wait(&b->all_stored, &b->lock, deadline_ns);
	return list_empty(&b->early);
}
