/* Opening the file below an image. Identities are changed for the calling thread only. */
#include "backends/common/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

/* The thread's identity while it opens for someone else; the C library's calls change all
 * threads. */
struct identity {
	bool changed;
	int n_groups;
	gid_t groups[256];
};

static void become(struct identity *was, const struct call *call)
{
	was->changed = !geteuid() && call && (call->uid || call->gid);
	if (!was->changed)
		return;
	was->n_groups =
		getgroups(sizeof(was->groups) / sizeof(*was->groups), was->groups);
	syscall(SYS_setgroups, 0, NULL);
	setfsgid(call->gid);
	setfsuid(call->uid);
}

static void return_from(struct identity *was)
{
	if (!was->changed)
		return;
	setfsuid(geteuid());
	setfsgid(getegid());
	if (was->n_groups > 0)
		syscall(SYS_setgroups, was->n_groups, was->groups);
}

/* A path through /proc/self would mean our own descriptors. */
static int open_path(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_NO_MAGICLINKS };
	int fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd < 0 && (errno == ENOSYS || errno == EPERM) && strncmp(path, "/proc/", 6))
		fd = open(path, O_PATH | O_CLOEXEC);
	return fd;
}

static int open_checked(const char *path, struct stat *st, struct error *err)
{
	AUTO_FD int named = open_path(path);
	char again[32];
	int fd;

	if (named < 0 || fstat(named, st) < 0)
		return error_errno(err, "cannot open the backing image '%s'", path);
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return error_set(err, EINVAL,
				 "the backing image '%s' is neither a file nor a block "
				 "device",
				 path);
	snprintf(again, sizeof(again), "/proc/self/fd/%d", named);
	fd = open(again, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? error_errno(err, "cannot open the backing image '%s'", path) : fd;
}

int backing_open(const char *path, const struct call *call, struct stat *st,
		 struct error *err)
{
	struct identity was;
	int fd;

	become(&was, call);
	fd = open_checked(path, st, err);
	return_from(&was);
	return fd;
}

int backing_path(const char *dir, const char *path, char **out, struct error *err)
{
	size_t plain = strcspn(path, ":/");
	int r;

	if (!strncmp(path, "file:", 5))
		path += 5;
	else if (path[plain] == ':')
		return error_set(err, EOPNOTSUPP,
				 "the backing image '%s' is not a file: qemu-img can "
				 "work with it",
				 path);
	r = *path == '/' ? asprintf(out, "%s", path) : asprintf(out, "%s/%s", dir, path);
	if (r < 0) {
		*out = NULL;
		return error_code(err, ENOMEM, "cannot open a backing image");
	}
	return 0;
}
