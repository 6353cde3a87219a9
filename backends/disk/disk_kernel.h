/*
 * The partitions of a disk as the kernel has them, and their names, from /sys: no device
 * is opened. Those of a mapped device (multipath) are maps themselves.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "backends/support/cleanup.h"
#include "backends/support/error.h"
#include "backends/support/spec.h"

#define DISK_NAME_MAX 160

struct disk {
	dev_t device;
	char name[DISK_NAME_MAX];   /* "sdb", "mpatha" */
	char prefix[DISK_NAME_MAX]; /* what its partitions' numbers stand behind */
	bool mapped;
};

struct kernel_part {
	unsigned number;
	char name[DISK_NAME_MAX];
	dev_t device;
	uint64_t start, size; /* bytes; start is 0 for a mapped one */
};

struct kernel_parts {
	struct kernel_part *at; /* by number */
	size_t n;
};

/* separator: the pool's, of a mapped device. -ENODEV; -EINVAL: it is a partition. */
int disk_identify(const char *path, enum choice separator, struct disk *out,
		  struct error *err);

/* How much to read of each: a file of /sys for the size, two more for the place. */
enum kernel_depth { KERNEL_NAMES, KERNEL_SIZES, KERNEL_PLACES };

/* -ENODEV: the disk is gone. */
int kernel_list(const struct disk *d, enum kernel_depth depth, struct kernel_parts *out,
		struct error *err);
void kernel_parts_clear(struct kernel_parts *p);
#define AUTO_PARTS CLEANUP(kernel_parts_clear)

/* The one of that name or number, with its place. -ENOENT: the kernel has none. */
int kernel_find(const struct disk *d, const char *name, struct kernel_part *out);
int kernel_find_number(const struct disk *d, unsigned number, struct kernel_part *out);

const struct kernel_part *kernel_part_of(const struct kernel_parts *p, unsigned number);

/* -- names -- */

/* The number in a partition's name; 0: it is none of a disk with that prefix. */
unsigned disk_number(const char *prefix, const char *name);
/* What stands before the numbers: the kernel writes a p behind a digit. */
void disk_prefix(const char *name, enum choice separator, char out[DISK_NAME_MAX]);
void disk_part_name(const char *prefix, unsigned number, char out[DISK_NAME_MAX]);
