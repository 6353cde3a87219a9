/*
 * Reading ahead of who reads in a row, one request after the other: the sheep then work
 * while he does.
 *
 * It is cut into chunks, which are dropped by whatever may change the inode or its bytes
 * before that begins, and none are read until it has ended. What other clients write is
 * seen late by a chunk's age. A row that had chunks dropped begins anew, so that no more
 * is ever read in vain than was read.
 */
#include "backends/sheepdog/sheep_ahead.h"

#include <stdlib.h>
#include <sys/param.h>

#include "backends/support/clock.h"

#define CHUNK	   (UINT64_C(1) << 20) /* each lies in one object: none is smaller */
#define CHUNKS_MAX 16		       /* of a pool */
#define REACH_MAX  (8 * CHUNK)
#define AGE_NS	   (250 * NS_PER_MS)

enum chunk_state { CHUNK_ASKED, CHUNK_ANSWERS, CHUNK_READY };

struct sheep_chunk {
	struct list link, by_age; /* of the inode's, and of the pool's */
	struct sheep_pool *sp;
	struct sheep_inode *inode; /* NULL: it was dropped */
	enum chunk_state state;
	uint64_t from, len, since_ns;
	bool spent;    /* its last byte was read */
	bool over;     /* is freed once none of it is lent */
	unsigned lent; /* to operations that are answered from it */
	struct pages room;
	struct iovec iov;
	struct sheep_msg msg;
	struct list followers; /* parts that wait for it */
};

/* -- lives -- */

static struct sheep_chunk *chunk_of(struct list *l)
{
	return container_of(l, struct sheep_chunk, link);
}

/* Their memory is used again while anybody reads, and then given back. */
static void give_back(struct sheep_pool *sp)
{
	for (struct list *l; (l = list_shift(&sp->spare_chunks));) {
		struct sheep_chunk *c = chunk_of(l);

		pages_put(&c->room);
		free(c);
	}
}

static void chunk_release(struct sheep_chunk *c)
{
	struct sheep_pool *sp = c->sp;

	list_append(&sp->spare_chunks, &c->link);
	if (!--sp->n_chunks)
		give_back(sp);
}

static void chunk_free(struct sheep_chunk *c)
{
	list_remove(&c->link);
	list_remove(&c->by_age);
	c->over = true;
	if (!c->lent)
		chunk_release(c);
}

static struct sheep_chunk *chunk_get(struct sheep_pool *sp)
{
	struct list *spare;
	struct sheep_chunk *c;

	if (sp->n_chunks == CHUNKS_MAX)
		return NULL;
	spare = list_shift(&sp->spare_chunks);
	c = spare ? chunk_of(spare) : calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	if (!c->room.at && !pages_get(&c->room, CHUNK)) {
		free(c);
		return NULL;
	}
	sp->n_chunks++;
	return c;
}

static struct sheep_chunk *chunk_find(const struct sheep_inode *i, uint64_t at)
{
	list_for_each (l, &i->chunks) {
		struct sheep_chunk *c = chunk_of(l);

		if (at >= c->from && at < c->from + c->len)
			return c;
	}
	return NULL;
}

static bool is_needless(struct sheep_chunk *c)
{
	return c->state == CHUNK_ASKED && list_empty(&c->followers) &&
	       session_unsend(c->sp->session, &c->msg);
}

/* Those who wait for it have asked before whatever drops it: they still get it. */
static void chunk_drop(struct sheep_chunk *c)
{
	c->inode = NULL;
	list_remove(&c->link);
	list_remove(&c->by_age);
	if (c->state == CHUNK_READY || is_needless(c))
		chunk_free(c);
}

void ahead_drop(struct sheep_inode *i)
{
	if (list_empty(&i->chunks))
		return;
	i->upsets++;
	while (!list_empty(&i->chunks))
		chunk_drop(chunk_of(i->chunks.next));
}

void ahead_prepare(struct sheep_pool *sp, uint64_t *until)
{
	while (!list_empty(&sp->chunks)) {
		struct sheep_chunk *c =
			container_of(sp->chunks.next, struct sheep_chunk, by_age);

		if (clock_now() < c->since_ns + AGE_NS) {
			*until = MIN(*until, c->since_ns + AGE_NS);
			return;
		}
		ahead_drop(c->inode);
	}
}

/* -- who gets it -- */

/* Who takes his bytes from anywhere gets them where they are. */
static bool lend(struct sheep_chunk *c, struct sheep_op *op, uint64_t len, void *bytes)
{
	if (!op->io || !op->io->anywhere || op->iovcnt != 1 || len != op->end - op->from)
		return false;
	op->io->iov[0].iov_base = bytes;
	op->lender = c;
	c->lent++;
	return true;
}

