/*
 * Which sheep to ask: connections come and go, requests stay.
 *
 * One connection is live and gets all that is sent. Candidates are the hosts of the
 * definition, then the nodes that the cluster named. A candidate is taken once it has
 * answered as a sheep of the same cluster: numbers of VDIs mean nothing in another.
 */
#include "backends/sheepdog/sheep_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "backends/sheepdog/sheep_conn.h"
#include "backends/sheepdog/sheep_nodes.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"

#define MAX_CONNS   3 /* the live one, or one that connects, and silent ones */
#define CONNECT_NS  (3 * NS_PER_S) /* for connecting, and again for the first answer */
#define QUIET_NS    (1500 * NS_PER_MS) /* no answer: is it there? */
#define SILENT_NS   (1500 * NS_PER_MS) /* not even to that */
#define RESTART_NS  (2 * NS_PER_S)     /* a sheep may be started again so soon */
#define IDLE_NS	    (10 * NS_PER_S)
#define AGAIN_NS    (1 * NS_PER_S)
#define PATIENCE_NS (5 * NS_PER_S) /* how long requests wait for a sheep to come back */
#define RETRY_NS    (100 * NS_PER_MS)
#define RETRIES_NS  (15 * NS_PER_S) /* of what a sheep said will pass */
#define MAX_TRIES   3 /* a request that has seen so many sheep go is not given another */

struct sheep_session {
	struct sheep_session_ops ops;
	struct address *hosts;
	size_t n_hosts;
	struct sheep_nodes nodes;
	struct sheep_conn conns[MAX_CONNS];
	struct list waiting; /* messages without a connection */
	struct list asking;  /* those who wait for the first answer */
	uint32_t next_id;
	size_t candidate, failed; /* whom to ask next; how many in a row did not answer */
	uint64_t lost_ns;	  /* since when none is live; 0: one is */
	uint64_t again_ns;	  /* no connecting before */
	bool told;		  /* that the source is lost */
	struct error why;
	struct sheep_epoch epoch;
	bool known;	  /* epoch is */
	uint32_t members; /* the epoch that the list of nodes is of */
	struct sheep_probe {
		struct sheep_msg msg;
		struct iovec iov;
		uint8_t in[SHEEP_EPOCH_ROOM];
	} probe;
};

struct awaiting {
	struct list link;
	struct loop_call *call;
};

/* -- looking for connections -- */

static struct sheep_conn *find_conn(struct sheep_session *s, enum conn_state state)
{
	for (size_t i = 0; i < MAX_CONNS; i++)
		if (s->conns[i].state == state)
			return &s->conns[i];
	return NULL;
}

static bool is_connecting(struct sheep_session *s)
{
	return find_conn(s, CONN_CONNECTING) || find_conn(s, CONN_PROBING);
}

static size_t n_candidates(const struct sheep_session *s)
{
	return s->n_hosts + s->nodes.n;
}

static const struct address *candidate(const struct sheep_session *s, size_t i)
{
	i %= n_candidates(s);
	return i < s->n_hosts ? &s->hosts[i] : &s->nodes.list[i - s->n_hosts];
}

/* -- requests -- */

static void finish(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		   const struct error *err)
{
	m->conn = NULL;
	m->done(m, r, reply, err);
}

static void fail_waiting(struct sheep_session *s, const struct error *err)
{
	struct list failed = LIST_INIT(failed);

	for (struct list *l; (l = list_shift(&s->waiting));)
		list_append(&failed, l);
	for (struct list *l; (l = list_shift(&failed));)
		finish(container_of(l, struct sheep_msg, link), -err->code, NULL, err);
}

static void tell_askers(struct sheep_session *s, int r, const struct error *err)
{
	for (struct list *l; (l = list_shift(&s->asking));) {
		struct awaiting *a = container_of(l, struct awaiting, link);

		loop_call_done(a->call, r, err);
		free(a);
	}
}

