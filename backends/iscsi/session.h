/*
 * A session with one target, kept up: its thread logs in, watches whether the target
 * answers, logs in again when it was lost, and brings every command to its end meanwhile.
 */
#pragma once

#include "backends/common/loop.h"
#include "backends/iscsi/command.h"
#include "backends/iscsi/login.h"

struct session_ops {
	/* Logged in: early commands may be sent. session_ready says that the others may.
	 */
	void (*logged_in)(void *arg);
	/* A unit attention of this code came. */
	void (*attention)(void *arg, uint16_t lun, unsigned code);
	/* Nothing was sent for some seconds: send something that the target has to
	 * answer. */
	void (*idle)(void *arg);
};

enum session_state {
	SESSION_DOWN,
	SESSION_LOGIN, /* connecting, logging in */
	SESSION_EARLY, /* logged in, not ready */
	SESSION_READY,
	SESSION_ENDED,
};

struct iscsi_context;

/* ops, arg, loop and login are fixed; the rest belongs to the loop's turn. */
struct session {
	const struct session_ops *ops;
	void *arg;
	struct loop *loop;
	struct login login;
	enum session_state state;
	struct iscsi_context *ctx;
	size_t address;		  /* of login.addresses: in use, or next */
	char moved[ADDRESS_TEXT]; /* where the target sent us instead; "": nowhere */
	bool follows;		  /* it is to be tried now */
	size_t failures;	  /* logins in a row */
	uint64_t until_ns; /* LOGIN: when it has taken too long; last: when the end has */
	uint64_t first_ns; /* when the start has; 0: it may take what it takes */
	unsigned first_s;  /* that it was given */
	uint64_t retry_ns; /* DOWN: when to log in */
	uint64_t busy_ns,
		answered_ns; /* since when something runs; when something came */
	uint64_t asked_ns; /* when the target was asked whether it lives; 0: it was not */
	uint64_t look_ns;  /* when the first delayed command may be sent; 0: none is */
	uint64_t watched_ns;
	bool broken; /* the library has given the connection up */
	bool lost;   /* and the host knows */
	struct list early, waiting, running, lingering;
	atomic_uint n_running;	   /* any thread may read it */
	int expected;		   /* bytes of answers to what runs */
	unsigned n_long;	   /* running writes whose data goes piece by piece */
	int wake_bytes;		   /* that have to be there to wake the thread */
	uint64_t gathers_until_ns; /* or this time; 0: the first byte will do */
	struct error error;	   /* why the last login failed or the connection broke */
	struct loop_call *first;   /* the start, until it is answered */
	struct loop_call *last;	   /* the end, until it is answered */
};

/* Logs in, and waits until the session is ready; login is taken over in any case. */
int session_start(struct session *, const struct session_ops *, void *arg, struct login *,
		  struct call *, struct error *);
/* Ends it within a moment, also when the target is silent. Commands left end with -EIO.
 */
void session_stop(struct session *);

/* From any thread: whether nothing is at the target. */
static inline bool session_is_idle(const struct session *s)
{
	return !atomic_load_explicit(&s->n_running, memory_order_relaxed);
}

/* -- in its turn, for the units -- */

void session_send(struct session *, struct command *);
/* What logged_in began is done. */
void session_ready(struct session *);
/* The login is of no use: as if the connection had broken. Not from within a command. */
void session_fail(struct session *, const struct error *);

/* -- in its turn, between its own files -- */

/* session_queue.c: sends what may be sent. */
void session_pump(struct session *);
void session_finish_lingering(struct session *);
/* Those that the library no longer has: put back, or ended. */
void session_collect(struct session *);
void session_end_early(struct session *);
void session_end_waiting(struct session *);
/* Ends what is late or cancelled. */
void session_watch_commands(struct session *, uint64_t now);

/* session_gather.c: a command runs, and does no longer. */
void session_expect(struct session *, const struct command *);
void session_expect_no_more(struct session *, const struct command *);
/* Before the thread sleeps. Lowers *until. */
void session_gather(struct session *, uint64_t *until);
/* What to serve: what has come is read when it was waited for long enough. */
int session_gathered(struct session *, int revents);

/* session_login.c: the address in use, or next. */
const char *session_address(const struct session *);
void session_connect(struct session *);
void session_disconnect(struct session *);
/* It is broken: what was tried, at the address in use, and the library's reason. */
void session_broken_by(struct session *, int code, const char *what);
/* The connection is broken, or the target silent; s->error may say why. */
void session_lose(struct session *, bool silent);
/* A login, or the start, may have taken too long. */
void session_watch_login(struct session *, uint64_t now);
/* Answers the start or the end, where one waits. */
void session_answer(struct loop_call **, int result, const struct error *);
