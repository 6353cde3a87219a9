/*
 * Open fake volumes: I/O is queued and done by the pool's own thread, in any order.
 *
 * fake_pool.lock guards the queue. Bytes are moved without locks; sizes are looked at
 * under the store's.
 */
#include "backends/fake/fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/clock.h"
#include "backends/support/thread.h"

#define TICK_NS (10 * NS_PER_MS) /* how often faults and events are looked for */

struct held {
	struct list link;
	struct io *io;
	struct fake_open *o;
	const char *operation;
	uint64_t due_ns;
	struct fault fault;
	bool cancelled;
};

static const char *const operations[] = {
	[IO_READ] = "read", [IO_WRITE] = "write", [IO_FLUSH] = "flush",
	[IO_PUNCH] = "punch", [IO_ZERO] = "zero",
};

/* -- opening -- */

/* As block devices are opened; its own description, for the access mode and O_DIRECT. */
static int open_memory(const struct fake_open *o, int flags, struct error *err)
{
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", o->snap ? o->snap->fd : o->v->fd);
	fd = open(path, (flags & O_ACCMODE) | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "cannot open a fake volume") : fd;
}

int fake_vol_open(void *pool, const char *name, const char *snap, int flags,
		  struct vol_file *out, struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	AUTO_FREE struct fake_open *o = calloc(1, sizeof(*o));
	int r = fault(fp, "vol_open", call, err);

	if (r < 0)
		return r;
	if (!o)
		return error_code(err, ENOMEM, "cannot open volume '%s'", name);
	SCOPED_LOCK(&fp->store->lock);
	struct fake_volume *v = store_find(fp->store, name);

	if (!v)
		return error_set(err, ENOENT, "there is no volume '%s'", name);
	o->snap = snap ? store_find_snap(v, snap) : NULL;
	if (snap && !o->snap)
		return error_set(err, ENOENT, "volume '%s' has no snapshot '%s'", name,
				 snap);
	if (flags & O_TRUNC) {
		r = store_resize(fp, v, 0, err);
		if (r < 0)
			return r;
	}
	o->fp = fp;
	o->v = v;
	*out = (struct vol_file){ .fd = -1 };
	if (control_has(fp, "descriptors"))
		r = out->fd = open_memory(o, flags, err);
	if (r < 0)
		return r;
	v->refs++;
	out->vol = take(o);
	return 0;
}

void fake_vol_close(void *pool, struct vol_file *f)
{
	struct fake_pool *fp = pool;
	struct fake_open *o = f->vol;

	pthread_mutex_lock(&fp->store->lock);
	store_unref(o->v);
	pthread_mutex_unlock(&fp->store->lock);
	if (f->fd >= 0)
		close(f->fd);
	free(o);
}

int fake_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
		   struct call *call, struct error *err)
{
	struct fake_pool *fp = pool;
	const struct fake_open *o = f->vol;
	int r = fault(fp, "vol_fstat", call, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&fp->store->lock);
	fake_stat_of(fp, o->v, out);
	return 0;
}

/* -- doing it -- */

static uint64_t size_of(const struct fake_open *o)
{
	SCOPED_LOCK(&o->fp->store->lock);
	return o->snap ? o->snap->size : o->v->size;
}

static int memory_of(const struct fake_open *o)
{
	return o->snap ? o->snap->fd : o->v->fd;
}

static size_t length(const struct io *io)
{
	size_t len = 0;

	for (int i = 0; i < io->iovcnt; i++)
		len += io->iov[i].iov_len;
	return len;
}

/* Files grow by being written; anything else ends where it ends. */
static int make_room(struct fake_open *o, uint64_t end, struct error *err)
{
	SCOPED_LOCK(&o->fp->store->lock);
	if (end <= o->v->size)
		return 0;
	if (o->fp->class != VOLUMES_ARE_FILES)
		return error_set(err, ENOSPC, "the fake volume '%s' ends at %llu",
				 o->v->name, (unsigned long long)o->v->size);
	if (store_used(o->fp) + (end - o->v->size) > control_size(o->fp, "size", 1 << 30))
		return error_set(err, ENOSPC, "the fake pool is full");
	return store_resize(o->fp, o->v, end, err);
}

static ssize_t move_bytes(struct fake_open *o, const struct io *io, struct error *err)
{
	uint64_t size = size_of(o);
	ssize_t r;

	if (io->op == IO_WRITE) {
		r = make_room(o, io->off + length(io), err);
		if (r == 0)
			r = pwritev(memory_of(o), io->iov, io->iovcnt, io->off);
	} else {
		r = io->off >= size ? 0
				    : preadv(memory_of(o), io->iov, io->iovcnt, io->off);
	}
	return r < 0 && !err->code ? error_errno(err, "cannot access a fake volume") : r;
}

static ssize_t clear_bytes(struct fake_open *o, const struct io *io, struct error *err)
{
	uint64_t size = size_of(o), end = MIN(io->off + io->len, size);

	if (io->off >= end)
		return 0;
	if (fallocate(memory_of(o), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io->off,
		      end - io->off) < 0)
		return error_errno(err, "cannot clear a fake volume");
	return 0;
}

