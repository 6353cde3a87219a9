/* Units of a target: what is known of each, and their names. In the session's turn. */
#pragma once

#include <stdatomic.h>

#include "backends/iscsi/decode.h"
#include "backends/iscsi/pool.h"

#define LUN_NAME 32 /* "unit:0:0:65535" */

struct lun {
	struct list link;
	/* of the pool's list, of opens, of what is under way; any thread */
	atomic_uint refs;
	uint16_t number; /* as REPORT LUNS gives it */
	uint64_t ident;	 /* another unit that takes the number has another */
	bool hidden;	 /* a controller, an enclosure: no volume */
	bool gone; /* from the target, or another has its number: for who has it open */
	struct error error; /* why it cannot be used */
	struct inquiry inquiry;
	struct capacity capacity;
	bool named; /* it was asked for its name in the whole world (naming.h) */
	char wwid[WWID_TEXT]; /* that; "": it has none */
	struct mode mode;
	struct block_limits limits;
	struct provisioning provisioning;
	bool no_punch, no_zero, no_sync, no_map; /* it refused such a command */
	bool short_sync;			 /* and such a one's longer form */
	struct list writing, blocked;		 /* transfers: see range.h */
	uint64_t allocated; /* bytes, as of mapped_ns */
	uint64_t mapped_ns; /* 0: not asked yet, or written since */
};

struct lun *lun_new(uint16_t number);
struct lun *lun_ref(struct lun *);
void lun_unref(struct lun *); /* NULL is allowed */

void lun_name(uint16_t number, char name[LUN_NAME]);
/* False: no unit has such a name. */
bool lun_number(const char *name, uint16_t *number);

/* What is shown as a volume; with a reference. NULL, with -ENOENT in err: there is none.
 */
struct lun *lun_find(struct iscsi_pool *, uint16_t number, struct error *);
/* Hidden ones, too, and without a reference. */
struct lun *lun_at(struct iscsi_pool *, uint16_t number);

uint64_t lun_size(const struct lun *);
void lun_stat(const struct lun *, struct vol_stat *out);

#define LUN_PATH 5120

/* The path or link that libvirt gives, and its key. */
void lun_path(const struct iscsi_pool *, const struct lun *, char out[LUN_PATH]);
void lun_key(const struct iscsi_pool *, const struct lun *, char out[LUN_PATH]);
