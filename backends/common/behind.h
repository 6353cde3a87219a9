/*
 * Writes that are answered before they are stored: a writer that waits for each of its
 * writes may then send the next ones, as it may with any disk that has a cache. One that
 * has several on their way itself is answered when they are stored, which needs no copy.
 *
 * Nothing of it shows: what touches such a write's range waits for it, and so does a
 * flush, which tells each that has the volume open, once, what could not be stored.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/backend.h"
#include "backends/support/list.h"

/* Of one volume, whoever has it open. */
struct behind {
	void (*submit)(void *vol, struct io *); /* as backend->vol_submit; stores */
	void *vol;
	pthread_mutex_t lock; /* guards the rest */
	struct list early;    /* answered, on their way */
	struct list waiting;  /* for those */
	uint64_t bytes, serial;
	unsigned n_early, unanswered; /* writes */
	unsigned deep;		      /* writes to come of which none is answered early */
	uint64_t lost;		      /* how many answered writes failed */
	struct error error;	      /* the last of them */
	void (*stored)(void *);
	void *stored_arg;
};

void behind_init(struct behind *b, void (*submit)(void *vol, struct io *), void *vol);
void behind_exit(struct behind *b);

/* What an opener starts from: earlier losses are not its own. */
uint64_t behind_seen(struct behind *b);
/* As vol_submit. seen: the opener's, alive until io is done. */
void behind_submit(struct behind *b, uint64_t *seen, struct io *io);
/* Nothing is submitted any more: calls fn when all is stored or lost, now or later; b is
 * then used no more. */
void behind_when_stored(struct behind *b, void (*fn)(void *), void *arg);