static void send_at(struct sheep_session *s, struct sheep_msg *m, uint64_t wait_ns)
{
	struct error err = s->why;

	m->request.id = s->next_id++;
	m->request.data_length = m->out.len ? m->out.len : m->in.len;
	m->begun = false;
	m->tries = 0;
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

void session_answered(struct sheep_session *s, struct sheep_conn *c, struct sheep_msg *m,
		      const struct sheep_reply *reply)
{
	watch_members(s, reply);
	if (m != &c->ping && !m->once && sheep_is_passing(reply->result) &&
	    clock_now() - m->first_ns < RETRIES_NS)
		try_later(s, m);
	else
		finish(m, 0, reply, NULL);
}

static bool is_unwanted(const struct sheep_msg *m)
{
	return m->asker && loop_call_abandoned(m->asker);
}

/* All that waits and may go now, to the live connection. */
static void assign(struct sheep_session *s, uint64_t *until)
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
			conn_add(c, m);
		}
	}
}

/* -- connections that end -- */

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
static void save_orphans(struct sheep_session *s, struct list *orphans,
			 const struct error *why)
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

static void begin_loss(struct sheep_session *s, const struct error *why)
{
	s->why = *why;
	if (s->lost_ns)
		return;
	s->lost_ns = clock_now();
	s->failed = 0;
}

static void tell_lost(struct sheep_session *s)
{
	if (s->told ||
	    (s->why.code != ETIMEDOUT && clock_now() - s->lost_ns < RESTART_NS))
		return;
	s->told = true;
	s->ops.lost(s->ops.arg, &s->why);
}

/* All candidates were asked in vain. */
static void round_failed(struct sheep_session *s)
{
	s->failed = 0;
	s->again_ns = clock_now() + AGAIN_NS;
	tell_lost(s);
	tell_askers(s, -s->why.code, &s->why);
	if (clock_now() - s->lost_ns > PATIENCE_NS)
		fail_waiting(s, &s->why);
}

/* How a connection failed is in the sentence; who waits for data is told EIO. */
static struct error plainly(const struct error *why)
{
	struct error plain = *why;

	if (plain.code != ETIMEDOUT && plain.code != ENODEV)
		plain.code = EIO;
	return plain;
}

static void drop(struct sheep_session *s, struct sheep_conn *c, const struct error *how)
{
	struct list orphans = LIST_INIT(orphans);
	enum conn_state was = c->state;
	struct error plain = plainly(how), *why = &plain;

	conn_close(c, &orphans);
	if (was == CONN_LIVE || was == CONN_SILENT)
		log_debug("%s", why->text);
	if (was == CONN_LIVE)
		begin_loss(s, why);
	save_orphans(s, &orphans, why);
	if (was != CONN_CONNECTING && was != CONN_PROBING)
		return;
	begin_loss(s, why);
	if (++s->failed >= n_candidates(s))
		round_failed(s);
}

/* -- connections that begin -- */

static void found(struct sheep_session *s, struct sheep_conn *c)
{
	c->state = CONN_LIVE;
	c->since_ns = clock_now();
	s->lost_ns = s->failed = s->again_ns = 0;
	s->why = (struct error){ 0 };
	if (s->told)
		s->ops.lost(s->ops.arg, NULL);
	s->told = false;
	tell_askers(s, 0, NULL);
}

static int check_cluster(struct sheep_session *s, struct sheep_conn *c,
			 const struct sheep_reply *reply, struct error *err)
{
	struct sheep_epoch epoch;

	if (reply->result)
		return sheep_failure(reply->result, err, "cannot use the sheep %s",
				     c->where.text);
	if (reply->data_length < SHEEP_EPOCH_ROOM)
		return error_set(err, EIO,
				 "the sheep %s does not say which cluster it is of",
				 c->where.text);
	sheep_decode_epoch(s->probe.in, &epoch);
	if (s->known && epoch.ctime != s->epoch.ctime)
		return error_set(err, EIO,
				 "the sheep %s is of another cluster than before, or its "
				 "cluster was formatted anew: stop the pool and start it",
				 c->where.text);
	s->epoch = epoch;
	s->known = true;
	return 0;
}

