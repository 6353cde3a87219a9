/*
 * Going into the background, and telling the waiting parent, or systemd, how the start
 * went. The parent process prints what went wrong and ends with the child's status; no
 * thread exists before that.
 */
#pragma once

#include <stdbool.h>

#include "backends/support/error.h"

enum exit_status { EXIT_OK = 0, EXIT_USAGE = 1, EXIT_SYSTEM = 2, EXIT_MOUNT = 32 };

/* Descriptors 0 to 2 are open afterwards, so that nothing else gets these numbers. */
void daemon_standard_fds(void);

/* Returns in the child; the parent ends here. -errno: no child could be made. */
int daemon_detach(struct error *err);

/* The start is over: with status 0 it was good. In the foreground an error is printed. */
void daemon_report(int status, const struct error *err);

/* sd_notify(3): "READY=1". Does nothing where nobody listens. */
void daemon_notify(const char *state);
