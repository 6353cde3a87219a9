/*
 * A hidden directory beside the volumes, where a file is made before it gets its name.
 *
 * Whoever uses one holds its flock, so that what a killed daemon has left is known from
 * what another is making now.
 */
#include "backends/common/file_stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>

#include "backends/support/log.h"

#define TRIES  8
#define PREFIX ".storagefs-"
#define DIGITS 16
#define YOUNG  60 /* seconds in which one may not be locked yet */

int stage_open(struct stage *s, struct file_pool *fp, const char *file, struct error *err)
{
	uint64_t random;
	int r = -1;

	for (int i = 0; r < 0 && i < TRIES; i++) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return error_errno(err, "cannot get random bytes");
		snprintf(s->name, sizeof(s->name), PREFIX "%016llx",
			 (unsigned long long)random);
		r = mkdirat(fp->dir, s->name, 0700);
		if (r < 0 && errno != EEXIST)
			break;
	}
	if (r < 0)
		return file_fail(fp, "create", file, err);
	s->pool = fp;
	snprintf(s->file, sizeof(s->file), "%s", file);
	s->dir =
		openat(fp->dir, s->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir < 0) {
		r = file_fail(fp, "create", file, err);
		unlinkat(fp->dir, s->name, AT_REMOVEDIR);
		return r;
	}
	flock(s->dir, LOCK_EX | LOCK_NB); /* where there are none, age alone tells */
	return 0;
}

int stage_commit(struct stage *s, struct error *err)
{
	if (rename_noreplace(s->dir, s->file, s->pool->dir, s->file) < 0)
		return file_fail(s->pool, "create", s->file, err);
	return 0;
}

void stage_close(struct stage *s)
{
	if (s->dir < 0)
		return;
	unlinkat(s->dir, s->file, 0);
	close(take_fd(&s->dir));
	unlinkat(s->pool->dir, s->name, AT_REMOVEDIR);
}

/* -- what a killed daemon has left -- */

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)

static DIR *open_list(int dir)
{
	AUTO_FD int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d)
		take_fd(&fd);
	return d;
}

static bool is_stage(const char *name)
{
	size_t len = strlen(PREFIX);

	return !strncmp(name, PREFIX, len) && strlen(name) == len + DIGITS &&
	       strspn(name + len, "0123456789abcdef") == DIGITS;
}

/* Removes the one regular file that it may hold; false: it holds something else. */
static bool empty_stage(int dir)
{
	CLEANUP(cleanup_dir) DIR *d = open_list(dir);
	char name[256] = "";
	struct dirent *e;
	struct stat st;

	if (!d)
		return false;
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (*name || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			return false;
		snprintf(name, sizeof(name), "%s", e->d_name);
	}
	return !*name || unlinkat(dir, name, 0) == 0;
}

static void sweep(struct file_pool *fp, const char *name)
{
	AUTO_FD int dir =
		openat(fp->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0 || st.st_uid != geteuid() ||
	    time(NULL) - st.st_mtime < YOUNG || flock(dir, LOCK_EX | LOCK_NB) < 0)
		return;
	if (empty_stage(dir) && unlinkat(fp->dir, name, AT_REMOVEDIR) == 0)
		log_info("removed '%s/%s', which a daemon that was killed has left",
			 fp->target, name);
}

void stage_sweep(struct file_pool *fp)
{
	CLEANUP(cleanup_dir) DIR *d = open_list(fp->dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (is_stage(e->d_name))
			sweep(fp, e->d_name);
}
