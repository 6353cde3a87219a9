/*
 * The pool as an object: references, state, what is shown of it, and the use of its
 * running instance. Defining it is pool_define.c, its verbs are pool_verbs.c.
 */
#include "backends/model/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/definitions.h"
#include "backends/model/pool_object.h"
#include "backends/model/pool_xml.h"
#include "backends/model/pools.h"
#include "backends/model/registry.h"
#include "backends/model/store.h"
#include "backends/support/clock.h"
#include "backends/support/thread.h"

/* How old sizes in a live description may be, and how long it waits for new ones of a
 * source that may hang. Once it waited in vain it takes the last known until the source
 * has answered. */
#define STAT_FRESH_NS NS_PER_S
#define STAT_WAIT_NS  (500 * NS_PER_MS)
#define STAT_FIRST_NS (50 * NS_PER_MS)

static const char *const state_names[] = {
	[POOL_UNDEFINED] = "undefined", [POOL_INACTIVE] = "inactive",
	[POOL_STARTING] = "starting",	[POOL_RUNNING] = "running",
	[POOL_AWAY] = "away",		[POOL_STOPPING] = "stopping",
	[POOL_BUILDING] = "building",	[POOL_FAILED] = "failed",
};

/* -- life -- */

struct definition *definition_ref(struct definition *d)
{
	if (d)
		atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void definition_unref(struct definition *d)
{
	if (!d || atomic_fetch_sub(&d->refs, 1) != 1)
		return;
	pool_spec_clear(&d->spec);
	free(d);
}

static void pool_free(struct pool *p)
{
	if (p->executor)
		executor_close(p->executor);
	volumes_free(p->volumes);
	attributes_free(p->attributes);
	definition_unref(p->now);
	definition_unref(p->next);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->settled);
	free(p->name);
	free(p);
}

struct pool *pool_new(const char *name)
{
	static _Atomic uint64_t last_serial;
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	atomic_store(&p->refs, 1);
	p->stat.permissions = (struct permissions)PERMISSIONS_UNSET;
	p->serial = atomic_fetch_add(&last_serial, 1) + 1;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->settled, NULL);
	list_init(&p->link);
	pool_touch(p);
	pool_host_init(p);
	p->name = strdup(name);
	p->executor = executor_new(EXECUTOR_THREADS);
	p->volumes = volumes_new();
	p->attributes = attributes_load(name);
	if (!p->name || !p->executor || !p->volumes || !p->attributes) {
		pool_free(p);
		return NULL;
	}
	return p;
}

struct pool *pool_ref(struct pool *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void pool_unref(struct pool *p)
{
	if (p && atomic_fetch_sub(&p->refs, 1) == 1)
		pool_free(p);
}

pthread_mutex_t *pool_lock(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->unread) {
		p->unread = false;
		definition_load(p);
	}
	return &p->lock;
}

/* -- what it is -- */

uint64_t pool_serial(const struct pool *p)
{
	return p->serial;
}

uint64_t pool_hash(const struct pool *pool)
{
	struct pool *p = (struct pool *)pool; /* its lock is not part of its value */

	SCOPED_POOL(p);
	return p->now ? hash_string(p->now->spec.uuid, 0) :
			hash_bytes(&p->serial, sizeof(p->serial), 0);
}

void pool_name(struct pool *p, char name[POOL_NAME_MAX])
{
	SCOPED_LOCK(&p->lock);
	strncpy(name, p->name, POOL_NAME_MAX - 1);
	name[POOL_NAME_MAX - 1] = '\0';
}

enum pool_state pool_state(struct pool *p)
{
	SCOPED_POOL(p);
	return p->state;
}

const char *pool_state_name(enum pool_state s)
{
	return state_names[s];
}

struct timespec pool_changed(struct pool *p)
{
	SCOPED_POOL(p);
	return p->changed;
}

const struct pool_type *pool_type(struct pool *p)
{
	SCOPED_POOL(p);
	return p->now ? p->now->type : NULL;
}

struct executor *pool_executor(struct pool *p)
{
	return p->executor;
}

bool pool_runs_inline(struct pool *p)
{
	SCOPED_POOL(p);
	return p->live && p->live->local && p->live->files && p->state == POOL_RUNNING;
}

bool pool_data_inline(struct pool *p)
{
	SCOPED_POOL(p);
	return p->live && p->live->local && p->state == POOL_RUNNING;
}

struct volumes *pool_volumes(struct pool *p)
{
	return p->volumes;
}

struct attributes *pool_attributes(struct pool *p)
{
	return p->attributes;
}

struct permissions pool_default_permissions(struct pool *p)
{
	struct permissions none = PERMISSIONS_UNSET;

