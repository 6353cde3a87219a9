/*
 * Copies within a pool. Ceph has no way for clients to have the OSDs copy a range of an
 * image, so the bytes come here and go back, many pieces at a time and past the kernel;
 * zeros are not sent, and make no objects.
 *
 * A copy's lock guards where the next piece is and how many are under way. Pieces begin
 * in their order, so that what comes before the first that failed is whole.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/clock.h"

#define DEPTH 16
#define PIECE (UINT64_C(1) << 20)

struct copy {
	struct image *from, *to;
	uint64_t from_off, to_off, len;
	uint64_t stop_ns; /* no piece is begun after it */
	struct call *call;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	uint64_t next, failed_at;
	int failed;
	unsigned busy;
};

struct piece {
	struct copy *copy;
	uint64_t at, len;
	char *data;
};

static void piece_next(struct piece *pc);

static void piece_failed(struct piece *pc, int r)
{
	struct copy *c = pc->copy;

	SCOPED_LOCK(&c->lock);
	if (!c->failed || pc->at < c->failed_at) {
		c->failed = r;
		c->failed_at = pc->at;
	}
}

static void written(rbd_completion_t done, void *arg)
{
	struct piece *pc = arg;
	int r = rbd_aio_get_return_value(done);

	rbd_aio_release(done);
	if (r < 0)
		piece_failed(pc, r);
	piece_next(pc);
}

static bool is_zero(const char *data, size_t len)
{
	return !*data && !memcmp(data, data + 1, len - 1);
}

static int write_piece(struct piece *pc, rbd_completion_t done)
{
	struct copy *c = pc->copy;

	return is_zero(pc->data, pc->len)
		       ? rbd_aio_write_zeroes(c->to->rbd, c->to_off + pc->at, pc->len,
					      done, 0, 0)
		       : rbd_aio_write(c->to->rbd, c->to_off + pc->at, pc->len, pc->data,
				       done);
}

/* Begins one half of a piece: then is called at its end. */
static void begin(struct piece *pc, rbd_callback_t then,
		  int (*half)(struct piece *, rbd_completion_t))
{
	rbd_completion_t done;
	int r = rbd_aio_create_completion(pc, then, &done);

	if (r == 0) {
		r = half(pc, done);
		if (r < 0)
			rbd_aio_release(done);
	}
	if (r < 0) {
		piece_failed(pc, r);
		piece_next(pc);
	}
}

static void was_read(rbd_completion_t done, void *arg)
{
	struct piece *pc = arg;
	ssize_t r = rbd_aio_get_return_value(done);

	rbd_aio_release(done);
	if (r == (ssize_t)pc->len) {
		begin(pc, written, write_piece);
		return;
	}
	piece_failed(pc, r < 0 ? r : -EIO);
	piece_next(pc);
}

static int read_piece(struct piece *pc, rbd_completion_t done)
{
	struct copy *c = pc->copy;

	return rbd_aio_read(c->from->rbd, c->from_off + pc->at, pc->len, pc->data, done);
}

static bool is_over(const struct copy *c)
{
	return c->failed || c->next >= c->len || deadline_passed(c->stop_ns) ||
	       (c->call->cancelled && atomic_load(c->call->cancelled));
}

/* The next piece, cut where the target's pieces end; false: there is none, and pc may be
 * gone. */
static bool take_piece(struct piece *pc)
{
	struct copy *c = pc->copy;

	SCOPED_LOCK(&c->lock);
	if (is_over(c)) {
		if (!--c->busy)
			pthread_cond_signal(&c->idle);
		return false;
	}
	pc->at = c->next;
	pc->len = MIN(PIECE - (c->to_off + pc->at) % PIECE, c->len - pc->at);
	c->next += pc->len;
	return true;
}

static void piece_next(struct piece *pc)
{
	if (take_piece(pc))
		begin(pc, was_read, read_piece);
}

static ssize_t result_of(const struct copy *c, struct error *err)
{
	uint64_t done = c->failed ? c->failed_at : c->next;

	if (done)
		return done;
	if (c->failed)
		return rbd_failed(c->to->pool, c->failed, err,
				  "cannot copy image '%s' to image '%s'", c->from->name,
				  c->to->name);
	return error_set(err, c->len ? EINTR : EINVAL,
			 "copying to image '%s' was cancelled", c->to->name);
}

/* Half of the time that there is; what is left is asked for again. */
static uint64_t stop_time(const struct call *call)
{
	uint64_t now = clock_now();

	if (!call->deadline_ns)
		return now + 10 * NS_PER_S;
	return call->deadline_ns > now ? now + (call->deadline_ns - now) / 2 : now;
}

ssize_t rbd_vol_copy(const struct vol_file *from, off_t from_off,
		     const struct vol_file *to, off_t to_off, size_t len,
		     struct call *call, struct error *err)
{
	struct copy c = {
		.from = ((struct opened *)from->vol)->image,
		.from_off = from_off,
		.to = ((struct opened *)to->vol)->image,
		.to_off = to_off,
		.len = len,
		.call = call,
		.stop_ns = stop_time(call),
		.busy = MIN(DEPTH, len / PIECE + 1),
	};
	unsigned n = c.busy;
	struct piece pieces[DEPTH];
	AUTO_FREE char *data = malloc(n * PIECE);

	if (image_settle(c.from, call, err) < 0 || image_settle(c.to, call, err) < 0)
		return -ETIMEDOUT;
	if (!data)
		return error_code(err, ENOMEM, "cannot copy to image '%s'", c.to->name);
	atomic_store(&c.to->wrote, true);
	pthread_mutex_init(&c.lock, NULL);
	pthread_cond_init(&c.idle, NULL);
	for (unsigned i = 0; i < n; i++) {
		pieces[i] = (struct piece){ .copy = &c, .data = data + i * PIECE };
		piece_next(&pieces[i]);
	}
	pthread_mutex_lock(&c.lock);
	while (c.busy)
		pthread_cond_wait(&c.idle, &c.lock);
	pthread_mutex_unlock(&c.lock);
	pthread_mutex_destroy(&c.lock);
	pthread_cond_destroy(&c.idle);
	return result_of(&c, err);
}
