/* The fake's control directory: values and faults, looked up at each operation. */
#include "backends/fake/fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/support/clock.h"
#include "backends/support/size.h"

static bool path_of(const struct fake_pool *fp, const char *file, char *path, size_t size)
{
	return fp->control &&
	       snprintf(path, size, "%s/%s", fp->control, file) < (int)size;
}

bool control_has(const struct fake_pool *fp, const char *file)
{
	char path[4096];

	return path_of(fp, file, path, sizeof(path)) && access(path, F_OK) == 0;
}

int control_read(const struct fake_pool *fp, const char *file, struct buf *out)
{
	char path[4096], text[4096];
	AUTO_FD int fd = -1;
	ssize_t n;

	if (!path_of(fp, file, path, sizeof(path)))
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	if (n < 0)
		return -errno;
	if (n && text[n - 1] == '\n')
		n--;
	return buf_add(out, text, n);
}

uint64_t control_size(const struct fake_pool *fp, const char *file, uint64_t otherwise)
{
	AUTO_BUF struct buf text = { 0 };
	uint64_t size;

	if (control_read(fp, file, &text) < 0 ||
	    size_parse_text(buf_text(&text), &size, NULL) < 0)
		return otherwise;
	return size;
}

static int errno_of(const char *text)
{
	int code = atoi(text);

	for (int e = 1; !code && e < 134; e++)
		if (strerrorname_np(e) && !strcmp(strerrorname_np(e), text))
			code = e;
	return code ? code : EIO;
}

bool fault_read(const struct fake_pool *fp, const char *operation, struct fault *out)
{
	AUTO_BUF struct buf text = { 0 };
	char *word, *rest = NULL, path[4096];

	*out = (struct fault){ 0 };
	if (control_read(fp, operation, &text) < 0)
		return false;
	for (word = strtok_r(text.data, " \n", &rest); word;
	     word = strtok_r(NULL, " \n", &rest)) {
		if (!strncmp(word, "errno=", 6))
			out->code = errno_of(word + 6);
		else if (!strncmp(word, "delay=", 6))
			out->delay_ms = atoi(word + 6);
		else if (!strcmp(word, "hang"))
			out->hang = true;
		else if (!strcmp(word, "stuck"))
			out->stuck = true;
		else if (!strcmp(word, "once") &&
			 path_of(fp, operation, path, sizeof(path)))
			unlink(path);
	}
	return true;
}

static void sleep_ms(unsigned ms)
{
	struct timespec t = clock_timespec(ms * NS_PER_MS);

	nanosleep(&t, NULL);
}

static int give_up(const struct call *call, const char *operation, struct error *err)
{
	if (call->cancelled && *call->cancelled)
		return error_set(err, EINTR, "the fake's %s was cancelled", operation);
	if (deadline_passed(call->deadline_ns))
		return error_set(err, ETIMEDOUT, "the fake's %s took too long",
				 operation);
	return 0;
}

static int wait_out(const struct fake_pool *fp, const char *operation, struct call *call,
		    struct fault *f, struct error *err)
{
	uint64_t until = clock_now() + f->delay_ms * NS_PER_MS;

	while (f->hang || f->stuck || clock_now() < until) {
		int r = f->stuck ? 0 : give_up(call, operation, err);

		if (r < 0)
			return r;
		sleep_ms(5);
		if ((f->hang || f->stuck) && !control_has(fp, operation))
			break;
	}
	return 0;
}

int fault(const struct fake_pool *fp, const char *operation, struct call *call,
	  struct error *err)
{
	struct fault f;
	int r;

	if (control_has(fp, "away"))
		return error_set(err, ETIMEDOUT, "the fake source is away");
	if (!fault_read(fp, operation, &f))
		return 0;
	r = wait_out(fp, operation, call, &f, err);
	if (r < 0 || !f.code)
		return r;
	return error_code(err, f.code, "the fake's %s was told to fail", operation);
}
