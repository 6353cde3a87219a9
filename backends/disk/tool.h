/*
 * The program disk-table: one operation on one table of partitions, through libparted,
 * and its answer as lines (disk_table.h). It is a process of its own since libparted
 * keeps global state, aborts where it is surprised, and probes devices as it likes.
 *
 * What is written is first the table, then what the kernel knows of it; only the one
 * partition that is asked for changes for the kernel, so those in use are not disturbed.
 */
#pragma once

#include <parted/parted.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "backends/disk/disk_table.h"
#include "backends/support/error.h"

struct tool {
	const char *path;   /* as given */
	const char *prefix; /* of names of partitions on a mapped device; else NULL */
	dev_t device;	    /* 0: a plain file, which no kernel knows partitions of */
	int fd;		    /* to read, and locked: by the device's own name */
	bool writes;
	bool anew; /* what table there is does not matter */
	PedDevice *dev;
	PedDisk *disk; /* NULL: no table */
	char label[DISK_LABEL_MAX];
};

/* -- tool_open.c -- */

/* Opens the device, alone among those that lock it (udev and the tools of util-linux do),
 * and reads its table. */
int tool_open(struct tool *t, struct error *err);
void tool_close(struct tool *t);
/* The table as it is on the device. */
int tool_read(struct tool *t, struct error *err);
/* -EOPNOTSUPP: a change would lose what another table says. */
int tool_check_alone(const struct tool *t, struct error *err);
/* libparted's own name of a label; NULL: it has none. */
const char *tool_label(const char *label);
/* As error_set with EIO, and what libparted has said behind it. */
int tool_failed(const struct tool *t, struct error *err, const char *what);
/* What libparted has said is of no interest. */
void tool_forget(void);

/* -- tool_show.c -- */

/* Prints the table as it is now. */
int tool_show(const struct tool *t, struct error *err);
/* The number of the next partition of the kind; 0: none can be made. */
unsigned tool_next(const struct tool *t, enum disk_kind kind);
/* Whether the table itself is in it. */
bool tool_is_metadata(const struct tool *t, const PedPartition *part);
bool tool_has_extended(const struct tool *t);

/* -- tool_place.c: in memory alone -- */

/* Adds one where there is room for it; size 0: the smallest, where there is most room to
 * grow. NULL: the error says why. */
PedPartition *tool_place(struct tool *t, enum disk_kind kind, uint64_t size,
			 struct error *err);

/* The last sector of a partition: the least that will do, as is wished, and the most that
 * there is room for. */
struct tool_end {
	PedSector least, end, most;
};
/* Where one of this size ends. -ENOSPC. */
int tool_find_end(const struct tool *t, PedPartition *part, uint64_t size,
		  struct tool_end *to, struct error *err);
bool tool_set_end(struct tool *t, PedPartition *part, const struct tool_end *to);

/* -- tool_change.c: each writes the table and tells the kernel -- */

/* Whether such a table can be made; and the kernel forgets the partitions that are there.
 * Writes nothing. -EBUSY: one of these is in use. */
int tool_vacate(struct tool *t, const char *label, struct error *err);
int tool_make_label(struct tool *t, const char *label, struct error *err);
/* Removes the table. */
int tool_clear(struct tool *t, struct error *err);
/* size as for tool_place(). -EINVAL: the next number is another. */
int tool_create(struct tool *t, unsigned number, enum disk_kind kind, const char *format,
		uint64_t size, struct error *err);
/* Only in the direction that is asked for. */
int tool_resize(struct tool *t, unsigned number, uint64_t size, bool shrink,
		struct error *err);
/* -EBUSY: it is in use, or others would be renumbered. */
int tool_remove(struct tool *t, unsigned number, struct error *err);

/* -- tool_kernel.c: what the kernel knows -- */

/* Tells it of those that it does not know; one whose place it has otherwise is left. */
int kernel_sync(const struct tool *t, struct error *err);
int kernel_add(const struct tool *t, const PedPartition *part, struct error *err);
int kernel_resize(const struct tool *t, const PedPartition *part, struct error *err);
/* -EBUSY: somebody has it open. */
int kernel_remove(const struct tool *t, unsigned number, struct error *err);
/* All that it knows of. */
int kernel_remove_all(const struct tool *t, struct error *err);
/* Has udev look at the disk again: its table is another. */
void kernel_tell_udev(const struct tool *t);

/* -- tool_dm.c: partitions of mapped devices, which are maps themselves -- */

int dm_add(const struct tool *t, unsigned number, uint64_t start, uint64_t length,
	   struct error *err);
int dm_resize(const struct tool *t, unsigned number, uint64_t start, uint64_t length,
	      struct error *err);
int dm_remove(const struct tool *t, unsigned number, struct error *err);
