/*
 * How large the cluster is: what its nodes have, together, divided by how often each
 * object is kept. A node that does not answer counts for nothing; one that cannot be
 * reached from here at all makes no difference to the others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sheepdog/sheep.h"
#include "backends/sheepdog/sheep_nodes.h"
#include "backends/sheepdog/sheep_wire.h"
#include "backends/support/clock.h"

#define NODES_NS (2 * NS_PER_S) /* for all of them */

struct total {
	uint64_t size, free;
};

static int read_nodes(struct sheep_pool *sp, struct address *list, size_t *stores,
		      struct call *call, struct error *err)
{
	AUTO_FREE uint8_t *room = malloc(SHEEP_NODES_ROOM);
	struct sheep_question q = { .request.opcode = SHEEP_GET_NODES,
				    .in = room,
				    .in_len = SHEEP_NODES_ROOM };
	int r;

	if (!room)
		return error_code(err, ENOMEM, "cannot list the cluster's nodes");
	r = sheep_ask(sp, &q, 1, call, err);
	if (r == 0 && q.reply.result)
		r = sheep_failure(q.reply.result, err, "cannot list the cluster's nodes");
	if (r == 0)
		nodes_decode(room, q.reply.data_length, q.reply.node.count, list, stores);
	return r;
}

static void add(struct total *t, const struct sheep_reply *reply)
{
	t->size += reply->node.size;
	t->free += reply->node.free;
}

static uint64_t deadline_of_nodes(const struct call *call)
{
	uint64_t at = clock_now() + NODES_NS;

	return call->deadline_ns && call->deadline_ns < at ? call->deadline_ns : at;
}

static int sum_nodes(struct sheep_pool *sp, struct total *t, struct call *call,
		     struct error *err)
{
	AUTO_FREE struct address *list = calloc(MAX_NODES, sizeof(*list));
	AUTO_FREE struct wire *wires = calloc(MAX_NODES, sizeof(*wires));
	size_t n = 0;
	int r;

	if (!list || !wires)
		return error_code(err, ENOMEM, "cannot look at the cluster's nodes");
	r = read_nodes(sp, list, &n, call, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		wires[i].where = &list[i];
	wire_ask(wires, n, SHEEP_STAT_SHEEP, 0, deadline_of_nodes(call));
	for (size_t i = 0; i < n; i++)
		if (wires[i].answered && !wires[i].reply.result)
			add(t, &wires[i].reply);
	return 0;
}

static int ask_gateway(struct sheep_pool *sp, uint8_t opcode, struct sheep_reply *reply,
		       struct call *call, struct error *err)
{
	struct sheep_question q = { .request.opcode = opcode };
	int r = sheep_ask(sp, &q, 1, call, err);

	if (r == 0 && q.reply.result)
		r = sheep_failure(q.reply.result, err,
				  "cannot ask for the cluster's size");
	*reply = q.reply;
	return r;
}

/* Of n bytes on disks, what can be stored: with erasure code data:parity, else
 * 1:copies-1. */
static uint64_t usable(uint64_t n, const struct sheep_reply *reply)
{
	unsigned data = (reply->cluster.copy_policy >> 4) * 2;
	unsigned parity = reply->cluster.copy_policy & 15;

	if (reply->cluster.copy_policy && data)
		return n / (data + parity) * data;
	return n / (reply->cluster.copies ? reply->cluster.copies : 1);
}

int sheep_pool_stat(void *pool, struct pool_stat *out, struct call *call,
		    struct error *err)
{
	struct sheep_pool *sp = pool;
	struct total t = { 0 };
	struct sheep_reply own = { 0 }, copies = { 0 };
	int r = sum_nodes(sp, &t, call, err);

	if (r == 0)
		r = ask_gateway(sp, SHEEP_GET_DEFAULT, &copies, call, err);
	if (r == 0 && !t.size) {
		r = ask_gateway(sp, SHEEP_STAT_SHEEP, &own, call, err);
		if (r == 0)
			add(&t, &own);
	}
	if (r < 0)
		return r;
	if (t.free > t.size)
		t.free = t.size;
	out->capacity = usable(t.size, &copies);
	out->available = usable(t.free, &copies);
	out->allocation = out->capacity - out->available;
	return 0;
}
