/*
 * The verbs of a pool, each of them a job: build, refresh and delete; start and stop are
 * pool_run.c.
 *
 * One at a time: who finds another one's name in the pool's `verb` is refused. The state
 * is changed under the pool's lock, the backend is called without it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/pool_object.h"
#include "backends/model/registry.h"
#include "backends/support/clock.h"

struct verb {
	const char *line;
	enum pool_verb_id id;
	enum build_mode mode;
	bool timed; /* ends within the timeout; others, such as mkfs, take their time */
	int (*run)(struct pool *p, const struct verb *v, struct call *call,
		   struct error *err);
};

static int run_start(struct pool *p, const struct verb *v, struct call *call,
		     struct error *err);
static int run_stop(struct pool *p, const struct verb *v, struct call *call,
		    struct error *err);
static int run_build(struct pool *p, const struct verb *v, struct call *call,
		     struct error *err);
static int run_refresh(struct pool *p, const struct verb *v, struct call *call,
		       struct error *err);
static int run_delete(struct pool *p, const struct verb *v, struct call *call,
		      struct error *err);

static const struct verb verbs[] = {
	{ "start", POOL_VERB_START, BUILD, true, run_start },
	{ "stop", POOL_VERB_STOP, BUILD, true, run_stop },
	{ "build", POOL_VERB_BUILD, BUILD, false, run_build },
	{ "build overwrite", POOL_VERB_BUILD_OVERWRITE, BUILD_OVERWRITE, false,
	  run_build },
	{ "build no-overwrite", POOL_VERB_BUILD_NO_OVERWRITE, BUILD_NO_OVERWRITE, false,
	  run_build },
	{ "refresh", POOL_VERB_REFRESH, BUILD, true, run_refresh },
	{ "delete", POOL_VERB_DELETE, BUILD, false, run_delete },
};

/* What is worth typing in each state. */
static const char *const valid[] = {
	[POOL_UNDEFINED] = "",	       [POOL_INACTIVE] = " start build delete",
	[POOL_STARTING] = "",	       [POOL_RUNNING] = " stop refresh",
	[POOL_AWAY] = " stop refresh", [POOL_STOPPING] = "",
	[POOL_BUILDING] = "",	       [POOL_FAILED] = " start stop build delete",
};

int pool_show_verbs(struct pool *p, struct buf *out)
{
	return buf_printf(out, "verbs:%s\n", valid[pool_state(p)]);
}

static const struct verb *find_verb(const char *line)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].line, line))
			return &verbs[i];
	return NULL;
}

int pool_verb_parse(const char *line, enum pool_verb_id *verb, struct error *err)
{
	const struct verb *v = find_verb(line);

	if (!v)
		return error_set(
			err, EINVAL,
			"'%.100s' is no verb of a pool: these are start, stop, build, "
			"build overwrite, build no-overwrite, refresh, delete",
			line);
	*verb = v->id;
	return 0;
}

/* -- one at a time -- */

int pool_verb_begin(struct pool *p, const char *verb, struct error *err)
{
	SCOPED_POOL(p);

	while (p->verb && p->verb_done)
		pthread_cond_wait(&p->settled, &p->lock);
	if (p->removed)
		return error_set(err, ENOENT, "pool '%s' was removed", p->name);
	if (model_closing())
		return error_set(err, ESHUTDOWN, "storagefs is ending");
	if (p->verb)
		return error_set(err, EBUSY,
				 "pool '%s' is busy: '%s' is under way (see jobs)",
				 p->name, p->verb);
	p->verb = verb;
	p->verb_done = false;
	return 0;
}

void pool_verb_end(struct pool *p)
{
	bool retried;

	pool_lock(p);
	p->verb = NULL;
	retried = p->retry_s;
	pthread_cond_broadcast(&p->settled);
	pthread_mutex_unlock(&p->lock);
	if (retried)
		autostart_wake();
}

static int run_as_job(struct pool *p, const struct verb *v, const struct call *caller,
		      struct error *err)
{
	char name[POOL_NAME_MAX], what[POOL_NAME_MAX + 64];
	struct call call = *caller;
	struct job *j;
	int r;

