/* What a backend may ask of the pool it serves: secrets, and telling of changes and of a
 * lost source. */
#include "backends/model/pool_object.h"
#include "backends/model/secrets.h"
#include "backends/support/log.h"

static int host_secret(void *ctx, const struct secret_ref *ref, struct buf *value,
		       struct error *err)
{
	return secret_get(ref, value, err);
}

static void host_changed(void *ctx, enum change change, const char *volume)
{
	static const enum event_what what[] = {
		[CHANGE_ADDED] = EVENT_VOLUME_ADDED,
		[CHANGE_REMOVED] = EVENT_VOLUME_REMOVED,
		[CHANGE_DATA] = EVENT_VOLUME_CHANGED,
		[CHANGE_ALL] = EVENT_VOLUMES_ALL,
	};

	events_emit(&(struct event){
		.what = volume ? what[change] : EVENT_VOLUMES_ALL,
		.pool = ctx,
		.name = volume,
		.from_outside = true,
	});
}

static void host_lost(void *ctx, const struct error *err)
{
	struct pool *p = ctx;
	enum pool_state was, is;
	bool ask;

	pthread_mutex_lock(&p->lock);
	was = p->state;
	p->lost = err ? *err : (struct error){ 0 };
	if (err) {
		p->error = *err;
		p->error_of_start = false;
	}
	if (was == POOL_RUNNING || was == POOL_AWAY)
		p->retry_s = 0;
	if (err && was == POOL_RUNNING)
		pool_set_state(p, POOL_AWAY);
	else if (!err && was == POOL_AWAY)
		pool_set_state(p, POOL_RUNNING);
	is = p->state;
	ask = is == POOL_AWAY && autostart_ask(p);
	pthread_mutex_unlock(&p->lock);
	if (ask)
		autostart_wake();
	if (err)
		pool_tell(p, EVENT_ERROR, NULL);
	if (is != was)
		pool_tell_state(p, is);
}

static void host_failed(void *ctx, const char *volume, const struct error *err)
{
	struct pool *p = ctx;

	pool_remember(p, volume, err);
	log_error("pool '%s', volume '%s': %s", p->name, volume, err->text);
}

void pool_host_init(struct pool *p)
{
	p->host = (struct host){ p, host_secret, host_changed, host_lost, host_failed };
}
