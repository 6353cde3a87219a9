/* Reads and writes small files of /sys and /proc. */
#include "backends/common/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/support/cleanup.h"

#define PRINT_PATH(path, fmt)                       \
	do {                                        \
		va_list ap;                         \
		va_start(ap, fmt);                  \
		vsnprintf(path, PATH_MAX, fmt, ap); \
		va_end(ap);                         \
	} while (0)

static int read_line(const char *path, char *out, size_t size)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, out, size - 1);
	if (n < 0)
		return -errno;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

int sys_read(char *out, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];

	PRINT_PATH(path, fmt);
	return read_line(path, out, size);
}

int sys_number(uint64_t *out, const char *fmt, ...)
{
	char path[PATH_MAX], line[SYS_LINE], *end;
	int r;

	PRINT_PATH(path, fmt);
	r = read_line(path, line, sizeof(line));
	if (r < 0)
		return r;
	errno = 0;
	*out = strtoull(line, &end, 10);
	return errno || end == line || *end ? -EINVAL : 0;
}

bool sys_exists(const char *fmt, ...)
{
	char path[PATH_MAX];

	PRINT_PATH(path, fmt);
	return access(path, F_OK) == 0;
}

char *sys_real(const char *fmt, ...)
{
	char path[PATH_MAX];

	PRINT_PATH(path, fmt);
	return realpath(path, NULL);
}

int sys_write(const char *text, const char *fmt, ...)
{
	char path[PATH_MAX];
	AUTO_FD int fd = -1;

	PRINT_PATH(path, fmt);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}
