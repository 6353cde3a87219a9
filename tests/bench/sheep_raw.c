/*
 * The least that a client of a sheep does, to compare with: reads or writes blocks of a VDI
 * whose objects all exist, a fixed number of requests under way on one connection; or makes
 * its objects of what it reads, each in one request; or looks at the headers of all VDIs.
 *
 *	sheep_raw HOST:PORT read|write VDI SIZE BLOCK DEPTH COUNT STEP
 *	sheep_raw HOST:PORT fill VDI SIZE DEPTH <DATA
 *	sheep_raw HOST:PORT list
 */
#include <arpa/inet.h>
#include <err.h>
#include <netdb.h>
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
#define MAP_AT 4664
#define LIST_DEPTH 64

enum { CREATE = 1, READ = 2, WRITE = 3, INFO = 0x14, VDIS = 0x15 };

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

static void give(const void *data, size_t size, int flags)
{
	for (ssize_t n; size > 0; size -= n, data = (const char *)data + n)
		if ((n = send(sheep, data, size, flags)) < 0)
			err(1, "send");
}

static void ask_as(uint32_t id, uint8_t opcode, uint64_t oid, uint32_t offset,
		   const void *data, uint32_t length)
{
	struct header h = {
		.version = 1, .opcode = opcode, .flags = opcode != READ && opcode != VDIS,
		.id = id, .length = length, .oid = oid, .offset = offset,
	};

	give(&h, sizeof(h), h.flags ? MSG_MORE : 0);
	if (h.flags)
		give(data, length, 0);
}

static void ask(uint8_t opcode, uint64_t oid, uint32_t offset, uint32_t length)
{
	ask_as(0, opcode, oid, offset, buffer, length);
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

static uint64_t find(const char *vdi)
{
	strcpy(buffer, vdi);
	ask(INFO, 0, 0, 512);
	return answer().vid;
}

static void stream(uint8_t opcode, const char *vdi, char **args)
{
	uint64_t size = strtoull(args[0], NULL, 0), block = strtoull(args[1], NULL, 0);
	uint64_t depth = strtoull(args[2], NULL, 0), count = strtoull(args[3], NULL, 0);
	uint64_t step = strtoull(args[4], NULL, 0), vid = find(vdi), at = 0;

	for (uint64_t i = 0; i < count + depth; i++) {
		if (i >= depth)
			answer();
		if (i >= count)
			continue;
		ask(opcode, vid << 32 | at / OBJECT, at % OBJECT, block);
		at = (at + step) % size;
	}
}

/* Each object, then its entry in the map: the answer that has the highest bit of its id. */
static void fill(const char *vdi, char **args)
{
	uint64_t objects = strtoull(args[0], NULL, 0) / OBJECT, vid = find(vdi);
	uint64_t depth = strtoull(args[1], NULL, 0), made = 0;
	uint32_t entry = vid, stored = 1u << 31;

	for (uint64_t ended = 0; ended < objects;) {
		struct header h;

		if (made < objects && made - ended < depth) {
			if (fread(buffer, OBJECT, 1, stdin) != 1)
				errx(1, "there is too little data");
			ask_as(made, CREATE, vid << 32 | made, 0, buffer, OBJECT);
			made++;
			continue;
		}
		h = answer();
		if (h.id & stored)
			ended++;
		else
			ask_as(h.id | stored, WRITE, 1ull << 63 | vid << 32, MAP_AT + 4 * h.id,
			       &entry, sizeof(entry));
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

static void open_connection(char *where)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *at;
	char *port = strrchr(where, ':');
	int one = 1;

	if (!port)
		errx(2, "%s: no port", where);
	*port++ = 0;
	if (getaddrinfo(where, port, &hints, &at))
		errx(1, "%s: no such host", where);
	sheep = socket(at->ai_family, SOCK_STREAM, 0);
	if (connect(sheep, at->ai_addr, at->ai_addrlen) < 0)
		err(1, "connect");
	setsockopt(sheep, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	freeaddrinfo(at);
}

int main(int argc, char **argv)
{
	const char *way = argc > 2 ? argv[2] : "";

	if (!(argc == 9 && (!strcmp(way, "read") || !strcmp(way, "write"))) &&
	    !(argc == 6 && !strcmp(way, "fill")) && !(argc == 3 && !strcmp(way, "list")))
		errx(2, "usage: sheep_raw HOST:PORT read|write VDI SIZE BLOCK DEPTH COUNT STEP | "
			"fill VDI SIZE DEPTH | list");
	buffer = calloc(1, OBJECT);
	if (!buffer)
		err(1, "memory");
	open_connection(argv[1]);
	if (argc == 3)
		list();
	else if (argc == 6)
		fill(argv[3], argv + 4);
	else
		stream(!strcmp(way, "read") ? READ : WRITE, argv[3], argv + 4);
	free(buffer);
	close(sheep);
	return 0;
}