static void finish(struct held *h)
{
	struct error err = { 0 };
	ssize_t r;

	if (h->cancelled)
		r = error_set(&err, ECANCELED, "the fake's %s was cancelled",
			      h->operation);
	else if (h->fault.code)
		r = error_code(&err, h->fault.code, "the fake's %s was told to fail",
			       h->operation);
	else if (h->io->op == IO_READ || h->io->op == IO_WRITE)
		r = move_bytes(h->o, h->io, &err);
	else
		r = h->io->op == IO_FLUSH ? 0 : clear_bytes(h->o, h->io, &err);
	h->io->done(h->io, r, r < 0 ? &err : NULL);
	free(h);
}

/* -- the thread -- */

static bool is_ready(struct fake_pool *fp, struct held *h, uint64_t now)
{
	if (h->cancelled && !h->fault.stuck)
		return true;
	if ((h->fault.hang || h->fault.stuck) && control_has(fp, h->operation))
		return false;
	return now >= h->due_ns;
}

/* Any of those that are ready; NULL: none is. */
static struct held *pick(struct fake_pool *fp, unsigned *seed)
{
	uint64_t now = clock_now();
	struct held *chosen = NULL;
	int n = 0;

	list_for_each(l, &fp->queue) {
		struct held *h = container_of(l, struct held, link);

		if (is_ready(fp, h, now) && rand_r(seed) % ++n == 0)
			chosen = h;
	}
	if (chosen)
		list_remove(&chosen->link);
	return chosen;
}

/* With the lock held. */
static void rest(struct fake_pool *fp)
{
	thread_wait(&fp->wake, &fp->lock, clock_now() + TICK_NS);
}

static void *work(void *arg)
{
	struct fake_pool *fp = arg;
	unsigned seed = 1;

	pthread_mutex_lock(&fp->lock);
	while (!fp->ends) {
		struct held *h = pick(fp, &seed);

		if (!h)
			rest(fp);
		pthread_mutex_unlock(&fp->lock);
		if (h)
			finish(h);
		else
			fake_events(fp);
		pthread_mutex_lock(&fp->lock);
	}
	pthread_mutex_unlock(&fp->lock);
	return NULL;
}

int fake_io_start(struct fake_pool *fp, struct error *err)
{
	int r;

	list_init(&fp->queue);
	pthread_mutex_init(&fp->lock, NULL);
	pthread_cond_init(&fp->wake, NULL);
	r = thread_start(&fp->thread, "fake", work, fp);
	return r < 0 ? error_code(err, -r, "cannot start the fake's thread") : 0;
}

void fake_io_stop(struct fake_pool *fp)
{
	pthread_mutex_lock(&fp->lock);
	fp->ends = true;
	pthread_cond_signal(&fp->wake);
	pthread_mutex_unlock(&fp->lock);
	pthread_join(fp->thread, NULL);
	list_for_each(l, &fp->queue) { /* stuck until now */
		struct held *h = container_of(l, struct held, link);

		h->cancelled = true;
		finish(h);
	}
	pthread_mutex_destroy(&fp->lock);
	pthread_cond_destroy(&fp->wake);
}

void fake_vol_submit(void *vol, struct io *io)
{
	struct fake_open *o = vol;
	struct fake_pool *fp = o->fp;
	struct held *h = calloc(1, sizeof(*h));
	struct error err = { 0 };

	if (!h) {
		io->done(io, error_code(&err, ENOMEM, "cannot access a fake volume"),
			 &err);
		return;
	}
	h->io = io;
	h->o = o;
	h->operation = operations[io->op];
	if (control_has(fp, "away"))
		h->fault = (struct fault){ .code = EIO };
	else
		fault_read(fp, h->operation, &h->fault);
	h->due_ns = clock_now() + h->fault.delay_ms * NS_PER_MS;
	SCOPED_LOCK(&fp->lock);
	list_append(&fp->queue, &h->link);
	pthread_cond_signal(&fp->wake);
}

void fake_vol_cancel(void *vol, struct io *io)
{
	struct fake_pool *fp = ((struct fake_open *)vol)->fp;

	SCOPED_LOCK(&fp->lock);
	list_for_each(l, &fp->queue) {
		struct held *h = container_of(l, struct held, link);

		if (h->io == io)
			h->cancelled = true;
	}
	pthread_cond_signal(&fp->wake);
}

/* -- the rest of a descriptor -- */

off_t fake_vol_seek(void *vol, off_t off, int whence, struct call *call,
		    struct error *err)
{
	struct fake_open *o = vol;
	int r = fault(o->fp, "vol_seek", call, err);
	off_t at;

	if (r < 0)
		return r;
	at = lseek(memory_of(o), off, whence);
	return at < 0 ? error_errno(err, "there is nothing behind that offset") : at;
}

/* At most 1 MiB, as servers do less than asked. */
ssize_t fake_vol_copy(const struct vol_file *from, off_t from_off,
		      const struct vol_file *to, off_t to_off, size_t len,
		      struct call *call, struct error *err)
{
	struct fake_open *a = from->vol, *b = to->vol;
	size_t most = MIN(len, 1 << 20);
	AUTO_FREE char *bytes = malloc(most);
	int r = fault(a->fp, "vol_copy", call, err);
	ssize_t n;

	if (r < 0)
		return r;
	if (!bytes)
		return error_code(err, ENOMEM, "cannot copy");
	n = pread(memory_of(a), bytes, most, from_off);
	if (n > 0)
		r = make_room(b, to_off + n, err);
	if (r < 0)
		return r;
	if (n > 0)
		n = pwrite(memory_of(b), bytes, n, to_off);
	return n < 0 ? error_errno(err, "cannot copy") : n;
}
