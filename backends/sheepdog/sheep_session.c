/*
 * A session: connections come and go, requests stay. One connection is live and gets all
 * that is sent; this file watches over it, and is what the loop calls.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "backends/sheepdog/sheep_gateway.h"
#include "backends/support/log.h"

#define CONNECT_NS (3 * NS_PER_S)     /* for connecting, and again for the first answer */
#define QUIET_NS   (1500 * NS_PER_MS) /* no answer: is it there? */
#define SILENT_NS  (1500 * NS_PER_MS) /* not even to that */
#define IDLE_NS	   (10 * NS_PER_S)

static bool is_connecting(struct sheep_session *s)
{
	return find_conn(s, CONN_CONNECTING) || find_conn(s, CONN_PROBING);
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

static void silent(struct sheep_session *s, struct sheep_conn *c)
{
	struct error why = { 0 };

	error_set(&why, ETIMEDOUT, "the sheep %s does not answer", c->where.text);
	log_debug("%s", why.text);
	c->state = CONN_SILENT;
	queue_rescue(s, c);
	gateway_lost(s, &why);
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
			gateway_drop(s, c, &why);
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
			gateway_next(s);
		else
			*until = MIN(*until, s->again_ns);
	}
	queue_assign(s, until);
	for (size_t i = 0; i < MAX_CONNS; i++) {
		struct sheep_conn *c = &s->conns[i];

		if (c->state > CONN_CONNECTING && conn_write(c, &err) < 0)
			gateway_drop(s, c, &err);
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
			gateway_drop(s, other, &err);
		gateway_found(s, c);
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
			gateway_probe(s, c);
	} else if (revents & ~POLLOUT) {
		r = conn_read(c, &err);
		if (c->since_ns != before)
			heard(s, c);
	}
	if (r < 0 && c->state != CONN_FREE)
		gateway_drop(s, c, &err);
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
	queue_fail(s, &over);
	gateway_tell(s, -ECANCELED, &over);
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