static void probed(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		   const struct error *err)
{
	struct sheep_session *s = container_of(container_of(m, struct sheep_probe, msg),
					       struct sheep_session, probe);
	struct sheep_conn *c = find_conn(s, CONN_PROBING);
	struct error why = { 0 };

	if (r < 0 || !c)
		return; /* the connection is gone, and that was said */
	if (check_cluster(s, c, reply, &why) < 0)
		drop(s, c, &why);
	else
		found(s, c);
}

static void probe(struct sheep_session *s, struct sheep_conn *c)
{
	s->probe.iov = (struct iovec){ s->probe.in, sizeof(s->probe.in) };
	s->probe.msg = (struct sheep_msg){
		.request = { .opcode = SHEEP_STAT_CLUSTER,
			     .id = s->next_id++,
			     .data_length = sizeof(s->probe.in) },
		.in = { &s->probe.iov, 1, 0, sizeof(s->probe.in) },
		.once = true,
		.done = probed,
	};
	list_init(&s->probe.msg.link);
	conn_add(c, &s->probe.msg);
}

static bool is_silent(struct sheep_session *s, const struct address *a)
{
	for (size_t i = 0; i < MAX_CONNS; i++)
		if (s->conns[i].state == CONN_SILENT &&
		    !strcmp(s->conns[i].where.text, a->text))
			return true;
	return false;
}

static void connect_next(struct sheep_session *s)
{
	struct sheep_conn *c = find_conn(s, CONN_FREE);
	struct error err = { 0 };

	if (!c)
		return; /* as many are silent as we bear with */
	for (size_t i = 1; i < n_candidates(s); i++) {
		if (!is_silent(s, candidate(s, s->candidate)))
			break;
		s->candidate++;
		s->failed++;
	}
	if (conn_open(c, candidate(s, s->candidate++), &err) == 0)
		return;
	err = plainly(&err);
	begin_loss(s, &err);
	if (++s->failed >= n_candidates(s))
		round_failed(s);
}

/* -- signs of life -- */

static void pinged(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		   const struct error *err)
{
	container_of(m, struct sheep_conn, ping)->pinging = false;
}

/* Answered at once by every sheep, whatever its disks do. */
static void ping(struct sheep_session *s, struct sheep_conn *c)
{
	c->ping = (struct sheep_msg){
		.request = { .opcode = SHEEP_STAT_CLUSTER, .id = s->next_id++ },
		.done = pinged,
	};
	c->pinging = true;
	c->since_ns = clock_now();
	conn_add(c, &c->ping);
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
static void rescue(struct sheep_session *s, struct sheep_conn *c)
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

static void silent(struct sheep_session *s, struct sheep_conn *c)
{
	struct error why = { 0 };

	error_set(&why, ETIMEDOUT, "the sheep %s does not answer", c->where.text);
	log_debug("%s", why.text);
	c->state = CONN_SILENT;
	rescue(s, c);
	begin_loss(s, &why);
}

static bool is_idle(const struct sheep_conn *c)
{
	return list_empty(&c->sent) && !c->sending && !c->receiving;
}

static void watch_live(struct sheep_session *s, struct sheep_conn *c, uint64_t *until)
{
	bool amidst = c->in_done; /* of an answer: no sheep rests there */
	uint64_t limit = c->pinging ? SILENT_NS : is_idle(c) ? IDLE_NS : QUIET_NS;

	if (clock_now() - c->since_ns < limit)
		*until = MIN(*until, c->since_ns + limit);
	else if (c->pinging || amidst)
		silent(s, c);
	else
		ping(s, c);
}

static void watch(struct sheep_session *s, struct sheep_conn *c, uint64_t *until)
{
	struct error why = { 0 };

	if (c->state == CONN_LIVE) {
		watch_live(s, c, until);
	} else if (c->state == CONN_CONNECTING || c->state == CONN_PROBING) {
		if (clock_now() - c->since_ns >= CONNECT_NS) {
			error_set(&why, ETIMEDOUT, "the sheep %s does not answer",
				  c->where.text);
			drop(s, c, &why);
		}
	} else if (c->state == CONN_SILENT && is_idle(c) && find_conn(s, CONN_LIVE)) {
		struct list none = LIST_INIT(none);

		conn_close(c, &none); /* nothing of ours is left there */
	}
}

/* -- the loop's -- */

size_t session_prepare(struct sheep_session *s, struct pollfd *fds, uint64_t *until)
{
	struct error err = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < MAX_CONNS; i++)
		watch(s, &s->conns[i], until);
	if (!find_conn(s, CONN_LIVE) && !is_connecting(s)) {
		if (clock_now() >= s->again_ns)
			connect_next(s);
		else
			*until = MIN(*until, s->again_ns);
	}
	assign(s, until);
	for (size_t i = 0; i < MAX_CONNS; i++) {
		struct sheep_conn *c = &s->conns[i];

		if (c->state > CONN_CONNECTING && conn_write(c, &err) < 0)
			drop(s, c, &err);
		fds[n++] = (struct pollfd){ .fd = c->fd, .events = conn_events(c) };
	}
	return n;
}

