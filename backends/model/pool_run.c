/*
 * Bringing a pool up and taking it down: what the verbs start and stop do.
 *
 * Called with the pool's one verb taken. The state is changed under the pool's lock, the
 * backend is called without it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/marks.h"
#include "backends/model/pool_object.h"
#include "backends/model/registry.h"
#include "backends/model/volume.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"
#include "backends/support/thread.h"

#define DRAIN_SLICE_NS (100 * NS_PER_MS)
#define CLOSING_NS     NS_PER_S

/* -- up -- */

static void live_free(struct live *l)
{
	definition_unref(l->definition);
	free(l);
}

static int make_live(struct pool *p, struct definition *d, struct call *call,
		     struct live **out, struct error *err)
{
	const struct backend *b = definition_backend(d, err);
	struct live *l;
	int r;

	if (!b)
		return -err->code;
	if (!BACKEND_HAS(b, start))
		return definition_unsupported(d, "be started", err);
	r = definition_check_paths(d, err);
	if (r < 0)
		return r;
	l = calloc(1, sizeof(*l));
	if (!l)
		return error_set(err, ENOMEM, "out of memory");
	l->owner = p;
	l->backend = b;
	l->definition = definition_ref(d);
	r = b->start(&d->spec, &p->host, call, &l->pool, err);
	if (r < 0) {
		live_free(l);
		return r;
	}
	l->local = BACKEND_HAS(b, local) && b->local(l->pool);
	l->files = volume_class(&(struct use){ .backend = b, .pool = l->pool }) ==
		   VOLUMES_ARE_FILES;
	executor_set_threads(p->executor, b->parallel ? EXECUTOR_THREADS : 1);
	*out = l;
	return 0;
}

/* With the lock held: what was defined meanwhile comes into force. */
static void settle(struct pool *p)
{
	if (!p->next)
		return;
	definition_unref(p->now);
	p->now = take(p->next);
}

static void started(struct pool *p, struct live *l)
{
	char name[POOL_NAME_MAX];
	bool had_error;

	pool_lock(p);
	p->live = l;
	pool_conclude(p, p->lost.code ? POOL_AWAY : POOL_RUNNING);
	p->retry_s = 0;
	if (p->lost.code)
		autostart_ask(p);
	had_error = p->error_of_start;
	if (had_error)
		p->error = (struct error){ 0 };
	p->error_of_start = false;
	pthread_mutex_unlock(&p->lock);
	pool_name(p, name);
	mark_set(name, l->definition->spec.uuid);
	if (had_error)
		pool_tell(p, EVENT_ERROR, NULL);
	pool_tell_state(p, pool_state(p));
}

static void start_failed(struct pool *p, const struct error *err)
{
	enum pool_state was, is;
	bool news;

	pool_lock(p);
	settle(p);
	was = p->state;
	is = err->code != EINTR && autostart_again(p) ? POOL_FAILED : POOL_INACTIVE;
	if (is == POOL_INACTIVE)
		p->retry_s = 0;
	news = strcmp(p->error.text, err->text);
	p->error = *err;
	p->error_of_start = true;
	if (news || is != was)
		pool_conclude(p, is);
	pthread_mutex_unlock(&p->lock);
	if (news) {
		log_error("%s", err->text);
		pool_tell(p, EVENT_ERROR, NULL);
	}
	if (is != was)
		pool_tell_state(p, is);
}

/* d, unless it runs already (d NULL) or cannot start. A retry goes on being shown as
 * failed. */
static int begin_start(struct pool *p, bool alone, struct definition **d, bool *tell,
		       struct error *err)
{
	SCOPED_POOL(p);

	if (!p->now)
		return pool_refuse_undefined(p, err);
	if (p->live)
		return 0;
	*d = definition_ref(p->now);
	p->lost = (struct error){ 0 };
	*tell = !alone || p->state != POOL_FAILED;
	if (*tell)
		pool_set_state(p, POOL_STARTING);
	return 0;
}

int pool_bring_up(struct pool *p, bool alone, struct call *call, struct error *err)
{
	AUTO_DEFINITION struct definition *d = NULL;
	struct live *l = NULL;
	bool tell = false;
	int r = begin_start(p, alone, &d, &tell, err);

	if (r < 0 || !d)
		return r;
	if (tell)
		pool_tell_state(p, POOL_STARTING);
	r = make_live(p, d, call, &l, err);
	if (r < 0) {
		error_prefix(err, "cannot start pool '%s'", d->spec.name);
		start_failed(p, err);
	} else {
		started(p, l);
	}
	return r;
}

