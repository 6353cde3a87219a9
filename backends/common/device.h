/*
 * A block device that a pool stands on: what is on it (libblkid), and having it alone.
 *
 * No state is kept here, so each module has its own copy.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "backends/support/error.h"

/* The device's number. -ENODEV: there is none at the path, or it is something else. */
int device_number(const char *path, dev_t *device, struct error *err);

/* Opens it for writing and alone: -EBUSY names what uses it. Of use for a moment only:
 * what stands on it cannot open it meanwhile. Returns the descriptor. */
int device_claim(const char *path, struct error *err);

/* What libblkid finds. */
struct device_content {
	char type[64]; /* "ext4", "LVM2_member"; a table of partitions: "dos", "gpt" */
	char version[16]; /* "" where it does not say */
	bool filesystem;
};

/* 1: this is on it, 0: nothing is. */
int device_probe(int fd, const char *path, struct device_content *out, struct error *err);

/* Opens it to read for device_probe. */
int device_look(const char *path, struct device_content *out, struct error *err);

/* Removes the marks of what is on it, so that nothing old is found beside the new. */
int device_wipe_marks(int fd, const char *path, struct error *err);