/* A silent one that speaks again is as good as any. */
static void heard(struct sheep_session *s, struct sheep_conn *c)
{
	if (c->state == CONN_SILENT && !find_conn(s, CONN_LIVE)) {
		struct sheep_conn *other = find_conn(s, CONN_PROBING);
		struct error err = { ETIMEDOUT, "another sheep has answered" };

		if (!other)
			other = find_conn(s, CONN_CONNECTING);
		if (other)
			drop(s, other, &err);
		found(s, c);
	}
}

static void serve(struct sheep_session *s, struct sheep_conn *c, short revents)
{
	struct error err = { 0 };
	uint64_t before = c->since_ns;
	int r = 0;

	if (c->state == CONN_CONNECTING) {
		r = conn_connected(c, &err);
		if (r == 0)
			probe(s, c);
	} else if (revents & ~POLLOUT) {
		r = conn_read(c, &err);
		if (c->since_ns != before)
			heard(s, c);
	}
	if (r < 0 && c->state != CONN_FREE)
		drop(s, c, &err);
}

void session_ready(struct sheep_session *s, const struct pollfd *fds, size_t n)
{
	for (size_t i = 0; i < n && i < MAX_CONNS; i++)
		if (fds[i].revents && fds[i].fd == s->conns[i].fd)
			serve(s, &s->conns[i], fds[i].revents);
}

/* -- beginning and end -- */

int session_set_hosts(struct sheep_session *s, const struct address *hosts, size_t n)
{
	struct address *copy = calloc(n, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, hosts, n * sizeof(*copy));
	free(s->hosts);
	s->hosts = copy;
	s->n_hosts = n;
	return 0;
}

int session_new(const struct address *hosts, size_t n,
		const struct sheep_session_ops *ops, struct sheep_session **out,
		struct error *err)
{
	struct sheep_session *s = calloc(1, sizeof(*s));

	if (!s || session_set_hosts(s, hosts, n) < 0) {
		free(s);
		return error_code(err, ENOMEM, "cannot connect to a sheep");
	}
	s->ops = *ops;
	s->lost_ns = clock_now();
	s->next_id = 1;
	list_init(&s->waiting);
	list_init(&s->asking);
	for (size_t i = 0; i < MAX_CONNS; i++)
		conn_init(&s->conns[i], s);
	*out = s;
	return 0;
}

void session_free(struct sheep_session *s)
{
	static const struct error over = { ECANCELED, "the pool is being stopped" };

	for (size_t i = 0; i < MAX_CONNS; i++)
		conn_close(&s->conns[i], &s->waiting);
	/* what each leads to is refused as well */
	s->lost_ns = 1;
	s->why = over;
	fail_waiting(s, &over);
	tell_askers(s, -ECANCELED, &over);
	nodes_clear(&s->nodes);
	free(s->hosts);
	free(s);
}

void session_await(struct sheep_session *s, struct loop_call *c)
{
	struct awaiting *a;

	if (find_conn(s, CONN_LIVE)) {
		loop_call_done(c, 0, NULL);
		return;
	}
	a = malloc(sizeof(*a));
	if (!a) {
		loop_call_done(c, -ENOMEM, NULL);
		return;
	}
	a->call = c;
	list_append(&s->asking, &a->link);
}

const struct sheep_epoch *session_epoch(const struct sheep_session *s)
{
	return &s->epoch;
}
