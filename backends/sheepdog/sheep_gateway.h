/*
 * What the files of a session share: one owns the requests that have no connection
 * (sheep_queue.c), one chooses the sheep (sheep_gateway.c), one watches over both
 * (sheep_session.c).
 */
#pragma once

#include "backends/sheepdog/sheep_conn.h"
#include "backends/sheepdog/sheep_nodes.h"
#include "backends/support/clock.h"

#define MAX_CONNS   3 /* the live one, or one that connects, and silent ones */
#define PATIENCE_NS (5 * NS_PER_S) /* how long requests wait for a sheep to come back */

struct sheep_session {
	struct sheep_session_ops ops;
	struct address *hosts;
	size_t n_hosts;
	struct sheep_nodes nodes;
	struct sheep_conn conns[MAX_CONNS];
	struct list waiting; /* messages without a connection */
	struct list asking;  /* those who wait for the first answer */
	uint32_t next_id;
	size_t candidate, failed; /* whom to ask next; how many in a row did not answer */
	uint64_t lost_ns;	  /* since when none is live; 0: one is */
	uint64_t again_ns;	  /* no connecting before */
	bool told;		  /* that the source is lost */
	struct error why;
	struct sheep_epoch epoch;
	bool known;	  /* epoch is */
	uint32_t members; /* the epoch that the list of nodes is of */
	struct sheep_probe {
		struct sheep_msg msg;
		struct iovec iov;
		uint8_t in[SHEEP_EPOCH_ROOM];
	} probe;
};

/* Who waits for the first answer. */
struct awaiting {
	struct list link;
	struct loop_call *call;
};

/* The first connection of a state; NULL: there is none. */
struct sheep_conn *find_conn(struct sheep_session *, enum conn_state);

/* -- sheep_queue.c -- */

/* Ends all requests that wait for a connection. */
void queue_fail(struct sheep_session *, const struct error *);
/* Gives what waits and may go now to the live connection; lowers *until. */
void queue_assign(struct sheep_session *, uint64_t *until);
/* What a connection had when it broke; the sheep is gone. */
void queue_orphans(struct sheep_session *, struct list *orphans, const struct error *why);
/* Takes from a silent connection what another sheep may be asked. */
void queue_rescue(struct sheep_session *, struct sheep_conn *);

/* -- sheep_gateway.c -- */

/* Begins to connect to the next candidate. */
void gateway_next(struct sheep_session *);
/* Connected: the first question, whose answer makes it live. */
void gateway_probe(struct sheep_session *, struct sheep_conn *);
/* It answers, and is the one to ask from now on. */
void gateway_found(struct sheep_session *, struct sheep_conn *);
void gateway_drop(struct sheep_session *, struct sheep_conn *, const struct error *why);
/* No connection is live any longer. */
void gateway_lost(struct sheep_session *, const struct error *why);
/* Tells who waits for the first answer. */
void gateway_tell(struct sheep_session *, int r, const struct error *);
