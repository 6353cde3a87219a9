/*
 * Locks on open volumes, as locks on what is behind them: flock on one descriptor per
 * handle, record locks as OFD locks on one per owner, reopened through /proc/self/fd.
 * Volumes without a descriptor have a memfd that bears them.
 *
 * volume_locks.lock guards the list of owners; it is not held while locking, which may
 * wait for a file server.
 */
#include "backends/model/volume_lock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "backends/model/volume_handle.h"

struct lock_owner {
	struct list link;
	uint64_t id;
	int fd;
	unsigned refs;                 /* the list's, and of calls under way */
	const struct volume_handle *h; /* used last; only compared */
};

void volume_locks_init(struct volume_locks *l)
{
	pthread_mutex_init(&l->lock, NULL);
	list_init(&l->owners);
	l->carrier = -1;
}

static void owner_unref(struct volume_locks *l, struct lock_owner *o)
{
	bool last;

	pthread_mutex_lock(&l->lock);
	last = --o->refs == 0;
	pthread_mutex_unlock(&l->lock);
	if (!last)
		return;
	close(o->fd); /* drops its locks */
	free(o);
}

void volume_locks_exit(struct volume_locks *l)
{
	list_for_each(link, &l->owners) {
		struct lock_owner *o = container_of(link, struct lock_owner, link);

		list_remove(&o->link);
		owner_unref(l, o);
	}
	if (l->carrier >= 0)
		close(l->carrier);
	pthread_mutex_destroy(&l->lock);
}

/* -- descriptors -- */

/* What bears the locks of this handle's volume. */
static int bearer(struct volume_handle *h, struct error *err)
{
	struct volume_locks *l = &h->of.volume->locks;

	if (h->file.fd >= 0)
		return h->file.fd;
	SCOPED_LOCK(&l->lock);
	if (l->carrier < 0)
		l->carrier = memfd_create("storagefs-locks", MFD_CLOEXEC);
	if (l->carrier < 0)
		return error_errno(err, "cannot lock volume '%s'", h->name);
	return l->carrier;
}

/* Another open file description of it, for reading and writing where that is allowed:
 * locks of one owner are of both kinds. */
static int reopen(struct volume_handle *h, struct error *err)
{
	char path[64];
	int fd = bearer(h, err), flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

	int again = open(path, O_RDWR | flags);

	if (again < 0)
		again = open(path, (h->flags & O_ACCMODE) | flags);
	if (again < 0)
		return error_errno(err, "cannot lock volume '%s'", h->name);
	return again;
}

/* -- owners -- */

static struct lock_owner *find_owner(struct volume_locks *l, uint64_t id)
{
	list_for_each(link, &l->owners) {
		struct lock_owner *o = container_of(link, struct lock_owner, link);

		if (o->id == id)
			return o;
	}
	return NULL;
}

static struct lock_owner *get_owner(struct volume_handle *h, uint64_t id)
{
	struct volume_locks *l = &h->of.volume->locks;

	SCOPED_LOCK(&l->lock);
	struct lock_owner *o = find_owner(l, id);

	if (o) {
		o->refs++;
		o->h = h;
	}
	return o;
}

/* An owner with a reference for the caller; made when it is new. */
static int make_owner(struct volume_handle *h, uint64_t id, struct lock_owner **out,
		      struct error *err)
{
	struct volume_locks *l = &h->of.volume->locks;
	AUTO_FREE struct lock_owner *new = NULL;
	AUTO_FD int fd = -1;

	*out = get_owner(h, id);
	if (*out)
		return 0;
	fd = reopen(h, err);
	if (fd < 0)
		return fd;
	new = malloc(sizeof(*new));
	if (!new)
		return error_code(err, ENOMEM, "cannot lock volume '%s'", h->name);

	SCOPED_LOCK(&l->lock);
	*out = find_owner(l, id);
	if (*out) {
		(*out)->refs++;
		return 0;
	}
	*new = (struct lock_owner){ .id = id, .fd = take_fd(&fd), .refs = 2, .h = h };
	list_append(&l->owners, &new->link);
	*out = take(new);
	return 0;
}

