/*
 * From a name to a file: only regular files of the directory, and links that stay inside
 * it.
 *
 * What a name leads to is pinned by an O_PATH descriptor, looked at, and only then opened
 * through /proc/self/fd: a FIFO or device that takes the name meanwhile is never opened.
 */
#include "backends/common/file_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "backends/support/map.h"

#define LINKS_MAX 8
#define TRIES     32

const char *fd_path(int fd, char path[FD_PATH_MAX])
{
	snprintf(path, FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return path;
}

int file_check_name(const char *name, struct error *err)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return error_set(err, EINVAL,
				 "'%s' cannot be the name of a volume", name);
	if (strlen(name) > NAME_MAX)
		return error_set(err, ENAMETOOLONG,
				 "the name of a volume has at most %d bytes", NAME_MAX);
	return 0;
}

int file_check_dir(struct file_pool *fp, struct error *err)
{
	struct stat st;

	if (fstat(fp->dir, &st) < 0)
		return error_errno(err, "cannot read directory '%s'", fp->target);
	if (!st.st_nlink)
		return error_set(err, EIO,
				 "directory '%s' was removed while the pool is running: "
				 "stop the pool, or make the directory again and "
				 "refresh the pool",
				 fp->target);
	return 0;
}

int file_fail(struct file_pool *fp, const char *tried, const char *name,
	      struct error *err)
{
	int code = errno, r = file_check_dir(fp, err);

	if (r < 0)
		return r;
	if (code == ENOENT)
		return error_set(err, ENOENT,
				 "no volume '%s' in directory '%s'", name, fp->target);
	return error_code(err, code, "cannot %s '%s' in directory '%s'", tried, name,
			  fp->target);
}

/* Errors that mean "not a volume" rather than "cannot tell". */
static bool leads_nowhere(int code)
{
	return code == ENOENT || code == ENOTDIR || code == ELOOP || code == EXDEV ||
	       code == EACCES || code == ENXIO;
}

/*
 * The text of a link with the target directory's own path taken off; false: it leads out.
 */
static bool link_text(struct file_pool *fp, const char *name, char text[PATH_MAX])
{
	ssize_t len = readlinkat(fp->dir, name, text, PATH_MAX - 1);
	size_t own = strlen(fp->target);

	if (len <= 0)
		return false;
	text[len] = '\0';
	if (text[0] != '/')
		return true;
	if (strncmp(text, fp->target, own) || text[own] != '/')
		return false;
	while (text[own] == '/')
		own++;
	memmove(text, text + own, len - own + 1);
	return *text;
}

static int open_beneath(int dir, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = -1;

	/* EAGAIN: something was renamed meanwhile, so the kernel could not be sure */
	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

/*
 * For kernels and containers without openat2: links to a name in the same directory only.
 */
static int open_neighbour(struct file_pool *fp, const char *name)
{
	char at[PATH_MAX], text[PATH_MAX];
	struct stat st;

	snprintf(at, sizeof(at), "%s", name);
	for (int i = 0; i < LINKS_MAX; i++) {
		AUTO_FD int fd = openat(fp->dir, at, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &st) < 0)
			return -1;
		if (!S_ISLNK(st.st_mode))
			return take_fd(&fd);
		if (!link_text(fp, at, text) || strchr(text, '/') ||
		    !strcmp(text, "..") || !strcmp(text, "."))
			break;
		memcpy(at, text, sizeof(at));
	}
	errno = ELOOP;
	return -1;
}

static int open_link(struct file_pool *fp, const char *name)
{
	char text[PATH_MAX];
	int fd = open_beneath(fp->dir, name);

	if (fd < 0 && errno == EXDEV) {
		if (link_text(fp, name, text))
			fd = open_beneath(fp->dir, text);
		else
			errno = EXDEV;
	}
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open_neighbour(fp, name);
	return fd;
}

