/* Detaching from the terminal, and reporting through a pipe. */
#include "fs/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/support/cleanup.h"

/* What the child sends; an end of file instead means that it died. */
struct report {
	int status;
	char text[sizeof(((struct error *)NULL)->text)];
};

static int report_fd = -1;

void daemon_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int wait_for_child(int fd)
{
	struct report r;
	ssize_t n;

	do
		n = read(fd, &r, sizeof(r));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(r)) {
		fprintf(stderr, "storagefs: the daemon died while it started; see the "
				"system log\n");
		return EXIT_MOUNT;
	}
	if (r.text[0])
		fprintf(stderr, "storagefs: %s\n", r.text);
	return r.status;
}

int daemon_detach(struct error *err)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, "cannot make a pipe");
	pid = fork();
	if (pid < 0)
		return error_errno(err, "cannot make a process");
	if (pid > 0) {
		close(fds[1]);
		_exit(wait_for_child(fds[0]));
	}
	close(fds[0]);
	report_fd = fds[1];
	setsid();
	return 0;
}

/* The terminal is given back, and the filesystem that we were started in. */
static void leave_caller(void)
{
	AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (chdir("/") < 0 || null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

void daemon_report(int status, const struct error *err)
{
	struct report r = { .status = status };

	if (report_fd < 0) {
		if (status)
			fprintf(stderr, "storagefs: %s\n", err->text);
		return;
	}
	if (status)
		strcpy(r.text, err->text);
	if (status == 0)
		leave_caller();
	/* nobody can be told when the parent has gone */
	if (write(report_fd, &r, sizeof(r)) < 0)
		errno = 0;
	close(take_fd(&report_fd));
}

void daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	AUTO_FD int fd = -1;

	if (!len || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
		       offsetof(struct sockaddr_un, sun_path) + len);
}
