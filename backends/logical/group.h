/*
 * The volume group of a running pool: what is known of it, kept until something changes,
 * and the one way to change it.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "backends/backend.h"
#include "backends/logical/lvm.h"
#include "backends/logical/report.h"

struct file_stamp {
	struct timespec changed;
	ino_t ino;
};

struct group_stamp {
	struct file_stamp links, backup;
	uint64_t names;		 /* of the links */
	struct file_stamp named; /* the links when they last had these names */
};

/* A logical pool. lock guards what stands below it, and is never held across a call. */
struct logical_pool {
	char *name;   /* the volume group's */
	char *links;  /* "/dev/VG" */
	char *backup; /* where LVM keeps the newest description of it */
	const struct host *host;
	struct watch *watch;
	struct uevent_watch *events;
	bool local; /* nothing that it stands on can hang */

	pthread_mutex_t lock;
	pthread_cond_t settled;
	bool refreshing, changing;
	unsigned changes; /* counts the beginnings and ends of ours */
	bool stale;	  /* the report is not to be used */
	bool lost;	  /* the group, or a disk of it, has gone */
	bool partial;	  /* our last change is in it, but not all that it meant */
	struct group_stamp seen;
	struct vg vg;
};

int group_new(const struct pool_spec *spec, const struct host *host,
	      struct logical_pool **out, struct error *err);
void group_free(struct logical_pool *p);

/* Asks lvm of a volume group. -ENODEV: this host has none of that name. */
int group_ask(const char *vg, struct vg *out, struct call *call, struct error *err);

/*
 * Takes the pool's lock with a report in it that is true now: asks lvm only where
 * something has changed since it was asked. whole: all that it says, not only names,
 * kinds and sizes. On an error the lock is not taken.
 */
int group_look(struct logical_pool *p, bool whole, struct call *call, struct error *err);
#define SCOPED_LOOK(p)                                              \
	pthread_mutex_t *UNIQUE_NAME(look_) CLEANUP(cleanup_unlock) \
		__attribute__((unused)) = &(p)->lock

/* The next look asks lvm. */
void group_forget(struct logical_pool *p);

/* Brings what a command did into the report; false: it cannot, and lvm is to be asked. */
typedef bool (*group_patch)(struct vg *r, const void *arg);

/* Runs a command that changes the group, one at a time, and brings what it did into the
 * report (patch may be NULL). Errors as lvm_change. */
int group_change(struct logical_pool *p, struct lvm_command *c, group_patch patch,
		 const void *arg, struct call *call, struct error *err);
/* As group_change for one that takes long: others go on meanwhile. */
int group_change_long(struct logical_pool *p, struct lvm_command *c, struct call *call,
		      struct error *err);

/* "/dev/VG/LV"; the caller frees it. */
char *group_path(const struct logical_pool *p, const char *lv);
