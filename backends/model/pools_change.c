/*
 * What changes which pools there are and what they stand for: definition, removal,
 * renaming.
 *
 * `changing` makes these one at a time, so that of two that conflict one is refused; it
 * is taken before any other lock and held while SOURCE is written, never across a backend
 * call.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "backends/model/definitions.h"
#include "backends/model/pool_object.h"
#include "backends/model/pool_xml.h"
#include "backends/model/pools.h"
#include "backends/model/store.h"
#include "backends/model/xml.h"
#include "backends/support/log.h"

static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

/* -- definitions -- */

static int refuse_conflict(struct pool *other, const char *what, struct error *err)
{
	return error_set(err, EEXIST, "pool '%s' has the same %s", other->name, what);
}

struct check {
	struct pool *p;
	const struct definition *d;
	struct error *err;
};

static const char *conflict(const struct definition *theirs,
			    const struct definition *ours, char *words, size_t size)
{
	if (!theirs)
		return NULL;
	if (!strcmp(theirs->spec.uuid, ours->spec.uuid))
		return "UUID";
	return pool_specs_conflict(&theirs->spec, &ours->spec, words, size);
}

static int check_other(void *arg, struct pool *other)
{
	const struct check *c = arg;
	char words[512];
	const char *what;

	if (other == c->p)
		return 0;

	SCOPED_POOL(other);
	what = conflict(other->now, c->d, words, sizeof(words));
	if (!what)
		what = conflict(other->next, c->d, words, sizeof(words));
	return what ? refuse_conflict(other, what, c->err) : 0;
}

/* While changing. */
static int check_conflicts(struct pool *p, const struct definition *d, struct error *err)
{
	struct check c = { p, d, err };

	return pools_each(check_other, &c);
}

/* The document's UUID, or the one that the pool has, or a new one. */
static int settle_uuid(struct pool *p, struct definition *d, struct error *err)
{
	uuid_t uuid;

	SCOPED_POOL(p);
	if (!*d->spec.uuid && p->now)
		strcpy(d->spec.uuid, p->now->spec.uuid);
	if (!*d->spec.uuid) {
		uuid_generate_random(uuid);
		uuid_unparse_lower(uuid, d->spec.uuid);
	}
	if (p->live && strcmp(d->spec.uuid, p->now->spec.uuid))
		return error_set(
			err, EBUSY,
			"it is running as %s: stop it before you give it another UUID",
			p->now->spec.uuid);
	return 0;
}

/* While changing. A running pool keeps what it runs with until it stops. */
static void put_in_force(struct pool *p, struct definition *d, bool *first)
{
	SCOPED_POOL(p);

	bool in_use = p->live || p->state == POOL_STARTING ||
		      (p->verb && !strcmp(p->verb, "start"));
	struct definition **at = in_use && p->now ? &p->next : &p->now;

	*first = !p->now;
	definition_unref(take(p->next));
	definition_unref(*at);
	*at = definition_ref(d);
	if (*first) {
		p->state = POOL_INACTIVE;
		p->error = (struct error){ 0 };
	}
	p->retry_at_ns = 0; /* where it is being retried: at once */
	pool_touch(p);
}

static int check_alive(struct pool *p, struct error *err)
{
	SCOPED_POOL(p);
	return p->removed ? error_set(err, ENOENT, "pool '%s' was removed", p->name) : 0;
}

/* It may have been renamed since the text was parsed. */
static bool is_named(struct pool *p, const char *name)
{
	SCOPED_LOCK(&p->lock);
	return !strcmp(p->name, name);
}

static int store(const struct definition *d, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	int r = pool_xml_print(&d->spec, NULL, &text, err);

	return r < 0 ? r : definition_store(d->spec.name, &text, err);
}

int pools_define(struct pool *p, struct definition *d, bool *first, struct error *err)
{
	int r;

	SCOPED_LOCK(&changing);
	r = check_alive(p, err);
	if (!r && !is_named(p, d->spec.name))
		r = error_set(err, EBUSY, "it was renamed meanwhile: write it again");
	if (!r && store_read_only())
		r = error_set(err, EROFS, "mounted read-only");
	if (!r)
		r = settle_uuid(p, d, err);
	if (!r)
		r = check_conflicts(p, d, err);
	if (!r)
		r = store(d, err);
	if (!r)
		put_in_force(p, d, first);
	return r;
}

/* -- what SOURCE has -- */

