/* Pool type "sheepdog": a cluster of sheep, its volumes are VDIs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sheepdog/sheep_ahead.h"
#include "backends/sheepdog/sheep_behind.h"
#include "backends/support/clock.h"

#define END_NS (5 * NS_PER_S) /* for what is not stored yet when a pool ends */

/* -- the loop -- */

static size_t prepare(void *arg, struct pollfd *fds, uint64_t *until)
{
	struct sheep_pool *sp = arg;

	behind_prepare(sp, until);
	ahead_prepare(sp, until);
	return session_prepare(sp->session, fds, until);
}

static void ready(void *arg, const struct pollfd *fds, size_t n)
{
	session_ready(((struct sheep_pool *)arg)->session, fds, n);
}

static const struct loop_ops loop_ops = { prepare, ready };

static void lost(void *arg, const struct error *err)
{
	struct sheep_pool *sp = arg;

	if (sp->started)
		sp->host.lost(sp->host.ctx, err);
}

/* -- hosts -- */

static int copy_hosts(struct sheep_pool *sp, const struct pool_source *s)
{
	sp->hosts = calloc(s->n_hosts, sizeof(*sp->hosts));
	if (!sp->hosts)
		return -ENOMEM;
	for (; sp->n_hosts < s->n_hosts; sp->n_hosts++) {
		struct pool_host *h = &sp->hosts[sp->n_hosts];

		h->port = s->hosts[sp->n_hosts].port;
		h->name = strdup(s->hosts[sp->n_hosts].name);
		if (!h->name)
			return -ENOMEM;
	}
	return 0;
}

static int say_where(struct sheep_pool *sp)
{
	const struct pool_host *h = &sp->hosts[0];

	if (asprintf(&sp->where, "%s:%u", h->name, h->port ? h->port : SHEEP_PORT) < 0)
		sp->where = NULL;
	return sp->where ? 0 : -ENOMEM;
}

/* All addresses of all hosts; one that has none is no matter while another has. */
static int resolve(const struct sheep_pool *sp, struct address **out, struct error *err)
{
	AUTO_FREE struct address *all = NULL;
	int n = 0;

	for (size_t i = 0; i < sp->n_hosts; i++) {
		AUTO_FREE struct address *some = NULL;
		const struct pool_host *h = &sp->hosts[i];
		int k = address_resolve(h->name, h->port, SHEEP_PORT, &some, err);

		if (k <= 0)
			continue;

		struct address *more = reallocarray(all, n + k, sizeof(*all));

		if (!more)
			return error_code(err, ENOMEM, "cannot connect to a sheep");
		all = more;
		memcpy(all + n, some, k * sizeof(*all));
		n += k;
	}
	if (!n)
		return -err->code;
	*out = take(all);
	return n;
}

/* -- lives -- */

static void pool_free(struct sheep_pool *sp)
{
	if (sp->started)
		behind_drain(sp, clock_now() + END_NS);
	if (sp->loop)
		loop_free(sp->loop);
	if (sp->session)
		session_free(sp->session);
	for (size_t i = 0; i < sp->n_hosts; i++)
		free(sp->hosts[i].name);
	free(sp->hosts);
	free(sp->name);
	free(sp->where);
	pthread_mutex_destroy(&sp->lock_turn);
	recent_exit(&sp->recent);
	free(sp);
}
DEFINE_CLEANUP(cleanup_pool, struct sheep_pool *, pool_free)

static struct sheep_pool *pool_new(const struct pool_spec *spec, const struct host *host)
{
	struct sheep_pool *sp = calloc(1, sizeof(*sp));

	if (!sp)
		return NULL;
	pthread_mutex_init(&sp->lock_turn, NULL);
	recent_init(&sp->recent);
	list_init(&sp->inodes);
	list_init(&sp->gathers);
	list_init(&sp->crowd);
	list_init(&sp->chunks);
	list_init(&sp->spare_chunks);
	sp->host = *host;
	sp->name = strdup(spec->source.name ? spec->source.name : spec->name);
	if (!sp->name || copy_hosts(sp, &spec->source) < 0 || say_where(sp) < 0) {
		pool_free(sp);
		return NULL;
	}
	return sp;
}

struct awaiting {
	struct loop_call call;
	struct sheep_session *session;
};

static void await(struct loop_task *t)
{
	struct awaiting *a = container_of(container_of(t, struct loop_call, task),
					  struct awaiting, call);

	session_await(a->session, &a->call);
}

