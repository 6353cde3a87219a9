/*
 * Transfers: reads, writes, flushes and zeroing of an open unit, each cut into commands.
 *
 * A transfer goes through stages on the session's thread; a stage is some commands at once,
 * and the next begins when all of them have ended well. What does not fill its blocks goes
 * through `bounce`: read, changed, written back, with no other write of these blocks
 * meanwhile (range.h).
 *
 * open_lun.lock guards the list of transfers only, and is never held across anything else.
 */
#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "backends/iscsi/open.h"
#include "backends/iscsi/range.h"
#include "backends/support/clock.h"

#define ZERO_PIECE (UINT64_C(16) << 20) /* bytes that one WRITE SAME zeroes */
#define BLOCK_MAX  (64u << 10)          /* the largest that WRITE SAME is used with */

_Static_assert(sizeof(struct iovec) == sizeof(struct scsi_iovec), "they are one by contract");

struct transfer;

struct piece {
	struct command command;
	struct transfer *transfer;
};

struct transfer {
	struct loop_task task;
	struct list link; /* of the open unit's transfers */
	struct open_lun *open;
	struct io *io;
	uint64_t off, len, deadline_ns;
	struct range range; /* entered while it writes */
	bool entered;
	atomic_bool cancelled;
	void (*next)(struct transfer *); /* stage */
	struct piece *pieces;
	struct iovec *iovs;
	unsigned left; /* commands of this stage */
	uint8_t *bounce;
	ssize_t result;
	struct error error;
};

static struct lun *lun_of(const struct transfer *t)
{
	return t->open->lun;
}

static uint32_t block_of(const struct transfer *t)
{
	return t->open->block_size;
}

/* -- the end of a transfer -- */

static void transfer_begin(struct transfer *t);

static void leave(struct transfer *t)
{
	struct lun *lun = lun_of(t);
	struct range *r;

	if (!t->entered)
		return;
	lun->mapped_ns = 0;
	range_leave(&t->range);
	while ((r = range_next(&lun->writing, &lun->blocked)))
		transfer_begin(container_of(r, struct transfer, range));
}

static void forget(struct transfer *t)
{
	SCOPED_LOCK(&t->open->lock);
	list_remove(&t->link);
}

static void transfer_end(struct transfer *t)
{
	struct io *io = t->io;
	ssize_t result = t->error.code ? -t->error.code : t->result;
	struct error err = t->error;

	/* Once it is done, nobody keeps the open unit. */
	leave(t);
	forget(t);
	free(t->pieces);
	free(t->iovs);
	free(t->bounce);
	free(t);
	io->done(io, result, err.code ? &err : NULL);
}

static void transfer_fail(struct transfer *t, int code, const char *what)
{
	error_code(&t->error, code, "cannot %s", what);
	transfer_end(t);
}

/* -- stages -- */

static const char *const doing[] = {
	[IO_READ] = "read", [IO_WRITE] = "write", [IO_FLUSH] = "flush",
	[IO_PUNCH] = "punch a hole into", [IO_ZERO] = "zero",
};

/* What the unit refused is not asked of it again. True: it can be done without. */
static bool learn_refusal(struct transfer *t)
{
	struct lun *lun = lun_of(t);

	lun->no_sync |= t->io->op == IO_FLUSH;
	lun->no_punch |= t->io->op == IO_PUNCH;
	lun->no_zero |= t->io->op == IO_ZERO;
	return t->io->op == IO_FLUSH;
}

static void on_piece(struct command *c, int result, const struct error *err)
{
	struct transfer *t = container_of(c, struct piece, command)->transfer;

	if (result == -EOPNOTSUPP && learn_refusal(t))
		result = 0;
	if (result < 0 && !t->error.code) {
		t->error = *err;
		error_prefix(&t->error, "cannot %s unit %u of target '%s'", doing[t->io->op],
			     c->lun, t->open->pool->target);
	}
	if (--t->left)
		return;
	if (t->error.code || !t->next)
		transfer_end(t);
	else
		t->next(t);
}

