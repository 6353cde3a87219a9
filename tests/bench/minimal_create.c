/*
 * The least low-level libfuse filesystem whose files are made by a command, in one thread:
 * minimal_create MOUNT COMMAND [ARGUMENT...] appends the name to it, and the file is there
 * when it has ended. What a volume made by touch takes at least where a tool makes it.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "minimal_session.h"

#define FIRST_INO  2
#define NAME_BYTES 256
#define WORDS      16

static char *command[WORDS + 2]; /* the name, and NULL */
static int words;
static char newest[NAME_BYTES];
static fuse_ino_t last = FIRST_INO - 1;

static void fill(fuse_ino_t ino, struct stat *st)
{
	*st = (struct stat){ .st_ino = ino, .st_nlink = 1 };
	st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
}

static int run(char *name)
{
	int status;
	pid_t pid;

	command[words] = name;
	if (posix_spawnp(&pid, command[0], NULL, NULL, command, environ) != 0 ||
	    waitpid(pid, &status, 0) < 0)
		return -1;
	return status;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .ino = last };

	(void)parent;
	fill(last, &e.attr);
	if (strcmp(name, newest) != 0)
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &e);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	struct fuse_entry_param e = { .attr_timeout = 1, .entry_timeout = 1 };

	(void)parent;
	(void)mode;
	snprintf(newest, sizeof(newest), "%s", name);
	if (run(newest) != 0) {
		fuse_reply_err(req, EIO);
		return;
	}
	e.ino = ++last;
	fill(last, &e.attr);
	fi->noflush = 1;
	fuse_reply_create(req, &e, fi);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	fill(ino, &st);
	fuse_reply_attr(req, &st, 1);
}

/* Of the times that touch sets. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *to, int what,
		       struct fuse_file_info *fi)
{
	(void)to;
	(void)what;
	op_getattr(req, ino, fi);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.create = op_create,
	.getattr = op_getattr,
	.setattr = op_setattr,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	if (argc < 3 || argc > 2 + WORDS)
		return 2;
	words = argc - 2;
	memcpy(command, argv + 2, words * sizeof(*argv));
	return serve(&args, &ops, argv[1], false);
}
