/* Runs scrub(1). */
#include "backends/common/scrub.h"

#include <errno.h>
#include <string.h>

#include "backends/common/file_pool.h"
#include "backends/support/run.h"

static const char *const patterns[] = {
	"nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33", "random",
};

bool scrub_knows(const char *pattern)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		if (!strcmp(pattern, patterns[i]))
			return true;
	return false;
}

int scrub_run(int fd, const char *pattern, struct call *call, struct error *err)
{
	char path[FD_PATH_MAX];
	const char *argv[] = {
		"scrub", "-f", "-S", "-p", pattern, fd_path(fd, path), NULL
	};
	int fds[] = { fd, -1 };
	/* or it would go on, over what is written after the next mount */
	struct run run = {
		.argv = argv,
		.fds = fds,
		.dies_with_us = true,
		.deadline_ns = call ? call->deadline_ns : 0,
		.cancelled = call ? call->cancelled : NULL,
	};
	int r = run_tool(&run, err);

	if (r == -EOPNOTSUPP)
		return error_set(err, EOPNOTSUPP,
				 "wiping with '%s' needs the program scrub: install the "
				 "package scrub",
				 pattern);
	if (fdatasync(fd) < 0 && r == 0)
		r = error_errno(err, "cannot write the pattern to the disk");
	return r;
}
