/* What the fuzz targets share. libFuzzer calls fuzz targets; what they hold against aborts. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A target's claim. Not assert(), so that no build leaves it out. */
#define HOLDS(claim)                                                                     \
	do {                                                                             \
		if (!(claim))                                                            \
			__builtin_trap();                                                \
	} while (0)

/* A copy that ends in a NUL, in a block of just that size. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	HOLDS(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}
