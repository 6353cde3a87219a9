/*
 * Keeps lvm's report of a volume group while it is true. Whoever changes the group, we or
 * somebody else, changes the names of its links or LVM's backup of its description; both
 * are looked at each time. A change of ours is brought into the report by hand, so
 * that the requests that follow it need no lvm; a listing asks again all the same.
 *
 * One thread at a time asks, and one changes; others wait for it on `settled`, no longer
 * than their deadline.
 */
#include "backends/logical/group.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/common/uevent.h"
#include "backends/logical/logical.h"
#include "backends/support/clock.h"
#include "backends/support/map.h"
#include "backends/support/thread.h"

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)

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

static struct file_stamp stamp_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct file_stamp){ 0 };
	return (struct file_stamp){ st.st_mtim, st.st_ino };
}

/* In whatever order; and without those that udev has only until it renames them. */
static uint64_t names_in(const char *path)
{
	CLEANUP(cleanup_dir) DIR *d = opendir(path);
	uint64_t names = 0;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!strchr(e->d_name, '#'))
			names += hash_bytes(e->d_name, strlen(e->d_name), 0);
	return names;
}

static struct group_stamp stamp(const struct logical_pool *p)
{
	struct group_stamp s = { .links = stamp_of(p->links),
				 .backup = stamp_of(p->backup) };

	s.names = names_in(p->links);
	s.named = s.links;
	return s;
}

static bool same(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->ino == b->ino && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

/*
 * udev makes a link anew each time that somebody closes a device that he wrote to. What
 * was written may have filled a snapshot or a thin pool, so the whole is asked for again;
 * names, kinds and sizes are what they were, where the names of the links are. A host
 * whose LVM keeps no backups has nothing else to go by.
 */
static bool is_true(struct logical_pool *p, bool whole)
{
	struct file_stamp backup = stamp_of(p->backup), links = stamp_of(p->links);

	if (p->stale || (whole && p->partial) || !same(&backup, &p->seen.backup))
		return false;
	if (same(&links, &p->seen.links))
		return true;
	if (whole || !backup.ino)
		return false;
	if (same(&links, &p->seen.named))
		return true;
	if (names_in(p->links) != p->seen.names)
		return false;
	p->seen.named = links;
	return true;
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
