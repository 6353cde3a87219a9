/* The measured client's work on names: making, listing, reading small files, mounting. */
#include "workload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define MOUNT_TIMEOUT_NS (20ull * 1000000000)

static pid_t start(char **args)
{
	pid_t pid = fork();

	if (pid < 0)
		die("cannot start '%s'", args[0]);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		prctl(PR_SET_PDEATHSIG, SIGTERM); /* a bench that is stopped stops us */
		dup2(null, STDOUT_FILENO);
		execvp(args[0], args);
		die("cannot run '%s'", args[0]);
	}
	return pid;
}

static void finish(pid_t pid, const char *name)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		die("cannot wait for '%s'", name);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	fprintf(stderr, "workload: '%s' failed (wait status %d)\n", name, status);
	exit(1);
}

static void enter(const char *directory)
{
	if (chdir(directory) < 0)
		die("cannot enter '%s'", directory);
}

static const char *nth_name(uint64_t i)
{
	static char name[256];

	snprintf(name, sizeof(name), "%s-%06ju", opt.prefix, (uintmax_t)i);
	return name;
}

/* touch, then truncate -s, each file in turn. */
void run_create(char **args)
{
	off_t size = strtoll(args[1], NULL, 10);

	enter(args[0]);
	meter_start();
	for (uint64_t i = 0; i < opt.count; i++) {
		const char *name = nth_name(i);
		int fd = open(name, O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK, 0666);

		if (fd < 0 || futimens(fd, NULL) < 0 || close(fd) < 0)
			die("cannot create '%s'", name);
		fd = open(name, O_WRONLY | O_CREAT | O_NONBLOCK, 0666);
		if (fd < 0 || ftruncate(fd, size) < 0 || close(fd) < 0)
			die("cannot resize '%s'", name);
	}
	meter_stop(opt.count);
}

/* The same with the commands, as people do it. */
void run_touch(char **args)
{
	enter(args[0]);
	meter_start();
	for (uint64_t i = 0; i < opt.count; i++) {
		char *name = (char *)nth_name(i);

		finish(start((char *[]){ "touch", name, NULL }), "touch");
		finish(start((char *[]){ "truncate", "-s", args[1], name, NULL }),
		       "truncate");
	}
	meter_stop(opt.count);
}

void run_delete(char **args)
{
	enter(args[0]);
	meter_start();
	for (uint64_t i = 0; i < opt.count; i++)
		if (unlink(nth_name(i)) < 0)
			die("cannot delete '%s'", nth_name(i));
	meter_stop(opt.count);
}

/* What ls -l asks of the kernel, without its sorting and printing. */
void run_list(char **args)
{
	struct dirent *e;
	struct stat st;
	uint64_t n = 0;
	char value[256];
	DIR *dir;

	enter(args[0]);
	meter_start();
	dir = opendir(".");
	if (!dir)
		die("cannot open '%s'", args[0]);
	while ((errno = 0, e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (lstat(e->d_name, &st) < 0)
			die("cannot stat '%s'", e->d_name);
		lgetxattr(e->d_name, "security.selinux", value, sizeof(value));
		getxattr(e->d_name, "system.posix_acl_access", NULL, 0);
		n++;
	}
	if (errno)
		die("cannot list '%s'", args[0]);
	closedir(dir);
	meter_stop(n);
	if (opt.count && n != opt.count) {
		errno = ENODATA;
		die("'%s' lists %ju names, not %ju", args[0], (uintmax_t)n,
		    (uintmax_t)opt.count);
	}
}

/* open, read, close; several files in turn where several are given. */
void run_read(char **args)
{
	static char data[1 << 20];
	size_t size = opt.block < sizeof(data) ? opt.block : sizeof(data);
	char **path = args;

	meter_start();
	for (uint64_t i = 0; i < opt.count; i++) {
		int fd = open(*path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, data, size) <= 0)
			die("cannot read '%s'", *path);
		close(fd);
		if (!*++path)
			path = args;
	}
	meter_stop(opt.count);
}

void run_exec(char **args)
{
	meter_start();
	finish(start(args), args[0]);
	meter_stop(opt.count);
}

static uint64_t resident_kib(pid_t pid)
{
	unsigned long kib = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* From fork to the first answer from NAME in the mount; the extra number is the RSS. */
void run_mounted(char **args)
{
	uint64_t deadline = now_ns() + MOUNT_TIMEOUT_NS;
	struct timespec nap = { .tv_nsec = 50000 };
	struct stat before, st;
	pid_t pid;

	if (stat(args[0], &before) < 0)
		die("cannot stat '%s'", args[0]);
	prctl(PR_SET_TIMERSLACK, 1);
	meter_start();
	pid = start(args + 2);
	while (stat(args[0], &st) < 0 || st.st_dev == before.st_dev) {
		if (now_ns() > deadline || waitpid(pid, NULL, WNOHANG) == pid) {
			errno = ETIMEDOUT;
			die("'%s' did not mount", args[2]);
		}
		nanosleep(&nap, NULL);
	}
	enter(args[0]);
	if (access(args[1], R_OK) < 0)
		die("no '%s' in the mount", args[1]);
	opt.servers[opt.nservers++] = pid;
	meter_stop(1);
	meter_extra(resident_kib(pid));
	enter("/");
	kill(pid, SIGTERM);
	finish(pid, args[2]);
}
