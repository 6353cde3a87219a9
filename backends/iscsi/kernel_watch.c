/*
 * The kernel tells of units by events, and of a session's state to those alone who ask.
 *
 * A rescan waits for the target, longer than until it is known to be away: it has a
 * thread of its own, which nobody waits for, and who ends last frees what all share.
 * `lock` guards the fields, and is held while the host is told, which does not block.
 */
#include "backends/iscsi/kernel_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/uevent.h"
#include "backends/iscsi/kernel_login.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"
#include "backends/support/thread.h"

#define LOOK_NS	   NS_PER_S
#define RESCAN_NS  (60 * NS_PER_S)

struct kernel_watch {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned users; /* the pool and the threads */
	bool ends, away, rescan, rescanning;
	atomic_bool cancelled;
	unsigned sid;
	char *target;
	const struct host *host;
	char mark[SESSION_TEXT]; /* what the paths of its devices have in them */
	struct uevent_watch *events;
};

/* Gives the lock back, with which it is called. */
static void leave(struct kernel_watch *w)
{
	bool last = --w->users == 0;

	pthread_mutex_unlock(&w->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w->target);
	free(w);
}

/* -- the session -- */

/* With the lock held. */
static void look(struct kernel_watch *w)
{
	char state[SESSION_TEXT] = "";
	struct error err = { 0 };
	bool away;

	if (kernel_session_is(w->sid, w->target))
		kernel_session_state(w->sid, state);
	away = strcmp(state, "LOGGED_IN") != 0;
	if (away == w->away)
		return;
	w->away = away;
	if (!away) {
		w->rescan = true; /* what it told meanwhile nobody heard */
		w->host->lost(w->host->ctx, NULL);
	} else if (*state) {
		error_set(&err, EIO,
			  "target '%s' does not answer: the kernel goes on trying",
			  w->target);
	} else {
		error_set(&err, EIO,
			  "somebody has logged out of target '%s': stop and start the "
			  "pool",
			  w->target);
	}
	if (err.code)
		w->host->lost(w->host->ctx, &err);
}

static void *run_rescan(void *arg)
{
	struct kernel_watch *w = arg;
	struct call call = { .deadline_ns = clock_now() + RESCAN_NS,
			     .cancelled = &w->cancelled };
	struct error err = { 0 };
	int r = kernel_rescan(w->sid, &call, &err);

	pthread_mutex_lock(&w->lock);
	w->rescanning = false;
	if (r == -ETIMEDOUT)
		w->rescan = true; /* again, unless the target turns out to be away */
	else if (r < 0 && !w->ends)
		log_warning("target '%s': %s", w->target, err.text);
	leave(w);
	return NULL;
}

/* With the lock held. Without a thread it is tried again. */
static void rescan(struct kernel_watch *w)
{
	if (thread_start(NULL, "iscsi-rescan", run_rescan, w) < 0)
		return;
	w->users++;
	w->rescan = false;
	w->rescanning = true;
}

static void *run(void *arg)
{
	struct kernel_watch *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->ends) {
		thread_wait(&w->changed, &w->lock, clock_now() + LOOK_NS);
		if (!w->ends)
			look(w);
		if (!w->ends && w->rescan && !w->rescanning && !w->away)
			rescan(w);
	}
	leave(w);
	return NULL;
}

/* -- its units -- */

/* ".../session1/target3:0:0/3:0:0:1/block/sdi": a disk, not one of its partitions. */
static void on_disk(struct kernel_watch *w, const char *action, const char *device)
{
	const char *at = strstr(device, "/block/");
	char path[512], name[UNIT_NAME];

	if (!at || strchr(at + strlen("/block/"), '/') ||
	    snprintf(path, sizeof(path), "%.*s", (int)(at - device), device) >=
		    (int)sizeof(path) ||
	    !kernel_unit_name(path, name))
		return;
	w->host->changed(w->host->ctx,
			 !strcmp(action, "add")	     ? CHANGE_ADDED
			 : !strcmp(action, "remove") ? CHANGE_REMOVED
						     : CHANGE_DATA,
			 name);
}

/* The target says that its list of units or the size of one is another. */
static void on_unit(struct kernel_watch *w, const struct uevent *e)
{
	const char *news = uevent_get(e, "SDEV_UA");

	if (!news || (strcmp(news, "REPORTED_LUNS_DATA_CHANGED") &&
		      strcmp(news, "CAPACITY_DATA_HAS_CHANGED")))
		return;
	w->rescan = true;
	pthread_cond_signal(&w->changed);
}

/* Of the devices of all the host: those of the session. */
static void on_device(struct kernel_watch *w, const struct uevent *e)
{
	const char *device = uevent_get(e, "DEVPATH");
	const char *subsystem = uevent_get(e, "SUBSYSTEM");
	const char *action = uevent_get(e, "ACTION");

	if (!device || !subsystem || !action || !strstr(device, w->mark))
		return;
	if (!strcmp(subsystem, "block"))
		on_disk(w, action, device);
	else if (!strcmp(subsystem, "scsi"))
		on_unit(w, e);
}

static void on_event(void *arg, const struct uevent *e)
{
	struct kernel_watch *w = arg;

	SCOPED_LOCK(&w->lock);
	if (e)
		on_device(w, e);
	else
		w->host->changed(w->host->ctx, CHANGE_ALL, NULL);
}

/* -- begin and end -- */

int kernel_watch_start(unsigned sid, const char *target, const struct host *host,
		       struct kernel_watch **out, struct error *err)
{
	struct kernel_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_code(err, ENOMEM, "cannot watch target '%s'", target);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->users = 1;
	w->sid = sid;
	w->host = host;
	snprintf(w->mark, sizeof(w->mark), "/session%u/", sid);
	w->target = strdup(target);
	r = w->target ? uevent_add(on_event, w, &w->events, err)
		      : error_code(err, ENOMEM, "cannot watch target '%s'", target);
	if (r == 0) {
		w->users = 2;
		if (thread_start(NULL, "iscsi-watch", run, w) == 0) {
			*out = w;
			return 0;
		}
		w->users = 1;
		r = error_set(err, EAGAIN,
			      "cannot start the thread that watches target '%s'", target);
	}
	kernel_watch_end(w);
	return r;
}

void kernel_watch_end(struct kernel_watch *w)
{
	if (!w)
		return;
	uevent_remove(w->events);
	atomic_store(&w->cancelled, true);
	pthread_mutex_lock(&w->lock);
	w->ends = true;
	pthread_cond_broadcast(&w->changed);
	leave(w);
}
