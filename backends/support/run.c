/* Running a tool: posix_spawn, pipes, a deadline, a process group to kill. */
#include "backends/support/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backends/support/clock.h"
#include "backends/support/cpus.h"

#define PATHS         "/usr/sbin:/usr/bin:/sbin:/bin"
#define STDERR_LIMIT  4096
#define OUTPUT_LIMIT  (64 << 20)
#define POLL_SLICE_MS 100
#define DRAIN_CHUNKS  128 /* a MiB, more than a pipe holds */

/* The tool's path, or false when it is in none of the system's directories. */
static bool find_tool(const char *tool, char *path, size_t size)
{
	const char *dirs = PATHS;

	if (strchr(tool, '/'))
		return snprintf(path, size, "%s", tool) < (int)size &&
		       !access(path, X_OK);
	while (*dirs) {
		size_t len = strcspn(dirs, ":");

		if (snprintf(path, size, "%.*s/%s", (int)len, dirs, tool) < (int)size &&
		    !access(path, X_OK))
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

bool run_have(const char *tool)
{
	char path[256];

	return find_tool(tool, path, sizeof(path));
}

struct child {
	pid_t pid;
	int pidfd, in, out, err;
	size_t fed;
	bool cut; /* not all of its output was kept */
	struct buf messages;
};

static void child_close(struct child *c)
{
	int *fds[] = { &c->pidfd, &c->in, &c->out, &c->err };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (*fds[i] >= 0)
			close(take_fd(fds[i]));
	buf_free(&c->messages);
}

static int make_pipe(int *parent, int *child, bool child_reads, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, "cannot make a pipe");
	*parent = fds[child_reads];
	*child = fds[!child_reads];
	fcntl(*parent, F_SETFL, O_NONBLOCK);
	return 0;
}

static int spawn(const struct run *r, const char *path, struct child *c, int in, int out,
		 int errfd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	char *env[] = { "LC_ALL=C", "PATH=" PATHS, "HOME=/", NULL };

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	if (in >= 0)
		posix_spawn_file_actions_adddup2(&actions, in, 0);
	else
		posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&actions, out, 1);
	else
		posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, errfd, 2);
	/* dup2 onto itself clears close-on-exec in posix_spawn */
	for (const int *fd = r->fds; fd && *fd >= 0; fd++)
		posix_spawn_file_actions_adddup2(&actions, *fd, *fd);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);

	int code =
		posix_spawn(&c->pid, path, &actions, &attr, (char *const *)r->argv, env);

	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return code;
}

static int start(const struct run *r, struct child *c, struct error *err)
{
	AUTO_FD int in = -1;
	AUTO_FD int out = -1;
	AUTO_FD int errfd = -1;
	char path[256];

	if (!find_tool(r->argv[0], path, sizeof(path)))
		return error_set(err, EOPNOTSUPP,
				 "the program '%s' is not installed: install the package that "
				 "has it",
				 r->argv[0]);

	int code = r->input ? make_pipe(&c->in, &in, true, err) : 0;

	if (code == 0 && r->output)
		code = make_pipe(&c->out, &out, false, err);
	if (code == 0)
		code = make_pipe(&c->err, &errfd, false, err);
	if (code < 0)
		return code;
	code = spawn(r, path, c, in, out, errfd);

	if (code)
		return error_code(err, code, "cannot run '%s'", path);
	c->pidfd = syscall(SYS_pidfd_open, c->pid, 0);
	return 0;
}

/* Reads what is there, though not for ever of who writes as fast; closes the descriptor
 * at its end. false: not all of it was kept. */
static bool drain(int *fd, struct buf *into, size_t limit)
{
	char chunk[8192];
	bool whole = true;
	ssize_t n = 1;

	for (int i = 0; i < DRAIN_CHUNKS && n > 0; i++) {
		n = read(*fd, chunk, sizeof(chunk));
		if (n > 0 && (into->len >= limit || buf_add(into, chunk, n) < 0))
			whole = false;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close(take_fd(fd));
	return whole;
}

static void drain_output(const struct run *r, struct child *c)
{
	if (!drain(&c->out, r->output, OUTPUT_LIMIT))
		c->cut = true;
}

static void feed(const struct run *r, struct child *c)
{
	ssize_t n = write(c->in, (const char *)r->input + c->fed, r->input_len - c->fed);

	if (n > 0)
		c->fed += n;
	if (c->fed == r->input_len || (n < 0 && errno != EAGAIN && errno != EINTR))
		close(take_fd(&c->in));
}

/* One round of waiting. true: the process has ended. */
static bool wait_round(const struct run *r, struct child *c)
{
	struct pollfd p[] = {
		{ .fd = c->pidfd, .events = POLLIN },
		{ .fd = c->in, .events = POLLOUT },
		{ .fd = c->out, .events = POLLIN },
		{ .fd = c->err, .events = POLLIN },
	};
	int ms = deadline_poll_ms(r->deadline_ns);

	if (ms < 0 || ms > POLL_SLICE_MS)
		ms = POLL_SLICE_MS;
	if (poll(p, 4, ms) <= 0)
		return false;
	if (p[1].revents && c->in >= 0)
		feed(r, c);
	if (p[2].revents && c->out >= 0)
		drain_output(r, c);
	if (p[3].revents && c->err >= 0)
		drain(&c->err, &c->messages, STDERR_LIMIT);
	return p[0].revents;
}

/* Waits for the end, or kills the group at the deadline. Returns 0, -ETIMEDOUT or -EINTR.
 */
static int wait_end(struct run *r, struct child *c)
{
	int result = 0, status;
	siginfo_t info;

	while (!wait_round(r, c)) {
		if (r->cancelled && atomic_load(r->cancelled))
			result = -EINTR;
		else if (deadline_passed(r->deadline_ns))
			result = -ETIMEDOUT;
		if (result)
			break;
		/* without a pidfd (an old kernel) the slice is the poll interval */
		if (c->pidfd < 0 &&
		    !waitid(P_PID, c->pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
		    info.si_pid == c->pid)
			break;
	}
	if (result)
		kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (c->out >= 0)
		drain_output(r, c);
	if (c->err >= 0)
		drain(&c->err, &c->messages, STDERR_LIMIT);
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) :
							128 + WTERMSIG(status);
	return result;
}

int run_tool(struct run *r, struct error *err)
{
	struct child c = { .pidfd = -1, .in = -1, .out = -1, .err = -1 };
	struct error local = { 0 };
	int result;

	cpus_use(CPUS_ALL); /* the tool inherits them */
	result = start(r, &c, &local);
	if (result < 0) {
		child_close(&c);
		return error_copy(err, &local);
	}
	result = wait_end(r, &c);

	char *said = c.messages.data ? c.messages.data : "it said nothing";
	size_t len = strlen(said);

	while (len && strchr(" \n\r\t", said[len - 1]))
		len--;
	if (result == -EINTR)
		error_set(err, EINTR, "'%s' was cancelled", r->argv[0]);
	else if (result == -ETIMEDOUT)
		error_set(err, ETIMEDOUT, "'%s' did not end in time and was stopped",
			  r->argv[0]);
	else if (r->status)
		result = error_set(err, EIO, "'%s' failed (exit status %d): %.*s",
				   r->argv[0], r->status, (int)len, said);
	else if (c.cut) /* half a list would be taken for all there is */
		result = error_set(err, EIO,
				   "'%s' said more than could be kept (64 MiB at most)",
				   r->argv[0]);
	child_close(&c);
	return result;
}
