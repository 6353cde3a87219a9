/*
 * Pool type "fake", for tests only: volumes in memory, and a control directory whose
 * files make operations slow, stuck or wrong while they are there.
 *
 * source/format says how its volumes come to be: files, provisioned or given. source/name
 * is the control directory's path. In it:
 *
 * - size: capacity of the pool (1 GiB)
 * - extent: unit of provisioned sizes (4 MiB); 0: any size, and empty volumes
 * - dirty: what a volume gains holds garbage
 * - unbuilt: start fails; build removes it, delete makes it
 * - away: the source does not answer
 * - given: volumes of a given pool, a line "NAME SIZE" each (unit0 and unit1 of 64 MiB)
 * - descriptors: open volumes have one, as block devices do; its bytes suffer no faults
 * - event: "added NAME", "removed NAME" or "all": done from outside, and taken away
 * - OPERATION: a fault, see fault_read; named as struct backend's members, and read,
 *   write, flush, punch, zero
 *
 * Volumes outlive stop and start, and end with the daemon.
 *
 * A store's lock guards its volumes and sizes; faults are waited for without it.
 */
#pragma once

#include <pthread.h>

#include "backends/backend.h"
#include "backends/support/list.h"

struct fake_snap {
	struct list link;
	char *name;
	int fd; /* a copy of the bytes */
	uint64_t size;
};

struct fake_volume {
	struct list link, snaps;
	unsigned refs; /* the store's, and of opens */
	char *name, *format, *backing;
	uint64_t size, capacity,
		ident; /* capacity: of the disk inside; size of what is read */
	struct timespec mtime;
	int fd; /* memory; its size is size */
};

/* What a pool of one control directory has; shared by its starts. */
struct fake_store {
	struct list link;
	char *key;
	bool active; /* started, and not stopped since */
	pthread_mutex_t lock;
	struct list volumes;
	uint64_t last_ident;
};

struct fake_pool {
	enum volume_class class;
	char *control; /* NULL: nothing is controlled */
	struct host host;
	struct fake_store *store;
	struct list queue; /* I/O not done, guarded by lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool ends, is_away;
};

/* What vol_file.vol is. */
struct fake_open {
	struct fake_pool *fp;
	struct fake_volume *v;   /* a reference */
	struct fake_snap *snap;  /* NULL: the volume itself */
};

/* -- fake_fault.c -- */

struct fault {
	int code;          /* errno=5 or errno=EIO */
	unsigned delay_ms; /* delay=200 */
	bool hang;         /* until the file is gone, or the call cancelled or late */
	bool stuck;        /* until the file is gone */
};

bool control_has(const struct fake_pool *fp, const char *file);
/* The file's text without its last newline. -ENOENT. */
int control_read(const struct fake_pool *fp, const char *file, struct buf *out);
uint64_t control_size(const struct fake_pool *fp, const char *file, uint64_t otherwise);
/* "once" in it takes the file away. */
bool fault_read(const struct fake_pool *fp, const char *operation, struct fault *out);
/* Suffers what is there for the operation: 0, or how it fails. */
int fault(const struct fake_pool *fp, const char *operation, struct call *call,
	  struct error *err);

/* -- fake_store.c: with the store's lock held, but for store_get -- */

struct fake_store *store_get(const char *key);
struct fake_volume *store_find(struct fake_store *s, const char *name);
/* Returns -ENOENT. */
int store_no_volume(const char *name, struct error *err);
struct fake_volume *store_add(struct fake_store *s, const char *name);
void store_remove(struct fake_store *s, struct fake_volume *v);
void store_unref(struct fake_volume *v);
struct fake_snap *store_find_snap(struct fake_volume *v, const char *name);
void store_remove_snap(struct fake_snap *snap);
/* What the pool's volumes take: provisioned bytes, or those of memory. */
uint64_t store_used(struct fake_pool *fp);
/* Grows or shrinks; grown bytes are garbage in a dirty pool. -ENOSPC. */
int store_resize(struct fake_pool *fp, struct fake_volume *v, uint64_t size,
		 struct error *err);
uint64_t store_round(struct fake_pool *fp, uint64_t size);
/* A copy of the bytes. -errno */
int copy_memory(int from, uint64_t size, struct error *err);

/* -- fake_volume.c -- */

int fake_list(void *pool, vol_each each, void *arg, struct call *, struct error *);
int fake_vol_stat(void *pool, const char *name, struct vol_stat *, struct call *,
		  struct error *);
int fake_vol_describe(void *pool, const char *name, struct volume_spec *, struct call *,
		      struct error *);
int fake_vol_create(void *pool, const char *name, const struct volume_spec *,
		    struct call *, struct error *);
int fake_vol_delete(void *pool, const char *name, struct call *, struct error *);
int fake_vol_rename(void *pool, const char *from, const char *to, unsigned flags,
		    struct call *, struct error *);
uint64_t fake_vol_unit(void *pool);
int fake_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		    struct call *, struct error *);
int fake_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *,
		  struct error *);
int fake_vol_flatten(void *pool, const char *name, struct call *, struct error *);

/* -- fake_snap.c -- */

int fake_snap_list(void *pool, const char *name, vol_each, void *arg, struct call *,
		   struct error *);
int fake_snap_stat(void *pool, const char *name, const char *snap, struct vol_stat *,
		   struct call *, struct error *);
int fake_snap_create(void *pool, const char *name, const char *snap, struct call *,
		     struct error *);
int fake_snap_delete(void *pool, const char *name, const char *snap, struct call *,
		     struct error *);
int fake_snap_revert(void *pool, const char *name, const char *snap, struct call *,
		     struct error *);

/* -- fake_io.c -- */

int fake_vol_open(void *pool, const char *name, const char *snap, int flags,
		  struct vol_file *, struct call *, struct error *);
void fake_vol_close(void *pool, struct vol_file *);
int fake_vol_fstat(void *pool, const struct vol_file *, struct vol_stat *, struct call *,
		   struct error *);
off_t fake_vol_seek(void *vol, off_t off, int whence, struct call *, struct error *);
ssize_t fake_vol_copy(const struct vol_file *from, off_t from_off,
		      const struct vol_file *to, off_t to_off, size_t len, struct call *,
		      struct error *);
void fake_vol_submit(void *vol, struct io *);
void fake_vol_cancel(void *vol, struct io *);
int fake_io_start(struct fake_pool *fp, struct error *err);
void fake_io_stop(struct fake_pool *fp);

/* -- fake_event.c: what happens without being asked, called by the I/O thread -- */

void fake_events(struct fake_pool *fp);

void fake_stat_of(const struct fake_pool *fp, const struct fake_volume *v,
		  struct vol_stat *out);
