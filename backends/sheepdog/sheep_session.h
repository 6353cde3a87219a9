/*
 * A session with a cluster: requests go to one of its sheep, answers come in any order.
 *
 * When the connection breaks, what is harmless to repeat is sent again through the next
 * sheep: another host of the definition, or another node that the cluster named. A sheep
 * that is silent is left too, but its connection is kept: what was written through it may
 * still be carried out, so such a write is neither repeated nor given up before that
 * sheep answers or is gone.
 *
 * All of it belongs to the loop's thread.
 */
#pragma once

#include <errno.h>

#include "backends/common/address.h"
#include "backends/common/loop.h"
#include "backends/sheepdog/sheep_proto.h"
#include "backends/sheepdog/sheep_slice.h"

/* The errno of a request that is not to be carried out twice, and may or may not have
 * been once. Never seen outside this type. */
#define SHEEP_IN_DOUBT ECONNABORTED

struct sheep_conn;
struct sheep_session;

/* One request. Its memory, and that of its slices, is the owner's until done. */
struct sheep_msg {
	struct list link;
	struct sheep_request request; /* id and data_length are set by the session */
	struct sheep_slice out, in;   /* payload; room for the reply's */
	bool once;	 /* not to be carried out twice: never sent again when in doubt */
	bool repeatable; /* a write to an inode that does no harm when done again later */
	struct loop_call *asker; /* not sent any more when nobody waits; may be NULL */
	/* r < 0: no answer, and err says why. Else reply, whose result may be any. */
	void (*done)(struct sheep_msg *, int r, const struct sheep_reply *,
		     const struct error *);

	/* the session's */
	struct sheep_conn *conn; /* that has it; NULL: it waits for one */
	bool begun;		 /* bytes of it were sent */
	unsigned tries, repeats;
	uint32_t members; /* the cluster's epoch when it was sent */
	uint64_t first_ns, resend_ns;
};

struct sheep_session_ops {
	/* The source is gone, or (NULL) back. */
	void (*lost)(void *arg, const struct error *);
	void *arg;
};

/* hosts are copied. */
int session_new(const struct address *hosts, size_t n, const struct sheep_session_ops *,
		struct sheep_session **, struct error *);

/* Ends all that is under way with -ECANCELED, and every connection. */
void session_free(struct sheep_session *);

/* Other hosts to go to from now on; those in use stay. */
int session_set_hosts(struct sheep_session *, const struct address *hosts, size_t n);

/* What a loop asks for. */
size_t session_prepare(struct sheep_session *, struct pollfd *fds, uint64_t *until);
void session_ready(struct sheep_session *, const struct pollfd *fds, size_t n);

void session_send(struct sheep_session *, struct sheep_msg *);
void session_send_later(struct sheep_session *, struct sheep_msg *, uint64_t wait_ns);

/* Takes back a request of which nothing was sent yet; false: it is too late, done comes.
 */
bool session_unsend(struct sheep_session *, struct sheep_msg *);

/* Calls done on c when a sheep has answered, or none does. */
void session_await(struct sheep_session *, struct loop_call *c);

/* The newest entry of the cluster's log. */
const struct sheep_epoch *session_epoch(const struct sheep_session *);
