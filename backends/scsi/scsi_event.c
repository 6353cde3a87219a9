/*
 * What the kernel tells of adapters and units. Called with the listener's lock held: only
 * /sys is read here, and the host is told.
 */
#include <stdio.h>
#include <string.h>

#include "backends/scsi/scsi.h"

static void tell_unit(struct scsi_pool *p, const struct uevent *e, int number)
{
	const char *action = uevent_get(e, "ACTION"), *path = uevent_get(e, "DEVPATH");
	const char *type = uevent_get(e, "DEVTYPE");
	enum change change = CHANGE_DATA;
	char name[UNIT_NAME];
	struct unit u;

	if (!action || !path || !type || strcmp(type, "disk") ||
	    !unit_in_path(path, number, &u))
		return;
	if (!strcmp(action, "add"))
		change = CHANGE_ADDED;
	else if (!strcmp(action, "remove"))
		change = CHANGE_REMOVED;
	unit_name(&u, name);
	p->host.changed(p->host.ctx, change, name);
}

/* The adapter itself: removed with its driver or its virtual port, and back perhaps under
 * another number. */
static void tell_adapter(struct scsi_pool *p)
{
	struct error err = { 0 };
	int before = atomic_load(&p->number), now = adapter_find(&p->adapter, &err);

	if (now < 0)
		now = HOST_NONE;
	if (now == before)
		return;
	atomic_store(&p->number, now);
	p->host.lost(p->host.ctx, now == HOST_NONE ? &err : NULL);
	p->host.changed(p->host.ctx, CHANGE_ALL, NULL);
}

static void on_event(void *arg, const struct uevent *e)
{
	struct scsi_pool *p = arg;
	const char *subsystem = e ? uevent_get(e, "SUBSYSTEM") : NULL;
	int number = atomic_load(&p->number);

	if (!e) {
		tell_adapter(p);
		p->host.changed(p->host.ctx, CHANGE_ALL, NULL);
	} else if (subsystem && !strcmp(subsystem, "block") && number != HOST_NONE) {
		tell_unit(p, e, number);
	} else if (subsystem &&
		   (!strcmp(subsystem, "scsi_host") || !strcmp(subsystem, "fc_host"))) {
		tell_adapter(p);
	}
}

int scsi_watch(struct scsi_pool *p, struct error *err)
{
	return uevent_add(on_event, p, &p->watch, err);
}
