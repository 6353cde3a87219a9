/*
 * A directory of volumes as the file_*.c files share it: what a pool holds, and how a
 * name in it is opened without anything but a regular file ever being touched.
 */
#pragma once

#include <sys/stat.h>

#include "backends/backend.h"
#include "backends/common/watch.h"

struct file_pool {
	int dir; /* refresh may put another directory under the same number */
	char *target;
	bool local;
	int64_t owner, group; /* of new volumes; -1: who creates them */
	const struct host *host;
	struct watch *watch;
	void *own; /* the backend's */
};

/* -EINVAL for what is not the name of one directory entry. */
int file_check_name(const char *name, struct error *err);

enum file_kind { FILE_ABSENT, FILE_VOLUME, FILE_OTHER };

/* What has the name; st is filled for FILE_VOLUME. -errno where that cannot be told. */
int file_kind(struct file_pool *fp, const char *name, struct stat *st, struct error *err);

/* stat of a volume (of what a link leads to). -ENOENT: no volume has this name. */
int file_stat(struct file_pool *fp, const char *name, struct stat *st, struct error *err);

/* A descriptor that only names the volume (O_PATH): for attributes, and to be opened by
 * number. */
int file_locate(struct file_pool *fp, const char *name, struct stat *st,
		struct error *err);

/* What vol_stat.ident is of a file. */
uint64_t file_ident(const struct stat *st);

/* -ESTALE: st is of another file than the one that the call means. */
int file_check_meant(const struct stat *st, const struct call *call, const char *name,
		     struct error *err);

/* Opens a volume's content. flags as open(2). call: only the file that it means; NULL:
 * whichever has the name. */
int file_open_meant(struct file_pool *fp, const char *name, int flags, struct stat *st,
		    const struct call *call, struct error *err);
int file_open(struct file_pool *fp, const char *name, int flags, struct stat *st,
	      struct error *err);

/* The path that opens a descriptor again. */
#define FD_PATH_MAX 32
const char *fd_path(int fd, char path[FD_PATH_MAX]);

/* Fails with errno and "cannot TRIED 'NAME' in directory 'TARGET'"; says so when it is
 * gone. */
int file_fail(struct file_pool *fp, const char *tried, const char *name,
	      struct error *err);

/* -EIO when the target directory was removed. */
int file_check_dir(struct file_pool *fp, struct error *err);

/* Live permissions of an open file, as a description has them. */
void file_permissions(int fd, const struct stat *st, struct permissions *out);

/* rename(2) that fails with EEXIST, also where the filesystem has no flags. Returns -1
 * and errno. */
int rename_noreplace(int from_dir, const char *from, int to_dir, const char *to);

/* Writes zeros to [off, end), telling progress as `of` total. */
int file_write_zeros(int fd, uint64_t off, uint64_t end, uint64_t total,
		     struct call *call, struct error *err);

/* Whether the caller still wants it: 0, -EINTR or -ETIMEDOUT. */
int call_check(const struct call *call, struct error *err);
