/*
 * Running a tool: posix_spawn, pipes, a deadline, a process group to kill.
 *
 * `lock` guards the list of those that were killed and have not died.
 */
#include "backends/support/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"
#include "backends/support/cpus.h"

#define PATHS         "/usr/sbin:/usr/bin:/sbin:/bin"
#define STDERR_LIMIT  4096
#define OUTPUT_LIMIT  (64 << 20)
#define POLL_SLICE_MS 100
#define DRAIN_CHUNKS  128 /* a MiB, more than a pipe holds */
#define DEATH_NS      NS_PER_S
#define LOOK_MS	      5
#define MAX_UNDEAD    64
#define MORTAL_ARGV   32

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
	bool cut;   /* not all of its output was kept */
	bool stays; /* it was killed, and has not died */
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

/* Where fd is -1 the tool gets /dev/null as its number `as`. 0 or an errno. */
static int give(posix_spawn_file_actions_t *actions, int fd, int as, int flags)
{
	if (fd >= 0)
		return posix_spawn_file_actions_adddup2(actions, fd, as);
	return posix_spawn_file_actions_addopen(actions, as, "/dev/null", flags, 0);
}

static int spawn(const struct run *r, const char *path, const char *const *argv,
		 struct child *c, int in, int out, int errfd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	char *env[] = { "LC_ALL=C", "PATH=" PATHS, "HOME=/", NULL };
	int code;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	code = give(&actions, in, 0, O_RDONLY);
	if (!code)
		code = give(&actions, out, 1, O_WRONLY);
	if (!code)
		code = give(&actions, errfd, 2, O_WRONLY);
	/* dup2 onto itself clears close-on-exec in posix_spawn */
	for (const int *fd = r->fds; !code && fd && *fd >= 0; fd++)
		code = give(&actions, *fd, *fd, 0);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	if (!code)
		code = posix_spawn(&c->pid, path, &actions, &attr, (char *const *)argv,
				   env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return code;
}

/* posix_spawn cannot ask for a signal at our end, setpriv can. */
static int spawn_mortal(const struct run *r, const char *path, struct child *c, int in,
			int out, int errfd)
{
	const char *argv[MORTAL_ARGV] = { "setpriv", "--pdeathsig", "KILL", "--", path };
	char setpriv[256];
	int n = 5;

	if (!find_tool("setpriv", setpriv, sizeof(setpriv)))
		return spawn(r, path, r->argv, c, in, out, errfd);
	for (const char *const *arg = r->argv + 1; *arg; arg++) {
		if (n == MORTAL_ARGV - 1)
			return E2BIG;
		argv[n++] = *arg;
	}
	return spawn(r, setpriv, argv, c, in, out, errfd);
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
	code = r->dies_with_us ? spawn_mortal(r, path, c, in, out, errfd) :
				 spawn(r, path, r->argv, c, in, out, errfd);
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

/* -- the end -- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t undead[MAX_UNDEAD];
static size_t n_undead;

/* Takes the ends of those that have died meanwhile. */
static void bury_undead(void)
{
	SCOPED_LOCK(&lock);
	for (size_t i = 0; i < n_undead;) {
		if (waitpid(undead[i], NULL, WNOHANG) == 0)
			i++;
		else
			undead[i] = undead[--n_undead];
	}
}

/* One too many stays a zombie until we end ourselves. */
static void add_undead(pid_t pid)
{
	SCOPED_LOCK(&lock);
	if (n_undead < MAX_UNDEAD)
		undead[n_undead++] = pid;
}

/* Takes the end of a process that has ended or was killed: its status as a shell has it.
 * -1: there is none: it waits in the kernel for what does not come (D state), or SIGCHLD
 * is ignored. */
static int reap(struct child *c)
{
	uint64_t until = clock_now() + DEATH_NS;
	int status;
	pid_t ended;

	while (!(ended = waitpid(c->pid, &status, WNOHANG)) && !deadline_passed(until))
		poll(NULL, 0, LOOK_MS);
	c->stays = !ended;
	if (c->stays)
		add_undead(c->pid);
	if (ended != c->pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Also where the kernel has taken its end itself. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	       info.si_pid == pid;
}

/* Waits for the end, or kills the group at the deadline. Returns 0, -ETIMEDOUT or -EINTR.
 */
static int wait_end(struct run *r, struct child *c)
{
	int result = 0;

	while (!wait_round(r, c)) {
		if (r->cancelled && atomic_load(r->cancelled))
			result = -EINTR;
		else if (deadline_passed(r->deadline_ns))
			result = -ETIMEDOUT;
		if (result)
			break;
		/* without a pidfd (an old kernel) the slice is the poll interval */
		if (c->pidfd < 0 && has_ended(c->pid))
			break;
	}
	if (result)
		kill(-c->pid, SIGKILL);
	r->status = reap(c);
	if (c->out >= 0)
		drain_output(r, c);
	if (c->err >= 0)
		drain(&c->err, &c->messages, STDERR_LIMIT);
	return result;
}

static int refuse_stopped(const char *tool, const struct child *c, int result,
			  struct error *err)
{
	const char *why = result == -EINTR ? "was cancelled" : "did not end in time";

	if (c->stays)
		return error_set(err, -result,
				 "'%s' %s, and cannot be stopped: the kernel keeps it "
				 "(process %d) waiting for a device or server that does "
				 "not answer",
				 tool, why, (int)c->pid);
	return error_set(err, -result, "'%s' %s%s", tool, why,
			 result == -EINTR ? "" : " and was stopped");
}

static int refuse_failed(const char *tool, const struct child *c, int status,
			 struct error *err)
{
	const char *said = c->messages.data ? c->messages.data : "it said nothing";
	size_t len = strlen(said);

	while (len && strchr(" \n\r\t", said[len - 1]))
		len--;
	if (status < 0)
		return error_set(err, EIO,
				 "'%s' has ended, and nobody can tell how (does somebody "
				 "trace it?): %.*s",
				 tool, (int)len, said);
	return error_set(err, EIO, "'%s' failed (exit status %d): %.*s", tool, status,
			 (int)len, said);
}

int run_tool(struct run *r, struct error *err)
{
	struct child c = { .pidfd = -1, .in = -1, .out = -1, .err = -1 };
	struct error local = { 0 };
	int result;

	bury_undead();
	cpus_use(CPUS_ALL); /* the tool inherits them */
	result = start(r, &c, &local);
	if (result < 0) {
		child_close(&c);
		return error_copy(err, &local);
	}
	result = wait_end(r, &c);
	if (result)
		refuse_stopped(r->argv[0], &c, result, err);
	else if (r->status)
		result = refuse_failed(r->argv[0], &c, r->status, err);
	else if (c.cut) /* half a list would be taken for all there is */
		result = error_set(err, EIO,
				   "'%s' said more than could be kept (64 MiB at most)",
				   r->argv[0]);
	child_close(&c);
	return result;
}
