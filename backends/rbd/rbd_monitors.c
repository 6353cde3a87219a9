/*
 * Which addresses of a definition are Ceph monitors, and which protocol each speaks: a
 * monitor says so as soon as it is connected to, "ceph v2" or "ceph v027".
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>

#include "backends/common/address.h"
#include "backends/support/clock.h"

#define PORT_V2	   3300
#define PORT_V1	   6789
#define BANNER_LEN 8
#define MOST	   64 /* addresses that are asked */

/* For others, once one has answered. */
#define GRACE_NS (200 * NS_PER_MS)

struct monitor {
	struct address address;
	int fd;
	bool connected;
	int version; /* 0: it has not spoken */
	int code;    /* why it will not; 0: it may yet */
	char banner[BANNER_LEN];
	size_t have;
};

struct monitors {
	struct monitor list[MOST];
	size_t n;
};

static void monitors_close(struct monitors *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].fd >= 0)
			close(m->list[i].fd);
}

static void set_port(struct address *a, unsigned port)
{
	char *colon = strrchr(a->text, ':');

	a->port = port;
	if (a->sa.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&a->sa)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&a->sa)->sin_port = htons(port);
	if (colon)
		snprintf(colon, sizeof(a->text) - (colon - a->text), ":%u", port);
}

static void add_monitor(struct monitors *m, const struct address *a, unsigned port)
{
	if (m->n == MOST)
		return;
	m->list[m->n] = (struct monitor){ .address = *a, .fd = -1 };
	if (port)
		set_port(&m->list[m->n].address, port);
	m->n++;
}

/* A host that is not known is an error only where no other is. */
static int resolve(const struct pool_source *source, struct monitors *m,
		   struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < source->n_hosts; i++) {
		const struct pool_host *h = &source->hosts[i];
		AUTO_FREE struct address *found = NULL;
		int n = address_resolve(h->name, h->port, PORT_V2, &found, err);

		if (n < 0)
			r = n;
		for (int j = 0; j < n; j++) {
			add_monitor(m, &found[j], 0);
			if (!h->port)
				add_monitor(m, &found[j], PORT_V1);
		}
	}
	return m->n    ? 0
	       : r < 0 ? r
		       : error_set(err, EINVAL,
				   "the definition names no host of a Ceph monitor");
}

static void begin(struct monitor *m)
{
	m->fd = socket(m->address.sa.ss_family,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (m->fd < 0 ||
	    (connect(m->fd, (struct sockaddr *)&m->address.sa, m->address.sa_len) < 0 &&
	     errno != EINPROGRESS))
		m->code = errno;
}

static void connected(struct monitor *m)
{
	socklen_t len = sizeof(m->code);

	getsockopt(m->fd, SOL_SOCKET, SO_ERROR, &m->code, &len);
	m->connected = !m->code;
}

static void listen_to(struct monitor *m)
{
	ssize_t n = recv(m->fd, m->banner + m->have, BANNER_LEN - m->have, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		m->code = n < 0 ? errno : ECONNRESET;
		return;
	}
	m->have += n;
	if (m->have < BANNER_LEN)
		return;
	if (!memcmp(m->banner, "ceph v2\n", BANNER_LEN))
		m->version = 2;
	else if (!memcmp(m->banner, "ceph v02", BANNER_LEN))
		m->version = 1;
	else
		m->code = EPROTO;
}

static bool is_open(const struct monitor *m)
{
	return !m->version && !m->code;
}

/* Waits once, until the time at most. false: nobody is left to wait for. */
static bool wait_round(struct monitors *m, uint64_t until)
{
	struct pollfd fds[MOST];
	struct monitor *of[MOST];
	nfds_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (!is_open(&m->list[i]))
			continue;
		of[n] = &m->list[i];
		fds[n] = (struct pollfd){ .fd = m->list[i].fd,
					  .events = of[n]->connected ? POLLIN : POLLOUT };
		n++;
	}
	if (!n)
		return false;
	if (poll(fds, n, deadline_poll_ms(until)) < 0)
		return errno == EINTR;
	for (nfds_t i = 0; i < n; i++) {
		if (!fds[i].revents)
			continue;
		if (of[i]->connected)
			listen_to(of[i]);
		else
			connected(of[i]);
	}
	return true;
}

static bool any_spoke(const struct monitors *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].version)
			return true;
	return false;
}

static void ask(struct monitors *m, uint64_t deadline_ns)
{
	uint64_t until = deadline_ns;
	bool spoke = false;

	for (size_t i = 0; i < m->n; i++)
		begin(&m->list[i]);
	while (!deadline_passed(until) && wait_round(m, until))
		if (!spoke && any_spoke(m)) {
			spoke = true;
			until = clock_now() + GRACE_NS;
			if (deadline_ns)
				until = MIN(until, deadline_ns);
		}
}

/* One that speaks the newer protocol at the same address needs no second entry. */
static bool has_newer(const struct monitors *m, const struct monitor *old)
{
	size_t host = strrchr(old->address.text, ':') - old->address.text;

	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].version == 2 &&
		    !strncmp(m->list[i].address.text, old->address.text, host + 1))
			return true;
	return false;
}

static const char *what_is_wrong(const struct monitor *m)
{
	if (m->code == EPROTO)
		return "what answers there is no Ceph monitor";
	if (m->code)
		return strerrordesc_np(m->code);
	return m->connected ? "it takes the connection and says nothing"
			    : "it does not answer";
}

static int nobody_spoke(const struct monitors *m, struct error *err)
{
	AUTO_BUF struct buf why = { 0 };
	int code = ENODEV;

	for (size_t i = 0; i < m->n; i++) {
		if (!m->list[i].code)
			code = ETIMEDOUT;
		buf_printf(&why, "%s%s: %s", i ? "; " : "", m->list[i].address.text,
			   what_is_wrong(&m->list[i]));
	}
	return error_set(
		err, code,
		"no Ceph monitor can be reached (%s): check <host>, and that the "
		"monitors run",
		buf_text(&why));
}

int monitors_find(const struct pool_source *source, uint64_t deadline_ns,
		  struct buf *mon_host, struct error *err)
{
	struct monitors m CLEANUP(monitors_close) = { .n = 0 };
	int r = resolve(source, &m, err);

	if (r < 0)
		return r;
	ask(&m, deadline_ns);
	if (!any_spoke(&m))
		return nobody_spoke(&m, err);
	for (size_t i = 0; i < m.n && r == 0; i++) {
		const struct monitor *one = &m.list[i];

		if (one->version == 2 || (one->version == 1 && !has_newer(&m, one)))
			r = buf_printf(mon_host, "%sv%d:%s", mon_host->len ? "," : "",
				       one->version, one->address.text);
	}
	return r < 0 ? error_code(err, -r, "cannot connect to Ceph") : 0;
}
