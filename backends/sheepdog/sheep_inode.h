/*
 * Open VDIs: what the cluster says of each and its map, kept while somebody has it open
 * and shared among all who have. All of it belongs to the loop's thread; functions that
 * say so are for others.
 */
#pragma once

#include "backends/sheepdog/sheep.h"
#include "backends/support/map.h"

/* Somebody who goes on later, on the loop. */
struct sheep_waiter {
	struct list link;
	void (*go)(struct sheep_waiter *);
};

/* Each of those who wait now; who comes to wait meanwhile stays. */
void waiters_go(struct list *waiting);

/*
 * An object that is being written. Writes into one that is the VDI's own go on together.
 * Making it (the sheep replaces what there is) and dropping it are for one alone, and so
 * is what follows a write whose writer has given up: that may land at any time until the
 * sheep has answered.
 */
struct sheep_object {
	struct map_link link;
	uint32_t index;
	unsigned shared, pins;
	bool alone, doubtful;
	struct list waiting;
};

struct sheep_inode {
	struct list link; /* of the pool's */
	struct sheep_pool *sp;
	unsigned refs, writers; /* operations; and descriptors, of these for writing */
	struct sheep_vdi vdi;
	uint32_t *map, n;    /* the VDI that owns each object; 0: a hole */
	uint64_t changes;    /* of the map, by us */
	uint64_t dropped_ns; /* when an entry was last set to 0 */
	uint32_t locked;     /* the VDI that is, in the cluster, by us; 0: none */
	int lockers;	     /* descriptors that need that */

	struct list ops;
	struct list behind; /* of these, what was answered and not stored, oldest first */
	struct sheep_op *gathering; /* the newest of those; NULL: none can be added to */
	uint64_t turns, stream;	    /* of those so far; where the last write ended */
	uint64_t losses;	    /* of those that could not be stored */
	struct error loss;	    /* the last */
	unsigned changing;	    /* operations that are no reads */
	struct list chunks;	    /* read ahead */
	uint64_t upsets;	    /* how often those were dropped */
	struct map objects;
	unsigned writing;   /* objects being written, by how many parts */
	struct list held;   /* who waits until it may be written again */
	unsigned frozen;    /* while a snapshot is taken or it is read again */
	bool gone;	    /* its name, if there still is one, is another volume's */
	struct list thawed; /* freezes that wait for writing to become 0 */

	struct list pending; /* parts whose map entry is to be stored */
	unsigned updates;    /* of entries, under way */

	struct sheep_reload *reload; /* under way */
};

/* -- for threads that may wait -- */

/* snap: NULL, or a snapshot's name. */
int inode_open(struct sheep_pool *, const char *name, const char *snap, bool write,
	       struct sheep_inode **, struct call *, struct error *);
void inode_close(struct sheep_inode *, bool write);

/* Nothing of an open one is written from here to inode_thaw. -ETIMEDOUT. */
int inode_freeze(struct sheep_inode *, struct call *, struct error *);
/* now and map: what the name stands for by now; NULL: nothing has changed. map is taken.
 */
void inode_thaw(struct sheep_inode *, const struct sheep_vdi *now, uint32_t *map);

/* A size that was stored; larger, the rest of the map is holes. */
int inode_set_size(struct sheep_inode *, uint64_t size);

bool inode_is_open(struct sheep_pool *, const struct sheep_vdi *);

/* What a look at the cluster told of a VDI: one that is open learns of it. */
void inode_learn(struct sheep_pool *, const struct sheep_vdi *);

/* -- on the loop -- */

void inode_ref(struct sheep_inode *);
void inode_put(struct sheep_inode *);

static inline uint64_t inode_object_size(const struct sheep_inode *i)
{
	return UINT64_C(1) << i->vdi.shift;
}

/* Whether what the name stands for now is the volume that is open, which by a snapshot or
 * a return to one becomes another VDI. false: it is gone. */
bool inode_is_now(struct sheep_inode *, const struct sheep_vdi *now);

/* Has w go on once the inode has been read again. vid is whom w took it for. */
void inode_stale(struct sheep_inode *, uint32_t vid, struct sheep_waiter *w);

/* Has w go on when the inode may be written. */
void inode_hold(struct sheep_inode *, struct sheep_waiter *w);

/* The object, with a lock on it; NULL: w was made to wait (or *err is set). */
struct sheep_object *object_lock(struct sheep_inode *, uint32_t index, bool alone,
				 struct sheep_waiter *w, struct error *err);
void object_unlock(struct sheep_inode *, struct sheep_object *, bool alone);
/* Whether somebody writes it. */
bool object_is_busy(struct sheep_inode *, uint32_t index);

/* -- sheep_reload.c -- */

/* Reads it again, by name; holds all that would write meanwhile. */
void inode_reload(struct sheep_inode *);

/* Takes what was read in place of what is known. map is taken. */
void inode_install(struct sheep_inode *, const struct sheep_vdi *, uint32_t *map);
void inode_resume(struct sheep_inode *);
