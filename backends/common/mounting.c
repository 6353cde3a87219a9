/* Mounts, and the kernel's list of them. */
#include "backends/common/mounting.h"

#include <errno.h>
#include <libgen.h>
#include <libmount.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "backends/common/holder.h"
#include "backends/common/file_pool.h"
#include "backends/common/file_volumes.h"
#include "backends/support/clock.h"

#define MAX_LINKS 40 /* as the kernel's */
#define DEFAULTS  "nodev,nosuid,noexec"

/* What the kernel itself lets go of late: a file that FUSE passed through. */
#define GRACE_NS (2 * NS_PER_S)
#define PAUSE_NS (20 * NS_PER_MS)

DEFINE_CLEANUP(cleanup_table, struct libmnt_table *, mnt_unref_table)
DEFINE_CLEANUP(cleanup_iter, struct libmnt_iter *, mnt_free_iter)
DEFINE_CLEANUP(cleanup_context, struct libmnt_context *, mnt_free_context)

void mounted_clear(struct mounted *m)
{
	free(m->source);
	free(m->target);
	free(m->type);
	free(m->root);
	*m = (struct mounted){ 0 };
}

static int read_table(struct libmnt_table **out, struct error *err)
{
	*out = mnt_new_table_from_file("/proc/self/mountinfo");
	return *out ? 0
		    : error_errno(err, "cannot read the list of mounts "
				       "(/proc/self/mountinfo)");
}

static char *copy(const char *text)
{
	return strdup(text ? text : "");
}

static int fill(struct libmnt_fs *fs, struct mounted *out, struct error *err)
{
	AUTO_MOUNTED struct mounted m = {
		.id = mnt_fs_get_id(fs),
		.device = mnt_fs_get_devno(fs),
		.source = copy(mnt_fs_get_source(fs)),
		.target = copy(mnt_fs_get_target(fs)),
		.type = copy(mnt_fs_get_fstype(fs)),
		.root = copy(mnt_fs_get_root(fs)),
	};

	if (!m.source || !m.target || !m.type || !m.root)
		return error_code(err, ENOMEM, "cannot read the list of mounts");
	mounted_clear(out);
	*out = m;
	m = (struct mounted){ 0 };
	return 1;
}

/* The last mount at the path, or NULL. */
static struct libmnt_fs *find_at(struct libmnt_table *table, const char *path)
{
	CLEANUP(cleanup_iter) struct libmnt_iter *i = mnt_new_iter(MNT_ITER_BACKWARD);
	struct libmnt_fs *fs;

	while (i && !mnt_table_next_fs(table, i, &fs)) {
		const char *target = mnt_fs_get_target(fs);

		if (target && !strcmp(target, path))
			return fs;
	}
	return NULL;
}

