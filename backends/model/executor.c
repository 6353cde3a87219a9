/*
 * Threads of one pool, made on demand and ended when idle.
 *
 * Each executor has its own lock, which guards all its fields and is never held while a
 * task runs. `unfinished` counts what a drain waits for: tasks queued or running, and
 * closed executors that still have threads. A thread that ends is joined by the next
 * that is made, or by a drain: what libraries keep for a thread is released by then.
 */
#include "backends/model/executor.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"
#include "backends/support/cpus.h"
#include "backends/support/thread.h"

#define IDLE_S 10

struct executor {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list queue;
	unsigned queued, running, idle, threads, max_threads;
	bool closed;
};

struct worker {
	struct list link; /* among the ended ones */
	pthread_t thread;
	struct executor *executor;
};

static atomic_uint unfinished;
static pthread_mutex_t ended_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list ended = LIST_INIT(ended);
static pthread_mutex_t drain_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t drained = PTHREAD_COND_INITIALIZER;

static struct list *next_ended(void)
{
	SCOPED_LOCK(&ended_lock);
	return list_shift(&ended);
}

/* Joins the threads that have ended: each has nothing left to do. */
static void reap(void)
{
	for (struct list *l; (l = next_ended());) {
		struct worker *w = container_of(l, struct worker, link);

		pthread_join(w->thread, NULL);
		free(w);
	}
}

static void end_worker(struct worker *w)
{
	SCOPED_LOCK(&ended_lock);
	list_append(&ended, &w->link);
}

static void finish_one(void)
{
	if (atomic_fetch_sub(&unfinished, 1) != 1)
		return;

	SCOPED_LOCK(&drain_lock);
	pthread_cond_broadcast(&drained);
}

struct executor *executor_new(unsigned max_threads)
{
	struct executor *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->work, NULL);
	list_init(&e->queue);
	e->max_threads = max_threads ? max_threads : 1;
	return e;
}

static void executor_free(struct executor *e)
{
	pthread_mutex_destroy(&e->lock);
	pthread_cond_destroy(&e->work);
	free(e);
}

/* With the lock held: the next task that may run now, waiting for one; NULL: the thread
 * ends. */
static struct task *next_task(struct executor *e)
{
	uint64_t until = clock_now() + IDLE_S * NS_PER_S;

	for (;;) {
		if (e->queued && e->running < e->max_threads) {
			e->queued--;
			return container_of(list_shift(&e->queue), struct task, link);
		}
		if (!e->queued && (e->closed || e->threads > e->max_threads))
			return NULL;
		e->idle++;

		int r = thread_wait(&e->work, &e->lock, until);

		e->idle--;
		if (r == -ETIMEDOUT && !e->queued)
			return NULL;
		if (r == -ETIMEDOUT)
			until = clock_now() + IDLE_S * NS_PER_S;
	}
}

static void *executor_thread(void *arg)
{
	struct worker *w = arg;
	struct executor *e = w->executor;
	struct task *t;
	bool last;

	cpus_use(CPUS_ALL);
	pthread_mutex_lock(&e->lock);
	while ((t = next_task(e))) {
		e->running++;
		pthread_mutex_unlock(&e->lock);
		t->run(t);
		pthread_mutex_lock(&e->lock);
		e->running--;
		if (e->queued && e->idle)
			pthread_cond_signal(&e->work);
		finish_one();
	}
	end_worker(w); /* before it is no longer counted, so that a drain joins it */
	e->threads--;
	last = e->closed && !e->threads;
	pthread_mutex_unlock(&e->lock);
	if (last) {
		executor_free(e);
		finish_one();
	}
	return NULL;
}

/* With the lock held. */
static int add_thread(struct executor *e)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	reap();
	w->executor = e;
	r = thread_start(&w->thread, "pool", executor_thread, w);
	if (r < 0)
		free(w);
	else
		e->threads++;
	return r;
}

static int submit(struct executor *e, struct task *t, unsigned most)
{
	SCOPED_LOCK(&e->lock);

	if (e->closed || e->queued >= most)
		return -EAGAIN;
	if (e->queued >= e->idle && e->threads < e->max_threads && add_thread(e) < 0 &&
	    !e->threads)
		return -EAGAIN;
	atomic_fetch_add(&unfinished, 1);
	list_append(&e->queue, &t->link);
	e->queued++;
	if (e->idle)
		pthread_cond_signal(&e->work);
	return 0;
}

int executor_submit(struct executor *e, struct task *t)
{
	return submit(e, t, EXECUTOR_QUEUE);
}

int executor_submit_close(struct executor *e, struct task *t)
{
	return submit(e, t, UINT_MAX);
}

void executor_set_threads(struct executor *e, unsigned max_threads)
{
	SCOPED_LOCK(&e->lock);

	e->max_threads = max_threads ? max_threads : 1;
	pthread_cond_broadcast(&e->work);
}

void executor_close(struct executor *e)
{
	bool unused;

	pthread_mutex_lock(&e->lock);
	e->closed = true;
	unused = !e->threads;
	if (!unused)
		atomic_fetch_add(&unfinished, 1);
	pthread_cond_broadcast(&e->work);
	pthread_mutex_unlock(&e->lock);
	if (unused)
		executor_free(e);
}

static bool wait_drained(unsigned timeout_ms)
{
	uint64_t until = clock_now() + timeout_ms * NS_PER_MS;

	SCOPED_LOCK(&drain_lock);
	while (atomic_load(&unfinished))
		if (thread_wait(&drained, &drain_lock, until))
			return !atomic_load(&unfinished);
	return true;
}

bool executors_drain(unsigned timeout_ms)
{
	bool all = wait_drained(timeout_ms);

	reap();
	return all;
}