static void awaiting_free(struct loop_call *c)
{
	free(container_of(c, struct awaiting, call));
}

/* A sheep has answered, and is one of a cluster that can be used. */
static int await_sheep(struct sheep_pool *sp, struct call *call, struct error *err)
{
	struct awaiting *a = malloc(sizeof(*a));
	int r;

	if (!a)
		return error_code(err, ENOMEM, "cannot connect to a sheep");
	loop_call_init(&a->call, await, awaiting_free);
	a->session = sp->session;
	r = loop_call_wait(sp->loop, &a->call, call, err);
	if (r < 0 && loop_call_abandoned(&a->call))
		error_set(err, -r, "the sheep at %s does not answer", sp->where);
	loop_call_put(&a->call);
	return r;
}

static int connect_pool(struct sheep_pool *sp, struct call *call, struct error *err)
{
	const struct sheep_session_ops ops = { lost, sp };
	AUTO_FREE struct address *list = NULL;
	int r = resolve(sp, &list, err);

	if (r > 0)
		r = session_new(list, r, &ops, &sp->session, err);
	if (r == 0)
		r = loop_new(&loop_ops, sp, &sp->loop, err);
	return r < 0 ? r : await_sheep(sp, call, err);
}

static void look_at_cluster(void *arg)
{
	struct sheep_pool *sp = arg;

	sp->locks = session_epoch(sp->session)->flags & SHEEP_CLUSTER_LOCKS;
	sp->started = true;
}

static int sheep_start(const struct pool_spec *spec, const struct host *host,
		       struct call *call, void **pool, struct error *err)
{
	CLEANUP(cleanup_pool) struct sheep_pool *sp = pool_new(spec, host);
	int r;

	if (!sp)
		return error_code(err, ENOMEM, "cannot start the pool");
	r = connect_pool(sp, call, err);
	if (r == 0 && sheep_on_loop(sp, look_at_cluster, sp) < 0)
		r = error_code(err, ENOMEM, "cannot start the pool");
	if (r < 0)
		return r;
	*pool = take(sp);
	return 0;
}

static void sheep_detach(void *pool)
{
	pool_free(pool);
}

static int sheep_stop(void *pool, struct call *call, struct error *err)
{
	pool_free(pool);
	return 0;
}

struct refreshing {
	struct sheep_pool *sp;
	struct address *list;
	size_t n;
};

static void set_hosts(void *arg)
{
	const struct refreshing *f = arg;

	session_set_hosts(f->sp->session, f->list, f->n);
}

/* Names may have other addresses by now; the rest is asked of the cluster each time. */
static int sheep_refresh(void *pool, struct call *call, struct error *err)
{
	struct sheep_pool *sp = pool;
	struct refreshing f = { .sp = sp };
	AUTO_FREE struct address *list = NULL;
	int n = resolve(pool, &list, err);

	if (n < 0)
		return n;
	recent_forget(&sp->recent);
	f.list = list;
	f.n = n;
	sheep_on_loop(pool, set_hosts, &f);
	return await_sheep(pool, call, err);
}

BACKEND_DEFINE(
	.type = "sheepdog",
	.volumes = VOLUMES_PROVISIONED,
	.parallel = true,
	.start = sheep_start,
	.stop = sheep_stop,
	.detach = sheep_detach,
	.refresh = sheep_refresh,
	.pool_stat = sheep_pool_stat,
	.list = sheep_list,
	.vol_stat = sheep_vol_stat,
	.vol_describe = sheep_vol_describe,
	.vol_create = sheep_vol_create,
	.vol_delete = sheep_vol_delete,
	.vol_resize = sheep_vol_resize,
	.vol_wipe = sheep_vol_wipe,
	.vol_flatten = sheep_vol_flatten,
	.vol_open = sheep_vol_open,
	.vol_close = sheep_vol_close,
	.vol_submit = sheep_vol_submit,
	.vol_cancel = sheep_vol_cancel,
	.vol_fstat = sheep_vol_fstat,
	.vol_seek = sheep_vol_seek,
	.snap_list = sheep_snap_list,
	.snap_stat = sheep_snap_stat,
	.snap_create = sheep_snap_create,
	.snap_delete = sheep_snap_delete,
	.snap_revert = sheep_snap_revert,
	.discover = sheep_discover,
	.writes_back = true,
);
