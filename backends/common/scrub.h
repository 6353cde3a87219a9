/* Overwriting with the patterns that have a name, by scrub(1). */
#pragma once

#include <stdbool.h>

#include "backends/backend.h"

/* Whether scrub has a pattern of this name: libvirt's algorithms but zero and trim. */
bool scrub_knows(const char *pattern);
/* "nnsa dod …", for errors. */
#define SCRUB_PATTERNS "nnsa dod bsi gutmann schneier pfitzner7 pfitzner33 random"

/* Overwrites the file or device that fd has open, and syncs it. scrub fills up the last
 * block of a file. */
int scrub_run(int fd, const char *pattern, struct call *call, struct error *err);
