/*
 * A question of a thread that may wait, put in the session's turn. What is asked and
 * what is answered is in the struct around `call`, which outlives whoever gives up
 * waiting.
 */
#pragma once

#include "backends/iscsi/lun.h"

struct ask_about {
	uint16_t number; /* of the unit */
	struct lun *lun; /* or the unit itself; the ask takes a reference */
	uint64_t off;
	int how;	    /* whence, or flags of an open */
	size_t answer_size; /* 0: run makes the answer */
};

struct ask {
	struct loop_call call;
	struct list link; /* of those that wait for a scan */
	struct iscsi_pool *pool;
	struct ask_about about;
	struct lun *lun;	    /* a reference, given back at the end */
	void (*then)(struct ask *); /* when what it waits for is over */
	void *answer;		    /* from malloc, freed with it; zeros at first */
};

/*
 * Asks, and waits for the answer. In the session's turn, run has to see to it that
 * ask_answer is called. *out, which may be NULL, gets the ask when the result is not
 * negative: the caller ask_put()s it.
 */
int ask(struct iscsi_pool *, const struct ask_about *, void (*run)(struct ask *),
	struct ask **out, struct call *, struct error *);
void ask_answer(struct ask *, int result, const struct error *);
void ask_put(struct ask *);

static inline void cleanup_ask(struct ask **a)
{
	if (*a)
		ask_put(*a);
}
#define AUTO_ASK CLEANUP(cleanup_ask)
