/*
 * Pool type "scsi": starting and stopping, and its one exported struct.
 *
 * A pool keeps the number of its adapter and nothing of its units. The number is changed
 * by events, hence atomic; the rest stays as it was made.
 */
#include "backends/scsi/scsi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/block_volumes.h"
#include "backends/common/holder.h"

static void pool_free(struct scsi_pool *p)
{
	struct pool_source s = { .adapter = p->adapter };

	uevent_remove(p->watch);
	pool_source_clear(&s);
	free(p->target);
	free(p->mark);
	free(p);
}
DEFINE_CLEANUP(cleanup_pool, struct scsi_pool *, pool_free)

/* -- a copy of the adapter's description -- */

static bool copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

static bool copy_adapter(struct pool_adapter *to, const struct pool_adapter *from)
{
	bool ok = true;

	*to = *from;
	ok &= copy(&to->name, from->name);
	ok &= copy(&to->wwnn, from->wwnn);
	ok &= copy(&to->wwpn, from->wwpn);
	ok &= copy(&to->parent, from->parent);
	ok &= copy(&to->parent_wwnn, from->parent_wwnn);
	ok &= copy(&to->parent_wwpn, from->parent_wwpn);
	ok &= copy(&to->parent_fabric_wwn, from->parent_fabric_wwn);
	return ok;
}

static struct scsi_pool *pool_new(const struct pool_spec *spec, const struct host *host)
{
	struct scsi_pool *p = calloc(1, sizeof(*p));
	bool ok;

	if (!p)
		return NULL;
	p->host = *host;
	atomic_init(&p->number, HOST_NONE);
	ok = copy_adapter(&p->adapter, &spec->source.adapter);
	ok &= copy(&p->target, spec->target);
	if (asprintf(&p->mark, "storagefs %s", spec->uuid) < 0)
		p->mark = NULL;
	if (ok && p->mark)
		return p;
	pool_free(p);
	return NULL;
}

/* -- start and stop -- */

static int scsi_check(const struct pool_spec *spec, const struct host *host,
		      struct call *call, bool *active, struct error *err)
{
	*active = adapter_find(&spec->source.adapter, NULL) >= 0;
	return 0;
}

static int take_adapter(struct scsi_pool *p, struct call *call, struct error *err)
{
	int n;

	if (p->adapter.type == ADAPTER_FC_HOST)
		n = port_start(&p->adapter, p->mark, &p->made_port, call, err);
	else
		n = adapter_find(&p->adapter, err);
	if (n < 0)
		return n;
	atomic_store(&p->number, n);
	return 0;
}

static int scsi_start(const struct pool_spec *spec, const struct host *host,
		      struct call *call, void **pool, struct error *err)
{
	CLEANUP(cleanup_pool) struct scsi_pool *p = NULL;
	int r;

	if (!spec->target || spec->target[0] != '/')
		return error_set(err, EINVAL,
				 "the pool's target path must be absolute, such as "
				 "/dev/disk/by-path");
	p = pool_new(spec, host);
	if (!p)
		return error_code(err, ENOMEM, "cannot start the pool");
	r = take_adapter(p, call, err);
	if (r == 0)
		r = unit_scan(p, false, call, err);
	if (r == 0)
		r = scsi_watch(p, err);
	if (r < 0 && p->made_port)
		port_remove(atomic_load(&p->number), call, NULL);
	if (r < 0)
		return r;
	*pool = take(p);
	return 0;
}

static void scsi_detach(void *pool)
{
	pool_free(pool);
}

static int check_unused(void *arg, const struct unit *u, dev_t device)
{
	AUTO_BUF struct buf who = { 0 };
	char name[UNIT_NAME];

	if (!holder_of_device(device, &who) && !holder_of_open_device(device, &who))
		return 0;
	unit_name(u, name);
	return error_set(arg, EBUSY,
			 "volume '%s' is in use, and would go with the virtual port: %s",
			 name, buf_text(&who));
}

/* An adapter stays as it is; a virtual port of ours goes, and all its units with it. */
static int scsi_stop(void *pool, struct call *call, struct error *err)
{
	struct scsi_pool *p = pool;
	struct error why = { 0 };
	int number = atomic_load(&p->number), r = 0;

	if (number != HOST_NONE && port_is_ours(p, number)) {
		r = unit_each(p, check_unused, &why, &why);
		if (r == -EBUSY)
			return error_copy(err, &why);
		/* its end is no news */
		uevent_remove(take(p->watch));
		r = port_remove(number, call, err);
		if (r < 0) {
			scsi_watch(p, NULL);
			return r;
		}
	}
	scsi_detach(p);
	return 0;
}

static int scsi_refresh(void *pool, struct call *call, struct error *err)
{
	return unit_scan(pool, true, call, err);
}

static const char *const tools[] = { "scrub", NULL };

BACKEND_DEFINE(.type = "scsi", .volumes = VOLUMES_GIVEN, .parallel = true, .tools = tools,
	       .check = scsi_check, .start = scsi_start, .stop = scsi_stop,
	       .detach = scsi_detach, .refresh = scsi_refresh,
	       .pool_stat = scsi_pool_stat, .list = scsi_list, .vol_stat = scsi_vol_stat,
	       .vol_describe = scsi_vol_describe, .vol_wipe = scsi_vol_wipe,
	       .vol_open = scsi_vol_open, .vol_close = scsi_vol_close,
	       .vol_fstat = scsi_vol_fstat, .discover = scsi_discover, );
