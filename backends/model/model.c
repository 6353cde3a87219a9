/*
 * The model as a whole: its options, opening and closing it, the last failure anywhere.
 *
 * Options never change in place: a remount puts a new set where the old one was, which
 * lives on in a list until the end, since readers hold no lock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/model/definitions.h"
#include "backends/model/marks.h"
#include "backends/model/pool_object.h"
#include "backends/model/pools.h"
#include "backends/model/registry.h"
#include "backends/model/store.h"
#include "backends/model/xml.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"

#define DEFAULT_TIMEOUT_S 30

struct options {
	struct model_options o;
	struct options *older;
	char *source, *mountpoint;
};

static const struct model_options none = { .timeout_s = DEFAULT_TIMEOUT_S };
static _Atomic(struct options *) options;
static atomic_bool closing;

static pthread_mutex_t error_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct error error;
	char path[600];
	time_t at;
} last_error;

/* -- options -- */

static void options_free(struct options *o)
{
	while (o) {
		struct options *older = o->older;

		free(o->source);
		free(o->mountpoint);
		free(o);
		o = older;
	}
}

static int options_put(const struct model_options *o, struct error *err)
{
	struct options *new = calloc(1, sizeof(*new));

	if (new) {
		new->o = *o;
		new->o.source = new->source = strdup(o->source);
		if (o->mountpoint)
			new->o.mountpoint = new->mountpoint = strdup(o->mountpoint);
		if (!new->o.timeout_s)
			new->o.timeout_s = DEFAULT_TIMEOUT_S;
	}
	if (!new || !new->source || (o->mountpoint && !new->mountpoint)) {
		options_free(new);
		return error_code(err, ENOMEM, "cannot keep the options");
	}
	new->older = atomic_load(&options);
	atomic_store(&options, new);
	return 0;
}

const struct model_options *model_options(void)
{
	struct options *o = atomic_load(&options);

	return o ? &o->o : &none;
}

int model_reconfigure(bool read_only, unsigned timeout_s, struct error *err)
{
	struct model_options o = *model_options();
	int r = store_set_read_only(read_only, err);

	if (r < 0)
		return r;
	o.read_only = read_only;
	if (timeout_s)
		o.timeout_s = timeout_s;
	return options_put(&o, err);
}

bool model_starts_pools(void)
{
	return !model_options()->no_autostart && !store_read_only() && !model_closing();
}

bool model_closing(void)
{
	return atomic_load(&closing);
}

uint64_t model_deadline(void)
{
	return clock_now() + model_options()->timeout_s * NS_PER_S;
}

/* -- opening -- */

static int load_one(void *arg, const char *name)
{
	struct error err = { 0 };

	if (!pool_name_check(name, &err))
		return pools_add_unread(name, arg);
	log_warning("'%s/%s.xml' is not taken for a pool: %s", store_source(), name,
		    err.text);
	return 0;
}

static int load_link(void *arg, const char *name)
{
	AUTO_POOL struct pool *p = pools_find(name);

	if (p) {
		SCOPED_LOCK(&p->lock);
		p->autostart = true;
	}
	return 0;
}

int model_open(const struct model_options *o, struct error *err)
{
	int r = options_put(o, err);

	if (r < 0)
		return r;
	atomic_store(&closing, false);
	xml_init();
	r = store_open(o->source, o->read_only, err);
	if (r < 0) {
		options_free(atomic_exchange(&options, NULL));
		return r;
	}
	marks_open(o->source);
	r = definitions_each(load_one, err, err);
	if (!r)
		r = autostart_links_each(load_link, NULL, err);
	if (r < 0) {
		pools_free();
		store_close();
		options_free(atomic_exchange(&options, NULL));
		return r;
	}
	autostart_begin();
	return 0;
}

void model_autostart(void)
{
	autostart_all();
}

/* -- closing -- */

/* The first pool that something still uses: a verb, a call, an open volume. */
static int find_stuck(void *arg, struct pool *p)
{
	char *name = arg;
	bool open = volumes_check_idle(p->volumes, NULL) < 0;

	SCOPED_LOCK(&p->lock);
	if (!open && !p->verb && (!p->live || !p->live->uses) && !p->stat_queued)
		return 0;
	strcpy(name, p->name);
	return -EBUSY;
}

bool model_settle(unsigned timeout_ms, char *stuck, size_t size)
{
	const struct timespec step = { .tv_nsec = 10 * NS_PER_MS };
	uint64_t end = clock_now() + timeout_ms * NS_PER_MS;
	char name[POOL_NAME_MAX] = "";
	bool drained, in_use;

	atomic_store(&closing, true);
	jobs_cancel_all();
	autostart_end();
	drained = executors_drain(timeout_ms);
	while ((in_use = pools_each(find_stuck, name) < 0) && !deadline_passed(end))
		nanosleep(&step, NULL);
	/* whoever used one last may not be through yet */
	if (drained && !in_use && executors_drain(timeout_ms))
		return true;
	snprintf(stuck, size, "%s", name);
	return false;
}

static int detach_one(void *arg, struct pool *p)
{
	struct live *l;

	pthread_mutex_lock(&p->lock);
	l = take(p->live);
	p->state = POOL_INACTIVE;
	pthread_mutex_unlock(&p->lock);
	if (!l)
		return 0;
	if (BACKEND_HAS(l->backend, detach))
		l->backend->detach(l->pool);
	definition_unref(l->definition);
	free(l);
	return 0;
}

void model_close(unsigned timeout_ms)
{
	pools_each(detach_one, NULL);
	pools_free();
	pending_clear();
	/* threads that were idle end, and release what libxml2 keeps for each of them */
	executors_drain(timeout_ms);
	store_close();
	events_exit();
	last_error.error = (struct error){ 0 };
	options_free(atomic_exchange(&options, NULL));
}

/* -- the last failure anywhere -- */

void model_remember(const struct error *err, const char *path)
{
	pthread_mutex_lock(&error_lock);
	last_error.error = *err;
	last_error.at = time(NULL);
	snprintf(last_error.path, sizeof(last_error.path), "%s", path ? path : "/");
	for (char *c = last_error.path; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?'; /* names may hold newlines, the line may not */
	pthread_mutex_unlock(&error_lock);
	events_emit(&(struct event){ .what = EVENT_ERROR });
}

int model_error_show(struct buf *out)
{
	char stamp[32];
	struct tm tm;

	SCOPED_LOCK(&error_lock);
	if (!last_error.error.code)
		return 0;
	gmtime_r(&last_error.at, &tm);
	strftime(stamp, sizeof(stamp), "%FT%TZ", &tm);
	return buf_printf(out, "%s %s: %s\n", stamp, last_error.path,
			  last_error.error.text);
}
