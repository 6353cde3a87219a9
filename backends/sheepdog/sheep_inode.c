/* Open inodes and the locks on their objects. */
#include "backends/sheepdog/sheep_inode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sheepdog/sheep_ahead.h"
#include "backends/sheepdog/sheep_behind.h"

/* -- objects -- */

static struct sheep_object *object_find(const struct sheep_inode *i, uint32_t index)
{
	for (struct map_link *l = map_first(&i->objects, index + 1); l; l = map_next(l)) {
		struct sheep_object *o = container_of(l, struct sheep_object, link);

		if (o->index == index)
			return o;
	}
	return NULL;
}

static struct sheep_object *object_get(struct sheep_inode *i, uint32_t index)
{
	struct sheep_object *o = object_find(i, index);

	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o || map_insert(&i->objects, &o->link, index + 1) < 0) {
		free(o);
		return NULL;
	}
	o->index = index;
	list_init(&o->waiting);
	return o;
}

bool object_is_busy(struct sheep_inode *i, uint32_t index)
{
	return object_find(i, index);
}

static bool is_free(const struct sheep_object *o, bool alone)
{
	return !o->alone && !o->doubtful && list_empty(&o->waiting) &&
	       !(alone && o->shared);
}

struct sheep_object *object_lock(struct sheep_inode *i, uint32_t index, bool alone,
				 struct sheep_waiter *w, struct error *err)
{
	struct sheep_object *o = object_get(i, index);

	if (!o) {
		error_code(err, ENOMEM, "cannot write volume '%s'", i->vdi.name);
		return NULL;
	}
	if (!is_free(o, alone)) {
		list_append(&o->waiting, &w->link);
		return NULL;
	}
	o->alone = alone;
	o->shared += !alone;
	i->writing++;
	return o;
}

void waiters_go(struct list *waiting)
{
	struct list now = LIST_INIT(now);

	for (struct list *l; (l = list_shift(waiting));)
		list_append(&now, l);
	for (struct list *l; (l = list_shift(&now));) {
		struct sheep_waiter *w = container_of(l, struct sheep_waiter, link);

		w->go(w);
	}
}

static void tell_frozen(struct sheep_inode *i)
{
	if (!i->writing)
		waiters_go(&i->thawed);
}

void object_unlock(struct sheep_inode *i, struct sheep_object *o, bool alone)
{
	if (alone)
		o->alone = false;
	else
		o->shared--;
	i->writing--;
	if (!o->shared)
		o->doubtful = false;
	o->pins++; /* it stays while the others are asked */
	if (!o->alone && !o->doubtful)
		waiters_go(&o->waiting);
	o->pins--;
	if (!o->alone && !o->shared && !o->pins && list_empty(&o->waiting)) {
		map_remove(&i->objects, &o->link);
		free(o);
	}
	tell_frozen(i);
}

/* -- lives -- */

static struct sheep_inode *inode_new(struct sheep_pool *sp)
{
	struct sheep_inode *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->sp = sp;
	i->refs = 1;
	list_init(&i->link);
	list_init(&i->ops);
	list_init(&i->behind);
	list_init(&i->chunks);
	list_init(&i->held);
	list_init(&i->thawed);
	list_init(&i->pending);
	return i;
}

static void inode_free(struct sheep_inode *i)
{
	map_free(&i->objects);
	free(i->map);
	free(i);
}
DEFINE_CLEANUP(cleanup_inode, struct sheep_inode *, inode_free)

void inode_ref(struct sheep_inode *i)
{
	i->refs++;
}

void inode_put(struct sheep_inode *i)
{
	if (--i->refs)
		return;
	list_remove(&i->link);
	ahead_drop(i);
	inode_free(i);
}

static struct sheep_inode *find_open(struct sheep_pool *sp, const struct sheep_vdi *v)
{
	list_for_each (l, &sp->inodes) {
		struct sheep_inode *i = container_of(l, struct sheep_inode, link);

		if (!i->gone && i->vdi.snapshot == v->snapshot &&
		    (v->snapshot ? i->vdi.vid == v->vid : !strcmp(i->vdi.name, v->name)))
			return i;
	}
	return NULL;
}

/* One that was made from nothing is another volume, unless it is what ours was before a
 * snapshot, and only seen late. */
bool inode_is_now(struct sheep_inode *i, const struct sheep_vdi *now)
{
	i->gone |= now->vid != i->vdi.vid && !now->parent &&
		   now->create_time > i->vdi.create_time;
	return !i->gone;
}

/* -- opening: what was just read joins what is open already -- */

struct opening {
	struct sheep_pool *sp;
	struct sheep_inode *fresh, *result;
	bool write;
};

/* Nobody of ours writes it, so that the cluster alone knows what it is now. */
static bool is_followed(const struct sheep_inode *i)
{
	return !i->writers && !i->writing && !i->frozen && list_empty(&i->behind);
}

static void join(void *arg)
{
	struct opening *o = arg;
	struct sheep_inode *i = find_open(o->sp, &o->fresh->vdi);

	if (!i || !inode_is_now(i, &o->fresh->vdi)) {
		i = take(o->fresh);
		list_append(&o->sp->inodes, &i->link);
	} else {
		ahead_drop(i);
		if (is_followed(i))
			inode_install(i, &o->fresh->vdi, take(o->fresh->map));
		inode_ref(i);
	}
	i->writers += o->write;
	o->result = i;
}

