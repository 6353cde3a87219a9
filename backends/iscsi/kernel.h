/*
 * Pools of type iscsi by the kernel's own initiator: units are block devices, which
 * whoever opens a volume's path finds as well.
 */
#pragma once

#include "backends/backend.h"

/* Whether a definition is for it: a target path below /dev, the kernel's initiator and
 * iscsiadm, and the right to use them. Does not wait. */
bool kernel_is_for(const struct pool_spec *spec);

/* What such pools can do; vol_submit and what goes with it is not needed. */
extern const struct backend kernel_backend;
