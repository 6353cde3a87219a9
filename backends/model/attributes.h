/*
 * What a pool's own definition cannot hold: SOURCE/attributes/NAME. Thread safe. One line
 * each:
 *	protected 0|1
 *	volume NAME-with-\xHH-escapes [mode=0640] [uid=0] [gid=0] [unsized=BYTES]
 *
 * Written whole at each change, as store_file does it.
 */
#pragma once

#include "backends/support/error.h"
#include "backends/support/spec.h"

struct attributes;

/* The pool's file is read at the first use; a missing one is empty. One that cannot be
 * read makes the pool protected, and changes -EIO, until it can. NULL: no memory. A
 * read-only model keeps changes in memory only. */
struct attributes *attributes_load(const char *pool);
void attributes_free(struct attributes *a);
/* Around the renaming of the pool: between the two both names have them, and they cannot
 * be changed. After a begin that failed there is no end. */
int attributes_rename_begin(struct attributes *a, const char *to, struct error *err);
void attributes_rename_end(struct attributes *a, bool renamed);
/* The pool was removed. */
int attributes_remove(struct attributes *a, struct error *err);
/* What a crash has left of a pool that there is not. */
int attributes_forget(const char *pool, struct error *err);

enum choice attributes_protected(struct attributes *a);
int attributes_set_protected(struct attributes *a, bool on, struct error *err);

struct volume_attributes {
	int mode;	  /* -1: not kept */
	int64_t uid, gid; /* -1: not kept */
	bool unsized;	  /* a provisioned volume that grows as it is written, */
	uint64_t made;	  /* and the bytes it was made with */
};
#define VOLUME_ATTRIBUTES_INIT                   \
	{                                        \
		.mode = -1, .uid = -1, .gid = -1 \
	}

/* out is VOLUME_ATTRIBUTES_INIT where nothing is kept. */
void attributes_volume(struct attributes *a, const char *volume,
		       struct volume_attributes *out);
/* Equal to VOLUME_ATTRIBUTES_INIT: forgets it. */
int attributes_set_volume(struct attributes *a, const char *volume,
			  const struct volume_attributes *in, struct error *err);
int attributes_rename_volume(struct attributes *a, const char *from, const char *to,
			     struct error *err);
