/*
 * The bytes of one connection to a sheep.
 *
 * A request that has begun is sent to its end, since the sheep's thread waits for it. An
 * answer is checked against its request before a byte of it is stored: a sheep that
 * breaks the protocol loses the connection.
 */
#include "backends/sheepdog/sheep_conn.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/support/clock.h"

#define MAX_IOV	     16
#define DROP	     16384
#define MAX_DROPPED  (8 * 1024 * 1024) /* the largest answer to what was given up */
#define MANY	     64		       /* answers taken in one go */
#define KEEPALIVE_S  5
#define KEEPALIVES   3
#define HOST_GONE_MS 20000 /* a host that does not even acknowledge */

void conn_init(struct sheep_conn *c, struct sheep_session *s)
{
	*c = (struct sheep_conn){ .session = s, .fd = -1 };
	list_init(&c->queue);
	list_init(&c->sent);
}

static void set_option(int fd, int level, int name, int value)
{
	/* Each only makes it better. */
	(void)!setsockopt(fd, level, name, &value, sizeof(value));
}

int conn_open(struct sheep_conn *c, const struct address *a, struct error *err)
{
	AUTO_FD int fd =
		socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_errno(err, "cannot connect to the sheep %s", a->text);
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVES);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, HOST_GONE_MS);
	if (connect(fd, (const struct sockaddr *)&a->sa, a->sa_len) < 0 &&
	    errno != EINPROGRESS)
		return error_errno(err, "cannot connect to the sheep %s", a->text);

	struct sheep_session *s = c->session;

	conn_init(c, s);
	c->fd = take_fd(&fd);
	c->state = CONN_CONNECTING;
	c->where = *a;
	c->since_ns = clock_now();
	return 0;
}

int conn_connected(struct sheep_conn *c, struct error *err)
{
	int code = 0;
	socklen_t len = sizeof(code);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		code = errno;
	if (code)
		return error_code(err, code, "cannot connect to the sheep %s",
				  c->where.text);
	c->state = CONN_PROBING;
	c->since_ns = clock_now();
	return 0;
}

static void move_all(struct list *from, struct list *to)
{
	for (struct list *l; (l = list_shift(from));) {
		container_of(l, struct sheep_msg, link)->conn = NULL;
		list_append(to, l);
	}
}

/* Its own memory: it ends with the connection. */
static void forget_ping(struct sheep_conn *c)
{
	if (c->pinging)
		list_remove(&c->ping.link);
	if (c->sending == &c->ping)
		c->sending = NULL;
	if (c->receiving == &c->ping)
		c->receiving = NULL;
}

void conn_close(struct sheep_conn *c, struct list *orphans)
{
	forget_ping(c);
	move_all(&c->sent, orphans);
	if (c->receiving) {
		c->receiving->conn = NULL;
		list_append(orphans, &c->receiving->link);
	}
	if (c->sending) {
		c->sending->conn = NULL;
		/* the sheep never has the whole of it */
		c->sending->begun = false;
		list_append(orphans, &c->sending->link);
	}
	move_all(&c->queue, orphans);
	if (c->fd >= 0)
		close(c->fd);
	conn_init(c, c->session);
}

void conn_add(struct sheep_conn *c, struct sheep_msg *m)
{
	m->conn = c;
	m->begun = false;
	list_append(&c->queue, &m->link);
}

bool conn_remove(struct sheep_conn *c, struct sheep_msg *m)
{
	if (m->begun)
		return false;
	list_remove(&m->link);
	m->conn = NULL;
	return true;
}

short conn_events(const struct sheep_conn *c)
{
	bool out = c->state == CONN_CONNECTING || c->sending || !list_empty(&c->queue);

	return POLLIN | (out ? POLLOUT : 0);
}

/* -- slices -- */

/* The bytes of a slice from `done` on, as many as n entries can name; returns how many
 * entries. */
static int slice_iov(const struct sheep_slice *s, size_t done, struct iovec *out, int n)
{
	size_t skip = s->skip + done, left = s->len - done;
	int count = 0;

	for (int i = 0; i < s->iovcnt && left && count < n; i++) {
		const struct iovec *v = &s->iov[i];

		if (skip >= v->iov_len) {
			skip -= v->iov_len;
			continue;
		}

		size_t len = MIN(v->iov_len - skip, left);

		out[count++] = (struct iovec){ (char *)v->iov_base + skip, len };
		left -= len;
		skip = 0;
	}
	return count;
}

/* -- out -- */

static bool next_to_send(struct sheep_conn *c)
{
	struct list *l = list_shift(&c->queue);

	if (!l)
		return false;
	c->sending = container_of(l, struct sheep_msg, link);
	c->sending->begun = true;
	c->out_done = 0;
	sheep_encode(&c->sending->request, c->sending->out.len, c->out_head);
	return true;
}

