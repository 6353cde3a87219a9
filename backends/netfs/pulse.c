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
#include <string.h>
#include <sys/vfs.h>

#include "backends/support/clock.h"
#include "backends/support/thread.h"

#define REST_NS	     (5 * NS_PER_S)
#define REST_AWAY_NS NS_PER_S

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
		uint64_t next = clock_now() + (p->away ? REST_AWAY_NS : REST_NS);

		while (!p->ends && !thread_wait(&p->changed, &p->lock, next))
			;
		if (!p->ends)
			ask(p);
	}
	leave(p);
	return NULL;
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
	if (p->target && thread_start(NULL, "pulse", run, p) == 0)
		return p;
	p->users = 1;
	pthread_mutex_lock(&p->lock);
	leave(p);
	return NULL;
}

bool pulse_end(struct pulse *p, uint64_t until_ns)
{
	bool asking;

	if (!p)
		return true;
	pthread_mutex_lock(&p->lock);
	p->ends = true;
	pthread_cond_broadcast(&p->changed);
	while (until_ns && p->asking && !thread_wait(&p->changed, &p->lock, until_ns))
		;
	asking = p->asking;
	leave(p);
	return !asking;
}
