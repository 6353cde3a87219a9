/*
 * What the model keeps of a pool's volumes beside the backend: the open ones, plans, last
 * errors. Made with the pool, by pool.c; used by volume*.c. Its lock is taken after the
 * pool's.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"
#include "backends/support/list.h"
#include "backends/support/map.h"
#include "backends/support/spec.h"

struct pool;
struct volumes;
struct plans;

struct volumes *volumes_new(void);
void volumes_free(struct volumes *v);

/* -EBUSY, naming one that is open or worked on, and by whom; 0: none is. */
int volumes_check_idle(struct volumes *v, struct error *err);
size_t volumes_open_count(struct volumes *v);
/* The pool is no longer running, or undefined: plans and errors are dropped. */
void volumes_reset(struct volumes *v);

void volumes_remember(struct volumes *v, const char *name, const struct error *err);
int volumes_show_error(struct volumes *v, const char *name, struct buf *out);

/* In pool.c, for volume.c. */
struct volumes *pool_volumes(struct pool *p);
struct attributes *pool_attributes(struct pool *p);
/* The permissions that its definition gives new volumes; label is not copied. */
struct permissions pool_default_permissions(struct pool *p);

/* -- the rest is for volume*.c and plan.c -- */

/* How much of a volume there is, for those that are not files: see volume_space.c. */
struct volume_space {
	pthread_mutex_t lock;   /* guards the rest; never held across a backend call */
	pthread_cond_t turn_over;
	bool turn;              /* somebody grows, zeroes, trims or resizes it */
	bool loaded;
	bool unsized;           /* grows as it is written */
	bool begun;             /* unsized, and written to */
	uint64_t size;          /* as provisioned */
	uint64_t made;          /* unsized: bytes that it was made with */
	uint64_t base;          /* unsized: before we grew it */
	uint64_t high;          /* unsized: behind the highest byte written */
};

/* Who holds record locks, and through which descriptors: see volume_lock.c. */
struct volume_locks {
	pthread_mutex_t lock;
	struct list owners;
	int carrier; /* a memfd that bears the locks of a volume without descriptor; -1:
			none yet */
};

/* A volume that is open, or that something is being done to; shared by its users. */
struct volume {
	/* under the table's lock, up to space */
	struct map_link link; /* by name while named */
	struct list entry;
	struct list uses;
	char *name; /* of what is no file also read without it: a rename has that alone */
	bool named;	   /* false: the name was removed, or is another volume's now */
	const char *doing; /* what its one user does to it alone: "wiped"; else NULL */
	bool known;            /* dev and ino are */
	uint64_t dev, ino;     /* of the file behind it */

	struct volume_space space;
	struct volume_locks locks;
};

struct volume_use {
	struct list link;
	struct volume *volume; /* NULL: not entered */
	pid_t opener;          /* 0: not an open of a process */
	atomic_bool closing;   /* somebody has closed it: it may be gone at once */
};

/* Enters a use of the volume of that name. -EBUSY while something is done to it alone. */
int volumes_enter(struct volumes *vs, const char *name, pid_t opener,
		  struct volume_use *use, struct error *err);
/* The use turned out to be of this file; moves it when the name's volume is another file.
 */
int volumes_identify(struct volumes *vs, struct volume_use *use, uint64_t dev,
		     uint64_t ino, struct error *err);
/* As volumes_enter, alone: -EBUSY, naming who, when it has users; until volumes_leave it
 * gets none. May wait a second for users that are closing. doing: what is done to it,
 * "wiped"; kept by reference. */
int volumes_claim(struct volumes *vs, const char *name, const char *doing,
		  struct volume_use *use, struct error *err);
void volumes_leave(struct volumes *vs, struct volume_use *use);

/* The name was changed or removed: open volumes and errors follow. */
void volumes_moved(struct volumes *vs, const char *from, const char *to, bool exchanged);
void volumes_removed(struct volumes *vs, const char *name);

/* The current name of an open volume, for the caller to free; NULL: it has none, or no
 * memory. */
char *volumes_name(struct volumes *vs, struct volume *v);
/* The open volume of that name, without entering it: for its size. */
bool volumes_visible_size(struct volumes *vs, const char *name, uint64_t *size);
/* And what the source says it is, where it changes that by itself. */
void volumes_resized(struct volumes *vs, const char *name, uint64_t size);

struct plans *volumes_plans(struct volumes *vs);
