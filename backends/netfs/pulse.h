/*
 * Whether the server answers: a thread per pool that asks now and then, so that a pool is
 * away when its server is, and running again by itself.
 */
#pragma once

#include "backends/backend.h"

struct pulse;

/* host is told until pulse_end. Returns NULL where there can be no thread. */
struct pulse *pulse_start(const char *target, const struct host *host);

/* The host is not told any more. Waits for an answer under way until then; true: there is
 * none under way, so that the share can be unmounted in an orderly way. NULL is allowed.
 */
bool pulse_end(struct pulse *p, uint64_t until_ns);
