/*
 * A thread that owns one session with a server: libraries and protocols that want a
 * single thread get theirs here. It waits for the session's descriptors, for tasks that
 * other threads bring, and for time; all callbacks run on it, so what they share needs no
 * lock.
 *
 * In a shared loop who brings a task by loop_run, or a question, while the thread sleeps
 * takes its turn instead of waking it: callbacks still run one at a time, but on any
 * thread.
 */
#pragma once

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/backend.h"
#include "backends/support/error.h"
#include "backends/support/list.h"

struct loop;

/* Of the one who brings it, and valid until run is called; run may free it. */
struct loop_task {
	struct list link;
	void (*run)(struct loop_task *);
};

#define LOOP_FDS 4

struct loop_ops {
	/* What to wait for: fills up to LOOP_FDS entries and returns how many, and may
	 * lower *until (clock_now() time; at most a second from now on entry). Called
	 * before each wait. */
	size_t (*prepare)(void *arg, struct pollfd *fds, uint64_t *until);
	/* After each wait, also when nothing came: revents as poll(2) left them, of the
	 * entries that prepare gave; NULL: the thread still waits, and another one is
	 * here. The tasks of this round have run already. */
	void (*ready)(void *arg, const struct pollfd *fds, size_t n);
	bool shared;
};

/* Errors: -ENOMEM, -EMFILE, -EAGAIN (no thread). The ops stay the caller's. */
int loop_new(const struct loop_ops *, void *arg, struct loop **, struct error *);

/* Runs what was submitted before, ends the thread and frees the loop; not from its
 * thread. */
void loop_free(struct loop *);

/* From any thread; does not wait. Tasks run in the order they came. */
void loop_submit(struct loop *, struct loop_task *);
/* The same, for what is alone and in a hurry: callbacks may run inside of it. Many at
 * once are cheaper where the thread takes them together. */
void loop_run(struct loop *, struct loop_task *);

/*
 * One question of a thread that may wait, answered on the loop's thread. The caller
 * embeds it in a struct of his own with what is asked and what is answered. References
 * are counted, so that a caller who gave up leaves the question its memory: all that run
 * touches must be in that struct.
 */
struct loop_call {
	struct loop_task task;		     /* run is set by the caller */
	void (*release)(struct loop_call *); /* frees the struct around it */
	pthread_mutex_t lock;
	pthread_cond_t answered;
	unsigned refs;
	bool done, abandoned;
	int result;
	struct error error;
};

/* Takes the caller's reference. */
void loop_call_init(struct loop_call *, void (*run)(struct loop_task *),
		    void (*release)(struct loop_call *));

/*
 * Submits it and waits for its answer, whose result it returns. Errors of its own:
 * -ETIMEDOUT at the call's deadline, -EINTR when the call was cancelled (looked at every
 * 100 ms); the answer then never comes. The caller's reference stays.
 */
int loop_call_wait(struct loop *, struct loop_call *, struct call *, struct error *);

/* On the loop's thread, exactly once for each that was submitted: the answer. err may be
 * NULL. The call may be freed by it. False: nobody waits for it any longer. */
bool loop_call_done(struct loop_call *, int result, const struct error *err);

/* Whether nobody waits for the answer any longer. */
bool loop_call_abandoned(struct loop_call *);

/* Gives the caller's reference back. */
void loop_call_put(struct loop_call *);
