/*
 * Entries of a map stored in the cluster: what came while one store was under way goes
 * with the next, and neighbours in one request.
 *
 * The sheep drops the reference to what an entry named before. It does so for snapshots
 * as well, so each store is followed by a look whether the VDI has become one: then the
 * write is done again, into the VDI that has its name now. One that was deleted takes
 * entries, too, for objects that nobody would ever remove: they are taken back.
 *
 * While the cluster's members change, a copy of the inode may miss what is stored.
 * Entries of holes are then stored once more; not so others, whose reference would be
 * dropped twice if the sheep happens to look at that copy: those are looked at.
 */
#include <errno.h>
#include <stdlib.h>

#include "backends/sheepdog/sheep_op.h"
#include "backends/support/clock.h"

struct sheep_update {
	struct sheep_inode *inode;
	struct list parts;
	uint32_t vid, first, n, value;
	bool releases; /* an entry names somebody: his reference is dropped by the store
			*/
	struct sheep_msg msg;
	struct iovec iov;
	uint8_t *bytes;
	uint8_t state[SHEEP_SIZE_AT + 8 - SHEEP_SNAP_CTIME_AT]; /* that, to its size */
};

static void store_pending(struct sheep_inode *);

/* All of its entries with its value. */
static void send_entries(struct sheep_update *u,
			 void (*done)(struct sheep_msg *, int, const struct sheep_reply *,
				      const struct error *))
{
	for (uint32_t n = 0; n < u->n; n++)
		put_le32(u->bytes + 4 * (size_t)n, u->value);
	u->iov = (struct iovec){ u->bytes, 4 * (size_t)u->n };
	u->msg = (struct sheep_msg){
		.request = { .opcode = SHEEP_WRITE,
			     .obj = { .oid = sheep_inode_oid(u->vid),
				      .offset = SHEEP_MAP_AT + 4 * u->first } },
		.out = { &u->iov, 1, 0, 4 * (size_t)u->n },
		.repeatable = !u->releases,
		.done = done,
	};
	session_send(u->inode->sp->session, &u->msg);
}

static struct sheep_part *part_of(struct list *l)
{
	return container_of(container_of(l, struct sheep_waiter, link), struct sheep_part,
			    waiter);
}

static void update_free(struct sheep_update *u)
{
	inode_put(u->inode);
	free(u->bytes);
	free(u);
}

/* -- the answers -- */

static void end_parts(struct sheep_update *u, int r, const struct error *err)
{
	for (struct list *l; (l = list_shift(&u->parts));) {
		struct sheep_part *p = part_of(l);

		p->storing = false;
		part_end(p, r, err);
	}
}

static void redo_parts(struct sheep_update *u, uint32_t result)
{
	for (struct list *l; (l = list_shift(&u->parts));) {
		struct sheep_part *p = part_of(l);

		p->storing = false;
		part_again(p, result);
	}
}

static void settle(struct sheep_update *u)
{
	struct sheep_inode *i = u->inode;

	for (uint32_t at = u->first; at < u->first + u->n && at < i->n; at++)
		i->map[at] = u->value;
	i->changes++;
	if (!u->value)
		i->dropped_ns = clock_now();
	end_parts(u, 0, NULL);
}

static void failed(struct sheep_update *u, uint32_t result)
{
	struct error err = { 0 };
	int r = sheep_failure(result, &err, "cannot store the map of volume '%s'",
			      u->inode->vdi.name);

	end_parts(u, r, &err);
}

static void taken_back(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		       const struct error *err)
{
	struct sheep_update *u = container_of(m, struct sheep_update, msg);

	redo_parts(u, SHEEP_NO_OBJ);
	update_free(u);
}

static void take_back(struct sheep_update *u)
{
	u->value = 0;
	send_entries(u, taken_back);
}

static void verified(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		     const struct error *err)
{
	struct sheep_update *u = container_of(m, struct sheep_update, msg);

	if (r < 0)
		end_parts(u, r, err);
	else if (reply->result)
		failed(u, reply->result);
	else if (le64(u->state) || u->vid != u->inode->vdi.vid)
		redo_parts(u, SHEEP_READONLY);
	else if (le64(u->state + SHEEP_SIZE_AT - SHEEP_SNAP_CTIME_AT))
		settle(u);
	if (list_empty(&u->parts))
		update_free(u);
	else
		take_back(u);
}

