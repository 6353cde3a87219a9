/* Opening the file below an image, with no more rights than the caller has. */
#pragma once

#include <sys/stat.h>

#include "backends/backend.h"

/*
 * The file that an image's header names: path, relative to dir (the directory of the
 * image), without a "file:" prefix. Owned by the caller. -EOPNOTSUPP for what is no file
 * ("nbd://…", "json:…").
 */
int backing_path(const char *dir, const char *path, char **out, struct error *err);

/*
 * Opens it for reading as call->uid and call->gid would: a regular file or a block
 * device. An image may come from anyone: it must not make root read what who asks may
 * not. Returns a descriptor.
 */
int backing_open(const char *path, const struct call *call, struct stat *st,
		 struct error *err);
