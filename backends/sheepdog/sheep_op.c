/*
 * Reads, writes, zeros: from the caller to the loop, into parts, and back.
 *
 * Who gives up a write is told so at once. What of it no sheep has seen is dropped; what
 * is on its way keeps a copy of its bytes and the lock on its object until the sheep has
 * answered, so that it cannot land on what is written there later.
 */
#include "backends/sheepdog/sheep_ahead.h"
#include "backends/sheepdog/sheep_behind.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define WINDOW 32 /* parts of one operation at once */
#define TRIES  5

static char zeros[PART_MAX]; /* never written: no page of it is ever there */
static const struct iovec zeros_iov = { zeros, sizeof(zeros) };

/* -- parts -- */

static bool is_clearing(const struct sheep_op *op)
{
	return op->what == IO_PUNCH || op->what == IO_ZERO;
}

struct sheep_slice part_slice(const struct sheep_part *p)
{
	const struct sheep_op *op = p->op;

	if (op->adopts)
		return (struct sheep_slice){ &p->iov, 1, 0, p->len };
	if (is_clearing(op))
		return (struct sheep_slice){ &zeros_iov, 1, 0, p->len };
	return (struct sheep_slice){ op->iov, op->iovcnt, p->at, p->len };
}

void part_ask(struct sheep_part *p, struct sheep_slice out, struct sheep_slice in,
	      void (*done)(struct sheep_msg *, int, const struct sheep_reply *,
			   const struct error *))
{
	struct sheep_request request = p->msg.request;

	p->msg = (struct sheep_msg){
		.request = request, .out = out, .in = in, .done = done
	};
	session_send(p->op->inode->sp->session, &p->msg);
}

void part_end(struct sheep_part *p, int r, const struct error *err)
{
	struct sheep_op *op = p->op;

	part_unlock(p);
	if (r < 0 && op->r == 0) {
		op->r = r;
		if (err)
			op->err = *err;
	}
	list_remove(&p->link);
	free(p);
	op->running--;
	op_go(op);
}

void part_again(struct sheep_part *p, uint32_t result)
{
	struct sheep_inode *i = p->op->inode;
	struct error err = { 0 };

	part_unlock(p);
	if (!i->gone && ++p->tries < TRIES) {
		inode_stale(i, p->vid, &p->waiter);
		return;
	}
	if (i->gone)
		error_set(
			&err, EIO,
			"volume '%s' was removed by another client, and made anew: open "
			"it again",
			i->vdi.name);
	else
		sheep_failure(result, &err, "cannot %s object %" PRIu32 " of volume '%s'",
			      p->op->what == IO_READ ? "read" : "write", p->index,
			      i->vdi.name);
	part_end(p, -err.code, &err);
}

static void part_go(struct sheep_waiter *w)
{
	struct sheep_part *p = container_of(w, struct sheep_part, waiter);

	if (p->op->what == IO_READ)
		part_read(p);
	else
		part_write(p);
}

/* Whether there is anything to do for a piece: what is a hole already is none to clear,
 * and only what is another VDI's is to be adopted. */
static bool matters(struct sheep_op *op, uint32_t index)
{
	const struct sheep_inode *i = op->inode;
	uint32_t owner = index < i->n ? i->map[index] : 0;

	if (op->adopts)
		return owner && owner != i->vdi.vid;
	return !is_clearing(op) || owner || object_is_busy(op->inode, index);
}

/* The next piece. */
static bool cut(struct sheep_op *op, struct sheep_part *p)
{
	const struct sheep_inode *i = op->inode;
	uint64_t size = inode_object_size(i), len;
	bool drops = is_clearing(op) && !op->adopts;

	p->at = op->next - op->from;
	p->index = op->next >> i->vdi.shift;
	p->inner = op->next & (size - 1);
	len = MIN(op->end - op->next, size - p->inner);
	if (op->overwrites && p->index < i->n && i->map[p->index] == i->vdi.vid)
		drops = false;
	p->whole =
		drops && p->inner == 0 && (len == size || op->next + len >= i->vdi.size);
	if (!p->whole && !op->adopts)
		len = MIN(len, PART_MAX);
	if (op->what == IO_READ)
		len = MIN(len, ahead_piece(i, op->next));
	op->next += len;
	p->len = op->adopts ? 1 : len;
	return matters(op, p->index);
}

static void start_part(struct sheep_op *op)
{
	struct sheep_part piece = { .op = op, .waiter.go = part_go }, *p;
	struct error err = { 0 };

	if (!cut(op, &piece))
		return;
	p = malloc(sizeof(*p));
	if (!p) {
		op->r = error_code(&err, ENOMEM, "cannot access volume '%s'",
				   op->inode->vdi.name);
		op->err = err;
		return;
	}
	*p = piece;
	list_init(&p->waiter.link);
	list_append(&op->parts, &p->link);
	op->running++;
	part_go(&p->waiter);
}

