/*
 * Names that the kernel hears of by a request's own answer: being made or renamed right
 * now, or removed and not looked up since. A watch sees these changes too, and telling
 * the kernel would cost the directory's lock, and drop the entry that was just made.
 *
 * A small table of hashes without a lock; what it forgets is merely told once too often.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void own_begin(uint64_t directory, const char *name);
/* The kernel holds the name, or may: it has to be told from now on. */
void own_end(uint64_t directory, const char *name);
bool own_has(uint64_t directory, const char *name);
