/*
 * The thread of one session, and the questions that other threads ask it.
 *
 * `turn` is held by who runs anything of the caller: the thread, but while it sleeps, and
 * in a shared loop who brings a task meanwhile. `lock` guards the tasks and how the
 * thread is; it is taken after turn, and never held while anything of the caller runs. A
 * question's own lock guards its answer.
 */
#include "backends/common/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"
#include "backends/support/thread.h"

#define LOOK_AGAIN_NS (100 * NS_PER_MS)

/* What the thread sleeps for. */
struct awaited {
	struct pollfd fds[LOOP_FDS + 1];
	size_t n;
	uint64_t until;
};

struct loop {
	const struct loop_ops *ops;
	void *arg;
	pthread_t thread;
	int wake_fd; /* counts up when there is something new */
	pthread_mutex_t turn;
	struct awaited awaited; /* under turn */
	bool outdated;		/* it has changed since; under turn */
	pthread_mutex_t lock;
	struct list tasks;
	bool ending;
	bool asleep; /* or about to be; turn is free then, or another's */
	bool woken;  /* and has not come yet */
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

static void prepare(struct loop *loop, struct awaited *a)
{
	a->until = clock_now() + NS_PER_S;
	a->n = loop->ops->prepare(loop->arg, a->fds, &a->until);
}

/* -- the thread -- */

/* Gives the turn away; false: there is something to do. */
static bool fall_asleep(struct loop *loop)
{
	SCOPED_LOCK(&loop->lock);
	loop->asleep = list_empty(&loop->tasks) && !loop->ending;
	pthread_mutex_unlock(&loop->turn);
	return loop->asleep;
}

static void wake_up(struct loop *loop)
{
	bool woken;
	uint64_t count;

	pthread_mutex_lock(&loop->lock);
	loop->asleep = false;
	woken = loop->woken;
	loop->woken = false;
	pthread_mutex_unlock(&loop->lock);
	if (woken)
		(void)!read(loop->wake_fd, &count, sizeof(count));
	pthread_mutex_lock(&loop->turn);
}

static struct timespec time_left(uint64_t until)
{
	uint64_t now = clock_now();

	return clock_timespec(until > now ? until - now : 0);
}

static void wait_once(struct loop *loop)
{
	struct awaited a;
	struct timespec left = { 0 };

	prepare(loop, &loop->awaited);
	loop->outdated = false;
	a = loop->awaited;
	a.fds[a.n] = (struct pollfd){ .fd = loop->wake_fd, .events = POLLIN };
	if (fall_asleep(loop))
		left = time_left(a.until);
	if (ppoll(a.fds, a.n + 1, &left, NULL) <= 0)
		for (size_t i = 0; i < a.n; i++)
			a.fds[i].revents = 0;
	wake_up(loop);
	for (size_t i = 0; i < a.n && loop->outdated; i++)
		a.fds[i].revents = 0; /* maybe of what is another file by now */
	run_tasks(loop);
	loop->ops->ready(loop->arg, a.fds, a.n);
}

static bool has_work(struct loop *loop)
{
	SCOPED_LOCK(&loop->lock);
	return !loop->ending || !list_empty(&loop->tasks);
}

static void *loop_thread(void *arg)
{
	struct loop *loop = arg;

	pthread_mutex_lock(&loop->turn);
	while (has_work(loop))
		wait_once(loop);
	pthread_mutex_unlock(&loop->turn);
	return NULL;
}

static void release(struct loop *loop)
{
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	pthread_mutex_destroy(&loop->turn);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

int loop_new(const struct loop_ops *ops, void *arg, struct loop **out, struct error *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return error_code(err, ENOMEM, "cannot start the session's thread");
	loop->ops = ops;
	loop->arg = arg;
	pthread_mutex_init(&loop->turn, NULL);
	pthread_mutex_init(&loop->lock, NULL);
	list_init(&loop->tasks);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = loop->wake_fd < 0 ? -errno
			      : thread_start(&loop->thread, "session", loop_thread, loop);
	if (r < 0) {
		release(loop);
		return error_code(err, -r, "cannot start the session's thread");
	}
	*out = loop;
	return 0;
}

/* Under lock. */
static void wake(struct loop *loop)
{
	const uint64_t one = 1;

	if (!loop->asleep || loop->woken)
		return;
	loop->woken = true;
	(void)!write(loop->wake_fd, &one, sizeof(one));
}

void loop_free(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->ending = true;
	wake(loop);
	pthread_mutex_unlock(&loop->lock);
	pthread_join(loop->thread, NULL);
	release(loop);
}

/* -- tasks -- */

/* Whether the thread has to look at something else, or earlier, than it does. */
static bool sleeps_wrong(const struct awaited *is, const struct awaited *should)
{
	if (is->n != should->n || is->until > should->until)
		return true;
	for (size_t i = 0; i < is->n; i++)
		if (is->fds[i].fd != should->fds[i].fd ||
		    is->fds[i].events != should->fds[i].events)
			return true;
	return false;
}

/* With the turn, which ends with it: a round in place of the thread's. */
static void take_turn(struct loop *loop)
{
	struct awaited should;

	run_tasks(loop);
	loop->ops->ready(loop->arg, NULL, 0);
	prepare(loop, &should);
	loop->outdated |= sleeps_wrong(&loop->awaited, &should);

	SCOPED_LOCK(&loop->lock);
	if (loop->outdated || !list_empty(&loop->tasks))
		wake(loop);
	pthread_mutex_unlock(&loop->turn);
}

void loop_submit(struct loop *loop, struct loop_task *t)
{
	SCOPED_LOCK(&loop->lock);
	list_append(&loop->tasks, &t->link);
	wake(loop); /* with the lock held: the loop cannot be gone before */
}

void loop_run(struct loop *loop, struct loop_task *t)
{
	bool mine = false;

	pthread_mutex_lock(&loop->lock);
	list_append(&loop->tasks, &t->link);
	if (loop->ops->shared && loop->asleep && !loop->woken)
		mine = pthread_mutex_trylock(&loop->turn) == 0;
	else
		wake(loop);
	pthread_mutex_unlock(&loop->lock); /* who else has the turn looks again */
	if (mine)
		take_turn(loop);
}

/* -- questions -- */

void loop_call_init(struct loop_call *c, void (*run)(struct loop_task *),
		    void (*release_call)(struct loop_call *))
{
	*c = (struct loop_call){ .task.run = run, .release = release_call, .refs = 1 };
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->answered, NULL);
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
	loop_run(loop, &c->task);

	SCOPED_LOCK(&c->lock);
	while (!c->done) {
		uint64_t until = clock_now() + LOOK_AGAIN_NS;
		int r = given_up(call, err);

		if (r < 0) {
			c->abandoned = true;
			return r;
		}
		if (call && call->deadline_ns && call->deadline_ns < until)
			until = call->deadline_ns;
		thread_wait(&c->answered, &c->lock, until);
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
