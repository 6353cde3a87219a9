/*
 * The thread of one session, and the questions that other threads ask it.
 *
 * A loop's lock guards its tasks and `ending`, and is never held while anything of the
 * caller runs. A question's own lock guards its answer.
 */
#include "backends/common/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"

#define STACK_SIZE    (256 * 1024)
#define LOOK_AGAIN_NS (100 * NS_PER_MS)

struct loop {
	const struct loop_ops *ops;
	void *arg;
	pthread_t thread;
	int wake_fd; /* counts up when there is something new */
	pthread_mutex_t lock;
	struct list tasks;
	bool ending;
};

static void run_tasks(struct loop *loop)
{
	struct list batch = LIST_INIT(batch);

	pthread_mutex_lock(&loop->lock);
	for (struct list *l; (l = list_shift(&loop->tasks));)
		list_append(&batch, l);
	pthread_mutex_unlock(&loop->lock);

	for (struct list *l; (l = list_shift(&batch));) {
		struct loop_task *t = container_of(l, struct loop_task, link);

		t->run(t);
	}
}

static void wait_once(struct loop *loop)
{
	uint64_t until = clock_now() + NS_PER_S, count;
	struct pollfd fds[LOOP_FDS + 1];
	size_t n = loop->ops->prepare(loop->arg, fds, &until);

	fds[n] = (struct pollfd){ .fd = loop->wake_fd, .events = POLLIN };
	if (poll(fds, n + 1, deadline_poll_ms(until)) <= 0)
		for (size_t i = 0; i <= n; i++)
			fds[i].revents = 0;
	if (fds[n].revents)
		(void)!read(loop->wake_fd, &count, sizeof(count));
	run_tasks(loop);
	loop->ops->ready(loop->arg, fds, n);
}

static bool has_work(struct loop *loop)
{
	SCOPED_LOCK(&loop->lock);
	return !loop->ending || !list_empty(&loop->tasks);
}

static void *loop_thread(void *arg)
{
	struct loop *loop = arg;

	while (has_work(loop))
		wait_once(loop);
	return NULL;
}

static int start_thread(struct loop *loop)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int code;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	code = pthread_create(&loop->thread, &attr, loop_thread, loop);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return code;
}

static void release(struct loop *loop)
{
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

int loop_new(const struct loop_ops *ops, void *arg, struct loop **out, struct error *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int code;

	if (!loop)
		return error_code(err, ENOMEM, "starting the session's thread");
	loop->ops = ops;
	loop->arg = arg;
	pthread_mutex_init(&loop->lock, NULL);
	list_init(&loop->tasks);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = loop->wake_fd < 0 ? errno : start_thread(loop);
	if (code) {
		release(loop);
		return error_code(err, code, "starting the session's thread");
	}
	*out = loop;
	return 0;
}

static void wake(struct loop *loop)
{
	const uint64_t one = 1;

	(void)!write(loop->wake_fd, &one, sizeof(one)); /* full: it is awake */
}

void loop_free(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->ending = true;
	pthread_mutex_unlock(&loop->lock);
	wake(loop);
	pthread_join(loop->thread, NULL);
	release(loop);
}

void loop_submit(struct loop *loop, struct loop_task *t)
{
	bool first;

	pthread_mutex_lock(&loop->lock);
	first = list_empty(&loop->tasks); /* else it was woken and has not come yet */
	list_append(&loop->tasks, &t->link);
	if (first)
		wake(loop); /* with the lock held: the loop cannot be gone before */
	pthread_mutex_unlock(&loop->lock);
}

/* -- questions -- */

void loop_call_init(struct loop_call *c, void (*run)(struct loop_task *),
		    void (*release_call)(struct loop_call *))
{
	pthread_condattr_t attr;

	*c = (struct loop_call){ .task.run = run, .release = release_call, .refs = 1 };
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->answered, &attr);
	pthread_condattr_destroy(&attr);
}

void loop_call_put(struct loop_call *c)
{
	bool last;

	pthread_mutex_lock(&c->lock);
	last = --c->refs == 0;
	pthread_mutex_unlock(&c->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->answered);
	c->release(c);
}

/* Why the caller need not wait any longer; 0: it does. */
static int given_up(const struct call *call, struct error *err)
{
	/* what is out of time is cancelled as well: that is not what to tell */
	if (call && deadline_passed(call->deadline_ns))
		return error_set(err, ETIMEDOUT, "no answer within the time allowed");
	if (call && call->cancelled && atomic_load(call->cancelled))
		return error_set(err, EINTR, "interrupted");
	return 0;
}

int loop_call_wait(struct loop *loop, struct loop_call *c, struct call *call,
		   struct error *err)
{
	pthread_mutex_lock(&c->lock);
	c->refs++; /* the loop's */
	pthread_mutex_unlock(&c->lock);
	loop_submit(loop, &c->task);

	SCOPED_LOCK(&c->lock);
	while (!c->done) {
		uint64_t until = clock_now() + LOOK_AGAIN_NS;
		struct timespec at;
		int r = given_up(call, err);

		if (r < 0) {
			c->abandoned = true;
			return r;
		}
		if (call && call->deadline_ns && call->deadline_ns < until)
			until = call->deadline_ns;
		at = clock_timespec(until);
		pthread_cond_timedwait(&c->answered, &c->lock, &at);
	}
	if (c->result < 0 && c->error.code)
		error_copy(err, &c->error);
	return c->result;
}

bool loop_call_done(struct loop_call *c, int result, const struct error *err)
{
	bool wanted;

	pthread_mutex_lock(&c->lock);
	wanted = !c->abandoned;
	c->result = result;
	if (err)
		c->error = *err;
	c->done = true;
	pthread_cond_signal(&c->answered);
	pthread_mutex_unlock(&c->lock);
	loop_call_put(c);
	return wanted;
}

bool loop_call_abandoned(struct loop_call *c)
{
	SCOPED_LOCK(&c->lock);
	return c->abandoned;
}
