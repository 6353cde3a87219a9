/*
 * Pools that start by themselves: after mounting, and again with back-off where that
 * failed; and those whose lost source is asked for.
 *
 * One thread for all of them reads the definitions after mounting, and puts what is to
 * start on the pools' own executors; `lock` guards it and is held across nothing.
 */
#include <sys/param.h>

#include "backends/model/marks.h"
#include "backends/model/pool_object.h"
#include "backends/model/pools.h"
#include "backends/model/registry.h"
#include "backends/model/store.h"
#include "backends/support/clock.h"
#include "backends/support/thread.h"

#define LONGEST_PAUSE_S 60
#define ASK_PAUSE_S	5 /* at most, between questions for a lost source */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static bool running, ending, woken, first_round;

static void run_start(struct task *t)
{
	AUTO_POOL struct pool *p = container_of(t, struct pool, start_task);
	bool if_active;

	pool_lock(p);
	p->start_queued = false;
	if_active = p->start_if_active;
	pthread_mutex_unlock(&p->lock);
	pool_start_alone(p, if_active);
}

static void run_ask(struct task *t)
{
	AUTO_POOL struct pool *p = container_of(t, struct pool, start_task);

	pool_lock(p);
	p->start_queued = false;
	pthread_mutex_unlock(&p->lock);
	pool_refresh_alone(p);
}

static void submit(struct pool *p, void (*run)(struct task *))
{
	if (p->start_queued)
		return;
	p->start_task.run = run;
	pool_ref(p);
	p->start_queued = !executor_submit(p->executor, &p->start_task);
	if (p->start_queued)
		return;
	p->retry_at_ns = clock_now() + NS_PER_S; /* no thread to be had just now */
	pool_unref(p);				 /* not the last: the caller has one */
}

static void submit_start(struct pool *p, bool if_active)
{
	SCOPED_POOL(p);

	if (!p->start_queued)
		p->start_if_active = if_active;
	submit(p, run_start);
}

static void back_off(struct pool *p, unsigned longest_s)
{
	p->retry_s = p->retry_s ? MIN(p->retry_s * 2, longest_s) : 1;
	p->retry_at_ns = clock_now() + p->retry_s * NS_PER_S;
}

bool autostart_again(struct pool *p)
{
	if (!p->autostart || !model_starts_pools())
		return false;
	back_off(p, LONGEST_PAUSE_S);
	return true;
}

bool autostart_ask(struct pool *p)
{
	if (!p->live || !BACKEND_HAS(p->live->backend, lost_is_asked))
		return false;
	back_off(p, ASK_PAUSE_S);
	return true;
}

/* Starts what is due, and asks for what is lost; makes *next the earliest time that
 * something else is due. */
static int retry_one(void *arg, struct pool *p)
{
	uint64_t *next = arg;

	SCOPED_POOL(p);
	/* one under way wakes us when it has ended */
	if ((p->state != POOL_FAILED && p->state != POOL_AWAY) || !p->retry_s ||
	    p->start_queued || p->verb)
		return 0;
	if (clock_now() < p->retry_at_ns) {
		*next = MIN(*next, p->retry_at_ns);
		return 0;
	}
	p->start_if_active = false;
	submit(p, p->state == POOL_AWAY ? run_ask : run_start);
	return 0;
}

static int start_one(void *arg, struct pool *p)
{
	bool start, look;

	pool_lock(p);
	start = p->now && p->autostart && model_starts_pools();
	look = p->now && (store_read_only() || mark_is_set(p->name, p->now->spec.uuid));
	pthread_mutex_unlock(&p->lock);
	if (start || look)
		submit_start(p, !start);
	return 0;
}

static void start_all(void)
{
	pools_read_all();
	pools_each(start_one, NULL);
}

static void *autostart_thread(void *arg)
{
	pthread_mutex_lock(&lock);
	while (!ending) {
		uint64_t next = clock_now() + LONGEST_PAUSE_S * NS_PER_S;
		bool all = first_round;

		first_round = woken = false;
		pthread_mutex_unlock(&lock);
		if (all)
			start_all();
		pools_each(retry_one, &next);
		pthread_mutex_lock(&lock);
		while (!ending && !woken && !thread_wait(&wake, &lock, next))
			;
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* With the lock held. Without a thread the next failure tries to make one again. */
static void make_thread(void)
{
	running = thread_start(&thread, "autostart", autostart_thread, NULL) == 0;
}

void autostart_wake(void)
{
	SCOPED_LOCK(&lock);

	if (ending)
		return;
	if (!running)
		make_thread();
	woken = true;
	pthread_cond_signal(&wake);
}

void autostart_all(void)
{
	pthread_mutex_lock(&lock);
	first_round = true;
	pthread_mutex_unlock(&lock);
	autostart_wake();
}

void autostart_begin(void)
{
	SCOPED_LOCK(&lock);
	ending = false;
}

void autostart_end(void)
{
	bool join;

	pthread_mutex_lock(&lock);
	ending = true;
	join = running;
	running = false;
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&lock);
	if (join)
		pthread_join(thread, NULL);
}
