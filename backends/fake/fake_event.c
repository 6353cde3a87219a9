/* What happens to a fake pool without being asked: its source goes away, others add and
 * remove. */
#include "backends/fake/fake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void look_for_away(struct fake_pool *fp)
{
	bool away = control_has(fp, "away");
	struct error err = { 0 };

	if (away == fp->is_away)
		return;
	fp->is_away = away;
	if (away)
		error_set(&err, EIO, "the fake source is away");
	fp->host.lost(fp->host.ctx, away ? &err : NULL);
}

static void add(struct fake_pool *fp, const char *name)
{
	pthread_mutex_lock(&fp->store->lock);
	if (!store_find(fp->store, name))
		store_add(fp->store, name);
	pthread_mutex_unlock(&fp->store->lock);
	fp->host.changed(fp->host.ctx, CHANGE_ADDED, name);
}

static void remove_volume(struct fake_pool *fp, const char *name)
{
	struct fake_volume *v;

	pthread_mutex_lock(&fp->store->lock);
	v = store_find(fp->store, name);
	if (v)
		store_remove(fp->store, v);
	pthread_mutex_unlock(&fp->store->lock);
	fp->host.changed(fp->host.ctx, CHANGE_REMOVED, name);
}

void fake_events(struct fake_pool *fp)
{
	AUTO_BUF struct buf text = { 0 };
	char path[4096];

	look_for_away(fp);
	if (control_read(fp, "event", &text) < 0 || !text.len)
		return;
	snprintf(path, sizeof(path), "%s/event", fp->control);
	unlink(path);
	if (!strncmp(text.data, "added ", 6))
		add(fp, text.data + 6);
	else if (!strncmp(text.data, "removed ", 8))
		remove_volume(fp, text.data + 8);
	else
		fp->host.changed(fp->host.ctx, CHANGE_ALL, NULL);
}
