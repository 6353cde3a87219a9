/* Node lists. The loop's thread alone touches a session's. */
#include "backends/sheepdog/sheep_nodes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t no_prefix[12];

void node_address(const struct sheep_node *node, struct address *out)
{
	char text[INET6_ADDRSTRLEN];

	*out = (struct address){ .port = node->port };
	if (!memcmp(node->addr, no_prefix, sizeof(no_prefix))) {
		struct sockaddr_in *in = (struct sockaddr_in *)&out->sa;

		in->sin_family = AF_INET;
		in->sin_port = htons(node->port);
		memcpy(&in->sin_addr, node->addr + 12, 4);
		out->sa_len = sizeof(*in);
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		snprintf(out->text, sizeof(out->text), "%s:%u", text, node->port);
	} else {
		struct sockaddr_in6 *in = (struct sockaddr_in6 *)&out->sa;

		in->sin6_family = AF_INET6;
		in->sin6_port = htons(node->port);
		memcpy(&in->sin6_addr, node->addr, 16);
		out->sa_len = sizeof(*in);
		inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof(text));
		snprintf(out->text, sizeof(out->text), "[%s]:%u", text, node->port);
	}
}

static size_t add_nodes(const uint8_t *in, size_t len, uint32_t count, bool stores,
			struct address *out, size_t n)
{
	struct sheep_node node;

	for (uint32_t i = 0; i < count && n < MAX_NODES; i++)
		if (sheep_decode_node(in, len, count, i, &node) && node.stores == stores)
			node_address(&node, &out[n++]);
	return n;
}

size_t nodes_decode(const uint8_t *in, size_t len, uint32_t count,
		    struct address out[MAX_NODES], size_t *stores)
{
	*stores = add_nodes(in, len, count, true, out, 0);
	return add_nodes(in, len, count, false, out, *stores);
}

static bool is_in(const struct address *list, size_t n, const struct address *a)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].text, a->text))
			return true;
	return false;
}

/* Those that were known before stay, behind the others: they may be back when these are
 * gone. */
static void answered(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		     const struct error *err)
{
	struct sheep_nodes *n = container_of(m, struct sheep_nodes, msg);
	AUTO_FREE void *room = take(n->room);
	struct address *list;
	size_t count, stores;

	if (r < 0 || reply->result)
		return;
	list = calloc(MAX_NODES, sizeof(*list));
	if (!list)
		return;
	count = nodes_decode(room, reply->data_length, reply->node.count, list, &stores);
	for (size_t i = 0; i < n->n && count < MAX_NODES; i++)
		if (!is_in(list, count, &n->list[i]))
			list[count++] = n->list[i];
	free(n->list);
	n->list = list;
	n->n = count;
}

void nodes_ask(struct sheep_nodes *n, struct sheep_session *s)
{
	if (n->room)
		return;
	n->room = malloc(SHEEP_NODES_ROOM);
	if (!n->room)
		return;
	n->iov = (struct iovec){ n->room, SHEEP_NODES_ROOM };
	n->msg = (struct sheep_msg){
		.request.opcode = SHEEP_GET_NODES,
		.in = { &n->iov, 1, 0, SHEEP_NODES_ROOM },
		.done = answered,
	};
	session_send(s, &n->msg);
}

void nodes_clear(struct sheep_nodes *n)
{
	free(n->room);
	free(n->list);
	*n = (struct sheep_nodes){ 0 };
}
