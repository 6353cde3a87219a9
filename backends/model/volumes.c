/*
 * The volumes of one pool that are in use, by name, and their last errors.
 *
 * One lock for the table, never held across a call that may wait. A volume's own locks
 * (space, record locks) are taken after it.
 */
#include "backends/model/volumes.h"

#include <errno.h>
#include <string.h>

#include "backends/model/plan.h"
#include "backends/model/volume_lock.h"
#include "backends/model/volume_space.h"
#include "backends/support/clock.h"
#include "backends/support/process.h"
#include "backends/support/thread.h"

#define ERRORS_KEPT 1024
#define CLOSING_NS  NS_PER_S

struct last_error {
	struct map_link link;
	struct list entry; /* oldest first */
	struct error err;
	char name[];
};

struct volumes {
	pthread_mutex_t lock;
	struct map open;      /* named ones, by name */
	struct list all;      /* all that have users */
	pthread_cond_t left;  /* one of them has none any longer */
	struct map errors;
	struct list errors_by_age;
	struct plans *plans;
};

struct volumes *volumes_new(void)
{
	struct volumes *vs = calloc(1, sizeof(*vs));

	if (!vs)
		return NULL;
	vs->plans = plans_new();
	if (!vs->plans) {
		free(vs);
		return NULL;
	}
	pthread_mutex_init(&vs->lock, NULL);
	pthread_cond_init(&vs->left, NULL);
	list_init(&vs->all);
	list_init(&vs->errors_by_age);
	return vs;
}

struct plans *volumes_plans(struct volumes *vs)
{
	return vs->plans;
}

/* -- errors -- */

static struct last_error *error_find(struct volumes *vs, const char *name)
{
	struct map_link *l = map_first(&vs->errors, hash_string(name, 0));

	for (; l; l = map_next(l)) {
		struct last_error *e = container_of(l, struct last_error, link);

		if (!strcmp(e->name, name))
			return e;
	}
	return NULL;
}

static void error_drop(struct volumes *vs, struct last_error *e)
{
	if (!e)
		return;
	map_remove(&vs->errors, &e->link);
	list_remove(&e->entry);
	free(e);
}

static void error_keep(struct volumes *vs, const char *name, const struct error *err)
{
	size_t len = strlen(name) + 1;
	struct last_error *e = malloc(sizeof(*e) + len);

	if (!e)
		return;
	e->err = *err;
	memcpy(e->name, name, len);
	error_drop(vs, error_find(vs, name));
	if (vs->errors.count >= ERRORS_KEPT)
		error_drop(vs, container_of(vs->errors_by_age.next, struct last_error,
					    entry));
	if (map_insert(&vs->errors, &e->link, hash_string(name, 0)) < 0)
		free(e);
	else
		list_append(&vs->errors_by_age, &e->entry);
}

void volumes_remember(struct volumes *vs, const char *name, const struct error *err)
{
	SCOPED_LOCK(&vs->lock);
	error_keep(vs, name, err);
}

int volumes_show_error(struct volumes *vs, const char *name, struct buf *out)
{
	SCOPED_LOCK(&vs->lock);
	struct last_error *e = error_find(vs, name);

	return e ? buf_printf(out, "%s\n", e->err.text) : 0;
}

static void errors_clear(struct volumes *vs)
{
	list_for_each(l, &vs->errors_by_age)
		error_drop(vs, container_of(l, struct last_error, entry));
}

void volumes_reset(struct volumes *vs)
{
	plans_clear(vs->plans);
	SCOPED_LOCK(&vs->lock);
	errors_clear(vs);
}

void volumes_free(struct volumes *vs)
{
	if (!vs)
		return;
	errors_clear(vs);
	plans_free(vs->plans);
	map_free(&vs->errors);
	map_free(&vs->open);
	pthread_mutex_destroy(&vs->lock);
	pthread_cond_destroy(&vs->left);
	free(vs);
}

/* -- volumes in use -- */

static struct volume *find(struct volumes *vs, const char *name)
{
	struct map_link *l = map_first(&vs->open, hash_string(name, 0));

