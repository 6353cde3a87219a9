/* Wiping a unit: zeros are written all over it, some writes at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "backends/iscsi/open.h"
#include "backends/support/clock.h"
#include "backends/support/thread.h"

#define DEPTH	   8
#define PIECE	   (UINT64_C(512) << 10)
#define LOOK_AGAIN (100 * NS_PER_MS)

struct wipe {
	struct vol_file file;
	uint64_t size, at, done;
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	unsigned under_way;
	struct error error;
	struct slot {
		struct io io;
		struct iovec iov;
		bool busy;
	} slots[DEPTH];
};

static void written(struct io *io, ssize_t result, const struct error *err)
{
	struct wipe *w = io->owner;
	struct slot *s = container_of(io, struct slot, io);

	SCOPED_LOCK(&w->lock);
	s->busy = false;
	w->under_way--;
	if (result < 0 && !w->error.code)
		w->error = *err;
	else if (result > 0)
		w->done += result;
	pthread_cond_signal(&w->changed);
}

static void write_next(struct wipe *w, struct slot *s)
{
	static uint8_t zeros[PIECE];
	size_t len = MIN(PIECE, w->size - w->at);

	s->busy = true;
	s->iov = (struct iovec){ zeros, len };
	s->io = (struct io){ .op = IO_WRITE,
			     .off = w->at,
			     .iov = &s->iov,
			     .iovcnt = 1,
			     .done = written,
			     .owner = w };
	w->at += len;
	w->under_way++;
	pthread_mutex_unlock(&w->lock);
	iscsi_vol_submit(w->file.vol, &s->io);
	pthread_mutex_lock(&w->lock);
}

static void wait_a_moment(struct wipe *w)
{
	thread_wait(&w->changed, &w->lock, clock_now() + LOOK_AGAIN);
}

/* With the lock held. What is under way ends by itself, if only by its deadline. */
static void write_all(struct wipe *w, struct call *call)
{
	while (w->under_way || w->at < w->size) {
		bool stops = w->error.code || (call->cancelled && *call->cancelled);

		if (stops)
			w->at = w->size;
		for (size_t i = 0; i < DEPTH && w->at < w->size; i++)
			if (!w->slots[i].busy)
				write_next(w, &w->slots[i]);
		if (w->under_way)
			wait_a_moment(w);
		if (call->progress)
			call->progress(call, w->done, w->size);
	}
	if (!w->error.code && call->cancelled && *call->cancelled)
		error_set(&w->error, EINTR,
			  "wiping was cancelled after %llu of %llu bytes",
			  (unsigned long long)w->done, (unsigned long long)w->size);
}

static void flush(struct wipe *w)
{
	struct slot *s = &w->slots[0];

	s->io = (struct io){ .op = IO_FLUSH, .done = written, .owner = w };
	w->under_way++;
	pthread_mutex_unlock(&w->lock);
	iscsi_vol_submit(w->file.vol, &s->io);
	pthread_mutex_lock(&w->lock);
	while (w->under_way)
		wait_a_moment(w);
}

static struct wipe *wipe_new(void)
{
	struct wipe *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	return w;
}

static void wipe_free(struct wipe *w)
{
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}
DEFINE_CLEANUP(cleanup_wipe, struct wipe *, wipe_free)

int iscsi_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *call,
		   struct error *err)
{
	CLEANUP(cleanup_wipe) struct wipe *w = NULL;
	struct vol_stat st = { 0 };
	int r;

	if (strcmp(algorithm, "zero"))
		return error_set(
			err, EOPNOTSUPP,
			"a unit of an iSCSI target can be wiped with 'zero' only, not "
			"with '%s'",
			algorithm);
	w = wipe_new();
	if (!w)
		return error_code(err, ENOMEM, "cannot wipe volume '%s'", name);
	r = iscsi_vol_open(pool, name, NULL, O_WRONLY, &w->file, call, err);
	if (r < 0)
		return r;
	r = iscsi_vol_fstat(pool, &w->file, &st, call, err);
	w->size = st.size;
	pthread_mutex_lock(&w->lock);
	if (r == 0)
		write_all(w, call);
	if (r == 0 && !w->error.code)
		flush(w);
	pthread_mutex_unlock(&w->lock);
	iscsi_vol_close(pool, &w->file);
	return r == 0 && w->error.code ? error_copy(err, &w->error) : r;
}
