/* Runs disk-table. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/disk/disk.h"
#include "backends/support/clock.h"
#include "backends/support/run.h"

#define ARGUMENTS_MAX 12
#define CHANGE_NS     (120 * NS_PER_S)

/* Beside the modules of a build tree, when the daemon is one's; else where it is
 * installed. */
static void find_program(char path[PATH_MAX])
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash = NULL;

	exe[n > 0 ? n : 0] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(exe, '/');
		if (slash)
			*slash = '\0';
	}
	if (!slash ||
	    snprintf(path, PATH_MAX, "%s/backends/disk-table", exe) >= PATH_MAX ||
	    access(path, X_OK) < 0)
		snprintf(path, PATH_MAX, "%s/disk-table", STORAGEFS_LIBEXECDIR);
}

int disk_run(const struct disk *d, const char *path, const char *const *arguments,
	     bool changes, struct call *call, struct disk_table *out, struct error *err)
{
	AUTO_BUF struct buf answer = { 0 };
	const char *argv[ARGUMENTS_MAX] = { NULL };
	char program[PATH_MAX];
	struct run run = { .argv = argv, .output = &answer };
	size_t n = 0;
	int r;

	find_program(program);
	argv[n++] = program;
	if (d->mapped) {
		argv[n++] = "-p";
		argv[n++] = d->prefix;
	}
	argv[n++] = path;
	while (*arguments && n < ARGUMENTS_MAX - 1)
		argv[n++] = *arguments++;
	run.deadline_ns = changes ? clock_now() + CHANGE_NS : call->deadline_ns;
	run.cancelled = changes ? NULL : call->cancelled;
	r = run_tool(&run, err);
	return r < 0 ? r : disk_table_parse(buf_text(&answer), out, err);
}
