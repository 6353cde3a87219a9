/* The other end of uevent.c's socket, and a host that writes down what it is told.
 *
 * `lock` guards the socket; each heard has its own. */
#include "device_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"

#define WAIT_NS (60 * NS_PER_S)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ours = -1;

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len);

int __wrap_socket(int domain, int type, int protocol)
{
	int pair[2];

	SCOPED_LOCK(&lock);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) <
	    0)
		return -1;
	if (ours >= 0)
		close(ours);
	ours = pair[0];
	return pair[1];
}

int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len)
{
	return 0;
}

static const char *value(const char *const *words, const char *name)
{
	size_t n = strlen(name);

	for (; *words; words++)
		if (!strncmp(*words, name, n) && (*words)[n] == '=')
			return *words + n + 1;
	return "";
}

void event_send(const char *const *words)
{
	char data[2048];
	size_t len = 1 + snprintf(data, sizeof(data), "%s@%s", value(words, "ACTION"),
				  value(words, "DEVPATH"));

	for (; *words; words++)
		len += 1 + snprintf(data + len, sizeof(data) - len, "%s", *words);
	SCOPED_LOCK(&lock);
	/* a full queue is not what is tried here */
	while (send(ours, data, len, MSG_NOSIGNAL) < 0)
		usleep(1000);
}

/* -- the host -- */

__attribute__((format(printf, 2, 3))) static void note(struct heard *h, const char *fmt,
						       ...)
{
	va_list ap;

	SCOPED_LOCK(&h->lock);
	if (h->n == sizeof(h->lines) / sizeof(*h->lines))
		return;
	va_start(ap, fmt);
	vsnprintf(h->lines[h->n++], sizeof(h->lines[0]), fmt, ap);
	va_end(ap);
	pthread_cond_broadcast(&h->more);
}

static void changed(void *ctx, enum change what, const char *volume)
{
	static const char *const words[] = { [CHANGE_ADDED] = "added ",
					     [CHANGE_REMOVED] = "removed ",
					     [CHANGE_DATA] = "data ",
					     [CHANGE_ALL] = "all" };

	note(ctx, "%s%s", words[what], volume ? volume : "");
}

static void lost(void *ctx, const struct error *err)
{
	if (err)
		note(ctx, "lost %s", err->text);
	else
		note(ctx, "back");
}

static void failed(void *ctx, const char *volume, const struct error *err)
{
	note(ctx, "failed %s: %s", volume, err->text);
}

void heard_init(struct heard *h)
{
	*h = (struct heard){
		.host = { .ctx = h, .changed = changed, .lost = lost, .failed = failed }
	};
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->more, NULL);
}

void heard_next(struct heard *h, const char *line)
{
	struct timespec end = clock_timespec(clock_now() + WAIT_NS);

	SCOPED_LOCK(&h->lock);
	while (h->seen == h->n)
		if (pthread_cond_clockwait(&h->more, &h->lock, CLOCK_MONOTONIC, &end))
			fail_msg("nothing was told, instead of '%s'", line);
	if (strncmp(h->lines[h->seen], line, strlen(line)))
		fail_msg("'%s' was told, instead of '%s'", h->lines[h->seen], line);
	h->seen++;
}

bool heard_all(struct heard *h)
{
	SCOPED_LOCK(&h->lock);
	return h->seen == h->n;
}
