/* What the kernel says of thin volumes: lvm's report of it is as old as its last run. */
#pragma once

#include <stdint.h>

/* Bytes that a thin volume has of its pool now; -errno where the kernel does not say. */
int thin_used(const char *vg, const char *lv, uint64_t *bytes);
