/* The nodes of a cluster, as one of its sheep names them: others to go to. */
#pragma once

#include "backends/sheepdog/sheep_session.h"

#define MAX_NODES 64

struct sheep_nodes {
	struct address *list;
	size_t n;
	struct sheep_msg msg;
	struct iovec iov;
	void *room; /* while a sheep is asked */
};

/* Asks the session's sheep; the list changes when it answers. */
void nodes_ask(struct sheep_nodes *, struct sheep_session *);
void nodes_clear(struct sheep_nodes *);

/* A node list as addresses, at most MAX_NODES. Returns how many, *stores of them first.
 */
size_t nodes_decode(const uint8_t *in, size_t len, uint32_t count,
		    struct address out[MAX_NODES], size_t *stores);

void node_address(const struct sheep_node *, struct address *out);
