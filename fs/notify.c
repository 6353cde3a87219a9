/*
 * From the model's events to the kernel's caches: a channel per pool, each with a thread
 * while it has something to tell. One lock; it is never held while the kernel is told.
 */
#include "fs/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/events.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"
#include "backends/support/thread.h"
#include "fs/file.h"
#include "fs/fuse.h"
#include "fs/inode.h"
#include "fs/own.h"
#include "fs/session.h"

#define NOTICES_MAX 1024 /* of a pool; more: everything known of it is told */
#define COALESCE    16   /* newest changes that are looked through for the same one */
#define LINGER_NS   NS_PER_S
#define SETTLE_NS   (50 * NS_PER_MS)

struct notice {
	struct list link;
	uint64_t number;
	uint64_t ino;
	bool entry; /* name in directory ino; else ino itself */
	char name[];
};

struct channel {
	struct list link;
	struct pool *pool; /* a reference; NULL: the root */
	struct list notices;
	unsigned n_notices;
	bool sweep;        /* tell all that is known */
	bool held;         /* a sweep waits for a directory */
	uint64_t swept;    /* number of the last sweep */
	uint64_t telling;  /* number of the one that is being told; 0: none */
};

struct parked_dir {
	uint64_t ino;
	unsigned count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static struct list channels = LIST_INIT(channels);
static struct list polled = LIST_INIT(polled);
static struct parked_dir *parked;
static size_t n_parked, max_parked;
static unsigned threads;
static bool closing;
static uint64_t last_number;

/* The newest that this thread has queued; 0: none since it last settled. */
static __thread struct pool *queued_for;
static __thread uint64_t queued_number;

/* -- directories that must not be told of now -- */

static struct parked_dir *find_parked(uint64_t ino)
{
	for (size_t i = 0; i < n_parked; i++)
		if (parked[i].ino == ino)
			return &parked[i];
	return NULL;
}

void notify_directory_parked(struct inode *i)
{
	SCOPED_LOCK(&lock);
	struct parked_dir *p = find_parked(i->id);

	if (!p && n_parked == max_parked) {
		size_t max = max_parked ? max_parked * 2 : 16;
		struct parked_dir *more = realloc(parked, max * sizeof(*more));

		if (!more)
			return; /* its channel may then wait for the answer */
		parked = more;
		max_parked = max;
	}
	if (!p) {
		p = &parked[n_parked++];
		*p = (struct parked_dir){ .ino = i->id };
	}
	p->count++;
}

void notify_directory_released(struct inode *i)
{
	SCOPED_LOCK(&lock);
	struct parked_dir *p = find_parked(i->id);

	if (!p || --p->count)
		return;
	*p = parked[--n_parked];
	pthread_cond_broadcast(&news);
}

/* -- telling -- */

/* Errors are not looked at: the kernel does not have it, or has gone. */
static void tell_inode(uint64_t ino)
{
	fuse_lowlevel_notify_inval_inode(session_fuse(), ino, 0, 0);
}

static void tell_name(uint64_t dir, const char *name)
{
	fuse_lowlevel_notify_inval_entry(session_fuse(), dir, name, strlen(name));
}

/*
 * The inode that the kernel has under a name, where that still stands for the same
 * object: it was changed, or this is the echo of a request of ours. Only asked where
 * nothing waits; else 0.
 */
static uint64_t still_right(const struct notice *n)
{
	const struct node *dir;
	struct inode *i = inode_get(n->ino, &dir);
	struct node child = { 0 };
	struct call call = { 0 };
	struct stat st;
	uint64_t ino = 0;

	if (!i)
		return 0;
	if (!node_executor(dir, NODE_LOOKUP, NULL) &&
	    node_lookup(dir, n->name, &child, &st, &call, NULL) == 0) {
		ino = inode_known(&child);
		node_clear(&child);
	}
	inode_put(i);
	return ino;
}

static void tell(const struct notice *n)
{
	uint64_t ino = n->entry ? still_right(n) : n->ino;

	if (ino)
		tell_inode(ino);
	else if (!own_has(n->ino, n->name))
		tell_name(n->ino, n->name);
}

static bool may_tell(const struct notice *n)
{
	return !n->entry || !find_parked(n->ino);
}

/* The first that may be told now. */
static struct notice *next(struct channel *c)
{
	list_for_each(l, &c->notices) {
		struct notice *n = container_of(l, struct notice, link);

		if (!may_tell(n))
			continue;
		list_remove(l);
		c->n_notices--;
		return n;
	}
	return NULL;
}

static void tell_when_free(struct channel *c, uint64_t ino, const char *name)
{
	bool end;

	pthread_mutex_lock(&lock);
	while (!closing && find_parked(ino)) {
		c->held = true;
		pthread_cond_broadcast(&news);
		pthread_cond_wait(&news, &lock);
	}
	c->held = false;
	end = closing;
	pthread_mutex_unlock(&lock);
	if (!end)
		tell_name(ino, name);
}

/* A directory, and every name in it that the kernel may hold. */
static void sweep_directory(void *arg, const struct node *dir, const char *name)
{
	AUTO_BUF struct buf names = { 0 };
	uint64_t ino = inode_known(dir);

	if (!ino)
		return;
	tell_inode(ino);
	if (inode_names_in(dir, &names) < 0)
		log_warning("out of memory: listings may be out of date for a minute");
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1)
		tell_when_free(arg, ino, names.data + at);
}

