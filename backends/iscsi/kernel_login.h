/*
 * Logging the kernel in and out by iscsiadm. Sessions that we make have an interface of
 * open-iscsi's of their own, by whose name they and their node records are known as ours,
 * also after a restart.
 */
#pragma once

#include "backends/iscsi/kernel_session.h"
#include "backends/iscsi/login.h"

/* What to call the interface of a target and an initiator. */
void kernel_iface(const char *target, const char *initiator, char out[IFACE_TEXT]);

/* Errors: -EACCES, -ENODEV, -ETIMEDOUT, -EIO; nothing is left behind then. */
int kernel_login(const struct login *, struct call *, unsigned *sid, struct error *);

/* Also the node record, when it is ours. */
int kernel_logout(unsigned sid, const char *target, struct call *, struct error *);

/* Removes the node record and the interface of this name. */
void kernel_forget(const char *target, const char *iface);

/* Looks for new units, and for new sizes of those known. */
int kernel_rescan(unsigned sid, struct call *, struct error *);
