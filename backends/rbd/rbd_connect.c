/*
 * The connection to a cluster: set up from the definition alone, without any ceph.conf.
 *
 * Each operation has a limit of its own, since librados by itself waits for ever.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/clock.h"

#define TIMEOUT_NS (30 * NS_PER_S) /* where the call has no deadline */

/* What differs from librados' defaults. The definition's own options come after these. */
static const struct {
	const char *name, *value;
} defaults[] = {
	/* threads: completions only hand answers on */
	{ "librados_thread_count", "2" },
	{ "ms_async_op_threads", "2" },
	/* a reader from elsewhere sees by the time that something was written */
	{ "rbd_mtime_update_interval", "1" },
	/* reading does not write */
	{ "rbd_atime_update_interval", "0" },
	/* a hole that was asked for reads as zeros, however small */
	{ "rbd_discard_granularity_bytes", "0" },
	{ "rbd_skip_partial_discard", "false" },
	/* wiping writes */
	{ "rbd_discard_on_zeroed_write_same", "false" },
	/* clones need no protected snapshot, which would stay behind */
	{ "rbd_default_clone_format", "2" },
	/* it answers writes early and loses the error of one that fails before the next
	 * flush is asked for; ours (rbd_behind.c) does not */
	{ "rbd_cache", "false" },
	/* without the copy a write that times out is never answered, and its image never
	 * closed */
	{ "rbd_disable_zero_copy_writes", "true" },
	/* submitting never waits anyhow, and needs no thread of librbd's for it */
	{ "rbd_non_blocking_aio", "false" },
	/* submitting never waits: what is in flight is bounded by who submits */
	{ "objecter_inflight_ops", "32768" },
	{ "objecter_inflight_op_bytes", "1073741824" },
	/* nothing of the key, nor anything else, is to be had beside us */
	{ "admin_socket", "" },
	{ "log_file", "" },
	{ "log_to_stderr", "false" },
	{ "err_to_stderr", "false" },
	{ "log_max_recent", "1" },
	{ "debug_auth", "0/0" },
	{ "debug_client", "0/0" },
	{ "debug_context", "0/0" },
	{ "debug_finisher", "0/0" },
	{ "debug_monc", "0/0" },
	{ "debug_ms", "0/0" },
	{ "debug_objectcacher", "0/0" },
	{ "debug_objecter", "0/0" },
	{ "debug_rados", "0/0" },
	{ "debug_rbd", "0/0" },
	{ "debug_tp", "0/0" },
	{ "debug_timer", "0/0" },
	{ "debug_throttle", "0/0" },
};

static int set_option(struct cluster *c, const char *name, const char *value,
		      struct error *err)
{
	int r = rados_conf_set(c->rados, name, value);

	if (r == -ENOENT)
		return error_set(err, EINVAL, "Ceph has no option '%s'", name);
	return r < 0 ? error_set(err, EINVAL, "Ceph's option '%s' cannot be '%s'", name,
				 value)
		     : 0;
}

static int set_seconds(struct cluster *c, const char *name, double s, struct error *err)
{
	char value[32];

	snprintf(value, sizeof(value), "%g", s);
	return set_option(c, name, value, err);
}

/*
 * An operation that lasts makes librados ask the monitors where its OSD is by now. It has
 * to before the operation is given up: else an OSD that comes back elsewhere is never
 * found again, since each operation ends too early.
 */
static int look_for_osds(struct cluster *c, struct error *err)
{
	double part = MIN(c->op_timeout_s / 4.0, 5);
	int r = set_seconds(c, "objecter_timeout", part, err);

	return r < 0 ? r : set_seconds(c, "objecter_tick_interval", part, err);
}

static int set_options(struct cluster *c, const struct pool_option *options,
		       size_t n_options, struct error *err)
{
	int r = 0;

	/* one that this version of Ceph lacks is no loss */
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		rados_conf_set(c->rados, defaults[i].name, defaults[i].value);
	r = set_seconds(c, "client_mount_timeout", c->op_timeout_s, err);
	if (r == 0)
		r = set_seconds(c, "rados_osd_op_timeout", c->op_timeout_s, err);
	if (r == 0)
		r = set_seconds(c, "rados_mon_op_timeout", c->op_timeout_s, err);
	if (r == 0)
		r = look_for_osds(c, err);
	for (size_t i = 0; r == 0 && i < n_options; i++)
		r = set_option(c, options[i].name, options[i].value, err);
	return r;
}

/* The key goes from SOURCE's secrets to librados and nowhere else. */
static int set_key(struct cluster *c, const struct pool_auth *auth,
		   const struct host *host, struct error *err)
{
	WIPED_BUF struct buf key = { 0 };
	int r;

	if (!auth->type)
		return set_option(c, "auth_client_required", "none", err);
	r = set_option(c, "auth_client_required", "cephx", err);
	if (r == 0)
		r = host->secret(host->ctx, &auth->secret, &key, err);
	if (r < 0)
		return r;
	if (rados_conf_set(c->rados, "key", buf_text(&key)) < 0)
		return error_set(
			err, EINVAL,
			"the secret of the Ceph user '%s' is no key: it is the text that "
			"'ceph auth get-key client.%s' prints",
			auth->username, auth->username);
	return 0;
}