static void ask(struct sheep_update *u, uint32_t offset, void *in, size_t len,
		void (*done)(struct sheep_msg *, int, const struct sheep_reply *,
			     const struct error *))
{
	u->iov = (struct iovec){ in, len };
	u->msg = (struct sheep_msg){
		.request = { .opcode = SHEEP_READ,
			     .obj = { .oid = sheep_inode_oid(u->vid),
				      .offset = offset } },
		.in = { &u->iov, 1, 0, len },
		.done = done,
	};
	session_send(u->inode->sp->session, &u->msg);
}

static void verify(struct sheep_update *u)
{
	ask(u, SHEEP_SNAP_CTIME_AT, u->state, sizeof(u->state), verified);
}

static bool is_kept(const struct sheep_update *u)
{
	for (uint32_t n = 0; n < u->n; n++)
		if (le32(u->bytes + 4 * (size_t)n) != u->value)
			return false;
	return true;
}

static void looked(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		   const struct error *err)
{
	struct sheep_update *u = container_of(m, struct sheep_update, msg);
	struct error why = { 0 };

	if (r == 0 && !reply->result && is_kept(u)) {
		verify(u);
		return;
	}
	if (r == 0 && reply->result) {
		failed(u, reply->result);
	} else {
		if (r == 0)
			r = error_set(&why, EIO,
				      "the map of volume '%s' was not kept while the "
				      "cluster's members changed",
				      u->inode->vdi.name);
		end_parts(u, r, why.code ? &why : err);
	}
	update_free(u);
}

static void look(struct sheep_update *u)
{
	ask(u, SHEEP_MAP_AT + 4 * u->first, u->bytes, 4 * (size_t)u->n, looked);
}

static void ended(struct sheep_inode *i)
{
	i->updates--;
	store_pending(i);
}

static void stored(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		   const struct error *err)
{
	struct sheep_update *u = container_of(m, struct sheep_update, msg);
	struct sheep_inode *i = u->inode;

	inode_ref(i);
	if (r < 0 || reply->result) {
		if (r < 0)
			end_parts(u, r, err);
		else
			failed(u, reply->result);
		update_free(u);
	} else if (u->releases && m->members != reply->epoch) {
		look(u);
	} else {
		verify(u);
	}
	ended(i);
	inode_put(i);
}

/* -- the requests -- */

/* The first pending entry, and its neighbours with the same value. */
static void gather(struct sheep_inode *i, struct sheep_update *u)
{
	list_for_each (l, &i->pending) {
		struct sheep_part *p = part_of(l);

		if (u->n && (p->index != u->first + u->n || p->entry != u->value ||
			     p->vid != u->vid))
			return;
		if (!u->n) {
			u->first = p->index;
			u->value = p->entry;
			u->vid = p->vid;
		}
		u->n++;
		u->releases |= !p->entry || p->index >= i->n || i->map[p->index];
		list_remove(l);
		list_append(&u->parts, l);
	}
}

static int store(struct sheep_inode *i)
{
	struct sheep_update *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	list_init(&u->parts);
	u->inode = i;
	inode_ref(i);
	gather(i, u);
	u->bytes = malloc(4 * (size_t)u->n);
	if (!u->bytes) {
		end_parts(u, -ENOMEM, NULL);
		update_free(u);
		return 0;
	}
	i->updates++;
	send_entries(u, stored);
	return 0;
}

static void fail_pending(struct sheep_inode *i)
{
	for (struct list *l; (l = list_shift(&i->pending));) {
		struct sheep_part *p = part_of(l);

		p->storing = false;
		part_end(p, -ENOMEM, NULL);
	}
}

static void store_pending(struct sheep_inode *i)
{
	if (i->updates)
		return;
	inode_ref(i);
	while (!list_empty(&i->pending))
		if (store(i) < 0)
			fail_pending(i);
	inode_put(i);
}

/* By index, so that neighbours are found. */
static void insert(struct sheep_inode *i, struct sheep_part *p)
{
	struct list *at = i->pending.prev;

	while (at != &i->pending && part_of(at)->index > p->index)
		at = at->prev;
	list_append(at->next, &p->waiter.link);
}

void update_add(struct sheep_part *p)
{
	struct sheep_inode *i = p->op->inode;

	p->storing = true;
	insert(i, p);
	store_pending(i);
}
