/*
 * For LD_PRELOAD: the Nth call with which a program changes a file below certain
 * directories kills it, or fails.
 *
 * $FAILING_CALLS is a file that says which: "ROUND N ERRNO", 0 for the kill; each new
 * ROUND begins to count again. $FAILING_BELOW are the directories, with : between them.
 * What was counted is in $FAILING_CALLS.log, a line each.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/fs.h>

/* in place of the C library's: all that is not static is seen */
#pragma GCC visibility push(default)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long round_seen = -1, count;

static bool is_below(const char *path)
{
	const char *below = getenv("FAILING_BELOW");

	while (below && *below) {
		size_t len = strcspn(below, ":");

		if (!strncmp(path, below, len) && (path[len] == '/' || !path[len]))
			return true;
		below += len + (below[len] == ':');
	}
	return false;
}

/* path at dir, or what the descriptor dir is where path is NULL or "". */
static bool resolve(int dir, const char *path, char out[2 * PATH_MAX])
{
	char link[64];
	ssize_t len = 0;

	if (path && !strncmp(path, "/proc/self/fd/", 14)) {
		dir = atoi(path + 14);
		path = NULL;
	}
	if (path && *path == '/') {
		snprintf(out, 2 * PATH_MAX, "%s", path);
		return true;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	len = syscall(SYS_readlink, link, out, PATH_MAX - 1);
	if (len < 0)
		return false;
	out[len] = '\0';
	if (path && *path)
		snprintf(out + len, 2 * PATH_MAX - len, "/%s", path);
	return true;
}

static void note(const char *call, const char *path, const char *outcome)
{
	char line[2 * PATH_MAX + 128], name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%s.log", getenv("FAILING_CALLS"));
	fd = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND, 0600);
	snprintf(line, sizeof(line), "%ld %s %s%s\n", count, call, path, outcome);
	if (fd >= 0) {
		syscall(SYS_write, fd, line, strlen(line));
		syscall(SYS_close, fd);
	}
}

/* 0: the call is to be made; else the errno it fails with. */
static int fails(const char *call, int dir, const char *path)
{
	char where[2 * PATH_MAX], text[64] = "";
	long round, at;
	int code, fd, saved = errno;

	if (!getenv("FAILING_CALLS") || !resolve(dir, path, where) || !is_below(where)) {
		errno = saved;
		return 0;
	}
	pthread_mutex_lock(&lock);
	fd = syscall(SYS_openat, AT_FDCWD, getenv("FAILING_CALLS"), O_RDONLY);
	if (fd >= 0) {
		syscall(SYS_read, fd, text, sizeof(text) - 1);
		syscall(SYS_close, fd);
	}
	if (sscanf(text, "%ld %ld %d", &round, &at, &code) != 3)
		at = code = round = -1;
	if (round != round_seen)
		count = 0;
	round_seen = round;
	count++;
	note(call, where, count != at ? "" : code ? " FAILED" : " KILLED");
	if (count == at && !code)
		syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	code = count == at ? code : 0;
	pthread_mutex_unlock(&lock);
	errno = saved;
	return code;
}

#define NEXT(name)                                                          \
	({                                                                  \
		static __typeof__(&name) next_;                             \
		if (!next_)                                                 \
			next_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
		next_;                                                      \
	})
#define FAIL_AS(call, dir, path)                    \
	do {                                        \
		int code_ = fails(call, dir, path); \
		if (code_) {                        \
			errno = code_;              \
			return -1;                  \
		}                                   \
	} while (0)

#define WRAP(type, name, params, args, dir, path) \
	type name params                          \
	{                                         \
		FAIL_AS(#name, dir, path);        \
		return NEXT(name) args;           \
	}

WRAP(int, mkdir, (const char *p, mode_t m), (p, m), AT_FDCWD, p)
WRAP(int, mkdirat, (int d, const char *p, mode_t m), (d, p, m), d, p)
WRAP(int, rmdir, (const char *p), (p), AT_FDCWD, p)
WRAP(int, unlink, (const char *p), (p), AT_FDCWD, p)
WRAP(int, unlinkat, (int d, const char *p, int f), (d, p, f), d, p)
WRAP(int, symlinkat, (const char *t, int d, const char *p), (t, d, p), d, p)
WRAP(int, linkat, (int d, const char *p, int e, const char *q, int f), (d, p, e, q, f), e,
     q)
WRAP(int, rename, (const char *p, const char *q), (p, q), AT_FDCWD, q)
WRAP(int, renameat, (int d, const char *p, int e, const char *q), (d, p, e, q), e, q)
WRAP(int, renameat2, (int d, const char *p, int e, const char *q, unsigned f),
     (d, p, e, q, f), e, q)
WRAP(int, fsync, (int fd), (fd), fd, NULL)
WRAP(int, fdatasync, (int fd), (fd), fd, NULL)
WRAP(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n), fd, NULL)
WRAP(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o), fd,
     NULL)
WRAP(int, ftruncate64, (int fd, off64_t n), (fd, n), fd, NULL)
WRAP(int, truncate64, (const char *p, off64_t n), (p, n), AT_FDCWD, p)
WRAP(int, fallocate64, (int fd, int m, off64_t o, off64_t n), (fd, m, o, n), fd, NULL)
WRAP(int, fchmod, (int fd, mode_t m), (fd, m), fd, NULL)
WRAP(int, chmod, (const char *p, mode_t m), (p, m), AT_FDCWD, p)
WRAP(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g), fd, NULL)
WRAP(int, fchownat, (int d, const char *p, uid_t u, gid_t g, int f), (d, p, u, g, f), d,
     p)
WRAP(ssize_t, copy_file_range,
     (int f, off64_t *fo, int t, off64_t *to, size_t n, unsigned g), (f, fo, t, to, n, g),
     t, NULL)

static bool makes(int flags)
{
	return (flags & O_CREAT) || (flags & O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE;
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (makes(flags))
		FAIL_AS("open", AT_FDCWD, path);
	return NEXT(open64)(path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (makes(flags))
		FAIL_AS("openat", dir, path);
	return NEXT(openat64)(dir, path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == FICLONERANGE)
		FAIL_AS("ioctl", fd, NULL);
	return NEXT(ioctl)(fd, request, arg);
}
