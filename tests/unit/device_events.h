/*
 * Device events by the test's hand, and what a host hears of them. uevent.c is linked
 * with
 * --wrap=socket and --wrap=bind, so that its socket is ours; it takes what comes from no
 * address for the kernel's.
 */
#pragma once

#include <pthread.h>

#include "backends/backend.h"

/* Sends one event: "ACTION=add", "DEVPATH=/devices/…" and so on, NULL-terminated.
 * Somebody has to watch. */
void event_send(const char *const *words);
#define EVENT(...) event_send((const char *const[]){ __VA_ARGS__, NULL })

/* What the host was told, in order: "added NAME", "removed NAME", "data NAME", "all",
 * "lost TEXT", "back", "failed NAME: TEXT". */
struct heard {
	struct host host;
	pthread_mutex_t lock;
	pthread_cond_t more;
	char lines[64][256];
	unsigned n, seen;
};

/* Not to be moved afterwards: host.ctx is its address. */
void heard_init(struct heard *h);
/* Waits for the next line, which begins so. */
void heard_next(struct heard *h, const char *line);
/* Whether all lines have been asked for. */
bool heard_all(struct heard *h);
