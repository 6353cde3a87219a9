/*
 * Requests that wait for something else than a libfuse thread, and the one thread that
 * watches them: answers ETIMEDOUT at the deadline, EINTR to the interrupted, and asks
 * again for locks.
 */
#pragma once

#include <stdbool.h>

struct error;
struct request;

/* Watches it, with a reference of its own. false: we are ending, it must be refused. */
bool parked_add(struct request *r);
/* It was answered. */
void parked_remove(struct request *r);
/* From libfuse, with the request's lock held: marks it. */
void parked_interrupt(struct request *r);
/* Watches are over: answers all with EIO, and whatever still comes. Ends the thread. */
void parked_close(void);
