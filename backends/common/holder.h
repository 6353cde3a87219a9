/*
 * Who keeps a mount or a device busy, told from /proc and /sys without touching either.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "backends/support/buf.h"

/* The mount that a process's descriptor is in, or -errno. */
int holder_mount_id(pid_t pid, int fd);

/* Whether somebody else than this process uses the mount; who gets "process 1 (init) has
 * /x open". */
bool holder_of_mount(int id, const char *target, struct buf *who);

/* Whether something uses the block device or a partition on it: "it is mounted on /". */
bool holder_of_device(dev_t device, struct buf *who);

/* Whether another process has the block device open: "process 7 (qemu) has open
 * '/dev/sda'". udev's looks do not count. */
bool holder_of_open_device(dev_t device, struct buf *who);
