/*
 * Copies between two volumes where neither the kernel nor a backend has a way of its own:
 * several pieces on their way at once, read from one and written to the other, none
 * through a client.
 *
 * A transfer's lock guards its pieces; it is not held while anything is read or written.
 * The memory is the transfer's, which lives until the last piece has landed, and so do
 * the volumes: a source that does not answer holds the thread of its copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

#include "backends/model/volume_base.h"
#include "backends/model/volume_io.h"
#include "backends/support/clock.h"
#include "backends/support/thread.h"

#define PIECE   ((size_t)256 << 10)
#define PIECES  8
#define PAGE    4096
#define WINDOW  ((uint64_t)4 << 20) /* that the disk begins with when it is written */
#define LOOK_NS (100 * NS_PER_MS) /* between two looks whether the call was cancelled */
#define LONG_NS NS_PER_S /* then no more is begun: the rest is the next call's */

enum state { IDLE, READING, FULL, WRITING, DONE };

struct piece {
	struct io io;
	struct iovec iov;
	struct transfer *transfer;
	enum state state;
	uint64_t at; /* from the begin of what is copied */
	size_t len;
};

struct transfer {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned refs; /* of the caller, and of each piece until its done has returned */
	struct volume_handle *from, *to;
	uint64_t from_off, to_off;
	int failed; /* -errno of the first failure, which error says */
	struct error error;
	char *data;
	struct piece pieces[PIECES];
};

/* -- its life -- */

static struct transfer *transfer_new(struct volume_handle *from, uint64_t from_off,
				     struct volume_handle *to, uint64_t to_off)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->data = aligned_alloc(PAGE, PIECES * PIECE);
	if (!t->data) {
		free(t);
		return NULL;
	}
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->moved, NULL);
	t->refs = 1;
	t->from = from;
	t->to = to;
	t->from_off = from_off;
	t->to_off = to_off;
	return t;
}

/* Called with the lock, which it gives up. */
static void unlock_and_put(struct transfer *t)
{
	bool last = --t->refs == 0;

	pthread_mutex_unlock(&t->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->moved);
	free(t->data);
	free(t);
}

/* -- one piece -- */

static void piece_moved(struct piece *p, ssize_t result, const struct error *err)
{
	struct transfer *t = p->transfer;
	bool reads = p->state == READING;

	if (result == (ssize_t)p->len) {
		p->state = reads ? FULL : DONE;
		return;
	}
	p->state = IDLE;
	if (t->failed)
		return;
	if (result < 0 && err && err->code)
		t->error = *err;
	else
		error_code(&t->error, result < 0 ? -result : EIO, "cannot %s volume '%s'",
			   reads ? "read" : "write", (reads ? t->from : t->to)->name);
	t->failed = -t->error.code;
}

static void piece_done(struct io *io, ssize_t result, const struct error *err)
{
	struct piece *p = container_of(io, struct piece, io);
	struct transfer *t = p->transfer;

	pthread_mutex_lock(&t->lock);
	piece_moved(p, result, err);
	pthread_cond_signal(&t->moved);
	unlock_and_put(t);
}

