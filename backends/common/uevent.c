/*
 * Listening to the kernel's device events with the process's one netlink socket.
 *
 * `lock` guards everything here and is held while callbacks run: this is how
 * uevent_remove knows that none is under way. The thread of a listener whose last watch
 * is gone is joined without the lock.
 */
#include "backends/common/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "backends/support/cleanup.h"
#include "backends/support/list.h"
#include "backends/support/thread.h"

#define KERNEL_GROUP 1
#define MESSAGE_SIZE (16 << 10)
#define QUEUE_SIZE   (4 << 20) /* a rescan of a thousand disks */

struct listener {
	int socket, wake;
	pthread_t thread;
};

struct uevent_watch {
	struct list link;
	uevent_fn fn;
	void *arg;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list watches = LIST_INIT(watches);
static struct listener *current; /* NULL: nobody watches */

/* -- an event -- */

const char *uevent_get(const struct uevent *e, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = e->text; at < e->text + e->len; at += strlen(at) + 1)
		if (!strncmp(at, name, n) && at[n] == '=')
			return at + n + 1;
	return NULL;
}

/* "add@/devices/…" comes first, and is said again behind it. */
bool uevent_read(const char *data, size_t len, struct uevent *out)
{
	size_t first = strnlen(data, len) + 1;

	if (first >= len || !memchr(data, '@', first - 1))
		return false;
	*out = (struct uevent){ data + first, len - first };
	return true;
}

static void tell(const struct uevent *e)
{
	SCOPED_LOCK(&lock);
	list_for_each (l, &watches) {
		struct uevent_watch *w = container_of(l, struct uevent_watch, link);

		w->fn(w->arg, e);
	}
}

/* -- the listener -- */

/* One message; false: there is none. Anybody may send to the socket: only what the kernel
 * sent counts. */
static bool receive(struct listener *l)
{
	char data[MESSAGE_SIZE + 1];
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	struct uevent e;
	ssize_t n = recvfrom(l->socket, data, MESSAGE_SIZE, 0, (struct sockaddr *)&from,
			     &from_len);

	if (n < 0 && errno == ENOBUFS)
		tell(NULL);
	else if (n < 0)
		return errno == EINTR;
	data[n > 0 ? n : 0] = '\0';
	if (n > 0 && from.nl_pid == 0 && uevent_read(data, n, &e))
		tell(&e);
	return true;
}

static void *run(void *arg)
{
	struct listener *l = arg;
	struct pollfd p[] = {
		{ .fd = l->socket, .events = POLLIN },
		{ .fd = l->wake, .events = POLLIN },
	};

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			return NULL;
		while (receive(l))
			;
	}
}

static void free_listener(struct listener *l)
{
	if (l->socket >= 0)
		close(l->socket);
	if (l->wake >= 0)
		close(l->wake);
	free(l);
}
DEFINE_CLEANUP(cleanup_listener, struct listener *, free_listener)

static int open_socket(void)
{
	struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	AUTO_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
				NETLINK_KOBJECT_UEVENT);
	int size = QUEUE_SIZE;

	if (fd < 0)
		return -1;
	/* without the privilege the system's usual size has to do */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -1;
	return take_fd(&fd);
}

/* Under lock. */
static int start_listener(struct error *err)
{
	CLEANUP(cleanup_listener) struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return error_code(err, ENOMEM, "cannot watch devices");
	l->wake = -1;
	l->socket = open_socket();
	if (l->socket >= 0)
		l->wake = eventfd(0, EFD_CLOEXEC);
	if (l->wake < 0)
		return error_errno(err, "cannot watch devices");
	r = thread_start(&l->thread, "uevent", run, l);
	if (r < 0)
		return error_code(err, -r,
				  "cannot start the thread that watches devices");
	current = take(l);
	return 0;
}

static void end_listener(struct listener *l)
{
	uint64_t one = 1;

	if (!l)
		return;
	while (write(l->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(l->thread, NULL);
	free_listener(l);
}

/* -- watches -- */

int uevent_add(uevent_fn fn, void *arg, struct uevent_watch **out, struct error *err)
{
	AUTO_FREE struct uevent_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_code(err, ENOMEM, "cannot watch devices");
	w->fn = fn;
	w->arg = arg;
	SCOPED_LOCK(&lock);
	r = current ? 0 : start_listener(err);
	if (r < 0)
		return r;
	list_append(&watches, &w->link);
	*out = take(w);
	return 0;
}

void uevent_remove(struct uevent_watch *w)
{
	struct listener *unused = NULL;

	if (!w)
		return;
	pthread_mutex_lock(&lock);
	list_remove(&w->link);
	if (list_empty(&watches))
		unused = take(current);
	pthread_mutex_unlock(&lock);
	end_listener(unused);
	free(w);
}
