/*
 * Writing a part.
 *
 * An object of the VDI's own is written in place. Anything else is made: empty, or as a
 * copy of its parent's by the sheep, then the map's entry is stored, and only then is the
 * write visible. A whole object that is to be zeros is a hole: entry 0.
 *
 * Making replaces what there is. So the sheep is first asked whether the object exists:
 * it does when another client has made it behind our back, or while the cluster has not
 * yet come to remove what a hole was made of; then it would remove the new one instead.
 */
#include <errno.h>
#include <inttypes.h>

#include "backends/sheepdog/sheep_op.h"
#include "backends/support/clock.h"

#define LOOK_AGAIN_NS (50 * NS_PER_MS)
#define LOOKS	      20  /* then it is taken for one that nobody will remove */
#define LOOKS_DROPPED 100 /* where we have dropped some not long ago */
#define DROPPED_NS    (10 * NS_PER_S)

static void look(struct sheep_part *);

static struct sheep_inode *inode_of(const struct sheep_part *p)
{
	return p->op->inode;
}

void part_unlock(struct sheep_part *p)
{
	struct sheep_object *o = p->object;

	p->object = NULL;
	if (o)
		object_unlock(inode_of(p), o, p->alone);
}

static void part_fail(struct sheep_part *p, uint32_t result)
{
	struct error err = { 0 };
	int r = sheep_failure(result, &err,
			      "cannot write object %" PRIu32 " of volume '%s'", p->index,
			      inode_of(p)->vdi.name);

	part_end(p, r, &err);
}

static void request(struct sheep_part *p, uint8_t opcode, uint64_t oid, uint32_t offset)
{
	p->msg.request = (struct sheep_request){
		.opcode = opcode,
		.obj = { .oid = oid, .offset = offset },
	};
}

static uint64_t own_oid(const struct sheep_part *p)
{
	return sheep_data_oid(p->vid, p->index);
}

/* -- an object of our own -- */

static void written(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		    const struct error *err)
{
	struct sheep_part *p = container_of(m, struct sheep_part, msg);

	if (r < 0)
		part_end(p, r, err);
	else if (reply->result == SHEEP_READONLY || reply->result == SHEEP_NO_OBJ)
		part_again(p, reply->result);
	else if (reply->result)
		part_fail(p, reply->result);
	else
		part_end(p, 0, NULL);
}

static void write_own(struct sheep_part *p)
{
	request(p, SHEEP_WRITE, own_oid(p), p->inner);
	part_ask(p, part_slice(p), (struct sheep_slice){ 0 }, written);
}

/* -- a new one -- */

static void made(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		 const struct error *err)
{
	struct sheep_part *p = container_of(m, struct sheep_part, msg);

	if (r < 0) {
		part_end(p, r, err);
	} else if (reply->result == SHEEP_READONLY || reply->result == SHEEP_NO_OBJ) {
		part_again(p, reply->result);
	} else if (reply->result) {
		part_fail(p, reply->result);
	} else {
		p->entry = p->vid;
		update_add(p);
	}
}

static void make(struct sheep_part *p)
{
	uint32_t owner = inode_of(p)->map[p->index];

	request(p, SHEEP_CREATE, own_oid(p), p->inner);
	if (owner) {
		p->msg.request.flags = SHEEP_FLAG_COW;
		p->msg.request.obj.cow_oid = sheep_data_oid(owner, p->index);
	}
	part_ask(p, part_slice(p), (struct sheep_slice){ 0 }, made);
}

/* A byte of the parent's, to be written where it came from. */
static void got_byte(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		     const struct error *err)
{
	struct sheep_part *p = container_of(m, struct sheep_part, msg);

	if (r < 0)
		part_end(p, r, err);
	else if (reply->result == SHEEP_NO_OBJ)
		part_again(p, reply->result);
	else if (reply->result)
		part_fail(p, reply->result);
	else
		make(p);
}

static void adopt(struct sheep_part *p)
{
	uint32_t owner = inode_of(p)->map[p->index];

	p->iov = (struct iovec){ p->bytes, 1 };
	request(p, SHEEP_READ, sheep_data_oid(owner, p->index), 0);
	part_ask(p, (struct sheep_slice){ 0 }, part_slice(p), got_byte);
}

static void make_or_adopt(struct sheep_part *p)
{
	if (p->op->adopts)
		adopt(p);
	else
		make(p);
}

