/*
 * Node records of open-iscsi: files of NAME = value lines that only root can read. They
 * are changed here where iscsiadm would want a password on its command line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"

struct setting {
	const char *name, *value;
};

/* Whether the file can hold the value, and gives it back as it is. */
bool record_can_hold(const char *value);

/* The record's text with these settings in the place of what it had of them. -ENOMEM. */
int record_edit(const char *text, const struct setting *set, size_t n, struct buf *out);

/* Whether the text is a record of this interface. */
bool record_is_of(const char *text, const char *iface);

/* Writes settings to the record of a target by an interface. -ENOENT: there is none. */
int record_set(const char *target, const char *iface, const struct setting *set, size_t n,
	       struct error *err);

bool record_exists(const char *target, const char *iface);

/* Whether iscsiadm knows the interface. */
bool record_has_iface(const char *iface);