bool pool_is_active(struct pool *p, struct call *call)
{
	AUTO_DEFINITION struct definition *d = NULL;
	const struct backend *b;
	struct error err = { 0 };
	bool active = false;
	int r;

	pool_lock(p);
	d = definition_ref(p->now);
	pthread_mutex_unlock(&p->lock);
	b = d ? definition_backend(d, &err) : NULL;
	if (!b || definition_check_paths(d, &err) < 0)
		return false;
	/* where nothing is to be seen outside the daemon, its mark is all there is */
	r = BACKEND_HAS(b, check) ? b->check(&d->spec, &p->host, call, &active, &err)
				  : -EOPNOTSUPP;
	if (r == -EOPNOTSUPP)
		return mark_is_set(d->spec.name, d->spec.uuid);
	return r == 0 && active;
}

/* -- down -- */

/* With the lock held. */
static int refuse_busy(struct pool *p, struct error *err)
{
	if (!volumes_check_idle(p->volumes, err))
		return 0;
	return error_prefix(err, "cannot stop pool '%s'", p->name);
}

/* With the lock held: waits until the instance has no users. New ones are refused by the
 * state. */
static int drain(struct pool *p, struct call *call, struct error *err)
{
	for (;;) {
		if (refuse_busy(p, err) < 0)
			return -EBUSY;
		if (!p->live->uses)
			return 0;
		if (call->cancelled && atomic_load(call->cancelled))
			return error_set(err, EINTR, "stopping pool '%s' was cancelled",
					 p->name);
		if (deadline_passed(call->deadline_ns))
			return error_set(
				err, EBUSY,
				"cannot stop pool '%s': %u operations on it have not "
				"ended",
				p->name, p->live->uses);
		thread_wait(&p->settled, &p->lock, clock_now() + DRAIN_SLICE_NS);
	}
}

/* With the lock held: close(2) returns before the kernel tells us of it, so that what was
 * closed just now is waited for. */
static int wait_idle(struct pool *p, struct call *call, struct error *err)
{
	uint64_t until = clock_now() + CLOSING_NS;

	while (refuse_busy(p, err) < 0) {
		if (clock_now() > until ||
		    (call->cancelled && atomic_load(call->cancelled)))
			return -EBUSY;
		thread_wait(&p->settled, &p->lock, clock_now() + DRAIN_SLICE_NS / 10);
	}
	return 0;
}

/* The instance, with no more users; or NULL when there was none and that is all right. */
static int begin_stop(struct pool *p, struct call *call, struct live **l,
		      struct error *err)
{
	SCOPED_POOL(p);
	if (!p->now)
		return pool_refuse_undefined(p, err);
	if (p->state == POOL_FAILED)
		return 0;
	if (!p->live)
		return error_set(err, EAGAIN, "pool '%s' is not running", p->name);
	if (wait_idle(p, call, err) < 0)
		return -EBUSY;
	pool_set_state(p, POOL_STOPPING);
	*l = p->live;
	return 0;
}

static void stopped(struct pool *p)
{
	char name[POOL_NAME_MAX];
	struct live *l;

	pool_lock(p);
	l = take(p->live);
	settle(p);
	p->retry_s = 0;
	p->stat = (struct pool_stat){ .permissions = PERMISSIONS_UNSET };
	p->stat_ns = 0;
	pool_conclude(p, POOL_INACTIVE);
	pthread_mutex_unlock(&p->lock);
	if (l) {
		live_free(l);
		volumes_reset(p->volumes);
		executor_set_threads(p->executor, EXECUTOR_THREADS);
		pool_name(p, name);
		mark_clear(name);
		/* until it runs again nobody tells which names are still there */
		pool_tell(p, EVENT_VOLUMES_ALL, NULL);
	}
	pool_tell_state(p, POOL_INACTIVE);
}

static void not_stopped(struct pool *p)
{
	enum pool_state s;

	pool_lock(p);
	s = p->lost.code ? POOL_AWAY : POOL_RUNNING;
	pool_conclude(p, s);
	if (p->lost.code)
		autostart_ask(p);
	pthread_mutex_unlock(&p->lock);
	pool_tell_state(p, s);
}

int pool_take_down(struct pool *p, struct call *call, struct error *err)
{
	struct live *l = NULL;
	char name[POOL_NAME_MAX];
	int r = begin_stop(p, call, &l, err);

	if (r < 0)
		return r;
	if (l) {
		pool_tell_state(p, POOL_STOPPING);
		pool_lock(p);
		r = drain(p, call, err);
		pthread_mutex_unlock(&p->lock);
		if (!r) {
			r = BACKEND_HAS(l->backend, stop) ?
				    l->backend->stop(l->pool, call, err) :
				    definition_unsupported(l->definition, "be stopped",
							   err);
			pool_name(p, name);
			if (r < 0)
				error_prefix(err, "cannot stop pool '%s'", name);
		}
	}
	if (r < 0)
		not_stopped(p);
	else
		stopped(p);
	return r;
}
