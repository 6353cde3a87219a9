/* A hidden directory beside the volumes, where a file is made before it gets its name. */
#include "backends/common/file_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TRIES 8

int stage_open(struct stage *s, struct file_pool *fp, const char *file, struct error *err)
{
	uint64_t random;
	int r = -1;

	for (int i = 0; r < 0 && i < TRIES; i++) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return error_errno(err, "cannot get random bytes");
		snprintf(s->name, sizeof(s->name), ".storagefs-%016llx",
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
