/* Transfers: their stages, and their end. */
#include "backends/iscsi/transfer.h"

#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdlib.h>
#include <sys/param.h>

_Static_assert(sizeof(struct iovec) == sizeof(struct scsi_iovec),
	       "they are one by contract");

static const char *const doing[] = {
	[IO_READ] = "read",   [IO_WRITE] = "write",
	[IO_FLUSH] = "flush", [IO_PUNCH] = "punch a hole into",
	[IO_ZERO] = "zero",
};

/* What it does, as a verb. */
static const char *verb_of(const struct transfer *t)
{
	return doing[t->io->op];
}

/* -- the end of a transfer -- */

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

static void stage_free(struct transfer *t)
{
	if (t->pieces != &t->one)
		free(t->pieces);
	if (t->iovs != &t->one_iov)
		free(t->iovs);
}

void transfer_end(struct transfer *t)
{
	struct io *io = t->io;
	ssize_t result = t->error.code ? -t->error.code : t->result;
	struct error err = t->error;

	/* Once it is done, nobody keeps the open unit. */
	leave(t);
	forget(t);
	stage_free(t);
	free(t->bounce);
	free(t);
	io->done(io, result, err.code ? &err : NULL);
}

void transfer_fail(struct transfer *t, int code, const char *what)
{
	error_code(&t->error, code, "cannot %s", what);
	transfer_end(t);
}

/* -- stages -- */

/* What the unit refused is not asked of it again. True: it can be done without. */
static bool learn_refusal(struct transfer *t, const struct command *c)
{
	struct lun *lun = lun_of(t);
	bool shorter = c->task->cdb[0] == SCSI_OPCODE_SYNCHRONIZECACHE10;

	lun->no_sync |= t->io->op == IO_FLUSH && shorter;
	lun->short_sync |= t->io->op == IO_FLUSH;
	lun->no_punch |= t->io->op == IO_PUNCH;
	lun->no_zero |= t->io->op == IO_ZERO;
	return t->io->op == IO_FLUSH;
}

static void on_piece(struct command *c, int result, const struct error *err)
{
	struct transfer *t = container_of(c, struct piece, command)->transfer;

	if (result == -EOPNOTSUPP && learn_refusal(t, c))
		result = 0;
	if (result < 0 && !t->error.code) {
		t->error = *err;
		error_prefix(&t->error, "cannot %s unit %u of target '%s'",
			     verb_of(t), c->lun, t->open->pool->target);
	}
	if (--t->left)
		return;
	if (t->error.code || !t->next)
		transfer_end(t);
	else
		t->next(t);
}

/* Room for the commands of a stage. Each may have all of the memory's parts. */
bool transfer_stage(struct transfer *t, size_t n, size_t parts,
		    void (*next)(struct transfer *))
{
	stage_free(t);
	t->pieces = n == 1 ? &t->one : calloc(n, sizeof(*t->pieces));
	t->iovs = n * parts == 1 ? &t->one_iov : calloc(n * parts, sizeof(*t->iovs));
	t->next = next;
	t->left = 0;
	if (t->pieces && t->iovs)
		return true;
	transfer_fail(t, ENOMEM, verb_of(t));
	return false;
}

void transfer_add(struct transfer *t, struct scsi_task *task, struct iovec *iov, size_t n)
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

/* Sends them all; one that fails at once must not end the stage before the last is sent.
 */
void transfer_send(struct transfer *t)
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

struct scsi_task *transfer_move_task(const struct transfer *t, bool write, uint64_t off,
				     uint32_t len)
{
	uint32_t size = block_of(t);

	return write ? scsi_cdb_write16(off / size, len, size, 0, 0, 0, 0, 0)
		     : scsi_cdb_read16(off / size, len, size, 0, 0, 0, 0, 0);
}

/* A stage that moves whole blocks at off from or to this memory. */
void transfer_move(struct transfer *t, bool write, uint64_t off, const struct iovec *iov,
		   size_t n, void (*next)(struct transfer *))
{
	size_t len = iov_length(iov, n), piece = t->open->piece;

	if (!transfer_stage(t, (len + piece - 1) / piece, n, next))
		return;
	for (size_t at = 0; at < len; at += piece) {
		size_t here = MIN(piece, len - at);
		struct iovec *to = &t->iovs[t->left * n];
		size_t parts = iov_slice(iov, n, at, here, to);

		transfer_add(t, transfer_move_task(t, write, off + at, here), to, parts);
	}
	transfer_send(t);
}

bool transfer_bounce(struct transfer *t, size_t len)
{
	t->bounce = malloc(len);
	if (!t->bounce)
		transfer_fail(t, ENOMEM, verb_of(t));
	return t->bounce;
}

/* The blocks at the ends of [off, off + len) that it does not fill, read into bounce,
 * which begins with the block of off. */
void transfer_read_ends(struct transfer *t, size_t last_at,
			void (*next)(struct transfer *))
{
	uint32_t size = block_of(t);
	uint64_t off = t->off, end = off + t->len, last = end / size;
	bool head = off % size, tail = end % size && (last != off / size || !head);

	if (!transfer_stage(t, 2, 1, next))
		return;
	if (head) {
		t->iovs[0] = (struct iovec){ t->bounce, size };
		transfer_add(t, transfer_move_task(t, false, off - off % size, size),
			     &t->iovs[0], 1);
	}
	if (tail) {
		t->iovs[1] = (struct iovec){ t->bounce + last_at, size };
		transfer_add(t, transfer_move_task(t, false, last * size, size),
			     &t->iovs[1], 1);
	}
	transfer_send(t);
}
