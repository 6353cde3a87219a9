/*
 * Marks of running pools: a file each, that holds the pool's UUID.
 *
 * `lock` keeps the directory from being removed while a mark is made in it.
 */
#include "backends/model/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/support/cleanup.h"
#include "backends/support/log.h"
#include "backends/support/map.h"
#include "backends/support/spec.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char base[PATH_MAX / 2], directory[PATH_MAX]; /* "": nowhere */

void marks_open(const char *source)
{
	const char *run = geteuid() ? getenv("XDG_RUNTIME_DIR") : "/run";
	char real[PATH_MAX];

	*directory = '\0';
	if (!run || *run != '/' || !realpath(source, real))
		return;
	snprintf(base, sizeof(base), "%s/storagefs", run);
	snprintf(directory, sizeof(directory), "%s/%016llx", base,
		 (unsigned long long)hash_string(real, 0));
}

static bool mark_path(const char *pool, char path[PATH_MAX])
{
	return *directory &&
	       snprintf(path, PATH_MAX, "%s/%s", directory, pool) < PATH_MAX;
}

void mark_set(const char *pool, const char *uuid)
{
	char path[PATH_MAX];

	if (!mark_path(pool, path))
		return;

	SCOPED_LOCK(&lock);
	mkdir(base, 0755);
	mkdir(directory, 0700);

	AUTO_FD int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || write(fd, uuid, strlen(uuid)) < 0)
		log_warning("cannot note in '%s' that pool '%s' is running: %s", path,
			    pool, strerror(errno));
}

void mark_clear(const char *pool)
{
	char path[PATH_MAX];

	if (!mark_path(pool, path))
		return;

	SCOPED_LOCK(&lock);
	unlink(path);
	rmdir(directory); /* the last one's is empty */
}

bool mark_is_set(const char *pool, const char *uuid)
{
	char path[PATH_MAX], text[UUID_TEXT] = "";

	if (!mark_path(pool, path))
		return false;

	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && !strcmp(text, uuid);
}
