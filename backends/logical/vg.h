/* A volume group as data: its figures and logical volumes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backends/support/spec.h"

/* The tags of a snapshot: its name, and whose it is. That is a volume's UUID, or what its
 * own tag says: one that was exchanged for a snapshot has another UUID. */
#define LOGICAL_TAG_SNAPSHOT "storagefs.snapshot="
#define LOGICAL_TAG_OF	     "storagefs.of="
#define LOGICAL_TAG_ID	     "storagefs.id="

enum lv_kind {
	LV_PLAIN,    /* has all its room: linear, striped, raid, mirror, cache */
	LV_THIN,     /* in a thin pool */
	LV_SNAPSHOT, /* stores what differs from its origin */
	LV_SPARSE,   /* as LV_SNAPSHOT, of nothing but zeros */
	LV_THINPOOL,
	LV_HIDDEN, /* what else is no volume itself */
};

struct lv {
	char *name, *uuid;
	enum lv_kind kind;
	char *origin;	      /* of snapshots, thin ones too; NULL: none, or gone */
	char *pool;	      /* of thin volumes */
	char *snap, *snap_of; /* by our tags; NULL: it is a volume */
	char *id;	      /* by its tag */
	uint64_t size;	      /* bytes; what a reader gets */
	uint64_t room;	      /* bytes it takes of the volume group; of thin ones: 0 */
	uint64_t chunk;	      /* of thin pools: bytes that are given and taken at once */
	bool zeroes;	      /* of thin pools: what is given reads as zeros */
	unsigned filled; /* hundredths of a per cent: of room, of thin ones of size */
	bool active, open;
	bool skipped; /* not to be activated by starting the pool */
	bool invalid; /* a snapshot that has run full */
	struct extent *extents;
	size_t n_extents;
};

struct vg {
	uint64_t size, free, extent_size; /* bytes */
	unsigned missing;		  /* physical volumes */
	char **pvs;
	size_t n_pvs;
	struct lv *lvs; /* by name */
	size_t n_lvs;
};

void vg_clear(struct vg *g);

/* Sorts lvs, once. false: two have one name. */
bool vg_sort(struct vg *g);

/* NULL: there is none. */
struct lv *vg_find(const struct vg *g, const char *name);

/* Adds one, of which this is known; NULL: no memory. */
struct lv *vg_add(struct vg *g, const char *name);
void vg_remove(struct vg *g, struct lv *lv);
/* -ENOMEM */
int vg_rename(struct vg *g, struct lv *lv, const char *to);

/* Bytes for a snapshot that is never full: all of its origin, and LVM's record of it. */
uint64_t lv_snapshot_room(uint64_t size);

/* Whether it is to be seen among the volumes. */
bool lv_is_volume(const struct lv *lv);
/* By what snapshots know it; NULL: not known yet. */
const char *lv_identity(const struct lv *lv);
/* Whether it is a snapshot, made by us, of the volume; and its tag's name. */
bool lv_is_snapshot_of(const struct lv *lv, const struct lv *volume);
