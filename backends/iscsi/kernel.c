/* Pools by the kernel's initiator: begin and end, and their volumes. */
#include "backends/iscsi/kernel.h"

#include <errno.h>
#include <string.h>

#include "backends/common/block_volumes.h"
#include "backends/common/holder.h"
#include "backends/iscsi/kernel_login.h"
#include "backends/iscsi/kernel_watch.h"
#include "backends/iscsi/pool.h"
#include "backends/support/clock.h"

#define ATTACH_NS (10 * NS_PER_S)
#define LOOK_NS	  (20 * NS_PER_MS)

struct kernel_pool {
	unsigned sid;
	char *target, *dir;
	char iface[IFACE_TEXT];
	struct kernel_watch *watch;
};

static void pool_free(struct kernel_pool *p)
{
	kernel_watch_end(p->watch);
	free(p->target);
	free(p->dir);
	free(p);
}
DEFINE_CLEANUP(cleanup_pool, struct kernel_pool *, pool_free)

bool kernel_is_for(const struct pool_spec *spec)
{
	return spec->target && !strncmp(spec->target, "/dev/", 5) && geteuid() == 0 &&
	       kernel_initiator();
}

/* -- begin -- */

static int check_source(const struct pool_source *s, struct error *err)
{
	int r = iscsi_check_source(s, err);

	if (r == 0 && strchr(s->devices[0].path, '/'))
		return error_set(err, EINVAL,
				 "the kernel's initiator takes no target with a slash in "
				 "its name: '%s'",
				 s->devices[0].path);
	return r;
}

/* A host that is given by name is not looked up here: then each address fits. */
static int kernel_check(const struct pool_spec *spec, const struct host *host,
			struct call *call, bool *active, struct error *err)
{
	const struct pool_source *s = &spec->source;
	struct session_wanted wanted = { .initiator = s->initiator };
	unsigned sid;

	*active = false;
	if (check_source(s, NULL) < 0)
		return 0;
	wanted.target = s->devices[0].path;
	wanted.port = s->hosts[0].port ? s->hosts[0].port : ISCSI_PORT;
	*active = kernel_session_find(&wanted, &sid);
	return 0;
}

/* The kernel finds units one after the other, and makes their devices later. */
static void wait_for_units(unsigned sid, struct call *call)
{
	uint64_t until = clock_now() + ATTACH_NS;
	AUTO_FREE struct unit *list = NULL;
	int n = 0, missing = 1;

	if (call->deadline_ns && call->deadline_ns < until)
		until = call->deadline_ns;
	while (missing && clock_now() < until) {
		struct timespec pause = { .tv_nsec = LOOK_NS };

		free(take(list));
		n = kernel_units(sid, &list, NULL);
		missing = 0;
		for (int i = 0; i < n; i++)
			missing += !list[i].device;
		if (missing)
			nanosleep(&pause, NULL);
	}
	for (int i = 0; i < n; i++)
		if (list[i].device)
			block_settle(list[i].device, until);
}

/* Logs in, unless there is a session already: that is taken as it is. */
static int get_session(const struct login *l, unsigned *sid, bool *made,
		       struct call *call, struct error *err)
{
	const struct session_wanted wanted = {
		.target = l->target,
		.initiator = l->initiator,
		.port = l->addresses[0].port,
		.addresses = l->addresses,
		.n_addresses = l->n_addresses,
	};
	int r;

	if (kernel_session_find(&wanted, sid))
		return 0;
	r = kernel_login(l, call, sid, err);
	*made = r == 0;
	return r;
}

static struct kernel_pool *pool_new(const struct pool_spec *spec, unsigned sid)
{
	struct kernel_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->sid = sid;
	kernel_session_iface(sid, p->iface);
	p->target = strdup(spec->source.devices[0].path);
	p->dir = strdup(spec->target);
	if (p->target && p->dir)
		return p;
	pool_free(p);
	return NULL;
}

static int open_pool(const struct pool_spec *spec, const struct host *host, unsigned sid,
		     void **pool, struct error *err)
{
	CLEANUP(cleanup_pool) struct kernel_pool *p = pool_new(spec, sid);
	int r;

	if (!p)
		return error_code(err, ENOMEM, "cannot use target '%s'",
				  spec->source.devices[0].path);
	r = kernel_watch_start(sid, p->target, host, &p->watch, err);
	if (r == 0)
		*pool = take(p);
	return r;
}

/* An adopted session whose target is away cannot be asked for its units. */
static bool answers(unsigned sid)
{
	char state[SESSION_TEXT];

	kernel_session_state(sid, state);
	return !strcmp(state, "LOGGED_IN");
}

static int kernel_start(const struct pool_spec *spec, const struct host *host,
			struct call *call, void **pool, struct error *err)
{
	CLEANUP(login_clear) struct login login = { 0 };
	bool made = false;
	unsigned sid = 0;
	int r = check_source(&spec->source, err);

	if (r == 0)
		r = login_init(&login, &spec->source, spec->source.devices[0].path, host,
			       err);
	if (r == 0)
		r = get_session(&login, &sid, &made, call, err);
	if (r < 0)
		return r;
	if (answers(sid))
		r = kernel_rescan(sid, call, err);
	if (r == 0) {
		wait_for_units(sid, call);
		r = open_pool(spec, host, sid, pool, err);
	}
	if (r < 0 && made) {
		struct call end = { .deadline_ns = clock_now() + ATTACH_NS };
		char iface[IFACE_TEXT];

		kernel_session_iface(sid, iface);
		kernel_logout(sid, login.target, iface, &end, NULL);
	}
	return r;
}

