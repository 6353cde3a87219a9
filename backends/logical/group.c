/*
 * Keeps lvm's report of a volume group while it is true. Whoever changes the group, we or
 * somebody else, changes the directory of its links or LVM's backup of its description;
 * both are looked at each time. A change of ours is brought into the report by hand, so
 * that the requests that follow it need no lvm; a listing asks again all the same.
 *
 * One thread at a time asks, and one changes; others wait for it on `settled`, no longer
 * than their deadline.
 */
#include "backends/logical/group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/common/uevent.h"
#include "backends/logical/logical.h"
#include "backends/support/clock.h"
#include "backends/support/thread.h"

/* -- the pool -- */

void group_free(struct logical_pool *p)
{
	if (!p)
		return;
	uevent_remove(p->events);
	vg_clear(&p->vg);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->settled);
	free(p->name);
	free(p->links);
	free(p->backup);
	free(p);
}
DEFINE_CLEANUP(cleanup_group, struct logical_pool *, group_free)

int group_new(const struct pool_spec *spec, const struct host *host,
	      struct logical_pool **out, struct error *err)
{
	CLEANUP(cleanup_group) struct logical_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return error_code(err, ENOMEM, "cannot start the pool");
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->settled, NULL);
	p->host = host;
	p->stale = true;
	p->name = strdup(spec->source.name);
	if (asprintf(&p->links, "/dev/%s", spec->source.name) < 0)
		p->links = NULL;
	if (asprintf(&p->backup, "/etc/lvm/backup/%s", spec->source.name) < 0)
		p->backup = NULL;
	if (!p->name || !p->links || !p->backup)
		return error_code(err, ENOMEM, "cannot start the pool");
	*out = take(p);
	return 0;
}

char *group_path(const struct logical_pool *p, const char *lv)
{
	char *path;

	return asprintf(&path, "%s/%s", p->links, lv) < 0 ? NULL : path;
}

/* -- asking -- */

int group_ask(const char *vg, struct vg *out, struct call *call, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	struct lvm_command c;
	int r;

	lvm_begin(&c, "fullreport", NULL);
	for (size_t i = 0; report_words[i]; i++)
		lvm_add(&c, report_words[i], NULL);
	lvm_add(&c, vg, NULL);
	r = lvm_ask(&c, &text, call, err);
	if (r == 0)
		r = report_parse(text.data, text.len, out, err);
	if (r == -ENODEV)
		return error_set(err, ENODEV,
				 "there is no volume group '%s' on this host", vg);
	return r < 0 ? error_prefix(err, "cannot look at the volume group '%s'", vg) : 0;
}

static struct group_stamp stamp(const struct logical_pool *p)
{
	struct group_stamp s = { 0 };
	struct stat st;

	if (stat(p->links, &st) == 0) {
		s.links = st.st_mtim;
		s.links_ino = st.st_ino;
	}
	if (stat(p->backup, &st) == 0) {
		s.backup = st.st_mtim;
		s.backup_ino = st.st_ino;
	}
	return s;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_true(const struct logical_pool *p, bool whole)
{
	struct group_stamp now;

	if (p->stale || (whole && p->partial))
		return false;
	now = stamp(p);
	return now.links_ino == p->seen.links_ino &&
	       now.backup_ino == p->seen.backup_ino &&
	       same_time(&now.links, &p->seen.links) &&
	       same_time(&now.backup, &p->seen.backup);
}

/* Waits for the one who asks or changes; the lock is held. */
static int wait_settled(struct logical_pool *p, struct call *call, struct error *err)
{
	if (thread_wait(&p->settled, &p->lock, call->deadline_ns) < 0)
		return error_set(err, ETIMEDOUT,
				 "lvm has not answered in time for the volume group '%s'",
				 p->name);
	return 0;
}

/* The lock is held, and given back meanwhile. What is read while somebody changes
 * something is good for who asked, since that began before, and for nobody else. */
static int refresh(struct logical_pool *p, struct call *call, struct error *err)
{
	unsigned changes = p->changes;
	struct group_stamp before;
	struct vg report = { 0 };
	int r;

	p->refreshing = true;
	pthread_mutex_unlock(&p->lock);
	before = stamp(p);
	r = group_ask(p->name, &report, call, err);
	pthread_mutex_lock(&p->lock);
	p->refreshing = false;
	pthread_cond_broadcast(&p->settled);
	if (r < 0) {
		vg_clear(&report);
		return r;
	}
	vg_clear(&p->vg);
	p->vg = report;
	p->seen = before;
	p->partial = false;
	p->stale = p->changing || p->changes != changes;
	return 0;
}

int group_look(struct logical_pool *p, bool whole, struct call *call, struct error *err)
{
	struct error why = { 0 };
	int r = 0;

	pthread_mutex_lock(&p->lock);
	while (r == 0 && !is_true(p, whole)) {
		if (!p->refreshing) {
			r = refresh(p, call, &why);
			break;
		}
		r = wait_settled(p, call, &why);
	}
	if (r == 0)
		return 0;
	pthread_mutex_unlock(&p->lock);
	if (r == -ENODEV)
		away_found(p, &why);
	return error_copy(err, &why);
}

void group_forget(struct logical_pool *p)
{
	SCOPED_LOCK(&p->lock);
	p->stale = true;
}

/* -- changing -- */

int group_change(struct logical_pool *p, struct lvm_command *c, group_patch patch,
		 const void *arg, struct call *call, struct error *err)
{
	bool known;
	int r = 0;

	SCOPED_LOCK(&p->lock);
	while (r == 0 && p->changing)
		r = wait_settled(p, call, err);
	if (r < 0)
		return r;
	known = is_true(p, false);
	p->changing = true;
	p->changes++;
	pthread_mutex_unlock(&p->lock);
	r = lvm_change(c, call, err);
	pthread_mutex_lock(&p->lock);
	p->changing = false;
	p->changes++;
	pthread_cond_broadcast(&p->settled);
	p->partial = true;
	if (r < 0 || !known || p->stale || !patch || !patch(&p->vg, arg))
		p->stale = true;
	else
		p->seen = stamp(p);
	return r;
}

int group_change_long(struct logical_pool *p, struct lvm_command *c, struct call *call,
		      struct error *err)
{
	int r = lvm_change(c, call, err);

	SCOPED_LOCK(&p->lock);
	p->changes++;
	p->stale = true;
	return r;
}
