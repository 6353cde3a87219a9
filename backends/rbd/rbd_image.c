/*
 * Open images, shared by all who use one: opened by the first, closed by the last.
 *
 * The list, states and counts are under the pool's lock; opening and the exclusive lock's
 * taking are not, and whoever does that has the image's turn. A close goes on in the
 * background, and the image stays in the list until it has ended: an image that is opened
 * again, removed or renamed waits for that, since a second opening would be another
 * client to Ceph, with a lock and a cache of its own.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/support/clock.h"
#include "backends/support/thread.h"

#define ID_ROOM 256

/* -- the list: the pool's lock is held -- */

static struct image *find(struct rbd_pool *p, const char *name, const char *snap)
{
	list_for_each (l, &p->images) {
		struct image *i = container_of(l, struct image, link);

		if (!strcmp(i->name, name) && !i->snap == !snap &&
		    (!snap || !strcmp(i->snap, snap)))
			return i;
	}
	return NULL;
}

static void image_free(struct image *i)
{
	behind_exit(&i->behind);
	pthread_mutex_destroy(&i->looker_lock);
	free(i->name);
	free(i->snap);
	free(i->id);
	free(i);
}

static struct image *image_new(struct rbd_pool *p, const char *name, const char *snap)
{
	struct image *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->pool = p;
	behind_init(&i->behind, image_submit, i, &p->early_bytes);
	pthread_mutex_init(&i->looker_lock, NULL);
	i->name = strdup(name);
	i->snap = snap ? strdup(snap) : NULL;
	if (!i->name || (snap && !i->snap)) {
		image_free(i);
		return NULL;
	}
	list_append(&p->images, &i->link);
	return i;
}

static void image_remove(struct image *i)
{
	struct rbd_pool *p = i->pool;

	pthread_mutex_lock(&p->lock);
	list_remove(&i->link);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	image_free(i);
}

/* Whoever waits does so at most for a call's time, and without one for an operation's. */
static uint64_t deadline_of(const struct rbd_pool *p, const struct call *call)
{
	uint64_t own = clock_now() + 2 * p->cluster.op_timeout_s * NS_PER_S;

	return call->deadline_ns && call->deadline_ns < own ? call->deadline_ns : own;
}

static int still_closing(const char *name, struct error *err)
{
	return error_set(
		err, ETIMEDOUT,
		"image '%s' is still being opened or closed by Ceph's library: if "
		"that lasts although Ceph answers, stop and start the pool",
		name);
}

/* -- opening -- */

/* Always for writing where we may, so that readers and writers share one cache; that
 * takes no lock yet. */
static int open_image(struct image *i, struct error *err)
{
	rados_ioctx_t io = i->pool->cluster.io;
	char id[ID_ROOM] = "";
	int r = i->snap ? -EROFS : rbd_open(io, i->name, &i->rbd, NULL);

	if (r == -EROFS || r == -EPERM || r == -EACCES) {
		i->read_only = true;
		r = rbd_open_read_only(io, i->name, &i->rbd, i->snap);
	}
	if (r == -ENOENT)
		return error_set(err, ENOENT, "there is no image '%s%s%s' in '%s'",
				 i->name, i->snap ? "@" : "", i->snap ? i->snap : "",
				 i->pool->path);
	if (r < 0)
		return rbd_failed(i->pool, r, err, "cannot open image '%s'", i->name);
	if (rbd_get_id(i->rbd, id, sizeof(id)) < 0)
		*id = '\0';
	i->id = strdup(id);
	if (i->id)
		return 0;
	rbd_close(i->rbd);
	return error_code(err, ENOMEM, "cannot open image '%s'", i->name);
}

