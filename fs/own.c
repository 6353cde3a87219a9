/* A direct-mapped table of hashed names. */
#include "fs/own.h"

#include <stdatomic.h>

#include "backends/support/map.h"

#define SLOTS 1024

static _Atomic uint64_t slots[SLOTS];

static uint64_t hash(uint64_t directory, const char *name)
{
	return hash_string(name, directory * UINT64_C(0x9e3779b97f4a7c15));
}

void own_begin(uint64_t directory, const char *name)
{
	uint64_t h = hash(directory, name);

	atomic_store(&slots[h % SLOTS], h);
}

void own_end(uint64_t directory, const char *name)
{
	uint64_t h = hash(directory, name), found = h;

	atomic_compare_exchange_strong(&slots[h % SLOTS], &found, 0);
}

bool own_has(uint64_t directory, const char *name)
{
	uint64_t h = hash(directory, name);

	return atomic_load(&slots[h % SLOTS]) == h;
}
