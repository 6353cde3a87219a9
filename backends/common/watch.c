/*
 * Watching directories with the process's one inotify instance.
 *
 * `lock` guards everything here and is held while callbacks run: this is how watch_remove
 * knows that none is under way. The thread of a watcher whose last watch is gone is
 * joined without the lock.
 */
#include "backends/common/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "backends/support/list.h"
#include "backends/support/map.h"
#include "backends/support/thread.h"

/* No IN_MODIFY: each write of each volume would be an event. */
#define EVENTS                                                             \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | \
	 IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define GATHER_MS 10 /* events of one request come together: one wakeup for all of them */

struct watcher {
	int inotify, wake;
	pthread_t thread;
	struct map dirs; /* by watch descriptor */
};

/* One directory: the kernel has one descriptor for it, however often it is watched. */
struct watched {
	struct map_link link;
	int wd;
	struct list watches;
};

struct watch {
	struct list link;
	struct watched *dir;
	watch_fn fn;
	void *arg;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct watcher *current; /* NULL: nothing is watched */

static uint64_t wd_hash(int wd)
{
	return hash_bytes(&wd, sizeof(wd), 0);
}

static struct watched *find_watched(struct watcher *w, int wd)
{
	for (struct map_link *l = map_first(&w->dirs, wd_hash(wd)); l; l = map_next(l)) {
		struct watched *d = container_of(l, struct watched, link);

		if (d->wd == wd)
			return d;
	}
	return NULL;
}

static void tell(struct watched *d, enum change what, const char *name)
{
	list_for_each (l, &d->watches) {
		struct watch *w = container_of(l, struct watch, link);

		w->fn(w->arg, what, name);
	}
}

static void tell_all(struct watcher *w)
{
	map_for_each (l, &w->dirs)
		tell(container_of(l, struct watched, link), CHANGE_ALL, NULL);
}

static void handle(struct watcher *w, const struct inotify_event *e)
{
	struct watched *d;

	if (e->mask & IN_Q_OVERFLOW) {
		tell_all(w);
		return;
	}
	d = find_watched(w, e->wd);
	if (!d)
		return; /* left in the queue by a watch that is gone */
	if (!e->len)
		tell(d, CHANGE_ALL, NULL); /* the directory itself */
	else if (e->mask & IN_ISDIR)
		return;
	else if (e->mask & (IN_CREATE | IN_MOVED_TO))
		tell(d, CHANGE_ADDED, e->name);
	else if (e->mask & (IN_DELETE | IN_MOVED_FROM))
		tell(d, CHANGE_REMOVED, e->name);
	else
		tell(d, CHANGE_DATA, e->name);
}

/* Reads what is queued and tells it. */
static void read_events(struct watcher *w)
{
	char events[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t len = read(w->inotify, events, sizeof(events));

	SCOPED_LOCK(&lock);
	for (char *at = events; len > 0 && at < events + len;) {
		struct inotify_event *e = (struct inotify_event *)at;

		handle(w, e);
		at += sizeof(*e) + e->len;
	}
}

static void *run(void *arg)
{
	struct watcher *w = arg;
	struct pollfd p[] = {
		{ .fd = w->inotify, .events = POLLIN },
		{ .fd = w->wake, .events = POLLIN },
	};

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents || poll(&p[1], 1, GATHER_MS) > 0)
			return NULL;
		read_events(w);
	}
}

static void free_watcher(struct watcher *w)
{
	if (w->inotify >= 0)
		close(w->inotify);
	if (w->wake >= 0)
		close(w->wake);
	map_free(&w->dirs);
	free(w);
}
DEFINE_CLEANUP(cleanup_watcher, struct watcher *, free_watcher)

static int start_watcher(struct error *err)
{
	CLEANUP(cleanup_watcher) struct watcher *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_code(err, ENOMEM, "cannot watch directories");
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	w->wake = eventfd(0, EFD_CLOEXEC);
	if (w->inotify < 0 && errno == EMFILE)
		return error_errno(err,
				   "cannot watch directories: raise the sysctl "
				   "fs.inotify.max_user_instances");
	if (w->inotify < 0 || w->wake < 0)
		return error_errno(err, "cannot watch directories");
	r = thread_start(&w->thread, "watch", run, w);
	if (r < 0)
		return error_code(err, -r,
				  "cannot start the thread that watches directories");
	current = take(w);
	return 0;
}

/* Under lock: takes a watcher without watches out of use; the caller ends it without the
 * lock. */
static struct watcher *retire(void)
{
	return current && !current->dirs.count ? take(current) : NULL;
}

static void end_watcher(struct watcher *w)
{
	uint64_t one = 1;

	if (!w)
		return;
	while (write(w->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(w->thread, NULL);
	free_watcher(w);
}

/* Under lock. */
static struct watched *find_or_add(int dir, struct error *err)
{
	char path[32];
	struct watched *d;
	int wd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	wd = inotify_add_watch(current->inotify, path, EVENTS);
	if (wd < 0 && errno == ENOSPC)
		error_errno(err,
			    "cannot watch the directory: raise the sysctl "
			    "fs.inotify.max_user_watches");
	else if (wd < 0)
		error_errno(err, "cannot watch the directory");
	if (wd < 0)
		return NULL;
	d = find_watched(current, wd);
	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d || map_insert(&current->dirs, &d->link, wd_hash(wd)) < 0) {
		inotify_rm_watch(current->inotify, wd);
		free(d);
		error_code(err, ENOMEM, "cannot watch the directory");
		return NULL;
	}
	d->wd = wd;
	list_init(&d->watches);
	return d;
}

static int add(struct watch *w, int dir, struct watcher **unused, struct error *err)
{
	SCOPED_LOCK(&lock);
	int r = current ? 0 : start_watcher(err);

	if (r < 0)
		return r;
	w->dir = find_or_add(dir, err);
	if (w->dir)
		list_append(&w->dir->watches, &w->link);
	*unused = retire();
	return w->dir ? 0 : -err->code;
}

int watch_add(int dir, watch_fn fn, void *arg, struct watch **out, struct error *err)
{
	AUTO_FREE struct watch *w = calloc(1, sizeof(*w));
	struct watcher *unused = NULL;
	struct error local = { 0 };
	int r;

	if (!w)
		return error_code(err, ENOMEM, "cannot watch the directory");
	w->fn = fn;
	w->arg = arg;
	r = add(w, dir, &unused, &local);
	end_watcher(unused);
	if (r < 0)
		return error_copy(err, &local);
	*out = take(w);
	return 0;
}

void watch_remove(struct watch *w)
{
	struct watcher *unused = NULL;

	if (!w)
		return;
	pthread_mutex_lock(&lock);
	list_remove(&w->link);
	if (list_empty(&w->dir->watches)) {
		/* fails where the directory is gone: the kernel has dropped it itself */
		inotify_rm_watch(current->inotify, w->dir->wd);
		map_remove(&current->dirs, &w->dir->link);
		free(w->dir);
		unused = retire();
	}
	pthread_mutex_unlock(&lock);
	end_watcher(unused);
	free(w);
}
