/* The snapshot table of a qcow2 image, read natively. The image may be hostile. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "backends/support/cleanup.h"
#include "backends/support/error.h"

struct qcow2_snapshot {
	char *id, *name;   /* as the table has them */
	const char *label; /* how it is shown: its name, else its id; NULL: neither can be
			      a file name, or another one has it */
	uint64_t size;	   /* of the disk when it was taken */
	struct timespec time;
};

struct qcow2_snapshots {
	struct qcow2_snapshot *table;
	size_t n;
};

/*
 * Reads all of it. size: of the file. -EOPNOTSUPP: no qcow2 image; -EINVAL: the table is
 * damaged, or larger than any that is in use.
 */
int qcow2_snapshots_read(int fd, uint64_t size, struct qcow2_snapshots *out,
			 struct error *err);

void qcow2_snapshots_clear(struct qcow2_snapshots *s);

#define AUTO_SNAPSHOTS CLEANUP(qcow2_snapshots_clear)
