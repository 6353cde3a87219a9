/*
 * Reads and writes of a volume's descriptor, as the flags of each request want them: no
 * descriptor of ours is opened with O_APPEND, O_DSYNC or O_SYNC.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct file;

/* All of it, or as much as there is; -errno. flags: those of the open file now. */
ssize_t descriptor_read(const struct file *f, int flags, void *to, size_t size,
			off_t off);
ssize_t descriptor_write(const struct file *f, int flags, const void *from, size_t size,
			 off_t off);
/* The RWF_ flags of a write that is answered when it is stored; 0: it need not be. */
int descriptor_stores(int flags);
