/*
 * The least that a client of a sheep does, to compare with: reads or writes blocks of a VDI
 * whose objects all exist, a fixed number of requests under way on one connection; or looks
 * at the headers of all VDIs.
 *
 *	sheep_raw PORT read|write VDI SIZE BLOCK DEPTH COUNT STEP
 *	sheep_raw PORT list
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER 48
#define OBJECT (4u << 20)
#define BITMAP (2u << 20)
#define INODE_HEAD 568
#define LIST_DEPTH 64

enum { READ = 2, WRITE = 3, INFO = 0x14, VDIS = 0x15 };

struct header {
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

_Static_assert(sizeof(struct header) == HEADER, "as on the wire");

static int sheep;
static char *buffer;

static void take(void *data, size_t size)
{
	for (ssize_t n; size > 0; size -= n, data = (char *)data + n)
		if ((n = recv(sheep, data, size, MSG_WAITALL)) <= 0)
			err(1, "recv");
}

static void give(const void *data, size_t size)
{
	for (ssize_t n; size > 0; size -= n, data = (const char *)data + n)
		if ((n = send(sheep, data, size, 0)) < 0)
			err(1, "send");
}

static void ask(uint8_t opcode, uint64_t oid, uint32_t offset, uint32_t length)
{
	struct header h = {
		.version = 1, .opcode = opcode, .flags = opcode == WRITE || opcode == INFO,
		.length = length, .oid = oid, .offset = offset,
	};

	give(&h, sizeof(h));
	if (h.flags)
		give(buffer, length);
}

static struct header answer(void)
{
	struct header h;

	take(&h, sizeof(h));
	if (h.result)
		errx(1, "opcode %#x: result %#x", h.opcode, h.result);
	take(buffer, h.length);
	return h;
}

static void stream(uint8_t opcode, const char *vdi, char **args)
{
	uint64_t size = strtoull(args[0], NULL, 0), block = strtoull(args[1], NULL, 0);
	uint64_t depth = strtoull(args[2], NULL, 0), count = strtoull(args[3], NULL, 0);
	uint64_t step = strtoull(args[4], NULL, 0), vid, at = 0;

	strcpy(buffer, vdi);
	ask(INFO, 0, 0, 512);
	vid = answer().vid;
	for (uint64_t i = 0; i < count + depth; i++) {
		if (i >= depth)
			answer();
		if (i >= count)
			continue;
		ask(opcode, vid << 32 | at / OBJECT, at % OBJECT, block);
		at = (at + step) % size;
	}
}

static void list(void)
{
	static char bits[BITMAP];
	size_t under_way = 0;

	ask(VDIS, 0, 0, BITMAP);
	answer();
	memcpy(bits, buffer, BITMAP);
	for (uint64_t vid = 0; vid < 8 * BITMAP; vid++) {
		if (!(bits[vid >> 3] >> (vid & 7) & 1))
			continue;
		ask(READ, 1ull << 63 | vid << 32, 0, INODE_HEAD);
		if (++under_way > LIST_DEPTH) {
			answer();
			under_way--;
		}
	}
	while (under_way--)
		answer();
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int one = 1;

	if (argc != 9 && argc != 3)
		errx(2, "usage: sheep_raw PORT read|write VDI SIZE BLOCK DEPTH COUNT STEP | list");
	at.sin_port = htons(atoi(argv[1]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sheep = socket(AF_INET, SOCK_STREAM, 0);
	buffer = calloc(1, OBJECT);
	if (!buffer || connect(sheep, (struct sockaddr *)&at, sizeof(at)) < 0)
		err(1, "connect");
	setsockopt(sheep, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (argc == 3)
		list();
	else
		stream(!strcmp(argv[2], "read") ? READ : WRITE, argv[3], argv + 4);
	free(buffer);
	close(sheep);
	return 0;
}
