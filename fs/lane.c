/* Lanes by pool, and their queues. */
#include "fs/lane.h"

#include <stdlib.h>

#include "fs/request.h"

struct lane {
	struct list link;
	uint64_t serial;
	unsigned uses;
	size_t in_flight;
	struct list waiting;
	unsigned n_waiting;
	bool pumping; /* somebody submits: completions inside that only make room */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list lanes = LIST_INIT(lanes);

struct lane *lane_get(uint64_t pool_serial)
{
	SCOPED_LOCK(&lock);
	list_for_each(l, &lanes) {
		struct lane *lane = container_of(l, struct lane, link);

		if (lane->serial == pool_serial) {
			lane->uses++;
			return lane;
		}
	}

	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->serial = pool_serial;
	lane->uses = 1;
	list_init(&lane->waiting);
	list_append(&lanes, &lane->link);
	return lane;
}

static void put(struct lane *l)
{
	if (--l->uses)
		return;
	list_remove(&l->link);
	free(l);
}

void lane_put(struct lane *l)
{
	SCOPED_LOCK(&lock);
	put(l);
}

/* The next that has room; one always has. */
static struct request *next(struct lane *l)
{
	if (list_empty(&l->waiting))
		return NULL;

	struct request *r = container_of(l->waiting.next, struct request, waiting);

	if (l->in_flight && l->in_flight + r->charged > LANE_BYTES)
		return NULL;
	list_remove(&r->waiting);
	l->n_waiting--;
	l->in_flight += r->charged;
	return r;
}

/*
 * Submits what has room. A completion may come at once, in this thread: it must not
 * recurse. The last request may close its file meanwhile, and with it the last use of the
 * lane.
 */
static void pump(struct lane *l)
{
	struct request *r;

	if (l->pumping)
		return;
	l->pumping = true;
	l->uses++;
	while ((r = next(l))) {
		pthread_mutex_unlock(&lock);
		r->submit(r);
		pthread_mutex_lock(&lock);
	}
	l->pumping = false;
	put(l);
}

bool lane_enter(struct lane *l, struct request *r, size_t bytes,
		void (*submit)(struct request *))
{
	SCOPED_LOCK(&lock);
	if (l->n_waiting >= LANE_QUEUE)
		return false;
	r->charged = bytes;
	r->submit = submit;
	list_append(&l->waiting, &r->waiting);
	l->n_waiting++;
	pump(l);
	return true;
}

void lane_leave(struct lane *l, struct request *r)
{
	SCOPED_LOCK(&lock);
	l->in_flight -= r->charged;
	pump(l);
}
