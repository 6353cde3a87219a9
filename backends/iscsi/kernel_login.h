/*
 * Logging the kernel in and out by iscsiadm. Sessions that we make have an interface of
 * open-iscsi's of their own, by whose name they and their node records are known as ours,
 * also after a restart.
 */
#pragma once

#include "backends/iscsi/kernel_session.h"
#include "backends/iscsi/login.h"

/* Errors: -EACCES, -ENODEV, -ETIMEDOUT, -EIO; nothing is left behind then. */
int kernel_login(const struct login *, struct call *, unsigned *sid, struct error *);

/* iface: by which it was logged in. When that is ours, it goes with its node record, also
 * where somebody has logged out already. */
int kernel_logout(unsigned sid, const char *target, const char *iface, struct call *,
		  struct error *);

/* Looks for new units, and for new sizes of those known. */
int kernel_rescan(unsigned sid, struct call *, struct error *);