/* -- operations -- */

void op_answer(struct sheep_op *op)
{
	struct io *io = take(op->io);
	ssize_t r = op->r;

	if (r == 0 && (op->what == IO_READ || op->what == IO_WRITE))
		r = op->end - op->from;
	if (io) {
		op->volume->row.reading -= op->what == IO_READ;
		io->done(io, r, r < 0 && op->err.code ? &op->err : NULL);
		ahead_returned(op);
	}
	if (op->call)
		loop_call_done(take(op->call), op->r, &op->err);
}

void op_free(struct sheep_op *op)
{
	list_remove(&op->link);
	op->inode->changing -= op->what != IO_READ;
	inode_put(op->inode);
	pieces_free(op->pieces);
	free(op->copy);
	free(op);
}

static bool is_wanted(const struct sheep_op *op)
{
	return op->r == 0 && !(op->call && loop_call_abandoned(op->call));
}

void op_go(struct sheep_op *op)
{
	if (op->going)
		return;
	op->going = true;
	while (op->next < op->end && op->running < WINDOW && is_wanted(op))
		start_part(op);
	op->going = false;
	if (op->running)
		return;
	if (op->pieces)
		behind_ended(op);
	op_answer(op);
	op_free(op);
}

static int beyond_end(struct sheep_op *op)
{
	op->next = op->end;
	return op->r = error_set(&op->err, ENOSPC,
				 "volume '%s' ends at %" PRIu64 " bytes",
				 op->inode->vdi.name, op->inode->vdi.size);
}

/* What it asks for itself is asked first. */
static void read_on(struct sheep_op *op)
{
	struct sheep_inode *i = op->inode;
	uint64_t from = op->end, reach = ahead_reach(op);

	inode_ref(i);
	op_go(op);
	ahead_read(i, from, reach);
	inode_put(i);
}

static void op_begin(struct sheep_waiter *w)
{
	struct sheep_op *op = container_of(w, struct sheep_op, waiter);
	struct sheep_inode *i = op->inode;
	uint64_t size = i->vdi.size;

	if (op->what != IO_READ)
		ahead_drop(i);
	if (behind_holds(op))
		return;
	if (op->what == IO_FLUSH) {
		op->end = op->next;
		behind_flushed(op);
	} else if (op->end > size && op->what == IO_WRITE) {
		if (i->reload) {
			inode_hold(i, w);
			return;
		}
		beyond_end(op);
	} else if (op->end > size) {
		op->end = MAX(op->from, size);
	}
	if (op->r == 0 && behind_takes(op))
		return;
	op->begun = true;
	if (op->what == IO_READ && op->volume)
		read_on(op);
	else
		op_go(op);
}

void op_init(struct sheep_op *op, struct sheep_inode *i, uint64_t from, uint64_t end)
{
	op->waiter.go = op_begin;
	list_init(&op->waiter.link);
	list_init(&op->parts);
	list_init(&op->behind);
	list_init(&op->followers);
	op->turn = i->turns;
	op->losses = op->volume ? op->volume->losses : i->losses;
	op->inode = i;
	op->from = op->next = from;
	op->end = end;
	inode_ref(i);
	list_append(&i->ops, &op->link);
	if (op->what != IO_READ)
		i->changing++;
	else if (op->volume)
		op->volume->row.reading++;
}

static void submitted(struct loop_task *t)
{
	struct sheep_op *op = container_of(t, struct sheep_op, task);
	struct sheep_volume *v = op->volume;
	uint64_t len = op->io->len;

	if (!v->used)
		v->losses = op->inode->losses;
	v->used = true;
	if (op->what == IO_READ || op->what == IO_WRITE) {
		len = 0;
		for (int n = 0; n < op->iovcnt; n++)
			len += op->iov[n].iov_len;
	}
	op_init(op, op->inode, op->io->off, op->io->off + len);
	op_begin(&op->waiter);
}

void sheep_vol_submit(void *vol, struct io *io)
{
	struct sheep_volume *v = vol;
	struct sheep_op *op = calloc(1, sizeof(*op));
	struct error err = { 0 };

	if (!op) {
		error_code(&err, ENOMEM, "cannot access a volume");
		io->done(io, -ENOMEM, &err);
		return;
	}
	op->task.run = submitted;
	op->inode = v->inode;
	op->volume = v;
	op->io = io;
	op->what = io->op;
	op->iov = io->iov;
	op->iovcnt = io->iovcnt;
	loop_submit(v->inode->sp->loop, &op->task);
}

/* -- without an io -- */

struct running {
	struct loop_call call;
	struct sheep_op *op;
	uint64_t from, end;
};

