/*
 * Sessions of the kernel's initiator and their units, as /sys shows them: nothing here
 * waits for a target.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "backends/common/address.h"

/* Whether there is an initiator for TCP: its module, or the tool's way to it. */
bool kernel_initiator(void);

/* Which session is meant. */
struct session_wanted {
	const char *target;
	const char *initiator; /* NULL: any */
	unsigned port;
	const struct address *addresses; /* NULL: any */
	size_t n_addresses;
};

/* False: there is none. */
bool kernel_session_find(const struct session_wanted *, unsigned *sid);

#define SESSION_TEXT 32

/* "LOGGED_IN", "FAILED" (it is tried again), "FREE"; "": there is no such session. */
void kernel_session_state(unsigned sid, char out[SESSION_TEXT]);

/* Whether the session is of this target still: numbers are given anew after a reboot
 * only, but a session may be gone. */
bool kernel_session_is(unsigned sid, const char *target);

#define IFACE_TEXT 65

/* By which of open-iscsi's interfaces it was logged in. */
void kernel_session_iface(unsigned sid, char out[IFACE_TEXT]);

/* -- units -- */

#define UNIT_NAME 40 /* "unit:0:0:LUN" */
#define UNIT_SYS  128

struct unit {
	char name[UNIT_NAME];
	char sys[UNIT_SYS];
	dev_t device; /* 0: it has no block device (yet) */
};

/* Those that are disks; *out is the caller's to free(). Returns how many. -ENOMEM. */
int kernel_units(unsigned sid, struct unit **out, struct error *err);

/* -ENOENT: there is none of the name. */
int kernel_unit_find(unsigned sid, const char *name, struct unit *out, struct error *err);

/* Has the kernel forget those that the target says it no longer has, but for those in
 * use. Alone here it asks the target. In kernel_gone.c. */
void kernel_forget_gone(unsigned sid);

/* The name of the unit in the "H:C:T:L" that ends a path, or is followed by a slash
 * there; false: that is none. */
bool kernel_unit_name(const char *path, char name[UNIT_NAME]);