static ssize_t move_on_descriptor(const struct piece *p, int fd, bool reads, uint64_t off)
{
	size_t done = 0;

	while (done < p->len) {
		char *at = (char *)p->iov.iov_base + done;
		ssize_t n = reads ? pread(fd, at, p->len - done, off + done) :
				    pwrite(fd, at, p->len - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

/* The disk works meanwhile, and who syncs the copy then waits for little. */
static void write_back(const struct piece *p, int fd, uint64_t off)
{
	uint64_t end = p->at + p->len;

	if (end % WINDOW == 0)
		sync_file_range(fd, off + p->len - WINDOW, WINDOW, SYNC_FILE_RANGE_WRITE);
}

/* Reads or writes it, as state says. Called with the lock, given up meanwhile. */
static void move(struct piece *p, enum state state)
{
	struct transfer *t = p->transfer;
	bool reads = state == READING;
	struct volume_handle *h = reads ? t->from : t->to;
	uint64_t off = (reads ? t->from_off : t->to_off) + p->at;
	ssize_t n;

	p->state = state;
	if (h->file.fd >= 0) {
		pthread_mutex_unlock(&t->lock);
		n = move_on_descriptor(p, h->file.fd, reads, off);
		if (!reads)
			write_back(p, h->file.fd, off);
		pthread_mutex_lock(&t->lock);
		piece_moved(p, n, NULL);
		return;
	}
	p->iov.iov_len = p->len;
	p->io = (struct io){ .op = reads ? IO_READ : IO_WRITE, .off = off, .iov = &p->iov,
			     .iovcnt = 1, .done = piece_done };
	t->refs++;
	pthread_mutex_unlock(&t->lock);
	volume_submit(h, &p->io);
	pthread_mutex_lock(&t->lock);
}

/* -- all of them -- */

static struct piece *piece_in(struct transfer *t, enum state a, enum state b)
{
	for (size_t i = 0; i < PIECES; i++)
		if (t->pieces[i].state == a || t->pieces[i].state == b)
			return &t->pieces[i];
	return NULL;
}

/* The piece that begins at this offset takes its place; NULL: it is not free yet. */
static struct piece *piece_begin(struct transfer *t, uint64_t at, size_t len)
{
	size_t i = at / PIECE % PIECES;
	struct piece *p = &t->pieces[i];

	if (p->state != IDLE)
		return NULL;
	p->transfer = t;
	p->iov.iov_base = t->data + i * PIECE;
	p->at = at;
	p->len = MIN(PIECE, len - at);
	return p;
}

/* How far everything is written, from there on; frees the places of what is. */
static uint64_t written_up_to(struct transfer *t, uint64_t at)
{
	for (;;) {
		struct piece *p = &t->pieces[at / PIECE % PIECES];

		if (p->state != DONE || p->at != at)
			return at;
		p->state = IDLE;
		at += p->len;
	}
}

/*
 * Nobody waits any longer: what is under way is asked to end soon. With the lock, given
 * up meanwhile.
 */
static void cancel_all(struct transfer *t)
{
	for (size_t i = 0; i < PIECES; i++) {
		struct piece *p = &t->pieces[i];
		struct volume_handle *h = p->state == READING ? t->from : t->to;

		if ((p->state != READING && p->state != WRITING) || h->file.fd >= 0)
			continue;
		pthread_mutex_unlock(&t->lock);
		volume_cancel(h, &p->io);
		pthread_mutex_lock(&t->lock);
	}
}

static void wait_moved(struct transfer *t, const struct call *call)
{
	uint64_t until = clock_now() + LOOK_NS;

	if (call->deadline_ns && !t->failed)
		until = MIN(until, call->deadline_ns);
	thread_wait(&t->moved, &t->lock, until);
	if (t->failed)
		return;
	t->failed = volume_call_check(call, t->to->name, &t->error);
	if (t->failed)
		cancel_all(t);
}

/*
 * Until all is written or something failed, and nothing is under way any more: what is
 * late must meet neither what the caller writes next nor the end of the volumes. Who
 * waits for it has been answered at the deadline.
 */
static ssize_t run(struct transfer *t, size_t len, const struct call *call,
		   struct error *err)
{
	uint64_t now = clock_now(), stop_at = now + LONG_NS;
	uint64_t end = len, begun = 0, written = 0;

	if (call->deadline_ns > now)
		stop_at = MIN(stop_at, now + (call->deadline_ns - now) / 3);
	for (;;) {
		struct piece *full = t->failed ? NULL : piece_in(t, FULL, FULL);
		struct piece *next = NULL;

		written = written_up_to(t, written);
		if (full) {
			move(full, WRITING);
			continue;
		}
		if (t->failed || clock_now() >= stop_at)
			end = MIN(end, begun);
		if (begun < end)
			next = piece_begin(t, begun, len);
		if (next) {
			begun += next->len;
			move(next, READING);
		} else if (piece_in(t, READING, WRITING)) {
			wait_moved(t, call);
		} else {
			break;
		}
	}
	if (written)
		return written;
	return t->failed ? error_copy(err, &t->error) : 0;
}

static bool is_direct(const struct volume_handle *h)
{
	return h->file.fd >= 0 && h->flags & O_DIRECT;
}

bool volume_transfers(const struct volume_handle *from, const struct volume_handle *to)
{
	if (is_direct(from) || is_direct(to) || from->of.volume == to->of.volume)
		return false;
	if (from->file.fd >= 0 && to->file.fd >= 0)
		return false;
	return from->pool != to->pool || !USE_HAS(&to->use, vol_copy);
}

ssize_t volume_transfer(struct volume_handle *from, off_t from_off,
			struct volume_handle *to, off_t to_off, size_t len,
			struct call *call, struct error *err)
{
	struct transfer *t = transfer_new(from, from_off, to, to_off);
	ssize_t r;

	if (!t)
		return error_code(err, ENOMEM, "cannot copy to volume '%s'", to->name);
	pthread_mutex_lock(&t->lock);
	r = run(t, len, call, err);
	unlock_and_put(t);
	return r;
}
