/*
 * A pool's budget of bytes in flight. What is over it waits in a queue without holding a
 * thread, and is submitted by the completions that make room. Open volumes of a pool
 * share its lane.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane;
struct request;

#define LANE_BYTES (64u << 20)
#define LANE_QUEUE 256 /* requests that wait for room; then EAGAIN */

/* NULL: no memory. */
struct lane *lane_get(uint64_t pool_serial);
void lane_put(struct lane *l);

/* Calls submit for r, which will have bytes in flight, now or when there is room; from
 * any thread, maybe before this returns. false: too many wait already. */
bool lane_enter(struct lane *l, struct request *r, size_t bytes,
		void (*submit)(struct request *));
/* r, which was submitted, has left. */
void lane_leave(struct lane *l, struct request *r);