	SCOPED_POOL(p);

	const struct definition *d = p->live ? p->live->definition : p->now;

	if (!d)
		return none;
	return (struct permissions){
		.mode = d->spec.permissions.mode,
		.owner = d->spec.permissions.owner,
		.group = d->spec.permissions.group,
	};
}

/* -- changes -- */

void pool_touch(struct pool *p)
{
	clock_gettime(CLOCK_REALTIME, &p->changed);
}

void pool_set_state(struct pool *p, enum pool_state s)
{
	p->state = s;
	pool_touch(p);
}

void pool_tell(struct pool *p, enum event_what what, const char *name)
{
	events_emit(&(struct event){ .what = what, .pool = p, .name = name });
}

void pool_tell_state(struct pool *p, enum pool_state s)
{
	pool_tell(p, EVENT_POOL_STATE, state_names[s]);
}

/* -- use -- */

static int refuse_use(struct pool *p, struct error *err)
{
	switch (p->state) {
	case POOL_UNDEFINED:
		return error_set(err, EAGAIN,
				 "pool '%s' has no definition yet: write its xml",
				 p->name);
	case POOL_AWAY:
		return error_set(err, ETIMEDOUT, "pool '%s' is away: %s", p->name,
				 *p->lost.text ? p->lost.text :
						 "its source does not answer");
	case POOL_STARTING:
	case POOL_STOPPING:
	case POOL_BUILDING:
		return error_set(err, EAGAIN, "pool '%s' is %s: wait for it", p->name,
				 state_names[p->state]);
	default:
		return error_set(
			err, EAGAIN,
			p->error_of_start ?
				"pool '%s' is not running: pools/%s/error says why" :
				"pool '%s' is not running: write 'start' to pools/%s/ctl",
			p->name, p->name);
	}
}

int pool_begin(struct pool *p, struct use *u, struct error *err)
{
	SCOPED_POOL(p);

	if (p->state != POOL_RUNNING)
		return refuse_use(p, err);
	p->live->uses++;
	*u = (struct use){ p->live, p->live->backend, p->live->pool };
	return 0;
}

void pool_end(struct use *u)
{
	struct pool *p = u->live->owner;

	SCOPED_POOL(p);
	if (!--u->live->uses)
		pthread_cond_broadcast(&p->settled);
	u->live = NULL;
}

/* -- sizes -- */

int pool_stat(struct pool *p, struct call *call, struct pool_stat *out, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	int r;

	*out = (struct pool_stat){ .permissions = PERMISSIONS_UNSET };
	if (pool_begin(p, &u, NULL) < 0 || !BACKEND_HAS(u.backend, pool_stat))
		return 0;
	if (call && deadline_passed(call->deadline_ns) && !u.live->local) {
		SCOPED_POOL(p);
		*out = p->stat;
		return 0;
	}
	r = u.backend->pool_stat(u.pool, out, call, err);
	if (r < 0)
		return r;

	SCOPED_POOL(p);
	p->stat = *out;
	p->stat.permissions.label = NULL; /* the caller's */
	p->stat_ns = clock_now();
	return 0;
}

static void run_stat(struct task *t)
{
	AUTO_POOL struct pool *p = container_of(t, struct pool, stat_task);
	struct call call = { .deadline_ns = model_deadline() };
	struct pool_stat out;

	pool_stat(p, &call, &out, NULL);
	permissions_clear(&out.permissions);

	SCOPED_POOL(p);
	p->stat_queued = false;
	pthread_cond_broadcast(&p->settled);
}

/* With the lock held: new sizes if the source gives them soon. */
static void ask_sizes(struct pool *p, uint64_t deadline)
{
	uint64_t until = clock_now() + STAT_WAIT_NS, before = p->stat_ns;

	if (p->stat_queued || (p->stat_ns && clock_now() - p->stat_ns < STAT_FRESH_NS))
		return;
	p->stat_task.run = run_stat;
	if (executor_submit(p->executor, &p->stat_task) < 0)
		return;
	p->stat_queued = true;
	pool_ref(p);
	if (deadline && deadline < until)
		until = deadline;
	/* zeros just after the start would be wrong; a moment is little even for who
	 * cannot wait */
	if (!before && until < clock_now() + STAT_FIRST_NS)
		until = clock_now() + STAT_FIRST_NS;

	while (p->stat_queued && p->stat_ns == before)
		if (thread_wait(&p->settled, &p->lock, until))
			break;
}