static void sweep(struct channel *c)
{
	struct event all = { .what = EVENT_VOLUMES_ALL,
			     .pool = c->pool,
			     .from_outside = true };

	nodes_affected(&all, sweep_directory, c);
}

static void drop_notices(struct channel *c)
{
	for (struct list *l; (l = list_shift(&c->notices));)
		free(container_of(l, struct notice, link));
	c->n_notices = 0;
}

/* Something to do for the channel: does it without the lock. false: nothing. */
static bool work(struct channel *c)
{
	struct notice *n = c->sweep ? NULL : next(c);

	if (!n && !c->sweep)
		return false;
	c->telling = n ? n->number : c->swept;
	c->sweep = false;
	pthread_mutex_unlock(&lock);
	if (n)
		tell(n);
	else
		sweep(c);
	free(n);
	pthread_mutex_lock(&lock);
	c->telling = 0;
	pthread_cond_broadcast(&news);
	return true;
}

/* Waits for news; false: there were none for a while, and nothing is left. */
static bool linger(struct channel *c)
{
	int ret = thread_wait(&news, &lock, clock_now() + LINGER_NS);

	return ret != -ETIMEDOUT || !list_empty(&c->notices) || c->sweep;
}

static void *channel_thread(void *arg)
{
	struct channel *c = arg;

	pthread_mutex_lock(&lock);
	while (!closing)
		if (!work(c) && !linger(c))
			break;
	list_remove(&c->link);
	drop_notices(c);
	pthread_mutex_unlock(&lock);
	if (c->pool)
		pool_unref(c->pool);
	free(c);
	pthread_mutex_lock(&lock);
	threads--;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* -- events -- */

static bool start_thread(struct channel *c)
{
	if (thread_start(NULL, "notify", channel_thread, c) < 0)
		return false;
	threads++;
	return true;
}

static struct channel *find_channel(struct pool *pool)
{
	list_for_each(l, &channels) {
		struct channel *c = container_of(l, struct channel, link);

		if (c->pool == pool)
			return c;
	}
	return NULL;
}

/* The pool's channel, with its thread. NULL: there is none to be had. */
static struct channel *get_channel(struct pool *pool)
{
	struct channel *c = find_channel(pool);

	if (c || closing)
		return closing ? NULL : c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	list_init(&c->notices);
	if (!start_thread(c)) {
		free(c);
		return NULL;
	}
	c->pool = pool ? pool_ref(pool) : NULL;
	list_append(&channels, &c->link);
	return c;
}

static bool queued_already(const struct channel *c, uint64_t ino, const char *name)
{
	const struct list *l = c->notices.prev;

	for (int i = 0; i < COALESCE && l != &c->notices; i++, l = l->prev) {
		const struct notice *n = container_of(l, const struct notice, link);

		if (n->ino == ino && n->entry == !!name &&
		    strcmp(n->name, name ? name : "") == 0)
			return true;
	}
	return false;
}

static void add_notice(struct channel *c, uint64_t ino, const char *name)
{
	size_t len = name ? strlen(name) : 0;
	struct notice *n = calloc(1, sizeof(*n) + len + 1);

	if (!n || (c->pool && c->n_notices >= NOTICES_MAX)) {
		free(n);
		drop_notices(c);
		c->sweep = true;
		c->swept = ++last_number;
		return;
	}
	n->number = ++last_number;
	n->ino = ino;
	n->entry = name;
	memcpy(n->name, name ? name : "", len);
	list_append(&c->notices, &n->link);
	c->n_notices++;
}

static void on_affected(void *arg, const struct node *n, const char *name)
{
	uint64_t ino = inode_known(n);

	if (!ino || (name && own_has(ino, name)))
		return;

	SCOPED_LOCK(&lock);
	struct channel *c = get_channel(arg);

	if (!c || c->sweep)
		return;
	if (!queued_already(c, ino, name))
		add_notice(c, ino, name);
	queued_for = arg;
	queued_number = last_number;
	pthread_cond_broadcast(&news);
}

/* Whether something up to that number is still on its way, and is not held up. */
static bool unsettled(struct pool *pool, uint64_t number)
{
	struct channel *c = find_channel(pool);

	if (!c || closing)
		return false;
	if (c->held)
		return false;
	if (c->sweep || (c->telling && c->telling <= number))
		return true;
	list_for_each(l, &c->notices) {
		struct notice *n = container_of(l, struct notice, link);

		if (n->number <= number && may_tell(n))
			return true;
	}
	return false;
}

void notify_name(uint64_t directory, struct pool *pool, const char *name)
{
	SCOPED_LOCK(&lock);
	struct channel *c = get_channel(pool);

	if (!c || c->sweep)
		return;
	add_notice(c, directory, name);
	pthread_cond_broadcast(&news);
}

void notify_settle(void)
{
	uint64_t until;

	if (!queued_number)
		return;
	until = clock_now() + SETTLE_NS;

	SCOPED_LOCK(&lock);
	while (unsettled(queued_for, queued_number))
		if (thread_wait(&news, &lock, until) != 0)
			break;
	queued_number = 0;
}

static void want_sweep(struct pool *pool)
{
	SCOPED_LOCK(&lock);
	struct channel *c = get_channel(pool);

	if (!c)
		return;
	drop_notices(c);
	c->sweep = true;
	c->swept = ++last_number;
	queued_for = pool;
	queued_number = last_number;
	pthread_cond_broadcast(&news);
}

static void wake_pollers(void)
{
	SCOPED_LOCK(&lock);
	for (struct list *l; (l = list_shift(&polled));) {
		struct file *f = container_of(l, struct file, polled);
		struct fuse_pollhandle *ph = take(f->poll);

		fuse_lowlevel_notify_poll(ph);
		fuse_pollhandle_destroy(ph);
	}
}

static void on_event(void *arg, const struct event *e)
{
	if (e->what == EVENT_VOLUMES_ALL && e->pool)
		want_sweep(e->pool);
	else
		nodes_affected(e, on_affected, e->pool);
	wake_pollers();
}

int notify_open(struct error *err)
{
	if (events_subscribe(on_event, NULL) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

bool notify_close(unsigned timeout_ms)
{
	uint64_t until = clock_now() + timeout_ms * NS_PER_MS;
	int ret = 0;

	events_unsubscribe(on_event, NULL);

	SCOPED_LOCK(&lock);
	closing = true;
	pthread_cond_broadcast(&news);
	while (threads && ret == 0)
		ret = thread_wait(&news, &lock, until);
	free(take(parked));
	n_parked = max_parked = 0;
	return !threads;
}

/* -- poll -- */

void notify_poll_add(struct file *f, struct fuse_pollhandle *ph)
{
	SCOPED_LOCK(&lock);
	if (f->poll)
		fuse_pollhandle_destroy(f->poll);
	f->poll = ph;
	list_remove(&f->polled);
	list_append(&polled, &f->polled);
}

void notify_poll_end(struct file *f)
{
	SCOPED_LOCK(&lock);
	list_remove(&f->polled);
	if (f->poll)
		fuse_pollhandle_destroy(take(f->poll));
}
