/*
 * Locks of VDIs. inode.locked is the VDI that is locked; it changes on the loop alone,
 * and only by the first who opens, the last who closes, and a snapshot.
 *
 * lock_turn lets one of these ask the cluster at a time: a second lock through the same
 * gateway is refused.
 */
#include "backends/sheepdog/sheep_lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sheepdog/sheep_nodes.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"

#define RELEASE_NS (5 * NS_PER_S)
#define STATES	   512
#define MAX_STATES (STATES << 6)

struct state {
	struct sheep_inode *inode;
	uint32_t vid, set;
	int lockers, add;
	bool store;
};

static void visit(void *arg)
{
	struct state *s = arg;

	if (s->store)
		s->inode->locked = s->set;
	s->inode->lockers += s->add;
	s->vid = s->inode->locked;
	s->lockers = s->inode->lockers;
}

/* What the cluster knows of its VDIs, however many there are. */
static int read_states(struct sheep_pool *sp, uint8_t **states, uint32_t *n,
		       struct call *call)
{
	uint32_t result = SHEEP_BUFFER_SMALL;

	for (*n = STATES; result == SHEEP_BUFFER_SMALL && *n <= MAX_STATES; *n *= 2) {
		struct sheep_question q = { .request.opcode = SHEEP_GET_VDI_STATES,
					    .in_len = (size_t)*n * SHEEP_STATE };
		AUTO_FREE uint8_t *room = malloc(q.in_len);

		q.in = room;
		if (!room || sheep_ask(sp, &q, 1, call, NULL) < 0)
			return -EIO;
		result = q.reply.result;
		if (!result) {
			*states = take(room);
			*n = q.reply.data_length / SHEEP_STATE;
			return 0;
		}
	}
	return -EIO;
}

/* " (of the sheep ADDRESS)", where that is known. */
static void say_owner(struct sheep_pool *sp, const char *name, char *out, size_t size,
		      struct call *call)
{
	AUTO_FREE uint8_t *states = NULL;
	struct sheep_vdi v;
	struct sheep_node node;
	struct address a;
	uint32_t n;

	*out = '\0';
	if (vdi_find(sp, name, NULL, 0, &v, call, NULL) < 0 ||
	    read_states(sp, &states, &n, call) < 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		if (sheep_decode_owner(states + (size_t)i * SHEEP_STATE, v.vid, &node)) {
			node_address(&node, &a);
			snprintf(out, size, ", through the sheep %s", a.text);
		}
}

static int refuse_locked(struct sheep_pool *sp, const char *name, struct call *call,
			 struct error *err)
{
	char owner[ADDRESS_TEXT + 32];

	say_owner(sp, name, owner, sizeof(owner), call);
	return error_set(
		err, EBUSY,
		"volume '%s' is locked by another client of the cluster%s; a lock that "
		"was left behind goes with 'dog vdi lock unlock'",
		name, owner);
}

static int ask_lock(struct sheep_pool *sp, const char *name, uint32_t *vid,
		    struct call *call, struct error *err)
{
	uint8_t names[SHEEP_NAMES] = { 0 };
	struct sheep_question q = {
		.request.opcode = SHEEP_LOCK_VDI,
		.out = names,
		.out_len = sizeof(names),
	};
	int r;

	memcpy(names, name, strlen(name));
	r = sheep_ask(sp, &q, 1, call, err);
	if (r == 0 && q.reply.result == SHEEP_VDI_LOCKED)
		return refuse_locked(sp, name, call, err);
	if (r == 0 && q.reply.result)
		return sheep_failure(q.reply.result, err, "cannot lock volume '%s'",
				     name);
	*vid = q.reply.vdi.vid & SHEEP_MAX_VID;
	return r;
}

static void ask_release(struct sheep_pool *sp, uint32_t vid)
{
	struct sheep_question q = {
		.request = { .opcode = SHEEP_RELEASE_VDI, .vdi.base = vid },
	};
	struct call call = { .deadline_ns = clock_now() + RELEASE_NS };
	struct error err = { 0 };

	if (sheep_ask(sp, &q, 1, &call, &err) < 0)
		log_warning("a lock is left behind in the cluster: %s", err.text);
}

int sheep_lock(struct sheep_inode *i, struct call *call, struct error *err)
{
	struct state s = { .inode = i };
	int r = 0;

	SCOPED_LOCK(&i->sp->lock_turn);
	sheep_on_loop(i->sp, visit, &s);
	s.store = !s.vid;
	if (!s.vid)
		r = ask_lock(i->sp, i->vdi.name, &s.set, call, err);
	s.add = 1;
	if (r == 0)
		sheep_on_loop(i->sp, visit, &s);
	return r;
}

void sheep_unlock(struct sheep_inode *i)
{
	struct state s = { .inode = i, .add = -1 };

	SCOPED_LOCK(&i->sp->lock_turn);
	sheep_on_loop(i->sp, visit, &s);
	if (!s.vid || s.lockers)
		return;
	ask_release(i->sp, s.vid);
	s.add = 0;
	s.store = true;
	sheep_on_loop(i->sp, visit, &s);
}

void sheep_relock(struct sheep_inode *i, struct call *call)
{
	struct state s = { .inode = i };
	struct error err = { 0 };

	SCOPED_LOCK(&i->sp->lock_turn);
	sheep_on_loop(i->sp, visit, &s);
	if (!s.vid)
		return;
	ask_release(i->sp, s.vid);
	s.store = true;
	if (ask_lock(i->sp, i->vdi.name, &s.set, call, &err) < 0)
		log_warning("%s", err.text);
	sheep_on_loop(i->sp, visit, &s);
}