/* The sizes for a live description; false: it is not running. */
static bool live_sizes(struct pool *p, struct call *call, struct pool_stat *out)
{
	struct error ignored;

	if (pool_runs_inline(p) && !pool_stat(p, call, out, &ignored))
		return pool_state(p) == POOL_RUNNING;

	SCOPED_POOL(p);
	if (p->state == POOL_RUNNING)
		ask_sizes(p, call ? call->deadline_ns : 0);
	*out = p->stat;
	return p->live;
}

/* -- what is shown -- */

static struct definition *definition_of(struct pool *p, bool saved)
{
	SCOPED_POOL(p);

	if (saved && p->next)
		return definition_ref(p->next);
	return definition_ref(p->now);
}

/* The spec with the free ranges of its device, which is then in *device, as libvirt has
 * them in a live description. */
static int with_free_extents(struct pool *p, struct pool_spec *spec,
			     struct pool_device *device)
{
	AUTO_USE struct use u = { 0 };

	if (spec->source.n_devices != 1 || pool_begin(p, &u, NULL) < 0 ||
	    !BACKEND_HAS(u.backend, free_extents))
		return 0;
	*device = spec->source.devices[0];
	spec->source.devices = device;
	return u.backend->free_extents(u.pool, &device->free, &device->n_free);
}

int pool_show_xml(struct pool *p, struct call *call, struct buf *out, struct error *err)
{
	AUTO_DEFINITION struct definition *d = definition_of(p, false);
	struct pool_stat live = { .permissions = PERMISSIONS_UNSET };
	struct pool_device device = { 0 };
	struct pool_spec shown;
	bool running;
	int r;

	if (!d)
		return 0;
	shown = d->spec; /* its own strings and lists: nothing of it is freed here */
	running = live_sizes(p, call, &live);
	r = with_free_extents(p, &shown, &device);
	if (r < 0)
		r = error_code(err, -r, "cannot describe the pool");
	else
		r = pool_xml_print(&shown, running ? &live : NULL, out, err);
	free(device.free);
	permissions_clear(&live.permissions);
	return r;
}

int pool_show_saved(struct pool *p, struct buf *out, struct error *err)
{
	AUTO_DEFINITION struct definition *d = definition_of(p, true);

	return d ? pool_xml_print(&d->spec, NULL, out, err) : 0;
}

int pool_show_uuid(struct pool *p, struct buf *out)
{
	AUTO_DEFINITION struct definition *d = definition_of(p, false);

	return d ? buf_printf(out, "%s\n", d->spec.uuid) : 0;
}

void pool_remember(struct pool *p, const char *volume, const struct error *err)
{
	if (volume) {
		volumes_remember(p->volumes, volume, err);
	} else {
		SCOPED_POOL(p);
		/* that it is not running does not hide why it could not be started */
		if (p->error_of_start &&
		    (err->code == EAGAIN || !strcmp(p->error.text, err->text)))
			return;
		p->error = *err;
		p->error_of_start = false;
		pool_touch(p);
	}
	pool_tell(p, EVENT_ERROR, volume);
}

int pool_show_error(struct pool *p, const char *volume, struct buf *out)
{
	if (volume)
		return volumes_show_error(p->volumes, volume, out);

	SCOPED_POOL(p);
	return p->error.code ? buf_printf(out, "%s\n", p->error.text) : 0;
}

/* -- attributes -- */

/* What SOURCE keeps needs a definition there. */
static int check_defined(struct pool *p, struct error *err)
{
	SCOPED_POOL(p);

	if (p->removed)
		return error_set(err, ENOENT, "pool '%s' was removed", p->name);
	return p->now ? 0 : pool_refuse_undefined(p, err);
}

bool pool_protected(struct pool *p)
{
	enum choice c = attributes_protected(p->attributes);

	return c == CHOICE_UNSET ? model_options()->protect : c == CHOICE_YES;
}

int pool_set_protected(struct pool *p, bool on, struct error *err)
{
	int r = check_defined(p, err);

	if (!r && store_read_only())
		r = error_set(err, EROFS, "cannot change 'protected': mounted read-only");
	if (!r)
		r = attributes_set_protected(p->attributes, on, err);
	if (r < 0)
		return r;

	SCOPED_POOL(p);
	pool_touch(p);
	return 0;
}

int pool_check_protected(struct pool *p, const char *what, struct error *err)
{
	char name[POOL_NAME_MAX];

	if (!pool_protected(p))
		return 0;
	pool_name(p, name);
	return error_set(
		err, EPERM,
		"cannot %s: pool '%s' is protected (write 0 to pools/%s/protected first)",
		what, name, name);
}

bool pool_autostart(struct pool *p)
{
	SCOPED_POOL(p);
	return p->autostart;
}
