/*
 * Where definitions live: SOURCE/NAME.xml, and SOURCE/autostart/NAME.xml, a symbolic link
 * to it (libvirt's layout, also readable where libvirt wrote it). Writers are ordered by
 * their callers.
 */
#pragma once

#include <stdbool.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"

/* "NAME.xml~" must be a legal file name. */
#define DEFINITION_NAME_MAX 250

/* The name of each stored definition. */
int definitions_each(int (*fn)(void *arg, const char *name), void *arg,
		     struct error *err);
/* Adds its text. */
int definition_read(const char *name, struct buf *text, struct error *err);
int definition_store(const char *name, const struct buf *text, struct error *err);
bool definition_exists(const char *name);
/* Leaves NAME.xml~ and no autostart link. A missing definition is no error. */
int definition_remove(const char *name, struct error *err);
/* Moves the file and its autostart link, and gives it the new text. A crash leaves one of
 * the two names, with its link, and may leave a link of the other: who makes a pool of a
 * name removes that. -EEXIST. */
int definition_rename(const char *from, const char *to, const struct buf *text,
		      struct error *err);

/* Each name that has an autostart link. */
int autostart_links_each(int (*fn)(void *arg, const char *name), void *arg,
			 struct error *err);
int autostart_link_set(const char *name, bool on, struct error *err);