void ahead_returned(struct sheep_op *op)
{
	struct sheep_chunk *c = take(op->lender);

	if (c && !--c->lent && c->over)
		chunk_release(c);
}

static void serve(struct sheep_chunk *c, struct sheep_part *p)
{
	struct sheep_slice to = part_slice(p);
	uint64_t skip = p->op->from + p->at - c->from;
	char *bytes = (char *)c->room.at + skip;

	if (!lend(c, p->op, p->len, bytes))
		slice_fill(&to, 0, bytes, p->len);
	c->spent |= skip + p->len == c->len;
	part_end(p, 0, NULL);
}

/* Who has failed to get it from here asks for himself. */
static void answer(struct sheep_chunk *c, bool good)
{
	for (struct list *l; (l = list_shift(&c->followers));) {
		struct sheep_waiter *w = container_of(l, struct sheep_waiter, link);

		if (good)
			serve(c, container_of(w, struct sheep_part, waiter));
		else
			w->go(w);
	}
	c->state = CHUNK_READY;
	if (!c->inode || c->spent)
		chunk_free(c);
}

bool ahead_serves(struct sheep_part *p)
{
	struct sheep_inode *i = p->op->inode;
	uint64_t at = p->op->from + p->at;
	struct sheep_chunk *c = chunk_find(i, at);

	if (!c || at + p->len > c->from + c->len)
		return false;
	if (clock_now() >= c->since_ns + AGE_NS) {
		ahead_drop(i);
		return false;
	}
	list_append(&c->followers, &p->waiter.link);
	if (c->state == CHUNK_READY) {
		c->state = CHUNK_ANSWERS;
		answer(c, true);
	}
	return true;
}

static void got_chunk(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		      const struct error *err)
{
	struct sheep_chunk *c = container_of(m, struct sheep_chunk, msg);
	bool good = r == 0 && !reply->result;

	c->state = CHUNK_ANSWERS;
	if (!good && c->inode)
		ahead_drop(c->inode);
	answer(c, good);
}

/* -- reading -- */

static bool chunk_ask(struct sheep_inode *i, uint64_t from)
{
	uint32_t index = from >> i->vdi.shift;
	struct sheep_chunk *c;

	if (index >= i->n || !i->map[index] || chunk_find(i, from))
		return true;
	c = chunk_get(i->sp);
	if (!c)
		return false;
	*c = (struct sheep_chunk){
		.sp = i->sp,
		.inode = i,
		.from = from,
		.len = MIN(CHUNK, i->vdi.size - from),
		.since_ns = clock_now(),
		.room = c->room,
	};
	c->iov = (struct iovec){ c->room.at, c->len };
	c->msg = (struct sheep_msg){
		.request = { .opcode = SHEEP_READ,
			     .obj = { .oid = sheep_data_oid(i->map[index], index),
				      .offset = from & (inode_object_size(i) - 1) } },
		.in = { &c->iov, 1, 0, c->len },
		.done = got_chunk,
	};
	list_init(&c->followers);
	list_append(&i->chunks, &c->link);
	list_append(&i->sp->chunks, &c->by_age);
	session_send(i->sp->session, &c->msg);
	return true;
}

void ahead_read(struct sheep_inode *i, uint64_t from, uint64_t reach)
{
	uint64_t size = i->vdi.size, end = MIN(from + reach, size);

	for (uint64_t at = (from + CHUNK - 1) & -CHUNK; at < end; at += CHUNK)
		if (MIN(at + CHUNK, size) > end || !chunk_ask(i, at))
			return;
}

uint64_t ahead_piece(const struct sheep_inode *i, uint64_t at)
{
	return list_empty(&i->chunks) ? UINT64_MAX : CHUNK - (at & (CHUNK - 1));
}

/* As much as he has read in a row, and no more than he takes in half of the time that it
 * is kept. Who has more than one read under way needs no help. */
uint64_t ahead_reach(struct sheep_op *op)
{
	struct sheep_row *row = &op->volume->row;
	const struct sheep_inode *i = op->inode;
	uint64_t now = clock_now(), took;

	if (row->since_ns && op->from == row->end && row->reading == 1 &&
	    row->upsets == i->upsets) {
		row->len += op->end - op->from;
	} else {
		row->len = 0;
		row->since_ns = now;
		row->upsets = i->upsets;
	}
	row->end = op->end;
	took = MAX(now - row->since_ns, 1);
	if (row->len > 4 * REACH_MAX) { /* his pace of late is what counts */
		row->len /= 2;
		row->since_ns += took / 2;
		took -= took / 2;
	}
	if (i->changing)
		return 0;
	return MIN(MIN(row->len, REACH_MAX), row->len * (AGE_NS / 2) / took);
}