static int read_fresh(struct sheep_inode *i, const char *name, const char *snap,
		      struct call *call, struct error *err)
{
	int r = snap ? snap_find(i->sp, name, snap, &i->vdi, call, err)
		     : vdi_find(i->sp, name, NULL, 0, &i->vdi, call, err);

	if (r == 0)
		r = vdi_read_map(i->sp, &i->vdi, &i->map, call, err);
	if (r == 0)
		i->n = sheep_objects(i->vdi.size, i->vdi.shift);
	return r;
}

int inode_open(struct sheep_pool *sp, const char *name, const char *snap, bool write,
	       struct sheep_inode **out, struct call *call, struct error *err)
{
	CLEANUP(cleanup_inode) struct sheep_inode *i = inode_new(sp);
	struct opening o = { .sp = sp, .write = write };
	int r;

	if (!i)
		return error_code(err, ENOMEM, "cannot open volume '%s'", name);
	r = read_fresh(i, name, snap, call, err);
	if (r < 0)
		return r;
	o.fresh = i;
	if (sheep_on_loop(sp, join, &o) < 0)
		return error_code(err, ENOMEM, "cannot open volume '%s'", name);
	i = o.fresh;
	*out = o.result;
	return 0;
}

struct closing {
	struct sheep_inode *inode;
	bool write;
};

static void leave(void *arg)
{
	struct closing *c = arg;

	c->inode->writers -= c->write;
	behind_begin(c->inode);
	ahead_drop(c->inode);
	inode_put(c->inode);
}

void inode_close(struct sheep_inode *i, bool write)
{
	struct closing c = { i, write };
	struct sheep_pool *sp = i->sp;

	/* Without memory it stays open: that is found when the pool ends. */
	sheep_on_loop(sp, leave, &c);
}

/* -- freezing -- */

struct freezing {
	struct loop_call call;
	struct sheep_waiter waiter;
	struct sheep_inode *inode;
};

static void freeze_free(struct loop_call *c)
{
	free(container_of(c, struct freezing, call));
}

static void undo_freeze(struct sheep_inode *i)
{
	i->frozen--;
	inode_resume(i);
	inode_put(i);
}

static void frozen(struct sheep_waiter *w)
{
	struct freezing *f = container_of(w, struct freezing, waiter);
	struct sheep_inode *i = f->inode;

	if (!loop_call_done(&f->call, 0, NULL))
		undo_freeze(i);
}

static void freeze(struct loop_task *t)
{
	struct freezing *f = container_of(container_of(t, struct loop_call, task),
					  struct freezing, call);

	inode_ref(f->inode);
	f->inode->frozen++;
	list_append(&f->inode->thawed, &f->waiter.link);
	tell_frozen(f->inode);
}

int inode_freeze(struct sheep_inode *i, struct call *call, struct error *err)
{
	struct freezing *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return error_code(err, ENOMEM, "cannot hold volume '%s'", i->vdi.name);
	loop_call_init(&f->call, freeze, freeze_free);
	f->waiter.go = frozen;
	f->inode = i;
	r = loop_call_wait(i->sp->loop, &f->call, call, err);
	loop_call_put(&f->call);
	return r < 0 ? error_prefix(err, "writes to the volume have not ended") : 0;
}

struct thawing {
	struct sheep_inode *inode;
	const struct sheep_vdi *now;
	uint32_t *map;
};

static void thaw(void *arg)
{
	struct thawing *t = arg;

	if (t->now)
		inode_install(t->inode, t->now, t->map);
	undo_freeze(t->inode);
}

void inode_thaw(struct sheep_inode *i, const struct sheep_vdi *now, uint32_t *map)
{
	struct thawing t = { i, now, map };

	sheep_on_loop(i->sp, thaw, &t);
}

/* -- sizes -- */

struct sizing {
	struct sheep_inode *inode;
	uint64_t size;
	int r;
};

static void resize(void *arg)
{
	struct sizing *s = arg;
	struct sheep_inode *i = s->inode;
	uint32_t n = sheep_objects(s->size, i->vdi.shift);
	uint32_t *map = realloc(i->map, 4 * (size_t)n + 1);

	if (!map) {
		s->r = -ENOMEM;
		return;
	}
	for (uint32_t at = i->n; at < n; at++)
		map[at] = 0;
	i->map = map;
	i->n = n;
	i->vdi.size = s->size;
	i->changes++;
	ahead_drop(i);
}

int inode_set_size(struct sheep_inode *i, uint64_t size)
{
	struct sizing s = { .inode = i, .size = size };
	int r = sheep_on_loop(i->sp, resize, &s);

	return r < 0 ? r : s.r;
}

struct learning {
	struct sheep_pool *sp;
	const struct sheep_vdi *vdi;
	bool open;
};

static void is_open(void *arg)
{
	struct learning *l = arg;

	l->open = find_open(l->sp, l->vdi);
}

bool inode_is_open(struct sheep_pool *sp, const struct sheep_vdi *v)
{
	struct learning l = { .sp = sp, .vdi = v, .open = true };

	sheep_on_loop(sp, is_open, &l);
	return l.open;
}

static void learn(void *arg)
{
	const struct learning *l = arg;
	struct sheep_inode *i = find_open(l->sp, l->vdi);

	if (i && inode_is_now(i, l->vdi) && !i->frozen &&
	    (i->vdi.size != l->vdi->size || i->vdi.vid != l->vdi->vid))
		inode_reload(i);
}

void inode_learn(struct sheep_pool *sp, const struct sheep_vdi *v)
{
	struct learning l = { .sp = sp, .vdi = v };

	sheep_on_loop(sp, learn, &l);
}
