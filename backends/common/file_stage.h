/* A hidden directory beside the volumes, where a file is made before it gets its name. */
#pragma once

#include "backends/common/file_pool.h"

struct stage {
	struct file_pool *pool;
	int dir; /* -1: none */
	char name[32];
	char file[256]; /* what is made in it */
};
#define STAGE_INIT        \
	{                 \
		.dir = -1 \
	}

/* Directories are no volumes, so nobody sees this one in a listing. */
int stage_open(struct stage *s, struct file_pool *fp, const char *file,
	       struct error *err);

/* Gives the file its name in the pool, which must be free (-EEXIST). */
int stage_commit(struct stage *s, struct error *err);

/* Removes the directory and what was not committed. */
void stage_close(struct stage *s);

/* Removes those that nobody uses any more: their daemon was killed. What cannot be
 * removed stays. */
void stage_sweep(struct file_pool *fp);

#define AUTO_STAGE CLEANUP(stage_close)