static ssize_t send_some(struct sheep_conn *c)
{
	const struct sheep_slice *payload = &c->sending->out;
	struct iovec iov[MAX_IOV];
	struct msghdr h = { .msg_iov = iov };
	size_t done = c->out_done;

	if (done < SHEEP_HEAD) {
		iov[0] = (struct iovec){ c->out_head + done, SHEEP_HEAD - done };
		h.msg_iovlen = 1;
		done = SHEEP_HEAD;
	}
	h.msg_iovlen += slice_iov(payload, done - SHEEP_HEAD, iov + h.msg_iovlen,
				  MAX_IOV - h.msg_iovlen);
	return sendmsg(c->fd, &h, MSG_NOSIGNAL);
}

int conn_write(struct sheep_conn *c, struct error *err)
{
	while (c->sending || next_to_send(c)) {
		ssize_t n = send_some(c);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return error_errno(err, "the connection to the sheep %s broke",
					   c->where.text);
		c->out_done += n;
		if (c->out_done == SHEEP_HEAD + c->sending->out.len)
			list_append(&c->sent, &take(c->sending)->link);
	}
	return 0;
}

/* -- in -- */

static struct sheep_msg *find_sent(struct sheep_conn *c, uint32_t id)
{
	list_for_each (l, &c->sent) {
		struct sheep_msg *m = container_of(l, struct sheep_msg, link);

		if (m->request.id == id)
			return m;
	}
	return NULL;
}

static int broke_protocol(const struct sheep_conn *c, const char *how, struct error *err)
{
	return error_set(err, EIO,
			 "the sheep %s broke the protocol: it %s; is that a sheep of "
			 "Sheepdog 1.0?",
			 c->where.text, how);
}

static int check_reply(const struct sheep_conn *c, const struct sheep_msg *m,
		       struct error *err)
{
	const struct sheep_reply *r = &c->reply;

	if (r->opcode != m->request.opcode)
		return broke_protocol(c, "answered another request", err);
	if (r->data_length > m->in.len)
		return broke_protocol(c, "sent more than was asked for", err);
	if (r->opcode == SHEEP_READ && !r->result && r->data_length != m->in.len)
		return broke_protocol(c, "sent less than it said it read", err);
	return 0;
}

/* The header is complete: whose answer is it? */
static int begin_answer(struct sheep_conn *c, struct error *err)
{
	struct sheep_msg *m;

	sheep_decode(c->in_head, &c->reply);
	m = find_sent(c, c->reply.id);
	c->in_total = SHEEP_HEAD + c->reply.data_length;
	if (m) {
		list_remove(&m->link);
		c->receiving = m;
		return check_reply(c, m, err);
	}
	if (!c->dropped || c->reply.data_length > MAX_DROPPED)
		return broke_protocol(c, "answered what it was not asked", err);
	c->dropped--;
	return 0;
}

static ssize_t receive_some(struct sheep_conn *c)
{
	char nowhere[DROP];
	struct iovec iov[MAX_IOV];
	struct msghdr h = { .msg_iov = iov };
	size_t done = c->in_done - MIN(c->in_done, SHEEP_HEAD);

	if (c->in_done < SHEEP_HEAD)
		return recv(c->fd, c->in_head + c->in_done, SHEEP_HEAD - c->in_done, 0);

	size_t left = c->in_total - c->in_done;

	if (!c->receiving || !c->receiving->in.iov)
		return recv(c->fd, nowhere, MIN(left, DROP), 0);

	struct sheep_slice part = c->receiving->in;

	part.len = c->reply.data_length;
	h.msg_iovlen = slice_iov(&part, done, iov, MAX_IOV);
	return recvmsg(c->fd, &h, 0);
}

static void end_answer(struct sheep_conn *c)
{
	struct sheep_msg *m = take(c->receiving);
	struct sheep_reply reply = c->reply;

	c->in_done = 0;
	if (m)
		session_answered(c->session, c, m, &reply);
}

int conn_read(struct sheep_conn *c, struct error *err)
{
	int r;

	for (int answers = 0; answers < MANY;) {
		ssize_t n = receive_some(c);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return error_errno(err, "the connection to the sheep %s broke",
					   c->where.text);
		if (n == 0)
			return error_set(err, ECONNRESET,
					 "the sheep %s closed the connection",
					 c->where.text);
		c->since_ns = clock_now();
		c->in_done += n;
		if (c->in_done == SHEEP_HEAD && (r = begin_answer(c, err)) < 0)
			return r;
		if (c->in_done >= SHEEP_HEAD && c->in_done == c->in_total) {
			end_answer(c);
			answers++;
			if (c->state == CONN_FREE) /* for what the answer was */
				return 0;
		}
	}
	return 0;
}
