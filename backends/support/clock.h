/* Monotonic time in nanoseconds, and deadlines in it. A deadline of 0 means none. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

static inline uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static inline bool deadline_passed(uint64_t deadline)
{
	return deadline && clock_now() >= deadline;
}

/* What is left in milliseconds, rounded up, for poll(2): -1 without a deadline, 0 when
 * passed. */
static inline int deadline_poll_ms(uint64_t deadline)
{
	uint64_t now = clock_now();

	if (!deadline)
		return -1;
	if (now >= deadline)
		return 0;

	uint64_t ms = (deadline - now + NS_PER_MS - 1) / NS_PER_MS;

	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}
