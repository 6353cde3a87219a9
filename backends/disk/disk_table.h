/*
 * A table of partitions as disk-table tells it, and the lines it tells it in: the program
 * that has libparted, which is not thread-safe and may end the process it is in, and is
 * run once for each operation.
 *
 * Its answer, sizes in bytes, ends of ranges are the first byte behind:
 *
 *	disk SIZE SECTOR
 *	label NAME
 *	part NUMBER KIND START END FORMAT
 *	free KIND START END
 *	next NUMBER LOGICAL
 *	done
 *
 * or one line "error ERRNO TEXT". NAME is libvirt's, "none" where there is no table,
 * "other" for one that is not ours. Partitions and free ranges come in the order of the
 * disk. next has the numbers that a new partition gets; 0: none can be made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/support/cleanup.h"
#include "backends/support/error.h"

#define DISK_LABEL_MAX	16
#define DISK_FORMAT_MAX 16
#define DISK_PARTS_MAX	4096

/* Metadata are the partitions that the table itself is in: they are no volumes. */
enum disk_kind { DISK_PRIMARY, DISK_EXTENDED, DISK_LOGICAL, DISK_METADATA };

struct disk_part {
	unsigned number;
	enum disk_kind kind;
	uint64_t start, end;
	char format[DISK_FORMAT_MAX]; /* libvirt's name */
};

struct disk_free {
	enum disk_kind kind; /* primary, or logical: inside the extended partition */
	uint64_t start, end;
};

struct disk_table {
	uint64_t size;
	unsigned sector;
	char label[DISK_LABEL_MAX];
	struct disk_part *parts;
	size_t n_parts;
	struct disk_free *free;
	size_t n_free;
	unsigned next, next_logical;
};

/* Takes an answer apart. Errors: the one that it tells; -EIO: it is no such answer. */
int disk_table_parse(const char *text, struct disk_table *out, struct error *err);
/* -ENOMEM. */
int disk_table_copy(const struct disk_table *from, struct disk_table *to);
void disk_table_clear(struct disk_table *t);

#define AUTO_TABLE CLEANUP(disk_table_clear)

/* NULL: it has no such partition. */
const struct disk_part *disk_table_find(const struct disk_table *t, unsigned number);

/* "primary" and so on; NULL behind the last. */
const char *disk_kind_name(enum disk_kind kind);
/* False: there is no such kind. */
bool disk_kind_find(const char *name, enum disk_kind *out);

/* Whether it is a format of a disk pool's volumes, "none" too. */
bool disk_format_known(const char *name);
