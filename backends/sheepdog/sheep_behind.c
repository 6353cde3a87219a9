/*
 * Writes that are answered before they are stored.
 *
 * What goes on where the last write ended is gathered, an object at a time, and stored by
 * an operation of its own. Who flushes waits for those, and is told what was lost. Nobody
 * overtakes: what overlaps such an operation begins when it has ended.
 *
 * All of it is the loop's, but for the last part.
 */
#include "backends/sheepdog/sheep_behind.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/clock.h"

#define ROOM	 (UINT32_C(32) << 20) /* of a pool, for what is gathered or under way */
#define PAUSE_NS (200 * NS_PER_MS)    /* of who writes: then it is stored as it is */
#define AGE_NS	 (2 * NS_PER_S)	      /* or then, whatever he does */

/* -- gathering -- */

static struct sheep_op *gather_of(struct list *l)
{
	return container_of(container_of(l, struct sheep_waiter, link), struct sheep_op,
			    waiter);
}

static size_t room_at(const struct sheep_inode *i, uint64_t at)
{
	uint64_t size = inode_object_size(i), left = i->vdi.size - at;

	return MIN(MIN(size - (at & (size - 1)), left), PART_MAX);
}

static struct sheep_op *gather_new(struct sheep_inode *i, uint64_t at)
{
	struct sheep_op *g = calloc(1, sizeof(*g));
	size_t room = room_at(i, at);

	if (!g)
		return NULL;
	g->pieces = pieces_new(room);
	if (!g->pieces) {
		free(g);
		return NULL;
	}
	g->what = IO_WRITE;
	g->iov = g->pieces->iov;
	op_init(g, i, at, at);
	g->turn = ++i->turns;
	g->since_ns = clock_now();
	list_append(&i->behind, &g->behind);
	list_append(&i->sp->gathers, &g->waiter.link);
	i->gathering = g;
	i->sp->behind += room;
	return g;
}

void behind_begin(struct sheep_inode *i)
{
	struct sheep_op *g = take(i->gathering);

	if (!g)
		return;
	list_remove(&g->waiter.link);
	g->begun = true;
	op_go(g);
}

void behind_prepare(struct sheep_pool *sp, uint64_t *until)
{
	while (!list_empty(&sp->gathers)) {
		struct sheep_op *g = gather_of(sp->gathers.next);
		uint64_t at = MIN(g->added_ns + PAUSE_NS, g->since_ns + AGE_NS);

		if (clock_now() < at) {
			*until = MIN(*until, at);
			return;
		}
		behind_begin(g->inode);
	}
}

/* The next piece of a write; false: there is no memory for it. */
static bool gather(struct sheep_op *op)
{
	struct sheep_inode *i = op->inode;
	struct sheep_op *g;
	uint64_t len;

	while (i->gathering && i->gathering->end != op->next)
		behind_begin(i);
	g = i->gathering ? i->gathering : gather_new(i, op->next);
	if (!g)
		return false;
	len = MIN(op->end - op->next, g->pieces->room - g->pieces->len);
	if (!pieces_add(g->pieces, op->io, op->next - op->from, len))
		return false;
	g->iovcnt = g->pieces->n;
	g->end += len;
	g->added_ns = clock_now();
	list_remove(&g->waiter.link);
	list_append(&i->sp->gathers, &g->waiter.link);
	op->next += len;
	if (g->pieces->len == g->pieces->room)
		behind_begin(i);
	return true;
}

/* -- which writes -- */

/* Whoever has not been told yet of a loss has each further write stored before it is
 * answered. */
static bool may_be_gathered(const struct sheep_op *op)
{
	const struct sheep_inode *i = op->inode;
	const struct sheep_volume *v = op->volume;

	return v && !v->through && v->losses == i->losses && !i->vdi.snapshot &&
	       op->end > op->from &&
	       (op->from == i->stream || !(op->from & (inode_object_size(i) - 1)));
}

static bool has_room(const struct sheep_op *op)
{
	const struct sheep_op *g = op->inode->gathering;

	return op->inode->sp->behind < ROOM ||
	       (g && g->end == op->from && op->end <= g->from + g->pieces->room);
}

/* Those of other volumes give their room back; the write's own may yet be filled. */
static void make_room(struct sheep_op *op)
{
	struct sheep_pool *sp = op->inode->sp;
	struct list others = LIST_INIT(others);

	list_for_each (l, &sp->gathers) {
		if (gather_of(l) == op->inode->gathering)
			continue;
		list_remove(l);
		list_append(&others, l);
	}
	while (!list_empty(&others))
		behind_begin(gather_of(others.next)->inode);
}