/* Its directory followed through links, its last name not. */
static int follow_parents(const char *path, char out[PATH_MAX])
{
	char one[PATH_MAX], two[PATH_MAX], parent[PATH_MAX];

	if (snprintf(one, sizeof(one), "%s", path) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(two, one);
	if (!realpath(dirname(one), parent))
		return -1;
	if (!strcmp(basename(two), "/")) {
		strcpy(out, parent);
		return 0;
	}
	if (snprintf(out, PATH_MAX, "%s/%s", strcmp(parent, "/") ? parent : "",
		     basename(two)) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/*
 * Where mount(2) would mount. A link is looked at only where nothing is mounted on its
 * name: what is mounted may not answer.
 */
static int find_path(struct libmnt_table *table, const char *path, struct libmnt_fs **out,
		     struct error *err)
{
	char at[PATH_MAX], link[PATH_MAX], next[PATH_MAX];

	snprintf(next, sizeof(next), "%s", path);
	for (int i = 0; i < MAX_LINKS; i++) {
		ssize_t n;

		if (follow_parents(next, at) < 0)
			return errno == ENOENT
				       ? 0
				       : error_errno(err, "cannot look up '%s'", path);
		*out = find_at(table, at);
		if (*out)
			return 1;
		n = readlink(at, link, sizeof(link) - 1);
		if (n < 0)
			return 0;
		link[n] = '\0';
		if (link[0] == '/')
			snprintf(next, sizeof(next), "%s", link);
		else if (snprintf(next, sizeof(next), "%s/%s", dirname(at), link) >=
			 PATH_MAX)
			break;
	}
	return error_code(err, ELOOP, "cannot look up '%s'", path);
}

int mounting_find(const char *path, struct mounted *out, struct error *err)
{
	CLEANUP(cleanup_table) struct libmnt_table *table = NULL;
	struct libmnt_fs *fs = NULL;
	int r = read_table(&table, err);

	if (r == 0)
		r = find_path(table, path, &fs, err);
	return r > 0 ? fill(fs, out, err) : r;
}

/* The mount that an open file is in. 0: it is mounted no longer. */
static int find_of(int fd, struct mounted *out, struct error *err)
{
	CLEANUP(cleanup_table) struct libmnt_table *table = NULL;
	CLEANUP(cleanup_iter) struct libmnt_iter *i = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	int id = holder_mount_id(getpid(), fd);
	int r = read_table(&table, err);

	if (r < 0)
		return r;
	if (id < 0)
		return error_code(err, -id,
				  "cannot tell what a directory is mounted from");
	while (i && !mnt_table_next_fs(table, i, &fs))
		if (mnt_fs_get_id(fs) == id)
			return fill(fs, out, err);
	return 0;
}

int mounting_held(int dir, const char *target, struct mounted *out, struct error *err)
{
	AUTO_MOUNTED struct mounted top = { 0 };
	int r = find_of(dir, out, err);

	if (r <= 0)
		return r;
	r = mounting_find(target, &top, err);
	if (r > 0 && top.id != out->id)
		return error_set(
			err, EBUSY,
			"'%s' (%s) was mounted over the pool on '%s': unmount it "
			"first",
			top.source, top.type, target);
	return r;
}

int mounting_check_target(const struct pool_spec *spec, struct error *err)
{
	if (spec->target && spec->target[0] == '/')
		return 0;
	return error_set(err, EINVAL, "the pool's target path must be absolute, not '%s'",
			 spec->target ? spec->target : "");
}

int mounting_check_directory(const struct pool_spec *spec, struct error *err)
{
	struct stat st;

	if (stat(spec->target, &st) < 0 && errno == ENOENT)
		return error_set(err, ENOENT,
				 "directory '%s' does not exist: not built yet: echo "
				 "build > ctl",
				 spec->target);
	return 0; /* mount says the rest */
}

int mounting_refuse(const struct mounted *m, const struct pool_spec *spec,
		    const char *what, struct error *err)
{
	return error_set(err, EBUSY,
			 "'%s' (%s) is mounted on '%s', and that is not '%s': unmount it "
			 "first",
			 m->source, m->type, spec->target, what);
}

int mounting_refresh(void *pool, struct call *call, struct error *err)
{
	AUTO_MOUNTED struct mounted m = { 0 };
	struct file_pool *fp = pool;
	int r = mounting_held(fp->dir, fp->target, &m, err);

	if (r < 0)
		return r;
	if (r == 0)
		return error_set(
			err, EIO,
			"what the pool mounted was unmounted from '%s': stop the "
			"pool and start it again",
			fp->target);
	return file_pool_refresh(pool, call, err);
}

char *mounting_options(const struct pool_spec *spec, const char *more)
{
	AUTO_BUF struct buf b = { 0 };
	int r = buf_puts(&b, DEFAULTS);

	if (!r && more && *more)
		r = buf_printf(&b, ",%s", more);
	for (size_t i = 0; !r && i < spec->n_options; i++)
		r = buf_printf(&b, ",%s", spec->options[i].name);
	return r ? NULL : buf_take(&b);
}

static int mount_failed(struct libmnt_context *c, int rc, const char *source,
			const char *target, const char *type, struct error *err)
{
	char said[256] = "";
	int code;

	mnt_context_get_excode(c, rc, said, sizeof(said));
	code = mnt_context_syscall_called(c) ? mnt_context_get_syscall_errno(c) : -rc;
	if (code <= 0 || code >= 4096) /* libmount's own begin behind errno's */
		code = EINVAL;
	if (code == ENODEV)
		return error_set(
			err, EOPNOTSUPP,
			"cannot mount '%s' on '%s': the kernel has no driver for "
			"%s filesystems (modprobe %s)",
			source, target, type, type);
	return error_set(err, code, "cannot mount '%s' (%s) on '%s': %s", source, type,
			 target, *said ? said : strerror(code));
}

int mounting_mount(const char *source, const char *target, const char *type,
		   const char *options, struct error *err)
{
	CLEANUP(cleanup_context) struct libmnt_context *c = mnt_new_context();
	int rc;

	if (!c || mnt_context_disable_helpers(c, 1) ||
	    /* the definition alone says how: no line of fstab does */
	    mnt_context_set_optsmode(c, MNT_OMODE_NOTAB) ||
	    mnt_context_set_source(c, source) || mnt_context_set_target(c, target) ||
	    mnt_context_set_fstype(c, type))
		return error_code(err, ENOMEM, "cannot mount '%s'", source);
	if (mnt_context_set_options(c, options))
		return error_set(err, EINVAL, "'%s' cannot be options of a mount",
				 options);
	rc = mnt_context_mount(c);
	return rc ? mount_failed(c, rc, source, target, type, err) : 0;
}

/* 0, or the errno of umount(2). */
static int try_umount(const char *target)
{
	CLEANUP(cleanup_context) struct libmnt_context *c = mnt_new_context();
	int rc;

	if (!c || mnt_context_disable_helpers(c, 1) || mnt_context_set_target(c, target))
		return ENOMEM;
	rc = mnt_context_umount(c);
	if (!rc)
		return 0;
	return mnt_context_syscall_called(c) ? mnt_context_get_syscall_errno(c) : EINVAL;
}

int mounting_umount(const struct mounted *m, struct call *call, struct error *err)
{
	const struct timespec pause = clock_timespec(PAUSE_NS);
	uint64_t until = clock_now() + GRACE_NS;
	AUTO_BUF struct buf who = { 0 };
	int code;

	while ((code = try_umount(m->target)) == EBUSY) {
		if (holder_of_mount(m->id, m->target, &who))
			return error_set(err, EBUSY, "'%s' is in use: %s", m->target,
					 buf_text(&who));
		if (clock_now() > until || call_check(call, NULL) < 0)
			return error_set(
				err, EBUSY,
				"'%s' is in use, though no process shows it: look "
				"with fuser -vm",
				m->target);
		nanosleep(&pause, NULL);
	}
	return code ? error_code(err, code, "cannot unmount '%s'", m->target) : 0;
}
