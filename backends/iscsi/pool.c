/* Pools of a target's units: start, stop, refresh. */
#include "backends/iscsi/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iscsi/scan.h"

/* -- what the session tells -- */

static void on_logged_in(void *arg)
{
	scan_start(arg, true);
}

/* Units came, went, changed their size, or what they say of themselves. */
static void on_attention(void *arg, uint16_t lun, unsigned code)
{
	static const unsigned news[] = { 0x3f0e, 0x3f03, 0x2a09, 0x2a01, 0x2a00 };

	for (size_t i = 0; i < sizeof(news) / sizeof(*news); i++)
		if (code == news[i])
			scan_start(arg, true);
}

static void on_idle(void *arg)
{
	scan_start(arg, false);
}

static const struct session_ops pool_session = {
	.logged_in = on_logged_in,
	.attention = on_attention,
	.idle = on_idle,
};

/* -- start and stop -- */

static void pool_free(struct iscsi_pool *p)
{
	for (struct list *l; (l = list_shift(&p->luns));)
		lun_unref(container_of(l, struct lun, link));
	free(p->portal);
	free(p->target);
	free(p->dir);
	free(p);
}
DEFINE_CLEANUP(cleanup_pool, struct iscsi_pool *, pool_free)

static int print_portal(struct iscsi_pool *p, const struct pool_host *host)
{
	bool bare = strchr(host->name, ':') && *host->name != '[';

	return asprintf(&p->portal, bare ? "[%s]:%u" : "%s:%u", host->name,
			host->port ? host->port : ISCSI_PORT);
}

static struct iscsi_pool *pool_new(const struct pool_spec *spec, const struct host *host)
{
	struct iscsi_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	list_init(&p->luns);
	p->host = *host;
	p->target = strdup(spec->source.devices[0].path);
	p->dir = strdup(spec->target ? spec->target : "");
	if (!p->target || !p->dir || print_portal(p, &spec->source.hosts[0]) < 0) {
		pool_free(p);
		return NULL;
	}
	return p;
}

int iscsi_check_source(const struct pool_source *s, struct error *err)
{
	if (s->n_hosts != 1)
		return error_set(err, EINVAL,
				 "an iSCSI pool has exactly one <host> in its source");
	if (s->n_devices != 1)
		return error_set(
			err, EINVAL,
			"an iSCSI pool needs its target's name: exactly one <device "
			"path='iqn.…'/> in its source");
	return 0;
}

static int start(const struct pool_spec *spec, const struct host *host, bool direct,
		 struct call *call, void **pool, struct error *err)
{
	CLEANUP(cleanup_pool) struct iscsi_pool *p = NULL;
	struct login login;
	int r = iscsi_check_source(&spec->source, err);

	if (r < 0)
		return r;
	p = pool_new(spec, host);
	if (!p)
		return error_code(err, ENOMEM, "cannot use target '%s'",
				  spec->source.devices[0].path);
	p->direct = direct;
	r = login_init(&login, &spec->source, p->target, host, err);
	if (r == 0)
		r = session_start(&p->session, &pool_session, p, &login, call, err);
	if (r < 0)
		return r;
	*pool = take(p);
	return 0;
}

int iscsi_start(const struct pool_spec *spec, const struct host *host, struct call *call,
		void **pool, struct error *err)
{
	return start(spec, host, false, call, pool, err);
}

int iscsi_direct_start(const struct pool_spec *spec, const struct host *host,
		       struct call *call, void **pool, struct error *err)
{
	return start(spec, host, true, call, pool, err);
}

void iscsi_detach(void *pool)
{
	struct iscsi_pool *p = pool;

	session_stop(&p->session);
	pool_free(p);
}

int iscsi_stop(void *pool, struct call *call, struct error *err)
{
	iscsi_detach(pool);
	return 0;
}

/* -- refresh -- */

static void refreshed(struct ask *a)
{
	const struct session *s = &a->pool->session;

	if (s->broken || s->state != SESSION_READY)
		ask_answer(a, -EIO, s->error.code ? &s->error : NULL);
	else
		ask_answer(a, 0, NULL);
}

static void run_refresh(struct ask *a)
{
	scan_and_then(a, true, refreshed);
}

int iscsi_refresh(void *pool, struct call *call, struct error *err)
{
	int r = ask(pool, &(struct ask_about){ 0 }, run_refresh, NULL, call, err);

	return r < 0 && !err->code ? error_code(err, -r, "the target does not answer")
				   : r;
}
