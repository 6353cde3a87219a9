/*
 * Transfers: reads, writes, flushes and zeroing of an open unit, each cut into commands.
 *
 * A transfer goes through stages in the session's turn; a stage is some commands at
 * once, and the next begins when all of them have ended well. What does not fill its
 * blocks goes through `bounce`: read, changed, written back, with no other write of these
 * blocks meanwhile (range.h).
 *
 * open_lun.lock guards the list of transfers only, and is never held across anything
 * else.
 */
#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iscsi/transfer.h"
#include "backends/support/clock.h"

/* -- reading -- */

static void read_copy(struct transfer *t)
{
	iov_scatter(t->io->iov, t->io->iovcnt, t->bounce + t->off % block_of(t), t->len);
	transfer_end(t);
}

static void read_begin(struct transfer *t)
{
	struct range r = range_of(t->off, t->len, block_of(t));
	size_t len = (r.end - r.first) * block_of(t);
	struct iovec all;

	t->result = t->len;
	if (!r.alone && iov_length(t->io->iov, t->io->iovcnt) == t->len) {
		transfer_move(t, false, t->off, t->io->iov, t->io->iovcnt, NULL);
		return;
	}
	if (!transfer_bounce(t, len))
		return;
	all = (struct iovec){ t->bounce, len };
	transfer_move(t, false, r.first * block_of(t), &all, 1, read_copy);
}

/* -- writing -- */

static void write_changed(struct transfer *t)
{
	uint32_t size = block_of(t);
	struct iovec all = { t->bounce, (t->range.end - t->range.first) * size };

	iov_gather(t->io->iov, t->io->iovcnt, t->bounce + t->off % size);
	transfer_move(t, true, t->range.first * size, &all, 1, NULL);
}

static void write_begin(struct transfer *t)
{
	uint32_t size = block_of(t);

	t->result = t->len;
	if (!t->range.alone) {
		transfer_move(t, true, t->off, t->io->iov, t->io->iovcnt, NULL);
		return;
	}
	if (transfer_bounce(t, (t->range.end - t->range.first) * size))
		transfer_read_ends(t, (t->range.end - t->range.first - 1) * size,
				   write_changed);
}

/* -- flushing -- */

static void flush_shorter(struct transfer *t);

static void flush_begin(struct transfer *t)
{
	const struct lun *lun = lun_of(t);
	bool shorter = lun->short_sync;

	if (!lun->mode.write_cache || lun->no_sync) {
		transfer_end(t);
		return;
	}
	if (!transfer_stage(t, 1, 1, shorter ? NULL : flush_shorter))
		return;
	transfer_add(t,
		     shorter ? scsi_cdb_synchronizecache10(0, 0, 0, 0)
			     : scsi_cdb_synchronizecache16(0, 0, 0, 0),
		     NULL, 0);
	transfer_send(t);
}

/* A unit that refuses the command with the longer addresses may know the older one. */
static void flush_shorter(struct transfer *t)
{
	if (lun_of(t)->short_sync)
		flush_begin(t);
	else
		transfer_end(t);
}

/* -- in the session's turn -- */

void transfer_begin(struct transfer *t)
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
			error_set(&t->error, ENOSPC,
				  "unit %u of target '%s' ends at %llu bytes",
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
		io->done(io, error_code(&err, ENOMEM, "cannot use a unit"), &err);
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
	if (session_is_idle(&o->pool->session))
		loop_run(o->pool->session.loop, &t->task);
	else
		loop_submit(o->pool->session.loop, &t->task);
}

/* The session's thread looks at the flag at least each second. */
void iscsi_vol_cancel(void *vol, struct io *io)
{
	struct open_lun *o = vol;

	SCOPED_LOCK(&o->lock);
	list_for_each (l, &o->transfers) {
		struct transfer *t = container_of(l, struct transfer, link);

		if (t->io == io)
			atomic_store(&t->cancelled, true);
	}
}