static int explain(const struct pool_auth *auth, const char *mon_host, int result,
		   struct error *err)
{
	const char *user = auth->username ? auth->username : RBD_USER;

	switch (result) {
	case -EACCES:
	case -EPERM:
		if (!auth->type)
			break;
		return error_set(
			err, EACCES,
			"Ceph refuses the user '%s' with this key: compare the secret "
			"with what 'ceph auth get-key client.%s' prints",
			user, user);
	case -EINVAL:
		return error_set(
			err, EINVAL,
			"the secret of the Ceph user '%s' is no key: it is the text that "
			"'ceph auth get-key client.%s' prints",
			user, user);
	case -ENOENT:
		return error_set(err, EACCES, "Ceph has no user '%s'", user);
	case -ETIMEDOUT:
		return error_set(err, ETIMEDOUT,
				 "the Ceph monitors at %s do not let us in: perhaps they "
				 "have no quorum ('ceph -s' on one of them says so)",
				 mon_host);
	case -EOPNOTSUPP:
		break;
	default:
		return error_code(err, -result, "cannot connect to the Ceph cluster");
	}
	return error_set(
		err, EACCES,
		"the Ceph cluster wants a key: add <auth type='ceph'> to the source");
}

static int make_handle(struct cluster *c, const struct pool_auth *auth, struct error *err)
{
	AUTO_FREE char *name = NULL;
	int r;

	if (asprintf(&name, "client.%s", auth->username ? auth->username : RBD_USER) < 0)
		name = NULL;
	r = name ? rados_create2(&c->rados, "ceph", name, 0) : -ENOMEM;
	if (r == 0)
		return 0;
	c->rados = NULL;
	return error_code(err, -r, "cannot use Ceph as the user '%s'",
			  auth->username ? auth->username : RBD_USER);
}

static uint64_t time_left(const struct call *call)
{
	uint64_t now = clock_now();

	if (!call->deadline_ns)
		return TIMEOUT_NS;
	return call->deadline_ns > now ? call->deadline_ns - now : 1;
}

int cluster_connect(struct cluster *c, const struct pool_source *source,
		    const struct pool_option *options, size_t n_options,
		    const struct host *host, struct call *call, struct error *err)
{
	AUTO_BUF struct buf mon_host = { 0 };
	int r;

	*c = (struct cluster){ .op_timeout_s = config_op_timeout(time_left(call)) };
	r = monitors_find(source, clock_now() + c->op_timeout_s * NS_PER_S, &mon_host,
			  err);
	if (r == 0)
		r = make_handle(c, &source->auth, err);
	if (r == 0)
		r = set_option(c, "mon_host", buf_text(&mon_host), err);
	if (r == 0)
		r = set_key(c, &source->auth, host, err);
	if (r == 0)
		r = set_options(c, options, n_options, err);
	if (r == 0) {
		r = rados_connect(c->rados);
		if (r < 0)
			r = explain(&source->auth, buf_text(&mon_host), r, err);
	}
	if (r < 0)
		cluster_close(c);
	return r;
}

static int check_namespace(struct cluster *c, const char *pool, const char *namespace,
			   struct error *err)
{
	bool exists = false;
	int r = rbd_namespace_exists(c->io, namespace, &exists);

	if (r < 0)
		return rbd_failed(NULL, r, err,
				  "cannot use the namespace '%s' of Ceph pool '%s'",
				  namespace, pool);
	if (!exists)
		return error_set(
			err, ENODEV,
			"the Ceph pool '%s' has no namespace '%s': make it with 'rbd "
			"namespace create %s/%s'",
			pool, namespace, pool, namespace);
	rados_ioctx_set_namespace(c->io, namespace);
	return 0;
}

int cluster_choose_pool(struct cluster *c, const char *pool, const char *namespace,
			struct error *err)
{
	int r = rados_ioctx_create(c->rados, pool, &c->io);

	if (r < 0)
		c->io = NULL;
	if (r == -ENOENT)
		return error_set(err, ENODEV,
				 "the Ceph cluster has no pool '%s': those it has are "
				 "listed by 'ceph osd pool ls' there",
				 pool);
	if (r < 0)
		return rbd_failed(NULL, r, err, "cannot use the Ceph pool '%s'", pool);
	/* a full pool refuses what needs space, and does not keep all others waiting */
	rados_set_pool_full_try(c->io);
	return namespace ? check_namespace(c, pool, namespace, err) : 0;
}

void cluster_close(struct cluster *c)
{
	if (c->io)
		rados_ioctx_destroy(take(c->io));
	if (c->rados)
		rados_shutdown(take(c->rados));
}