/* What has the name; for a volume, a descriptor that names it. */
static int locate(struct file_pool *fp, const char *name, struct stat *st,
		  enum file_kind *kind, int *out, struct error *err)
{
	AUTO_FD int fd = openat(fp->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	*kind = FILE_ABSENT;
	if (fd < 0 && errno == ENOENT)
		return file_check_dir(fp, err);
	if (fd < 0 || fstat(fd, st) < 0)
		return file_fail(fp, "find", name, err);
	*kind = FILE_OTHER;
	if (S_ISLNK(st->st_mode)) {
		int led = open_link(fp, name);

		if (led < 0)
			return leads_nowhere(errno) ? 0 :
						      file_fail(fp, "follow", name, err);
		close(fd);
		fd = led;
		if (fstat(fd, st) < 0)
			return file_fail(fp, "find", name, err);
	}
	if (S_ISREG(st->st_mode)) {
		*kind = FILE_VOLUME;
		*out = take_fd(&fd);
	}
	return 0;
}

/* Most entries are regular files: one system call. */
int file_kind(struct file_pool *fp, const char *name, struct stat *st, struct error *err)
{
	enum file_kind kind;
	AUTO_FD int fd = -1;
	int r = file_check_name(name, err);

	if (r < 0)
		return r;
	if (!fstatat(fp->dir, name, st, AT_SYMLINK_NOFOLLOW)) {
		if (S_ISREG(st->st_mode))
			return FILE_VOLUME;
		if (!S_ISLNK(st->st_mode))
			return FILE_OTHER;
	}
	r = locate(fp, name, st, &kind, &fd, err);
	return r < 0 ? r : (int)kind;
}

static int no_volume(struct file_pool *fp, const char *name, enum file_kind kind,
		     struct error *err)
{
	if (kind == FILE_ABSENT)
		return error_set(err, ENOENT,
				 "no volume '%s' in directory '%s'", name, fp->target);
	return error_set(err, ENOENT,
			 "'%s' in directory '%s' is no volume: it is neither a regular "
			 "file nor a link to one in the directory",
			 name, fp->target);
}

int file_stat(struct file_pool *fp, const char *name, struct stat *st, struct error *err)
{
	int kind = file_kind(fp, name, st, err);

	if (kind < 0 || kind == FILE_VOLUME)
		return kind < 0 ? kind : 0;
	return no_volume(fp, name, kind, err);
}

int file_locate(struct file_pool *fp, const char *name, struct stat *st,
		struct error *err)
{
	enum file_kind kind;
	int fd = -1, r = file_check_name(name, err);

	if (r == 0)
		r = locate(fp, name, st, &kind, &fd, err);
	if (r < 0)
		return r;
	return kind == FILE_VOLUME ? fd : no_volume(fp, name, kind, err);
}

uint64_t file_ident(const struct stat *st)
{
	return hash_bytes(&st->st_ino, sizeof(st->st_ino), st->st_dev);
}

int file_check_meant(const struct stat *st, const struct call *call, const char *name,
		     struct error *err)
{
	if (!call || !call->ident || call->ident == file_ident(st))
		return 0;
	return error_set(err, ESTALE,
			 "the name '%s' was given to another file just now: try again",
			 name);
}

int file_open_meant(struct file_pool *fp, const char *name, int flags, struct stat *st,
		    const struct call *call, struct error *err)
{
	char path[FD_PATH_MAX];
	AUTO_FD int named = file_locate(fp, name, st, err);
	int fd, r;

	if (named < 0)
		return named;
	r = file_check_meant(st, call, name, err);
	if (r < 0)
		return r;
	fd_path(named, path);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	/* only a file's owner may leave its access time alone */
	if (fd < 0 && errno == EPERM && (flags & O_NOATIME))
		fd = open(path, (flags & ~O_NOATIME) | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return file_fail(fp, "open", name, err);
	return fd;
}

int file_open(struct file_pool *fp, const char *name, int flags, struct stat *st,
	      struct error *err)
{
	return file_open_meant(fp, name, flags, st, NULL, err);
}
