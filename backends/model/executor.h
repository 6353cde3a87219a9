/*
 * Threads of one pool: started on demand, at most so many, ended when idle for 10 s.
 *
 * Tasks run in the order of submission when the limit is 1. A task that never returns
 * holds one thread and nothing else; the executor's memory lives until the last thread is
 * gone.
 */
#pragma once

#include <stdbool.h>

#include "backends/support/list.h"

#define EXECUTOR_THREADS 4
#define EXECUTOR_QUEUE   256

struct executor;

struct task {
	struct list link;
	void (*run)(struct task *);
};

/* NULL: no memory. Makes no thread. */
struct executor *executor_new(unsigned max_threads);

/* Takes no more tasks; runs what is queued; threads end by themselves and free it. Never
 * waits. */
void executor_close(struct executor *e);

/* 0, or -EAGAIN: the queue is full or no thread can be made. The task belongs to the
 * caller, and must stay valid until run has been entered. */
int executor_submit(struct executor *e, struct task *t);
/* The same for what gives something back, which must not be lost: however many wait. */
int executor_submit_close(struct executor *e, struct task *t);

void executor_set_threads(struct executor *e, unsigned max_threads);

/* Waits until no task of any executor runs, at most until the deadline. false: some still
 * run. */
bool executors_drain(unsigned timeout_ms);
