/*
 * A volume group that goes while its pool runs, and comes back. One disk that goes may
 * take it along or not: then the pool is away until lvm has been asked.
 *
 * Events come with the listener's lock held, before the pool's.
 */
#include <errno.h>
#include <string.h>

#include "backends/common/uevent.h"
#include "backends/logical/logical.h"
#include "backends/support/log.h"

/* "sdb" of "/dev/sdb". Disks below a map or a RAID are theirs to tell of. */
static bool is_of_group(const struct vg *g, const char *name)
{
	for (size_t i = 0; i < g->n_pvs; i++)
		if (!strncmp(g->pvs[i], "/dev/", 5) && !strcmp(g->pvs[i] + 5, name))
			return true;
	return false;
}

/* Whether it is one of the group's; then lvm is asked before anybody sees it again. */
static bool loses(struct logical_pool *p, const char *name)
{
	SCOPED_LOCK(&p->lock);
	if (!is_of_group(&p->vg, name))
		return false;
	p->stale = p->lost = true;
	return true;
}

static void on_event(void *arg, const struct uevent *e)
{
	struct logical_pool *p = arg;
	const char *action = e ? uevent_get(e, "ACTION") : NULL;
	const char *subsystem = e ? uevent_get(e, "SUBSYSTEM") : NULL;
	const char *name = e ? uevent_get(e, "DEVNAME") : NULL;
	struct error err = { 0 };

	if (!action || strcmp(action, "remove") || !subsystem ||
	    strcmp(subsystem, "block") || !name || !loses(p, name))
		return;
	error_set(&err, ENODEV, "the disk '/dev/%s' of volume group '%s' was removed",
		  name, p->name);
	p->host->lost(p->host->ctx, &err);
}

int away_watch(struct logical_pool *p, struct error *err)
{
	return p->host && p->host->lost ? uevent_add(on_event, p, &p->events, err) : 0;
}

void away_found(struct logical_pool *p, const struct error *why)
{
	bool news;

	pthread_mutex_lock(&p->lock);
	news = p->vg.n_pvs && !p->lost;
	p->lost |= news;
	pthread_mutex_unlock(&p->lock);
	if (news && p->host && p->host->lost)
		p->host->lost(p->host->ctx, why);
}

static void run(const char *option, const char *yes, const char *vg, struct call *call)
{
	struct error err = { 0 };
	struct lvm_command c;

	lvm_begin(&c, "vgchange", option, NULL);
	if (yes)
		lvm_add(&c, yes, NULL);
	lvm_add(&c, vg, NULL);
	if (lvm_change(&c, call, &err) < 0)
		log_warning("volume group '%s' is back, and not all of it can be used: %s",
			    vg, err.text);
}

/* What is active stands on devices that are gone, and has to learn of those that came. */
void away_return(struct logical_pool *p, struct call *call)
{
	bool lost;

	pthread_mutex_lock(&p->lock);
	lost = p->lost;
	p->lost = false;
	pthread_mutex_unlock(&p->lock);
	if (!lost)
		return;
	run("--refresh", NULL, p->name, call);
	run("--activate", "y", p->name, call);
	group_forget(p);
}
