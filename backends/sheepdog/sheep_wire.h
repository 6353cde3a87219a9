/* One question to many sheep at once, each on a connection of its own: for what only the
 * node itself can say, and for sheep that we have no session with. */
#pragma once

#include "backends/backend.h"
#include "backends/common/address.h"
#include "backends/sheepdog/sheep_proto.h"

#define WIRE_ROOM SHEEP_EPOCH_ROOM

struct wire {
	const struct address *where;
	/* the answer */
	bool answered;
	struct sheep_reply reply;
	uint8_t in[WIRE_ROOM]; /* its payload */
	int code;	       /* of the connection's failure */
	/* its own */
	int fd;
	size_t out_done, in_done;
	uint8_t head[SHEEP_HEAD];
};

/* Returns how many have answered by the deadline, which is one. */
size_t wire_ask(struct wire *w, size_t n, uint8_t opcode, size_t room,
		uint64_t deadline_ns);