bool behind_takes(struct sheep_op *op)
{
	struct sheep_inode *i = op->inode;
	struct sheep_pool *sp = i->sp;
	bool again = op->gathered;

	if (op->what != IO_WRITE)
		return false;
	if (!again) {
		op->gathered = may_be_gathered(op);
		i->stream = op->end;
	}
	if (!op->gathered)
		return false;
	if (!has_room(op) || (!again && !list_empty(&sp->crowd))) {
		list_append(&sp->crowd, &op->waiter.link);
		make_room(op);
		return true;
	}
	while (op->next < op->end)
		if (!gather(op))
			return false;
	op_answer(op);
	op_free(op);
	return true;
}

/* -- order -- */

static bool is_before(const struct sheep_op *b, const struct sheep_op *op)
{
	if (op->what == IO_FLUSH)
		return b->turn <= op->turn;
	return b->from < op->end && op->from < b->end;
}

bool behind_holds(struct sheep_op *op)
{
	struct sheep_inode *i = op->inode;

	if (op->what == IO_FLUSH)
		behind_begin(i);
	list_for_each (l, &i->behind) {
		struct sheep_op *b = container_of(l, struct sheep_op, behind);

		if (!is_before(b, op))
			continue;
		list_append(&b->followers, &op->waiter.link);
		if (b == i->gathering)
			behind_begin(i);
		return true;
	}
	return false;
}

/* -- ends -- */

void behind_flushed(struct sheep_op *op)
{
	const struct sheep_inode *i = op->inode;

	if (op->losses != i->losses) {
		op->err = i->loss;
		op->r = -i->loss.code;
	}
	if (op->volume && op->io && !op->io->closes)
		op->volume->losses = i->losses;
}

static void lost(const struct sheep_op *op)
{
	struct sheep_inode *i = op->inode;
	struct host *host = &i->sp->host;

	i->losses++;
	i->loss = op->err;
	if (!i->loss.code)
		error_code(&i->loss, -op->r, "cannot write volume '%s'", i->vdi.name);
	error_prefix(&i->loss, "%" PRIu64 " bytes written at %" PRIu64 " were lost",
		     op->end - op->from, op->from);
	host->failed(host->ctx, i->vdi.name, &i->loss);
}

/* In the order they came; one that finds no room comes back to the end, behind those that
 * have not been asked. */
static void admit(struct sheep_pool *sp)
{
	if (!list_empty(&sp->crowd) && sp->behind < ROOM)
		waiters_go(&sp->crowd);
}

void behind_ended(struct sheep_op *op)
{
	struct sheep_pool *sp = op->inode->sp;

	list_remove(&op->behind);
	sp->behind -= op->pieces->room;
	if (op->r < 0)
		lost(op);
	waiters_go(&op->followers);
	admit(sp);
	if (!sp->behind && sp->draining)
		loop_call_done(take(sp->draining), 0, NULL);
}

/* -- for threads that may wait -- */

struct draining {
	struct loop_call call;
	struct sheep_pool *sp;
};

static void drain(struct loop_task *t)
{
	struct loop_call *c = container_of(t, struct loop_call, task);
	struct sheep_pool *sp = container_of(c, struct draining, call)->sp;

	while (!list_empty(&sp->gathers))
		behind_begin(gather_of(sp->gathers.next)->inode);
	if (sp->behind)
		sp->draining = c;
	else
		loop_call_done(c, 0, NULL);
}

static void draining_free(struct loop_call *c)
{
	free(container_of(c, struct draining, call));
}

void behind_drain(struct sheep_pool *sp, uint64_t deadline_ns)
{
	struct draining *d = malloc(sizeof(*d));
	struct call call = { .deadline_ns = deadline_ns };

	if (!d)
		return;
	loop_call_init(&d->call, drain, draining_free);
	d->sp = sp;
	loop_call_wait(sp->loop, &d->call, &call, NULL);
	loop_call_put(&d->call);
}

int behind_settle(struct sheep_pool *sp, const struct sheep_vdi *v, struct call *call,
		  struct error *err)
{
	struct sheep_inode *i;
	int r;

	if (!inode_is_open(sp, v))
		return 0;
	r = inode_open(sp, v->name, NULL, false, &i, call, err);
	if (r < 0)
		return r;
	r = op_run(i, IO_FLUSH, 0, 0, call, err);
	inode_close(i, false);
	return r;
}
