/*
 * The threads that serve requests.
 *
 * The counters are changed without the lock, by every request; it guards who rests, and
 * the starting of threads. A thread is idle while it reads and while it serves alone.
 */
#include "fs/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"
#include "backends/support/thread.h"

#define QUICK	16 /* requests in a row */
#define LOOK_NS (10 * NS_PER_MS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t missed = PTHREAD_COND_INITIALIZER; /* with lock */
static int (*start_thread)(unsigned i);
static bool (*more_wait)(void);
static unsigned most_readers;
static unsigned started; /* under lock */
static bool looked_on;	 /* by one of those that rest; under lock */
static bool closed;	 /* under lock */

static atomic_uint quick;	/* requests in a row, QUICK at most */
static atomic_uint readers = 1; /* do not rest, while all is quick */
static atomic_uint idle, alone, served_alone, resting;
static unsigned called; /* of those that rested, and are idle again; under lock */

static _Thread_local bool by_itself;

/* Under lock. */
static int add_thread(void)
{
	int code = start_thread(started);

	if (code)
		return code;
	atomic_fetch_add(&idle, 1);
	started++;
	return 0;
}

int crew_open(int (*start)(unsigned i), bool (*waiting)(void), unsigned most)
{
	SCOPED_LOCK(&lock);
	start_thread = start;
	more_wait = waiting;
	most_readers = most;
	return add_thread();
}

/* Under lock: one of those that rest is idle from now on. */
static void call_one(void)
{
	atomic_fetch_sub(&resting, 1);
	atomic_fetch_add(&idle, 1);
	called++;
}

/*
 * This thread is busy from now on; another must be there for the next request. Those that
 * serve alone come back at once, but that is not known of them.
 */
static void leave_idle(void)
{
	if (atomic_fetch_sub(&idle, 1) - 1 > atomic_load(&alone))
		return;

	SCOPED_LOCK(&lock);
	if (atomic_load(&idle) > atomic_load(&alone) || closed)
		return;
	if (!atomic_load(&resting)) {
		if (started < CREW_MAX)
			add_thread(); /* if not: this one comes back */
		return;
	}
	call_one();
	pthread_cond_signal(&missed);
}

static void all_read(void)
{
	atomic_store(&quick, 0);
	atomic_store(&readers, 1);
}

/* Whether nobody else has to be there meanwhile: somebody rests, and would notice. */
static bool serves_alone(bool is_quick)
{
	if (!is_quick) {
		all_read();
		return false;
	}
	if (atomic_load(&quick) < QUICK)
		atomic_fetch_add(&quick, 1);
	if (atomic_load(&quick) < QUICK || !atomic_load(&resting))
		return false;
	atomic_fetch_add(&alone, 1);
	return true;
}

void crew_begin(bool is_quick)
{
	by_itself = serves_alone(is_quick);
	if (!by_itself)
		leave_idle();
}

void crew_waits(void)
{
	if (!by_itself)
		return;
	by_itself = false;
	atomic_fetch_sub(&alone, 1);
	leave_idle();
}

/* Under lock, which is not held meanwhile. One of those that rest looks whether anything
 * moves; when not, because all is quiet or somebody got stuck after all, nobody rests.
 * Where more comes than those who read can serve, it helps. */
static void look_on(void)
{
	unsigned was = atomic_load(&served_alone);

	looked_on = true;
	if (thread_wait(&missed, &lock, clock_now() + LOOK_NS) == -ETIMEDOUT) {
		if (atomic_load(&served_alone) == was) {
			all_read();
		} else if (!called && atomic_load(&readers) < most_readers &&
			   more_wait()) {
			atomic_fetch_add(&readers, 1);
			call_one();
		}
	}
	looked_on = false;
}

static void rest(void)
{
	pthread_mutex_lock(&lock);
	atomic_fetch_add(&resting, 1);
	while (!closed && !called && atomic_load(&quick) >= QUICK)
		if (looked_on)
			pthread_cond_wait(&missed, &lock);
		else
			look_on();
	if (called) {
		called--;
	} else {
		atomic_fetch_sub(&resting, 1);
		atomic_fetch_add(&idle, 1);
	}
	if (!looked_on || atomic_load(&quick) < QUICK)
		pthread_cond_signal(&missed); /* another looks on, or rests no more */
	pthread_mutex_unlock(&lock);
}

static void rest_if_not_needed(void)
{
	unsigned n = atomic_load(&idle);

	if (atomic_load(&quick) < QUICK)
		return;
	while (n > atomic_load(&alone) + atomic_load(&readers))
		if (atomic_compare_exchange_weak(&idle, &n, n - 1)) {
			rest();
			return;
		}
}

void crew_done(void)
{
	if (by_itself) {
		atomic_fetch_add(&served_alone, 1);
		atomic_fetch_sub(&alone, 1);
	} else {
		atomic_fetch_add(&idle, 1);
	}
	rest_if_not_needed();
}

unsigned crew_close(void)
{
	SCOPED_LOCK(&lock);
	closed = true;
	pthread_cond_broadcast(&missed);
	return started;
}