/* Room for the commands of a stage. Each may have all of the memory's parts. */
static bool stage_begin(struct transfer *t, size_t n, size_t parts,
			void (*next)(struct transfer *))
{
	free(t->pieces);
	free(t->iovs);
	t->pieces = calloc(n, sizeof(*t->pieces));
	t->iovs = calloc(n * parts, sizeof(*t->iovs));
	t->next = next;
	t->left = 0;
	if (t->pieces && t->iovs)
		return true;
	transfer_fail(t, ENOMEM, doing[t->io->op]);
	return false;
}

static void add_piece(struct transfer *t, struct scsi_task *task, struct iovec *iov, size_t n)
{
	struct piece *p = &t->pieces[t->left++];

	p->transfer = t;
	command_init(&p->command, lun_of(t)->number, task, on_piece);
	p->command.deadline_ns = t->deadline_ns;
	p->command.cancelled = &t->cancelled;
	p->command.gone = &lun_of(t)->gone;
	p->command.gone_why = &lun_of(t)->error;
	if (n)
		command_set_iov(&p->command, (struct scsi_iovec *)iov, n);
}

/* Sends them all; one that fails at once must not end the stage before the last is sent. */
static void stage_send(struct transfer *t)
{
	struct session *s = &t->open->pool->session;
	unsigned n = t->left++;
	struct piece *pieces = t->pieces;

	for (unsigned i = 0; i < n; i++)
		session_send(s, &pieces[i].command);
	if (--t->left)
		return;
	if (t->error.code || !t->next)
		transfer_end(t);
	else
		t->next(t);
}

static struct scsi_task *move_task(const struct transfer *t, bool write, uint64_t off,
				   uint32_t len)
{
	uint32_t size = block_of(t);

	return write ? scsi_cdb_write16(off / size, len, size, 0, 0, 0, 0, 0) :
		       scsi_cdb_read16(off / size, len, size, 0, 0, 0, 0, 0);
}

/* A stage that moves whole blocks at off from or to this memory. */
static void move(struct transfer *t, bool write, uint64_t off, const struct iovec *iov,
		 size_t n, void (*next)(struct transfer *))
{
	size_t len = iov_length(iov, n), piece = t->open->piece;

	if (!stage_begin(t, (len + piece - 1) / piece, n, next))
		return;
	for (size_t at = 0; at < len; at += piece) {
		size_t here = MIN(piece, len - at);
		struct iovec *to = &t->iovs[t->left * n];
		size_t parts = iov_slice(iov, n, at, here, to);

		add_piece(t, move_task(t, write, off + at, here), to, parts);
	}
	stage_send(t);
}

/* -- reading -- */

static void read_copy(struct transfer *t)
{
	iov_scatter(t->io->iov, t->io->iovcnt, t->bounce + t->off % block_of(t), t->len);
	transfer_end(t);
}

static bool make_bounce(struct transfer *t, size_t len)
{
	t->bounce = malloc(len);
	if (!t->bounce)
		transfer_fail(t, ENOMEM, doing[t->io->op]);
	return t->bounce;
}

static void read_begin(struct transfer *t)
{
	struct range r = range_of(t->off, t->len, block_of(t));
	size_t len = (r.end - r.first) * block_of(t);
	struct iovec all;

	t->result = t->len;
	if (!r.alone && iov_length(t->io->iov, t->io->iovcnt) == t->len) {
		move(t, false, t->off, t->io->iov, t->io->iovcnt, NULL);
		return;
	}
	if (!make_bounce(t, len))
		return;
	all = (struct iovec){ t->bounce, len };
	move(t, false, r.first * block_of(t), &all, 1, read_copy);
}

/* -- writing -- */

/* The blocks at the ends of [off, off + len) that it does not fill, read into bounce, which
 * begins with the block of off. */
