/*
 * Running a tool: no shell, an argument vector, LC_ALL=C, stderr captured into the error,
 * a deadline that kills the whole process group. Secrets go in through stdin, never
 * through argv.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"

struct run {
	/* NULL-terminated; argv[0] is looked up in the system's paths */
	const char *const *argv;
	const void *input;            /* given on stdin; NULL: /dev/null */
	size_t input_len;
	struct buf *output;           /* gets stdout; NULL: dropped */
	const int *fds; /* inherited under their own numbers, ended by -1; NULL: none */
	bool dies_with_us; /* also of kill -9, where setpriv(1) is installed */
	uint64_t deadline_ns;         /* clock_now() time; 0: none */
	const atomic_bool *cancelled; /* looked at about every 100 ms; NULL: never */
	int status;                   /* out: exit status, 128 + signal; -1: not known */
};

/*
 * Runs it to its end. 0: exit status 0, and all of its output. Errors: -EOPNOTSUPP the
 * tool is not installed, -EIO it failed (the text has the first of its stderr) or said
 * more than 64 MiB, -ETIMEDOUT, -EINTR cancelled. Of the last two it returns within a
 * second, also when what was killed does not die, which then is waited for by later runs.
 */
int run_tool(struct run *r, struct error *err);

/* Whether a tool is installed where run_tool looks: the system's directories, whatever
 * the daemon's PATH is. */
bool run_have(const char *tool);
