/*
 * The target directory of a pool: build makes it, delete removes it, and what it holds is
 * never touched.
 */
#pragma once

#include "backends/support/spec.h"

struct error;

/* Makes spec->target with its mode, owner and copy-on-write, and what is missing above
 * it. One that is there already gets those that the definition gives. */
int target_make(const struct pool_spec *spec, struct error *err);

/* Removes spec->target. -EBUSY where it is not empty or something is mounted there. */
int target_remove(const struct pool_spec *spec, struct error *err);