static void read_ends(struct transfer *t, uint64_t off, uint64_t len, size_t last_at,
		      void (*next)(struct transfer *))
{
	uint32_t size = block_of(t);
	uint64_t end = off + len, last = end / size;
	bool head = off % size, tail = end % size && (last != off / size || !head);

	if (!stage_begin(t, 2, 1, next))
		return;
	if (head) {
		t->iovs[0] = (struct iovec){ t->bounce, size };
		add_piece(t, move_task(t, false, off - off % size, size), &t->iovs[0], 1);
	}
	if (tail) {
		t->iovs[1] = (struct iovec){ t->bounce + last_at, size };
		add_piece(t, move_task(t, false, last * size, size), &t->iovs[1], 1);
	}
	stage_send(t);
}

static void write_changed(struct transfer *t)
{
	uint32_t size = block_of(t);
	struct iovec all = { t->bounce, (t->range.end - t->range.first) * size };

	iov_gather(t->io->iov, t->io->iovcnt, t->bounce + t->off % size);
	move(t, true, t->range.first * size, &all, 1, NULL);
}

static void write_begin(struct transfer *t)
{
	uint32_t size = block_of(t);

	t->result = t->len;
	if (!t->range.alone) {
		move(t, true, t->off, t->io->iov, t->io->iovcnt, NULL);
		return;
	}
	if (make_bounce(t, (t->range.end - t->range.first) * size))
		read_ends(t, t->off, t->len, (t->range.end - t->range.first - 1) * size,
			  write_changed);
}

/* -- zeroing -- */

static struct iovec zero_block(uint32_t size)
{
	static uint8_t zeros[BLOCK_MAX];

	return (struct iovec){ zeros, size };
}

/* Whether the unit zeroes by itself, and how; `unmap` gives the space back. */
static bool can_zero(const struct transfer *t, bool unmap)
{
	const struct lun *lun = lun_of(t);

	if (block_of(t) > BLOCK_MAX)
		return false;
	if (!unmap)
		return !lun->no_zero;
	return lun->capacity.thin && lun->provisioning.write_same_unmap && !lun->no_punch;
}

static void zero_middle_done(struct transfer *t);

/* The blocks that are filled, by WRITE SAME: unlike UNMAP it leaves zeros in any case. */
static void zero_middle(struct transfer *t)
{
	uint32_t size = block_of(t);
	uint64_t first = (t->off + size - 1) / size, end = (t->off + t->len) / size;
	uint64_t most = MAX(ZERO_PIECE / size, 1), limit = lun_of(t)->limits.write_same;
	bool unmap = t->io->op == IO_PUNCH;

	if (limit)
		most = MIN(most, limit);
	if (first >= end) {
		transfer_end(t);
		return;
	}
	if (!stage_begin(t, (end - first + most - 1) / most, 1, zero_middle_done))
		return;
	for (uint64_t at = first; at < end; at += most) {
		struct iovec *iov = &t->iovs[t->left];

		*iov = zero_block(size);
		add_piece(t,
			  scsi_cdb_writesame16(0, 0, unmap, at, 0, MIN(most, end - at), size),
			  iov, 1);
	}
	stage_send(t);
}

static void zero_middle_done(struct transfer *t)
{
	transfer_end(t);
}

/* Zeroes its part of the one or two blocks at the ends and writes them. */
static void zero_ends(struct transfer *t)
{
	uint32_t size = block_of(t);
	uint64_t end = t->off + t->len, first = t->off / size, last = end / size;
	bool head = t->off % size, tail = end % size;
	size_t in_head = first == last ? t->len : size - t->off % size;

	if (!stage_begin(t, 2, 1, zero_middle))
		return;
	if (head) {
		memset(t->bounce + t->off % size, 0, in_head);
		t->iovs[0] = (struct iovec){ t->bounce, size };
		add_piece(t, move_task(t, true, first * size, size), &t->iovs[0], 1);
	}
	if (tail && !(head && first == last)) {
		memset(t->bounce + size, 0, end % size);
		t->iovs[1] = (struct iovec){ t->bounce + size, size };
		add_piece(t, move_task(t, true, last * size, size), &t->iovs[1], 1);
	}
	stage_send(t);
}

