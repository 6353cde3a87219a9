/* New LUKS containers: what a description says of them, for qemu-img, which makes them.
 */
#pragma once

#include "backends/backend.h"
#include "backends/support/buf.h"

/*
 * Adds the secret's bytes to secret, which the caller buf_wipe()s, and qemu-img's
 * options, each with the prefix ("" or qcow2's "encrypt."). -EOPNOTSUPP: not luks;
 * -EINVAL: not exactly one secret; -ENOENT: there is no such secret.
 */
int luks_plan(const struct host *host, const struct volume_encryption *e,
	      const char *prefix, struct buf *options, struct buf *secret,
	      struct error *err);

/* qemu_img() with a command that makes a key. */
int luks_qemu_img(const char *const *argv, const int *fds, const struct buf *secret,
		  struct call *call, struct error *err);
