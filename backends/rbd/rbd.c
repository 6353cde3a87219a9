/*
 * Pool type "rbd": starting and stopping a pool, its sizes, and the table of what it can
 * do.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/support/clock.h"
#include "backends/support/log.h"
#include "backends/support/thread.h"

/* -- what Ceph says -- */

/* Where its errno means something of its own; NULL: strerror has it. */
static const char *peculiar(int result, int *code)
{
	*code = -result;
	switch (result) {
	case -ETIMEDOUT:
		return "Ceph does not answer: its OSDs or the way to them may be down "
		       "('ceph "
		       "health' says so)";
	case -ESHUTDOWN:
		*code = EIO;
		return "Ceph has shut this host out, since another client took its "
		       "place: stop "
		       "and start the pool";
	case -EPERM:
	case -EACCES:
		*code = EACCES;
		return "this Ceph user may not: 'ceph auth get' shows its caps, and "
		       "'profile rbd' "
		       "is what a pool needs";
	case -EROFS:
		return "the image is read-only, or another client has taken its "
		       "exclusive lock";
	case -EDQUOT:
	case -ENOSPC:
		*code = ENOSPC;
		return "the Ceph pool is full, or at its quota";
	default:
		return NULL;
	}
}

int rbd_failed(struct rbd_pool *p, int result, struct error *err, const char *fmt, ...)
{
	struct error what = { 0 };
	const char *why;
	va_list ap;
	int code;

	if (p && (result == -ETIMEDOUT || result == -ESHUTDOWN))
		pulse_hurry(p);
	why = peculiar(result, &code);
	va_start(ap, fmt);
	vsnprintf(what.text, sizeof(what.text), fmt, ap);
	va_end(ap);
	return why ? error_set(err, code, "%s: %s", what.text, why)
		   : error_code(err, code, "%s", what.text);
}

int rbd_progress(uint64_t done, uint64_t total, void *arg)
{
	struct call *call = arg;

	if (call->progress)
		call->progress(call, done, total);
	return call->cancelled && atomic_load(call->cancelled) ? -ECANCELED : 0;
}

/* -- the pool -- */

static void pool_free(struct rbd_pool *p)
{
	cluster_close(&p->cluster);
	roll_forget(p, NULL);
	snapshots_forget(p);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	pthread_cond_destroy(&p->looked_at);
	free(p->path);
	free(p);
}
DEFINE_CLEANUP(cleanup_pool, struct rbd_pool *, pool_free)

static struct rbd_pool *pool_new(const struct pool_spec *spec, const struct host *host)
{
	struct rbd_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->host = *host;
	p->all_allocated =
		spec->refresh_allocation && !strcmp(spec->refresh_allocation, "capacity");
	list_init(&p->images);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	pthread_cond_init(&p->looked_at, NULL);
	p->path = strdup(spec->source.name);
	if (p->path)
		return p;
	pool_free(p);
	return NULL;
}

static int connect_pool(struct rbd_pool *p, const struct pool_spec *spec,
			struct call *call, struct error *err)
{
	AUTO_FREE char *pool = NULL, *namespace = NULL;
	int r = config_split_name(spec->source.name, &pool, &namespace, err);

	if (r == 0)
		r = cluster_connect(&p->cluster, &spec->source, spec->options,
				    spec->n_options, &p->host, call, err);
	if (r == 0)
		r = cluster_choose_pool(&p->cluster, pool, namespace, err);
	return r;
}

#define HEAPS	   4
#define HEAP_SPARE (16 << 20) /* what each may keep */
#define HEAP_PIECE (8 << 20)  /* no larger one is asked for */

/*
 * librados' many threads would each have a heap: a few are enough. What a request of a
 * megabyte needs is taken and given back by it several times: asking the kernel for it
 * each time costs more than the copy that it is for.
 */
static void keep_heaps(void)
{
	mallopt(M_ARENA_MAX, HEAPS);
	mallopt(M_MMAP_THRESHOLD, HEAP_PIECE);
	mallopt(M_TRIM_THRESHOLD, HEAP_SPARE);
}

static int rbd_start(const struct pool_spec *spec, const struct host *host,
		     struct call *call, void **pool, struct error *err)
{
	CLEANUP(cleanup_pool) struct rbd_pool *p = pool_new(spec, host);
	int r;

	if (!p)
		return error_code(err, ENOMEM, "cannot start the pool");
	keep_heaps();
	r = connect_pool(p, spec, call, err);
	if (r == 0)
		r = pulse_start(p, err);
	if (r == 0)
		*pool = take(p);
	return r;
}

/* -- the end -- */

/*
 * Closing images and the connection waits for a Ceph that does not answer, so a thread of
 * its own does it. Who waits for that leaves it alone at his deadline.
 */
struct ending {
	struct rbd_pool *pool;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool over, left;
};

static void ending_free(struct ending *e)
{
	pthread_mutex_destroy(&e->lock);
	pthread_cond_destroy(&e->cond);
	free(e);
}

