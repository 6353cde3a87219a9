/*
 * What the kernel tells of its devices: they come, go and change. One netlink socket and
 * one thread for the whole process, started with the first watch and gone after the last.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backends/support/error.h"

/* One event: NAME=value texts, each with its NUL. */
struct uevent {
	const char *text;
	size_t len;
};

/* "ACTION" (add, remove, change…), "DEVPATH" (below /sys), "SUBSYSTEM", "DEVNAME"
 * ("sda"), and what the subsystem adds. NULL: the event does not have it. */
const char *uevent_get(const struct uevent *e, const char *name);

struct uevent_watch;

/* e: NULL when events were lost. Does not block, and adds or removes no watch. The
 * device's links below /dev may not be there yet: udev is told at the same time. */
typedef void (*uevent_fn)(void *arg, const struct uevent *e);

int uevent_add(uevent_fn fn, void *arg, struct uevent_watch **out, struct error *err);

/* When it returns, fn is not running and will not be called again. NULL is allowed. */
void uevent_remove(struct uevent_watch *w);

/* What came from a socket, as an event; false: the kernel does not write so. len is
 * without the NUL that has to follow. */
bool uevent_read(const char *data, size_t len, struct uevent *out);