static int open_new(struct image *i, struct error *err)
{
	struct rbd_pool *p = i->pool;
	int r = open_image(i, err);

	if (r < 0) {
		image_remove(i);
		return r;
	}
	pthread_mutex_lock(&p->lock);
	i->state = IMAGE_OPEN;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

/* With one more user. */
static int get_open(struct rbd_pool *p, const char *name, const char *snap,
		    uint64_t deadline, struct image **out, struct error *err)
{
	struct image *i;
	int r = 0;

	pthread_mutex_lock(&p->lock);
	while ((i = find(p, name, snap)) && i->state != IMAGE_OPEN && r == 0)
		r = thread_wait(&p->changed, &p->lock, deadline);
	if (i && i->state == IMAGE_OPEN) {
		i->users++;
		pthread_mutex_unlock(&p->lock);
		*out = i;
		return 0;
	}
	if (!i)
		i = image_new(p, name, snap);
	else
		r = still_closing(name, err);
	if (i && r == 0)
		i->users++;
	pthread_mutex_unlock(&p->lock);
	if (r < 0)
		return r;
	if (!i)
		return error_code(err, ENOMEM, "cannot open image '%s'", name);
	*out = i;
	return open_new(i, err);
}

/* -- the exclusive lock -- */

/* Whether who owns the lock is there still: a client that died stops watching. */
static bool owner_watches(struct image *i, const char *owner)
{
	rbd_image_watcher_t watchers[64];
	size_t n = sizeof(watchers) / sizeof(*watchers);
	bool found = false;

	if (rbd_watchers_list(i->rbd, watchers, &n) < 0)
		return true;
	for (size_t k = 0; k < n; k++)
		found |= !strcmp(watchers[k].addr, owner);
	rbd_watchers_list_cleanup(watchers, n);
	return found;
}

/* librbd's writers hand the lock to each other as they please, and two of them on one
 * volume would mix their bytes: we take it from nobody who lives. */
static int check_owner(struct image *i, struct error *err)
{
	rbd_lock_mode_t mode;
	char *owner = NULL;
	size_t n = 1;
	int r, ours = 0;

	rbd_is_exclusive_lock_owner(i->rbd, &ours);
	if (ours)
		return 0;
	r = rbd_lock_get_owners(i->rbd, &mode, &owner, &n);
	if (r < 0 || !n)
		return 0;
	if (owner_watches(i, owner))
		r = error_set(
			err, EBUSY,
			"image '%s' is in use: the client at %s has its exclusive lock; "
			"stop that first ('rbd status %s/%s' shows who it is)",
			i->name, owner, i->pool->path, i->name);
	rbd_lock_get_owners_cleanup(&owner, n);
	return r;
}

static int take_lock(struct image *i, struct error *err)
{
	int r = check_owner(i, err);

	if (r < 0)
		return r;
	r = rbd_lock_acquire(i->rbd, RBD_LOCK_MODE_EXCLUSIVE);
	if (r == -EINVAL)
		return 0; /* an image without that feature */
	if (r == -EROFS)
		return error_set(
			err, EBUSY,
			"image '%s' is in use: another client keeps its exclusive lock",
			i->name);
	return r < 0 ? rbd_failed(i->pool, r, err,
				  "cannot take the exclusive lock of image '%s'", i->name)
		     : 0;
}

/* Waits for the image's turn and takes it. */
static int turn_take(struct image *i, uint64_t deadline)
{
	int r = 0;

	SCOPED_LOCK(&i->pool->lock);
	while (i->turn && r == 0)
		r = thread_wait(&i->pool->changed, &i->pool->lock, deadline);
	if (i->turn)
		return -ETIMEDOUT;
	i->turn = true;
	return 0;
}

static void turn_give(struct image *i, int writers)
{
	SCOPED_LOCK(&i->pool->lock);
	i->turn = false;
	i->writers += writers;
	pthread_cond_broadcast(&i->pool->changed);
}

static int begin_writing(struct image *i, uint64_t deadline, struct error *err)
{
	int r = 0;

	if (i->read_only)
		return error_set(
			err, EROFS,
			"image '%s' can only be read: this Ceph user may not write it "
			"('ceph auth get' shows its caps)",
			i->name);
	if (turn_take(i, deadline) < 0)
		return still_closing(i->name, err);
	if (!i->writers)
		r = take_lock(i, err);
	turn_give(i, r == 0);
	return r;
}

int image_get(struct rbd_pool *p, const char *name, const char *snap, enum image_use use,
	      struct call *call, struct image **out, struct error *err)
{
	uint64_t deadline = deadline_of(p, call);
	int r = get_open(p, name, snap, deadline, out, err);

	if (r < 0 || use != IMAGE_WRITE)
		return r;
	r = begin_writing(*out, deadline, err);
	if (r < 0)
		image_put(*out, IMAGE_READ);
	return r;
}

/* -- closing -- */

static void close_image(struct image *i);

static void closed(rbd_completion_t c, void *arg)
{
	rbd_aio_release(c);
	image_remove(arg);
}

static void looker_closed(rbd_completion_t c, void *arg)
{
	struct image *i = arg;

	rbd_aio_release(c);
	i->looker = NULL;
	close_image(i);
}

static void close_image(struct image *i)
{
	rbd_callback_t then = i->looker ? looker_closed : closed;
	rbd_completion_t c;

	if (rbd_aio_create_completion(i, then, &c) == 0) {
		if (rbd_aio_close(i->looker ? i->looker : i->rbd, c) == 0)
			return;
		rbd_aio_release(c);
	}
	image_remove(i);
}

static void stamped(rados_completion_t c, void *arg)
{
	rados_aio_release(c);
	close_image(arg);
}

/* librbd tells the time of a change once in a while: the last one may be later than that.
 */
static void stamp_and_close(void *image)
{
	struct image *i = image;
	char object[OBJECT_NAME];
	rados_completion_t c;

	snprintf(object, sizeof(object), "rbd_header.%s", i->id);
	if (!atomic_load(&i->wrote) || !*i->id ||
	    rados_aio_create_completion2(i, stamped, &c) < 0) {
		close_image(i);
		return;
	}
	if (rados_aio_exec(i->pool->cluster.io, object, c, "rbd", "set_modify_timestamp",
			   NULL, 0, NULL, 0) < 0)
		stamped(c, i);
}

/* Then librbd reads with the lock alone, and does not take it by itself again. */
static bool reads_need_lock(struct image *i)
{
	uint64_t features = 0;
	char value[8] = "";

	rbd_get_features(i->rbd, &features);
	rados_conf_get(i->pool->cluster.rados, "rbd_clone_copy_on_read", value,
		       sizeof(value));
	return features & RBD_FEATURE_JOURNALING || !strcmp(value, "true");
}

/* The last writer of an image that has readers still: others may write it. */
static void give_lock_back(struct image *i, enum image_use use)
{
	int writer = use == IMAGE_WRITE;

	if (turn_take(i, clock_now() + i->pool->cluster.op_timeout_s * NS_PER_S) < 0)
		return;
	if (i->writers == (unsigned)writer && !reads_need_lock(i))
		rbd_lock_release(i->rbd);
	turn_give(i, -writer);
}

/* True: it was the last user, and the image is to be closed. anyhow: one who is not the
 * last leaves, too. */
static bool leave(struct image *i, bool anyhow)
{
	SCOPED_LOCK(&i->pool->lock);
	bool last = i->users == 1;

	if (last)
		i->state = IMAGE_CLOSING;
	i->users -= last || anyhow;
	return last;
}

void image_put(struct image *i, enum image_use use)
{
	struct rbd_pool *p = i->pool;
	bool last;

	if (atomic_load(&i->wrote))
		roll_forget(p, i->name);
	last = leave(i, use == IMAGE_READ);
	if (!last && use != IMAGE_READ) {
		give_lock_back(i, use);
		last = leave(i, true);
	}
	if (last)
		behind_when_stored(&i->behind, stamp_and_close, i);
}

int image_wait_closed(struct rbd_pool *p, const char *name, struct call *call,
		      struct error *err)
{
	uint64_t deadline = deadline_of(p, call);
	struct image *i;
	int r = 0;

	SCOPED_LOCK(&p->lock);
	while ((i = find(p, name, NULL)) && r == 0)
		r = thread_wait(&p->changed, &p->lock, deadline);
	return i ? still_closing(name, err) : 0;
}

void image_renamed(struct rbd_pool *p, const char *from, const char *to)
{
	SCOPED_LOCK(&p->lock);
	list_for_each (l, &p->images) {
		struct image *i = container_of(l, struct image, link);
		char *name = strcmp(i->name, from) ? NULL : strdup(to);

		if (!name)
			continue;
		free(i->name);
		i->name = name;
	}
}

int image_settle(struct image *i, struct call *call, struct error *err)
{
	if (behind_wait(&i->behind, deadline_of(i->pool, call)))
		return 0;
	return rbd_failed(i->pool, -ETIMEDOUT, err, "cannot write to image '%s'",
			  i->name);
}

bool images_settle(struct rbd_pool *p, uint64_t deadline_ns)
{
	int r = 0;

	SCOPED_LOCK(&p->lock);
	while (!list_empty(&p->images) && r == 0)
		r = thread_wait(&p->changed, &p->lock, deadline_ns);
	return list_empty(&p->images);
}
