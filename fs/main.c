/* The daemon: start, signals, end, exit status. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/model/executor.h"
#include "backends/model/job.h"
#include "backends/model/pools.h"
#include "backends/support/clock.h"
#include "backends/support/cpus.h"
#include "backends/support/log.h"
#include "backends/support/run.h"
#include "fs/daemon.h"
#include "fs/file.h"
#include "fs/inode.h"
#include "fs/mountpoint.h"
#include "fs/notify.h"
#include "fs/options.h"
#include "fs/parked.h"
#include "fs/session.h"
#include "nodes/node.h"

#define FILES_MOST ((rlim_t)1 << 20) /* as the systemd unit has it */

/* -- paths -- */

/* The path from the root, with links resolved where it exists. */
static int make_absolute(char **path, struct error *err)
{
	char *full = realpath(*path, NULL);
	AUTO_FREE char *cwd = NULL;

	if (!full && (*path)[0] != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return error_errno(err, "cannot tell the current directory");
		if (asprintf(&full, "%s/%s", cwd, *path) < 0)
			return error_set(err, ENOMEM, "out of memory");
	}
	if (full) {
		free(*path);
		*path = full;
	}
	return 0;
}

static int check_mountpoint(struct options *o, struct error *err)
{
	struct stat st;

	if (mountpoint_clear(o->source, o->mountpoint, err) < 0 ||
	    make_absolute(&o->mountpoint, err) < 0)
		return -err->code;
	if (mountpoint_taken(o->mountpoint, NULL))
		return error_set(err, EBUSY, "'%s' has a storagefs mounted on it already",
				 o->mountpoint);
	if (stat(o->mountpoint, &st) < 0)
		return error_errno(err, "cannot mount on '%s'", o->mountpoint);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR,
				 "cannot mount on '%s': it is not a directory",
				 o->mountpoint);
	return 0;
}

/* -- start and end -- */

static int open_layers(const struct options *o, struct error *err)
{
	const struct model_options model = {
		.source = o->source, .read_only = o->read_only,
		.no_autostart = o->no_autostart, .protect = o->protect,
		.timeout_s = o->timeout_s, .mountpoint = o->mountpoint,
	};
	const struct nodes_options nodes = { .uid = o->uid,
					     .gid = o->gid,
					     .mode = o->mode };
	int ret = model_open(&model, err);

	if (ret < 0)
		return ret;
	ret = nodes_open(&nodes, err);
	if (ret < 0)
		return ret;
	if (inode_open_table() < 0)
		return error_set(err, ENOMEM, "out of memory");
	ret = session_mount(o, err);
	return ret < 0 ? ret : notify_open(err);
}

static int start(struct options *o, struct error *err)
{
	int ret = make_absolute(&o->source, err);

	cpus_note();
	if (ret == 0)
		ret = check_mountpoint(o, err);
	if (ret == 0)
		ret = open_layers(o, err);
	if (ret == 0)
		ret = session_serve(err);
	return ret;
}

static void wait_for_end(const sigset_t *signals, bool *unmounted)
{
	int sig;

	do
		sigwait(signals, &sig);
	while (sig != SIGTERM && sig != SIGINT && sig != SIGUSR2);
	*unmounted = sig == SIGUSR2;
}

/* Something does not come back: it is named, and left to the kernel. */
static void give_up(const char *what)
{
	log_error("%s did not end in time; storagefs ends without it", what);
	_exit(EXIT_FAILURE);
}

/* In this order: nobody waits for an answer when the mount goes, no thread runs when
 * memory does. */
static void end(bool unmounted)
{
	unsigned timeout_ms = model_options()->timeout_s * 1000;
	char stuck[POOL_NAME_MAX + 10] = "pool '";
	size_t len = strlen(stuck);

	daemon_notify("STOPPING=1");
	jobs_cancel_all();
	parked_close();
	if (!unmounted)
		session_unmount();
	if (!session_stop(timeout_ms))
		give_up("a request");
	if (!notify_close(timeout_ms))
		give_up("a notification of the kernel");
	file_close_all();
	/* what is still under way uses inodes and pools */
	if (!model_settle(timeout_ms, stuck + len, POOL_NAME_MAX)) {
		strcat(stuck, "'");
		give_up(stuck);
	}
	inode_close_table();
	session_close();
	nodes_close();
	model_close(timeout_ms);
}

static int run(struct options *o, const sigset_t *signals)
{
	struct error err = { 0 };
	bool unmounted;

	if (start(o, &err) < 0) {
		if (session_fuse())
			session_unmount();
		daemon_report(EXIT_MOUNT, &err);
		/* what else was opened ends with the process */
		_exit(EXIT_MOUNT);
	}
	daemon_report(EXIT_OK, NULL);
	model_autostart();
	daemon_notify("READY=1");
	wait_for_end(signals, &unmounted);
	end(unmounted);
	return EXIT_OK;
}

/* -- the command line -- */

static int print_help(void)
{
	AUTO_BUF struct buf text = { 0 };

	if (options_help(&text) < 0)
		return EXIT_SYSTEM;
	fputs(text.data, stdout);
	return EXIT_OK;
}

/* Each open volume takes one: as many as we may have, but not so many that a tool which
 * closes all of them takes its time. */
static void raise_files_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = MAX(files.rlim_cur, MIN(files.rlim_max, FILES_MOST));
	setrlimit(RLIMIT_NOFILE, &files);
}

/* All are blocked before the first thread, and taken by sigwait. */
static void block_signals(sigset_t *taken)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* who started us may have wanted no ends of tools */
	sigemptyset(taken);
	sigaddset(taken, SIGTERM);
	sigaddset(taken, SIGINT);
	sigaddset(taken, SIGHUP);
	sigaddset(taken, SIGUSR2);
}

static int run_daemon(struct options *o)
{
	struct error err = { 0 };
	sigset_t signals;

	if (!o->foreground && daemon_detach(&err) < 0) {
		fprintf(stderr, "storagefs: %s\n", err.text);
		return EXIT_SYSTEM;
	}
	log_open(o->foreground ? LOG_TO_STDERR : LOG_TO_SYSLOG, o->debug);
	raise_files_limit();
	block_signals(&signals);
	return run(o, &signals);
}

static void cleanup_options(struct options *o)
{
	options_free(o);
}

int main(int argc, char **argv)
{
	CLEANUP(cleanup_options) struct options o;
	struct error err = { 0 };

	daemon_standard_fds();
	options_init(&o);
	if (options_parse(&o, argc, argv, &err) < 0) {
		fprintf(stderr, "storagefs: %s\n", err.text);
		return EXIT_USAGE;
	}
	if (o.help)
		return print_help();
	if (o.version) {
		printf("storagefs %s\n", STORAGEFS_VERSION);
		return EXIT_OK;
	}
	return run_daemon(&o);
}
