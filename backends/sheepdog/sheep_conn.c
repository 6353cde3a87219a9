/*
 * The bytes of one connection to a sheep.
 *
 * A request that has begun is sent to its end, since the sheep's thread waits for it. An
 * answer is checked against its request before a byte of it is stored: a sheep that
 * breaks the protocol loses the connection.
 */
#include "backends/sheepdog/sheep_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/support/clock.h"

#define MAX_IOV	     64
#define BATCH	     16		       /* requests sent in one go */
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

/* What is to be sent of one message from `done` on; false: not all of that fits. */
static bool add_iov(struct msghdr *h, uint8_t *head, const struct sheep_slice *payload,
		    size_t done, size_t *total)
{
	size_t left = SHEEP_HEAD + payload->len - done;

	if (done < SHEEP_HEAD) {
		size_t len = SHEEP_HEAD - done;

		h->msg_iov[h->msg_iovlen++] = (struct iovec){ head + done, len };
		*total += len;
		left -= len;
		done = SHEEP_HEAD;
	}

	int n = slice_iov(payload, done - SHEEP_HEAD, h->msg_iov + h->msg_iovlen,
			  MAX_IOV - h->msg_iovlen);

	for (; n > 0; n--) {
		left -= h->msg_iov[h->msg_iovlen].iov_len;
		*total += h->msg_iov[h->msg_iovlen++].iov_len;
	}
	return !left;
}

/* The message that was begun, and some of those that wait. */
static ssize_t send_some(struct sheep_conn *c, size_t *total)
{
	uint8_t heads[BATCH][SHEEP_HEAD];
	struct iovec iov[MAX_IOV];
	struct msghdr h = { .msg_iov = iov };
	bool more = add_iov(&h, c->out_head, &c->sending->out, c->out_done, total);
	int n = 0;

	list_for_each (l, &c->queue) {
		struct sheep_msg *m = container_of(l, struct sheep_msg, link);

		if (!more || n == BATCH || h.msg_iovlen == MAX_IOV)
			break;
		sheep_encode(&m->request, m->out.len, heads[n]);
		more = add_iov(&h, heads[n++], &m->out, 0, total);
	}
	return sendmsg(c->fd, &h, MSG_NOSIGNAL);
}

static void sent(struct sheep_conn *c, size_t n)
{
	while (n && (c->sending || next_to_send(c))) {
		size_t len = SHEEP_HEAD + c->sending->out.len;
		size_t some = MIN(n, len - c->out_done);

		c->out_done += some;
		n -= some;
		if (c->out_done == len)
			list_append(&c->sent, &take(c->sending)->link);
	}
}

int conn_write(struct sheep_conn *c, struct error *err)
{
	while (c->sending || next_to_send(c)) {
		size_t total = 0;
		ssize_t n = send_some(c, &total);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return error_errno(err, "the connection to the sheep %s broke",
					   c->where.text);
		sent(c, n);
		if ((size_t)n < total)
			return 0;
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

/* Where the rest of the payload goes, and behind it what comes after. Returns how much
 * of it there is room for. */
static size_t want(struct sheep_conn *c, struct msghdr *h)
{
	struct iovec ahead = { c->ahead, sizeof(c->ahead) };
	size_t left = 0;

	if (c->in_done >= SHEEP_HEAD && c->receiving && c->receiving->in.iov) {
		struct sheep_slice part = c->receiving->in;

		part.len = c->reply.data_length;
		h->msg_iovlen = slice_iov(&part, c->in_done - SHEEP_HEAD, h->msg_iov,
					  MAX_IOV - 1);
		for (size_t i = 0; i < h->msg_iovlen; i++)
			left += h->msg_iov[i].iov_len;
	}
	if (!left || left == c->in_total - c->in_done)
		h->msg_iov[h->msg_iovlen++] = ahead;
	return left;
}

/* Returns what recvmsg does; *more: there may be more to be had now. */
static ssize_t receive(struct sheep_conn *c, bool *more)
{
	struct iovec iov[MAX_IOV];
	struct msghdr h = { .msg_iov = iov };
	size_t left = want(c, &h), all = 0;
	ssize_t n = recvmsg(c->fd, &h, 0);

	for (size_t i = 0; i < h.msg_iovlen; i++)
		all += iov[i].iov_len;
	if (n > 0) {
		c->since_ns = clock_now();
		c->in_done += MIN(left, (size_t)n);
		c->ahead_at = 0;
		c->ahead_len = n - MIN(left, (size_t)n);
	}
	*more = n == (ssize_t)all;
	return n;
}

/* The header, or some of the payload, of what came ahead. */
static void take_ahead(struct sheep_conn *c)
{
	const uint8_t *from = c->ahead + c->ahead_at;
	size_t len = c->ahead_len - c->ahead_at;

	if (c->in_done < SHEEP_HEAD) {
		len = MIN(len, SHEEP_HEAD - c->in_done);
		memcpy(c->in_head + c->in_done, from, len);
	} else {
		len = MIN(len, c->in_total - c->in_done);
		if (c->receiving)
			slice_fill(&c->receiving->in, c->in_done - SHEEP_HEAD, from, len);
	}
	c->ahead_at += len;
	c->in_done += len;
}

static void end_answer(struct sheep_conn *c)
{
	struct sheep_msg *m = take(c->receiving);
	struct sheep_reply reply = c->reply;

	c->in_done = 0;
	if (m)
		session_answered(c->session, c, m, &reply);
}

/* Ends the answer where all of it is there. */
static void complete(struct sheep_conn *c, unsigned *answers)
{
	if (c->in_done < SHEEP_HEAD || c->in_done < c->in_total)
		return;
	end_answer(c);
	++*answers;
}

static int use_ahead(struct sheep_conn *c, unsigned *answers, struct error *err)
{
	bool header = c->in_done < SHEEP_HEAD;
	int r = 0;

	take_ahead(c);
	if (header && c->in_done == SHEEP_HEAD)
		r = begin_answer(c, err);
	if (r == 0)
		complete(c, answers);
	return r;
}

static int closed(const struct sheep_conn *c, ssize_t n, struct error *err)
{
	if (n < 0)
		return error_errno(err, "the connection to the sheep %s broke",
				   c->where.text);
	return error_set(err, ECONNRESET, "the sheep %s closed the connection",
			 c->where.text);
}

int conn_read(struct sheep_conn *c, struct error *err)
{
	unsigned answers = 0;
	bool more = true;
	ssize_t n;
	int r = 0;

	while (r == 0 && c->state != CONN_FREE) { /* for what an answer was */
		if (c->ahead_at < c->ahead_len) {
			r = use_ahead(c, &answers, err);
			continue;
		}
		if (!more || answers >= MANY)
			return 0;
		do
			n = receive(c, &more);
		while (n < 0 && errno == EINTR);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return closed(c, n, err);
		complete(c, &answers);
	}
	return r;
}