static void *run_ending(void *arg)
{
	struct ending *e = arg;
	bool left;

	pulse_stop(e->pool);
	while (!images_settle(e->pool, clock_now() + 3600 * NS_PER_S))
		;
	roll_settle(e->pool);
	pool_free(e->pool);
	pthread_mutex_lock(&e->lock);
	e->over = true;
	left = e->left;
	pthread_cond_signal(&e->cond);
	pthread_mutex_unlock(&e->lock);
	if (left)
		ending_free(e);
	return NULL;
}

static struct ending *ending_new(struct rbd_pool *p)
{
	struct ending *e = calloc(1, sizeof(*e));
	pthread_t thread;

	if (!e)
		return NULL;
	e->pool = p;
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->cond, NULL);
	if (pthread_create(&thread, NULL, run_ending, e)) {
		ending_free(e);
		return NULL;
	}
	pthread_detach(thread);
	return e;
}

/* false: it goes on by itself. */
static bool wait_for(struct ending *e, uint64_t deadline_ns)
{
	int r = 0;

	SCOPED_LOCK(&e->lock);
	while (!e->over && r == 0)
		r = thread_wait(&e->cond, &e->lock, deadline_ns);
	e->left = !e->over;
	return e->over;
}

/* Threads that still close something would use what the libraries' destructors take apart
 * when the process ends: it ends without them. */
static void end_at_once(int status, void *arg)
{
	_exit(status);
}

static void skip_destructors(void)
{
	on_exit(end_at_once, NULL);
}

static void leave(const char *path)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	log_warning("Ceph does not answer: the connection to its pool '%s' is left to "
		    "end by itself",
		    path);
	pthread_once(&once, skip_destructors);
}

static void end(struct rbd_pool *p, uint64_t deadline_ns)
{
	AUTO_FREE char *path = strdup(p->path);
	struct ending *e;

	pulse_silence(p);
	e = ending_new(p);
	if (!e)
		log_warning("the connection to Ceph pool '%s' stays open: no thread is "
			    "left to close it",
			    path);
	else if (wait_for(e, deadline_ns))
		ending_free(e);
	else
		leave(path);
}

static int rbd_stop(void *pool, struct call *call, struct error *err)
{
	struct rbd_pool *p = pool;
	uint64_t until = clock_now() + p->cluster.op_timeout_s * NS_PER_S;

	end(p,
	    call->deadline_ns && call->deadline_ns < until ? call->deadline_ns : until);
	return 0;
}

static void rbd_detach(void *pool)
{
	struct rbd_pool *p = pool;

	end(p, clock_now() + p->cluster.op_timeout_s * NS_PER_S);
}

/* -- the rest of a pool -- */

static int rbd_refresh(void *pool, struct call *call, struct error *err)
{
	roll_forget(pool, NULL);
	snapshots_forget(pool);
	return pulse_ask(pool, err);
}

/* As libvirt has it: the cluster's size and free space, the pool's own data. Without a
 * manager daemon all of it is 0. */
static int rbd_sizes(void *pool, struct pool_stat *out, struct call *call,
		     struct error *err)
{
	struct rbd_pool *p = pool;
	struct rados_cluster_stat_t cluster;
	struct rados_pool_stat_t own;
	int r = rados_cluster_stat(p->cluster.rados, &cluster);

	if (r == 0)
		r = rados_ioctx_pool_stat(p->cluster.io, &own);
	if (r < 0)
		return rbd_failed(p, r, err, "cannot ask for the size of Ceph pool '%s'",
				  p->path);
	out->capacity = cluster.kb * 1024;
	out->available = cluster.kb_avail * 1024;
	out->allocation = own.num_bytes;
	return 0;
}

BACKEND_DEFINE(.type = "rbd", .volumes = VOLUMES_PROVISIONED, .parallel = true,
	       .start = rbd_start, .stop = rbd_stop, .detach = rbd_detach,
	       .refresh = rbd_refresh, .pool_stat = rbd_sizes, .list = rbd_vol_list,
	       .vol_stat = rbd_vol_stat, .vol_describe = rbd_vol_describe,
	       .vol_create = rbd_vol_create, .vol_delete = rbd_vol_delete,
	       .vol_rename = rbd_vol_rename, .vol_resize = rbd_vol_resize,
	       .vol_unit = rbd_vol_unit, .vol_wipe = rbd_vol_wipe,
	       .vol_flatten = rbd_vol_flatten, .vol_open = rbd_vol_open,
	       .vol_close = rbd_vol_close, .vol_submit = rbd_vol_submit,
	       .vol_fstat = rbd_vol_fstat, .vol_seek = rbd_vol_seek,
	       .vol_copy = rbd_vol_copy, .snap_list = rbd_snapshot_list,
	       .snap_stat = rbd_snapshot_stat, .snap_create = rbd_snapshot_create,
	       .snap_delete = rbd_snapshot_delete, .snap_revert = rbd_snapshot_revert,
	       .discover = rbd_discover, .writes_back = true, );