/* A definition that was copied by hand. */
static void refuse_twin(struct pool *p, struct pool *twin)
{
	char name[POOL_NAME_MAX];

	pool_name(twin, name);

	SCOPED_POOL(p);
	if (p->state != POOL_INACTIVE || p->verb || p->live)
		return;
	definition_unref(take(p->now));
	p->state = POOL_UNDEFINED;
	error_set(
		&p->error, EEXIST,
		"the definition '%s/%s.xml' cannot be used: pool '%s' has the same UUID",
		store_source(), p->name, name);
	log_error("%s", p->error.text);
}

struct reading {
	struct map uuids;
	struct twin {
		struct map_link link;
		struct pool *p;
	} * seen;
	size_t n, room;
};

static int read_one(void *arg, struct pool *p)
{
	struct reading *r = arg;
	struct twin *t = &r->seen[r->n];
	struct map_link *same;
	uint64_t hash;

	if (!pool_type(p) || r->n == r->room) /* which has read it */
		return 0;
	hash = pool_hash(p); /* of its UUID */
	same = map_first(&r->uuids, hash);
	if (same) {
		refuse_twin(p, container_of(same, struct twin, link)->p);
	} else if (!map_insert(&r->uuids, &t->link, hash)) {
		t->p = p;
		r->n++;
	}
	return 0;
}

void pools_read_all(void)
{
	struct reading r = { 0 };

	SCOPED_LOCK(&changing); /* none that has a definition comes or goes */
	r.room = pools_count();
	r.seen = calloc(r.room + 1, sizeof(*r.seen));
	if (r.seen)
		pools_each(read_one, &r);
	map_free(&r.uuids);
	free(r.seen);
}

/* -- mkdir, rmdir, mv -- */

/* What a crash has left of a pool of that name is not the new one's. */
static int add_pool(const char *name, struct pool **out, struct error *err)
{
	AUTO_POOL struct pool *taken = NULL;
	int r = 0;

	SCOPED_LOCK(&changing);
	taken = pools_find(name);
	if (!taken && !definition_exists(name)) {
		r = autostart_link_set(name, false, err);
		if (!r)
			r = attributes_forget(name, err);
	}
	return r < 0 ? r : pools_add(name, out, err);
}

int pools_make(const char *name, struct call *call, struct pool **out, struct error *err)
{
	AUTO_POOL struct pool *p = NULL;
	AUTO_FREE char *text = NULL;
	size_t len;
	int r = pool_name_check(name, err);

	if (!r && store_read_only())
		r = error_set(err, EROFS, "cannot make pool '%s': mounted read-only",
			      name);
	if (!r)
		r = add_pool(name, &p, err);
	if (r < 0)
		return r;
	pool_tell(p, EVENT_POOL_ADDED, NULL);
	text = pending_take(name, &len);
	if (text)
		r = pool_define(p, text, len, call, err);
	if (r < 0) {
		pending_put(name, take(text), len);
		pools_drop(p);
		return r;
	}
	*out = take(p);
	return 0;
}

/* With the verb taken: whether it may be removed or renamed. */
static int check_inactive(struct pool *p, const char *what, struct error *err)
{
	SCOPED_POOL(p);

	if (p->live)
		return error_set(err, EBUSY,
				 "cannot %s pool '%s': it is running, stop it first",
				 what, p->name);
	return 0;
}

static int undefine(struct pool *p, struct error *err)
{
	char name[POOL_NAME_MAX];
	int r;

	SCOPED_LOCK(&changing);
	pool_name(p, name);
	r = store_read_only() ? error_set(err, EROFS, "mounted read-only") :
				definition_remove(name, err);
	if (r < 0)
		return error_prefix(err, "cannot remove pool '%s'", name);
	attributes_remove(p->attributes, NULL);
	pools_drop(p);
	return 0;
}

int pools_remove(struct pool *p, struct error *err)
{
	int r = pool_verb_begin(p, "rmdir", err);

	if (r < 0)
		return r;
	r = check_inactive(p, "remove", err);
	if (!r)
		r = pool_check_protected(p, "remove it", err);
	if (!r)
		r = undefine(p, err);
	if (!r)
		volumes_reset(p->volumes);
	pool_verb_end(p);
	return r;
}

/* The definition under a new name, and its text; NULL: no memory, or what err says. */
static struct definition *rename_definition(struct definition *d, const char *name,
					    struct buf *text, struct error *err)
{
	AUTO_DEFINITION struct definition *copy = calloc(1, sizeof(*copy));

