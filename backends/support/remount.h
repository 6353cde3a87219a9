/*
 * What mount.storagefs asks of a running daemon on `mount -o remount`: an ioctl on the
 * root directory of the mount, allowed to root and to who mounted it.
 */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

struct remount {
	uint32_t read_only; /* 0 or 1 */
	uint32_t timeout_s; /* 0: as it is */
	char why[248];      /* out: the sentence when it fails */
};

#define STORAGEFS_REMOUNT _IOWR('S', 1, struct remount)