static void zero_begin(struct transfer *t)
{
	if (!can_zero(t, t->io->op == IO_PUNCH)) {
		transfer_fail(t, EOPNOTSUPP, t->io->op == IO_PUNCH ?
						    "have this unit give space back" :
						    "have this unit zero a range");
		return;
	}
	if (!t->range.alone)
		zero_middle(t);
	else if (make_bounce(t, 2 * (size_t)block_of(t)))
		read_ends(t, t->off, t->len, block_of(t), zero_ends);
}

/* -- flushing -- */

static void flush_begin(struct transfer *t)
{
	const struct lun *lun = lun_of(t);

	if (!lun->mode.write_cache || lun->no_sync) {
		transfer_end(t);
		return;
	}
	if (!stage_begin(t, 1, 1, NULL))
		return;
	add_piece(t, scsi_cdb_synchronizecache16(0, 0, 0, 0), NULL, 0);
	stage_send(t);
}

/* -- on the session's thread -- */

static void transfer_begin(struct transfer *t)
{
	switch (t->io->op) {
	case IO_READ:
		read_begin(t);
		break;
	case IO_WRITE:
		write_begin(t);
		break;
	case IO_FLUSH:
		flush_begin(t);
		break;
	default:
		zero_begin(t);
		break;
	}
}

/* What of it lies within the unit; false: nothing that can be done, and it is ended. */
static bool fit(struct transfer *t)
{
	struct lun *lun = lun_of(t);
	uint64_t size = lun_size(lun), end;
	bool reads = t->io->op == IO_READ;

	if (lun->gone) {
		t->error = lun->error;
		transfer_end(t);
		return false;
	}
	if (t->io->op == IO_FLUSH)
		return true;
	if (__builtin_add_overflow(t->off, t->len, &end) || end > size) {
		if (t->io->op == IO_WRITE) {
			error_set(&t->error, ENOSPC, "unit %u of target '%s' ends at %llu bytes",
				  lun->number, t->open->pool->target,
				  (unsigned long long)size);
			transfer_end(t);
			return false;
		}
		t->len = t->off < size ? size - t->off : 0;
	}
	if (t->len)
		return true;
	t->result = reads ? 0 : t->result;
	transfer_end(t);
	return false;
}

static void transfer_run(struct loop_task *task)
{
	struct transfer *t = container_of(task, struct transfer, task);
	struct lun *lun = lun_of(t);

	if (!fit(t))
		return;
	if (t->io->op != IO_READ && t->io->op != IO_FLUSH) {
		t->range = range_of(t->off, t->len, block_of(t));
		t->entered = true;
		if (!range_enter(&lun->writing, &lun->blocked, &t->range))
			return;
	}
	transfer_begin(t);
}

/* -- from any thread -- */

void iscsi_vol_submit(void *vol, struct io *io)
{
	struct open_lun *o = vol;
	struct transfer *t = calloc(1, sizeof(*t));
	bool moves = io->op == IO_READ || io->op == IO_WRITE;
	struct error err = { 0 };

	if (!t) {
		io->done(io, error_code(&err, ENOMEM, "cannot %s a unit", doing[io->op]), &err);
		return;
	}
	t->task.run = transfer_run;
	t->open = o;
	t->io = io;
	t->off = io->off;
	t->len = moves ? iov_length(io->iov, io->iovcnt) : io->len;
	t->deadline_ns = clock_now() + o->timeout_ns;
	pthread_mutex_lock(&o->lock);
	list_append(&o->transfers, &t->link);
	pthread_mutex_unlock(&o->lock);
	loop_submit(o->pool->session.loop, &t->task);
}

/* The session's thread looks at the flag at least each second. */
void iscsi_vol_cancel(void *vol, struct io *io)
{
	struct open_lun *o = vol;

	SCOPED_LOCK(&o->lock);
	list_for_each(l, &o->transfers) {
		struct transfer *t = container_of(l, struct transfer, link);

		if (t->io == io)
			atomic_store(&t->cancelled, true);
	}
}
