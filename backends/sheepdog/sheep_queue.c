/*
 * Requests that have no connection: new ones, those that a connection left behind, and
 * those that a sheep has asked to repeat.
 */
#include "backends/sheepdog/sheep_gateway.h"

#include <errno.h>
#include <sys/param.h>

#define RETRY_NS   (100 * NS_PER_MS)
#define RETRIES_NS (15 * NS_PER_S) /* of what a sheep said will pass */
#define REPEATS	   3
#define MAX_TRIES  3 /* a request that has seen so many sheep go is not given another */

static void finish(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		   const struct error *err)
{
	m->conn = NULL;
	m->done(m, r, reply, err);
}

void queue_fail(struct sheep_session *s, const struct error *err)
{
	struct list failed = LIST_INIT(failed);

	for (struct list *l; (l = list_shift(&s->waiting));)
		list_append(&failed, l);
	for (struct list *l; (l = list_shift(&failed));)
		finish(container_of(l, struct sheep_msg, link), -err->code, NULL, err);
}

static void send_at(struct sheep_session *s, struct sheep_msg *m, uint64_t wait_ns)
{
	struct error err = s->why;

	m->request.id = s->next_id++;
	m->request.data_length = m->out.len ? m->out.len : m->in.len;
	m->begun = false;
	m->tries = m->repeats = 0;
	m->first_ns = clock_now();
	m->resend_ns = wait_ns ? m->first_ns + wait_ns : 0;
	m->conn = NULL;
	if (s->lost_ns && m->first_ns - s->lost_ns > PATIENCE_NS && err.code)
		m->done(m, -err.code, NULL, &err);
	else
		list_append(&s->waiting, &m->link);
}

void session_send(struct sheep_session *s, struct sheep_msg *m)
{
	send_at(s, m, 0);
}

void session_send_later(struct sheep_session *s, struct sheep_msg *m, uint64_t wait_ns)
{
	send_at(s, m, wait_ns);
}

bool session_unsend(struct sheep_session *s, struct sheep_msg *m)
{
	if (m->conn)
		return conn_remove(m->conn, m);
	list_remove(&m->link);
	return true;
}

static void try_later(struct sheep_session *s, struct sheep_msg *m)
{
	m->conn = NULL;
	m->begun = false;
	m->request.id = s->next_id++;
	m->resend_ns = clock_now() + RETRY_NS;
	list_append(&s->waiting, &m->link);
}

static void watch_members(struct sheep_session *s, const struct sheep_reply *reply)
{
	if (reply->result || reply->epoch == s->members)
		return;
	s->members = reply->epoch;
	nodes_ask(&s->nodes, s);
}

/* A copy that is being recovered when the write arrives may be stored without it, though
 * the sheep says that all is well: once more, to the members of now. Whose object it is
 * has it locked; of an inode its owner knows. */
static bool is_unsure(const struct sheep_msg *m, const struct sheep_reply *reply)
{
	bool stores =
		m->request.opcode == SHEEP_WRITE || m->request.opcode == SHEEP_CREATE;

	return stores && !reply->result &&
	       (m->repeatable || sheep_is_data(m->request.obj.oid)) && m->members &&
	       m->members != reply->epoch && m->repeats < REPEATS;
}

static void repeat(struct sheep_session *s, struct sheep_msg *m)
{
	m->conn = NULL;
	m->begun = false;
	m->repeats++;
	m->request.id = s->next_id++;
	list_append(&s->waiting, &m->link);
}

void session_answered(struct sheep_session *s, struct sheep_conn *c, struct sheep_msg *m,
		      const struct sheep_reply *reply)
{
	watch_members(s, reply);
	if (m != &c->ping && !m->once && sheep_is_passing(reply->result) &&
	    clock_now() - m->first_ns < RETRIES_NS)
		try_later(s, m);
	else if (is_unsure(m, reply))
		repeat(s, m);
	else
		finish(m, 0, reply, NULL);
}

static bool is_unwanted(const struct sheep_msg *m)
{
	return m->asker && loop_call_abandoned(m->asker);
}

/* All that waits and may go now, to the live connection. */
void queue_assign(struct sheep_session *s, uint64_t *until)
{
	static const struct error gave_up = { ECANCELED, "the request was given up" };
	struct sheep_conn *c = find_conn(s, CONN_LIVE);
	uint64_t now = clock_now();

	list_for_each (l, &s->waiting) {
		struct sheep_msg *m = container_of(l, struct sheep_msg, link);

		if (is_unwanted(m)) {
			list_remove(&m->link);
			finish(m, -ECANCELED, NULL, &gave_up);
		} else if (m->resend_ns > now) {
			*until = MIN(*until, m->resend_ns);
		} else if (c) {
			list_remove(&m->link);
			m->members = s->members;
			conn_add(c, m);
		}
	}
}

/* -- connections that end, or are silent -- */

static void send_elsewhere(struct sheep_session *s, struct sheep_msg *m)
{
	m->conn = NULL;
	m->begun = false;
	m->request.id = s->next_id++;
	list_append(&s->waiting, &m->link);
}

static void in_doubt(struct sheep_msg *m, const struct error *why)
{
	struct error err = *why;

	err.code = SHEEP_IN_DOUBT;
	finish(m, -SHEEP_IN_DOUBT, NULL, &err);
}

/* What a connection had when it broke. The sheep is gone, so nothing of it happens later
 * than now. */
void queue_orphans(struct sheep_session *s, struct list *orphans, const struct error *why)
{
	for (struct list *l; (l = list_shift(orphans));) {
		struct sheep_msg *m = container_of(l, struct sheep_msg, link);

		m->tries += m->begun;
		if (m->begun && m->once) {
			in_doubt(m, why);
		} else if (m->tries >= MAX_TRIES) {
			finish(m, -why->code, NULL, why);
		} else {
			send_elsewhere(s, m);
		}
	}
}

static bool changes_nothing(const struct sheep_msg *m)
{
	switch (m->request.opcode) {
	case SHEEP_CREATE:
	case SHEEP_WRITE:
	case SHEEP_NEW_VDI:
	case SHEEP_DEL_VDI:
	case SHEEP_LOCK_VDI:
	case SHEEP_RELEASE_VDI:
		return false;
	default:
		return !m->once;
	}
}

/* What changes nothing may be asked of another sheep: whenever the silent one answers,
 * that is dropped. What has not begun goes as well. */
void queue_rescue(struct sheep_session *s, struct sheep_conn *c)
{
	for (struct list *l; (l = list_shift(&c->queue));) {
		struct sheep_msg *m = container_of(l, struct sheep_msg, link);

		if (m == &c->ping)
			c->pinging = false;
		else
			send_elsewhere(s, m);
	}
	list_for_each (l, &c->sent) {
		struct sheep_msg *m = container_of(l, struct sheep_msg, link);

		if (m == &c->ping || !changes_nothing(m))
			continue;
		list_remove(l);
		c->dropped++;
		send_elsewhere(s, m);
	}
	if (c->receiving && c->receiving != &c->ping && changes_nothing(c->receiving))
		send_elsewhere(s, take(c->receiving));
}
