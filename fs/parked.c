/* The list of parked requests and its thread, which starts with the first of them. */
#include "fs/parked.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#include "backends/support/log.h"
#include "backends/support/thread.h"
#include "fs/caller.h"
#include "fs/request.h"

#define RETRY_NS      (20 * NS_PER_MS)
#define LOOK_AGAIN_NS (100 * NS_PER_MS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct list parked = LIST_INIT(parked);
static pthread_t thread;
static bool running, closing, rescan;
static uint64_t wakes_at; /* 0: not before it is told */

static uint64_t deadline_of(const struct request *r)
{
	return r->verb ? 0 : r->call.deadline_ns;
}

/*
 * The kernel tells of the first signal alone, whatever it is: one that is no reason to
 * give up is followed by looks for another. A wait for a lock ends by any, as programs
 * with alarm(2) want it.
 */
static bool is_given_up(struct request *r)
{
	return atomic_load(&r->interrupted) &&
	       (r->op->retries || caller_asked_to_end(r->pid));
}

static int reason(struct request *r, uint64_t now)
{
	uint64_t deadline = deadline_of(r);

	if (closing)
		return EIO;
	if (is_given_up(r))
		return EINTR;
	return deadline && now >= deadline ? ETIMEDOUT : 0;
}

/* The first that is to be answered now, with a reference. */
static struct request *next_due(int *code)
{
	uint64_t now = clock_now();

	list_for_each(l, &parked) {
		struct request *r = container_of(l, struct request, link);

		*code = reason(r, now);
		if (*code && !atomic_load(&r->answered)) {
			request_ref(r);
			return r;
		}
	}
	return NULL;
}

static void give_up(struct request *r, int code)
{
	struct error err = { 0 };
	char path[300];

	if (!request_claim(r))
		return;
	atomic_store(&r->cancelled, true);
	if (r->op->cancel)
		r->op->cancel(r);
	node_path(r->node, path, sizeof(path));
	if (code == ETIMEDOUT)
		error_set(&err, code,
			  "'%s%s%s': no answer within %u s; see the state of its pool",
			  path, r->name ? "/" : "", r->name ? r->name : "",
			  (unsigned)((r->call.deadline_ns - r->started_ns) / NS_PER_S));
	else if (code == EIO)
		error_set(&err, code, "'%s': storagefs is being unmounted", path);
	request_fail(r, -code, &err);
}

/* Those that wait for a lock, one after the other; each with a reference while the lock
 * is not held. */
static void retry_all(void)
{
	struct list todo = LIST_INIT(todo);

	pthread_mutex_lock(&lock);
	list_for_each(l, &parked) {
		struct request *r = container_of(l, struct request, link);

		if (r->op->retries) {
			request_ref(r);
			list_append(&todo, &r->waiting);
		}
	}
	pthread_mutex_unlock(&lock);
	for (struct list *l; (l = list_shift(&todo));) {
		struct request *r = container_of(l, struct request, waiting);

		if (!atomic_load(&r->answered))
			request_retry(r);
		request_unref(r);
	}
}

/* When something will have to be done; 0: never. */
static uint64_t next_time(bool *retries)
{
	uint64_t next = 0;

	*retries = false;
	list_for_each(l, &parked) {
		struct request *r = container_of(l, struct request, link);
		uint64_t at = deadline_of(r);

		if (r->op->retries) {
			*retries = true;
			at = clock_now() + RETRY_NS;
		} else if (atomic_load(&r->interrupted) && !atomic_load(&r->answered)) {
			uint64_t look = clock_now() + LOOK_AGAIN_NS;

			at = at && at < look ? at : look;
		}
		if (at && (!next || at < next))
			next = at;
	}
	return next;
}

static void sleep_until(uint64_t ns)
{
	wakes_at = ns;
	thread_wait(&changed, &lock, ns);
	wakes_at = 0;
}

static void *watch(void *arg)
{
	pthread_mutex_lock(&lock);
	while (!closing || !list_empty(&parked)) {
		bool retries;
		int code;
		struct request *r = next_due(&code);
		uint64_t next = r ? 0 : next_time(&retries);

		if (r) {
			pthread_mutex_unlock(&lock);
			give_up(r, code);
			request_unref(r);
			pthread_mutex_lock(&lock);
			continue;
		}
		if (!rescan && !(closing && list_empty(&parked)))
			sleep_until(next);
		rescan = false;
		if (!retries)
			continue;
		pthread_mutex_unlock(&lock);
		retry_all();
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static bool start(void)
{
	if (running)
		return true;
	running = thread_start(&thread, "deadlines", watch, NULL) == 0;
	if (!running)
		log_error("no thread for deadlines could be made");
	return running;
}

bool parked_add(struct request *r)
{
	uint64_t at = deadline_of(r);

	SCOPED_LOCK(&lock);
	if (closing || !start())
		return false;
	request_ref(r);
	list_append(&parked, &r->link);
	if (atomic_load(&r->interrupted) || r->op->retries ||
	    (at && (!wakes_at || at < wakes_at))) {
		rescan = true;
		pthread_cond_signal(&changed);
	}
	return true;
}

void parked_remove(struct request *r)
{
	bool was_in;

	pthread_mutex_lock(&lock);
	was_in = !list_empty(&r->link);
	list_remove(&r->link);
	if (closing && list_empty(&parked))
		pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	if (was_in)
		request_unref(r);
}

void parked_interrupt(struct request *r)
{
	SCOPED_LOCK(&lock);
	atomic_store(&r->interrupted, true);
	rescan = true;
	if (running)
		pthread_cond_signal(&changed);
}

void parked_close(void)
{
	bool join;

	pthread_mutex_lock(&lock);
	closing = true;
	join = running;
	rescan = true;
	if (running)
		pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	if (join)
		pthread_join(thread, NULL);
}
