/* Paths of a multipath map, as the kernel's target tells them. */
#pragma once

#include <stdbool.h>

struct paths {
	unsigned up, total;
};

/* The target's status line; false: it is none. */
bool paths_parse(const char *status, struct paths *out);
