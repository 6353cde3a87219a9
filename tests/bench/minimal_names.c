/*
 * The least low-level libfuse filesystem that shows the files of one directory: what FUSE
 * takes to list, make and resize them. minimal_names MOUNT DIRECTORY, in one thread.
 * Inode numbers are the files' own, and small: those of a filesystem made for names.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "minimal_session.h"

#define INODES	(1 << 20)
#define ENTRY_S 60
#define ATTR_S	1

static int directory;
static char *names[INODES];

static void remember(const struct stat *st, const char *name)
{
	char **known = &names[st->st_ino % INODES];

	if (*known && strcmp(*known, name) == 0)
		return;
	free(*known);
	*known = strdup(name);
}

static int look(const char *name, struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){ .attr_timeout = ATTR_S,
					.entry_timeout = ENTRY_S };
	if (fstatat(directory, name, &e->attr, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	e->ino = e->attr.st_ino;
	remember(&e->attr, name);
	return 0;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;

	if (look(name, &e) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_entry(req, &e);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const char *name = ino == FUSE_ROOT_ID ? "." : names[ino % INODES];
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, ATTR_S);
}

/* As touch(1) and truncate(1) do it: times come by inode, the size by an open file. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	const char *name = names[ino % INODES];
	struct stat st;

	if ((fi ? ftruncate(fi->fh, attr->st_size)
		: utimensat(directory, name, NULL, 0)) < 0 ||
	    fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, ATTR_S);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	struct fuse_entry_param e;
	int fd = openat(directory, name, fi->flags | O_CREAT | O_CLOEXEC, mode);

	if (fd < 0 || look(name, &e) < 0) {
		fuse_reply_err(req, EIO);
		return;
	}
	fi->fh = fd;
	fuse_reply_create(req, &e, fi);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd = openat(directory, names[ino % INODES], fi->flags | O_CLOEXEC);

	if (fd < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	fi->fh = fd;
	fuse_reply_open(req, fi);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	close(fi->fh);
	fuse_reply_err(req, 0);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, unlinkat(directory, name, 0) < 0 ? errno : 0);
}

struct reading {
	DIR *dir;
	struct dirent *next; /* did not fit into the last answer */
};

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct reading *r = calloc(1, sizeof(*r));

	r->dir = fdopendir(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	fi->fh = (uintptr_t)r;
	fuse_reply_open(req, fi);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	struct reading *r = (void *)(uintptr_t)fi->fh;
	char *answer = malloc(size);
	size_t used = 0;

	while (r->next || (r->next = readdir(r->dir))) {
		struct fuse_entry_param e = { .attr.st_mode = S_IFDIR };
		const char *name = r->next->d_name;
		size_t n;

		if (name[0] != '.' && look(name, &e) < 0)
			break;
		n = fuse_add_direntry_plus(req, answer + used, size - used, name, &e,
					   r->next->d_off);
		if (n > size - used)
			break;
		used += n;
		r->next = NULL;
	}
	fuse_reply_buf(req, answer, used);
	free(answer);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct reading *r = (void *)(uintptr_t)fi->fh;

	closedir(r->dir);
	free(r);
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.create = op_create,
	.open = op_open,
	.release = op_release,
	.unlink = op_unlink,
	.opendir = op_opendir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
};

int main(int argc, char **argv)
{
	char *own[] = { argv[0], "-o", "default_permissions", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, own);

	if (argc != 3 || (directory = open(argv[2], O_DIRECTORY | O_CLOEXEC)) < 0)
		return 2;
	return serve(&args, &ops, argv[1], false);
}
