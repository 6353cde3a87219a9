/* Short-lived connections, one question each, all waited for together. */
#include "backends/sheepdog/sheep_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/support/clock.h"

static void hang_up(struct wire *w, int code)
{
	close(w->fd);
	w->fd = -1;
	w->code = code;
}

static void call_up(struct wire *w)
{
	w->fd = socket(w->where->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0);
	if (w->fd < 0)
		w->code = errno;
	else if (connect(w->fd, (const struct sockaddr *)&w->where->sa,
			 w->where->sa_len) < 0 &&
		 errno != EINPROGRESS)
		hang_up(w, errno);
}

static void speak(struct wire *w, const uint8_t request[SHEEP_HEAD])
{
	ssize_t n = send(w->fd, request + w->out_done, SHEEP_HEAD - w->out_done,
			 MSG_NOSIGNAL);

	if (n >= 0)
		w->out_done += n;
	else if (errno != EAGAIN && errno != EINTR)
		hang_up(w, errno);
}

/* The whole answer is there, or it makes no sense. */
static void check(struct wire *w, uint8_t opcode, size_t room)
{
	if (w->in_done < SHEEP_HEAD)
		return;
	sheep_decode(w->head, &w->reply);
	if (w->reply.opcode != opcode || w->reply.data_length > room) {
		hang_up(w, EIO);
	} else if (w->in_done == SHEEP_HEAD + w->reply.data_length) {
		w->answered = true;
		hang_up(w, 0);
	}
}

static void listen_to(struct wire *w, uint8_t opcode, size_t room)
{
	bool head = w->in_done < SHEEP_HEAD;
	uint8_t *at = head ? w->head + w->in_done : w->in + (w->in_done - SHEEP_HEAD);
	size_t left = head ? SHEEP_HEAD - w->in_done
			   : SHEEP_HEAD + w->reply.data_length - w->in_done;
	ssize_t n = recv(w->fd, at, left, 0);

	if (n > 0) {
		w->in_done += n;
		check(w, opcode, room);
	} else if (n == 0) {
		hang_up(w, ECONNRESET);
	} else if (errno != EAGAIN && errno != EINTR) {
		hang_up(w, errno);
	}
}

static size_t wait_for(struct wire *w, size_t n, struct pollfd *fds, uint64_t deadline)
{
	size_t open = 0;

	for (size_t i = 0; i < n; i++) {
		fds[i] = (struct pollfd){
			.fd = w[i].fd,
			.events = w[i].out_done < SHEEP_HEAD ? POLLOUT : POLLIN,
		};
		open += w[i].fd >= 0;
	}
	if (open && poll(fds, n, deadline_poll_ms(deadline)) < 0)
		for (size_t i = 0; i < n; i++)
			fds[i].revents = 0;
	return open;
}

size_t wire_ask(struct wire *w, size_t n, uint8_t opcode, size_t room,
		uint64_t deadline_ns)
{
	AUTO_FREE struct pollfd *fds = calloc(n + 1, sizeof(*fds));
	struct sheep_request request = { .opcode = opcode,
					 .id = 1,
					 .data_length = MIN(room, WIRE_ROOM) };
	uint8_t out[SHEEP_HEAD];
	size_t answered = 0;

	if (!fds)
		return 0;
	sheep_encode(&request, false, out);
	for (size_t i = 0; i < n; i++)
		call_up(&w[i]);
	while (wait_for(w, n, fds, deadline_ns) && !deadline_passed(deadline_ns))
		for (size_t i = 0; i < n; i++) {
			if (w[i].fd >= 0 && fds[i].revents && w[i].out_done < SHEEP_HEAD)
				speak(&w[i], out);
			else if (w[i].fd >= 0 && fds[i].revents)
				listen_to(&w[i], opcode, request.data_length);
		}
	for (size_t i = 0; i < n; i++) {
		if (w[i].fd >= 0)
			hang_up(&w[i], ETIMEDOUT);
		answered += w[i].answered;
	}
	return answered;
}
