/* The stub pool. */
#include "tests/unit/stub_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/attributes.h"
#include "backends/model/events.h"
#include "backends/model/pools.h"
#include "backends/model/volumes.h"
#include "backends/support/map.h"

extern const struct backend storagefs_backend;

struct kept {
	struct kept *next;
	char *name;
	struct volume_attributes a;
};

struct attributes {
	pthread_mutex_t lock;
	struct kept *volumes;
	enum choice protected;
};

struct pool {
	struct volumes *volumes;
	struct attributes attributes;
	struct permissions permissions;
	struct executor *executor;
	enum pool_state state;
	pthread_mutex_t lock;
	struct buf events;
	char control[64];
	void *instance;
};

static struct model_options options;

/* -- host of the backend -- */

static void host_changed(void *ctx, enum change what, const char *volume)
{
}

static void host_lost(void *ctx, const struct error *err)
{
}

/* -- for tests -- */

static void note(void *arg, const struct event *e)
{
	static const char *const words[] = {
		[EVENT_VOLUME_ADDED] = "added", [EVENT_VOLUME_REMOVED] = "removed",
		[EVENT_VOLUME_RENAMED] = "renamed", [EVENT_VOLUME_CHANGED] = "changed",
		[EVENT_SNAPSHOTS] = "snapshots",
	};
	struct pool *p = arg;

	if (e->pool != p)
		return;
	SCOPED_LOCK(&p->lock);
	buf_printf(&p->events, "%s %s\n", words[e->what], e->name);
}

struct pool *stub_pool_start(const char *format)
{
	struct pool *p = calloc(1, sizeof(*p));
	struct pool_spec spec = POOL_SPEC_INIT;
	const struct host host = { p, NULL, host_changed, host_lost };
	struct call call = { 0 };

	strcpy(p->control, "/tmp/stub-pool-XXXXXX");
	if (!mkdtemp(p->control))
		abort();
	spec.source.name = p->control;
	spec.source.format = (char *)format;
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->attributes.lock, NULL);
	p->permissions = (struct permissions)PERMISSIONS_UNSET;
	p->volumes = volumes_new();
	p->executor = executor_new(2);
	p->state = POOL_RUNNING;
	events_subscribe(note, p);
	if (storagefs_backend.start(&spec, &host, &call, &p->instance, NULL) < 0)
		abort();
	return p;
}

void stub_pool_end(struct pool *p)
{
	struct call call = { 0 };
	char command[128];

	while (p->attributes.volumes) {
		struct kept *k = p->attributes.volumes;

		p->attributes.volumes = k->next;
		free(k->name);
		free(k);
	}
	storagefs_backend.stop(p->instance, &call, NULL);
	executor_close(p->executor);
	if (!executors_drain(60000))
		abort();
	events_unsubscribe(note, p);
	volumes_free(p->volumes);
	buf_free(&p->events);
	snprintf(command, sizeof(command), "rm -r %s", p->control);
	if (system(command))
		abort();
	free(p);
}

void stub_pool_control(struct pool *p, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", p->control, file);
	unlink(path);
	if (!text)
		return;

	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

void stub_pool_set_state(struct pool *p, enum pool_state s)
{
	p->state = s;
}

void stub_pool_set_permissions(struct pool *p, struct permissions perms)
{
	p->permissions = perms;
}

const char *stub_pool_events(struct pool *p)
{
	SCOPED_LOCK(&p->lock);
	return buf_text(&p->events);
}

void stub_pool_set_mountpoint(const char *path)
{
	options.mountpoint = path;
}

/* -- model/pool.h -- */

const struct model_options *model_options(void)
{
	return &options;
}

struct pool *pool_ref(struct pool *p)
{
	return p;
}

void pool_unref(struct pool *p)
{
}

uint64_t pool_serial(const struct pool *p)
{
	return (uintptr_t)p;
}

void pool_name(struct pool *p, char name[POOL_NAME_MAX])
{
	strcpy(name, "stub");
}

const struct pool_type *pool_type(struct pool *p)
{
	return pool_type_find("fake");
}

bool pool_runs_inline(struct pool *p)
{
	return false;
}

struct executor *pool_executor(struct pool *p)
{
	return p->executor;
}

int pool_begin(struct pool *p, struct use *u, struct error *err)
{
	if (p->state != POOL_RUNNING)
		return error_set(err, EAGAIN, "the pool is not running");
	*u = (struct use){ (struct live *)p, &storagefs_backend, p->instance };
	return 0;
}

void pool_end(struct use *u)
{
	u->live = NULL;
}

bool pool_protected(struct pool *p)
{
	return p->attributes.protected == CHOICE_YES;
}

int pool_set_protected(struct pool *p, bool on, struct error *err)
{
	p->attributes.protected = on ? CHOICE_YES : CHOICE_NO;
	return 0;
}

int pool_check_protected(struct pool *p, const char *what, struct error *err)
{
	return pool_protected(p) ? error_set(err, EPERM, "cannot %s: protected", what) : 0;
}

/* -- model/volumes.h -- */

struct volumes *pool_volumes(struct pool *p)
{
	return p->volumes;
}

struct attributes *pool_attributes(struct pool *p)
{
	return &p->attributes;
}

struct permissions pool_default_permissions(struct pool *p)
{
	return p->permissions;
}

/* -- model/attributes.h -- */

static struct kept *find(struct attributes *a, const char *volume)
{
	for (struct kept *k = a->volumes; k; k = k->next)
		if (!strcmp(k->name, volume))
			return k;
	return NULL;
}

void attributes_volume(struct attributes *a, const char *volume, struct volume_attributes *out)
{
	SCOPED_LOCK(&a->lock);
	const struct kept *k = find(a, volume);

	*out = k ? k->a : (struct volume_attributes)VOLUME_ATTRIBUTES_INIT;
}

int attributes_set_volume(struct attributes *a, const char *volume,
			  const struct volume_attributes *in, struct error *err)
{
	SCOPED_LOCK(&a->lock);
	struct kept *k = find(a, volume);

	if (!k) {
		k = calloc(1, sizeof(*k));
		k->name = strdup(volume);
		k->next = a->volumes;
		a->volumes = k;
	}
	k->a = *in;
	return 0;
}

int attributes_rename_volume(struct attributes *a, const char *from, const char *to,
			     struct error *err)
{
	struct volume_attributes in, none = VOLUME_ATTRIBUTES_INIT;

	attributes_volume(a, from, &in);
	attributes_set_volume(a, to, &in, err);
	return attributes_set_volume(a, from, &none, err);
}
