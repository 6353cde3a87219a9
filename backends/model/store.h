/*
 * SOURCE as a directory of small files: locked by one daemon, read whole, replaced
 * atomically.
 *
 * Paths are relative to SOURCE. What changes something is on disk when it returns, or has
 * changed nothing; a power cut or kill -9 leaves the old file or the new one. Thread
 * safe, but two writers of one path are ordered by their callers.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"

/* The daemon that has locked a SOURCE, or had it last; 0: none is known. */
pid_t store_owner(const char *source);

/* Opens SOURCE, making it when it is missing, locks it, and removes what a killed daemon
 * was writing; read-only does nothing of it.
 * -EBUSY: another daemon has it (the sentence names its pid). One that is dead is waited
 * for until the kernel has let go of all that it had. */
int store_open(const char *source, bool read_only, struct error *err);
void store_close(void);
/* -EBUSY as store_open when it becomes writable. */
int store_set_read_only(bool read_only, struct error *err);
bool store_read_only(void);
/* SOURCE as it was given. */
const char *store_source(void);

/* Replaces the file: new file, fsync, exchange, fsync of the directory. A missing
 * subdirectory is made with mode 0700. -EROFS in a read-only store. */
int store_file(const char *path, const void *data, size_t len, mode_t mode,
	       struct error *err);
/* Adds the file's content. -ENOENT, -EFBIG: more than limit. */
int store_read(const char *path, size_t limit, struct buf *out, struct error *err);
/* -ENOENT: it was not there. After another error it may be gone, though not from the
 * disk. */
int store_remove(const char *path, struct error *err);
/* Replaces what is at to, unless no_replace (-EEXIST). Both in the same directory. */
int store_rename(const char *from, const char *to, bool no_replace, struct error *err);
/* A symbolic link at path, replacing what is there. */
int store_link(const char *path, const char *target, struct error *err);
/* -1 with errno. */
int store_stat(const char *path, struct stat *st);
/* Each name in a directory of SOURCE ("." for itself) but "." and ".."; a missing
 * directory is empty. A negative return of each ends it and becomes the result. */
int store_list(const char *path, int (*each)(void *arg, const char *name), void *arg,
	       struct error *err);
