/*
 * Asks a server now and then whether it answers.
 *
 * A question to a dead server ends late or never, so the thread is not waited for: who of
 * the two ends last frees what they share. `lock` guards the fields, and is held while
 * the host is told, which does not block.
 */
#include "backends/netfs/pulse.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/vfs.h>

#include "backends/support/clock.h"

#define REST_NS	     (5 * NS_PER_S)
#define REST_AWAY_NS NS_PER_S
#define STACK_SIZE   (64 * 1024)

struct pulse {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned users; /* the pool and the thread */
	bool ends, asking, away;
	char *target;
	const struct host *host;
};

/* Gives the lock back, with which it is called. */
static void leave(struct pulse *p)
{
	bool last = --p->users == 0;

	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p->target);
	free(p);
}

/* With the lock held. */
static void tell(struct pulse *p, int code)
{
	bool away = code == EIO || code == ETIMEDOUT || code == EHOSTDOWN ||
		    code == EHOSTUNREACH || code == ENETUNREACH || code == ECONNREFUSED ||
		    code == ENOTCONN || code == ECONNABORTED;
	struct error err = { 0 };

	if (away && !p->away) {
		error_code(&err, code, "the server of '%s' does not answer", p->target);
		p->host->lost(p->host->ctx, &err);
	} else if (p->away && !away) {
		p->host->lost(p->host->ctx, NULL);
	}
	p->away = away;
}

/* With the lock held, which is given back while the server is asked. */
static void ask(struct pulse *p)
{
	struct statfs fs;
	int code;

	p->asking = true;
	pthread_mutex_unlock(&p->lock);
	code = statfs(p->target, &fs) < 0 ? errno : 0;
	pthread_mutex_lock(&p->lock);
	p->asking = false;
	if (!p->ends)
		tell(p, code);
	pthread_cond_broadcast(&p->changed);
}

static void *run(void *arg)
{
	struct pulse *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->ends) {
		struct timespec at = clock_timespec(
			clock_now() + (p->away ? REST_AWAY_NS : REST_NS));

		while (!p->ends && !pthread_cond_clockwait(&p->changed, &p->lock,
							   CLOCK_MONOTONIC, &at))
			;
		if (!p->ends)
			ask(p);
	}
	leave(p);
	return NULL;
}

static bool start_thread(struct pulse *p)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attr, run, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return r == 0;
}

struct pulse *pulse_start(const char *target, const struct host *host)
{
	struct pulse *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->host = host;
	p->users = 2;
	p->target = strdup(target);
	if (p->target && start_thread(p))
		return p;
	p->users = 1;
	pthread_mutex_lock(&p->lock);
	leave(p);
	return NULL;
}

bool pulse_end(struct pulse *p, uint64_t until_ns)
{
	struct timespec at = clock_timespec(until_ns);
	bool asking;

	if (!p)
		return true;
	pthread_mutex_lock(&p->lock);
	p->ends = true;
	pthread_cond_broadcast(&p->changed);
	while (p->asking && !pthread_cond_clockwait(&p->changed, &p->lock,
						    CLOCK_MONOTONIC, &at))
		;
	asking = p->asking;
	leave(p);
	return !asking;
}
