/*
 * The threads that serve requests, and how many of them read: one more is always there
 * for the next request, and is started where none is left.
 *
 * But a request that is served at once (quick) costs less than waking another thread for
 * it, and of a client that waits for each answer only one comes at a time. While nothing
 * else comes, one thread reads and serves alone and the others rest. One of those looks
 * on: when nothing has moved for a while all read again, and where requests wait it
 * reads, too, until half of the CPUs serve.
 */
#pragma once

#include <stdbool.h>

#define CREW_MAX 32

/* start makes thread i, which serves until it is told to end; 0 or an errno. The first is
 * made here, the others (i counts from 0, to CREW_MAX - 1) as they are needed. more_wait
 * tells of requests that nobody has read; most: how many may read where others rest. */
int crew_open(int (*start)(unsigned i), bool (*more_wait)(void), unsigned most);
/* By a thread that has read a request, before it serves it. */
void crew_begin(bool quick);
/* Before it waits, where that was not expected. */
void crew_waits(void);
/* After it; rests here, where this thread is not needed. */
void crew_done(void);
/* Nobody rests any longer, and no thread is started any more. Returns how many were. */
unsigned crew_close(void);
