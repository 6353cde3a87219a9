/*
 * One pool: its definition, state, attributes and verbs.
 *
 * Reference counted: whoever holds a reference may call anything here. `verb` serialises
 * start, stop, build and the like (a second one is -EBUSY); the pool's lock guards fields
 * and is never held across a backend call, so what only shows state never waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "backends/backend.h"
#include "backends/model/executor.h"
#include "backends/model/pool_types.h"
#include "backends/support/buf.h"
#include "backends/support/error.h"
#include "backends/support/spec.h"

struct pool;

enum pool_state {
	POOL_UNDEFINED, POOL_INACTIVE, POOL_STARTING, POOL_RUNNING,
	POOL_AWAY, POOL_STOPPING, POOL_BUILDING, POOL_FAILED
};

struct pool *pool_ref(struct pool *p);
void pool_unref(struct pool *p);
DEFINE_CLEANUP(cleanup_pool, struct pool *, pool_unref)
#define AUTO_POOL CLEANUP(cleanup_pool)

/* Stable for the pool's life, also over renames and before it has a UUID; never 0. For
 * inodes. */
uint64_t pool_serial(const struct pool *p);
/* Hash of the UUID once defined, else of the serial: equal after a restart. */
uint64_t pool_hash(const struct pool *p);

/* Copies the name (which a rename may change). Always terminated. */
#define POOL_NAME_MAX 256
void pool_name(struct pool *p, char name[POOL_NAME_MAX]);
enum pool_state pool_state(struct pool *p);
const char *pool_state_name(enum pool_state s);
/* When anything shown about it last changed. */
struct timespec pool_changed(struct pool *p);
/* Its type; NULL while undefined. Fixed for as long as it is running. */
const struct pool_type *pool_type(struct pool *p);

/* Where its blocking work runs. */
struct executor *pool_executor(struct pool *p);
/* Whether volume work of this pool never hangs and may run in the caller's thread. */
bool pool_runs_inline(struct pool *p);
/* The same of reading and writing descriptors alone: local disks as well as files. */
bool pool_data_inline(struct pool *p);

/* -- definition -- */

/*
 * pools/NAME/xml was written: define or redefine (stored on disk before it returns); a
 * first definition is also started (unless no_autostart): the start's failure is
 * remembered in `error` but is not this call's. -EINVAL, -EEXIST (names the other pool),
 * -EROFS.
 */
int pool_define(struct pool *p, const char *text, size_t len, struct call *call,
		struct error *err);
/* The live description, and the stored one. Undefined: nothing is added, 0. live may ask
 * the backend for sizes within the call's deadline; when it does not answer, the last
 * known are used. */
int pool_show_xml(struct pool *p, struct call *call, struct buf *out, struct error *err);
int pool_show_saved(struct pool *p, struct buf *out, struct error *err);
int pool_show_uuid(struct pool *p, struct buf *out);

/* -- verbs -- */

/* One line as written to ctl: "start", "build overwrite", … without the newline. Returns
 * when it is done. -EINVAL unknown, -EBUSY another one runs, else what the verb says. */
int pool_verb(struct pool *p, const char *line, struct call *call, struct error *err);
/* The parser alone. -EINVAL names the verbs. */
enum pool_verb_id {
	POOL_VERB_START, POOL_VERB_STOP, POOL_VERB_BUILD, POOL_VERB_BUILD_OVERWRITE,
	POOL_VERB_BUILD_NO_OVERWRITE, POOL_VERB_REFRESH, POOL_VERB_DELETE
};
int pool_verb_parse(const char *line, enum pool_verb_id *verb, struct error *err);
/* "verbs: stop refresh\n": what is valid now. */
int pool_show_verbs(struct pool *p, struct buf *out);

/* -- attributes -- */

bool pool_autostart(struct pool *p);
int pool_set_autostart(struct pool *p, bool on, struct error *err);
bool pool_protected(struct pool *p);
int pool_set_protected(struct pool *p, bool on, struct error *err);
/* -EPERM in a protected pool; what: "remove volume 'v'". */
int pool_check_protected(struct pool *p, const char *what, struct error *err);

/* Sizes; all zero unless running. A call whose deadline has passed asks no source that
 * may hang: it gets what was last known. The caller clears out->permissions. */
int pool_stat(struct pool *p, struct call *call, struct pool_stat *out,
	      struct error *err);

/* The last failure: of the pool, or of one of its volumes (volume not NULL). */
void pool_remember(struct pool *p, const char *volume, const struct error *err);
int pool_show_error(struct pool *p, const char *volume, struct buf *out);

/* -- use of the running backend instance -- */

/* Between begin and end the instance is not stopped. -EAGAIN: not running (says what to
 * type); -ETIMEDOUT: away. */
struct use {
	struct live *live;
	const struct backend *backend;
	void *pool; /* the backend's */
};
int pool_begin(struct pool *p, struct use *u, struct error *err);
void pool_end(struct use *u);
static inline void cleanup_use(struct use *u)
{
	if (u->live)
		pool_end(u);
}
#define AUTO_USE CLEANUP(cleanup_use)
