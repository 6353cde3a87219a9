/*
 * Whether Ceph answers, and whether names have changed behind our back: one thread per
 * pool looks at the object that holds the images' names, now and then, and at once when
 * something was not answered.
 *
 * The pulse's fields are under the pool's lock; the host is told without it.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>

#include "backends/support/clock.h"
#include "backends/support/thread.h"

#define REST_NS	     (5 * NS_PER_S)
#define REST_AWAY_NS NS_PER_S
#define DIRECTORY    "rbd_directory"

/* 0 and its version (0: there is none yet, since no image ever was), or how it fails. */
static int look(struct rbd_pool *p, uint64_t *version)
{
	rados_read_op_t op = rados_create_read_op();
	uint64_t size;
	time_t mtime;
	int result = 0, r;

	rados_read_op_stat(op, &size, &mtime, &result);
	r = rados_read_op_operate(op, p->cluster.io, DIRECTORY, 0);
	rados_release_read_op(op);
	*version = r == 0 ? rados_get_last_version(p->cluster.io) : 0;
	return r == -ENOENT ? 0 : r;
}

/* Whether the names have changed since last time, other than by us. */
static bool is_new(struct rbd_pool *p, uint64_t version)
{
	SCOPED_LOCK(&p->lock);
	bool new = p->pulse.version &&version != p->pulse.version;

	p->pulse.version = version;
	return new;
}

static void tell(struct rbd_pool *p, int result)
{
	struct error err = { 0 };
	bool was = p->pulse.away, is = result == -ETIMEDOUT || result == -ESHUTDOWN;

	p->pulse.away = is;
	if (is && !was) {
		rbd_failed(NULL, result, &err, "cannot reach the Ceph pool '%s'",
			   p->path);
		p->host.lost(p->host.ctx, &err);
	} else if (was && !is) {
		p->host.lost(p->host.ctx, NULL);
	}
}

/* false: the pool ends, and its host may be gone. */
static bool begin_telling(struct rbd_pool *p)
{
	SCOPED_LOCK(&p->lock);
	p->pulse.telling = !p->pulse.ends;
	return p->pulse.telling;
}

static void end_telling(struct rbd_pool *p)
{
	SCOPED_LOCK(&p->lock);
	p->pulse.telling = false;
	pthread_cond_broadcast(&p->changed);
}

static void beat(struct rbd_pool *p)
{
	uint64_t version;
	int r = look(p, &version);
	bool new = r == 0 && is_new(p, version);

	if (new)
		roll_forget(p, NULL);
	if (!begin_telling(p))
		return;
	tell(p, r);
	if (new)
		p->host.changed(p->host.ctx, CHANGE_ALL, NULL);
	end_telling(p);
}

/* With the lock held: until the next look, or somebody is in a hurry. */
static void rest(struct rbd_pool *p)
{
	uint64_t until = clock_now() + (p->pulse.away ? REST_AWAY_NS : REST_NS);

	while (!p->pulse.ends && !p->pulse.hurry &&
	       !thread_wait(&p->changed, &p->lock, until))
		;
	p->pulse.hurry = false;
	roll_expire(p);
}

static void *run(void *arg)
{
	struct rbd_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		rest(p);
		if (p->pulse.ends)
			break;
		pthread_mutex_unlock(&p->lock);
		beat(p);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int pulse_ask(struct rbd_pool *p, struct error *err)
{
	uint64_t version;
	int r = look(p, &version);

	return r < 0 ? rbd_failed(NULL, r, err, "cannot use the Ceph pool '%s'", p->path)
		     : 0;
}

int pulse_start(struct rbd_pool *p, struct error *err)
{
	int r = pulse_ask(p, err);

	if (r < 0)
		return r;
	r = pthread_create(&p->pulse.thread, NULL, run, p);
	p->pulse.runs = r == 0;
	return r ? error_code(err, r, "cannot watch the Ceph pool '%s'", p->path) : 0;
}

void pulse_silence(struct rbd_pool *p)
{
	SCOPED_LOCK(&p->lock);
	p->pulse.ends = true;
	pthread_cond_broadcast(&p->changed);
	while (p->pulse.telling)
		pthread_cond_wait(&p->changed, &p->lock);
}

void pulse_stop(struct rbd_pool *p)
{
	if (!p->pulse.runs)
		return;
	pulse_silence(p);
	pthread_join(p->pulse.thread, NULL);
	p->pulse.runs = false;
}

void pulse_hurry(struct rbd_pool *p)
{
	SCOPED_LOCK(&p->lock);
	p->pulse.hurry = true;
	pthread_cond_broadcast(&p->changed);
}

void pulse_forgive(struct rbd_pool *p)
{
	SCOPED_LOCK(&p->lock);
	p->pulse.version = 0;
}
