/*
 * What stands behind -o in fstab and on mount(8)'s command line, as the daemon and a
 * remount need it.
 */
#pragma once

#include <stdbool.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"

struct mount_options {
	struct buf daemon;        /* for storagefs -o */
	unsigned long set,
		clear; /* what was said of the kernel's MS_ flags: for a remount */
	unsigned timeout_s;       /* 0: not given */
	bool remount;
};

/*
 * Adds a comma-separated list. sloppy: an option that nobody knows is passed over; else
 * it is -EINVAL, named in err. A bad value always is.
 */
int mount_options_add(struct mount_options *o, const char *list, bool sloppy,
		      struct error *err);

void mount_options_free(struct mount_options *o);
