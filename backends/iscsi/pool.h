/*
 * A pool of type iscsi or iscsi-direct: the units (LUNs) of one target through one
 * session. Both types have the same volumes; they differ in keys and paths, which are
 * libvirt's.
 *
 * What is fixed at the start may be read by any thread. Units and scans belong to the
 * session's turn (common/loop.h); other threads ask it (ask.h).
 */
#pragma once

#include "backends/backend.h"
#include "backends/iscsi/session.h"

struct lun;
struct scan;

struct iscsi_pool {
	struct session session;
	struct host host;
	bool direct;  /* iscsi-direct */
	char *portal; /* HOST:PORT as defined */
	char *target;
	char *dir; /* target/path; NULL for iscsi-direct */
	struct list luns;
	struct scan *scan; /* under way; NULL: none */
	bool scan_again;
	uint64_t scanned_ns;
	uint64_t last_ident;
};

/* One host and one target. */
int iscsi_check_source(const struct pool_source *, struct error *);
int iscsi_start(const struct pool_spec *, const struct host *, struct call *, void **pool,
		struct error *);
int iscsi_direct_start(const struct pool_spec *, const struct host *, struct call *,
		       void **pool, struct error *);
int iscsi_stop(void *pool, struct call *, struct error *);
void iscsi_detach(void *pool);
int iscsi_refresh(void *pool, struct call *, struct error *);
int iscsi_pool_stat(void *pool, struct pool_stat *, struct call *, struct error *);

/* -- volume.c -- */

int iscsi_list(void *pool, vol_each, void *arg, struct call *, struct error *);
int iscsi_vol_stat(void *pool, const char *name, struct vol_stat *, struct call *,
		   struct error *);
int iscsi_vol_describe(void *pool, const char *name, struct volume_spec *, struct call *,
		       struct error *);

/* -- open.c -- */

int iscsi_vol_open(void *pool, const char *name, const char *snap, int flags,
		   struct vol_file *, struct call *, struct error *);
void iscsi_vol_close(void *pool, struct vol_file *);
int iscsi_vol_fstat(void *pool, const struct vol_file *, struct vol_stat *, struct call *,
		    struct error *);

/* -- io.c -- */

void iscsi_vol_submit(void *vol, struct io *);
void iscsi_vol_cancel(void *vol, struct io *);

/* -- map.c -- */

off_t iscsi_vol_seek(void *vol, off_t off, int whence, struct call *, struct error *);

/* -- wipe.c -- */

int iscsi_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *,
		   struct error *);

/* -- discover.c -- */

int iscsi_discover(const struct pool_source *from, const struct host *, source_each,
		   void *arg, struct call *, struct error *);

/* What both types can do. */
#define ISCSI_BACKEND(name, start_fn)                                                  \
	BACKEND_DEFINE(.type = name, .volumes = VOLUMES_GIVEN, .parallel = true,       \
		       .start = start_fn, .stop = iscsi_stop, .detach = iscsi_detach,  \
		       .refresh = iscsi_refresh, .pool_stat = iscsi_pool_stat,         \
		       .list = iscsi_list, .vol_stat = iscsi_vol_stat,                 \
		       .vol_describe = iscsi_vol_describe, .vol_wipe = iscsi_vol_wipe, \
		       .vol_open = iscsi_vol_open, .vol_close = iscsi_vol_close,       \
		       .vol_submit = iscsi_vol_submit, .vol_cancel = iscsi_vol_cancel, \
		       .vol_fstat = iscsi_vol_fstat, .vol_seek = iscsi_vol_seek,       \
		       .discover = iscsi_discover)
