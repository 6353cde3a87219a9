/* Running lvm(8): what it is told, and what its messages mean. */
#pragma once

#include <stdarg.h>

#include "backends/backend.h"

#define LVM_ARGS_MAX 48

/* The command line of one lvm command; words are the caller's and stay until it ran. */
struct lvm_command {
	const char *argv[LVM_ARGS_MAX];
	size_t n;
};

/* Begins a command: its name, such as "lvcreate", and words up to NULL. */
void lvm_begin(struct lvm_command *c, const char *name, ...) __attribute__((sentinel));
void lvm_add(struct lvm_command *c, ...) __attribute__((sentinel));

/*
 * Runs a command that only looks; it ends by the call's deadline. out gets what it
 * prints.
 */
int lvm_ask(struct lvm_command *c, struct buf *out, struct call *call, struct error *err);

/*
 * Runs a command that changes something. It is not stopped when the call's deadline
 * comes: lvm would leave devices suspended. Errors as LVM's messages have them: -ENOSPC,
 * -EEXIST, -EBUSY, -ENOENT, else -EIO.
 */
int lvm_change(struct lvm_command *c, struct call *call, struct error *err);
