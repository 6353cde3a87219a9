/*
 * What a listing has just seen of each VDI, kept for a moment: `ls -l` looks at each name
 * right after it, and need not have every one looked up again.
 */
#pragma once

#include <pthread.h>

#include "backends/sheepdog/sheep_proto.h"
#include "backends/support/map.h"

struct sheep_recent {
	pthread_mutex_t lock; /* guards all */
	struct map map;
	uint64_t at_ns;	  /* when the listing began */
	uint64_t changes; /* by us */
};

void recent_init(struct sheep_recent *);
void recent_exit(struct sheep_recent *);

/* A listing begins: what it sees is worth something while *changes stays. */
void recent_begin(struct sheep_recent *, uint64_t *changes);
void recent_add(struct sheep_recent *, uint64_t changes, const struct sheep_vdi *);

/* The working VDI of the name; of *out only vid, size, shift and what was
 * counted are set. */
bool recent_find(struct sheep_recent *, const char *name, struct sheep_vdi *out);

/* We have changed something. */
void recent_forget(struct sheep_recent *);
