/* libfuse's low-level header, with the version of the API that all of fs/
 * is written for. */
#pragma once

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 14)

#include <fuse_lowlevel.h>
