/* LUKS containers on new volumes that are block devices. */
#pragma once

#include "backends/backend.h"
#include "backends/support/buf.h"

/* What the header of a container takes at most, in bytes. */
#define BLOCK_LUKS_HEADER (UINT64_C(2) << 20)

/* One that is to be laid on a volume; of zeros: none. */
struct block_luks {
	struct buf options, secret;
	uint64_t size; /* bytes in the container */
};

/* Before the volume is made: what its description says. Errors as luks_plan(). */
int block_luks_plan(const struct host *host, const struct volume_spec *spec,
		    struct block_luks *out, struct error *err);
void block_luks_clear(struct block_luks *luks);
#define AUTO_BLOCK_LUKS CLEANUP(block_luks_clear)

/* The bytes that a volume of this capacity then has. -EFBIG. */
int block_luks_room(const struct block_luks *luks, uint64_t capacity, uint64_t *out,
		    struct error *err);

/* Lays it on the new volume, which nobody else has open alone. */
int block_luks_make(const struct block_luks *luks, const char *path, struct call *call,
		    struct error *err);