	for (; l; l = map_next(l)) {
		struct volume *v = container_of(l, struct volume, link);

		if (!strcmp(v->name, name))
			return v;
	}
	return NULL;
}

static void unname(struct volumes *vs, struct volume *v)
{
	if (v->named)
		map_remove(&vs->open, &v->link);
	v->named = false;
}

/* Gives a volume its name; without memory it stays nameless, which only loses the
 * sharing. */
static void name_it(struct volumes *vs, struct volume *v)
{
	v->named = map_insert(&vs->open, &v->link, hash_string(v->name, 0)) == 0;
}

static void volume_free(struct volume *v)
{
	volume_locks_exit(&v->locks);
	volume_space_exit(&v->space);
	free(v->name);
	free(v);
}

static struct volume *volume_new(struct volumes *vs, const char *name)
{
	struct volume *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->name = strdup(name);
	if (!v->name) {
		free(v);
		return NULL;
	}
	volume_space_init(&v->space);
	volume_locks_init(&v->locks);
	list_init(&v->uses);
	name_it(vs, v);
	if (!v->named) { /* who has it alone must be found */
		volume_free(v);
		return NULL;
	}
	list_append(&vs->all, &v->entry);
	return v;
}

static void add_use(struct volume *v, pid_t opener, struct volume_use *use)
{
	use->volume = v;
	use->opener = opener;
	atomic_store(&use->closing, false);
	list_append(&v->uses, &use->link);
}

/* Takes the use off; returns the volume when that was its last one, for volume_free. */
static struct volume *drop_use(struct volumes *vs, struct volume_use *use)
{
	struct volume *v = take(use->volume);

	list_remove(&use->link);
	if (!list_empty(&v->uses))
		return NULL;
	unname(vs, v);
	list_remove(&v->entry);
	pthread_cond_broadcast(&vs->left);
	return v;
}

/* Somebody who has it open. */
static pid_t first_opener(const struct volume *v)
{
	list_for_each(l, &v->uses) {
		const struct volume_use *u = container_of(l, struct volume_use, link);

		if (u->opener)
			return u->opener;
	}
	return 0;
}

static int busy(const struct volume *v, struct error *err)
{
	pid_t pid = first_opener(v);
	char name[PROCESS_NAME_MAX];

	if (v->doing)
		return error_set(err, EBUSY,
				 "volume '%s' is being %s: wait for it, see jobs",
				 v->name, v->doing);
	if (pid) {
		if (!process_name(pid, name))
			return error_set(err, EBUSY,
					 "volume '%s' is in use: process %d, which has "
					 "ended, opened it, perhaps for a loop device "
					 "(losetup -l)",
					 v->name, (int)pid);
		return error_set(err, EBUSY,
				 "volume '%s' is in use: process %d (%s) has it open",
				 v->name, (int)pid, name);
	}
	return error_set(err, EBUSY, "volume '%s' is in use", v->name);
}

int volumes_enter(struct volumes *vs, const char *name, pid_t opener,
		  struct volume_use *use, struct error *err)
{
	SCOPED_LOCK(&vs->lock);
	struct volume *v = find(vs, name);

	if (v && v->doing)
		return busy(v, err);
	if (!v)
		v = volume_new(vs, name);
	if (!v)
		return error_code(err, ENOMEM, "cannot open volume '%s'", name);
	add_use(v, opener, use);
	return 0;
}

static bool is_closing(const struct volume *v)
{
	list_for_each(l, &v->uses)
		if (!atomic_load(&container_of(l, struct volume_use, link)->closing))
			return false;
	return true;
}

/* The kernel tells us of the end of an open file only after close(2) has returned: `mv`
 * to another pool removes what it has closed just now. */
static struct volume *find_used(struct volumes *vs, const char *name)
{
	uint64_t until = clock_now() + CLOSING_NS;
	struct volume *v;

	while ((v = find(vs, name)) && is_closing(v))
		if (thread_wait(&vs->left, &vs->lock, until) != 0)
			return find(vs, name);
	return v;
}

