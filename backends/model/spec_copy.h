/*
 * Deep copies of descriptions: the struct is copied by value first, then each of these
 * replaces what it borrows by its own. Without memory the member becomes empty and false
 * is returned, so that all can be gone through before the whole is cleared.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backends/support/spec.h"

bool own_string(char **s);
bool own_strings(char **const *strings, size_t n);
bool own_array(void *array, size_t *n, size_t size);
bool own_secret(struct secret_ref *s);

#define OWN_STRINGS(...)                                                                 \
	own_strings((char **const[]){ __VA_ARGS__ },                                     \
		    sizeof((char **const[]){ __VA_ARGS__ }) / sizeof(char **))
