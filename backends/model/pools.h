/*
 * The model as a whole: SOURCE, all pools by name, definitions waiting for their pool.
 * One per process. Thread safe after model_open.
 *
 * Lock order: pools' table before a pool's lock; neither is held across a backend call.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "backends/model/pool.h"
#include "backends/support/buf.h"
#include "backends/support/error.h"

struct model_options {
	const char *source;   /* absolute path of SOURCE */
	bool read_only;       /* no lock, no writes; implies no_autostart */
	bool no_autostart;
	bool protect;         /* default of `protected` */
	unsigned timeout_s;   /* of an operation on a source, 1 to 86400 */
	const char *mountpoint; /* our own, absolute; targets inside it are refused; may
				   be NULL */
};

/* Locks SOURCE (making it if it is missing and not read-only), loads every definition. A
 * definition that cannot be read is kept on disk, logged, and its pool is shown undefined
 * with its `error`. -EBUSY: another daemon has it (the sentence names its pid). Makes no
 * thread. */
int model_open(const struct model_options *o, struct error *err);

/* Starts autostart pools, each on its own executor, and adopts active ones. Does not
 * wait. */
void model_autostart(void);

/* Refuses new verbs, cancels jobs, and waits until nothing uses a pool or has a volume
 * open. false: something is stuck; its pool's name is put into stuck. */
bool model_settle(unsigned timeout_ms, char *stuck, size_t size);
/* After model_settle: detaches every pool (what the kernel holds stays), releases all. */
void model_close(unsigned timeout_ms);

const struct model_options *model_options(void);
/* Remount: ro/rw and the timeout. -EBUSY as model_open when it becomes writable. */
int model_reconfigure(bool read_only, unsigned timeout_s, struct error *err);

/* A reference; NULL: no such pool. */
struct pool *pools_find(const char *name);
/* Each pool with a reference held during the callback; a negative return ends it. */
int pools_each(int (*fn)(void *arg, struct pool *p), void *arg);
size_t pools_count(void);

/* mkdir pools/NAME: an undefined pool, or, where a definition waits under NAME, that
 * pool, defined and (when defined for the first time) started; a failing start leaves it
 * defined. *out: a reference. */
int pools_make(const char *name, struct call *call, struct pool **out, struct error *err);
/* rmdir: undefines; data is not touched; SOURCE/NAME.xml~ is left. -EBUSY: it is running.
 */
int pools_remove(struct pool *p, struct error *err);
/* mv of an inactive pool. -EEXIST, -EBUSY. */
int pools_rename(struct pool *p, const char *to, struct error *err);
/* Whether a name may name a pool: -EINVAL with the rule. */
int pool_name_check(const char *name, struct error *err);

/* -- definitions written before their pool exists: pools/NAME.xml, in memory -- */
/* name is without ".xml". The text is checked (-EINVAL) and kept. */
int pending_store(const char *name, const void *text, size_t len, struct error *err);
int pending_show(const char *name, struct buf *out); /* -ENOENT */
int pending_remove(const char *name);                /* -ENOENT */
int pending_each(int (*fn)(void *arg, const char *name), void *arg);

/* The last failure anywhere, for /error. */
void model_remember(const struct error *err, const char *path);
int model_error_show(struct buf *out);

/* backends/TYPE as text: formats, operations, whether module, tools are here. */
int backend_show(const char *type, struct buf *out, struct error *err);

/* Discovery for sources/TYPE[/HOST[:PORT]]: <sources>. question: a <source> text, or
 * NULL. */
int sources_show(const char *type, const char *host, const struct buf *question,
		 struct call *call, struct buf *out, struct error *err);