int volumes_claim(struct volumes *vs, const char *name, const char *doing,
		  struct volume_use *use, struct error *err)
{
	SCOPED_LOCK(&vs->lock);
	struct volume *v = find_used(vs, name);

	if (v)
		return busy(v, err);
	v = volume_new(vs, name);
	if (!v)
		return error_code(err, ENOMEM, "cannot use volume '%s'", name);
	v->doing = doing;
	add_use(v, 0, use);
	return 0;
}

int volumes_identify(struct volumes *vs, struct volume_use *use, uint64_t dev,
		     uint64_t ino, struct error *err)
{
	struct volume *unused = NULL, *v = use->volume;
	pid_t opener = use->opener;

	pthread_mutex_lock(&vs->lock);
	if (v->known && (v->dev != dev || v->ino != ino)) {
		/* The name is another file's now. */
		unname(vs, v);

		struct volume *own = volume_new(vs, v->name);

		if (!own) {
			pthread_mutex_unlock(&vs->lock);
			return error_code(err, ENOMEM, "cannot open volume '%s'",
					  v->name);
		}
		unused = drop_use(vs, use);
		add_use(own, opener, use);
		v = own;
	}
	v->known = true;
	v->dev = dev;
	v->ino = ino;
	pthread_mutex_unlock(&vs->lock);
	if (unused)
		volume_free(unused);
	return 0;
}

void volumes_leave(struct volumes *vs, struct volume_use *use)
{
	struct volume *unused;

	if (!use->volume)
		return;
	pthread_mutex_lock(&vs->lock);
	unused = drop_use(vs, use);
	pthread_mutex_unlock(&vs->lock);
	if (unused)
		volume_free(unused);
}

int volumes_check_idle(struct volumes *vs, struct error *err)
{
	SCOPED_LOCK(&vs->lock);
	if (list_empty(&vs->all))
		return 0;
	return busy(container_of(vs->all.next, struct volume, entry), err);
}

size_t volumes_open_count(struct volumes *vs)
{
	size_t n = 0;

	SCOPED_LOCK(&vs->lock);
	list_for_each(l, &vs->all)
		n++;
	return n;
}

/* -- names change -- */

static void error_move(struct volumes *vs, const char *from, const char *to)
{
	struct last_error *e = error_find(vs, from);
	struct error err;

	error_drop(vs, error_find(vs, to));
	if (!e)
		return;
	err = e->err;
	error_drop(vs, e); /* first: keeping one may drop the oldest */
	error_keep(vs, to, &err);
}

static void rename_volume(struct volumes *vs, struct volume *v, const char *to)
{
	char *name = strdup(to);

	if (!name)
		return; /* nameless: it stays in use, but is not found by its new name */
	free(v->name);
	v->name = name;
	name_it(vs, v);
}

void volumes_moved(struct volumes *vs, const char *from, const char *to, bool exchanged)
{
	SCOPED_LOCK(&vs->lock);
	struct volume *moved = find(vs, from), *other = find(vs, to);

	if (moved)
		unname(vs, moved);
	if (other)
		unname(vs, other);
	if (moved)
		rename_volume(vs, moved, to);
	if (other && exchanged)
		rename_volume(vs, other, from);
	if (!exchanged)
		error_move(vs, from, to);
}

void volumes_removed(struct volumes *vs, const char *name)
{
	SCOPED_LOCK(&vs->lock);
	struct volume *v = find(vs, name);

	if (v && !v->doing)
		unname(vs, v);
	error_drop(vs, error_find(vs, name));
}

char *volumes_name(struct volumes *vs, struct volume *v)
{
	SCOPED_LOCK(&vs->lock);
	return v->named ? strdup(v->name) : NULL;
}

void volumes_resized(struct volumes *vs, const char *name, uint64_t size)
{
	SCOPED_LOCK(&vs->lock);
	struct volume *v = find(vs, name);

	if (v)
		volume_space_resized(&v->space, size);
}

bool volumes_visible_size(struct volumes *vs, const char *name, uint64_t *size)
{
	SCOPED_LOCK(&vs->lock);
	struct volume *v = find(vs, name);

	return v && volume_space_growing(&v->space, size);
}
