/*
 * Which sheep to ask. Candidates are the hosts of the definition, then the nodes that the
 * cluster named. One is taken once it has answered as a sheep of the same cluster:
 * numbers of VDIs mean nothing in another.
 */
#include "backends/sheepdog/sheep_gateway.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/support/log.h"

#define AGAIN_NS   (1 * NS_PER_S)
#define RESTART_NS (2 * NS_PER_S) /* a sheep may be started again so soon */

struct sheep_conn *find_conn(struct sheep_session *s, enum conn_state state)
{
	for (size_t i = 0; i < MAX_CONNS; i++)
		if (s->conns[i].state == state)
			return &s->conns[i];
	return NULL;
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

void gateway_tell(struct sheep_session *s, int r, const struct error *err)
{
	for (struct list *l; (l = list_shift(&s->asking));) {
		struct awaiting *a = container_of(l, struct awaiting, link);

		loop_call_done(a->call, r, err);
		free(a);
	}
}

/* -- connections that end -- */

void gateway_lost(struct sheep_session *s, const struct error *why)
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
	gateway_tell(s, -s->why.code, &s->why);
	if (clock_now() - s->lost_ns > PATIENCE_NS)
		queue_fail(s, &s->why);
}

/* How a connection failed is in the sentence; who waits for data is told EIO. */
static struct error plainly(const struct error *why)
{
	struct error plain = *why;

	if (plain.code != ETIMEDOUT && plain.code != ENODEV && plain.code != EOPNOTSUPP)
		plain.code = EIO;
	return plain;
}

void gateway_drop(struct sheep_session *s, struct sheep_conn *c, const struct error *how)
{
	struct list orphans = LIST_INIT(orphans);
	enum conn_state was = c->state;
	struct error plain = plainly(how), *why = &plain;

	conn_close(c, &orphans);
	if (was == CONN_LIVE || was == CONN_SILENT)
		log_debug("%s", why->text);
	if (was == CONN_LIVE)
		gateway_lost(s, why);
	queue_orphans(s, &orphans, why);
	if (was != CONN_CONNECTING && was != CONN_PROBING)
		return;
	gateway_lost(s, why);
	if (++s->failed >= n_candidates(s))
		round_failed(s);
}

/* -- connections that begin -- */

void gateway_found(struct sheep_session *s, struct sheep_conn *c)
{
	c->state = CONN_LIVE;
	c->since_ns = clock_now();
	s->lost_ns = s->failed = s->again_ns = 0;
	s->why = (struct error){ 0 };
	if (s->told)
		s->ops.lost(s->ops.arg, NULL);
	s->told = false;
	gateway_tell(s, 0, NULL);
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
		gateway_drop(s, c, &why);
	else
		gateway_found(s, c);
}

void gateway_probe(struct sheep_session *s, struct sheep_conn *c)
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

void gateway_next(struct sheep_session *s)
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
	gateway_lost(s, &err);
	if (++s->failed >= n_candidates(s))
		round_failed(s);
}
