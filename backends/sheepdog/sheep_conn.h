/*
 * One TCP connection to a sheep: requests out, answers in, matched by their ids. It knows
 * bytes; what a broken or silent one means is the session's affair.
 */
#pragma once

#include "backends/sheepdog/sheep_session.h"

#define CONN_AHEAD 16384

enum conn_state {
	CONN_FREE,
	CONN_CONNECTING,
	CONN_PROBING, /* connected; its first answer has not come */
	CONN_LIVE,
	CONN_SILENT, /* nothing has come for too long */
};

struct sheep_conn {
	struct sheep_session *session;
	enum conn_state state;
	int fd;
	struct address where;
	uint64_t since_ns;	 /* of its state, or of the last sign of life */
	struct list queue, sent; /* messages: not begun, and awaiting their answer */
	struct sheep_msg *sending;
	uint8_t out_head[SHEEP_HEAD], in_head[SHEEP_HEAD];
	size_t out_done, in_done; /* bytes of header and payload so far */
	struct sheep_msg *receiving;
	struct sheep_reply reply;
	size_t in_total;
	uint8_t ahead[CONN_AHEAD]; /* came with what was asked for: of the next answers */
	size_t ahead_at, ahead_len;
	unsigned dropped; /* answers that nobody waits for any longer */
	struct sheep_msg ping;
	bool pinging;
};

void conn_init(struct sheep_conn *, struct sheep_session *);

/* Begins to connect. */
int conn_open(struct sheep_conn *, const struct address *, struct error *);

/* Ends the connection; what it had goes to orphans, the ones begun first. */
void conn_close(struct sheep_conn *, struct list *orphans);

/* After POLLOUT of one that connects. */
int conn_connected(struct sheep_conn *, struct error *);

void conn_add(struct sheep_conn *, struct sheep_msg *);
bool conn_remove(struct sheep_conn *, struct sheep_msg *);

short conn_events(const struct sheep_conn *);

/* Move what can be moved now. Errors are final for the connection. */
int conn_write(struct sheep_conn *, struct error *);
int conn_read(struct sheep_conn *, struct error *);

/* Of the session: an answer is complete. */
void session_answered(struct sheep_session *, struct sheep_conn *, struct sheep_msg *,
		      const struct sheep_reply *);