static unsigned max_looks(const struct sheep_inode *i)
{
	return i->dropped_ns && clock_now() - i->dropped_ns < DROPPED_NS ? LOOKS_DROPPED
									 : LOOKS;
}

/* Another client has changed the map, or it is as we know it and the cluster is late. */
static void compared(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		     const struct error *err)
{
	struct sheep_part *p = container_of(m, struct sheep_part, msg);
	struct sheep_inode *i = inode_of(p);
	uint32_t entry;

	if (r < 0) {
		part_end(p, r, err);
	} else if (reply->result) {
		part_fail(p, reply->result);
	} else if (sheep_decode_map(p->bytes, 1, &entry, NULL) < 0 || p->index >= i->n ||
		   entry != i->map[p->index]) {
		part_again(p, SHEEP_CHANGED);
	} else if (++p->looks < max_looks(i)) {
		look(p);
	} else {
		make_or_adopt(p);
	}
}

static void ask_bytes(struct sheep_part *p, uint32_t offset, size_t len,
		      void (*done)(struct sheep_msg *, int, const struct sheep_reply *,
				   const struct error *))
{
	p->iov = (struct iovec){ p->bytes, len };
	request(p, SHEEP_READ, sheep_inode_oid(p->vid), offset);
	part_ask(p, (struct sheep_slice){ 0 }, (struct sheep_slice){ &p->iov, 1, 0, len },
		 done);
}

static void compare(struct sheep_part *p)
{
	ask_bytes(p, SHEEP_MAP_AT + 4 * p->index, 4, compared);
}

static void looked(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		   const struct error *err)
{
	struct sheep_part *p = container_of(m, struct sheep_part, msg);

	if (r < 0)
		part_end(p, r, err);
	else if (reply->result == SHEEP_NO_OBJ)
		make_or_adopt(p);
	else if (reply->result)
		part_fail(p, reply->result);
	else
		compare(p);
}

static void look(struct sheep_part *p)
{
	p->iov = (struct iovec){ p->bytes, 1 };
	request(p, SHEEP_READ, own_oid(p), 0);
	p->msg.out = (struct sheep_slice){ 0 };
	p->msg.in = (struct sheep_slice){ &p->iov, 1, 0, 1 };
	p->msg.done = looked;
	session_send_later(inode_of(p)->sp->session, &p->msg,
			   p->looks ? LOOK_AGAIN_NS : 0);
}

/* -- a hole -- */

/* An inode takes writes to its map even when it is a snapshot's by now. */
static void checked(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		    const struct error *err)
{
	struct sheep_part *p = container_of(m, struct sheep_part, msg);

	if (r < 0) {
		part_end(p, r, err);
	} else if (reply->result) {
		part_fail(p, reply->result);
	} else if (le64(p->bytes)) {
		part_again(p, SHEEP_READONLY);
	} else {
		p->entry = 0;
		update_add(p);
	}
}

static void drop(struct sheep_part *p)
{
	ask_bytes(p, SHEEP_SNAP_CTIME_AT, 8, checked);
}

/* -- beginning -- */

static void refuse(struct sheep_part *p)
{
	const struct sheep_inode *i = inode_of(p);
	struct error err = { 0 };
	int r = error_set(&err, i->vdi.snapshot ? EROFS : ENOSPC,
			  i->vdi.snapshot ? "'%s' is a snapshot"
					  : "volume '%s' has been made smaller",
			  i->vdi.name);

	part_end(p, r, &err);
}

void part_write(struct sheep_part *p)
{
	struct sheep_inode *i = inode_of(p);
	struct error err = { 0 };
	uint32_t owner;

	if (i->frozen) {
		inode_hold(i, &p->waiter);
		return;
	}
	if (p->index >= i->n || i->vdi.snapshot) {
		refuse(p);
		return;
	}
	owner = i->map[p->index];
	p->vid = i->vdi.vid;
	p->alone = p->whole || owner != p->vid;
	p->object = object_lock(i, p->index, p->alone, &p->waiter, &err);
	if (!p->object && err.code)
		part_end(p, -err.code, &err);
	if (!p->object)
		return;
	if ((p->op->what != IO_WRITE && !owner) || (p->op->adopts && !p->alone))
		part_end(p, 0, NULL); /* a hole is zeros */
	else if (p->whole)
		drop(p);
	else if (owner == p->vid)
		write_own(p);
	else
		look(p);
}
