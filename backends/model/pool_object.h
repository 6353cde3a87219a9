/*
 * What a pool is made of: for the files that implement pool.h and pools.h, and for no
 * others.
 *
 * Locks, in the order in which they are taken: pools_change.c's (one definition, renaming
 * or removal at a time; held across writes to SOURCE), the table's in pools.c, a pool's.
 * A pool's verb is no lock but a field: who finds it set is refused. None is held across
 * a backend call.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "backends/model/attributes.h"
#include "backends/model/events.h"
#include "backends/model/job.h"
#include "backends/model/pool.h"
#include "backends/model/volumes.h"
#include "backends/support/list.h"
#include "backends/support/map.h"

/* A description that never changes; shared by the pool, its running instance and verbs.
 */
struct definition {
	atomic_int refs;
	const struct pool_type *type;
	struct pool_spec spec;
};

/* A running instance of a backend. */
struct live {
	struct pool *owner; /* not a reference: a running pool is not removed */
	const struct backend *backend;
	struct definition *definition; /* what it was started with */
	void *pool;
	bool local; /* its descriptors are read and written inline */
	bool files; /* its volumes are files */
	unsigned uses; /* under the pool's lock */
};

struct pool {
	atomic_int refs;
	uint64_t serial;
	struct executor *executor;
	struct volumes *volumes;
	struct attributes *attributes;
	struct host host; /* what its backend may ask; never changes */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t settled; /* a use, a verb or a background look at sizes ended */
	char *name;
	bool unread;  /* its definition is in SOURCE only: pool_lock reads it */
	bool removed; /* no longer in the table */
	enum pool_state state;
	struct timespec changed;
	struct definition *now, *next; /* next: redefined while running */
	struct live *live;
	struct error lost; /* what the backend said when its source went away; no code: it
			      is there */
	bool autostart;
	const char *verb; /* under way; NULL: none */
	bool verb_done; /* its outcome is shown: who comes now waits for the moment to its
			   end */
	struct error error;
	bool error_of_start; /* a successful start ends it */

	struct task start_task; /* holds a reference while start_queued */
	bool start_queued, start_if_active;
	unsigned retry_s; /* the next pause; 0: is not retried */
	uint64_t retry_at_ns;

	struct task stat_task; /* holds a reference while stat_queued */
	bool stat_queued;
	struct pool_stat stat; /* the last known */
	uint64_t stat_ns;      /* when; 0: never */

	/* in the table, under its lock */
	struct list link;
	struct map_link by_name;
};

/* -- pool.c -- */

/* An undefined pool that is in no table. NULL: no memory. */
struct pool *pool_new(const char *name);

struct definition *definition_ref(struct definition *d);
void definition_unref(struct definition *d);
DEFINE_CLEANUP(cleanup_definition, struct definition *, definition_unref)
#define AUTO_DEFINITION CLEANUP(cleanup_definition)

/* The pool's lock, held; before its first use the definition is read from SOURCE. */
pthread_mutex_t *pool_lock(struct pool *p);
/* Holds it until the end of the scope. */
#define SCOPED_POOL(p)                                              \
	pthread_mutex_t *UNIQUE_NAME(lock_) CLEANUP(cleanup_unlock) \
		__attribute__((unused)) = pool_lock(p)

/* With the pool's lock held; the caller tells of it when it has unlocked. */
void pool_set_state(struct pool *p, enum pool_state s);
void pool_touch(struct pool *p);
/* Without locks. */
void pool_tell(struct pool *p, enum event_what what, const char *name);
void pool_tell_state(struct pool *p, enum pool_state s);

/* -- pool_define.c -- */

/* A definition from a document for a pool of this name; NULL: err. */
struct definition *definition_parse(const char *text, size_t len, const char *name,
				    struct error *err);
/* With the pool's lock held: what SOURCE has becomes its definition, or its error. */
void definition_load(struct pool *p);
/* -EINVAL: a path of it leads into our own mount, by links that may have come since. */
int definition_check_paths(const struct definition *d, struct error *err);

/* -- pool_host.c -- */

/* What backends may ask of a pool's host. */
void pool_host_init(struct pool *p);

/* -- pool_verbs.c -- */

/* Makes verb the pool's one verb under way. -EBUSY, -ENOENT, -ESHUTDOWN. */
int pool_verb_begin(struct pool *p, const char *verb, struct error *err);
void pool_verb_end(struct pool *p);
/* Starts an inactive or failed pool on behalf of the call, as a job; remembers why it
 * could not. */
int pool_start(struct pool *p, struct call *call, struct error *err);
/* The same for nobody: after mounting, or once more. if_active: only to adopt what is. */
void pool_start_alone(struct pool *p, bool if_active);
/* Whether the lost source of a running pool is back: refreshes it for nobody. */
void pool_refresh_alone(struct pool *p);

/* With the pool's lock held: what the verb under way has come to. */
void pool_conclude(struct pool *p, enum pool_state s);
int pool_refuse_undefined(struct pool *p, struct error *err);

/* The backend of its type; NULL: it is not installed. */
const struct backend *definition_backend(const struct definition *d, struct error *err);
/* -EOPNOTSUPP: "a pool of type 'mpath' cannot be built". */
int definition_unsupported(const struct definition *d, const char *what,
			   struct error *err);

/* -- pool_run.c -- */

/* The work of start; alone: a try that nobody asked for, a failed pool stays shown as
 * failed. */
int pool_bring_up(struct pool *p, bool alone, struct call *call, struct error *err);
int pool_take_down(struct pool *p, struct call *call, struct error *err);
/* Whether it was found active outside the daemon. */
bool pool_is_active(struct pool *p, struct call *call);

/* -- pools.c -- */

/* A new undefined pool in the table; *out: a reference. -EEXIST. */
int pools_add(const char *name, struct pool **out, struct error *err);
/* A pool that SOURCE has a definition of, which is not read yet. */
int pools_add_unread(const char *name, struct error *err);
/* Takes it out of the table, and tells. */
void pools_drop(struct pool *p);
/* Its name in the table, from malloc and the pool's from now on, and unless d is NULL its
 * definition. */
void pools_change_name(struct pool *p, char *to, struct definition *d);
void pools_free(void);

/* -- pools_change.c -- */

/* Puts d in force: checks it against all other pools, stores it. *first: there was none
 * before. */
int pools_define(struct pool *p, struct definition *d, bool *first, struct error *err);
/* Reads what is not read yet. Of two definitions with one UUID the later is not used. */
void pools_read_all(void);

/* -- model.c -- */

/* The daemon ends: nothing new is begun. */
bool model_closing(void);
/* Whether pools start by themselves: not with no_autostart, nor while read-only. */
bool model_starts_pools(void);
/* How long an operation on a source may take, as a deadline from now. */
uint64_t model_deadline(void);

/* -- pending.c -- */

/* The text that waits under this name is the caller's; NULL: none does. */
char *pending_take(const char *name, size_t *len);
/* Puts one back that could not be used. */
void pending_put(const char *name, char *text, size_t len);
void pending_clear(void);

/* -- autostart.c -- */

/* With the pool's lock held: its start has failed; whether it is to be tried again, and
 * when. */
bool autostart_again(struct pool *p);
/* With the pool's lock held: its source was lost; whether we are to ask for it, and when.
 * Then autostart_wake(). */
bool autostart_ask(struct pool *p);
/* Has the thread that retries look again. */
void autostart_wake(void);
void autostart_begin(void);
/* Reads all definitions, and starts what is to start. */
void autostart_all(void);
/* No more retries are begun when it returns. */
void autostart_end(void);