/* -- end -- */

static int gone(const struct kernel_pool *p, struct error *err)
{
	if (kernel_session_is(p->sid, p->target))
		return 0;
	return error_set(err, EIO,
			 "somebody has logged out of target '%s': stop and start the "
			 "pool",
			 p->target);
}

static int check_unused(const struct unit *u, struct error *err)
{
	AUTO_BUF struct buf who = { 0 };

	if (!u->device || !(holder_of_device(u->device, &who) ||
			    holder_of_open_device(u->device, &who)))
		return 0;
	return error_set(err, EBUSY, "volume '%s' is in use: %s", u->name,
			 buf_text(&who));
}

static void kernel_detach(void *pool)
{
	pool_free(pool);
}

static int kernel_stop(void *pool, struct call *call, struct error *err)
{
	struct kernel_pool *p = pool;
	AUTO_FREE struct unit *list = NULL;
	int n = kernel_units(p->sid, &list, err), r = n < 0 ? n : 0;

	for (int i = 0; i < n && r == 0; i++)
		r = check_unused(&list[i], err);
	if (r == 0)
		r = kernel_logout(p->sid, p->target, p->iface, call, err);
	if (r == 0)
		pool_free(p);
	return r;
}

/* -- the pool -- */

static int kernel_refresh(void *pool, struct call *call, struct error *err)
{
	const struct kernel_pool *p = pool;
	int r = gone(p, err);

	if (r < 0)
		return r;
	if (!answers(p->sid))
		return error_set(err, EIO, "target '%s' does not answer", p->target);
	r = kernel_rescan(p->sid, call, err);
	if (r < 0)
		return r;
	kernel_forget_gone(p->sid);
	wait_for_units(p->sid, call);
	return 0;
}

static int kernel_pool_stat(void *pool, struct pool_stat *out, struct call *call,
			    struct error *err)
{
	const struct kernel_pool *p = pool;
	AUTO_FREE struct unit *list = NULL;
	int n = kernel_units(p->sid, &list, err);

	for (int i = 0; i < n; i++)
		block_add_size(list[i].device, out);
	return n < 0 ? n : 0;
}

/* -- volumes -- */

static int kernel_list(void *pool, vol_each each, void *arg, struct call *call,
		       struct error *err)
{
	const struct kernel_pool *p = pool;
	AUTO_FREE struct unit *list = NULL;
	int n, r = gone(p, err);

	if (r < 0)
		return r;
	r = n = kernel_units(p->sid, &list, err);
	for (int i = 0; i < n && r >= 0; i++)
		r = each(arg, list[i].name);
	return r < 0 ? r : 0;
}

/* The unit's own path, "/dev/sdi". */
static int find(const struct kernel_pool *p, const char *name, struct unit *u,
		char **path, struct error *err)
{
	int r = gone(p, err);

	if (r == 0)
		r = kernel_unit_find(p->sid, name, u, err);
	if (r < 0)
		return r;
	if (!u->device)
		return error_set(err, ENODEV, "volume '%s' is not ready", name);
	return block_device_path(u->device, path, err);
}

static int kernel_vol_stat(void *pool, const char *name, struct vol_stat *out,
			   struct call *call, struct error *err)
{
	AUTO_FREE char *path = NULL;
	struct unit u = { 0 };
	int r = find(pool, name, &u, &path, err);

	/* listed all the same */
	if (r == -ENODEV && *u.name && !u.device)
		return 0;
	return r < 0 ? r : block_stat(path, out, err);
}

static int kernel_vol_describe(void *pool, const char *name, struct volume_spec *out,
			       struct call *call, struct error *err)
{
	const struct kernel_pool *p = pool;
	AUTO_FREE char *path = NULL;
	AUTO_FREE char *link = NULL;
	struct unit u = { 0 };
	int r = find(p, name, &u, &path, err);

	if (r == 0)
		r = block_stable_path(p->dir, u.device, &link, err);
	if (r == 0)
		r = block_describe(link, out, err);
	if (r == 0)
		r = block_scsi_name(u.device, &out->key, err);
	return r;
}

static int kernel_vol_wipe(void *pool, const char *name, const char *algorithm,
			   struct call *call, struct error *err)
{
	AUTO_FREE char *path = NULL;
	struct unit u;
	int r = find(pool, name, &u, &path, err);

	return r < 0 ? r : block_wipe(path, algorithm, call, err);
}

static int kernel_vol_open(void *pool, const char *name, const char *snap, int flags,
			   struct vol_file *out, struct call *call, struct error *err)
{
	AUTO_FREE char *path = NULL;
	struct unit u;
	int r = find(pool, name, &u, &path, err);

	return r < 0 ? r : block_open(path, flags, out, err);
}

static void kernel_vol_close(void *pool, struct vol_file *f)
{
	block_close(f);
}

static int kernel_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
			    struct call *call, struct error *err)
{
	return block_fstat(f, out, err);
}

const struct backend kernel_backend = {
	.check = kernel_check,
	.start = kernel_start,
	.stop = kernel_stop,
	.detach = kernel_detach,
	.refresh = kernel_refresh,
	.pool_stat = kernel_pool_stat,
	.list = kernel_list,
	.vol_stat = kernel_vol_stat,
	.vol_describe = kernel_vol_describe,
	.vol_wipe = kernel_vol_wipe,
	.vol_open = kernel_vol_open,
	.vol_close = kernel_vol_close,
	.vol_fstat = kernel_vol_fstat,
};
