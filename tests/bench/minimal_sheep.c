/*
 * The least filesystem that shows a VDI to one who reads it from end to end, without
 * libfuse: what FUSE and the bytes from a sheep cost together. minimal_sheep MOUNT PORT
 * VDI SIZE shows it as MOUNT/data: one thread, some pieces ahead. It needs root.
 */
#include "minimal.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#define OBJECT (4u << 20)
#define SLOTS  6

enum { READ = 2, INFO = 0x14 };

struct message {
	uint8_t version, opcode;
	uint16_t flags;
	uint32_t epoch, id, length;
	union {
		struct {
			uint64_t oid, cow_oid;
			uint32_t copies, tgt_epoch, offset, pad;
		};
		struct {
			uint32_t result, pad1, vid;
		};
	};
};

static struct slot {
	_Alignas(4096) char bytes[BUFFER];
	bool there;
} slots[SLOTS];
static _Alignas(4096) char room[HEADER + BUFFER];
static struct message answer;
static size_t got; /* of the answer, its bytes included */
static int sheep;
static uint64_t vid, size, asked, served; /* bytes */
static unsigned under_way;
static struct fuse_in_header waiting; /* unique 0: nobody */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void ask(const struct message *m, const void *data)
{
	if (send(sheep, m, sizeof(*m), data ? MSG_MORE : 0) != sizeof(*m) ||
	    (data && send(sheep, data, m->length, 0) != (ssize_t)m->length))
		die("asking");
}

static void ask_ahead(void)
{
	for (; asked < size && asked < served + SLOTS * (uint64_t)BUFFER; asked += BUFFER) {
		struct message m = {
			.version = 1, .opcode = READ, .id = asked / BUFFER % SLOTS,
			.length = BUFFER, .oid = vid << 32 | asked / OBJECT,
			.offset = asked % OBJECT,
		};

		ask(&m, NULL);
		under_way++;
	}
}

static void serve_waiting(void)
{
	struct slot *s = &slots[served / BUFFER % SLOTS];

	if (!waiting.unique || !s->there)
		return;
	reply(&waiting, 0, s->bytes, BUFFER);
	waiting.unique = 0;
	s->there = false;
	served += BUFFER;
	ask_ahead();
}

static void receive(int flags)
{
	char *to = got < sizeof(answer) ? (char *)&answer + got :
					  slots[answer.id].bytes + got - sizeof(answer);
	size_t all = sizeof(answer) + (got < sizeof(answer) ? 0 : BUFFER);
	ssize_t n = recv(sheep, to, all - got, flags);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("recv");
	got += n;
	if (got == sizeof(answer) &&
	    (answer.result || answer.id >= SLOTS || answer.length != BUFFER))
		die("an answer");
	if (got < sizeof(answer) + BUFFER)
		return;
	slots[answer.id].there = true;
	got = 0;
	under_way--;
}

static uint64_t size_of_data(void)
{
	return size;
}

static struct fuse_in_header *request_room(void)
{
	return (void *)room;
}

static void do_open(const struct fuse_in_header *in)
{
	struct fuse_open_out out = { .open_flags = OPEN_DIRECT };

	while (under_way)
		receive(0);
	for (int i = 0; i < SLOTS; i++)
		slots[i].there = false;
	asked = served = 0;
	reply(in, 0, &out, sizeof(out));
}

static void do_read(struct fuse_in_header *in)
{
	const struct fuse_read_in *arg = (const void *)(in + 1);

	if (arg->offset >= size) {
		reply(in, 0, NULL, 0);
	} else if (arg->offset != served || arg->size != BUFFER || waiting.unique) {
		reply(in, EINVAL, NULL, 0);
	} else {
		waiting = *in;
		ask_ahead();
	}
}

static void do_write(struct fuse_in_header *in)
{
	reply(in, EROFS, NULL, 0);
}

static void connect_to(const char *port, const char *vdi)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(port)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct message m = { .version = 1, .opcode = INFO, .flags = 1, .length = 512 };
	char name[512] = "";
	int one = 1;

	snprintf(name, sizeof(name), "%s", vdi);
	sheep = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(sheep, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("connect");
	setsockopt(sheep, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ask(&m, name);
	if (recv(sheep, &m, sizeof(m), MSG_WAITALL) != sizeof(m) || m.result)
		die("the VDI");
	vid = m.vid;
}

static void loop(void)
{
	static const struct shown data = {
		.size = size_of_data, .open = do_open, .read = do_read, .write = do_write,
		.room = request_room,
	};
	struct pollfd fds[] = { { device, POLLIN, 0 }, { sheep, POLLIN, 0 } };

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents && serve_one(&data) < 0)
			return;
		if (fds[1].revents)
			receive(MSG_DONTWAIT);
		serve_waiting();
	}
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fputs("usage: minimal_sheep MOUNT PORT VDI SIZE\n", stderr);
		return 2;
	}
	size = strtoull(argv[4], NULL, 0);
	connect_to(argv[2], argv[3]);
	if (mount_at(argv[1]) != 0)
		return 1;
	fcntl(device, F_SETFL, O_NONBLOCK);
	loop();
}
