/*
 * Pool type "disk": volumes are the partitions of one disk.
 *
 * A pool's lock guards its table and is held for moments only. `changing` orders the runs
 * of disk-table, and is taken before it.
 */
#pragma once

#include <pthread.h>

#include "backends/backend.h"
#include "backends/disk/disk_kernel.h"
#include "backends/disk/disk_table.h"

struct uevent_watch;

struct disk_pool {
	struct disk disk;
	char *path;		    /* of the disk, as the definition has it */
	char *target;		    /* where volumes' paths are looked for */
	char label[DISK_LABEL_MAX]; /* what the definition says; "unknown": any */
	struct host host;
	bool local;
	struct uevent_watch *watch;
	pthread_mutex_t changing;
	pthread_mutex_t lock;
	struct disk_table table;    /* as it was read last */
	struct kernel_parts kernel; /* what the kernel had then */
	bool stale;		    /* it has to be read anew */
	unsigned own; /* number of the partition that we change: one event is its echo */
};

/* -- disk_run.c: the program disk-table -- */

/* arguments: what follows the device, NULL-terminated. A change is not cancelled, lest it
 * be half done. */
int disk_run(const struct disk *d, const char *path, const char *const *arguments,
	     bool changes, struct call *call, struct disk_table *out, struct error *err);

/* -- disk_cache.c: the table in memory -- */

/* Reads it anew, and the kernel learns of partitions that it does not know. */
int disk_load(struct disk_pool *p, struct call *call, struct error *err);
/* A copy of it, read anew where the kernel's partitions are others than they were. */
int disk_get(struct disk_pool *p, struct call *call, struct disk_table *out,
	     struct error *err);
/* Changes the partition of that number. */
int disk_change(struct disk_pool *p, unsigned number, const char *const *arguments,
		struct call *call, struct error *err);
/* Whether what is told of this partition is the echo of a change of ours, once. One that
 * came or went otherwise makes the table stale. */
bool disk_is_echo(struct disk_pool *p, unsigned number, bool moved);
/* The numbers of the volumes, from /sys; the table is read only where these are others
 * than they were. */
int disk_numbers(struct disk_pool *p, struct call *call, struct kernel_parts *out,
		 struct error *err);
/* The partition that is the volume. -ENOENT. */
int disk_find(struct disk_pool *p, const char *name, struct call *call,
	      struct kernel_part *out, struct error *err);

/* Whether that was so when the table was read last; reads nothing. */
bool disk_known(struct disk_pool *p, const char *name, dev_t device);

/* -- disk_build.c -- */

/* The definition's one device, and the format of its table. */
int disk_of_spec(const struct pool_spec *spec, struct disk *disk, const char **path,
		 const char **label, struct error *err);
int disk_build(const struct pool_spec *spec, const struct host *host,
	       enum build_mode mode, struct call *call, struct error *err);
int disk_remove(const struct pool_spec *spec, const struct host *host, struct call *call,
		struct error *err);
int disk_discover(const struct pool_source *from, const struct host *host,
		  source_each each, void *arg, struct call *call, struct error *err);

/* -- disk_volume.c -- */

int disk_list(void *pool, vol_each each, void *arg, struct call *call, struct error *err);
int disk_vol_stat(void *pool, const char *name, struct vol_stat *out, struct call *call,
		  struct error *err);
int disk_vol_describe(void *pool, const char *name, struct volume_spec *out,
		      struct call *call, struct error *err);
int disk_vol_create(void *pool, const char *name, const struct volume_spec *spec,
		    struct call *call, struct error *err);
int disk_vol_delete(void *pool, const char *name, struct call *call, struct error *err);
uint64_t disk_vol_unit(void *pool);
int disk_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		    struct call *call, struct error *err);
int disk_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *call,
		  struct error *err);
int disk_vol_open(void *pool, const char *name, const char *snap, int flags,
		  struct vol_file *out, struct call *call, struct error *err);
void disk_vol_close(void *pool, struct vol_file *f);
int disk_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
		   struct call *call, struct error *err);