	if (!copy) {
		error_code(err, ENOMEM, "cannot rename the pool");
		return NULL;
	}
	atomic_store(&copy->refs, 1);
	copy->type = d->type;
	copy->spec = (struct pool_spec)POOL_SPEC_INIT;
	if (pool_spec_copy(&d->spec, &copy->spec) < 0) {
		error_code(err, ENOMEM, "cannot rename the pool");
		return NULL;
	}
	free(copy->spec.name);
	copy->spec.name = strdup(name);
	if (!copy->spec.name) {
		error_code(err, ENOMEM, "cannot rename the pool");
		return NULL;
	}
	return pool_xml_print(&copy->spec, NULL, text, err) < 0 ? NULL : take(copy);
}

/* While changing. An undefined pool has nothing on disk, or a broken definition, whose
 * text is moved as it is. */
static int rename_stored(struct pool *p, const char *from, const char *to,
			 struct definition **d, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	char old[POOL_NAME_MAX + 8];
	int r;

	if (p->now) {
		*d = rename_definition(p->now, to, &text, err);
		if (!*d)
			return -err->code;
	} else {
		snprintf(old, sizeof(old), "%s.xml", from);
		r = store_read(old, XML_LIMIT, &text, err);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
	}
	return definition_rename(from, to, &text, err);
}

static int rename_pool(struct pool *p, const char *from, const char *to,
		       struct error *err)
{
	AUTO_DEFINITION struct definition *d = NULL;
	AUTO_POOL struct pool *taken = NULL;
	AUTO_FREE char *name = strdup(to); /* what may fail comes before SOURCE changes */
	int r;

	if (!name)
		return error_code(err, ENOMEM, "cannot rename the pool");

	SCOPED_LOCK(&changing);
	taken = pools_find(to);
	if (taken)
		return error_set(err, EEXIST, "there is a pool '%s' already", to);
	if (definition_exists(to))
		return error_set(err, EEXIST, "'%s/%s.xml' exists already",
				 store_source(), to);
	/* a pool must not lose its protection with its name */
	r = attributes_rename_begin(p->attributes, to, err);
	if (r < 0)
		return r;
	r = rename_stored(p, from, to, &d, err);
	attributes_rename_end(p->attributes, !r);
	if (!r)
		pools_change_name(p, take(name), d);
	return r;
}

int pools_rename(struct pool *p, const char *to, struct error *err)
{
	char from[POOL_NAME_MAX];
	int r = pool_name_check(to, err);

	if (!r)
		r = pool_verb_begin(p, "mv", err);
	if (r < 0)
		return r;
	pool_name(p, from);
	r = check_inactive(p, "rename", err);
	if (!r && store_read_only())
		r = error_set(err, EROFS, "cannot rename pool '%s': mounted read-only",
			      from);
	if (!r && strcmp(from, to))
		r = rename_pool(p, from, to, err);
	pool_verb_end(p);
	if (!r && strcmp(from, to))
		pool_tell(p, EVENT_POOL_RENAMED, from);
	return r;
}

/* -- autostart -- */

/* true: it was waiting to be started once more, and no longer is. */
static bool apply_autostart(struct pool *p, bool on)
{
	SCOPED_POOL(p);

	bool ends = !on && p->state == POOL_FAILED && !p->verb;

	p->autostart = on;
	if (ends) {
		p->retry_s = 0;
		p->state = POOL_INACTIVE;
	}
	pool_touch(p);
	return ends;
}

static int store_autostart(struct pool *p, bool on, struct error *err)
{
	char name[POOL_NAME_MAX];
	int r;

	SCOPED_LOCK(&changing);
	pool_name(p, name);
	r = check_alive(p, err);
	if (r < 0)
		return r;
	if (!pool_type(p))
		return error_set(err, EINVAL,
				 "pool '%s' has no definition yet: write its xml", name);
	if (store_read_only())
		return error_set(err, EROFS,
				 "cannot change 'autostart': mounted read-only");
	return autostart_link_set(name, on, err);
}

int pool_set_autostart(struct pool *p, bool on, struct error *err)
{
	int r = store_autostart(p, on, err);

	if (r < 0)
		return r;
	if (apply_autostart(p, on))
		pool_tell_state(p, POOL_INACTIVE);
	return 0;
}