	if (!v->timed)
		call.deadline_ns = 0;
	else if (!call.deadline_ns)
		call.deadline_ns = model_deadline();
	pool_name(p, name);
	snprintf(what, sizeof(what), "%s pool '%s'", v->line, name);
	j = job_begin_for(what, &call);
	if (!j)
		return error_code(err, ENOMEM, "cannot %s", what);
	r = v->run(p, v, job_call(j), err);
	job_end(j);
	return r;
}

int pool_verb(struct pool *p, const char *line, struct call *call, struct error *err)
{
	const struct verb *v = find_verb(line);
	enum pool_verb_id ignored;
	struct error unread = { 0 };
	int r;

	err = err ? err : &unread;
	if (!v)
		return pool_verb_parse(line, &ignored, err);
	r = pool_verb_begin(p, v->line, err);
	if (r < 0)
		return r;
	r = run_as_job(p, v, call, err);
	pool_verb_end(p);
	return r;
}

int pool_start(struct pool *p, struct call *call, struct error *err)
{
	return pool_verb(p, "start", call, err);
}

/* With the lock held. */
int pool_refuse_undefined(struct pool *p, struct error *err)
{
	return error_set(err, EINVAL, "pool '%s' has no definition yet: write its xml",
			 p->name);
}

/* With the lock held: the outcome of the verb under way. */
void pool_conclude(struct pool *p, enum pool_state s)
{
	pool_set_state(p, s);
	p->verb_done = true;
}

const struct backend *definition_backend(const struct definition *d, struct error *err)
{
	return registry_get(d->spec.type, err);
}

int definition_unsupported(const struct definition *d, const char *what,
			   struct error *err)
{
	return error_set(err, EOPNOTSUPP, "a pool of type '%s' cannot %s", d->spec.type,
			 what);
}

/* -- start and stop -- */

static int run_start(struct pool *p, const struct verb *v, struct call *call,
		     struct error *err)
{
	return pool_bring_up(p, false, call, err);
}

static int run_start_alone(struct pool *p, const struct verb *v, struct call *call,
			   struct error *err)
{
	return pool_bring_up(p, true, call, err);
}

static int run_stop(struct pool *p, const struct verb *v, struct call *call,
		    struct error *err)
{
	return pool_take_down(p, call, err);
}

static bool may_start_alone(struct pool *p)
{
	SCOPED_POOL(p);
	return p->state == POOL_INACTIVE || (p->state == POOL_FAILED && p->retry_s);
}

void pool_start_alone(struct pool *p, bool if_active)
{
	static const struct verb verb = { "start", POOL_VERB_START, BUILD, true,
					  run_start_alone };
	struct call call = { .deadline_ns = model_deadline(),
			     .uid = geteuid(),
			     .gid = getegid() };
	struct error err = { 0 };

	if (pool_verb_begin(p, verb.line, &err) < 0)
		return;
	/* its failure is remembered and logged */
	if (may_start_alone(p) && (!if_active || pool_is_active(p, &call)))
		run_as_job(p, &verb, &call, &err);
	pool_verb_end(p);
}

/* -- build and delete -- */

/* What to build or delete; the pool is then shown as being built. */
static int begin_build(struct pool *p, const char *what, struct definition **d,
		       enum pool_state *was, struct error *err)
{
	SCOPED_POOL(p);

	if (!p->now)
		return pool_refuse_undefined(p, err);
	if (p->live)
		return error_set(err, EBUSY,
				 "cannot %s pool '%s': it is running, stop it first",
				 what, p->name);
	*d = definition_ref(p->now);
	*was = p->state;
	pool_set_state(p, POOL_BUILDING);
	return 0;
}

static void end_build(struct pool *p, enum pool_state was, bool again)
{
	pool_lock(p);
	pool_conclude(p, was);
	if (again && p->retry_s)
		p->retry_at_ns = clock_now();
	pthread_mutex_unlock(&p->lock);
	pool_tell_state(p, was);
}

