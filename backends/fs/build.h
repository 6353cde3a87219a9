/* What an fs pool stands on is made here: the directory, and the filesystem. */
#pragma once

#include "backends/backend.h"

int fs_build(const struct pool_spec *spec, const struct host *host, enum build_mode mode,
	     struct call *call, struct error *err);
int fs_remove(const struct pool_spec *spec, const struct host *host, struct call *call,
	      struct error *err);

/* The pool's one device. */
int fs_device(const struct pool_spec *spec, const char **path, struct error *err);