static struct flock plain(const struct flock *lock)
{
	return (struct flock){ .l_type = lock->l_type, .l_whence = SEEK_SET,
			       .l_start = lock->l_start, .l_len = lock->l_len };
}

static int locked(struct volume_handle *h, struct error *err)
{
	if (errno == EAGAIN || errno == EACCES || errno == EWOULDBLOCK)
		return error_set(err, EAGAIN, "volume '%s' is locked by another process",
				 h->name);
	return error_errno(err, "cannot lock volume '%s'", h->name);
}

int volume_setlk(struct volume_handle *h, uint64_t owner, const struct flock *lock,
		 struct error *err)
{
	struct lock_owner *o = NULL;
	struct flock fl = plain(lock);
	int r = 0;

	if (lock->l_type == F_UNLCK)
		o = get_owner(h, owner);
	else
		r = make_owner(h, owner, &o, err);
	if (!o)
		return r;
	if (fcntl(o->fd, F_OFD_SETLK, &fl) < 0)
		r = locked(h, err);
	owner_unref(&h->of.volume->locks, o);
	return r;
}

int volume_getlk(struct volume_handle *h, uint64_t owner, struct flock *lock,
		 struct error *err)
{
	struct lock_owner *o = NULL;
	struct flock fl = plain(lock);
	int r = make_owner(h, owner, &o, err);

	if (r < 0)
		return r;
	if (fcntl(o->fd, F_OFD_GETLK, &fl) < 0)
		r = locked(h, err);
	owner_unref(&h->of.volume->locks, o);
	if (r == 0) {
		*lock = fl;
		lock->l_pid = 0; /* OFD locks have no process */
	}
	return r;
}

bool volume_locked_by(struct volume_handle *h, uint64_t owner)
{
	struct volume_locks *l = &h->of.volume->locks;

	SCOPED_LOCK(&l->lock);
	return find_owner(l, owner);
}

void volume_unlock_owner(struct volume_handle *h, uint64_t owner)
{
	struct volume_locks *l = &h->of.volume->locks;
	struct lock_owner *o;

	pthread_mutex_lock(&l->lock);
	o = find_owner(l, owner);
	if (o)
		list_remove(&o->link);
	pthread_mutex_unlock(&l->lock);
	if (o)
		owner_unref(l, o);
}

/* Owners whose last use was through h: locks of an open file description end with it, and
 * no unlocking is sent for them. */
static struct lock_owner *owner_of_handle(struct volume_locks *l,
					  const struct volume_handle *h)
{
	SCOPED_LOCK(&l->lock);
	list_for_each(link, &l->owners) {
		struct lock_owner *o = container_of(link, struct lock_owner, link);

		if (o->h == h) {
			list_remove(&o->link);
			return o;
		}
	}
	return NULL;
}

void volume_locks_close(struct volume_handle *h)
{
	struct volume_locks *l = &h->of.volume->locks;
	struct lock_owner *o;

	if (h->flock_fd >= 0)
		close(h->flock_fd);
	h->flock_fd = -1;
	while ((o = owner_of_handle(l, h)))
		owner_unref(l, o);
}

/* -- flock -- */

/* The volume's own descriptor is the kernel's too, which may keep it beyond our close:
 * whichever was opened first stands for the file until all have gone. */
static int flock_bearer(struct volume_handle *h, struct error *err)
{
	AUTO_FD int fd = -1;

	{
		SCOPED_LOCK(&h->lock);
		if (h->flock_fd >= 0)
			return h->flock_fd;
	}
	fd = reopen(h, err);
	if (fd < 0)
		return take_fd(&fd);

	SCOPED_LOCK(&h->lock);
	if (h->flock_fd < 0)
		h->flock_fd = take_fd(&fd);
	return h->flock_fd;
}

int volume_flock(struct volume_handle *h, int operation, struct error *err)
{
	int fd = flock_bearer(h, err);

	if (fd < 0)
		return fd;
	if (flock(fd, operation | LOCK_NB) < 0)
		return locked(h, err);
	return 0;
}
