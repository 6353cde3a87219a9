/*
 * Running qemu-img: images go in as descriptors, secrets through stdin, and its
 * complaints come back as the errno that an administrator expects.
 */
#pragma once

#include "backends/backend.h"
#include "backends/support/buf.h"
#include "backends/support/error.h"

/* The id that --object gives the secret; argv names it where an option wants a key. */
#define QEMU_SECRET	   "sec0"
#define QEMU_SECRET_OBJECT "secret,id=" QEMU_SECRET ",file=/dev/stdin"

/* qemu's name of an image format that an existing image has ("iso" and "fat" are raw
 * bytes to it); NULL: it has no driver for it. */
const char *qemu_driver(const char *format);

/*
 * Runs argv (argv[0] "qemu-img"). fds: inherited, ended by -1. secret: given on stdin;
 * may be NULL. -EBUSY: the image is locked by someone; -EOPNOTSUPP also when it is not
 * installed.
 */
int qemu_img(const char *const *argv, const int *fds, const struct buf *secret,
	     struct call *call, struct error *err);

/* Adds ",key=value" (or "key=value" first), with commas in the value doubled. */
int qemu_option(struct buf *options, const char *key, const char *value);
