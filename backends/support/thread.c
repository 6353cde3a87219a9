/* Threads of the daemon, and waiting by its clock. */
#include "backends/support/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "backends/support/clock.h"

/* A daemon has many threads, and what they run keeps what is large on the heap. */
#define STACK_SIZE (256 * 1024)

struct beginning {
	const char *name;
	void *(*run)(void *);
	void *arg;
};

static void *begin(void *arg)
{
	struct beginning b = *(struct beginning *)arg;

	free(arg);
	pthread_setname_np(pthread_self(), b.name);
	return b.run(b.arg);
}

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
	struct beginning *b = malloc(sizeof(*b));
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t unnamed;
	int code;

	if (!b)
		return -ENOMEM;
	*b = (struct beginning){ name, run, arg };
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!thread)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(thread ? thread : &unnamed, &attr, begin, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (code)
		free(b);
	return -code;
}

int thread_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns)
{
	struct timespec at = clock_timespec(deadline_ns);

	if (!deadline_ns)
		return -pthread_cond_wait(cond, lock);
	return -pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &at);
}