static void running_free(struct loop_call *c)
{
	struct running *r = container_of(c, struct running, call);

	free(r->op);
	free(r);
}

static void run(struct loop_task *t)
{
	struct running *r = container_of(container_of(t, struct loop_call, task),
					 struct running, call);
	struct sheep_op *op = take(r->op);

	op->call = &r->call;
	op_init(op, op->inode, r->from, r->end);
	op_begin(&op->waiter);
}

static int run_and_wait(struct sheep_inode *i, struct sheep_op like, uint64_t off,
			uint64_t end, struct call *call, struct error *err)
{
	struct running *r = calloc(1, sizeof(*r));
	struct sheep_op *op = calloc(1, sizeof(*op));
	int result;

	if (!r || !op) {
		free(r);
		free(op);
		return error_code(err, ENOMEM, "cannot access volume '%s'", i->vdi.name);
	}
	loop_call_init(&r->call, run, running_free);
	r->op = op;
	r->from = off;
	r->end = end;
	*op = like;
	op->inode = i;
	result = loop_call_wait(i->sp->loop, &r->call, call, err);
	loop_call_put(&r->call);
	return result;
}

int op_run(struct sheep_inode *i, enum io_op what, uint64_t off, uint64_t end,
	   struct call *call, struct error *err)
{
	return run_and_wait(i, (struct sheep_op){ .what = what }, off, end, call, err);
}

int op_overwrite(struct sheep_inode *i, uint64_t off, uint64_t end, struct call *call,
		 struct error *err)
{
	return run_and_wait(i, (struct sheep_op){ .what = IO_ZERO, .overwrites = true },
			    off, end, call, err);
}

int op_adopt(struct sheep_inode *i, struct call *call, struct error *err)
{
	return run_and_wait(i, (struct sheep_op){ .what = IO_ZERO, .adopts = true }, 0,
			    i->vdi.size, call, err);
}

/* -- giving up -- */

static bool own_payload(struct sheep_op *op)
{
	size_t len = op->end - op->from;

	if (op->what == IO_READ)
		op->iov = NULL; /* what comes is dropped */
	if (op->what != IO_WRITE)
		return true;
	op->copy = malloc(len ? len : 1);
	if (!op->copy)
		return false;
	slice_copy(&(struct sheep_slice){ op->iov, op->iovcnt, 0, len }, op->copy);
	op->copy_iov = (struct iovec){ op->copy, len };
	op->iov = &op->copy_iov;
	op->iovcnt = 1;
	return true;
}

/* True: it is under way, and is left to come to its end. */
static bool is_under_way(struct sheep_part *p)
{
	if (p->storing)
		return true;
	if (!list_empty(&p->waiter.link)) {
		list_remove(&p->waiter.link);
		return false;
	}
	if (session_unsend(p->op->inode->sp->session, &p->msg))
		return false;
	if (p->op->what == IO_READ)
		p->msg.in.iov = NULL;
	else if (p->msg.out.len)
		p->msg.out = part_slice(p);
	if (p->object)
		p->object->doubtful = true;
	return true;
}

static void drop_parts(struct sheep_op *op)
{
	struct list gone = LIST_INIT(gone);

	list_for_each (l, &op->parts) {
		struct sheep_part *p = container_of(l, struct sheep_part, link);

		if (!is_under_way(p)) {
			list_remove(l);
			list_append(&gone, l);
		}
	}
	for (struct list *l; (l = list_shift(&gone));)
		part_end(container_of(l, struct sheep_part, link), 0, NULL);
}

static void give_up(struct sheep_op *op)
{
	static const struct error gave_up = { ECANCELED, "it was given up" };

	if (op->begun && !own_payload(op))
		return; /* then it is told when it has ended */
	list_remove(&op->waiter.link);
	op->next = op->end;
	op->r = -ECANCELED;
	op->err = gave_up;
	op_answer(op);
	op->going = true;
	drop_parts(op);
	op->going = false;
	op_go(op);
}

struct cancelling {
	struct sheep_pool *sp;
	struct io *io;
};

static void cancel(void *arg)
{
	const struct cancelling *c = arg;

	list_for_each (l, &c->sp->inodes) {
		struct sheep_inode *i = container_of(l, struct sheep_inode, link);

		list_for_each (k, &i->ops) {
			struct sheep_op *op = container_of(k, struct sheep_op, link);

			if (op->io == c->io) {
				give_up(op);
				return;
			}
		}
	}
}

/* Waits for the loop, which never waits: the io may be gone when this has returned. */
void sheep_vol_cancel(void *vol, struct io *io)
{
	struct sheep_pool *sp = ((struct sheep_volume *)vol)->inode->sp;
	struct cancelling c = { sp, io };

	sheep_on_loop(sp, cancel, &c);
}
