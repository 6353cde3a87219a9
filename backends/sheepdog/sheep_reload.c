/*
 * An open inode read again: its name may stand for another VDI by now, since a snapshot
 * makes a new one of it, or its map may have been changed by another client.
 *
 * What writes is held meanwhile. Writes that were under way go on, and find out by
 * themselves that the VDI they wrote to is a snapshot now.
 */
#include <stdlib.h>
#include <string.h>

#include "backends/sheepdog/sheep_ahead.h"

#define TRIES 5

struct sheep_reload {
	struct sheep_inode *inode;
	struct sheep_msg msg;
	struct iovec out, in;
	uint8_t names[SHEEP_NAMES], head[SHEEP_INODE_HEAD];
	struct sheep_vdi vdi;
	uint8_t *bytes; /* of the map */
	uint64_t changes;
	unsigned tries;
};

static void find(struct sheep_reload *);
static void read_map(struct sheep_reload *);

/* -- who waits -- */

void inode_hold(struct sheep_inode *i, struct sheep_waiter *w)
{
	list_append(&i->held, &w->link);
}

void inode_resume(struct sheep_inode *i)
{
	if (i->frozen)
		return;
	inode_ref(i);
	waiters_go(&i->held);
	inode_put(i);
}

void inode_stale(struct sheep_inode *i, uint32_t vid, struct sheep_waiter *w)
{
	inode_hold(i, w);
	if (i->vdi.vid != vid)
		inode_resume(i); /* it was read again since */
	else if (!i->reload)
		inode_reload(i);
}

void inode_install(struct sheep_inode *i, const struct sheep_vdi *v, uint32_t *map)
{
	free(i->map);
	i->map = map;
	i->vdi = *v;
	i->n = sheep_objects(v->size, v->shift);
	ahead_drop(i);
}

/* -- reading -- */

static void end(struct sheep_reload *r)
{
	struct sheep_inode *i = r->inode;

	i->reload = NULL;
	i->frozen--;
	free(r->bytes);
	free(r);
	inode_resume(i);
	inode_put(i);
}

static void ask(struct sheep_reload *r, uint8_t opcode, uint64_t oid, uint32_t offset,
		void *in, size_t len,
		void (*done)(struct sheep_msg *, int, const struct sheep_reply *,
			     const struct error *))
{
	r->in = (struct iovec){ in, len };
	r->msg = (struct sheep_msg){
		.request = { .opcode = opcode, .obj = { .oid = oid, .offset = offset } },
		.in = { &r->in, 1, 0, len },
		.done = done,
	};
	session_send(r->inode->sp->session, &r->msg);
}

static void got_map(struct sheep_msg *m, int result, const struct sheep_reply *reply,
		    const struct error *err)
{
	struct sheep_reload *r = container_of(m, struct sheep_reload, msg);
	struct sheep_inode *i = r->inode;
	uint32_t n = sheep_objects(r->vdi.size, r->vdi.shift), *map;

	if (result == 0 && !reply->result && r->changes != i->changes &&
	    ++r->tries < TRIES) {
		find(r); /* we have changed it ourselves meanwhile */
		return;
	}
	map = malloc(4 * (size_t)n + 1);
	if (result == 0 && !reply->result && map && r->changes == i->changes &&
	    sheep_decode_map(r->bytes, n, map, NULL) == 0)
		inode_install(i, &r->vdi, take(map));
	free(map);
	end(r);
}

static void read_map(struct sheep_reload *r)
{
	size_t len = 4 * (size_t)sheep_objects(r->vdi.size, r->vdi.shift);

	free(r->bytes);
	r->bytes = malloc(len + 1);
	if (!r->bytes) {
		end(r);
		return;
	}
	r->changes = r->inode->changes;
	ask(r, SHEEP_READ, sheep_inode_oid(r->vdi.vid), SHEEP_MAP_AT, r->bytes, len,
	    got_map);
}

static void got_head(struct sheep_msg *m, int result, const struct sheep_reply *reply,
		     const struct error *err)
{
	struct sheep_reload *r = container_of(m, struct sheep_reload, msg);
	const struct sheep_vdi *v = &r->inode->vdi;

	if (result < 0 || reply->result ||
	    sheep_decode_vdi(r->head, r->vdi.vid, &r->vdi, NULL) < 0 ||
	    strcmp(r->vdi.name, v->name) || r->vdi.snapshot != v->snapshot ||
	    r->vdi.shift != v->shift || !inode_is_now(r->inode, &r->vdi))
		end(r);
	else
		read_map(r);
}

static void read_head(struct sheep_reload *r, uint32_t vid)
{
	r->vdi.vid = vid;
	ask(r, SHEEP_READ, sheep_inode_oid(vid), 0, r->head, sizeof(r->head), got_head);
}

static void found(struct sheep_msg *m, int result, const struct sheep_reply *reply,
		  const struct error *err)
{
	struct sheep_reload *r = container_of(m, struct sheep_reload, msg);

	if (result < 0 || reply->result)
		end(r);
	else
		read_head(r, reply->vdi.vid & SHEEP_MAX_VID);
}

static void find(struct sheep_reload *r)
{
	const struct sheep_vdi *v = &r->inode->vdi;

	if (v->snapshot) { /* that is always the same one */
		read_head(r, v->vid);
		return;
	}
	memcpy(r->names, v->name, SHEEP_NAME);
	r->out = (struct iovec){ r->names, sizeof(r->names) };
	r->msg = (struct sheep_msg){
		.request.opcode = SHEEP_GET_VDI_INFO,
		.out = { &r->out, 1, 0, sizeof(r->names) },
		.done = found,
	};
	session_send(r->inode->sp->session, &r->msg);
}

void inode_reload(struct sheep_inode *i)
{
	struct sheep_reload *r;

	if (i->reload)
		return;
	r = calloc(1, sizeof(*r));
	if (!r) {
		inode_resume(i);
		return;
	}
	inode_ref(i);
	i->frozen++;
	i->reload = r;
	r->inode = i;
	find(r);
}