/* Calls the backend of what is being built or deleted. */
static int change_ground(struct pool *p, const struct definition *d,
			 const struct verb *v, struct call *call, struct error *err)
{
	bool build = v->id != POOL_VERB_DELETE;
	const struct backend *b = definition_backend(d, err);
	int r;

	if (!b)
		return -err->code;
	if (build ? !BACKEND_HAS(b, build) : !BACKEND_HAS(b, remove))
		return definition_unsupported(d, build ? "be built" : "be deleted", err);
	r = definition_check_paths(d, err);
	if (r < 0)
		return r;
	return build ? b->build(&d->spec, &p->host, v->mode, call, err) :
		       b->remove(&d->spec, &p->host, call, err);
}

static int build_or_delete(struct pool *p, const char *what, const struct verb *v,
			   struct call *call, struct error *err)
{
	AUTO_DEFINITION struct definition *d = NULL;
	enum pool_state was = POOL_INACTIVE; /* gcc does not see that it is set */
	int r = begin_build(p, what, &d, &was, err);

	if (r < 0)
		return r;
	pool_tell_state(p, POOL_BUILDING);
	r = change_ground(p, d, v, call, err);
	end_build(p, was, !r && v->id != POOL_VERB_DELETE);
	if (r < 0)
		error_prefix(err, "cannot %s pool '%s'", what, d->spec.name);
	return r;
}

static int run_build(struct pool *p, const struct verb *v, struct call *call,
		     struct error *err)
{
	int r = 0;

	if (v->mode == BUILD_OVERWRITE)
		r = pool_check_protected(p, "build over what is there", err);
	return r < 0 ? r : build_or_delete(p, "build", v, call, err);
}

static int run_delete(struct pool *p, const struct verb *v, struct call *call,
		      struct error *err)
{
	int r = pool_check_protected(p, "delete what it stands on", err);

	return r < 0 ? r : build_or_delete(p, "delete", v, call, err);
}

/* -- refresh -- */

/* As pool_begin, also where the source is away: to ask whether it is back. Who asks for
 * nobody has no verb, and may meet one that stops the pool. */
static int begin_refresh(struct pool *p, struct use *u, struct error *err)
{
	SCOPED_POOL(p);

	if (!p->now)
		return pool_refuse_undefined(p, err);
	if (!p->live || p->state == POOL_STOPPING)
		return error_set(err, EAGAIN, "pool '%s' is not running", p->name);
	p->live->uses++;
	*u = (struct use){ p->live, p->live->backend, p->live->pool };
	return 0;
}

static int refresh(struct pool *p, struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	char name[POOL_NAME_MAX];
	bool back;
	int r = begin_refresh(p, &u, err);

	if (r < 0)
		return r;
	r = definition_check_paths(u.live->definition, err);
	if (!r && BACKEND_HAS(u.backend, refresh))
		r = u.backend->refresh(u.pool, call, err);
	if (r < 0) {
		pool_name(p, name);
		error_prefix(err, "cannot refresh pool '%s'", name);
		return r;
	}
	pool_lock(p);
	p->stat_ns = 0;
	p->lost = (struct error){ 0 };
	p->retry_s = 0;
	back = p->state == POOL_AWAY;
	if (back)
		pool_set_state(p, POOL_RUNNING);
	pthread_mutex_unlock(&p->lock);
	if (back)
		pool_tell_state(p, POOL_RUNNING);
	pool_tell(p, EVENT_VOLUMES_ALL, NULL);
	return 0;
}

static int run_refresh(struct pool *p, const struct verb *v, struct call *call,
		       struct error *err)
{
	return refresh(p, call, err);
}

void pool_refresh_alone(struct pool *p)
{
	struct call call = { .deadline_ns = model_deadline(),
			     .uid = geteuid(),
			     .gid = getegid() };
	struct error why = { 0 }; /* the pool's error says it already */
	bool again;

	if (pool_state(p) != POOL_AWAY || refresh(p, &call, &why) == 0)
		return;
	pool_lock(p);
	again = p->state == POOL_AWAY && autostart_ask(p);
	pthread_mutex_unlock(&p->lock);
	if (again)
		autostart_wake();
}
