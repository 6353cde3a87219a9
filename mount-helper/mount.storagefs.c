/*
 * mount.storagefs: what mount(8) runs for `mount -t storagefs` and for fstab.
 *
 * It only translates: a mount becomes storagefs' own command line, a remount an ioctl on
 * the root of the mount and a mount(2). Exit codes are mount(8)'s.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backends/support/buf.h"
#include "backends/support/cleanup.h"
#include "backends/support/error.h"
#include "backends/support/remount.h"
#include "mount-helper/options.h"

enum { EXIT_USAGE = 1, EXIT_SYSTEM = 2, EXIT_MOUNT = 32 };

struct arguments {
	const char *source, *target;
	struct mount_options options;
	bool fake, sloppy, verbose;
};

static int fail(int code, const struct error *err)
{
	fprintf(stderr, "mount.storagefs: %s\n", err->text);
	return code;
}

static int usage(void)
{
	fputs("usage: mount.storagefs SOURCE TARGET [-fnsv] [-o OPTIONS]\n", stderr);
	return EXIT_USAGE;
}

/* Operands may stand before, between and behind the options, as mount(8) puts them. */
static int read_arguments(int argc, char **argv, struct arguments *a, struct error *err)
{
	AUTO_BUF struct buf list = { 0 }; /* all of them: -s may stand behind -o */
	int c;

	while ((c = getopt(argc, argv, "fnsvo:t:")) != -1) {
		switch (c) {
		case 'f':
			a->fake = true;
			break;
		case 's':
			a->sloppy = true;
			break;
		case 'v':
			a->verbose = true;
			break;
		case 'o':
			if (buf_printf(&list, "%s,", optarg) < 0)
				return error_set(err, ENOMEM,
						 "no memory for the options");
			break;
		case 'n': /* there is no mtab to leave alone */
		case 't': /* the type that we were found by */
			break;
		default:
			return -EINVAL;
		}
	}
	if (argc - optind != 2)
		return -EINVAL;
	a->source = argv[optind];
	a->target = argv[optind + 1];
	return mount_options_add(&a->options, buf_text(&list), a->sloppy, err);
}

/* The daemon beside us, in the build tree that we are in, or where it is installed. */
static int find_daemon(char *path, size_t size, struct error *err)
{
	static const char *const places[] = { "storagefs", "../fs/storagefs" };
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len > 0) {
		self[len] = '\0';
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
			int n = snprintf(path, size, "%s/%s", self, places[i]);

			if (n > 0 && (size_t)n < size && access(path, X_OK) == 0)
				return 0;
		}
	}
	snprintf(path, size, "%s/storagefs", SBINDIR);
	if (access(path, X_OK) < 0)
		return error_errno(err, "cannot run the daemon %s", path);
	return 0;
}

/* Replaces this process by the daemon, which answers when it has mounted or failed. */
static int run_daemon(const struct arguments *a, struct error *err)
{
	AUTO_FREE char *absolute =
		realpath(a->source, NULL); /* NULL: the daemon says why not */
	const char *options = buf_text(&a->options.daemon);
	char daemon[PATH_MAX * 2];
	const char *argv[] = { "storagefs", absolute ? absolute : a->source, a->target,
			       *options ? "-o" : NULL, options, NULL };

	if (find_daemon(daemon, sizeof(daemon), err) < 0)
		return fail(EXIT_SYSTEM, err);
	if (a->verbose)
		printf("%s %s %s%s%s\n", daemon, argv[1], a->target,
		       *options ? " -o " : "", options);
	fflush(stdout);
	if (a->fake)
		return 0;
	execv(daemon, (char **)argv);
	error_errno(err, "cannot run the daemon %s", daemon);
	return fail(EXIT_SYSTEM, err);
}

/* The flags that the mount has, so that a remount changes only what was asked for. */
static unsigned long current_flags(const struct statvfs *st)
{
	static const struct {
		unsigned long st, ms;
	} flags[] = {
		{ ST_RDONLY, MS_RDONLY },           { ST_NOSUID, MS_NOSUID },
		{ ST_NODEV, MS_NODEV },             { ST_NOEXEC, MS_NOEXEC },
		{ ST_SYNCHRONOUS, MS_SYNCHRONOUS }, { ST_NOATIME, MS_NOATIME },
		{ ST_NODIRATIME, MS_NODIRATIME },   { ST_RELATIME, MS_RELATIME },
	};
	unsigned long result = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (st->f_flag & flags[i].st)
			result |= flags[i].ms;
	return result;
}

static int ask_daemon(int root, bool read_only, unsigned timeout_s, const char *target,
		      struct error *err)
{
	struct remount r = { .read_only = read_only, .timeout_s = timeout_s };

	if (ioctl(root, STORAGEFS_REMOUNT, &r) == 0)
		return 0;
	if (errno == ENOTTY || errno == ENOSYS)
		return error_set(err, EINVAL,
				 "cannot remount %s: it is not a storagefs mount",
				 target);
	if (r.why[0])
		return error_set(err, errno, "cannot remount %s: %.*s", target,
				 (int)sizeof(r.why), r.why);
	return error_errno(err, "cannot remount %s", target);
}

/* The daemon first: it may refuse (SOURCE is locked, or on a read-only filesystem). */
static int remount(const struct arguments *a, struct error *err)
{
	AUTO_FD int root = open(a->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned long before, after;
	struct statvfs st;

	if (root < 0 || fstatvfs(root, &st) < 0)
		return error_errno(err, "cannot remount %s", a->target);
	before = current_flags(&st);
	after = (before | a->options.set) & ~a->options.clear;
	if (ask_daemon(root, after & MS_RDONLY, a->options.timeout_s, a->target, err) < 0)
		return -err->code;
	if (mount(NULL, a->target, NULL, MS_REMOUNT | after, NULL) == 0)
		return 0;
	error_errno(err, "cannot remount %s", a->target);
	ask_daemon(root, before & MS_RDONLY, 0, a->target, NULL);
	return -err->code;
}

static int run(struct arguments *a)
{
	struct error err = { 0 };

	if (!a->options.remount)
		return run_daemon(a, &err);
	if (a->verbose)
		printf("remount %s\n", a->target);
	if (!a->fake && remount(a, &err) < 0)
		return fail(EXIT_MOUNT, &err);
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments a = { 0 };
	struct error err = { 0 };
	int r;

	if (read_arguments(argc, argv, &a, &err) < 0)
		r = err.code ? fail(EXIT_USAGE, &err) : usage();
	else
		r = run(&a);
	mount_options_free(&a.options);
	return r;
}
